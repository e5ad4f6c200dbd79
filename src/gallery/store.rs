//! [`Store`]: the index on the disk, its copy in memory, and the list of favourites, changed together.

use super::entry::{Entry, EntryId, Facts, Stamp, nanoseconds, path_from_bytes, path_to_bytes};
use super::favourites::{Favourites, hash_file};
use super::query::{Query, Shelf};
use super::schema;
use super::trash::{Bin, Resting};
use crate::base::{Extent, Problem, ProblemKind};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long a deletion can be undone from here; after that the files are the trash's alone.
const UNDONE_FOR: Duration = Duration::from_secs(60 * 24 * 3600);

const COLUMNS: &str = "id, path, modified, bytes, created, width, height, prompt, negative, model, sampler, seed, \
                       steps, guidance, source, favourite";

/// Names one deletion, to undo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub i64);

/// What became of a deletion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deletion {
    /// `None` if there is nothing that could be undone.
    pub token: Option<Token>,
    /// What is no longer in the gallery.
    pub ids: Vec<EntryId>,
    /// The folder beside the pictures where they rest, if the system's trash did not take them.
    pub held: Option<PathBuf>,
    pub problems: Vec<Problem>,
}

/// The index of one folder of pictures.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    database: PathBuf,
    folder: PathBuf,
    shelf: Shelf,
    favourites: Favourites,
    /// SQLite's number of the last change by others that the shelf has seen.
    seen: i64,
}

impl Store {
    /// Opens the index of `folder`, or a fresh one with the reason; see `schema::open`. The folder need not be there.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] and [`ProblemKind::Unwritable`] if the database fails.
    pub fn open(database: &Path, folder: &Path) -> Result<(Self, Option<Problem>), Problem> {
        let (connection, problem) = schema::open(database)?;
        let with = |connection| Self {
            connection,
            database: database.to_path_buf(),
            folder: folder.to_path_buf(),
            shelf: Shelf::default(),
            favourites: Favourites::read(folder).unwrap_or_default(),
            seen: 0,
        };
        let mut store = with(connection);
        match store.forget_old_deletions().and_then(|()| store.reload()) {
            Ok(()) => Ok((store, problem)),
            // The check at the opening does not see everything: rows of impossible values, say.
            Err(failure) if failure.kind == ProblemKind::Internal => {
                drop(store);
                let (connection, problem) =
                    schema::replace(database, ProblemKind::GalleryDamaged, failure.to_string())?;
                let mut store = with(connection);
                store.reload()?;
                Ok((store, problem))
            }
            Err(failure) => Err(failure),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn len(&self) -> usize {
        self.shelf.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shelf.len() == 0
    }

    /// The ids of the entries that fit, in order.
    pub fn find(&self, query: &Query) -> Vec<EntryId> {
        self.shelf.find(query)
    }

    /// The models and how many pictures each has made, by name.
    pub fn models(&self) -> Vec<(String, usize)> {
        self.shelf.models()
    }

    /// The entry; `None` if it is not in the folder any more.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] if the database fails.
    pub fn entry(&self, id: EntryId) -> Result<Option<Entry>, Problem> {
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE id = ? AND deletion IS NULL");
        let read = || self.connection.prepare_cached(&sql)?.query_row([id.0], entry_of).optional();
        Ok(read().map_err(|e| self.failed(e))?.flatten())
    }

    /// Those of the entries that are still there, in the order asked for.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] if the database fails.
    pub fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>, Problem> {
        let entries = ids.iter().map(|id| self.entry(*id));
        entries.filter_map(Result::transpose).collect()
    }

    /// Path, id and stamp of everything in the index.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] if the database fails.
    pub fn stamps(&self) -> Result<HashMap<PathBuf, (EntryId, Stamp)>, Problem> {
        let read = || {
            let sql = "SELECT id, path, modified, bytes FROM entries WHERE deletion IS NULL";
            let mut statement = self.connection.prepare_cached(sql)?;
            let stamp = |row: &Row<'_>| {
                let stamp = Stamp { modified: row.get(2)?, bytes: number(row, 3)? };
                let id = EntryId(row.get(0)?);
                Ok(path_of(row, 1)?.map(|path| (path, (id, stamp))))
            };
            statement.query_map([], stamp)?.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Puts files into the index, in place of what it had for their paths, in one transaction. A new file is a
    /// favourite if the list says so; a changed one stays what it was.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] and [`ProblemKind::Unwritable`] if the database fails; nothing is put then.
    pub fn put(&mut self, batch: Vec<Facts>) -> Result<Vec<EntryId>, Problem> {
        let mut list = self.favourites.clone();
        let put = || {
            let transaction = begin(&self.connection)?;
            let mut entries = Vec::with_capacity(batch.len());
            for facts in batch {
                let before: Option<(i64, bool)> = transaction
                    .prepare_cached("SELECT id, favourite FROM entries WHERE path = ? AND deletion IS NULL")?
                    .query_row([path_to_bytes(&facts.path)], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let hash = match before {
                    Some((_, true)) => hash_file(&self.folder.join(&facts.path)).ok(),
                    Some((_, false)) => None,
                    None => list.recognise(&self.folder, &facts.path, facts.stamp.bytes),
                };
                if let Some(hash) = hash {
                    list.insert(&self.folder, &facts.path, facts.stamp.bytes, hash);
                }
                let favourite = before.map_or(hash.is_some(), |(_, favourite)| favourite);
                let id = write(&transaction, before.map(|(id, _)| id), &facts, favourite)?;
                entries.push(Entry { id, facts, favourite });
            }
            transaction.commit()?;
            Ok(entries)
        };
        let entries = put().map_err(|e| self.failed(e))?;
        entries.iter().for_each(|entry| self.shelf.put(entry));
        // What is not written now is found out again by the content.
        if list != self.favourites {
            match list.write(&self.folder) {
                Ok(()) => self.note_list(list)?,
                Err(problem) => tracing::warn!(%problem, "the list of favourites is not up to date"),
            }
        }
        Ok(entries.into_iter().map(|entry| entry.id).collect())
    }

    /// Takes entries out of the index whose files are gone.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove(&mut self, ids: &[EntryId]) -> Result<(), Problem> {
        let remove = || {
            let transaction = begin(&self.connection)?;
            for id in ids {
                let sql = "DELETE FROM entries WHERE id = ? AND deletion IS NULL";
                transaction.prepare_cached(sql)?.execute([id.0])?;
            }
            transaction.commit()
        };
        remove().map_err(|e| self.failed(e))?;
        ids.iter().for_each(|id| self.shelf.remove(*id));
        Ok(())
    }

    /// Marks or unmarks favourites, in the list beside the pictures and in the index.
    ///
    /// # Errors
    /// [`ProblemKind::Unwritable`] if the list cannot be written, [`ProblemKind::Unreadable`] if one of the pictures
    /// cannot be read: the index alone holds the mark then, and a rebuilt one would not.
    pub fn set_favourite(&mut self, ids: &[EntryId], favourite: bool) -> Result<(), Problem> {
        let mut list = Favourites::read(&self.folder).unwrap_or_else(|| self.favourites.clone());
        let mut problem = self.complete(&mut list).err();
        for entry in self.entries(ids)? {
            let Facts { path, stamp, .. } = &entry.facts;
            let file = self.folder.join(path);
            match hash_file(&file) {
                _ if !favourite => list.remove(path),
                Ok(hash) => list.insert(&self.folder, path, stamp.bytes, hash),
                Err(error) => problem = Some(Problem::new(ProblemKind::Unreadable).at(&file).detail(error)),
            }
        }
        // The list goes to the disk before the index, and the index's note of it last: after a crash between them the
        // list is taken up again.
        let written = list.write(&self.folder);
        self.mark(&ids.iter().map(|id| (*id, favourite)).collect::<Vec<_>>())?;
        match written {
            Ok(()) => self.note_list(list)?,
            Err(unwritten) => problem = Some(unwritten),
        }
        problem.map_or(Ok(()), Err)
    }

    /// Takes up a list of favourites that was changed by others (another computer, another window) since it was last
    /// seen. A list that is absent changes nothing.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn take_up_favourites(&mut self) -> Result<(), Problem> {
        let Some(list) = Favourites::read(&self.folder) else {
            return Ok(());
        };
        let note = "SELECT value FROM notes WHERE name = 'favourites'";
        let seen: Option<Vec<u8>> =
            self.connection.query_row(note, [], |row| row.get(0)).optional().map_err(|e| self.failed(e))?;
        if seen.as_deref() == Some(&list.digest()[..]) {
            self.favourites = list;
            return Ok(());
        }
        let marked = self.marked()?;
        let mut changes = Vec::new();
        for (path, (id, Stamp { bytes, .. })) in self.stamps()? {
            let before = marked.contains_key(&id);
            // What is marked and on the list needs no reading.
            let now = (before && list.lists(&path, bytes)) || list.recognise(&self.folder, &path, bytes).is_some();
            if now != before {
                changes.push((id, now));
            }
        }
        self.mark(&changes)?;
        self.note_list(list)
    }

    /// Moves the files into the trash and the entries out of sight. What cannot be moved stays.
    ///
    /// # Errors
    /// As [`Self::put`]; files may have been moved already, and are found in the trash.
    pub fn delete(&mut self, ids: &[EntryId], bin: &Bin) -> Result<Deletion, Problem> {
        let entries = self.entries(ids)?;
        let files: Vec<PathBuf> = entries.iter().map(|entry| self.folder.join(&entry.facts.path)).collect();
        let results = bin.discard(&files);
        let mut deletion = Deletion::default();
        let write = || {
            let transaction = begin(&self.connection)?;
            transaction.execute("INSERT INTO deletions (time) VALUES (?)", [nanoseconds(SystemTime::now())])?;
            let token = transaction.last_insert_rowid();
            for (entry, result) in entries.iter().zip(results) {
                match result {
                    Ok(Some(resting)) => {
                        let sql = "UPDATE entries SET deletion = ?, trash = ?, resting = ? WHERE id = ?";
                        let (trash, place) = resting.to_record();
                        transaction.prepare_cached(sql)?.execute(params![token, trash, place, entry.id.0])?;
                        deletion.token = Some(Token(token));
                        if let Resting::Held(_) = resting {
                            deletion.held = Some(bin.holding_folder());
                        }
                    }
                    Ok(None) => {
                        transaction.prepare_cached("DELETE FROM entries WHERE id = ?")?.execute([entry.id.0])?;
                    }
                    Err(problem) => {
                        deletion.problems.push(problem);
                        continue;
                    }
                }
                deletion.ids.push(entry.id);
            }
            transaction.commit()
        };
        write().map_err(|e| self.failed(e))?;
        deletion.ids.iter().for_each(|id| self.shelf.remove(*id));
        Ok(deletion)
    }

    /// Brings the files of a deletion back, with their entries as they were: id, favourite and all. If another file
    /// has taken a place meanwhile, the old one comes back under a name beside it. Gives the ids, and a problem for
    /// each file that is not to be had; those can be tried again.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn restore(&mut self, token: Token, bin: &Bin) -> Result<(Vec<EntryId>, Vec<Problem>), Problem> {
        let read = || {
            let sql = format!("SELECT {COLUMNS}, trash, resting FROM entries WHERE deletion = ?");
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map([token.0], |row| {
                let (trash, place): (String, Vec<u8>) = (row.get("trash")?, row.get("resting")?);
                Ok(entry_of(row)?.zip(Resting::from_record(&trash, &place)))
            })?;
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()
        };
        let deleted = read().map_err(|e| self.failed(e))?;
        let (mut ids, mut problems) = (Vec::new(), Vec::new());
        for (mut entry, resting) in deleted {
            let file = match bin.bring_back(&resting, &self.folder.join(&entry.facts.path)) {
                Ok(file) => file,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            if let Ok(path) = file.strip_prefix(&self.folder) {
                entry.facts.path = path.to_path_buf();
            }
            if let Ok(metadata) = std::fs::metadata(&file) {
                entry.facts.stamp = Stamp::of(&metadata);
            }
            let write = || {
                let transaction = begin(&self.connection)?;
                let path = path_to_bytes(&entry.facts.path);
                let stale: Option<i64> = transaction
                    .prepare_cached("SELECT id FROM entries WHERE path = ? AND deletion IS NULL")?
                    .query_row([&path], |row| row.get(0))
                    .optional()?;
                transaction.execute("DELETE FROM entries WHERE path = ? AND deletion IS NULL", [&path])?;
                write(&transaction, Some(entry.id.0), &entry.facts, entry.favourite)?;
                let sql = "UPDATE entries SET deletion = NULL, trash = NULL, resting = NULL WHERE id = ?";
                transaction.execute(sql, [entry.id.0])?;
                transaction.commit()?;
                Ok(stale)
            };
            if let Some(stale) = write().map_err(|e| self.failed(e))? {
                self.shelf.remove(EntryId(stale));
            }
            self.shelf.put(&entry);
            ids.push(entry.id);
        }
        Ok((ids, problems))
    }

    /// Reads again what another window has written since.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] if the database fails.
    pub fn catch_up(&mut self) -> Result<(), Problem> {
        if self.data_version()? == self.seen { Ok(()) } else { self.reload() }
    }

    /// Reads everything from the database again.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] if the database fails.
    pub fn reload(&mut self) -> Result<(), Problem> {
        let seen = self.data_version()?;
        let mut shelf = Shelf::default();
        let mut read = || {
            let sql = format!("SELECT {COLUMNS} FROM entries WHERE deletion IS NULL");
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(entry) = entry_of(row)? {
                    shelf.put(&entry);
                }
            }
            Ok(())
        };
        read().map_err(|e| self.failed(e))?;
        (self.shelf, self.seen) = (shelf, seen);
        Ok(())
    }

    /// Ids and paths of the marked entries.
    fn marked(&self) -> Result<HashMap<EntryId, (PathBuf, u64)>, Problem> {
        let read = || {
            let sql = "SELECT id, path, bytes FROM entries WHERE favourite AND deletion IS NULL";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let bytes = number(row, 2)?;
                let id = EntryId(row.get(0)?);
                Ok(path_of(row, 1)?.map(|path| (id, (path, bytes))))
            })?;
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Adds to the list what the index has marked and the list lacks: the list was lost, or could not be written once.
    fn complete(&self, list: &mut Favourites) -> Result<(), Problem> {
        for (path, bytes) in self.marked()?.into_values() {
            if !list.lists(&path, bytes)
                && let Ok(hash) = hash_file(&self.folder.join(&path))
            {
                list.insert(&self.folder, &path, bytes, hash);
            }
        }
        Ok(())
    }

    /// Writes the marks of the index alone.
    fn mark(&mut self, changes: &[(EntryId, bool)]) -> Result<(), Problem> {
        let write = || {
            let transaction = begin(&self.connection)?;
            for (id, favourite) in changes {
                let sql = "UPDATE entries SET favourite = ? WHERE id = ?";
                transaction.prepare_cached(sql)?.execute(params![favourite, id.0])?;
            }
            transaction.commit()
        };
        write().map_err(|e| self.failed(e))?;
        changes.iter().for_each(|(id, favourite)| self.shelf.set_favourite(*id, *favourite));
        Ok(())
    }

    /// Takes the list for the one that the index agrees with.
    fn note_list(&mut self, list: Favourites) -> Result<(), Problem> {
        let sql = "INSERT OR REPLACE INTO notes (name, value) VALUES ('favourites', ?)";
        self.connection.execute(sql, [&list.digest()[..]]).map_err(|e| self.failed(e))?;
        self.favourites = list;
        Ok(())
    }

    fn forget_old_deletions(&mut self) -> Result<(), Problem> {
        let oldest = nanoseconds(SystemTime::now().checked_sub(UNDONE_FOR).unwrap_or(SystemTime::UNIX_EPOCH));
        let forget = || {
            let transaction = begin(&self.connection)?;
            let old = "SELECT token FROM deletions WHERE time < ?";
            transaction.execute(&format!("DELETE FROM entries WHERE deletion IN ({old})"), [oldest])?;
            transaction.execute("DELETE FROM deletions WHERE time < ?", [oldest])?;
            transaction.commit()
        };
        forget().map_err(|e| self.failed(e))
    }

    fn data_version(&self) -> Result<i64, Problem> {
        let read = self.connection.query_row("PRAGMA data_version", [], |row| row.get(0));
        read.map_err(|e| self.failed(e))
    }

    fn failed(&self, error: rusqlite::Error) -> Problem {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::DatabaseBusy) => {
                ProblemKind::Unwritable
            }
            _ => ProblemKind::Internal,
        };
        Problem::new(kind).at(&self.database).detail(error)
    }
}

/// A transaction that writes: it waits for another window's at the beginning, where waiting helps.
fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

/// Inserts a row, or writes over the one with the id.
fn write(connection: &Connection, id: Option<i64>, facts: &Facts, favourite: bool) -> rusqlite::Result<EntryId> {
    let path = path_to_bytes(&facts.path);
    let bytes = i64::try_from(facts.stamp.bytes).unwrap_or(i64::MAX);
    // SQLite has no unsigned numbers: the seed's bits are kept.
    let seed = facts.seed.map(u64::cast_signed);
    let values: [&dyn ToSql; 15] = [
        &path,
        &facts.stamp.modified,
        &bytes,
        &facts.created,
        &facts.extent.width,
        &facts.extent.height,
        &facts.prompt,
        &facts.negative,
        &facts.model,
        &facts.sampler,
        &seed,
        &facts.steps,
        &facts.guidance,
        &facts.source,
        &favourite,
    ];
    match id {
        None => {
            let sql = "INSERT INTO entries (path, modified, bytes, created, width, height, prompt, negative, model, \
                       sampler, seed, steps, guidance, source, favourite) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
            connection.prepare_cached(sql)?.execute(&values[..])?;
            Ok(EntryId(connection.last_insert_rowid()))
        }
        Some(id) => {
            let sql = "UPDATE entries SET path=?, modified=?, bytes=?, created=?, width=?, height=?, prompt=?, \
                       negative=?, model=?, sampler=?, seed=?, steps=?, guidance=?, source=?, favourite=? WHERE id=?";
            let values: Vec<&dyn ToSql> = values.into_iter().chain([&id as &dyn ToSql]).collect();
            connection.prepare_cached(sql)?.execute(&values[..])?;
            Ok(EntryId(id))
        }
    }
}

/// The entry of a row of [`COLUMNS`]; `None` if its path is none.
fn entry_of(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let Some(path) = path_of(row, 1)? else {
        return Ok(None);
    };
    let facts = Facts {
        path,
        stamp: Stamp { modified: row.get(2)?, bytes: number(row, 3)? },
        created: row.get(4)?,
        extent: Extent::new(row.get(5)?, row.get(6)?),
        prompt: row.get(7)?,
        negative: row.get(8)?,
        model: row.get(9)?,
        sampler: row.get(10)?,
        seed: row.get::<_, Option<i64>>(11)?.map(i64::cast_unsigned),
        steps: row.get(12)?,
        guidance: row.get(13)?,
        source: row.get(14)?,
    };
    Ok(Some(Entry { id: EntryId(row.get(0)?), facts, favourite: row.get(15)? }))
}

fn path_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<PathBuf>> {
    Ok(row.get_ref(column)?.as_bytes().ok().and_then(path_from_bytes))
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}
