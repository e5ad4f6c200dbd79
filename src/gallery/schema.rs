//! The index's tables, their versions, and what is done about a database that cannot be used.
//!
//! A database that is broken or was made by a later version is set aside under another name, never deleted; one that
//! cannot be opened at all is left where it is. The gallery then works with a fresh index, in memory if need be, and a
//! [`Problem`] says so. All changes are transactions of a write-ahead log, so that a crash leaves the last whole state.

use crate::base::{Problem, ProblemKind, Severity};
use rusqlite::{Connection, ErrorCode};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another window's writing is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Databases that were set aside in the same folder; more replace none, the index is then kept in memory.
const MOST_ASIDE: u32 = 1000;

/// `MIGRATIONS[n]` brings a database of version n to n + 1. Lines are added, never changed.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path BLOB NOT NULL,
        modified INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        created INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        prompt TEXT NOT NULL,
        negative TEXT NOT NULL,
        model TEXT,
        sampler TEXT,
        seed INTEGER,
        steps INTEGER,
        guidance REAL,
        source TEXT NOT NULL,
        favourite INTEGER NOT NULL DEFAULT 0,
        -- The deletion that took it away; NULL for what is in the folder.
        deletion INTEGER,
        -- Where the deleted file rests: which trash, and its name there.
        trash TEXT,
        resting BLOB
    ) STRICT;
    CREATE UNIQUE INDEX present ON entries (path) WHERE deletion IS NULL;
    CREATE INDEX deleted ON entries (deletion) WHERE deletion IS NOT NULL;
    CREATE TABLE deletions (token INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL) STRICT;
    CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
"];

/// Why a database cannot be used.
enum Fault {
    /// Of this version, which is later than ours.
    Newer(i64),
    /// What SQLite finds wrong with it.
    Damaged(String),
    /// It cannot be opened or written.
    OutOfReach(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory,
            ) => Fault::OutOfReach(error.to_string()),
            _ => Fault::Damaged(error.to_string()),
        }
    }
}

/// Opens the index, or a fresh one in its place together with what happened to the old.
///
/// # Errors
/// [`ProblemKind::Internal`] if not even a database in memory can be had.
pub fn open(path: &Path) -> Result<(Connection, Option<Problem>), Problem> {
    let (kind, detail) = match try_open(path) {
        Ok(connection) => return Ok((connection, None)),
        Err(Fault::OutOfReach(detail)) => return in_memory(path, &detail),
        Err(Fault::Newer(version)) => (ProblemKind::GalleryTooNew, format!("version {version}")),
        Err(Fault::Damaged(detail)) => (ProblemKind::GalleryDamaged, detail),
    };
    replace(path, kind, detail)
}

/// Sets the database aside, which nobody has open any more, and opens a fresh one.
///
/// # Errors
/// As [`open`].
pub fn replace(path: &Path, kind: ProblemKind, detail: String) -> Result<(Connection, Option<Problem>), Problem> {
    let aside = match set_aside(path) {
        Ok(aside) => aside,
        Err(error) => return in_memory(path, &format!("{detail}; {error}")),
    };
    match try_open(path) {
        Ok(connection) => {
            let mut problem = Problem::new(kind).with("aside", aside.display()).at(path).detail(detail);
            problem.severity = Severity::Warning;
            Ok((connection, Some(problem)))
        }
        Err(Fault::OutOfReach(more) | Fault::Damaged(more)) => in_memory(path, &more),
        Err(Fault::Newer(version)) => in_memory(path, &format!("version {version}")),
    }
}

/// An index that is forgotten at the end.
fn in_memory(path: &Path, detail: &str) -> Result<(Connection, Option<Problem>), Problem> {
    let internal = |error: rusqlite::Error| Problem::new(ProblemKind::Internal).detail(error);
    let mut connection = Connection::open_in_memory().map_err(internal)?;
    migrate(&mut connection, 0).map_err(internal)?;
    let mut problem = Problem::new(ProblemKind::GalleryInMemory).at(path).detail(detail);
    problem.severity = Severity::Warning;
    Ok((connection, Some(problem)))
}

fn try_open(path: &Path) -> Result<Connection, Fault> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Fault::OutOfReach(error.to_string()))?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if usize::try_from(version).is_ok_and(|version| version > MIGRATIONS.len()) {
        return Err(Fault::Newer(version));
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        tracing::warn!(mode, "the gallery's index is without a write-ahead log");
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(Fault::Damaged(check));
    }
    let version = usize::try_from(version).map_err(|_| Fault::Damaged(format!("version {version}")))?;
    migrate(&mut connection, version)?;
    // Another program's file under our name, or a database that may be read but not written.
    drop(connection.prepare("SELECT path, resting, deletion FROM entries LEFT JOIN deletions ON token = deletion")?);
    connection.execute("INSERT OR REPLACE INTO notes (name, value) VALUES ('opened', x'')", [])?;
    Ok(connection)
}

/// Each step is a transaction of its own, together with its number.
fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (version, step) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another window may have been here first.
        let now: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if usize::try_from(now).is_ok_and(|now| now <= version) {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version as i64 + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Renames the database and its logs to the first free name, and gives that.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let with = |path: &Path, ending: &str| {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let free = (1..=MOST_ASIDE).map(|number| with(path, &format!(".aside-{number}"))).find(|aside| !aside.exists());
    let aside = free.ok_or_else(|| std::io::Error::other("too many databases were set aside"))?;
    // The logs first: a log without its database is nothing, but one beside a fresh database would be played into it.
    for ending in ["-wal", "-shm"] {
        match std::fs::rename(with(path, ending), with(&aside, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_fresh_database_has_the_newest_version_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("数据").join("画廊.sqlite");
        for _ in 0..2 {
            let (connection, problem) = open(&path).unwrap();
            assert_eq!((version(&connection), problem), (MIGRATIONS.len() as i64, None));
        }
    }

    #[test]
    fn broken_foreign_and_newer_databases_are_set_aside_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画廊.sqlite");
        let make = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let mut number = 0;
        let mut check = |kind: ProblemKind| {
            number += 1;
            let before = std::fs::read(&path).unwrap();
            let (connection, problem) = open(&path).unwrap();
            let problem = problem.unwrap();
            assert_eq!((problem.kind, problem.severity), (kind, Severity::Warning), "{problem}");
            assert_eq!(version(&connection), MIGRATIONS.len() as i64);
            let aside = folder.path().join(format!("画廊.sqlite.aside-{number}"));
            assert_eq!(problem.arg("aside"), Some(aside.display().to_string().as_str()));
            let kept = std::fs::read(&aside).unwrap();
            assert!(kept == before || kept.len() == before.len(), "nothing is lost");
            drop(connection);
            std::fs::remove_file(&path).unwrap();
        };
        make("CREATE TABLE future (x); PRAGMA user_version = 99");
        check(ProblemKind::GalleryTooNew);
        make("CREATE TABLE entries (other); PRAGMA user_version = 1");
        check(ProblemKind::GalleryDamaged);
        make("PRAGMA user_version = -5");
        check(ProblemKind::GalleryDamaged);
        std::fs::write(&path, "这不是数据库，但足够长，看上去像一个文件。".repeat(100)).unwrap();
        check(ProblemKind::GalleryDamaged);
        drop(open(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[200..end].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        check(ProblemKind::GalleryDamaged);
    }

    #[test]
    fn a_place_that_cannot_be_written_gives_an_index_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("文件");
        std::fs::write(&file, "kept").unwrap();
        for path in [file.join("画廊.sqlite"), folder.path().to_path_buf()] {
            let (connection, problem) = open(&path).unwrap();
            assert_eq!(problem.unwrap().kind, ProblemKind::GalleryInMemory);
            assert_eq!(version(&connection), MIGRATIONS.len() as i64);
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    }
}
