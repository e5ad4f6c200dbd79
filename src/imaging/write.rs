//! Pictures to files: PNG, JPEG and WebP, with the words that belong to them.

use super::exif;
use super::pixmap::Pixmap;
use super::png_text::encode_png;
use crate::base::files::write_atomically;
use crate::base::{Extent, Problem, ProblemKind};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;

/// The text that other programs look for: the parameters of Stable Diffusion web UI.
const PARAMETERS: &str = "parameters";
/// Bytes that a JPEG segment has for EXIF: two of its 65,535 are its length, six the mark `Exif\0\0`.
const JPEG_EXIF: usize = 65_535 - 2 - 6;

/// A format that pictures are exported in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    #[default]
    Png,
    Jpeg,
    WebP,
}

impl ExportFormat {
    pub const ALL: [ExportFormat; 3] = [ExportFormat::Png, ExportFormat::Jpeg, ExportFormat::WebP];

    /// The ending of file names, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            ExportFormat::Png => "png",
            ExportFormat::Jpeg => "jpg",
            ExportFormat::WebP => "webp",
        }
    }

    /// By the ending of a path, whatever its case; `None` for others.
    pub fn of_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "png" => Some(ExportFormat::Png),
            "jpg" | "jpeg" => Some(ExportFormat::Jpeg),
            "webp" => Some(ExportFormat::WebP),
            _ => None,
        }
    }

    /// The longest side the format can hold, in pixels.
    pub const fn longest_side(self) -> u32 {
        match self {
            ExportFormat::Png => i32::MAX as u32,
            ExportFormat::Jpeg => 65_535,
            ExportFormat::WebP => 16_383,
        }
    }
}

/// How a picture is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportOptions {
    pub format: ExportFormat,
    /// 1 to 100, of JPEG and lossy WebP; others are clamped.
    pub quality: u8,
    /// Of WebP: every byte comes back, also the colour of transparent pixels.
    pub lossless: bool,
    /// Whether the words go into the file.
    pub metadata: bool,
    /// What lies beneath transparent pixels in a JPEG: sRGB.
    pub matte: [u8; 3],
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { format: ExportFormat::Png, quality: 92, lossless: false, metadata: true, matte: [255; 3] }
    }
}

/// Writes a picture through a temporary file; see [`encode_picture`].
///
/// # Errors
/// [`ProblemKind::PictureTooLarge`] if the format cannot hold the extent, [`ProblemKind::Unwritable`] if the file
/// refuses or the picture is empty.
pub fn export_picture(
    path: &Path,
    picture: &Pixmap,
    texts: &[(String, String)],
    options: &ExportOptions,
) -> Result<bool, Problem> {
    let most = options.format.longest_side();
    let extent = picture.extent();
    if extent.width > most || extent.height > most {
        let problem = Problem::new(ProblemKind::PictureTooLarge).at(path);
        return Err(problem.with("size", extent).with("most", Extent::new(most, most)));
    }
    let mut complete = true;
    write_atomically(path, |writer| {
        complete = encode_picture(writer, picture, texts, options)?;
        Ok(())
    })?;
    Ok(complete)
}

/// Encodes a picture. PNG takes every text; JPEG and WebP take the one under `parameters`, as EXIF UserComment.
///
/// Gives false if that text was too long for the format (JPEG has room for 32,750 characters) and was left out.
///
/// # Errors
/// Those of `writer`, and [`io::ErrorKind::Other`] for a picture that is empty or too large for the format.
pub fn encode_picture(
    mut writer: impl Write,
    picture: &Pixmap,
    texts: &[(String, String)],
    options: &ExportOptions,
) -> io::Result<bool> {
    let texts = if options.metadata { texts } else { &[] };
    if options.format == ExportFormat::Png {
        encode_png(writer, picture, texts)?;
        return Ok(true);
    }
    let most = options.format.longest_side();
    if picture.extent().is_empty() || picture.width() > most || picture.height() > most {
        return Err(io::Error::other(format!("{:?} cannot hold {}", options.format, picture.extent())));
    }
    let comment = texts.iter().find(|(key, _)| key == PARAMETERS).map(|(_, text)| exif::with_comment(text));
    let comment = comment.transpose()?;
    if options.format == ExportFormat::WebP {
        writer.write_all(&webp(picture, options, comment.as_deref())?)?;
        return Ok(true);
    }
    let mut encoder = JpegEncoder::new_with_quality(writer, options.quality.clamp(1, 100));
    let fits = comment.as_ref().is_none_or(|comment| comment.len() <= JPEG_EXIF);
    if let Some(comment) = comment.filter(|_| fits) {
        encoder.set_exif_metadata(comment).map_err(io::Error::other)?;
    }
    let rgb = flatten(picture, options.matte);
    encoder.write_image(&rgb, picture.width(), picture.height(), ExtendedColorType::Rgb8).map_err(io::Error::other)?;
    Ok(fits)
}

/// RGB bytes of the picture over a colour.
fn flatten(picture: &Pixmap, matte: [u8; 3]) -> Vec<u8> {
    let over = |c: u8, below: u8, a: u8| {
        ((u32::from(c) * u32::from(a) + u32::from(below) * (255 - u32::from(a)) + 127) / 255) as u8
    };
    let pixels = picture.rgba().chunks_exact(4);
    pixels
        .flat_map(|pixel| match *pixel {
            [r, g, b, a] => [over(r, matte[0], a), over(g, matte[1], a), over(b, matte[2], a)],
            _ => matte,
        })
        .collect()
}

fn webp(picture: &Pixmap, options: &ExportOptions, exif: Option<&[u8]>) -> io::Result<Vec<u8>> {
    let mut config = webp::WebPConfig::new().map_err(|()| io::Error::other("libwebp refuses its defaults"))?;
    config.lossless = i32::from(options.lossless);
    config.exact = i32::from(options.lossless);
    config.quality = if options.lossless { 75.0 } else { f32::from(options.quality.clamp(1, 100)) };
    // Keeps the edges of saturated colours where they are.
    config.use_sharp_yuv = 1;
    let alpha = picture.rgba().chunks_exact(4).any(|p| p.last() != Some(&255));
    let encoded = if alpha {
        webp::Encoder::from_rgba(picture.rgba(), picture.width(), picture.height()).encode_advanced(&config)
    } else {
        let rgb = flatten(picture, options.matte);
        webp::Encoder::from_rgb(&rgb, picture.width(), picture.height()).encode_advanced(&config)
    };
    let encoded = encoded.map_err(|error| io::Error::other(format!("{error:?}")))?;
    match exif {
        Some(exif) => with_exif(&encoded, picture.extent(), alpha, exif),
        None => Ok(encoded.to_vec()),
    }
}

/// A WebP file with an EXIF chunk: the container is rewritten in its extended form (WebP Container Specification):
/// `VP8X` with flags and extent, the chunks as they were, `EXIF`.
fn with_exif(webp: &[u8], extent: Extent, alpha: bool, exif: &[u8]) -> io::Result<Vec<u8>> {
    const ALPHA: u8 = 0x10;
    const EXIF: u8 = 0x08;
    let mut chunks = webp.get(12..).unwrap_or_default();
    // libwebp writes a header of its own where the alpha is a chunk of its own.
    if let Some(rest) = chunks.strip_prefix(b"VP8X") {
        chunks = rest.get(4 + 10..).unwrap_or_default();
    }
    let mut body = b"WEBP".to_vec();
    let mut header = vec![if alpha { ALPHA | EXIF } else { EXIF }, 0, 0, 0];
    for side in [extent.width, extent.height] {
        header.extend(side.saturating_sub(1).to_le_bytes().into_iter().take(3));
    }
    for (name, data) in [(b"VP8X", header.as_slice()), (b"EXIF", exif)] {
        body.extend(name);
        body.extend(length(data.len())?);
        body.extend(data);
        body.resize(body.len().next_multiple_of(2), 0);
        if name == b"VP8X" {
            body.extend(chunks);
        }
    }
    let mut file = b"RIFF".to_vec();
    file.extend(length(body.len())?);
    file.extend(body);
    Ok(file)
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    u32::try_from(bytes).map(u32::to_le_bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::png_text::read_texts;
    use crate::imaging::read::{decode_picture, read_picture};

    const WORDS: &str = "飞流直下三千尺，油画 🎨\nNegative prompt: 水印\nSteps: 20, Seed: 42";

    fn texts() -> Vec<(String, String)> {
        vec![(PARAMETERS.into(), WORDS.into()), ("danqing".into(), "{}".into())]
    }

    /// A smooth picture; `alpha` of its left half.
    fn picture(alpha: u8) -> Pixmap {
        let pixel = |i: u32| {
            let (x, y) = (i % 40, i / 40);
            [(x * 6) as u8, (y * 8) as u8, 90, if x < 20 { alpha } else { 255 }]
        };
        Pixmap::from_rgba(Extent::new(40, 30), (0..1200).flat_map(pixel).collect()).unwrap()
    }

    fn encoded(picture: &Pixmap, options: ExportOptions) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(encode_picture(&mut bytes, picture, &texts(), &options).unwrap());
        bytes
    }

    fn decoded(bytes: &[u8]) -> Pixmap {
        decode_picture(bytes, 1 << 20).unwrap()
    }

    /// The largest difference of a channel.
    fn difference(a: &Pixmap, b: &Pixmap) -> u8 {
        assert_eq!(a.extent(), b.extent());
        a.rgba().iter().zip(b.rgba()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn every_format_comes_back_with_its_words_and_without_them() {
        let folder = tempfile::tempdir().unwrap();
        for format in ExportFormat::ALL {
            for metadata in [true, false] {
                let options = ExportOptions { format, metadata, quality: 95, ..Default::default() };
                let path = folder.path().join(format!("飞流.{}", format.extension()));
                assert_eq!(ExportFormat::of_path(&path), Some(format));
                assert!(export_picture(&path, &picture(255), &texts(), &options).unwrap());
                let back = read_picture(&path, 1 << 20).unwrap();
                let most = if format == ExportFormat::Png { 0 } else { 24 };
                assert!(difference(&back, &picture(255)) <= most, "{format:?}");
                let words = match format {
                    ExportFormat::Png => read_texts(&path).unwrap().first().map(|(_, text)| text.clone()),
                    _ => exif::comment(&std::fs::read(&path).unwrap()),
                };
                assert_eq!(words.as_deref(), metadata.then_some(WORDS), "{format:?}");
            }
        }
    }

    #[test]
    fn lossless_webp_keeps_every_byte_even_of_unseen_pixels() {
        for alpha in [0, 1, 128, 255] {
            for metadata in [true, false] {
                let options =
                    ExportOptions { format: ExportFormat::WebP, lossless: true, metadata, ..Default::default() };
                assert_eq!(decoded(&encoded(&picture(alpha), options)), picture(alpha));
            }
        }
    }

    #[test]
    fn lossy_webp_keeps_its_alpha() {
        let options = ExportOptions { format: ExportFormat::WebP, quality: 60, ..Default::default() };
        let back = decoded(&encoded(&picture(100), options));
        let alphas = |p: &Pixmap| p.rgba().iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
        assert_eq!(alphas(&back), alphas(&picture(100)));
    }

    #[test]
    fn a_jpeg_lies_on_its_matte() {
        let clear = Pixmap::new(Extent::new(16, 16));
        let options = ExportOptions { format: ExportFormat::Jpeg, quality: 100, ..Default::default() };
        assert!(decoded(&encoded(&clear, options)).rgba().iter().all(|&v| v >= 254));
        let red = ExportOptions { matte: [200, 30, 20], ..options };
        let pixel = decoded(&encoded(&clear, red)).pixel(8, 8).unwrap();
        assert!(pixel.iter().zip([200, 30, 20, 255]).all(|(a, b)| a.abs_diff(b) <= 2), "{pixel:?}");
        let half = Pixmap::from_rgba(Extent::new(1, 1), vec![0, 100, 255, 128]).unwrap();
        assert_eq!(flatten(&half, [255, 255, 255]), [127, 177, 255]);
    }

    #[test]
    fn quality_is_for_size_and_is_clamped() {
        for format in [ExportFormat::Jpeg, ExportFormat::WebP] {
            let size = |quality| encoded(&picture(255), ExportOptions { format, quality, ..Default::default() }).len();
            assert!(size(5) < size(95));
            assert_eq!(size(0), size(1));
            assert_eq!(size(255), size(100));
        }
    }

    #[test]
    fn words_too_long_for_a_jpeg_are_left_out_and_told() {
        let long = vec![(PARAMETERS.to_owned(), "山".repeat(40_000))];
        for (format, fits) in [(ExportFormat::Jpeg, false), (ExportFormat::WebP, true), (ExportFormat::Png, true)] {
            let mut bytes = Vec::new();
            let options = ExportOptions { format, ..Default::default() };
            assert_eq!(encode_picture(&mut bytes, &picture(255), &long, &options).unwrap(), fits);
            assert_eq!(decoded(&bytes).extent(), Extent::new(40, 30));
        }
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused_before_the_file_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("长卷.webp");
        let options = ExportOptions { format: ExportFormat::WebP, ..Default::default() };
        let long = Pixmap::new(Extent::new(16_384, 1));
        let problem = export_picture(&path, &long, &[], &options).unwrap_err();
        assert_eq!((problem.kind, problem.arg("size")), (ProblemKind::PictureTooLarge, Some("16384×1")));
        assert!(encode_picture(Vec::new(), &long, &[], &options).is_err());
        for format in ExportFormat::ALL {
            let options = ExportOptions { format, ..Default::default() };
            assert!(export_picture(&path, &Pixmap::new(Extent::new(0, 3)), &[], &options).is_err(), "{format:?}");
        }
        assert!(!path.exists());
    }

    #[test]
    fn options_are_read_as_far_as_they_go() {
        let options: ExportOptions = serde_json::from_str(r#"{"format":"jpeg","quality":80}"#).unwrap();
        assert_eq!(options, ExportOptions { format: ExportFormat::Jpeg, quality: 80, ..Default::default() });
        assert_eq!(ExportFormat::of_path(Path::new("山.JPEG")), Some(ExportFormat::Jpeg));
        assert_eq!(ExportFormat::of_path(Path::new("山.gif")), None);
    }
}
