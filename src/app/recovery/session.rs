//! Which journal belongs to whom. A session has a folder with journals, `1`, `2` and so on, and beside it a file of the
//! same name and `.lock`, which the system locks for as long as the process lives, however it ends.

use super::journal::Pages;
use super::safe::{Safe, about, load};
use super::{Recovered, Snapshot};
use crate::base::{Problem, ProblemKind};
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const LOCK: &str = "lock";

/// The session's own place. Dropping it leaves what is kept for the next start.
pub struct Vault {
    folder: PathBuf,
    /// Held for its lock.
    _lock: File,
    lock_path: PathBuf,
    safe: Option<Safe<File>>,
    /// Of the newest journal.
    number: u32,
}

impl Vault {
    /// Takes a new place under `root`, which is made if it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let suffix = format!(".{LOCK}");
        let lock = tempfile::Builder::new().prefix("session-").suffix(&suffix).tempfile_in(root)?;
        let (lock, lock_path) = lock.keep().map_err(|e| e.error)?;
        // Where the file system knows no locks nobody can tell that this session ended; all else works.
        if let Err(error) = lock.try_lock() {
            tracing::warn!(%error, "the session's lock cannot be taken");
        }
        // The folder comes second: it is never seen without a lock that is held.
        let folder = lock_path.with_extension("");
        fs::create_dir(&folder)?;
        Ok(Self { folder, _lock: lock, lock_path, safe: None, number: 0 })
    }

    /// Makes a snapshot safe, in a new journal if there is none, or it is broken or stale. Older journals go only when
    /// the new one holds the snapshot.
    ///
    /// # Errors
    /// Those of the file system; what was safe before still is.
    pub fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        if let Some(safe) = self.safe.as_mut().filter(|safe| !safe.is_stale())
            && safe.save(snapshot).is_ok()
        {
            return Ok(());
        }
        let number = self.number + 1;
        let path = self.folder.join(number.to_string());
        let begun = File::create(&path).and_then(Safe::begin).and_then(|mut safe| safe.save(snapshot).map(|()| safe));
        match begun {
            Ok(safe) => {
                // So that the name is safe as well; where folders cannot be opened they need it not.
                let _ = File::open(&self.folder).and_then(|folder| folder.sync_all());
                self.safe = Some(safe);
                self.number = number;
                remove_journals(&self.folder, |n| n < number);
                Ok(())
            }
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// There is nothing to keep: what was kept goes.
    pub fn clear(&mut self) {
        self.safe = None;
        remove_journals(&self.folder, |_| true);
    }

    /// The session ends well: nothing is left of it.
    pub fn end(self) {
        remove(&self.folder, &self.lock_path);
    }
}

fn remove(folder: &Path, lock_path: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(%error, folder = %folder.display(), "an old session cannot be cleared away");
        return;
    }
    let _ = fs::remove_file(lock_path);
}

/// The journals of a folder by their numbers, the newest first.
fn journals(folder: &Path) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let mut found: Vec<(u32, PathBuf)> = numbered.collect();
    found.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
    found
}

fn remove_journals(folder: &Path, which: impl Fn(u32) -> bool) {
    for (_, path) in journals(folder).into_iter().filter(|(number, _)| which(*number)) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "an old journal cannot be removed");
        }
    }
}

/// What a session that did not end well has left. While this lives no other program takes it up.
#[derive(Debug)]
pub struct Found {
    folder: PathBuf,
    _lock: File,
    lock_path: PathBuf,
    /// When the last state was written.
    pub saved: SystemTime,
    /// What the snapshot told about itself.
    pub about: Vec<u8>,
}

impl Found {
    /// The last whole snapshot; what is damaged is passed over for the one before. Reads and checks every tile: not for
    /// the window's thread.
    ///
    /// # Errors
    /// [`ProblemKind::RecoveryDamaged`] if no snapshot is whole.
    pub fn load(&self) -> Result<Recovered, Problem> {
        let mut pages = journals(&self.folder).into_iter().filter_map(|(_, path)| Pages::open(&path).ok());
        let recovered = pages.find_map(|mut pages| load(&mut pages));
        recovered.ok_or_else(|| Problem::new(ProblemKind::RecoveryDamaged).at(&self.folder))
    }

    /// Takes it away for good: to be called when the artist does not want it, or the new session has it safe.
    pub fn discard(self) {
        remove(&self.folder, &self.lock_path);
    }
}

/// What sessions that did not end well have left under `root`, the newest first. Places without anything in them are
/// cleared away; those of living sessions are left alone.
pub fn find(root: &Path) -> Vec<Found> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut found: Vec<Found> = folders.filter_map(|folder| look(&folder)).collect();
    found.sort_by_key(|one| std::cmp::Reverse(one.saved));
    // Locks whose folder is gone, or never came.
    for path in fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let orphan = path.extension() == Some(OsStr::new(LOCK)) && !path.with_extension("").exists();
        if orphan && free_lock(&path).is_some_and(|_lock| !path.with_extension("").exists()) {
            let _ = fs::remove_file(&path);
        }
    }
    found
}

/// The lock, if it was free; a missing one is made.
fn free_lock(path: &Path) -> Option<File> {
    let lock = File::options().read(true).write(true).create(true).truncate(false).open(path).ok()?;
    match lock.try_lock() {
        Ok(()) => Some(lock),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, path = %path.display(), "it cannot be told whether a session lives");
            None
        }
    }
}

fn look(folder: &Path) -> Option<Found> {
    let lock_path = folder.with_extension(LOCK);
    let lock = free_lock(&lock_path)?;
    let state = journals(folder).into_iter().find_map(|(_, path)| {
        let about = about(&mut Pages::open(&path).ok()?)?;
        let saved = fs::metadata(&path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        Some((saved, about))
    });
    match state {
        Some((saved, about)) => Some(Found { folder: folder.to_path_buf(), _lock: lock, lock_path, saved, about }),
        None => {
            remove(folder, &lock_path);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::safe::tests::{expected, placed, tile};
    use super::*;

    fn snapshot(k: u8) -> Snapshot {
        Snapshot { about: vec![k], planes: vec![placed(&[tile(k), tile(99)])] }
    }

    #[test]
    fn a_session_that_ends_well_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(root.path()).unwrap();
        vault.save(&snapshot(1)).unwrap();
        vault.end();
        assert!(find(root.path()).is_empty());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(find(&root.path().join("无")).is_empty());
    }

    #[test]
    fn sessions_that_died_are_found_and_the_living_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let mut living = Vault::open(root.path()).unwrap();
        living.save(&snapshot(1)).unwrap();
        let mut dying = Vault::open(root.path()).unwrap();
        dying.save(&snapshot(2)).unwrap();
        dying.save(&snapshot(3)).unwrap();
        let empty = Vault::open(root.path()).unwrap();
        assert!(find(root.path()).is_empty());
        drop(dying);
        drop(empty);
        let found = find(root.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].about, [3]);
        assert_eq!(found[0].load().unwrap(), expected(&snapshot(3)));
        // A second window asks at the same time.
        assert!(find(root.path()).is_empty());
        living.save(&snapshot(4)).unwrap();
        found.into_iter().for_each(Found::discard);
        assert!(find(root.path()).is_empty());
        drop(living);
        assert_eq!(find(root.path())[0].about, [4]);
    }

    #[test]
    fn a_new_journal_replaces_the_old_only_when_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(root.path()).unwrap();
        vault.save(&snapshot(1)).unwrap();
        // The program dies while it writes the second journal.
        let whole = fs::read(vault.folder.join("1")).unwrap();
        fs::write(vault.folder.join("2"), &whole[..whole.len() - 1]).unwrap();
        drop(vault);
        let found = find(root.path()).remove(0);
        assert_eq!(found.load().unwrap(), expected(&snapshot(1)));
        found.discard();
        // What was kept can be let go of, and kept anew.
        let mut vault = Vault::open(root.path()).unwrap();
        vault.save(&snapshot(1)).unwrap();
        vault.clear();
        vault.save(&snapshot(2)).unwrap();
        assert_eq!(journals(&vault.folder).len(), 1);
        vault.clear();
        drop(vault);
        assert!(find(root.path()).is_empty());
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_what_is_damaged_a_problem() {
        let root = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(root.path()).unwrap();
        let folder = vault.folder.clone();
        fs::remove_dir(&folder).unwrap();
        assert!(vault.save(&snapshot(1)).is_err());
        fs::create_dir(&folder).unwrap();
        vault.save(&snapshot(1)).unwrap();
        drop(vault);
        let found = find(root.path()).remove(0);
        let mut bytes = fs::read(folder.join("1")).unwrap();
        bytes[1000] ^= 1;
        fs::write(folder.join("1"), bytes).unwrap();
        assert_eq!(found.load().unwrap_err().kind, ProblemKind::RecoveryDamaged);
    }
}
