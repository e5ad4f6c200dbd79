//! PNG files with words in them: writing pictures together with their recipe, and reading the words of any PNG.

use super::pixmap::Pixmap;
use crate::base::files::write_atomically;
use crate::base::{Problem, ProblemKind};
use png::StreamingDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

/// Signature and IHDR chunk.
const HEAD: usize = 33;
/// The longest text chunk that is read, packed and unpacked, in bytes. ComfyUI's workflows take a few MiB at most.
const LONGEST: usize = 8 << 20;
/// The most text that is kept of one file, in bytes.
const MOST: usize = 32 << 20;
/// The most text chunks that are kept of one file.
const MOST_CHUNKS: usize = 1024;

/// Writes a PNG through a temporary file (see [`write_atomically`]), with each text as an iTXt chunk.
///
/// # Errors
/// [`ProblemKind::Unwritable`] if the file refuses, the picture is empty, or a key is not 1 to 79 characters of Latin-1.
pub fn write_png(path: &Path, picture: &Pixmap, texts: &[(String, String)]) -> Result<(), Problem> {
    write_atomically(path, |writer| encode_png(writer, picture, texts))
}

/// Encodes a PNG: RGB if every pixel is opaque and RGBA otherwise, 8 bits a channel, marked as sRGB. The texts are
/// uncompressed iTXt chunks (UTF-8) ahead of the pixels, in their order; NUL, which PNG forbids there, is left out.
///
/// # Errors
/// Those of `writer`, and [`io::ErrorKind::Other`] for an empty picture or a key that PNG does not allow.
pub fn encode_png(writer: impl Write, picture: &Pixmap, texts: &[(String, String)]) -> io::Result<()> {
    let opaque = picture.rgba().chunks_exact(4).all(|p| p.last() == Some(&255));
    let mut encoder = png::Encoder::new(writer, picture.width(), picture.height());
    encoder.set_color(if opaque { png::ColorType::Rgb } else { png::ColorType::Rgba });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    for (key, text) in texts {
        encoder.add_itxt_chunk(key.clone(), text.replace('\0', ""))?;
    }
    let mut encoder = encoder.write_header()?;
    if opaque {
        let rgb: Vec<u8> = picture.rgba().chunks_exact(4).flat_map(|p| p.iter().take(3).copied()).collect();
        encoder.write_image_data(&rgb)?;
    } else {
        encoder.write_image_data(picture.rgba())?;
    }
    Ok(encoder.finish()?)
}

/// The texts of a PNG file in their order, as (key, text), without decoding its pixels.
///
/// iTXt, tEXt and zTXt are read; the latter two as UTF-8 where that is valid, since many programs write it so, and as
/// Latin-1 otherwise. A chunk that is damaged or longer than 8 MiB is passed over; of a file that ends early the texts
/// before the end are given.
///
/// # Errors
/// [`ProblemKind::Unreadable`] if the file cannot be read, [`ProblemKind::PictureUnreadable`] if it is not a PNG.
pub fn read_texts(path: &Path) -> Result<Vec<(String, String)>, Problem> {
    let unreadable = |error: io::Error| Problem::new(ProblemKind::Unreadable).at(path).detail(error);
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let texts = texts_of(BufReader::new(file)).map_err(unreadable)?;
    texts.ok_or_else(|| Problem::new(ProblemKind::PictureUnreadable).at(path).detail("not a PNG"))
}

/// The texts of a PNG; `None` if it does not begin like one.
///
/// The pixels between them are skipped here, and only the head and the text chunks reach the `png` crate's parser:
/// texts may also come after the pixels, where its reader would have to decode first.
fn texts_of(mut png: impl BufRead + Seek) -> io::Result<Option<Vec<(String, String)>>> {
    let mut parser = StreamingDecoder::new();
    let head = read_up_to(&mut png, HEAD)?;
    if head.len() < HEAD || !feed(&mut parser, &head) {
        return Ok(None);
    }
    let mut texts = Vec::new();
    let mut total = 0;
    while texts.len() < MOST_CHUNKS && total < MOST {
        let header = read_up_to(&mut png, 8)?;
        let Some((length, name)) = header.split_first_chunk::<4>() else {
            break;
        };
        let length = u32::from_be_bytes(*length);
        let with_crc = i64::from(length) + 4;
        match name {
            b"tEXt" | b"zTXt" | b"iTXt" if length as usize <= LONGEST => {
                let body = read_up_to(&mut png, length as usize + 4)?;
                let before = counts(&parser);
                if (body.len() as i64) < with_crc || !feed(&mut parser, &header) || !feed(&mut parser, &body) {
                    break;
                }
                if let Some((key, text)) = newest(&parser, before) {
                    total += key.len() + text.len();
                    texts.push((key, text));
                }
            }
            [_, _, _, _] if name != b"IEND" => png.seek_relative(with_crc)?,
            _ => break,
        }
    }
    Ok(Some(texts))
}

/// Fewer bytes at the end of the file; memory grows with what is there, not with what is asked.
fn read_up_to(reader: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// True if the parser took all the bytes.
fn feed(parser: &mut StreamingDecoder, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match parser.update(bytes, None) {
            Ok((taken, _)) if taken > 0 => bytes = bytes.get(taken..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

/// How many chunks of each kind the parser holds: tEXt, zTXt, iTXt.
fn counts(parser: &StreamingDecoder) -> [usize; 3] {
    parser.info().map_or([0; 3], |info| {
        [info.uncompressed_latin1_text.len(), info.compressed_latin1_text.len(), info.utf8_text.len()]
    })
}

/// The text that came since `before`; `None` if the parser found it damaged.
fn newest(parser: &StreamingDecoder, before: [usize; 3]) -> Option<(String, String)> {
    let info = parser.info()?;
    let [plain, packed, utf8] = before;
    if let Some(chunk) = info.uncompressed_latin1_text.get(plain) {
        return Some((utf8_or_latin1(&chunk.keyword), utf8_or_latin1(&chunk.text)));
    }
    if let Some(chunk) = info.compressed_latin1_text.get(packed) {
        let mut chunk = chunk.clone();
        chunk.decompress_text_with_limit(LONGEST).ok()?;
        return Some((utf8_or_latin1(&chunk.keyword), utf8_or_latin1(&chunk.get_text().ok()?)));
    }
    let mut chunk = info.utf8_text.get(utf8)?.clone();
    chunk.decompress_text_with_limit(LONGEST).ok()?;
    Some((utf8_or_latin1(&chunk.keyword), chunk.get_text().ok()?))
}

/// The bytes that were taken for Latin-1, as UTF-8 if they are.
fn utf8_or_latin1(latin1: &str) -> String {
    let bytes: Option<Vec<u8>> = latin1.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| latin1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;
    use crate::imaging::read::{decode_picture, read_picture};
    use png::text_metadata::{EncodableTextChunk, ITXtChunk, TEXtChunk, ZTXtChunk};
    use std::io::Cursor;

    fn owned(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        texts.iter().map(|(k, t)| ((*k).to_owned(), (*t).to_owned())).collect()
    }

    fn small(alpha: u8) -> Pixmap {
        let rgba = (0..12u8).flat_map(|i| [i * 20, 255 - i, 7, alpha]).collect();
        Pixmap::from_rgba(Extent::new(4, 3), rgba).unwrap()
    }

    fn parse(png: &[u8]) -> Vec<(String, String)> {
        texts_of(Cursor::new(png)).unwrap().unwrap()
    }

    /// A PNG with the given chunks after its pixels.
    fn with_chunks(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut png = Vec::new();
        encode_png(&mut png, &small(255), &[]).unwrap();
        let end = png.split_off(png.len() - 12);
        write(&mut png);
        png.extend(end);
        png
    }

    #[test]
    fn pixels_and_texts_come_back_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("飞流直下三千尺.png");
        let texts = owned(&[("parameters", "山水,\n\"油画\" 🎨\u{301}"), ("danqing", "{}"), ("parameters", "")]);
        for alpha in [255, 128] {
            write_png(&path, &small(alpha), &texts).unwrap();
            assert_eq!(read_picture(&path, 12).unwrap(), small(alpha));
            assert_eq!(read_texts(&path).unwrap(), texts);
        }
    }

    #[test]
    fn opaque_is_rgb_and_marked_srgb() {
        for (alpha, colour) in [(255, png::ColorType::Rgb), (254, png::ColorType::Rgba)] {
            let mut bytes = Vec::new();
            encode_png(&mut bytes, &small(alpha), &owned(&[("a", "x\0y")])).unwrap();
            let reader = png::Decoder::new(Cursor::new(&bytes)).read_info().unwrap();
            assert_eq!(reader.info().color_type, colour);
            assert_eq!(reader.info().srgb, Some(png::SrgbRenderingIntent::Perceptual));
            assert_eq!(parse(&bytes), owned(&[("a", "xy")]));
            assert_eq!(decode_picture(&bytes, 12).unwrap(), small(alpha));
        }
    }

    #[test]
    fn every_kind_of_chunk_is_read_in_order_even_after_the_pixels() {
        let png = with_chunks(|png| {
            TEXtChunk::new("Title", "caf\u{e9}").encode(png).unwrap();
            // The bytes of UTF-8, as programs write them into a chunk meant for Latin-1.
            let utf8: String = "墨竹".bytes().map(char::from).collect();
            TEXtChunk::new("parameters", utf8.clone()).encode(png).unwrap();
            ZTXtChunk::new("Comment", utf8).encode(png).unwrap();
            let mut packed = ITXtChunk::new("长", "万里长城".repeat(100));
            packed.keyword = "Description".to_owned();
            packed.compressed = true;
            packed.encode(png).unwrap();
        });
        let long = "万里长城".repeat(100);
        let expected = [("Title", "café"), ("parameters", "墨竹"), ("Comment", "墨竹"), ("Description", long.as_str())];
        assert_eq!(parse(&png), owned(&expected));
    }

    #[test]
    fn damage_costs_one_chunk_and_an_early_end_the_rest() {
        let mut png = with_chunks(|png| {
            TEXtChunk::new("one", "1").encode(png).unwrap();
            TEXtChunk::new("two", "2").encode(png).unwrap();
            TEXtChunk::new("three", "3").encode(png).unwrap();
        });
        let at = png.windows(3).position(|w| w == b"two").unwrap();
        png[at] ^= 1;
        assert_eq!(parse(&png), owned(&[("one", "1"), ("three", "3")]));
        assert_eq!(parse(&png[..at]), owned(&[("one", "1")]));
        assert_eq!(parse(&png[..HEAD]), []);
        assert!(texts_of(Cursor::new(&png[..HEAD - 1])).unwrap().is_none());
        assert!(texts_of(Cursor::new(b"\xff\xd8\xff\xe0 not a PNG, but long enough to be asked")).unwrap().is_none());
    }

    #[test]
    fn a_packed_bomb_and_an_endless_length_are_passed_over() {
        let png = with_chunks(|png| {
            ZTXtChunk::new("bomb", "0".repeat(LONGEST + 1)).encode(png).unwrap();
            TEXtChunk::new("after", "it").encode(png).unwrap();
        });
        assert_eq!(parse(&png), owned(&[("after", "it")]));
        let lying = with_chunks(|png| png.extend(b"\xff\xff\xff\xfftEXtkey\0value"));
        assert_eq!(parse(&lying), []);
    }

    #[test]
    fn refusals_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画.png");
        assert_eq!(read_texts(&path).unwrap_err().kind, ProblemKind::Unreadable);
        std::fs::write(&path, "not a picture").unwrap();
        let problem = read_texts(&path).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::PictureUnreadable);
        assert_eq!(problem.path.as_deref(), Some(path.as_path()));
        for (picture, key) in [(Pixmap::new(Extent::new(0, 0)), "key"), (small(255), ""), (small(255), "中文")] {
            let problem = write_png(&path, &picture, &owned(&[(key, "text")])).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::Unwritable);
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"not a picture");
    }
}
