//! Which pictures are favourites: a text file beside them, `.danqing-favourites`, so that it outlives the index and
//! travels with the folder.
//!
//! A line is `SHA-256 of the file, its length, its path`; bytes of the path other than visible ASCII, Chinese and the
//! like are kept as `%XX`. A picture is a favourite if a line has its content and its path, or has its content and a
//! path where nothing lies any more: so favourites may be renamed, a copy of one is not a favourite by itself, and a
//! new picture under an old name is none either. Only files whose length is in the list are ever hashed.

use super::entry::{path_from_bytes, path_to_bytes};
use crate::base::Problem;
use crate::base::files::write_atomically;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Name of the file in the pictures folder.
pub const FILE: &str = ".danqing-favourites";
/// A longer file is not ours, in bytes.
const LONGEST: u64 = 64 << 20;

pub type Hash = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    hash: Hash,
    bytes: u64,
    path: PathBuf,
}

/// The list, as it was last read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Favourites {
    lines: Vec<Line>,
}

impl Favourites {
    /// Reads the list of a folder; `None` if there is none or it cannot be read. Lines that are damaged are passed over.
    pub fn read(folder: &Path) -> Option<Self> {
        let mut text = Vec::new();
        File::open(folder.join(FILE)).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        Some(Self { lines: text.lines().filter_map(line_from_text).collect() })
    }

    /// Writes the list over the folder's.
    ///
    /// # Errors
    /// Those of [`write_atomically`].
    pub fn write(&self, folder: &Path) -> Result<(), Problem> {
        let text: String = self.lines.iter().map(line_to_text).collect();
        write_atomically(&folder.join(FILE), |writer| writer.write_all(text.as_bytes()))
    }

    /// What stands for this list in the index's notes.
    pub fn digest(&self) -> Hash {
        let text: String = self.lines.iter().map(line_to_text).collect();
        Sha256::digest(text.as_bytes()).into()
    }

    /// Puts a file on the list, in place of what the list had for its path, and of lines for the same content under
    /// paths where nothing lies any more: the picture was renamed.
    pub fn insert(&mut self, folder: &Path, path: &Path, bytes: u64, hash: Hash) {
        let gone = |line: &Line| !folder.join(&line.path).try_exists().unwrap_or(true);
        self.lines.retain(|line| line.path != path && !(line.hash == hash && gone(line)));
        self.lines.push(Line { hash, bytes, path: path.to_path_buf() });
    }

    /// Takes a path off the list.
    pub fn remove(&mut self, path: &Path) {
        self.lines.retain(|line| line.path != path);
    }

    /// Whether the file `folder/path` of this length is on the list; its hash if it is. Reads the file only if a line
    /// has its length and could be meant for it.
    pub fn recognise(&self, folder: &Path, path: &Path, bytes: u64) -> Option<Hash> {
        let meant = |line: &&Line| {
            line.bytes == bytes && (line.path == path || !folder.join(&line.path).try_exists().unwrap_or(true))
        };
        let candidates: Vec<&Line> = self.lines.iter().filter(meant).collect();
        if candidates.is_empty() {
            return None;
        }
        let hash = hash_file(&folder.join(path)).ok()?;
        candidates.iter().any(|line| line.hash == hash).then_some(hash)
    }

    /// Whether a line is for this path and length, whatever the content.
    pub fn lists(&self, path: &Path, bytes: u64) -> bool {
        self.lines.iter().any(|line| line.bytes == bytes && line.path == path)
    }
}

/// SHA-256 of a file's content.
///
/// # Errors
/// Those of reading it.
pub fn hash_file(path: &Path) -> std::io::Result<Hash> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn line_to_text(line: &Line) -> String {
    let hash: String = line.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hash} {} {}\n", line.bytes, escaped(&path_to_bytes(&line.path)))
}

fn line_from_text(text: &str) -> Option<Line> {
    let mut parts = text.splitn(3, ' ');
    let hash = parts.next()?;
    if hash.len() != 64 || !hash.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hash.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    let length = parts.next()?.parse().ok()?;
    Some(Line { hash: bytes, bytes: length, path: path_from_bytes(&unescaped(parts.next()?)?)? })
}

/// Readable where the bytes are text.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('%') {
        bytes.extend(plain.bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend(rest.bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_and_path_decide() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, words: &str| std::fs::write(folder.path().join(name), words).unwrap();
        write("画.png", "山水");
        write("副本.png", "山水");
        let hash = hash_file(&folder.path().join("画.png")).unwrap();
        let mut favourites = Favourites::default();
        favourites.insert(folder.path(), Path::new("画.png"), 6, hash);
        favourites.write(folder.path()).unwrap();
        let favourites = Favourites::read(folder.path()).unwrap();
        let known = |name: &str| favourites.recognise(folder.path(), Path::new(name), 6).is_some();
        assert!(known("画.png") && !known("副本.png"), "a copy is not a favourite by itself");
        std::fs::rename(folder.path().join("画.png"), folder.path().join("改名.png")).unwrap();
        assert!(known("改名.png"), "a renamed one is");
        write("画.png", "花鸟");
        assert!(!known("画.png"), "another picture under the old name is not");
    }

    #[test]
    fn damaged_lines_cost_only_themselves() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Favourites::read(folder.path()), None);
        let good = format!("{} 6 竹 石/墨%25.png", "ab".repeat(32));
        let text = format!("\u{fffd}\n{good}\nab 6 x\n{} 6 ../x.png\n{} -6 x.png\n", "0".repeat(64), "é".repeat(32));
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let read = Favourites::read(folder.path()).unwrap();
        assert!(read.lines.len() == 1 && read.lists(Path::new("竹 石/墨%.png"), 6), "{read:?}");
    }

    proptest! {
        #[test]
        fn every_path_survives_as_text(bytes: Vec<u8>) {
            let text = escaped(&bytes);
            prop_assert!(text.lines().count() <= 1);
            prop_assert_eq!(unescaped(&text), Some(bytes));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            line_from_text(&text);
        }
    }
}
