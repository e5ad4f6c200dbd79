//! Documents to files: projects, and flattened pictures in the formats of others.

use super::paper::Paper;
use crate::app::naming::{DEFAULT_PATTERN, Facts, Moment, file_stem};
use crate::base::{Extent, Problem, ProblemKind};
use crate::canvas::Document;
use crate::canvas::openraster::document::write_document;
use crate::canvas::surface::flatten;
use crate::imaging::resample::{Filter, resize};
use crate::imaging::write::{ExportFormat, ExportOptions, export_picture};
use crate::recipe::prompt::plain;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The largest picture that is exported, in pixels.
const MOST_PIXELS: u64 = 1 << 28;
/// The ending of project files.
pub const PROJECT: &str = "ora";

/// What a document is exported as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    #[default]
    Png,
    Jpeg,
    WebP,
    /// With its layers: a copy, the document stays with its own file.
    OpenRaster,
}

impl ExportKind {
    pub const ALL: [ExportKind; 4] = [ExportKind::Png, ExportKind::Jpeg, ExportKind::WebP, ExportKind::OpenRaster];

    /// `None` for the one that is no picture.
    pub const fn format(self) -> Option<ExportFormat> {
        match self {
            ExportKind::Png => Some(ExportFormat::Png),
            ExportKind::Jpeg => Some(ExportFormat::Jpeg),
            ExportKind::WebP => Some(ExportFormat::WebP),
            ExportKind::OpenRaster => None,
        }
    }

    /// The ending of file names, without the dot.
    pub const fn extension(self) -> &'static str {
        match self.format() {
            Some(format) => format.extension(),
            None => PROJECT,
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            ExportKind::Png => "PNG",
            ExportKind::Jpeg => "JPEG",
            ExportKind::WebP => "WebP",
            ExportKind::OpenRaster => "ORA",
        }
    }
}

/// How a document is exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportPlan {
    pub kind: ExportKind,
    /// 1 to 100, of JPEG and lossy WebP.
    pub quality: u8,
    /// Of WebP.
    pub lossless: bool,
    /// The recipe goes into the file.
    pub metadata: bool,
    /// Of the canvas's sides, 10 to 400; projects are always whole.
    pub percent: u16,
    /// See [`file_stem`].
    pub pattern: String,
}

impl Default for ExportPlan {
    fn default() -> Self {
        let ExportOptions { quality, lossless, metadata, .. } = ExportOptions::default();
        let kind = ExportKind::default();
        Self { kind, quality, lossless, metadata, percent: 100, pattern: DEFAULT_PATTERN.to_owned() }
    }
}

impl ExportPlan {
    /// The size of what is exported.
    pub fn size(&self, canvas: Extent) -> Extent {
        let percent = if self.kind == ExportKind::OpenRaster { 100 } else { u64::from(self.percent.clamp(10, 400)) };
        let side = |length: u32| u32::try_from((u64::from(length) * percent + 50) / 100).unwrap_or(u32::MAX).max(1);
        Extent::new(side(canvas.width), side(canvas.height))
    }

    /// The name of the file that is proposed.
    pub fn file_name(&self, paper: &Paper) -> String {
        let recipe = paper.recipe();
        // Without a recipe the name says most.
        let prompt = recipe.as_ref().map(|recipe| plain(&recipe.prompt)).filter(|prompt| !prompt.is_empty());
        let facts = Facts {
            moment: Moment::now(),
            prompt: prompt.as_deref().unwrap_or(&paper.name),
            seed: recipe.as_ref().and_then(|recipe| recipe.seed),
            model: recipe.as_ref().and_then(|recipe| recipe.model.as_deref()).unwrap_or_default(),
            n: 1,
        };
        format!("{}.{}", file_stem(&self.pattern, &facts), self.kind.extension())
    }
}

/// Writes the project file.
///
/// # Errors
/// Those of [`write_document`].
pub fn save(path: &Path, document: &Document, paper: &Paper) -> Result<(), Problem> {
    write_document(path, document, &flatten(document, document.canvas()), &paper.entries())
}

/// Writes a copy for others. Gives false if the recipe was too long for the format and was left out.
///
/// # Errors
/// Those of [`export_picture`] and [`write_document`]; [`ProblemKind::PictureTooLarge`] for more than 2²⁸ pixels.
pub fn export(path: &Path, document: &Document, paper: &Paper, plan: &ExportPlan) -> Result<bool, Problem> {
    let Some(format) = plan.kind.format() else {
        let paper = if plan.metadata { paper } else { &Paper { texts: Vec::new(), ..paper.clone() } };
        return save(path, document, paper).map(|()| true);
    };
    let size = plan.size(document.extent());
    if size.area() > MOST_PIXELS {
        let side = MOST_PIXELS.isqrt();
        let problem = Problem::new(ProblemKind::PictureTooLarge).at(path).with("size", size);
        return Err(problem.with("most", format!("{side}×{side}")));
    }
    let mut picture = flatten(document, document.canvas());
    if size != picture.extent() {
        picture = resize(&picture, size, Filter::Lanczos3);
    }
    let ExportPlan { quality, lossless, metadata, .. } = *plan;
    let options = ExportOptions { format, quality, lossless, metadata, ..ExportOptions::default() };
    export_picture(path, &picture, &paper.texts, &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_follow_the_plan() {
        let plan = |kind, percent| ExportPlan { kind, percent, ..ExportPlan::default() };
        let canvas = Extent::new(301, 2);
        assert_eq!(plan(ExportKind::Png, 50).size(canvas), Extent::new(151, 1));
        assert_eq!(plan(ExportKind::WebP, 0).size(canvas), Extent::new(30, 1));
        assert_eq!(plan(ExportKind::OpenRaster, 50).size(canvas), canvas);
        let texts = vec![("parameters".to_owned(), "山/水\nSteps: 4, Seed: 7".to_owned())];
        let painted = Paper { texts, name: "别名".into(), ..Paper::default() };
        assert_eq!(plan(ExportKind::Jpeg, 100).file_name(&painted), "山水-7.jpg");
        let named = Paper { name: "别名".into(), ..Paper::default() };
        let plain = ExportPlan { pattern: "{prompt}".into(), ..plan(ExportKind::OpenRaster, 100) };
        assert_eq!(plain.file_name(&named), "别名.ora");
        assert_eq!(plain.file_name(&Paper::default()), "丹青.ora");
    }

    #[test]
    fn a_plan_is_read_as_far_as_it_goes() {
        let read: ExportPlan = serde_json::from_str(r#"{"kind":"openraster","percent":50}"#).unwrap();
        assert_eq!(read, ExportPlan { kind: ExportKind::OpenRaster, percent: 50, ..ExportPlan::default() });
    }

    #[test]
    fn a_picture_beyond_sense_is_refused_before_it_is_made() {
        let document = Document::blank(Extent::new(16_000, 16_000), "").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("大.png");
        let plan = ExportPlan { percent: 400, ..ExportPlan::default() };
        let problem = export(&path, &document, &Paper::default(), &plan).unwrap_err();
        assert_eq!((problem.kind, path.exists()), (ProblemKind::PictureTooLarge, false));
    }
}
