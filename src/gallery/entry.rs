//! [`Entry`]: what the gallery knows of one picture file, and [`Facts`]: what the file itself says.

use crate::base::Extent;
use crate::imaging::read::read_extent;
use crate::recipe::metadata::{ReadRecipe, from_file};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names an entry for as long as the index lives; never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub i64);

/// By what a changed file is known, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// Length of the file.
    pub bytes: u64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().map_or(0, nanoseconds), bytes: metadata.len() }
    }
}

/// What a file says of itself; everything here can be had again from the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Relative to the pictures folder.
    pub path: PathBuf,
    pub stamp: Stamp,
    /// Nanoseconds since 1970: the earlier of the file's birth and its last change, since copying a file moves the
    /// one and editing moves the other.
    pub created: i64,
    /// 0×0 if the file's head cannot be understood.
    pub extent: Extent,
    pub prompt: String,
    pub negative: String,
    pub model: Option<String>,
    /// The sampler's title, or another program's name for one that is not ours.
    pub sampler: Option<String>,
    pub seed: Option<u64>,
    pub steps: Option<u32>,
    pub guidance: Option<f64>,
    /// The program whose metadata was read; empty if there was none.
    pub source: String,
}

/// One picture of the gallery.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub id: EntryId,
    pub facts: Facts,
    pub favourite: bool,
}

/// An entry together with everything that its file tells, read anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    pub entry: Entry,
    /// The whole path.
    pub file: PathBuf,
    /// `None` if the file says nothing of its making.
    pub recipe: Option<ReadRecipe>,
}

impl Facts {
    /// Reads the head and the metadata of `folder/path`. A file that is no picture, or only half of one, gives an
    /// empty extent: it is shown as broken and read again when it changes.
    ///
    /// # Errors
    /// Those of the file system, if the file's metadata cannot be had.
    pub fn read(folder: &Path, path: PathBuf) -> std::io::Result<Self> {
        let file = folder.join(&path);
        let metadata = std::fs::metadata(&file)?;
        let stamp = Stamp::of(&metadata);
        let born = metadata.created().map_or(stamp.modified, nanoseconds);
        let extent = read_extent(&file).unwrap_or(Extent::new(0, 0));
        let recipe = from_file(&file).ok().flatten().unwrap_or_default();
        let foreign = recipe.extra.iter().find(|(key, _)| key.eq_ignore_ascii_case("sampler")).map(|(_, v)| v.clone());
        Ok(Self {
            path,
            stamp,
            created: born.min(stamp.modified),
            extent,
            prompt: recipe.prompt,
            negative: recipe.negative,
            model: recipe.model,
            sampler: recipe.sampler.map(|s| s.title().to_owned()).or(foreign),
            seed: recipe.seed,
            steps: recipe.steps,
            guidance: recipe.guidance,
            source: recipe.source.to_owned(),
        })
    }

    /// True if the file's head could not be understood.
    pub const fn is_broken(&self) -> bool {
        self.extent.is_empty()
    }
}

/// True for the endings of pictures that the gallery shows, and for names that are not hidden.
pub fn is_picture_name(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let known = |ending: &OsStr| ["png", "jpg", "jpeg", "webp"].iter().any(|e| ending.eq_ignore_ascii_case(e));
    !hidden && path.extension().is_some_and(known)
}

/// Nanoseconds since 1970, negative before; the ends of the range stand for what lies beyond.
pub fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}

/// Marks a name in UTF-16 units; no UTF-8 begins with it.
#[cfg(not(unix))]
const UNITS: u8 = 0xff;

/// A name of the system as bytes that lose nothing: as it is on Unix; elsewhere as UTF-8, or where that is not possible
/// as UTF-16 after a byte 0xff.
pub fn name_to_bytes(name: &OsStr) -> Vec<u8> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        name.as_bytes().to_vec()
    }
    #[cfg(not(unix))]
    {
        use std::os::windows::ffi::OsStrExt;
        match name.to_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => std::iter::once(UNITS).chain(name.encode_wide().flat_map(u16::to_le_bytes)).collect(),
        }
    }
}

/// The way back from [`name_to_bytes`]; `None` for bytes that do not come from there.
pub fn name_from_bytes(bytes: &[u8]) -> Option<OsString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(OsStr::from_bytes(bytes).to_owned())
    }
    #[cfg(not(unix))]
    {
        use std::os::windows::ffi::OsStringExt;
        match bytes.strip_prefix(&[UNITS]) {
            None => Some(std::str::from_utf8(bytes).ok()?.into()),
            Some(units) => {
                let units: Vec<u16> = units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
                Some(OsString::from_wide(&units))
            }
        }
    }
}

/// A path below a folder as bytes that lose nothing; its parts are joined by `/` wherever they are UTF-8.
pub fn path_to_bytes(path: &Path) -> Vec<u8> {
    match path.to_str() {
        Some(text) if std::path::MAIN_SEPARATOR != '/' => text.replace(std::path::MAIN_SEPARATOR, "/").into_bytes(),
        _ => name_to_bytes(path.as_os_str()),
    }
}

/// The way back from [`path_to_bytes`]; `None` for bytes that name no place below a folder (`/etc`, `../x`, nothing).
pub fn path_from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    let path = PathBuf::from(name_from_bytes(bytes)?);
    let below = path.components().all(|part| matches!(part, Component::Normal(_)));
    (below && path.components().next().is_some() && !bytes.contains(&0)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back_and_only_those_below_the_folder() {
        for path in ["画.png", "春/夏 秋/冬.PNG", "a=b%20c.png"] {
            assert_eq!(path_from_bytes(&path_to_bytes(Path::new(path))), Some(PathBuf::from(path)));
        }
        for bytes in [&b""[..], b"/etc/passwd", b"../x.png", b"a/../../x.png", b"a\0b"] {
            assert_eq!(path_from_bytes(bytes), None, "{bytes:?}");
        }
        #[cfg(unix)]
        assert_eq!(path_from_bytes(b"\xff\xfe.png").map(|p| path_to_bytes(&p)), Some(b"\xff\xfe.png".to_vec()));
    }

    #[test]
    fn names_of_pictures() {
        for name in ["画.png", "a/b.JPEG", "x.webp", "x.jpg"] {
            assert!(is_picture_name(Path::new(name)), "{name}");
        }
        for name in [".png", ".画.png", ".danqing-a.part", "画.txt", "png", "画.png.part"] {
            assert!(!is_picture_name(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn times_of_every_age() {
        use std::time::Duration;
        assert_eq!(nanoseconds(UNIX_EPOCH + Duration::new(1, 5)), 1_000_000_005);
        assert_eq!(nanoseconds(UNIX_EPOCH - Duration::from_nanos(7)), -7);
        assert_eq!(nanoseconds(UNIX_EPOCH + Duration::from_secs(1 << 40)), i64::MAX);
    }
}
