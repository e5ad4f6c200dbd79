//! The zip round an OpenRaster file.

use std::io::{self, Cursor, Error, ErrorKind, Read, Seek, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// What the first entry says.
const MIMETYPE: &str = "image/openraster";
/// The most entries that are looked at.
const MOST: usize = 100_000;

/// Packs entries, in their order, after the one that tells programs what the file is: first and not compressed, so that
/// its words are at offset 38. PNG files are not compressed a second time.
pub fn pack(entries: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let packed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file("mimetype", stored)?;
    zip.write_all(MIMETYPE.as_bytes())?;
    for (name, bytes) in entries {
        let options = if name.ends_with(".png") { stored } else { packed };
        zip.start_file(name.as_str(), options.large_file(bytes.len() as u64 > u64::from(u32::MAX)))?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// An OpenRaster file that is read.
pub struct Archive<R> {
    zip: ZipArchive<R>,
}

impl<R: Read + Seek> Archive<R> {
    /// Whether the file says that it is OpenRaster is not asked: some programs leave that out, and what counts is
    /// whether it has a stack.
    ///
    /// # Errors
    /// If it is no zip, or has a hundred thousand entries.
    pub fn open(source: R) -> io::Result<Self> {
        let zip = ZipArchive::new(source)?;
        if zip.len() > MOST {
            return Err(Error::new(ErrorKind::InvalidData, format!("{} entries", zip.len())));
        }
        Ok(Self { zip })
    }

    /// Whether there is an entry of this name.
    pub fn has(&self, name: &str) -> bool {
        self.index(name).is_some()
    }

    /// The content of an entry of at most `most` bytes.
    ///
    /// # Errors
    /// If there is none, it is longer, or damaged.
    pub fn read(&mut self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let index = self.index(name).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no entry {name}")))?;
        let entry = self.zip.by_index(index)?;
        let too_long = || Error::new(ErrorKind::InvalidData, format!("more than {most} bytes"));
        if entry.size() > most {
            return Err(too_long());
        }
        // The size that the zip tells need not be true: memory grows with what is there.
        let mut bytes = Vec::new();
        entry.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(too_long());
        }
        Ok(bytes)
    }

    /// Names of the files below a folder, in order.
    pub fn names_below(&self, folder: &str) -> Vec<String> {
        let names = self.zip.file_names().filter_map(Result::ok);
        let below = names.filter(|name| name.starts_with(folder) && !name.ends_with('/'));
        below.map(|name| name.into_owned()).collect()
    }

    fn index(&self, name: &str) -> Option<usize> {
        let plain = name.trim_start_matches("./").trim_start_matches('/');
        // Old files have names in UTF-8 that are not marked so.
        let raw = |name: &str| self.zip.index_for_name_raw(name.as_bytes());
        self.zip.index_for_name(name).or_else(|| self.zip.index_for_name(plain)).or_else(|| raw(plain))
    }
}
