//! Small pictures for the grid: made by threads of their own, kept in a database of their own, the last ones also in
//! memory.
//!
//! They lie in one SQLite file and not in 25,000 small ones, which are slow to copy and to delete; and not in the
//! index's, whose check at the start reads all of it. The file is a cache: if it is broken it is emptied. A thumbnail
//! belongs to a path, a time of change and a length; a file that cannot be decoded leaves a mark in the same place, so
//! that nobody tries again before it changes.

use super::entry::{EntryId, Stamp, name_to_bytes};
use crate::base::background::stand_back;
use crate::base::{Extent, ProblemKind};
use crate::imaging::Pixmap;
use crate::imaging::read::{decode_picture, read_picture};
use crate::imaging::resample::{Filter, resize};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longer side of a thumbnail, in pixels; smaller pictures stay as they are.
pub const THUMBNAIL: u32 = 256;
/// Threads that make them, at most: one decodes while the other waits for the disk.
const MOST_THREADS: usize = 2;
/// Requests that may wait; of more, the least urgent are sent back.
const MOST_WAITING: usize = 1024;
/// Thumbnails kept in memory; 256 KiB each at most.
const MOST_IN_MEMORY: usize = 256;
/// The largest picture that is decoded, in pixels.
const MOST_PIXELS: u64 = 1 << 26;
/// Room for the cache on the disk, in bytes: some 40,000 thumbnails.
const MOST_BYTES: i64 = 512 << 20;
/// New thumbnails of a thread between two looks at the cache's size.
const LOOK_EVERY: u32 = 256;
/// Quality of WebP, of 100.
const QUALITY: f32 = 85.0;
const DAY: u64 = 24 * 3600;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Thumbnail {
    Ready(Arc<Pixmap>),
    /// The file cannot be shown.
    Broken,
    /// Too many more urgent ones wait; to be asked for again when it is still wanted.
    Postponed,
}

/// What a thread is to make.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: EntryId,
    /// The whole path.
    pub file: PathBuf,
    pub stamp: Stamp,
}

/// What a thread has made.
#[derive(Debug)]
pub struct Done {
    job: Job,
    thumbnail: Thumbnail,
}

/// The librarian's side: what waits, and what is in memory.
#[derive(Debug)]
pub struct Thumbnails {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    /// By urgency: higher numbers first, among equal ones the latest first, since that is what is on the screen now.
    waiting: BTreeMap<(u32, u64), Job>,
    places: HashMap<EntryId, (u32, u64)>,
    memory: HashMap<EntryId, (Stamp, Thumbnail, u64)>,
    clock: u64,
}

impl Thumbnails {
    /// Starts the threads. `cache` is the database's file; if it cannot be used there is no cache on the disk.
    pub fn start(cache: &Path) -> Self {
        let threads = threads(std::thread::available_parallelism().map_or(1, NonZero::get));
        let (jobs, inbox) = bounded::<Job>(threads);
        let (outbox, done) = bounded::<Done>(threads * 4);
        for number in 1..=threads {
            let (inbox, outbox, cache) = (inbox.clone(), outbox.clone(), cache.to_path_buf());
            let work = move || {
                stand_back();
                let mut cache = Cache::open(&cache);
                for job in inbox {
                    let make = AssertUnwindSafe(|| cache.thumbnail(&job));
                    let thumbnail = catch_unwind(make).unwrap_or(Thumbnail::Broken);
                    if outbox.send(Done { job, thumbnail }).is_err() {
                        return;
                    }
                }
            };
            if let Err(error) = std::thread::Builder::new().name(format!("danqing-thumbs-{number}")).spawn(work) {
                tracing::error!(%error, "a thread for thumbnails cannot be started");
            }
        }
        let (waiting, places, memory) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { jobs, done, waiting, places, memory, clock: 0 }
    }

    /// Where the threads' work comes in; hand it to [`Self::finish`].
    pub const fn done(&self) -> &Receiver<Done> {
        &self.done
    }

    /// Asks for a thumbnail. Gives what can be said at once: one from memory, and that another one has to wait for a
    /// new request.
    pub fn ask(&mut self, job: Job, urgency: u32) -> Option<(EntryId, Thumbnail)> {
        self.clock += 1;
        if let Some((stamp, thumbnail, used)) = self.memory.get_mut(&job.id)
            && *stamp == job.stamp
        {
            *used = self.clock;
            return Some((job.id, thumbnail.clone()));
        }
        let place = (urgency, self.clock);
        if let Some(before) = self.places.insert(job.id, place) {
            self.waiting.remove(&before);
        }
        self.waiting.insert(place, job);
        self.push();
        if self.waiting.len() <= MOST_WAITING {
            return None;
        }
        let (_, last) = self.waiting.pop_first()?;
        self.places.remove(&last.id);
        Some((last.id, Thumbnail::Postponed))
    }

    /// Takes in what a thread has made.
    pub fn finish(&mut self, Done { job, thumbnail }: Done) -> (EntryId, Thumbnail) {
        self.clock += 1;
        self.memory.insert(job.id, (job.stamp, thumbnail.clone(), self.clock));
        if self.memory.len() > MOST_IN_MEMORY
            && let Some(oldest) = self.memory.iter().min_by_key(|(_, (_, _, used))| *used).map(|(id, _)| *id)
        {
            self.memory.remove(&oldest);
        }
        self.push();
        (job.id, thumbnail)
    }

    /// Hands the most urgent to the threads, as many as they can take.
    fn push(&mut self) {
        while let Some((place, job)) = self.waiting.pop_last() {
            let id = job.id;
            match self.jobs.try_send(job) {
                Ok(()) => {
                    self.places.remove(&id);
                }
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                    self.waiting.insert(place, job);
                    return;
                }
            }
        }
    }
}

/// How many threads there are on so many cores. One core is the window's: with all of them decoding, a frame waits for
/// its turn for longer than it takes to draw.
fn threads(cores: usize) -> usize {
    cores.saturating_sub(1).clamp(1, MOST_THREADS)
}

/// One thread's way to the database.
struct Cache {
    /// `None` if it cannot be used.
    connection: Option<Connection>,
    new: u32,
}

impl Cache {
    fn open(path: &Path) -> Self {
        let connection = connect(path).or_else(|error| {
            tracing::warn!(%error, "the cache of thumbnails is emptied");
            std::fs::remove_file(path).map_err(|_| error)?;
            connect(path)
        });
        if let Err(error) = &connection {
            tracing::warn!(%error, "there is no cache of thumbnails");
        }
        Self { connection: connection.ok(), new: 0 }
    }

    /// From the cache, or from the picture and into the cache.
    fn thumbnail(&mut self, job: &Job) -> Thumbnail {
        let key = name_to_bytes(job.file.as_os_str());
        if let Some(thumbnail) = self.look_up(&key, job.stamp) {
            return thumbnail;
        }
        match read_picture(&job.file, MOST_PIXELS) {
            Ok(picture) => {
                let small = shrunk(&picture);
                let packed = webp::Encoder::from_rgba(small.rgba(), small.width(), small.height());
                if let Ok(packed) = packed.encode_simple(false, QUALITY) {
                    self.keep(&key, job.stamp, Some(&packed));
                }
                Thumbnail::Ready(Arc::new(small))
            }
            Err(problem) => {
                // A file that is locked or on a drive that is away may be whole.
                if problem.kind != ProblemKind::Unreadable {
                    self.keep(&key, job.stamp, None);
                }
                Thumbnail::Broken
            }
        }
    }

    fn look_up(&self, key: &[u8], stamp: Stamp) -> Option<Thumbnail> {
        let connection = self.connection.as_ref()?;
        let bytes = stamp.bytes.cast_signed();
        let read = || {
            let sql = "SELECT picture, used FROM thumbnails WHERE path = ? AND modified = ? AND bytes = ?";
            let mut statement = connection.prepare_cached(sql)?;
            let values = params![key, stamp.modified, bytes];
            statement.query_row(values, |row| Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get(1)?))).optional()
        };
        let (picture, used): (_, i64) = read().ok()??;
        if used != today() {
            let sql = "UPDATE thumbnails SET used = ? WHERE path = ?";
            let update = || connection.prepare_cached(sql)?.execute(params![today(), key]);
            if let Err(error) = update() {
                tracing::debug!(%error, "a thumbnail's last use is not noted");
            }
        }
        match picture {
            None => Some(Thumbnail::Broken),
            Some(packed) => {
                let most = u64::from(THUMBNAIL) * u64::from(THUMBNAIL);
                decode_picture(&packed, most).ok().map(|small| Thumbnail::Ready(Arc::new(small)))
            }
        }
    }

    /// Writes a thumbnail, or `None` for a broken file. A cache that refuses costs only time.
    fn keep(&mut self, key: &[u8], stamp: Stamp, picture: Option<&[u8]>) {
        let Some(connection) = &self.connection else { return };
        let write = || {
            let sql = "INSERT OR REPLACE INTO thumbnails (path, modified, bytes, picture, used) VALUES (?, ?, ?, ?, ?)";
            let values = params![key, stamp.modified, stamp.bytes.cast_signed(), picture, today()];
            connection.prepare_cached(sql)?.execute(values)?;
            if self.new.is_multiple_of(LOOK_EVERY) {
                make_room(connection, MOST_BYTES)?;
            }
            Ok::<_, rusqlite::Error>(())
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "a thumbnail is not kept");
        }
        self.new = self.new.wrapping_add(1);
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(folder) = path.parent()
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        tracing::warn!(%error, "no folder for thumbnails");
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // What a power failure takes can be made again.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS thumbnails (
            path BLOB NOT NULL PRIMARY KEY, modified INTEGER NOT NULL, bytes INTEGER NOT NULL,
            picture BLOB, used INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX IF NOT EXISTS by_use ON thumbnails (used);",
    )?;
    Ok(connection)
}

/// Deletes what was not used for longest until the thumbnails take nine tenths of `most` bytes, if they take more.
fn make_room(connection: &Connection, most: i64) -> rusqlite::Result<()> {
    let sum = "SELECT coalesce(sum(length(picture)), 0) FROM thumbnails";
    let total: i64 = connection.query_row(sum, [], |row| row.get(0))?;
    if total <= most {
        return Ok(());
    }
    let excess = total - most / 10 * 9;
    let sql = "DELETE FROM thumbnails WHERE rowid IN (
                   SELECT rowid FROM (
                       SELECT rowid, coalesce(length(picture), 0) AS own,
                              sum(coalesce(length(picture), 0)) OVER (ORDER BY used, rowid) AS passed
                       FROM thumbnails
                   ) WHERE passed - own < ?
               )";
    connection.execute(sql, [excess])?;
    Ok(())
}

/// Days since 1970: exact enough to know what is used, and one write a day at most.
fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs() / DAY).cast_signed()
}

/// The picture within [`THUMBNAIL`] pixels a side, its shape kept.
fn shrunk(picture: &Pixmap) -> Pixmap {
    let Extent { width, height } = picture.extent();
    let longest = width.max(height);
    if longest <= THUMBNAIL {
        return picture.clone();
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(THUMBNAIL) / u64::from(longest)).max(1) as u32;
    resize(picture, Extent::new(scaled(width), scaled(height)), Filter::Bilinear)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::png_text::write_png;

    fn job(id: i64, file: &Path) -> Job {
        Job { id: EntryId(id), file: file.into(), stamp: Stamp::of(&std::fs::metadata(file).unwrap()) }
    }

    fn wait(thumbnails: &mut Thumbnails) -> (EntryId, Thumbnail) {
        let done = thumbnails.done().recv_timeout(Duration::from_secs(60)).unwrap();
        thumbnails.finish(done)
    }

    #[test]
    fn made_once_then_from_memory_and_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (file, cache) = (folder.path().join("长卷.png"), folder.path().join("缓存").join("小图.sqlite"));
        let rgba = [200, 100, 50, 255].repeat(1000 * 100);
        write_png(&file, &Pixmap::from_rgba(Extent::new(1000, 100), rgba).unwrap(), &[]).unwrap();
        let job = job(7, &file);
        let mut thumbnails = Thumbnails::start(&cache);
        assert_eq!(thumbnails.ask(job.clone(), 0), None);
        let (id, Thumbnail::Ready(first)) = wait(&mut thumbnails) else { panic!("not made") };
        assert_eq!((id, first.extent()), (EntryId(7), Extent::new(256, 25)));
        let Some((_, Thumbnail::Ready(again))) = thumbnails.ask(job.clone(), 0) else { panic!("not in memory") };
        assert!(Arc::ptr_eq(&first, &again));
        // The picture is not needed any more.
        std::fs::remove_file(&file).unwrap();
        let mut later = Thumbnails::start(&cache);
        later.ask(job, 0);
        let (_, Thumbnail::Ready(kept)) = wait(&mut later) else { panic!("not on the disk") };
        let near = kept.pixel(100, 10).unwrap();
        assert!(near.into_iter().zip([200, 100, 50, 255]).all(|(a, b): (u8, u8)| a.abs_diff(b) < 12), "{near:?}");
    }

    #[test]
    fn a_broken_file_leaves_a_mark_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, cache) = (folder.path().join("半张.png"), folder.path().join("小图.sqlite"));
        write_png(&file, &Pixmap::new(Extent::new(64, 64)), &[]).unwrap();
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 30]).unwrap();
        let mut thumbnails = Thumbnails::start(&cache);
        let half = job(1, &file);
        thumbnails.ask(half.clone(), 0);
        assert_eq!(wait(&mut thumbnails).1, Thumbnail::Broken);
        assert_eq!(thumbnails.ask(half.clone(), 0), Some((EntryId(1), Thumbnail::Broken)));
        let marks = |sql| Connection::open(&cache).unwrap().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(marks("SELECT count(*) FROM thumbnails WHERE picture IS NULL"), 1);
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(thumbnails.ask(job(1, &file), 0), None, "another length is another key");
        assert!(matches!(wait(&mut thumbnails).1, Thumbnail::Ready(_)));
        assert_eq!(marks("SELECT count(*) FROM thumbnails"), 1, "the mark is gone");
        let away = Job { file: folder.path().join("没有.png"), ..half };
        thumbnails.ask(Job { id: EntryId(2), ..away }, 0);
        assert_eq!(wait(&mut thumbnails).1, Thumbnail::Broken);
        assert_eq!(marks("SELECT count(*) FROM thumbnails"), 1, "what cannot be read is not marked");
    }

    #[test]
    fn the_least_urgent_are_sent_back_and_memory_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.png");
        std::fs::write(&file, "x").unwrap();
        let (jobs, inbox) = bounded(1);
        let (outbox, done) = bounded(1);
        let (waiting, places, memory) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        let mut thumbnails = Thumbnails { jobs, done, waiting, places, memory, clock: 0 };
        // The first goes to the thread's inbox, which nobody empties.
        let most = MOST_WAITING as i64;
        for id in 0..=most {
            assert_eq!(thumbnails.ask(job(id, &file), u32::from(id > 10)), None);
        }
        assert_eq!(thumbnails.ask(job(3, &file), 2), None, "asked for again, more urgently");
        assert_eq!(thumbnails.ask(job(most + 1, &file), 1), Some((EntryId(1), Thumbnail::Postponed)));
        assert_eq!(inbox.recv().unwrap().id, EntryId(0));
        for id in 0..MOST_IN_MEMORY as i64 + 50 {
            thumbnails.finish(Done { job: job(id, &file), thumbnail: Thumbnail::Broken });
        }
        assert_eq!(thumbnails.memory.len(), MOST_IN_MEMORY);
        assert!(!thumbnails.memory.contains_key(&EntryId(0)));
        assert_eq!(inbox.recv().unwrap().id, EntryId(3), "the most urgent is next");
        drop(outbox);
    }

    #[test]
    fn the_cache_makes_room_and_a_broken_one_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("小图.sqlite");
        std::fs::write(&path, "not a database".repeat(1000)).unwrap();
        let mut cache = Cache::open(&path);
        assert!(cache.connection.is_some());
        for number in 0..10u8 {
            cache.keep(&[number], Stamp { modified: 0, bytes: 0 }, Some(&[0; 100]));
        }
        let connection = cache.connection.as_ref().unwrap();
        connection.execute("UPDATE thumbnails SET used = used - 1 WHERE path = x'09'", []).unwrap();
        make_room(connection, 1000).unwrap();
        let count = || connection.query_row("SELECT count(*) FROM thumbnails", [], |r| r.get::<_, i64>(0)).unwrap();
        assert_eq!(count(), 10);
        make_room(connection, 500).unwrap();
        assert_eq!(count(), 4, "450 bytes hold four");
        let old =
            connection.query_row("SELECT count(*) FROM thumbnails WHERE path = x'09'", [], |r| r.get::<_, i64>(0));
        assert_eq!(old.unwrap(), 0);
    }
}
