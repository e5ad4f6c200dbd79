//! The one form in which an error reaches a person: what happened, what to do, and the detail for those who ask.
//!
//! A problem carries a [`ProblemKind`], from which the localisation files make the summary and the advice; the
//! `args` fill their placeholders. `detail` is the technical text (English, from libraries) that stays one click away.

use std::fmt;
use std::path::{Path, PathBuf};

/// How loudly to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Note,
    Warning,
    Error,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident => $key:literal,)*) => {
        /// What went wrong. Each kind has the messages `problem-KEY` and `problem-KEY-advice` in every language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $name,)* }

        impl ProblemKind {
            /// Every kind, for the test that all are localised.
            pub const ALL: &'static [ProblemKind] = &[$(ProblemKind::$name,)*];

            /// The stem of the message ids.
            pub const fn key(self) -> &'static str {
                match self { $(ProblemKind::$name => $key,)* }
            }
        }
    };
}

kinds! {
    /// The model's folder or file is not there. Args: model.
    ModelMissing => "model-missing",
    /// No known family fits the files. Args: model.
    ModelUnknown => "model-unknown",
    /// A file of the model is absent. Args: file.
    WeightsMissing => "weights-missing",
    /// A weights file ends early or its table lies. Args: file.
    WeightsDamaged => "weights-damaged",
    /// A tensor is absent or of another shape than the network wants. Args: tensor, expected, found.
    WeightsMismatch => "weights-mismatch",
    /// A pickle asks for something that is not on the allow-list. Args: file, name.
    PickleForbidden => "pickle-forbidden",
    /// A config file is not what it should be. Args: file.
    ConfigInvalid => "config-invalid",
    /// vocab.txt is unusable. Args: file.
    VocabularyInvalid => "vocabulary-invalid",
    /// The prompt is beyond any sense. Args: length, limit.
    PromptTooLong => "prompt-too-long",
    /// Width or height is zero or too large, or both together are. Args: size, least, most.
    SizeInvalid => "size-invalid",
    /// One side is too long for the other. Args: size, times.
    SizeTooLong => "size-too-long",
    /// Width or height is not a multiple of the model's factor. Args: size, factor, suggestion.
    SizeUneven => "size-uneven",
    /// A number of the recipe is out of its range. Args: name, value, least, most.
    ValueInvalid => "value-invalid",
    /// Mask and picture differ. Args: mask, picture.
    MaskSizeDiffers => "mask-size-differs",
    /// A mask came without a picture to repaint. No args.
    MaskWithoutPicture => "mask-without-picture",
    /// Nothing in the mask is white. No args.
    MaskEmpty => "mask-empty",
    /// A picture file cannot be read. Args: file.
    PictureUnreadable => "picture-unreadable",
    /// A picture is larger than is sensible. Args: size, most.
    PictureTooLarge => "picture-too-large",
    /// The network gave NaN or infinity. Args: where.
    NotANumber => "not-a-number",
    /// Memory ran out. No args.
    OutOfMemory => "out-of-memory",
    /// The engine stopped in the middle (a bug); it has been restarted. No args.
    EngineCrashed => "engine-crashed",
    /// The artist stopped the job. No args.
    Cancelled => "cancelled",
    /// A file or folder cannot be written. Args: file.
    Unwritable => "unwritable",
    /// A file or folder cannot be read. Args: file.
    Unreadable => "unreadable",
    /// A file of the artist's own (styles, prompts) makes no sense; it was put aside. Args: file, aside.
    OwnFileDamaged => "own-file-damaged",
    /// The model cannot do what was asked (inpainting, say). Args: model, ability.
    AbilityMissing => "ability-missing",
    /// The precision is not to be had on this device. Args: precision.
    PrecisionUnsupported => "precision-unsupported",
    /// The chosen device is not there, or not for this program; the processor does its work. Args: device.
    DeviceMissing => "device-missing",
    /// A device failed; the processor does its work. Args: device.
    DeviceFailed => "device-failed",
    /// A job does not fit into a device's memory; the processor does it. Args: device.
    DeviceFull => "device-full",
    /// No graphics adapter can draw the window. No args.
    NoGraphics => "no-graphics",
    /// The gallery's index was made by a later version; it was set aside. Args: aside.
    GalleryTooNew => "gallery-too-new",
    /// The gallery's index was broken; it was set aside. Args: aside.
    GalleryDamaged => "gallery-damaged",
    /// The gallery's index cannot be kept on the disk. Args: file.
    GalleryInMemory => "gallery-in-memory",
    /// A deleted file is not in the trash any more. Args: file.
    TrashEmptied => "trash-emptied",
    /// The file is no OpenRaster file, or nothing of it can be read. Args: file.
    OpenRasterInvalid => "openraster-invalid",
    /// An entry of an OpenRaster file is not there. Args: part.
    OpenRasterPartMissing => "openraster-part-missing",
    /// An entry of an OpenRaster file cannot be read. Args: part.
    OpenRasterPartUnreadable => "openraster-part-unreadable",
    /// A layer blends in a way that we do not have. Args: layer, blend.
    OpenRasterBlendUnknown => "openraster-blend-unknown",
    /// Groups became plain layers. Args: count.
    OpenRasterGroupsFlattened => "openraster-groups-flattened",
    /// More layers than are read. Args: most.
    OpenRasterTooManyLayers => "openraster-too-many-layers",
    /// The document cannot be kept safe. Args: file.
    RecoveryUnwritable => "recovery-unwritable",
    /// What was kept of a document makes no sense. Args: file.
    RecoveryDamaged => "recovery-damaged",
    /// The layer is locked. Args: layer.
    LayerLocked => "layer-locked",
    /// The layer is hidden. Args: layer.
    LayerHidden => "layer-hidden",
    /// The layer is no longer in the document. No args.
    LayerMissing => "layer-missing",
    /// The only layer of a document cannot be deleted. No args.
    LayerLast => "layer-last",
    /// There is no layer below to merge with. No args.
    LayerLowest => "layer-lowest",
    /// A stroke is not finished yet. No args.
    StrokeOpen => "stroke-open",
    /// Something failed inside a library, with no better name. No args.
    Internal => "internal",
}

/// An error that a person sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    pub kind: ProblemKind,
    /// Fills the placeholders of the localised messages.
    pub args: Vec<(&'static str, String)>,
    /// Technical text, shown on demand.
    pub detail: Option<String>,
    /// The file or folder concerned.
    pub path: Option<PathBuf>,
}

impl Problem {
    pub fn new(kind: ProblemKind) -> Self {
        let severity = match kind {
            ProblemKind::Cancelled => Severity::Note,
            ProblemKind::DeviceMissing | ProblemKind::DeviceFailed | ProblemKind::DeviceFull => Severity::Warning,
            _ => Severity::Error,
        };
        Self { severity, kind, args: Vec::new(), detail: None, path: None }
    }

    /// Adds a value for a placeholder.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.args.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Names the file concerned and fills the placeholder `file` with it.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        if !self.args.iter().any(|(name, _)| *name == "file") {
            self.args.push(("file", path.display().to_string()));
        }
        self.path = Some(path.to_path_buf());
        self
    }

    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    pub fn is_cancelled(&self) -> bool {
        self.kind == ProblemKind::Cancelled
    }
}

/// For logs; people see the localised form.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.key())?;
        for (name, value) in &self.args {
            write!(f, " {name}={value}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = ProblemKind::ALL.iter().map(|k| k.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ProblemKind::ALL.len());
    }
}
