//! The words inside JPEG and WebP files: the EXIF entry UserComment, where web UIs keep a picture's parameters.

use exif::experimental::Writer;
use exif::{Context, Field, In, Reader, Tag, Value};
use std::io::{self, Cursor};

/// What EXIF puts before a comment in UTF-16.
const UNICODE: &[u8; 8] = b"UNICODE\0";
/// What EXIF puts before a comment in ASCII.
const ASCII: &[u8; 8] = b"ASCII\0\0\0";
/// The longest comment that is read, in bytes.
const LONGEST: usize = 8 << 20;

/// A TIFF structure (as EXIF chunks hold it, without the `Exif\0\0` of JPEG) with `text` as its UserComment: big-endian,
/// and so is the UTF-16, as Stable Diffusion web UI writes it.
///
/// # Errors
/// [`io::ErrorKind::Other`] if the text is beyond what EXIF can address (4 GiB).
pub fn with_comment(text: &str) -> io::Result<Vec<u8>> {
    let units = text.encode_utf16().flat_map(u16::to_be_bytes);
    let bytes: Vec<u8> = UNICODE.iter().copied().chain(units).collect();
    let field = Field { tag: Tag::UserComment, ifd_num: In::PRIMARY, value: Value::Undefined(bytes, 0) };
    let mut writer = Writer::new();
    writer.push_field(&field);
    let mut tiff = Cursor::new(Vec::new());
    writer.write(&mut tiff, false).map_err(io::Error::other)?;
    Ok(tiff.into_inner())
}

/// The UserComment of a JPEG, PNG or WebP file's bytes; `None` if there is none, or it makes no sense.
///
/// UTF-16 is read in the byte order that gives more ASCII (programs disagree on it, and parameters always hold some);
/// a comment without a known prefix is read as UTF-8.
pub fn comment(file: &[u8]) -> Option<String> {
    let exif = Reader::new().read_from_container(&mut Cursor::new(file)).ok()?;
    let field = exif.fields().find(|f| f.tag.context() == Context::Exif && f.tag == Tag::UserComment)?;
    let (Value::Undefined(bytes, _) | Value::Byte(bytes)) = &field.value else { return None };
    if bytes.len() > LONGEST {
        return None;
    }
    let (prefix, rest) = bytes.split_first_chunk::<8>()?;
    let text = match prefix {
        UNICODE => utf16(rest),
        ASCII => String::from_utf8_lossy(rest).into_owned(),
        _ => std::str::from_utf8(bytes).ok()?.to_owned(),
    };
    let text = text.trim_matches(['\0', '\u{feff}']).to_owned();
    (!text.trim().is_empty()).then_some(text)
}

fn utf16(bytes: &[u8]) -> String {
    let pairs = || bytes.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
    let ascii = |order: fn([u8; 2]) -> u16| pairs().filter(|&pair| (1..128).contains(&order(pair))).count();
    let little = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        _ => ascii(u16::from_le_bytes) > ascii(u16::from_be_bytes),
    };
    let order = if little { u16::from_le_bytes } else { u16::from_be_bytes };
    char::decode_utf16(pairs().map(order)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_byte_order_is_understood() {
        let text = "飞流直下三千尺 🎨\nSteps: 20, Sampler: Euler";
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(utf16(&big), text);
        assert_eq!(utf16(&little), text);
        assert_eq!(
            utf16(
                &[&[0xff, 0xfe], "山".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice()]
                    .concat()
            ),
            "\u{feff}山"
        );
        // Half a surrogate pair, and an odd byte, are no reason to lose the rest.
        assert_eq!(utf16(&[0, b'a', 0xd8, 0, 0, b'b', 7]), "a\u{fffd}b");
    }

    #[test]
    fn what_is_no_picture_has_no_comment() {
        for bytes in [b"".as_slice(), b"\xff\xd8\xff\xe1\xff\xff", b"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff"] {
            assert_eq!(comment(bytes), None);
        }
    }
}
