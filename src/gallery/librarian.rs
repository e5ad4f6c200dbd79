//! The librarian: the thread that owns the index, so that the window never waits for the disk.

use super::entry::{Details, Entry, EntryId, Facts};
use super::query::Query;
use super::scan::{Progress, Scan, Step, Summary};
use super::store::{Deletion, Store, Token};
use super::thumbnails::{Done, Job, Thumbnail, Thumbnails};
use super::trash::Bin;
use crate::base::background::stand_back;
use crate::base::{Problem, ProblemKind};
use crate::recipe::metadata::from_file;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded, never, select};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Requests that may wait in the channel; more wait in the handle.
const MOST_REQUESTS: usize = 64;
/// Reports that may wait to be read.
const MOST_REPORTS: usize = 256;
/// How long the end of the program waits for the last request.
const LAST_WAIT: Duration = Duration::from_secs(20);
/// Between two reports, while a scan runs, that the gallery has changed.
const CHANGED_EVERY: Duration = Duration::from_millis(500);

/// Where a gallery lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The pictures; it need not be there yet.
    pub folder: PathBuf,
    /// The index's file, outside that folder.
    pub database: PathBuf,
    /// The cache of thumbnails, a file too.
    pub thumbnails: PathBuf,
    /// Whether deleted pictures go to the system's trash, where there is one that gives back.
    pub system_trash: bool,
}

/// What the librarian is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Looks through the folder. While that goes on, everything else is answered between its steps.
    Refresh,
    CancelRefresh,
    /// The asker's `serial` comes back with the answer, to tell a late one from the newest.
    Query {
        serial: u64,
        query: Query,
    },
    /// The rows of a window of the grid.
    Rows {
        serial: u64,
        ids: Vec<EntryId>,
    },
    /// Higher urgency first; among equal ones the latest asked for first.
    Thumbnail {
        id: EntryId,
        urgency: u32,
    },
    SetFavourite {
        ids: Vec<EntryId>,
        favourite: bool,
    },
    Delete(Vec<EntryId>),
    Restore(Token),
    /// A picture that was just saved in the folder.
    Add(PathBuf),
    Details(EntryId),
    Models,
}

/// What the librarian reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The index is open and has so many pictures.
    Opened(usize),
    Progress(Progress),
    /// `None` if the scan was given up, or failed for a reason that is told by itself.
    Refreshed(Option<Summary>),
    /// The gallery is not what it was: what is on the screen should be asked for anew.
    Changed,
    Found {
        serial: u64,
        ids: Arc<[EntryId]>,
    },
    /// Those of the entries that are there, in the order asked for.
    Rows {
        serial: u64,
        rows: Vec<Entry>,
    },
    Thumbnail {
        id: EntryId,
        thumbnail: Thumbnail,
    },
    /// Each problem of it is also reported by itself.
    Deleted(Deletion),
    Restored {
        token: Token,
        ids: Vec<EntryId>,
    },
    Added(EntryId),
    /// `None` if it is not there any more.
    Details(Option<Box<Details>>),
    /// By name, with how many pictures each has made.
    Models(Vec<(String, usize)>),
    Failed(Problem),
}

/// The handle of the thread. Dropping it waits, for a bounded time, until favourites, deletions and the like are done.
#[derive(Debug)]
pub struct Librarian {
    requests: Option<Sender<Request>>,
    backlog: VecDeque<Request>,
    reports: Receiver<Report>,
    closing: Arc<AtomicBool>,
    alive: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Librarian {
    /// Starts the thread; `waker` is called from it after each report.
    pub fn spawn(place: Place, waker: impl Fn() + Send + 'static) -> Self {
        let (requests, inbox) = bounded(MOST_REQUESTS);
        let (outbox, reports) = bounded(MOST_REPORTS);
        let (living, alive) = bounded::<()>(1);
        let closing = Arc::new(AtomicBool::new(false));
        let desk = Desk { outbox, waker: Box::new(waker), closing: Arc::clone(&closing) };
        let thread = std::thread::Builder::new().name("danqing-librarian".into()).spawn(move || {
            let _living = living;
            stand_back();
            work(&place, &inbox, desk);
        });
        let backlog = VecDeque::new();
        match thread {
            Ok(thread) => Self { requests: Some(requests), backlog, reports, closing, alive, thread: Some(thread) },
            Err(error) => {
                tracing::error!(%error, "the librarian's thread cannot be started");
                Self { requests: None, backlog, reports: never(), closing, alive, thread: None }
            }
        }
    }

    /// Hands over a request; never blocks.
    pub fn send(&mut self, request: Request) {
        self.backlog.push_back(request);
        self.push();
    }

    /// The next report, if there is one; never blocks.
    pub fn poll(&mut self) -> Option<Report> {
        self.push();
        self.reports.try_recv().ok()
    }

    fn push(&mut self) {
        let Some(requests) = &self.requests else { return };
        while let Some(request) = self.backlog.pop_front() {
            if let Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) = requests.try_send(request) {
                self.backlog.push_front(request);
                break;
            }
        }
    }
}

impl Drop for Librarian {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.reports = never();
        if let Some(requests) = self.requests.take() {
            for request in self.backlog.drain(..).filter(changes_something) {
                if requests.send_timeout(request, LAST_WAIT).is_err() {
                    tracing::error!("a change of the gallery was not made before the end");
                }
            }
        }
        let Some(thread) = self.thread.take() else { return };
        if self.alive.recv_timeout(LAST_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the librarian did not finish in time; left behind");
        } else if thread.join().is_err() {
            tracing::error!("the librarian's thread had panicked");
        }
    }
}

/// What is done even when nobody waits for the answer.
fn changes_something(request: &Request) -> bool {
    matches!(request, Request::SetFavourite { .. } | Request::Delete(_) | Request::Restore(_) | Request::Add(_))
}

/// Where reports are handed out.
struct Desk {
    outbox: Sender<Report>,
    waker: Box<dyn Fn() + Send>,
    closing: Arc<AtomicBool>,
}

impl Desk {
    /// Waits for room. Without a reader nobody needs to know.
    fn tell(&self, report: Report) {
        if self.outbox.send(report).is_ok() {
            (self.waker)();
        }
    }

    /// Left out if there is no room.
    fn mention(&self, report: Report) {
        if self.outbox.try_send(report).is_ok() {
            (self.waker)();
        }
    }

    fn tell_failure(&self, result: Result<(), Problem>) {
        if let Err(problem) = result {
            self.tell(Report::Failed(problem));
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// The thread's own things.
struct Office {
    store: Store,
    bin: Bin,
    thumbnails: Thumbnails,
    scan: Option<Scan>,
    /// Asked for while one was under way.
    scan_again: bool,
    /// Since the last report that something has changed, and whether something has.
    changed: (Instant, bool),
    desk: Desk,
}

fn work(place: &Place, inbox: &Receiver<Request>, desk: Desk) {
    let store = match Store::open(&place.database, &place.folder) {
        Ok((store, problem)) => {
            desk.tell_failure(problem.map_or(Ok(()), Err));
            store
        }
        Err(problem) => return desk.tell(Report::Failed(problem)),
    };
    desk.tell(Report::Opened(store.len()));
    let bin = if place.system_trash { Bin::system(&place.folder) } else { Bin::holding(&place.folder) };
    let thumbnails = Thumbnails::start(&place.thumbnails);
    let changed = (Instant::now(), false);
    let mut office = Office { store, bin, thumbnails, scan: None, scan_again: false, changed, desk };
    while office.turn(inbox) {}
}

impl Office {
    /// One request, one thumbnail or one step of the scan; false when the work is over.
    fn turn(&mut self, inbox: &Receiver<Request>) -> bool {
        let done = self.thumbnails.done().clone();
        let request = if self.scan.is_some() && !self.desk.is_closing() {
            match inbox.try_recv() {
                Ok(request) => Some(request),
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => {
                    if let Ok(done) = done.try_recv() {
                        self.show(done);
                    }
                    None
                }
            }
        } else {
            select! {
                recv(inbox) -> request => match request {
                    Ok(request) => Some(request),
                    Err(_) => return false,
                },
                recv(done) -> done => {
                    match done {
                        Ok(done) => self.show(done),
                        // There are no threads for thumbnails.
                        Err(_) => match inbox.recv() {
                            Ok(request) => return self.guarded(|office| office.answer(request)),
                            Err(_) => return false,
                        },
                    }
                    None
                }
            }
        };
        match request {
            Some(request) => self.guarded(|office| office.answer(request)),
            None => self.guarded(Self::advance),
        }
    }

    /// A panic costs one request, not the gallery: transactions undo themselves, and the copy in memory is read anew.
    fn guarded(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Problem>) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| act(self))).unwrap_or_else(|_| {
            if self.scan.take().is_some() {
                self.desk.tell(Report::Refreshed(None));
            }
            self.store.reload()?;
            Err(Problem::new(ProblemKind::Internal).detail("the librarian stumbled"))
        });
        self.desk.tell_failure(result);
        true
    }

    fn answer(&mut self, request: Request) -> Result<(), Problem> {
        if self.desk.is_closing() && !changes_something(&request) {
            return Ok(());
        }
        match request {
            Request::Refresh if self.scan.is_some() => self.scan_again = true,
            Request::Refresh => self.begin_scan()?,
            Request::CancelRefresh => {
                self.scan_again = false;
                if self.scan.take().is_some() {
                    self.tell_changed();
                    self.desk.tell(Report::Refreshed(None));
                }
            }
            Request::Query { serial, query } => {
                let ids = self.store.find(&query).into();
                self.desk.tell(Report::Found { serial, ids });
            }
            Request::Rows { serial, ids } => {
                let rows = self.store.entries(&ids)?;
                self.desk.tell(Report::Rows { serial, rows });
            }
            Request::Thumbnail { id, urgency } => self.ask_thumbnail(id, urgency)?,
            Request::SetFavourite { ids, favourite } => {
                let result = self.store.set_favourite(&ids, favourite);
                self.desk.tell(Report::Changed);
                result?;
            }
            Request::Delete(ids) => {
                let deletion = self.store.delete(&ids, &self.bin)?;
                deletion.problems.iter().for_each(|problem| self.desk.tell(Report::Failed(problem.clone())));
                self.desk.tell(Report::Deleted(deletion));
                self.desk.tell(Report::Changed);
            }
            Request::Restore(token) => {
                let (ids, problems) = self.store.restore(token, &self.bin)?;
                problems.into_iter().for_each(|problem| self.desk.tell(Report::Failed(problem)));
                self.desk.tell(Report::Restored { token, ids });
                self.desk.tell(Report::Changed);
            }
            Request::Add(path) => self.add(&path)?,
            Request::Details(id) => {
                let details = self.store.entry(id)?.map(|entry| self.details(entry));
                self.desk.tell(Report::Details(details));
            }
            Request::Models => self.desk.tell(Report::Models(self.store.models())),
        }
        Ok(())
    }

    /// The next step of the scan.
    fn advance(&mut self) -> Result<(), Problem> {
        let Some(mut scan) = self.scan.take() else {
            return Ok(());
        };
        if self.desk.is_closing() {
            return Ok(());
        }
        let before = self.store.len();
        let step = scan.step(&mut self.store).inspect_err(|_| self.desk.tell(Report::Refreshed(None)))?;
        match step {
            Step::More(progress) => {
                self.changed.1 |= before != self.store.len() || progress.read > 0;
                self.scan = Some(scan);
                self.desk.mention(Report::Progress(progress));
                if self.changed.0.elapsed() >= CHANGED_EVERY {
                    self.tell_changed();
                }
            }
            Step::Done(summary) => {
                // The list of favourites may have changed with no file having done so.
                self.changed.1 = true;
                self.tell_changed();
                self.desk.tell(Report::Refreshed(Some(summary)));
                if std::mem::take(&mut self.scan_again) {
                    self.begin_scan()?;
                }
            }
        }
        Ok(())
    }

    fn begin_scan(&mut self) -> Result<(), Problem> {
        let scan = Scan::begin(&mut self.store).inspect_err(|_| self.desk.tell(Report::Refreshed(None)))?;
        self.scan = Some(scan);
        Ok(())
    }

    fn tell_changed(&mut self) {
        if std::mem::take(&mut self.changed.1) {
            self.desk.tell(Report::Changed);
        }
        self.changed.0 = Instant::now();
    }

    fn add(&mut self, path: &std::path::Path) -> Result<(), Problem> {
        let outside = || Problem::new(ProblemKind::Unreadable).at(path).detail("not in the pictures folder");
        let folder = self.store.folder();
        let inside = match path.strip_prefix(folder) {
            Ok(inside) => inside.to_path_buf(),
            // The same place by other names.
            Err(_) => {
                let (real, folder) = (path.canonicalize().ok(), folder.canonicalize().ok());
                let inside =
                    real.zip(folder).and_then(|(path, folder)| Some(path.strip_prefix(folder).ok()?.to_path_buf()));
                inside.ok_or_else(outside)?
            }
        };
        let facts =
            Facts::read(folder, inside).map_err(|e| Problem::new(ProblemKind::Unreadable).at(path).detail(e))?;
        for id in self.store.put(vec![facts])? {
            self.desk.tell(Report::Added(id));
        }
        self.desk.tell(Report::Changed);
        Ok(())
    }

    fn details(&self, entry: Entry) -> Box<Details> {
        let file = self.store.folder().join(&entry.facts.path);
        let recipe = from_file(&file).ok().flatten();
        Box::new(Details { entry, file, recipe })
    }

    fn ask_thumbnail(&mut self, id: EntryId, urgency: u32) -> Result<(), Problem> {
        let Some(Entry { facts, .. }) = self.store.entry(id)? else {
            self.desk.tell(Report::Thumbnail { id, thumbnail: Thumbnail::Broken });
            return Ok(());
        };
        let job = Job { id, file: self.store.folder().join(&facts.path), stamp: facts.stamp };
        if let Some((id, thumbnail)) = self.thumbnails.ask(job, urgency) {
            self.desk.tell(Report::Thumbnail { id, thumbnail });
        }
        Ok(())
    }

    fn show(&mut self, done: Done) {
        let (id, thumbnail) = self.thumbnails.finish(done);
        self.desk.tell(Report::Thumbnail { id, thumbnail });
    }
}
