//! Files and the document: opening, saving, exporting, and what happens to a document that is not saved.
//!
//! Everything that touches the disk is an [`FileErrand`] of the clerk; the window asks for paths ([`Ask`]) and shows the
//! question about an unsaved document ([`Filing::question`]).

mod carry_out;
mod errands;
mod guard;
mod paper;
mod reading;
mod reports;
mod writing;

pub(super) use carry_out::{carry_out, centred};
pub(super) use errands::run;
pub use errands::{FileErrand, FileReport};
pub use guard::Guard;
pub use paper::Paper;
pub use reading::Opened;
pub(super) use reports::note;
pub use writing::{ExportKind, ExportPlan, PROJECT};

use super::settings::Settings;
use super::state::State;
use crate::imaging::Pixmap;
use crate::words::text;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Files that are remembered.
const MOST_RECENT: usize = 10;

/// What is done once the document that is on the desk may go.
#[derive(Debug)]
pub enum Next {
    New,
    /// Reads a file.
    Open(PathBuf),
    /// A file that was read while the document was changed.
    Put(PathBuf, Box<Opened>),
    /// Brings back what a session has left that ended suddenly.
    Restore(u64),
    /// Closes the window.
    Leave,
}

/// The answer to the question about an unsaved document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Save,
    Discard,
    Stay,
}

/// A path that the window asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Of a file to open.
    Open,
    /// Of a project file to write; the name that is proposed.
    Project(String),
    Export(ExportKind, String),
}

/// What a session that ended suddenly has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its number in this session.
    pub number: u64,
    /// What the document was called; may be empty.
    pub name: String,
    /// When it was last kept.
    pub saved: SystemTime,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Filing {
    /// The files that were opened and saved, the newest first.
    pub recent: Vec<PathBuf>,
    /// How the next export is done.
    pub plan: ExportPlan,
    /// Where the next dialog begins.
    pub folder: Option<PathBuf>,
    /// Asked as long as it is there: what happens to the unsaved document before this is done.
    pub question: Option<Next>,
    /// What is done when the document is in its file.
    after: Option<Next>,
    /// The newest first.
    pub lost: Vec<Lost>,
    /// A picture on its way to the clipboard; the window takes it.
    pub copied: Option<Arc<Pixmap>>,
    /// The artist has given the document up: nothing of it is to come back.
    pub given_up: bool,
}

impl Filing {
    /// As the settings have it.
    pub fn new(settings: &Settings) -> Self {
        let recent = settings.recent.iter().take(MOST_RECENT).map(PathBuf::from).collect();
        Self { recent, plan: settings.export.clone(), ..Self::default() }
    }

    /// The remembered files that have a text for a path; others last as long as the session.
    pub fn recent_texts(&self) -> Vec<String> {
        self.recent.iter().filter_map(|path| path.to_str()).map(str::to_owned).collect()
    }

    /// Asks what happens to the document before the window closes.
    pub fn ask_to_leave(&mut self) {
        self.question = Some(Next::Leave);
    }

    /// The artist was asked for a path and gave none.
    pub fn decline(&mut self) {
        self.after = None;
    }

    fn remember(&mut self, path: PathBuf) {
        self.folder = path.parent().map(PathBuf::from);
        self.recent.retain(|other| *other != path);
        self.recent.insert(0, path);
        self.recent.truncate(MOST_RECENT);
    }

    fn forget(&mut self, path: &std::path::Path) {
        self.recent.retain(|other| other != path);
    }
}

/// The title of the window: the document, with a dot before it while it is unsaved, and the program.
pub fn title(state: &State) -> String {
    let app = text(state.language, "app-name");
    let (name, unsaved) = (&state.desk.paper.name, state.desk.is_unsaved());
    if name.is_empty() && !unsaved {
        return app;
    }
    let name = if name.is_empty() { text(state.language, "label-untitled") } else { name.clone() };
    format!("{}{name} - {app}", if unsaved { "• " } else { "" })
}
