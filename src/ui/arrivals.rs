//! What comes to the window from other programs, and goes to them: files that are dropped on it, and the clipboard.

use crate::app::commands::entry_of;
use crate::app::filing::PROJECT;
use crate::app::{Command, State};
use crate::base::Extent;
use crate::imaging::Pixmap;
use egui::text_selection::LabelSelectionState;
use egui::{Color32, ColorImage, Context, Event};
use std::path::Path;
use std::sync::Arc;

/// The commands that this frame's arrivals ask for. `covered`: a card lies over the canvas.
pub fn commands(ctx: &Context, state: &State, covered: bool) -> Vec<Command> {
    let mut out = dropped(ctx, state);
    // Words that are being written or are marked have the clipboard for themselves.
    let words = ctx.memory(|memory| memory.focused().is_some())
        || ctx.with_plugin(|labels: &mut LabelSelectionState| labels.has_selection()).unwrap_or_default();
    if words || covered {
        return out;
    }
    ctx.input(|input| {
        for event in &input.events {
            match event {
                Event::PasteImage(image) => out.extend(pixmap(image).map(Arc::new).map(Command::PastePicture)),
                Event::Copy => out.extend(
                    entry_of(&Command::CopyPicture).filter(|entry| (entry.enabled)(state)).map(|e| e.command.clone()),
                ),
                _ => {}
            }
        }
    });
    out
}

/// A project is opened, as is a picture while the canvas is empty; else pictures become layers.
fn dropped(ctx: &Context, state: &State) -> Vec<Command> {
    let files = ctx.input(|input| input.raw.dropped_files.clone());
    let paths: Vec<_> = files.iter().map(|file| file.path().to_owned()).collect();
    let is_project = |path: &Path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(PROJECT));
    let opened = paths.iter().find(|path| is_project(path)).or(paths.first().filter(|_| state.desk.is_fresh()));
    match opened {
        Some(path) => vec![Command::OpenPath(path.clone())],
        None => paths.into_iter().map(Command::SendToCanvas).collect(),
    }
}

fn pixmap(image: &ColorImage) -> Option<Pixmap> {
    let side = |length: usize| u32::try_from(length).ok().filter(|length| *length > 0);
    let extent = Extent::new(side(image.width())?, side(image.height())?);
    let rgba = image.pixels.iter().flat_map(Color32::to_srgba_unmultiplied).collect();
    Pixmap::from_rgba(extent, rgba)
}

/// Hands a picture to the clipboard.
pub fn copy(ctx: &Context, picture: &Pixmap) {
    let size = [picture.width() as usize, picture.height() as usize];
    ctx.copy_image(ColorImage::from_rgba_unmultiplied(size, picture.rgba()));
}
