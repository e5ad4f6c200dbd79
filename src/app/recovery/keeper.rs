//! The thread that keeps the document safe: the newest snapshot wins, and the disk is not asked at every stroke.

use super::Snapshot;
use super::session::Vault;
use crate::base::background::stand_back;
use crate::base::{Problem, ProblemKind};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded, never};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the document must rest before it is written.
const REST: Duration = Duration::from_millis(1500);
/// How long it may go on changing before it is written all the same.
const LONGEST: Duration = Duration::from_secs(6);
/// When a failed attempt is repeated.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum Wish {
    Keep {
        snapshot: Snapshot,
        urgent: bool,
    },
    /// The document is as its file is: nothing would be lost.
    Clear,
    /// The session ends well.
    End,
}

/// What the thread reports.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The newest snapshot is safe.
    Kept,
    /// It is not, for the first time since one was; it is tried again.
    Failed(Problem),
}

/// The session's handle of the thread. Dropping it writes what is pending and leaves it for the next start.
#[derive(Debug)]
pub struct Keeper {
    wishes: Option<Sender<Wish>>,
    /// The other end, to take back what a newer wish overtakes.
    pending: Receiver<Wish>,
    news: Receiver<News>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread. It writes under `root`, a folder of this program in the artist's data.
    pub fn spawn(root: PathBuf, waker: impl Fn() + Send + 'static) -> Self {
        let (wishes, pending) = bounded(1);
        let (outbox, news) = bounded(4);
        let inbox = pending.clone();
        let run = move || {
            stand_back();
            keep(&root, &inbox, |what| {
                // Nobody may be asking; the work goes on.
                let sent = outbox.try_send(what).is_ok();
                if sent {
                    waker();
                }
                sent
            });
        };
        match std::thread::Builder::new().name("danqing-keeper".into()).spawn(run) {
            Ok(thread) => Self { wishes: Some(wishes), pending, news, thread: Some(thread) },
            Err(error) => {
                tracing::error!(%error, "the keeper's thread cannot be started");
                Self { wishes: None, pending: never(), news: never(), thread: None }
            }
        }
    }

    /// Hands over the document as it is now; never blocks. It is written when it has rested for a moment, and at once
    /// if it is `urgent`.
    pub fn keep(&self, snapshot: Snapshot, urgent: bool) {
        self.wish(Wish::Keep { snapshot, urgent });
    }

    /// The document is saved, or empty: what was kept of it goes. Never blocks.
    pub fn clear(&self) {
        self.wish(Wish::Clear);
    }

    /// The next report, if there is one; never blocks.
    pub fn poll(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// The session ends well, and the artist has saved or given up the document: nothing stays behind.
    pub fn end(self) {
        self.wish(Wish::End);
    }

    fn wish(&self, mut wish: Wish) {
        let Some(wishes) = &self.wishes else { return };
        while let Err(TrySendError::Full(back)) = wishes.try_send(wish) {
            let overtaken = self.pending.try_recv();
            wish = match (back, overtaken) {
                // What was urgent stays so.
                (Wish::Keep { snapshot, .. }, Ok(Wish::Keep { urgent: true, .. })) => {
                    Wish::Keep { snapshot, urgent: true }
                }
                (wish, _) => wish,
            };
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.wishes = None;
        self.pending = never();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the keeper's thread had panicked");
        }
    }
}

/// Takes wishes until the session is gone.
fn keep(root: &Path, inbox: &Receiver<Wish>, mut tell: impl FnMut(News) -> bool) {
    let mut vault: Option<Vault> = None;
    let mut waiting: Option<Waiting> = None;
    let mut told = false;
    loop {
        let wish = match &waiting {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(waiting) => inbox.recv_deadline(waiting.due),
        };
        let over = matches!(wish, Err(RecvTimeoutError::Disconnected));
        match wish {
            Ok(Wish::Keep { snapshot, urgent }) => {
                let now = Instant::now();
                let first = waiting.as_ref().map_or(now, |before| before.first);
                let due = if urgent { now } else { (now + REST).min(first + LONGEST) };
                waiting = Some(Waiting { snapshot, first, due });
                if !urgent {
                    continue;
                }
            }
            Ok(Wish::Clear) => {
                waiting = None;
                vault.iter_mut().for_each(Vault::clear);
                continue;
            }
            Ok(Wish::End) => {
                if let Some(vault) = vault {
                    vault.end();
                }
                return;
            }
            Err(_) => {}
        }
        if let Some(Waiting { snapshot, .. }) = waiting.take() {
            match save(root, &mut vault, &snapshot) {
                Ok(()) => {
                    told = false;
                    tell(News::Kept);
                }
                Err(error) => {
                    if !told {
                        let problem = Problem::new(ProblemKind::RecoveryUnwritable).at(root).detail(error);
                        told = tell(News::Failed(problem));
                    }
                    let first = Instant::now();
                    waiting = Some(Waiting { snapshot, first, due: first + RETRY });
                }
            }
        }
        if over {
            return;
        }
    }
}

/// A snapshot that is not yet written.
struct Waiting {
    snapshot: Snapshot,
    first: Instant,
    due: Instant,
}

fn save(root: &Path, vault: &mut Option<Vault>, snapshot: &Snapshot) -> io::Result<()> {
    let vault = match vault {
        Some(vault) => vault,
        None => vault.insert(Vault::open(root)?),
    };
    vault.save(snapshot)
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::super::safe::tests::{expected, placed, tile};
    use super::*;

    fn snapshot(k: u8) -> Snapshot {
        Snapshot { about: vec![k], planes: vec![placed(&[tile(k)])] }
    }

    fn wait(keeper: &Keeper) -> News {
        loop {
            if let Some(news) = keeper.poll() {
                return news;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_newest_snapshot_is_there_after_a_sudden_end() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::spawn(root.path().to_path_buf(), || {});
        for k in 0..200 {
            keeper.keep(snapshot(k), false);
        }
        drop(keeper);
        let found = find(root.path()).remove(0);
        assert_eq!(found.load().unwrap(), expected(&snapshot(199)));
    }

    #[test]
    fn what_is_urgent_is_written_at_once_and_a_good_end_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::spawn(root.path().to_path_buf(), || {});
        keeper.keep(snapshot(1), true);
        assert_eq!(wait(&keeper), News::Kept);
        // Not urgent, but written when it has rested.
        keeper.keep(snapshot(2), false);
        assert_eq!(wait(&keeper), News::Kept);
        keeper.end();
        assert!(find(root.path()).is_empty());
        let keeper = Keeper::spawn(root.path().to_path_buf(), || {});
        keeper.keep(snapshot(3), true);
        wait(&keeper);
        keeper.clear();
        drop(keeper);
        assert!(find(root.path()).is_empty());
    }

    #[test]
    fn a_failure_is_told_once_and_mended() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("place");
        std::fs::write(&place, "a file, not a folder").unwrap();
        let keeper = Keeper::spawn(place.clone(), || {});
        keeper.keep(snapshot(1), true);
        assert!(matches!(wait(&keeper), News::Failed(problem) if problem.kind == ProblemKind::RecoveryUnwritable));
        std::fs::remove_file(&place).unwrap();
        keeper.keep(snapshot(2), true);
        assert_eq!(wait(&keeper), News::Kept);
        drop(keeper);
        assert_eq!(find(&place).len(), 1);
    }
}
