//! What the clerk does with files, on its own thread.

use super::paper::Paper;
use super::reading::{ForLayer, Opened, open, open_layer};
use super::writing::{ExportPlan, export, save};
use crate::app::desk::Sheet;
use crate::app::recovery::document::Kept;
use crate::app::recovery::{Found, find};
use crate::base::{Extent, IntRect, Problem};
use crate::canvas::Document;
use crate::canvas::history::Revision;
use crate::canvas::surface::flatten;
use crate::imaging::Pixmap;
use std::path::PathBuf;
use std::sync::Arc;

/// What the clerk is sent to do.
#[derive(Debug)]
pub enum FileErrand {
    /// Reads a file that takes the place of the document, which is at this state.
    Open { path: PathBuf, asked: Revision },
    /// Writes the project file.
    Save { path: PathBuf, document: Document, paper: Paper, revision: Revision, sheet: Sheet },
    /// Writes a copy.
    Export { path: PathBuf, document: Document, paper: Paper, plan: ExportPlan },
    /// Reads a picture for a layer of a canvas of this size.
    Read { path: PathBuf, canvas: Extent },
    /// Makes the picture for the clipboard: of what is selected, or all.
    Copy(Document),
    /// Looks for what sessions that ended suddenly have left in a folder.
    Find(PathBuf),
    /// Reads it again.
    Restore { number: u64, found: Box<Found>, asked: Revision },
}

/// What the clerk reports.
#[derive(Debug)]
pub enum FileReport {
    Opened {
        path: PathBuf,
        asked: Revision,
        result: Result<Box<Opened>, Problem>,
    },
    Saved {
        path: PathBuf,
        revision: Revision,
        sheet: Sheet,
        result: Result<(), Problem>,
    },
    /// The path, and whether all of the recipe fitted in.
    Exported(Result<(PathBuf, bool), Problem>),
    Read {
        path: PathBuf,
        canvas: Extent,
        result: Result<ForLayer, Problem>,
    },
    Copied(Arc<Pixmap>),
    Found(Vec<Found>),
    Restored {
        number: u64,
        found: Box<Found>,
        asked: Revision,
        result: Result<Box<Kept>, Problem>,
    },
}

/// Does it.
pub fn run(errand: FileErrand) -> FileReport {
    match errand {
        FileErrand::Open { path, asked } => {
            let result = open(&path).map(Box::new);
            FileReport::Opened { path, asked, result }
        }
        FileErrand::Save { path, document, paper, revision, sheet } => {
            let result = save(&path, &document, &paper);
            FileReport::Saved { path, revision, sheet, result }
        }
        FileErrand::Export { path, document, paper, plan } => {
            let complete = export(&path, &document, &paper, &plan);
            FileReport::Exported(complete.map(|complete| (path, complete)))
        }
        FileErrand::Read { path, canvas } => {
            let result = open_layer(&path, canvas);
            FileReport::Read { path, canvas, result }
        }
        FileErrand::Copy(document) => FileReport::Copied(Arc::new(selected(&document))),
        FileErrand::Find(root) => FileReport::Found(find(&root)),
        FileErrand::Restore { number, found, asked } => {
            let result = found.load().and_then(Kept::from_recovered).map(Box::new);
            FileReport::Restored { number, found, asked, result }
        }
    }
}

/// The flattened picture, as far as it is selected.
fn selected(document: &Document) -> Pixmap {
    let canvas = document.canvas();
    let part = document.selection().and_then(|selection| selection.bounds()?.intersect(canvas));
    let part: IntRect = part.unwrap_or(canvas);
    let mut picture = flatten(document, part);
    if let Some(selection) = document.selection() {
        let mask = selection.to_mask(part);
        for (pixel, cover) in picture.rgba_mut().chunks_exact_mut(4).zip(mask.bytes()) {
            if let [_, _, _, alpha] = pixel {
                *alpha = ((u32::from(*alpha) * u32::from(*cover) + 127) / 255) as u8;
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::MaskTiles;
    use crate::imaging::Mask;

    #[test]
    fn what_is_selected_is_copied() {
        let paper = Pixmap::from_rgba(Extent::new(4, 4), [9, 8, 7, 255].repeat(16)).unwrap();
        let document = Document::from_pixmap(&paper, "").unwrap();
        assert_eq!(selected(&document), paper);
        let mask = Mask::from_bytes(Extent::new(2, 1), vec![255, 51]).unwrap();
        let part = document.with_selection(Some(MaskTiles::from_mask(3, 1, &mask)));
        assert_eq!(selected(&part).rgba(), [9, 8, 7, 255]);
        let whole = part.with_selection(Some(MaskTiles::from_mask(1, 2, &mask)));
        assert_eq!(selected(&whole).rgba(), [9, 8, 7, 255, 9, 8, 7, 51]);
    }
}
