//! The system's file dialogs, each on a thread of its own; the window goes on meanwhile.

use crate::app::Command;
use crate::app::filing::{Ask, PROJECT};
use crate::app::wall::Act;
use crate::base::ImageId;
use crate::words::{Language, text};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An answer that comes sooner is not a person's: the system has no dialog to show.
const TOO_SOON: Duration = Duration::from_millis(250);

/// How a dialog ended.
#[derive(Debug)]
pub enum Answer {
    /// Do this.
    Chosen(Command),
    /// The person changed their mind.
    Declined,
    /// The system could not show a dialog.
    Missing,
}

/// Collects the answers of the dialogs.
#[derive(Debug)]
pub struct Dialogs {
    answers: Receiver<Answer>,
    outbox: Sender<Answer>,
    open: bool,
}

impl Default for Dialogs {
    fn default() -> Self {
        let (outbox, answers) = bounded(4);
        Self { answers, outbox, open: false }
    }
}

impl Dialogs {
    /// Asks where to save a picture as a PNG; a second dialog is not opened while one is.
    pub fn save(&mut self, id: ImageId, title: String, file_name: String, ctx: &egui::Context) {
        let dialog =
            move || rfd::FileDialog::new().set_title(title).set_file_name(file_name).add_filter("PNG", &["png"]);
        self.spawn(ctx, move || {
            let path = dialog().save_file();
            path.map(|path| Command::SaveTo(id, with_ending(path, "png")))
        });
    }

    /// Asks where to copy a picture file to.
    pub fn copy(&mut self, file: PathBuf, title: String, ctx: &egui::Context) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        self.spawn(ctx, move || {
            let dialog = rfd::FileDialog::new().set_title(title).set_file_name(name);
            let path = dialog.add_filter(ending.to_uppercase(), &[&ending]).save_file();
            path.map(|path| Command::Wall(Act::ExportTo(file, with_ending(path, &ending))))
        });
    }

    /// Asks for a path, beginning in a folder; a second dialog is not opened while one is.
    pub fn ask(&mut self, ask: Ask, folder: Option<&Path>, language: Language, ctx: &egui::Context) {
        let folder = folder.map(Path::to_owned);
        let title = match &ask {
            Ask::Open => text(language, "command-open-file"),
            Ask::Project(_) => text(language, "command-save-project"),
            Ask::Export(..) => text(language, "command-export"),
        };
        let all = text(language, "label-files");
        self.spawn(ctx, move || {
            let mut dialog = rfd::FileDialog::new().set_title(title);
            if let Some(folder) = folder {
                dialog = dialog.set_directory(folder);
            }
            match ask {
                Ask::Open => {
                    let dialog = dialog.add_filter(all, &[PROJECT, "png", "jpg", "jpeg", "webp"]);
                    dialog.pick_file().map(Command::OpenPath)
                }
                Ask::Project(name) => {
                    let path = dialog.add_filter("OpenRaster", &[PROJECT]).set_file_name(name).save_file();
                    path.map(|path| Command::SaveProjectTo(with_ending(path, PROJECT)))
                }
                Ask::Export(kind, name) => {
                    let ending = kind.extension();
                    let path = dialog.add_filter(kind.title(), &[ending]).set_file_name(name).save_file();
                    path.map(|path| Command::ExportTo(with_ending(path, ending)))
                }
            }
        });
    }

    fn spawn(&mut self, ctx: &egui::Context, ask: impl FnOnce() -> Option<Command> + Send + 'static) {
        if self.open {
            return;
        }
        let (outbox, ctx) = (self.outbox.clone(), ctx.clone());
        let ask = move || {
            let asked = Instant::now();
            let answer = match ask() {
                Some(command) => Answer::Chosen(command),
                None if asked.elapsed() < TOO_SOON => Answer::Missing,
                None => Answer::Declined,
            };
            // The window may be gone.
            let _ = outbox.send(answer);
            ctx.request_repaint();
        };
        match std::thread::Builder::new().name("danqing-dialog".into()).spawn(ask) {
            Ok(_) => self.open = true,
            Err(error) => tracing::error!(%error, "the dialog's thread cannot be started"),
        }
    }

    /// The answer of a dialog, if it has come; never blocks.
    pub fn poll(&mut self) -> Option<Answer> {
        let answer = self.answers.try_recv().ok()?;
        self.open = false;
        Some(answer)
    }
}

/// The path with an ending, which not every system's dialog adds. The person was asked about overwriting the name that they
/// gave; if the completed one is taken, the next free one is used.
fn with_ending(path: PathBuf, ending: &str) -> PathBuf {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending)) {
        return path;
    }
    let stem = path.file_name().unwrap_or_default().to_os_string();
    let named = |end: String| {
        let mut name = stem.clone();
        name.push(end);
        path.with_file_name(name)
    };
    let first = named(format!(".{ending}"));
    if !first.exists() {
        return first;
    }
    (2u32..).map(|number| named(format!("-{number}.{ending}"))).find(|path| !path.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_added_once() {
        for (given, expected) in
            [("山.png", "山.png"), ("山.PNG", "山.PNG"), ("山", "山.png"), ("长河落日.圆", "长河落日.圆.png")]
        {
            assert_eq!(with_ending(given.into(), "png"), PathBuf::from(expected));
        }
    }

    #[test]
    fn a_name_that_was_completed_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for taken in ["山.png", "山-2.png"] {
            std::fs::write(path(taken), "").unwrap();
        }
        assert_eq!(with_ending(path("山"), "png"), path("山-3.png"));
        assert_eq!(with_ending(path("山.png"), "png"), path("山.png"), "the dialog has asked");
    }
}
