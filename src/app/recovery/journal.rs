//! A file that only grows: blobs, and states that refer to them. What is in it up to a state stays readable whatever
//! happens to the writing of the next one.
//!
//! The file begins with [`MAGIC`]. Then come records of a head of 16 bytes (kind, three zeros, length as u32, the first
//! eight bytes of the SHA-256 of kind, length and content; little-endian) and the content. A blob is told by the offset
//! of its head. A record that ends early, or whose sum is wrong, ends what can be read there.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"DQJRNL\x01\n";
const HEAD: u64 = 16;
const BLOB: u8 = 1;
const STATE: u8 = 2;
/// The longest record that is written or believed, in bytes.
const LONGEST: u32 = 64 << 20;

/// What a journal is written to: a file, or in tests one that fails.
pub trait Store: Write {
    /// Returns when everything is safe on the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the end off; the next write goes there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Store for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(|_| ())
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Journal<S> {
    store: S,
    /// Up to the last state.
    safe: u64,
    end: u64,
    /// A failed write could not be cut off: nothing may follow it.
    broken: bool,
}

impl<S: Store> Journal<S> {
    /// Begins a journal in an empty store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn begin(mut store: S) -> io::Result<Self> {
        store.write_all(MAGIC)?;
        let end = MAGIC.len() as u64;
        Ok(Self { store, safe: end, end, broken: false })
    }

    /// Bytes written so far, up to the last state.
    pub const fn length(&self) -> u64 {
        self.safe
    }

    /// Appends what `fill` writes as blobs, then the state that it returns, and makes all of it safe. If anything fails,
    /// the journal is as it was before.
    ///
    /// # Errors
    /// Those of the store and of `fill`. Once a failed write could not be cut off, every further one fails.
    pub fn commit(&mut self, fill: impl FnOnce(&mut Blobs<'_, S>) -> io::Result<Vec<u8>>) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier failure could not be undone"));
        }
        let written = self.append_all(fill);
        if written.is_ok() {
            self.safe = self.end;
        } else {
            self.end = self.safe;
            self.broken = self.store.cut(self.safe).is_err();
        }
        written
    }

    fn append_all(&mut self, fill: impl FnOnce(&mut Blobs<'_, S>) -> io::Result<Vec<u8>>) -> io::Result<()> {
        let end = {
            let mut blobs = Blobs { writer: BufWriter::with_capacity(1 << 18, &mut self.store), end: self.end };
            let state = fill(&mut blobs)?;
            blobs.append(STATE, &state)?;
            blobs.writer.flush()?;
            blobs.end
        };
        self.store.sync()?;
        self.end = end;
        Ok(())
    }
}

/// Takes the blobs of one commit.
#[derive(Debug)]
pub struct Blobs<'a, S: Write> {
    writer: BufWriter<&'a mut S>,
    end: u64,
}

impl<S: Write> Blobs<'_, S> {
    /// Appends a blob and gives the offset by which the state may refer to it.
    ///
    /// # Errors
    /// Those of the store, and [`io::ErrorKind::InvalidInput`] for a blob beyond 64 MiB.
    pub fn add(&mut self, blob: &[u8]) -> io::Result<u64> {
        self.append(BLOB, blob)
    }

    fn append(&mut self, kind: u8, content: &[u8]) -> io::Result<u64> {
        let length = u32::try_from(content.len()).ok().filter(|&length| length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a record is too long"))?;
        self.writer.write_all(&[kind, 0, 0, 0])?;
        self.writer.write_all(&length.to_le_bytes())?;
        self.writer.write_all(&sum(kind, content))?;
        self.writer.write_all(content)?;
        let at = self.end;
        self.end += HEAD + u64::from(length);
        Ok(at)
    }
}

fn sum(kind: u8, content: &[u8]) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update([kind]);
    hash.update((content.len() as u64).to_le_bytes());
    hash.update(content);
    let mut first = [0; 8];
    first.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    first
}

/// The reading end.
#[derive(Debug)]
pub struct Pages {
    file: BufReader<File>,
    length: u64,
    /// Offsets of the states, oldest first.
    states: Vec<u64>,
}

impl Pages {
    /// Opens a journal and finds its states; none in a file that is no journal or has no whole state.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut pages = Self { file: BufReader::new(file), length, states: Vec::new() };
        let mut magic = Vec::new();
        (&mut pages.file).take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        let mut at = MAGIC.len() as u64;
        while magic == MAGIC
            && let Some((kind, size, _)) = pages.head(at)?
        {
            if kind == STATE {
                pages.states.push(at);
            }
            at += HEAD + u64::from(size);
        }
        Ok(pages)
    }

    /// The newest state that `read` makes sense of, tried from the newest to the oldest.
    pub fn newest<T>(&mut self, mut read: impl FnMut(&mut Self, &[u8]) -> io::Result<T>) -> Option<T> {
        let states = self.states.clone();
        states.into_iter().rev().find_map(|at| {
            let state = self.content(at, STATE).ok()?;
            match read(self, &state) {
                Ok(found) => Some(found),
                Err(error) => {
                    tracing::warn!(%error, at, "a state of the journal is damaged");
                    None
                }
            }
        })
    }

    /// The blob at an offset.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if none is there or it is damaged.
    pub fn blob(&mut self, at: u64) -> io::Result<Vec<u8>> {
        self.content(at, BLOB)
    }

    fn content(&mut self, at: u64, wanted: u8) -> io::Result<Vec<u8>> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("no whole record at {at}"));
        let (kind, size, expected) = self.head(at)?.ok_or_else(damaged)?;
        let mut content = vec![0; size as usize];
        self.file.read_exact(&mut content)?;
        if kind != wanted || sum(kind, &content) != expected {
            return Err(damaged());
        }
        Ok(content)
    }

    /// Kind, length and sum of the record at an offset; `None` if it makes no sense or does not end before the file.
    fn head(&mut self, at: u64) -> io::Result<Option<(u8, u32, [u8; 8])>> {
        if at.checked_add(HEAD).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let here = self.file.stream_position()?;
        match i64::try_from(i128::from(at) - i128::from(here)) {
            Ok(distance) => self.file.seek_relative(distance)?,
            Err(_) => return Ok(None),
        }
        let mut head = [0; HEAD as usize];
        self.file.read_exact(&mut head)?;
        let [kind @ (BLOB | STATE), 0, 0, 0, a, b, c, d, expected @ ..] = head else { return Ok(None) };
        let size = u32::from_le_bytes([a, b, c, d]);
        let whole = size <= LONGEST && at + HEAD + u64::from(size) <= self.length;
        Ok(whole.then_some((kind, size, expected)))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::PathBuf;

    /// A file on a disk that has room for so many bytes.
    #[derive(Debug)]
    pub struct Full {
        pub file: File,
        pub room: u64,
        /// Not even cutting works.
        pub stuck: bool,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room as usize);
            if fits == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= fits as u64;
            self.file.write(&bytes[..fits])
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Store for Full {
        fn sync(&mut self) -> io::Result<()> {
            self.file.sync()
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            if self.stuck {
                return Err(io::Error::other("stuck"));
            }
            self.room += self.file.metadata()?.len().saturating_sub(length);
            self.file.cut(length)
        }
    }

    /// State `k` has one blob, of `k` bytes, and says where it is.
    fn commit<S: Store>(journal: &mut Journal<S>, k: u8) -> io::Result<()> {
        journal.commit(|blobs| {
            let at = blobs.add(&vec![k; usize::from(k)])?;
            Ok([&[k], at.to_le_bytes().as_slice()].concat())
        })
    }

    fn newest(path: &Path) -> Option<u8> {
        Pages::open(path).unwrap().newest(|pages, state| {
            let (k, at) = state.split_first().unwrap();
            let blob = pages.blob(u64::from_le_bytes(at.try_into().unwrap()))?;
            assert_eq!(blob, vec![*k; usize::from(*k)]);
            Ok(*k)
        })
    }

    /// A journal of states 1 to `count`, and where each ends.
    fn journal(folder: &Path, count: u8) -> (PathBuf, Vec<u64>) {
        let path = folder.join("日志");
        let mut journal = Journal::begin(File::create(&path).unwrap()).unwrap();
        let ends = (1..=count).map(|k| commit(&mut journal, k).map(|()| journal.length()).unwrap()).collect();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), journal.length());
        (path, ends)
    }

    #[test]
    fn cut_anywhere_the_last_whole_state_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (path, ends) = journal(folder.path(), 9);
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let whole = ends.iter().filter(|&&end| end <= length as u64).count() as u8;
            assert_eq!(newest(&path), (whole > 0).then_some(whole), "cut to {length}");
        }
    }

    #[test]
    fn a_full_disk_costs_the_new_state_only_and_room_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("日志");
        for room in 0..200 {
            let full = Full { file: File::create(&path).unwrap(), room: 70 + room, stuck: false };
            let mut journal = Journal::begin(full).unwrap();
            commit(&mut journal, 1).unwrap();
            let second = commit(&mut journal, 99).is_ok();
            assert_eq!(newest(&path), Some(if second { 99 } else { 1 }));
            journal.store.room = 1 << 20;
            commit(&mut journal, 3).unwrap();
            assert_eq!(newest(&path), Some(3));
        }
    }

    #[test]
    fn a_failure_that_cannot_be_undone_ends_the_journal_and_not_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("日志");
        let full = Full { file: File::create(&path).unwrap(), room: 90, stuck: true };
        let mut journal = Journal::begin(full).unwrap();
        commit(&mut journal, 1).unwrap();
        assert!(commit(&mut journal, 200).is_err());
        journal.store.room = 1 << 20;
        assert!(commit(&mut journal, 3).is_err());
        assert_eq!(newest(&path), Some(1));
    }

    #[test]
    fn what_is_no_journal_has_no_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画");
        for bytes in [b"".as_slice(), b"DQ", b"something else entirely, long enough", MAGIC] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(newest(&path), None);
        }
        assert!(Pages::open(&folder.path().join("无")).is_err());
        let (path, _) = journal(folder.path(), 1);
        let mut pages = Pages::open(&path).unwrap();
        for at in [0, 1, 9, 1 << 40, u64::MAX] {
            assert!(pages.blob(at).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_flipped_byte_never_gives_what_was_not_written(at in 0usize..400, bit in 0u8..8) {
            let folder = tempfile::tempdir().unwrap();
            let (path, _) = journal(folder.path(), 9);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            std::fs::write(&path, &bytes).unwrap();
            // The blobs are compared inside.
            prop_assert!(newest(&path).is_none_or(|k| (1..=9).contains(&k)));
        }
    }
}
