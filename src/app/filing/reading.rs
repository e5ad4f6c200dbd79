//! Files to documents.

use super::paper::{Paper, stem};
use super::writing::PROJECT;
use crate::base::{Extent, IntRect, Problem, ProblemKind};
use crate::canvas::openraster::Limits;
use crate::canvas::openraster::document::read_document;
use crate::canvas::{Document, SIDE_MOST};
use crate::imaging::Pixmap;
use crate::imaging::read::{read_extent, read_picture};
use crate::imaging::resample::{Filter, resize};
use crate::recipe::metadata::{FileKind, Spot, file_texts, from_texts};
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The pixels of the largest canvas.
const MOST_PIXELS: u64 = SIDE_MOST as u64 * SIDE_MOST as u64;

/// What a file holds.
#[derive(Debug)]
pub struct Opened {
    pub document: Document,
    pub paper: Paper,
    /// What could not be read, or looks different here.
    pub warnings: Vec<Problem>,
}

/// Reads a picture, which becomes a document of one layer, or a project.
///
/// # Errors
/// [`ProblemKind::Unreadable`], [`ProblemKind::PictureUnreadable`], [`ProblemKind::PictureTooLarge`] for one beyond the
/// largest canvas, and those of [`read_document`].
pub fn open(path: &Path) -> Result<Opened, Problem> {
    guarded(path, || {
        if FileKind::of(path)?.is_none() && (is_archive(path) || is_named_project(path)) {
            let opened = read_document(path, &Limits::default())?;
            let paper = Paper::of_project(path, opened.extras);
            return Ok(Opened { document: opened.document, paper, warnings: opened.warnings });
        }
        let picture = picture(path)?;
        let document = Document::from_pixmap(&picture, stem(path))?;
        // Words that make no sense are no reason not to show the picture.
        let texts = file_texts(path).unwrap_or_default();
        Ok(Opened { document, paper: Paper::of_picture(path, texts), warnings: Vec::new() })
    })
}

/// A picture for a layer.
#[derive(Debug)]
pub struct ForLayer {
    pub picture: Pixmap,
    /// Where its top left corner was when it was painted; `None` if that is not known, or was on a canvas of another size.
    pub at: Option<(i32, i32)>,
}

/// Reads a picture for a layer of a canvas. One that was painted for a part of a canvas of this size comes in the size
/// of that part.
///
/// # Errors
/// As [`open`].
pub fn open_layer(path: &Path, canvas: Extent) -> Result<ForLayer, Problem> {
    guarded(path, || {
        let picture = picture(path)?;
        let recipe = from_texts(&file_texts(path).unwrap_or_default());
        // What was cut or scaled since is no longer what the recipe speaks of.
        let recipe = recipe.filter(|recipe| recipe.size == Some(picture.extent()));
        let Some(spot) = recipe.and_then(|recipe| recipe.spot).filter(|spot| is_sane(*spot, canvas)) else {
            return Ok(ForLayer { picture, at: None });
        };
        let frame = spot.frame;
        let fits = picture.extent() == frame.extent();
        let picture = if fits { picture } else { resize(&picture, frame.extent(), Filter::Lanczos3) };
        Ok(ForLayer { picture, at: Some((frame.x, frame.y)) })
    })
}

/// Files can say anything.
fn is_sane(spot: Spot, canvas: Extent) -> bool {
    let whole = IntRect::new(0, 0, canvas.width, canvas.height);
    let small = spot.frame.width.max(spot.frame.height) <= SIDE_MOST;
    spot.canvas == canvas && small && spot.frame.intersect(whole).is_some()
}

fn picture(path: &Path) -> Result<Pixmap, Problem> {
    let extent = read_extent(path)?;
    if extent.width.max(extent.height) > SIDE_MOST {
        let most = Extent::new(SIDE_MOST, SIDE_MOST);
        return Err(Problem::new(ProblemKind::PictureTooLarge).with("size", extent).with("most", most).at(path));
    }
    read_picture(path, MOST_PIXELS)
}

/// Zip files begin so, empty ones included; endings lie.
fn is_archive(path: &Path) -> bool {
    let mut head = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"PK"
}

fn is_named_project(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(PROJECT))
}

/// A file that makes a decoder stumble is a broken one, and nothing worse.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    let broken = |_| Err(Problem::new(ProblemKind::PictureUnreadable).at(path).detail("the decoder stopped"));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_stumbles_is_a_problem_like_others() {
        let problem = guarded::<()>(Path::new("画.png"), || panic!("in the decoder")).unwrap_err();
        assert_eq!((problem.kind, problem.arg("file")), (ProblemKind::PictureUnreadable, Some("画.png")));
    }
}
