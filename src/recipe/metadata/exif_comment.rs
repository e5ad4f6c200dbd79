//! A1111's text in JPEG and WebP files: EXIF's UserComment.

use crate::base::{Problem, ProblemKind};
use exif::{In, Reader, Tag, Value};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A longer file is not looked through, in bytes.
const LONGEST: u64 = 512 << 20;

/// The comment of a JPEG or WebP file; `None` if there is none, or the file is damaged before it.
///
/// # Errors
/// [`ProblemKind::Unreadable`] if the file cannot be opened or is no regular file.
pub fn comment(path: &Path) -> Result<Option<String>, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Unreadable).at(path).detail(error);
    let file = File::open(path).map_err(|e| unreadable(&e))?;
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    if !metadata.is_file() {
        return Err(unreadable(&"not a regular file"));
    }
    if metadata.len() > LONGEST {
        return Ok(None);
    }
    let Ok(exif) = Reader::new().read_from_container(&mut BufReader::new(file)) else {
        return Ok(None);
    };
    let field = exif.get_field(Tag::UserComment, In::PRIMARY);
    Ok(field.and_then(|field| match &field.value {
        Value::Undefined(bytes, _) => text_of(bytes),
        _ => None,
    }))
}

/// The comment's first eight bytes name its encoding.
fn text_of(comment: &[u8]) -> Option<String> {
    let text = match comment.split_first_chunk::<8>() {
        Some((b"UNICODE\0", units)) => utf16(units),
        Some((b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0", bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        // Some programs forget the name.
        _ => std::str::from_utf8(comment).ok()?.to_owned(),
    };
    let text = text.trim_end_matches('\0').trim_start_matches('\u{feff}');
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// UTF-16 in the order that the byte order mark tells, or else in which most units are small numbers: the keys of the
/// text are ASCII. A1111's library writes the big end first.
fn utf16(bytes: &[u8]) -> String {
    let pairs = bytes.as_chunks::<2>().0;
    let zeros = |at: fn(&[u8; 2]) -> u8| pairs.iter().filter(|pair| at(pair) == 0).count();
    let little = match pairs.first() {
        Some([0xff, 0xfe]) => true,
        Some([0xfe, 0xff]) => false,
        _ => zeros(|[_, second]| *second) > zeros(|[first, _]| *first),
    };
    let unit = |pair: &[u8; 2]| if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
    String::from_utf16_lossy(&pairs.iter().map(unit).collect::<Vec<_>>())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const TEXT: &str =
        "墨竹🎨, ink\nNegative prompt: 水印\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 8x8";

    /// A TIFF structure with an EXIF directory that has a UserComment, numbers in either order.
    fn tiff(comment: &[u8], little: bool) -> Vec<u8> {
        let two = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let four = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut bytes = if little { b"II".to_vec() } else { b"MM".to_vec() };
        bytes.extend(two(42));
        bytes.extend(four(8));
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [&two(tag)[..], &two(kind), &four(count), &four(value)].concat()
        };
        for entry in [entry(0x8769, 4, 1, 26), entry(0x9286, 7, comment.len() as u32, 44)] {
            bytes.extend(two(1));
            bytes.extend(entry);
            bytes.extend(four(0));
        }
        bytes.extend(comment);
        bytes
    }

    fn encoded(text: &str, little: bool) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() });
        b"UNICODE\0".iter().copied().chain(units).collect()
    }

    /// A JPEG's head with the comment, and no pixels.
    pub fn jpeg(text: &str, little: bool) -> Vec<u8> {
        let body = [b"Exif\0\0", &tiff(&encoded(text, little), little)[..]].concat();
        let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [b"\xff\xd8\xff\xe1", &length[..], &body, b"\xff\xd9"].concat()
    }

    pub fn webp(text: &str, little: bool) -> Vec<u8> {
        let body = tiff(&encoded(text, little), little);
        let chunk = [b"EXIF", &(body.len() as u32).to_le_bytes()[..], &body].concat();
        [b"RIFF", &(chunk.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &chunk].concat()
    }

    #[test]
    fn both_ends_and_every_name() {
        for little in [false, true] {
            assert_eq!(text_of(&encoded(TEXT, little)).as_deref(), Some(TEXT));
            assert_eq!(text_of(&encoded("\u{feff}墨竹", little)).as_deref(), Some("墨竹"));
        }
        assert_eq!(text_of(b"ASCII\0\0\0ink\0\0").as_deref(), Some("ink"));
        assert_eq!(text_of("\0\0\0\0\0\0\0\0墨".as_bytes()).as_deref(), Some("墨"));
        assert_eq!(text_of("墨竹, Steps: 3".as_bytes()).as_deref(), Some("墨竹, Steps: 3"));
        for nothing in [&b""[..], b"UNICODE\0", b"UNICODE\0\0", b"ASCII\0\0\0  \0", b"\xff\xff"] {
            assert_eq!(text_of(nothing), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, at in 0usize..400, byte: u8) {
            text_of(&bytes);
            utf16(&bytes);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("画");
            for mut file in [jpeg(TEXT, true), webp(TEXT, false)] {
                let at = at % file.len();
                file[at] = byte;
                std::fs::write(&path, &file).unwrap();
                comment(&path).unwrap();
                std::fs::write(&path, &file[..at]).unwrap();
                comment(&path).unwrap();
            }
        }
    }
}
