//! Bringing the index up to date with the folder: what is new or changed is read, what is gone is taken out.
//!
//! A scan is made of small steps, between which its owner answers requests or gives it up; each step leaves a whole
//! index. A folder that cannot be read (a drive that was unplugged, say) takes nothing out. Links to folders are not
//! followed, so that a scan ends; hidden files and folders are passed over.

use super::entry::{EntryId, Facts, Stamp, is_picture_name};
use super::store::Store;
use crate::base::{Problem, ProblemKind};
use std::collections::HashMap;
use std::fs::{DirEntry, ReadDir};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Names that are looked at in one step.
const NAMES: usize = 512;
/// Files that are read in one step, and one transaction.
const FILES: usize = 32;
/// Entries that are taken out in one step.
const GONE: usize = 256;
/// Folders inside folders; what lies deeper is not looked for.
const DEEPEST: usize = 64;

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pictures found in the folder so far.
    pub found: usize,
    /// New or changed files that were read, of `to_read`.
    pub read: usize,
    /// 0 until the whole folder was looked through.
    pub to_read: usize,
}

/// What a scan has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub found: usize,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    /// Folders that could not be read, relative to the pictures folder; their pictures stay in the index.
    pub unread: Vec<PathBuf>,
}

/// What one step has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    More(Progress),
    Done(Summary),
}

/// A scan under way.
#[derive(Debug)]
pub struct Scan {
    folder: PathBuf,
    /// What the index has and the walk has not met.
    known: HashMap<PathBuf, (EntryId, Stamp)>,
    /// The folder that is being looked through, relative, and those that wait, with their depths.
    open: Option<(PathBuf, usize, ReadDir)>,
    folders: Vec<(PathBuf, usize)>,
    /// To be read, and whether the index has an older state of it.
    files: Vec<(PathBuf, bool)>,
    /// To be taken out; `None` until the walk is over.
    gone: Option<Vec<(PathBuf, EntryId)>>,
    progress: Progress,
    summary: Summary,
}

impl Scan {
    /// Begins to look through the store's folder, and takes up the list of favourites there.
    ///
    /// # Errors
    /// [`ProblemKind::Unreadable`] if the folder cannot be read, and those of [`Store`].
    pub fn begin(store: &mut Store) -> Result<Self, Problem> {
        let folder = store.folder().to_path_buf();
        let open = std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
        store.catch_up()?;
        store.take_up_favourites()?;
        Ok(Self {
            folder,
            known: store.stamps()?,
            open: Some((PathBuf::new(), 0, open)),
            folders: Vec::new(),
            files: Vec::new(),
            gone: None,
            progress: Progress::default(),
            summary: Summary::default(),
        })
    }

    /// Does the next piece of work, some milliseconds of it.
    ///
    /// # Errors
    /// [`ProblemKind::Unreadable`] if the pictures folder has vanished, and those of [`Store`]. The scan is over then.
    pub fn step(&mut self, store: &mut Store) -> Result<Step, Problem> {
        if self.open.is_some() || !self.folders.is_empty() {
            self.walk();
        } else if self.gone.is_none() {
            self.settle();
        } else if !self.take_out(store)? && !self.read(store)? {
            return Ok(Step::Done(std::mem::take(&mut self.summary)));
        }
        Ok(Step::More(self.progress))
    }

    /// Looks at some more names.
    fn walk(&mut self) {
        if self.open.is_none()
            && let Some((path, depth)) = self.folders.pop()
        {
            match std::fs::read_dir(self.folder.join(&path)) {
                Ok(open) => self.open = Some((path, depth, open)),
                Err(error) => self.missed(path, &error),
            }
        }
        let Some((path, depth, mut open)) = self.open.take() else { return };
        for _ in 0..NAMES {
            match open.next() {
                None => return,
                Some(Ok(entry)) => self.meet(&path, depth, &entry),
                Some(Err(error)) => return self.missed(path, &error),
            }
        }
        self.open = Some((path, depth, open));
    }

    fn meet(&mut self, parent: &Path, depth: usize, entry: &DirEntry) {
        let path = parent.join(entry.file_name());
        let Ok(kind) = entry.file_type() else { return };
        if kind.is_dir() {
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !hidden && depth < DEEPEST {
                self.folders.push((path, depth + 1));
            }
            return;
        }
        if !is_picture_name(&path) {
            return;
        }
        match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_file() => {
                self.progress.found += 1;
                match self.known.remove(&path) {
                    Some((_, stamp)) if stamp == Stamp::of(&metadata) => {}
                    before => self.files.push((path, before.is_some())),
                }
            }
            // A link that leads nowhere, or to a folder.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => {
                self.known.remove(&path);
            }
        }
    }

    /// A folder that is gone takes its pictures with it; one that cannot be read keeps them.
    fn missed(&mut self, path: PathBuf, error: &std::io::Error) {
        if error.kind() == ErrorKind::NotFound && !path.as_os_str().is_empty() {
            return;
        }
        tracing::info!(folder = %path.display(), %error, "not looked through");
        self.known.retain(|known, _| !known.starts_with(&path));
        self.summary.unread.push(path);
    }

    /// The walk is over.
    fn settle(&mut self) {
        self.progress.to_read = self.files.len();
        self.summary.found = self.progress.found;
        // From the end, in the order of their names, so that the work is the same each time.
        self.files.sort_unstable_by(|a, b| b.cmp(a));
        self.gone = Some(self.known.drain().map(|(path, (id, _))| (path, id)).collect());
    }

    /// Takes out some of what is gone; false if there is nothing left of it.
    fn take_out(&mut self, store: &mut Store) -> Result<bool, Problem> {
        let Some(gone) = &mut self.gone else { return Ok(false) };
        if gone.is_empty() {
            return Ok(false);
        }
        let batch = gone.split_off(gone.len().saturating_sub(GONE));
        // Each is looked for once more, and the folder last: if it has vanished meanwhile, everything in it seems gone.
        let missing = |path: &PathBuf| {
            let found = std::fs::symlink_metadata(self.folder.join(path));
            found.is_err_and(|e| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        let ids: Vec<EntryId> = batch.into_iter().filter(|(path, _)| missing(path)).map(|(_, id)| id).collect();
        std::fs::read_dir(&self.folder).map_err(|error| unreadable(&self.folder, &error))?;
        store.remove(&ids)?;
        self.summary.removed += ids.len();
        Ok(true)
    }

    /// Reads some of what is new or changed; false if there is nothing left of it.
    fn read(&mut self, store: &mut Store) -> Result<bool, Problem> {
        if self.files.is_empty() {
            return Ok(false);
        }
        let batch = self.files.split_off(self.files.len().saturating_sub(FILES));
        self.progress.read += batch.len();
        let mut facts = Vec::with_capacity(batch.len());
        for (path, changed) in batch.into_iter().rev() {
            // What vanishes between looking and reading is found gone by the next scan.
            if let Ok(read) = Facts::read(&self.folder, path) {
                *(if changed { &mut self.summary.changed } else { &mut self.summary.added }) += 1;
                facts.push(read);
            }
        }
        store.put(facts)?;
        Ok(true)
    }
}

fn unreadable(folder: &Path, error: &std::io::Error) -> Problem {
    Problem::new(ProblemKind::Unreadable).at(folder).detail(error)
}
