//! Picture files to pixels: PNG, JPEG and WebP, told apart by their content and bounded before anything is decoded.

use super::pixmap::Pixmap;
use crate::base::{Extent, Problem, ProblemKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// Room beside the pixels for profiles, metadata and the decoders' own buffers, in bytes.
const OVERHEAD: u64 = 64 << 20;
/// Signature and IHDR chunk of a PNG, in bytes.
const PNG_HEAD: u64 = 33;
/// Bytes of the widest pixel that is decoded (RGBA, 16 bits a channel).
const WIDEST_PIXEL: u64 = 8;

/// Reads a PNG, JPEG or WebP file as 8-bit RGBA, turned upright as its EXIF orientation says.
///
/// Palettes, greys and 16-bit channels are converted; embedded colour profiles are not applied. Of an animation the
/// first frame is taken. A JPEG that ends early gives the part that is there, as browsers show it.
///
/// # Errors
/// [`ProblemKind::Unreadable`] if the file cannot be opened or is not a regular file,
/// [`ProblemKind::PictureTooLarge`] if it has more than `most_pixels` pixels (found in the header, before decoding),
/// [`ProblemKind::PictureUnreadable`] if it is of another format or broken.
pub fn read_picture(path: &Path, most_pixels: u64) -> Result<Pixmap, Problem> {
    let unreadable = |detail: &dyn std::fmt::Display| Problem::new(ProblemKind::Unreadable).at(path).detail(detail);
    let file = File::open(path).map_err(|e| unreadable(&e))?;
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    if !metadata.is_file() {
        return Err(unreadable(&"not a regular file"));
    }
    let most_bytes = allowance(most_pixels);
    if metadata.len() > most_bytes {
        let detail = format!("{} bytes; a picture file may have {most_bytes}", metadata.len());
        return Err(Problem::new(ProblemKind::PictureUnreadable).at(path).detail(detail));
    }
    let mut bytes = Vec::new();
    file.take(most_bytes).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    decode_picture(&bytes, most_pixels).map_err(|problem| problem.at(path))
}

/// The extent of a picture file as it is shown, from its head alone: whether the rest is whole is not looked at.
///
/// # Errors
/// [`ProblemKind::Unreadable`] if the file cannot be opened or is not a regular file,
/// [`ProblemKind::PictureUnreadable`] if its head is of no PNG, JPEG or WebP.
pub fn read_extent(path: &Path) -> Result<Extent, Problem> {
    let unreadable = |detail: &dyn std::fmt::Display| Problem::new(ProblemKind::Unreadable).at(path).detail(detail);
    let mut file = File::open(path).map_err(|e| unreadable(&e))?;
    if !file.metadata().map_err(|e| unreadable(&e))?.is_file() {
        return Err(unreadable(&"not a regular file"));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(PNG_HEAD).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    let extent = match png_extent(&bytes) {
        Some(extent) => extent,
        None => {
            file.take(OVERHEAD).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
            let format = known_format(&bytes).map_err(|problem| problem.at(path))?;
            let (_, stored, orientation) = opened(&bytes, format, u64::MAX).map_err(|problem| problem.at(path))?;
            let turned = matches!(
                orientation,
                Orientation::Rotate90
                    | Orientation::Rotate270
                    | Orientation::Rotate90FlipH
                    | Orientation::Rotate270FlipH
            );
            if turned { Extent::new(stored.height, stored.width) } else { stored }
        }
    };
    if extent.is_empty() { Err(broken(&"a side is zero").at(path)) } else { Ok(extent) }
}

/// Decodes the content of a picture file; see [`read_picture`].
///
/// # Errors
/// [`ProblemKind::PictureTooLarge`] and [`ProblemKind::PictureUnreadable`], without a file name.
pub fn decode_picture(bytes: &[u8], most_pixels: u64) -> Result<Pixmap, Problem> {
    let format = known_format(bytes)?;
    // The PNG decoder sizes its row buffer on opening, so the header is looked at before there is a decoder.
    if let Some(extent) = png_extent(bytes) {
        require_area(extent, most_pixels)?;
    }
    let (decoder, extent, orientation) = opened(bytes, format, most_pixels)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| failed(&e, Some(extent), most_pixels))?;
    picture.apply_orientation(orientation);
    let rgba = picture.into_rgba8();
    let extent = Extent::new(rgba.width(), rgba.height());
    Pixmap::from_rgba(extent, rgba.into_raw()).ok_or_else(|| broken(&"the decoder gave too few pixels"))
}

fn known_format(bytes: &[u8]) -> Result<ImageFormat, Problem> {
    let format = image::guess_format(bytes).map_err(|e| broken(&e))?;
    match format {
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP => Ok(format),
        _ => Err(broken(&format!("{format:?} is not PNG, JPEG or WebP"))),
    }
}

/// The decoder of a picture, the extent in which it is stored, and how it is turned upright.
fn opened(
    bytes: &[u8],
    format: ImageFormat,
    most_pixels: u64,
) -> Result<(impl ImageDecoder + '_, Extent, Orientation), Problem> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(allowance(most_pixels));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| failed(&e, None, most_pixels))?;
    let (width, height) = decoder.dimensions();
    let extent = Extent::new(width, height);
    require_area(extent, most_pixels)?;
    let orientation = match format {
        ImageFormat::WebP if !webp_exif_fits(bytes) => Orientation::NoTransforms,
        _ => decoder.orientation().unwrap_or(Orientation::NoTransforms),
    };
    Ok((decoder, extent, orientation))
}

fn allowance(most_pixels: u64) -> u64 {
    most_pixels.saturating_mul(WIDEST_PIXEL).saturating_add(OVERHEAD)
}

fn broken(detail: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::PictureUnreadable).detail(detail)
}

fn failed(error: &ImageError, extent: Option<Extent>, most_pixels: u64) -> Problem {
    match (error, extent) {
        (ImageError::Limits(_), Some(extent)) => too_large(extent, most_pixels).detail(error),
        _ => broken(error),
    }
}

fn require_area(extent: Extent, most_pixels: u64) -> Result<(), Problem> {
    if extent.area() > most_pixels {
        return Err(too_large(extent, most_pixels).detail(format!("{} pixels of {most_pixels}", extent.area())));
    }
    Ok(())
}

/// `most` is told as the largest square, which people grasp sooner than a number of pixels.
fn too_large(extent: Extent, most_pixels: u64) -> Problem {
    let side = most_pixels.isqrt();
    Problem::new(ProblemKind::PictureTooLarge).with("size", extent).with("most", format!("{side}×{side}"))
}

/// The extent in a PNG's first chunk; `None` if this is no PNG.
fn png_extent(bytes: &[u8]) -> Option<Extent> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let (width, rest) = header.split_first_chunk::<4>()?;
    let height = rest.first_chunk::<4>()?;
    Some(Extent::new(u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// False if a WebP's EXIF chunk claims more bytes than the file has: the decoder would set them aside unread.
fn webp_exif_fits(bytes: &[u8]) -> bool {
    // RIFF container: 12 bytes of header, then chunks of a four-letter name, a length and data padded to even bytes.
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((name, after)) = rest.split_first_chunk::<4>() {
        let Some((length, data)) = after.split_first_chunk::<4>() else {
            break;
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > data.len() {
            return name != b"EXIF";
        }
        rest = data.get(length.saturating_add(length & 1)..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};

    const MOST: u64 = 1 << 20;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn gradient() -> DynamicImage {
        ImageBuffer::from_fn(24, 16, |x, y| Rgb([(x * 10) as u8, (y * 15) as u8, 128])).into()
    }

    /// A TIFF structure with the one entry 0x0112 (orientation).
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        tiff
    }

    #[test]
    fn the_content_decides_and_not_the_name() {
        let folder = tempfile::tempdir().unwrap();
        for (format, name) in [(ImageFormat::Png, "远山.jpg"), (ImageFormat::Jpeg, "x.webp"), (ImageFormat::WebP, "无")]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, encoded(&gradient(), format)).unwrap();
            let picture = read_picture(&path, MOST).unwrap();
            assert_eq!(picture.extent(), Extent::new(24, 16));
            assert_eq!(read_extent(&path).unwrap(), picture.extent());
            let near = picture.pixel(12, 8).unwrap();
            for (a, b) in near.into_iter().zip([120, 120, 128, 255]) {
                assert!(a.abs_diff(b) < 12, "{format:?} {near:?}");
            }
        }
    }

    #[test]
    fn greys_sixteen_bits_and_alpha_become_rgba8() {
        let grey16: DynamicImage = ImageBuffer::from_pixel(2, 1, Luma([0x8080u16])).into();
        let picture = decode_picture(&encoded(&grey16, ImageFormat::Png), MOST).unwrap();
        assert_eq!(picture.pixel(1, 0), Some([0x80, 0x80, 0x80, 255]));
        let grey_alpha: DynamicImage = ImageBuffer::from_pixel(1, 1, LumaA([200u8, 7])).into();
        let picture = decode_picture(&encoded(&grey_alpha, ImageFormat::Png), MOST).unwrap();
        assert_eq!(picture.pixel(0, 0), Some([200, 200, 200, 7]));
        let deep: DynamicImage = ImageBuffer::from_pixel(1, 1, Rgba([0xffffu16, 0, 0x0101, 0x7f7f])).into();
        let picture = decode_picture(&encoded(&deep, ImageFormat::Png), MOST).unwrap();
        assert_eq!(picture.pixel(0, 0), Some([255, 0, 1, 0x7f]));
    }

    #[test]
    fn a_palette_with_transparency_is_expanded() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 4, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Two);
        encoder.set_palette(vec![1, 2, 3, 40, 50, 60, 7, 8, 9]);
        encoder.set_trns(vec![255, 100]);
        encoder.write_header().unwrap().write_image_data(&[0b00_01_10_00]).unwrap();
        let picture = decode_picture(&bytes, MOST).unwrap();
        assert_eq!(picture.rgba(), [1, 2, 3, 255, 40, 50, 60, 100, 7, 8, 9, 255, 1, 2, 3, 255]);
    }

    #[test]
    fn the_exif_orientation_is_honoured() {
        let jpeg = encoded(&gradient(), ImageFormat::Jpeg);
        let mut turned = jpeg[..2].to_vec();
        let body = [b"Exif\0\0".as_slice(), &exif(6)].concat();
        turned.extend([0xff, 0xe1]);
        turned.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        turned.extend(&body);
        turned.extend(&jpeg[2..]);
        let upright = decode_picture(&jpeg, MOST).unwrap();
        let picture = decode_picture(&turned, MOST).unwrap();
        assert_eq!(picture.extent(), Extent::new(16, 24));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("竖.jpg");
        std::fs::write(&path, &turned).unwrap();
        assert_eq!(read_extent(&path).unwrap(), Extent::new(16, 24));
        // Orientation 6: the stored left bottom is the shown left top.
        assert_eq!(picture.pixel(0, 0), upright.pixel(0, 15));
        assert_eq!(picture.pixel(15, 0), upright.pixel(0, 0));
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        // A table-free CRC-32 (ISO 3309) suffices for one header.
        let crc = |data: &[u8]| {
            !data.iter().fold(!0u32, |crc, &byte| {
                (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
            })
        };
        for (width, height) in [(100_000u32, 100_000u32), (0x7fff_ffff, 1), (1025, 1024)] {
            let mut png = encoded(&gradient(), ImageFormat::Png);
            png[16..20].copy_from_slice(&width.to_be_bytes());
            png[20..24].copy_from_slice(&height.to_be_bytes());
            let sum = crc(&png[12..29]);
            png[29..33].copy_from_slice(&sum.to_be_bytes());
            let problem = decode_picture(&png, MOST).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::PictureTooLarge);
            assert_eq!(problem.arg("size"), Some(format!("{width}×{height}").as_str()));
            assert_eq!(problem.arg("most"), Some("1024×1024"));
        }
        let jpeg = encoded(&gradient(), ImageFormat::Jpeg);
        assert_eq!(decode_picture(&jpeg, 24 * 16 - 1).unwrap_err().kind, ProblemKind::PictureTooLarge);
        assert!(decode_picture(&jpeg, 24 * 16).is_ok());
    }

    #[test]
    fn missing_broken_and_foreign_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("没有.png");
        let problem = read_picture(&path, MOST).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unreadable);
        assert_eq!(problem.path.as_deref(), Some(path.as_path()));
        assert_eq!(read_picture(folder.path(), MOST).unwrap_err().kind, ProblemKind::Unreadable);
        let png = encoded(&gradient(), ImageFormat::Png);
        for bytes in [b"".as_slice(), b"GIF89a rest of it", "墨".as_bytes(), &png[..png.len() / 2], &png[..20]] {
            std::fs::write(&path, bytes).unwrap();
            let problem = read_picture(&path, MOST).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::PictureUnreadable);
            assert!(problem.arg("file").unwrap().contains("没有.png"));
            let head = read_extent(&path);
            let whole = bytes.len() > PNG_HEAD as usize && bytes.starts_with(b"\x89PNG");
            assert_eq!(
                head.map_err(|p| p.kind),
                if whole { Ok(Extent::new(24, 16)) } else { Err(ProblemKind::PictureUnreadable) }
            );
        }
    }

    #[test]
    fn an_exif_chunk_longer_than_its_file_is_not_believed() {
        let mut webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
        assert!(webp_exif_fits(&webp));
        webp.extend(b"EXIF\xff\xff\xff\xffII*\0");
        assert!(!webp_exif_fits(&webp));
        assert!(webp_exif_fits(b""));
    }

    #[test]
    fn of_an_animation_the_first_frame_is_taken() {
        let frame = |value: u8| [value, 20, 30, 255].repeat(64);
        let (first, second) = (frame(200), frame(10));
        let mut apng = Vec::new();
        let mut encoder = png::Encoder::new(&mut apng, 8, 8);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_animated(2, 0).unwrap();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&first).unwrap();
        writer.write_image_data(&second).unwrap();
        writer.finish().unwrap();
        assert_eq!(decode_picture(&apng, MOST).unwrap().rgba(), first);
        let mut config = webp::WebPConfig::new().unwrap();
        config.lossless = 1;
        let mut animation = webp::AnimEncoder::new(8, 8, &config);
        animation.add_frame(webp::AnimFrame::from_rgba(&first, 8, 8, 0));
        animation.add_frame(webp::AnimFrame::from_rgba(&second, 8, 8, 100));
        let webp = animation.encode();
        assert_eq!(decode_picture(&webp, MOST).unwrap().rgba(), first);
        assert_eq!(decode_picture(&webp, 63).unwrap_err().kind, ProblemKind::PictureTooLarge);
    }

    /// 8 by 8 pixels of four inks, each at 128 of 255, inverted as Adobe's programs store them.
    fn cmyk_jpeg() -> Vec<u8> {
        let mut jpeg = vec![0xff, 0xd8];
        let mut segment = |marker: u8, body: &[u8]| {
            jpeg.extend([0xff, marker, 0, body.len() as u8 + 2]);
            jpeg.extend(body);
        };
        segment(0xee, b"Adobe\0\x64\0\0\0\0\0");
        segment(0xdb, &[vec![0], vec![1; 64]].concat());
        // Size, and four components that are not subsampled.
        segment(0xc0, &[8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]);
        // One code each, of one bit: no difference, and end of block.
        for class in [0, 0x10] {
            segment(0xc4, &[vec![class, 1], vec![0; 15], vec![0]].concat());
        }
        segment(0xda, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
        jpeg.extend([0, 0xff, 0xd9]);
        jpeg
    }

    #[test]
    fn the_four_inks_of_print_become_red_green_and_blue() {
        let picture = decode_picture(&cmyk_jpeg(), MOST).unwrap();
        assert_eq!(picture.extent(), Extent::new(8, 8));
        let pixel = picture.pixel(3, 3).unwrap();
        assert!(pixel.iter().zip([64, 64, 64, 255]).all(|(a, b)| a.abs_diff(b) <= 2), "{pixel:?}");
    }

    #[test]
    fn greys_of_any_depth_are_read() {
        let grey: DynamicImage = ImageBuffer::from_fn(8, 8, |x, _| Luma([x as u8 * 30])).into();
        let picture = decode_picture(&encoded(&grey, ImageFormat::Jpeg), MOST).unwrap();
        let [r, g, b, a] = picture.pixel(7, 2).unwrap();
        assert!(r == g && g == b && a == 255 && r.abs_diff(210) <= 3);
        // One bit a pixel.
        let mut bits = Vec::new();
        let mut encoder = png::Encoder::new(&mut bits, 9, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        encoder.write_header().unwrap().write_image_data(&[0b1000_0000, 0b1000_0000]).unwrap();
        let picture = decode_picture(&bits, MOST).unwrap();
        assert_eq!((picture.pixel(0, 0), picture.pixel(1, 0)), (Some([255; 4]), Some([0, 0, 0, 255])));
        assert_eq!(picture.pixel(8, 0), Some([255; 4]));
    }
}
