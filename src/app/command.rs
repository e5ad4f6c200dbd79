//! What can be done, as data. The words are the messages `command-STEM` and `command-STEM-tip`; keys, icons and when it
//! can be done stand in [`super::commands`].

use super::commands::{self, Shortcut};
use super::desk_commands::LayerChange;
use super::filing::{Answer, ExportPlan};
use super::styles::Style;
use super::wall::Act;
use crate::base::{ImageId, JobId, LayerId};
use crate::imaging::Pixmap;
use crate::recipe::Preset;
use crate::words::Language;
use std::path::PathBuf;
use std::sync::Arc;

/// Number of examples on the empty desk: the messages `example-1` and so on.
pub const EXAMPLES: usize = 3;

/// A page that the window can open in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Taiyi,
    Egui,
    Candle,
    FontLicence,
}

impl Link {
    pub const fn address(self) -> &'static str {
        match self {
            Link::Taiyi => "https://huggingface.co/IDEA-CCNL/Taiyi-Stable-Diffusion-1B-Chinese-v0.1",
            Link::Egui => "https://github.com/emilk/egui",
            Link::Candle => "https://github.com/huggingface/candle",
            Link::FontLicence => "https://openfontlicense.org",
        }
    }
}

macro_rules! commands {
    (
        valued { $($(#[$valued_doc:meta])* $valued:ident($($type:ty),*),)* }
        stems [$($valued_stem:literal),* $(,)?]
        plain { $($(#[$doc:meta])* $name:ident => $stem:literal,)* }
    ) => {
        /// Something that the artist wants done.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command {
            $($(#[$valued_doc])* $valued($($type),*),)*
            $($(#[$doc])* $name,)*
        }

        impl Command {
            /// Every stem, for the test that all have words.
            pub const STEMS: &'static [&'static str] = &[$($valued_stem,)* $($stem,)*];

            /// Every command that carries no value.
            pub const PLAIN: &'static [Command] = &[$(Command::$name,)*];

            /// The stem of the message ids: `command-STEM` is the text, `command-STEM-tip` the tooltip.
            pub const fn stem(&self) -> &'static str {
                match self {
                    $(Command::$name => $stem,)*
                    valued => valued.valued_stem(),
                }
            }
        }
    };
}

commands! {
    valued {
        /// Saves a copy; the answer to [`Command::SaveAs`].
        SaveTo(ImageId, PathBuf),
        Choose(Preset),
        ChooseModel(usize),
        /// Writes the example's words into the draft and paints it; 0 to [`EXAMPLES`] - 1.
        Example(usize),
        LookAt(ImageId),
        /// Opens a file in the place of the document.
        OpenPath(PathBuf),
        /// Loads a picture and puts it on the canvas.
        SendToCanvas(PathBuf),
        SaveProjectTo(PathBuf),
        /// Asks where to, and exports so.
        ExportAs(ExportPlan),
        ExportTo(PathBuf),
        /// To the question about an unsaved document.
        Answer(Answer),
        /// Brings back what an earlier session has left, by its number.
        RestoreLost(u64),
        DiscardLost(u64),
        PastePicture(Arc<Pixmap>),
        /// Lays a finished picture on the canvas, where it belongs.
        PutOnCanvas(ImageId),
        /// To the state after so many steps of the history.
        JumpTo(usize),
        ActivateLayer(LayerId),
        ChangeLayer(LayerId, LayerChange),
        SetLanguage(Language),
        /// Takes a waiting job out of the queue, or stops the running one.
        CancelJob(JobId),
        /// Moves a waiting job to a place in the queue; 0 is next.
        MoveJob(JobId, usize),
        /// Puts a settled job at the end of the queue again.
        RetryJob(JobId),
        /// Forgets a settled job.
        ForgetJob(JobId),
        /// Puts a style on the prompt, or takes it off, by its name.
        WearStyle(String),
        /// Opens the card of a style; `None` is a new one.
        EditStyle(Option<String>),
        /// Puts a style into the place of the one of this name, or at the end.
        SetStyle(Option<String>, Style),
        RemoveStyle(String),
        /// Writes a prompt of before into the draft.
        UsePrompt(String),
        ForgetPrompt(String),
        OpenLink(Link),
        /// Something in the gallery.
        Wall(Act),
        Unfold(u64),
        Dismiss(u64),
    }
    stems [
        "preset-faithful", "preset-article", "preset-quick", "choose-model", "example", "look-at", "put-on-canvas", "jump-to",
        "activate-layer", "change-layer", "unfold", "dismiss",
        "cancel-job", "move-job", "retry-job", "forget-job", "wear-style", "edit-style", "set-style", "remove-style",
        "use-prompt", "forget-prompt", "open-link",
        "send-to-canvas", "wall-pick", "wall-select-all", "wall-select-none", "wall-look", "wall-next", "wall-previous",
        "wall-back", "wall-compare", "wall-swap", "wall-slider", "wall-favourite", "wall-delete", "wall-undo",
        "wall-reuse", "wall-to-canvas", "wall-reveal", "wall-copy", "wall-export", "wall-import", "wall-clear-filter",
        "wall-refresh",
        "answer", "restore-lost", "discard-lost", "paste-picture",
    ]
    plain {
        /// Paints the draft, after the jobs that wait already.
        Generate => "generate",
        /// Repaints what the mask covers.
        Repaint => "repaint",
        /// Stops the running job.
        Cancel => "cancel",
        /// Stops the running job and takes out the waiting ones.
        CancelAll => "cancel-all",
        /// Forgets the jobs that are done, failed or were cancelled.
        ForgetSettled => "forget-settled",
        /// Asks where to save a copy of the picture that is looked at.
        SaveAs => "save-as",
        /// Makes the recipe of the picture that is looked at the draft, seed included.
        ReuseRecipe => "reuse-recipe",
        /// Keeps the seed of the picture that is looked at.
        ReuseSeed => "reuse-seed",
        /// Each job draws a new seed.
        Dice => "dice",
        /// The seed that was used last is used again.
        KeepSeed => "keep-seed",
        /// Makes the words at the caret of the prompt weigh more, or less.
        WeightUp => "weight-up",
        WeightDown => "weight-down",
        LookAtEasel => "look-at-easel",
        LookNewer => "look-newer",
        LookOlder => "look-older",
        SwitchLanguage => "language",
        SwitchShade => "shade",
        OpenFolder => "open-folder",
        /// Shows the folder that models are put into.
        OpenModels => "open-models",
        NewDocument => "new-document",
        /// Asks for a picture or a project, and opens it.
        OpenFile => "open-file",
        /// Saves the document where it was saved before.
        Save => "save",
        SaveAsProject => "save-project",
        /// Asks how and where, and writes the flattened picture.
        Export => "export",
        /// Makes the recipe of the picture file that was opened the draft.
        TakeRecipe => "take-recipe",
        /// Copies what is selected, or all, as it looks.
        CopyPicture => "copy-picture",
        /// Shows what earlier sessions have left that ended suddenly.
        ShowLost => "show-lost",
        /// Closes the window, if nothing is lost by it.
        Leave => "leave",
        /// Leafs through the pictures that were painted together.
        VariantPrevious => "variant-previous",
        VariantNext => "variant-next",
        VariantKeep => "variant-keep",
        /// Keeps the one that is shown as a layer, and goes on choosing.
        VariantKeepLayer => "variant-keep-layer",
        /// Takes them off the canvas.
        VariantDiscard => "variant-discard",
        Undo => "undo",
        Redo => "redo",
        SelectAll => "select-all",
        Deselect => "deselect",
        InvertSelection => "invert-selection",
        MaskClear => "mask-clear",
        MaskFill => "mask-fill",
        MaskInvert => "mask-invert",
        MaskGrow => "mask-grow",
        MaskShrink => "mask-shrink",
        MaskFeather => "mask-feather",
        MaskFromSelection => "mask-from-selection",
        /// From the opacity of the layer that is worked on.
        MaskFromAlpha => "mask-from-alpha",
        ToggleMaskOverlay => "mask-overlay",
        LayerAdd => "layer-add",
        LayerDuplicate => "layer-duplicate",
        LayerDelete => "layer-delete",
        LayerUp => "layer-up",
        LayerDown => "layer-down",
        LayerMergeDown => "layer-merge-down",
        LayerFlatten => "layer-flatten",
        LayerToggleVisible => "layer-visible",
        LayerClear => "layer-clear",
        ZoomIn => "zoom-in",
        ZoomOut => "zoom-out",
        ZoomFit => "zoom-fit",
        ZoomActual => "zoom-actual",
        RotateLeft => "rotate-left",
        RotateRight => "rotate-right",
        RotateReset => "rotate-reset",
        /// Hides everything but the canvas.
        CanvasOnly => "canvas-only",
        /// Shows the canvas without what was laid on it last, while the key is held; else until it is given again.
        BeforeAfter => "before-after",
        ScaleUp => "scale-up",
        ScaleDown => "scale-down",
        ScaleReset => "scale-reset",
        ShowGallery => "show-gallery",
        ShowStudio => "show-studio",
        Palette => "palette",
        EditShortcuts => "shortcuts",
        /// Shows or puts away the panel with the prompt.
        PromptPanel => "prompt-panel",
        /// Shows or puts away the panel with layers and history.
        LayersPanel => "layers-panel",
        About => "about",
        BrushLarger => "brush-larger",
        BrushSmaller => "brush-smaller",
        BrushHarder => "brush-harder",
        BrushSofter => "brush-softer",
        SwapColours => "swap-colours",
        ToolBrush => "tool-brush",
        ToolEraser => "tool-eraser",
        ToolMaskBrush => "tool-mask-brush",
        ToolRectangle => "tool-rectangle",
        ToolEllipse => "tool-ellipse",
        ToolLasso => "tool-lasso",
        ToolWand => "tool-wand",
        ToolBucket => "tool-bucket",
        ToolPicker => "tool-picker",
        ToolMove => "tool-move",
        ToolTransform => "tool-transform",
        ToolFrame => "tool-frame",
        ToolPan => "tool-pan",
        ToolZoom => "tool-zoom",
    }
}

impl Command {
    /// The stem of a command with a value; plain ones have their own.
    const fn valued_stem(&self) -> &'static str {
        match self {
            Command::SaveTo(..) => "save-as",
            Command::Choose(Preset::Faithful) => "preset-faithful",
            Command::Choose(Preset::Article) => "preset-article",
            Command::Choose(Preset::Quick) => "preset-quick",
            Command::ChooseModel(_) => "choose-model",
            Command::Example(_) => "example",
            Command::LookAt(_) => "look-at",
            Command::OpenPath(_) => "open-file",
            Command::SendToCanvas(_) => "send-to-canvas",
            Command::SaveProjectTo(_) => "save-project",
            Command::ExportAs(_) | Command::ExportTo(_) => "export",
            Command::Answer(_) => "answer",
            Command::RestoreLost(_) => "restore-lost",
            Command::DiscardLost(_) => "discard-lost",
            Command::PastePicture(_) => "paste-picture",
            Command::PutOnCanvas(_) => "put-on-canvas",
            Command::JumpTo(_) => "jump-to",
            Command::ActivateLayer(_) => "activate-layer",
            Command::ChangeLayer(..) => "change-layer",
            Command::SetLanguage(_) => "language",
            Command::Wall(act) => act.stem(),
            Command::Unfold(_) => "unfold",
            Command::CancelJob(_) => "cancel-job",
            Command::MoveJob(..) => "move-job",
            Command::RetryJob(_) => "retry-job",
            Command::ForgetJob(_) => "forget-job",
            Command::WearStyle(_) => "wear-style",
            Command::EditStyle(_) => "edit-style",
            Command::SetStyle(..) => "set-style",
            Command::RemoveStyle(_) => "remove-style",
            Command::UsePrompt(_) => "use-prompt",
            Command::ForgetPrompt(_) => "forget-prompt",
            Command::OpenLink(_) => "open-link",
            _ => "dismiss",
        }
    }

    /// Whether a key that is held down gives the command again and again.
    pub const fn repeats(&self) -> bool {
        if let Command::Wall(act) = self {
            return act.repeats();
        }
        matches!(
            self,
            Command::LookNewer
                | Command::LookOlder
                | Command::VariantPrevious
                | Command::VariantNext
                | Command::Undo
                | Command::Redo
                | Command::WeightUp
                | Command::WeightDown
                | Command::ZoomIn
                | Command::ZoomOut
                | Command::RotateLeft
                | Command::RotateRight
                | Command::BrushLarger
                | Command::BrushSmaller
                | Command::BrushHarder
                | Command::BrushSofter
        )
    }

    /// Whether its key does it only as long as it is held.
    pub const fn is_held(&self) -> bool {
        matches!(self, Command::BeforeAfter)
    }

    pub fn text_id(&self) -> String {
        format!("command-{}", self.stem())
    }

    pub fn tooltip_id(&self) -> String {
        format!("command-{}-tip", self.stem())
    }

    /// The first of its keys as the program comes; the artist's own are in [`commands::Keymap`].
    pub fn shortcut(&self) -> Option<Shortcut> {
        commands::entry_of(self).and_then(|entry| entry.shortcuts.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_unique_and_known() {
        let mut stems = Command::STEMS.to_vec();
        stems.sort_unstable();
        stems.dedup();
        assert_eq!(stems.len(), Command::STEMS.len());
        let valued = [Command::Choose(Preset::Quick), Command::Example(0), Command::SetLanguage(Language::En)];
        for command in Command::PLAIN.iter().chain(&valued).chain(&[Command::Unfold(1), Command::Dismiss(1)]) {
            assert!(Command::STEMS.contains(&command.stem()), "{command:?}");
        }
    }
}
