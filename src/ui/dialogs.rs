//! The system's file dialogs, each on a thread of its own; the window goes on meanwhile.

use crate::app::Command;
use crate::app::wall::Act;
use crate::base::ImageId;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::ffi::OsString;
use std::path::PathBuf;
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
        self.ask(title, file_name.into(), "png", move |path| Command::SaveTo(id, path), ctx);
    }

    /// Asks where to copy a picture file to.
    pub fn copy(&mut self, file: PathBuf, title: String, ctx: &egui::Context) {
        let name = file.file_name().unwrap_or_default().to_os_string();
        let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        self.ask(title, name, &ending, move |path| Command::Wall(Act::ExportTo(file, path)), ctx);
    }

    /// Asks for a path that ends as it should.
    fn ask(
        &mut self,
        title: String,
        name: OsString,
        ending: &str,
        then: impl FnOnce(PathBuf) -> Command + Send + 'static,
        ctx: &egui::Context,
    ) {
        if self.open {
            return;
        }
        let (outbox, ctx, ending) = (self.outbox.clone(), ctx.clone(), ending.to_owned());
        let ask = move || {
            let dialog = rfd::FileDialog::new().set_title(title).set_file_name(name.to_string_lossy());
            let asked = Instant::now();
            let answer = match dialog.add_filter(ending.to_uppercase(), &[&ending]).save_file() {
                Some(path) => Answer::Chosen(then(with_ending(path, &ending))),
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

/// The path with its ending, which not every system's dialog adds. The person was asked about overwriting the name that they
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
