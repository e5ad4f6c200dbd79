//! Damaged picture files: no panic, no memory beyond the allowance, and the file named in every refusal.

use danqing::base::{Extent, Problem};
use danqing::imaging::png_text::{encode_png, read_texts};
use danqing::imaging::read::{read_extent, read_picture};
use danqing::imaging::{Mask, Pixmap};
use danqing::recipe::metadata::{from_file, from_texts};
use image::{DynamicImage, ImageFormat};
use std::io::Cursor;
use std::path::Path;

const COPIES: u64 = 100;
/// Pixels that the reader allows: the picture has fewer.
const MOST: u64 = 1 << 20;
/// The reader's allowance for a picture of that many pixels is below 80 MiB; the rest is for the test's threads.
#[cfg(target_os = "linux")]
const MOST_MEMORY_KIB: u64 = 512 << 10;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}

fn picture() -> Pixmap {
    let extent = Extent::new(40, 30);
    let bytes = (0..extent.area() as u32 * 4).map(|i| (i * 7 + i / 160) as u8).collect();
    Pixmap::from_rgba(extent, bytes).unwrap()
}

fn png() -> Vec<u8> {
    let texts = [
        ("parameters", "山水，油画\nNegative prompt: 水印\nSteps: 20, Sampler: DPM++ 2M, Seed: 42, Size: 40x30"),
        ("danqing", "{\"danqing\":1,\"prompt\":\"山水，油画\",\"seed\":42}"),
    ];
    let mut bytes = Vec::new();
    encode_png(&mut bytes, &picture(), &texts.map(|(k, t)| (k.to_owned(), t.to_owned()))).unwrap();
    bytes
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let picture = picture();
    let image = image::RgbaImage::from_raw(picture.width(), picture.height(), picture.rgba().to_vec()).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image).to_rgb8().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG with an EXIF segment (orientation and a comment) and a COM segment.
fn jpeg() -> Vec<u8> {
    let plain = encoded(ImageFormat::Jpeg);
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut bytes = plain[..2].to_vec();
    for (marker, body) in [(0xe1u8, exif.as_slice()), (0xfe, "山水，油画".as_bytes())] {
        bytes.extend([0xff, marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
    }
    bytes.extend(&plain[2..]);
    bytes
}

/// CRC-32 of ISO 3309, as PNG has it.
fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
    })
}

/// Gives every whole chunk of a PNG its right sum again, so that damage reaches the parsers behind it.
fn mend_sums(png: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = png.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize) {
        let Some(end) = at.checked_add(8 + length).filter(|end| end + 4 <= png.len()) else {
            return;
        };
        let sum = crc(&png[at + 4..end]);
        png[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => bytes.truncate(at),
            3 => bytes.extend_from_within(at..),
            4 => {
                bytes.drain(at..(at + random.below(16)).min(bytes.len()));
            }
            // Lengths and extents: the largest numbers there are.
            _ => bytes[at..].iter_mut().take(4).for_each(|b| *b = 0xff),
        }
        if bytes.is_empty() {
            return;
        }
    }
}

fn names(problem: &Problem, path: &Path) -> bool {
    problem.path.as_deref() == Some(path) && problem.arg("file").is_some_and(|file| file.contains("破画"))
}

/// Reads damaged copies; says how many were still readable.
fn survive(original: &[u8], mend: bool, seed: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("破画.png");
    let mut readable = 0;
    for copy in 0..COPIES {
        let mut bytes = original.to_vec();
        damage(&mut bytes, &mut Random(seed << 32 | copy));
        if mend {
            mend_sums(&mut bytes);
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Err(problem) = read_extent(&path) {
            assert!(names(&problem, &path), "{problem}");
        }
        match from_file(&path) {
            Ok(read) => drop(read.map(|read| read.to_lines())),
            Err(problem) => assert!(names(&problem, &path), "{problem}"),
        }
        match read_picture(&path, MOST) {
            Ok(picture) => {
                assert!(picture.extent().area() <= MOST);
                assert_eq!(Mask::from_luma(&picture).extent(), picture.extent());
                readable += 1;
            }
            Err(problem) => assert!(names(&problem, &path), "{problem}"),
        }
        match read_texts(&path) {
            Ok(texts) => {
                if let Some(read) = from_texts(&texts) {
                    read.to_lines();
                }
            }
            Err(problem) => assert!(names(&problem, &path), "{problem}"),
        }
    }
    #[cfg(target_os = "linux")]
    assert!(peak_memory_kib() < MOST_MEMORY_KIB, "{} KiB", peak_memory_kib());
    readable
}

/// The most address space that this process ever had: memory that is asked for counts even if it is never touched.
#[cfg(target_os = "linux")]
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn damaged_pngs() {
    assert!(survive(&png(), false, 1) < COPIES);
    assert!(survive(&png(), true, 2) < COPIES);
}

#[test]
fn damaged_jpegs() {
    assert!(survive(&jpeg(), false, 3) < COPIES);
}

#[test]
fn damaged_webps() {
    assert!(survive(&encoded(ImageFormat::WebP), false, 4) < COPIES);
}

#[test]
fn the_originals_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("好画");
    for (bytes, extent) in
        [(png(), Extent::new(40, 30)), (jpeg(), Extent::new(30, 40)), (encoded(ImageFormat::WebP), Extent::new(40, 30))]
    {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_picture(&path, MOST).unwrap().extent(), extent);
    }
    std::fs::write(&path, png()).unwrap();
    let read = from_texts(&read_texts(&path).unwrap()).unwrap();
    assert_eq!((read.prompt.as_str(), read.seed, read.source), ("山水，油画", Some(42), "danqing"));
}
