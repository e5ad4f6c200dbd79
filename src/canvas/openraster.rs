//! OpenRaster files (`.ora`), which Krita, GIMP, MyPaint, Drawpile and others open: a zip with the layers as PNG files,
//! a list of them in XML, the whole picture and a thumbnail (<https://www.openraster.org/baseline/file-layout-spec.html>).
//!
//! What is written is what was given, bit for bit. What is read is bounded: sizes are looked at before anything is set
//! aside for them, and what cannot be read is told and left out.

mod archive;
pub mod document;
mod stack;
#[cfg(test)]
mod tests;

use crate::base::files::write_atomically;
use crate::base::{Extent, Problem, ProblemKind, Severity};
use crate::imaging::Pixmap;
use crate::imaging::png_text::encode_png;
use crate::imaging::read::decode_picture;
use crate::imaging::resample::{Filter, resize};
use archive::Archive;
use rayon::prelude::*;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// The folder inside the file that is ours: other programs leave it alone.
pub const OURS: &str = "danqing/";
/// The composite operation of a layer that simply lies on the others.
pub const NORMAL: &str = "svg:src-over";
/// The longest side of the thumbnail, in pixels.
const THUMBNAIL: u32 = 256;
/// The longest `stack.xml` that is read, in bytes.
const LONGEST_STACK: u64 = 16 << 20;

/// A picture in layers.
#[derive(Clone, Debug, PartialEq)]
pub struct OraPicture {
    pub extent: Extent,
    /// The lowest first.
    pub layers: Vec<OraLayer>,
    /// Entries of our own, with names that begin with [`OURS`].
    pub extras: Vec<(String, Vec<u8>)>,
}

/// One layer. It may lie anywhere, also off the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct OraLayer {
    pub name: String,
    /// 0 to 1.
    pub opacity: f32,
    pub visible: bool,
    /// May not be painted on.
    pub locked: bool,
    /// The one that is worked on.
    pub selected: bool,
    /// How it blends: `svg:multiply`, or what the program that wrote it calls it.
    pub op: String,
    /// Of the left top corner, in pixels of the picture.
    pub x: i32,
    pub y: i32,
    pub pixels: Pixmap,
}

/// What is read at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pixels of the picture, and of each layer.
    pub pixels: u64,
    /// Pixels of all layers together.
    pub all_pixels: u64,
    pub layers: usize,
    /// Bytes of one entry, unpacked.
    pub entry: u64,
    /// Bytes of all our own entries, unpacked.
    pub extras: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pixels: 1 << 28, all_pixels: 1 << 29, layers: 1000, entry: 1 << 30, extras: 1 << 29 }
    }
}

/// Writes a picture through a temporary file; `merged` is how it looks with all its layers.
///
/// # Errors
/// [`ProblemKind::Unwritable`] if the file refuses, or a picture or layer is empty.
pub fn write_ora(path: &Path, picture: &OraPicture, merged: &Pixmap) -> Result<(), Problem> {
    let refused = |error: std::io::Error| Problem::new(ProblemKind::Unwritable).at(path).detail(error);
    let bytes = encode_ora(picture, merged).map_err(refused)?;
    write_atomically(path, |writer| writer.write_all(&bytes))
}

/// The bytes of an OpenRaster file; see [`write_ora`].
///
/// # Errors
/// If the picture or a layer is empty.
pub fn encode_ora(picture: &OraPicture, merged: &Pixmap) -> std::io::Result<Vec<u8>> {
    let png = |pixels: &Pixmap| {
        let mut bytes = Vec::new();
        encode_png(&mut bytes, pixels, &[]).map(|()| bytes)
    };
    let layers: Vec<Vec<u8>> = picture.layers.par_iter().map(|layer| png(&layer.pixels)).collect::<Result<_, _>>()?;
    let mut entries = vec![(String::from("stack.xml"), stack::write(picture)?)];
    entries.extend(layers.into_iter().enumerate().map(|(index, bytes)| (layer_path(index), bytes)));
    entries.push((String::from("mergedimage.png"), png(merged)?));
    entries.push((String::from("Thumbnails/thumbnail.png"), png(&thumbnail(merged))?));
    entries.extend(picture.extras.iter().cloned());
    archive::pack(&entries)
}

fn layer_path(index: usize) -> String {
    format!("data/layer{index:03}.png")
}

fn thumbnail(merged: &Pixmap) -> Pixmap {
    let Extent { width, height } = merged.extent();
    let longest = width.max(height);
    if longest <= THUMBNAIL {
        return merged.clone();
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(THUMBNAIL) / u64::from(longest)).max(1) as u32;
    resize(merged, Extent::new(scaled(width), scaled(height)), Filter::Bilinear)
}

/// Reads a file. What could not be read, or is shown differently, comes with it as warnings.
///
/// Groups are taken apart: their opacity and visibility go to the layers in them.
///
/// # Errors
/// [`ProblemKind::Unreadable`] if the file cannot be opened, [`ProblemKind::OpenRasterInvalid`] if it is no OpenRaster
/// file or nothing in it can be read, [`ProblemKind::PictureTooLarge`] if it is beyond the limits.
pub fn read_ora(path: &Path, limits: &Limits) -> Result<(OraPicture, Vec<Problem>), Problem> {
    let unreadable = |error: std::io::Error| Problem::new(ProblemKind::Unreadable).at(path).detail(error);
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    }
    decode_ora(std::io::BufReader::new(file), limits).map_err(|problem| problem.at(path))
}

/// Reads the content of a file; see [`read_ora`].
///
/// # Errors
/// [`ProblemKind::OpenRasterInvalid`] and [`ProblemKind::PictureTooLarge`], without a file name.
pub fn decode_ora(source: impl Read + Seek, limits: &Limits) -> Result<(OraPicture, Vec<Problem>), Problem> {
    let invalid = |detail: &dyn std::fmt::Display| Problem::new(ProblemKind::OpenRasterInvalid).detail(detail);
    let mut archive = Archive::open(source).map_err(|e| invalid(&e))?;
    let mut warnings = Vec::new();
    let xml = archive.read("stack.xml", LONGEST_STACK).map_err(|e| invalid(&e))?;
    let mut stack = stack::read(&xml).map_err(|e| invalid(&e))?;
    require_area(stack.extent, limits.pixels)?;
    if let Some(error) = stack.error.take() {
        let problem = Problem::new(ProblemKind::OpenRasterPartUnreadable).with("part", "stack.xml");
        warnings.push(warning(problem.detail(error)));
    }
    if stack.groups > 0 {
        let problem = Problem::new(ProblemKind::OpenRasterGroupsFlattened).with("count", stack.groups);
        warnings.push(Problem { severity: Severity::Note, ..problem });
    }
    if stack.layers.len() > limits.layers {
        warnings.push(warning(Problem::new(ProblemKind::OpenRasterTooManyLayers).with("most", limits.layers)));
        stack.layers.truncate(limits.layers);
    }
    let mut left = limits.all_pixels;
    let mut layers = Vec::new();
    for listed in stack.layers {
        match layer_pixels(&mut archive, &listed.src, limits, &mut left) {
            Ok(pixels) => layers.push(OraLayer { pixels, ..listed.layer }),
            Err(problem) => warnings.push(warning(problem)),
        }
    }
    if layers.is_empty() && !warnings.is_empty() {
        // Better the picture in one than nothing.
        let merged = layer_pixels(&mut archive, "mergedimage.png", limits, &mut left);
        let pixels = merged.map_err(|problem| invalid(&problem))?;
        layers.push(OraLayer { pixels, ..OraLayer::named("mergedimage") });
    }
    // The uppermost comes first in the file.
    layers.reverse();
    let extras = extras(&mut archive, limits, &mut warnings);
    Ok((OraPicture { extent: stack.extent, layers, extras }, warnings))
}

impl OraLayer {
    /// An empty layer, as one is that the file says nothing of.
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            opacity: 1.0,
            visible: true,
            locked: false,
            selected: false,
            op: NORMAL.to_owned(),
            x: 0,
            y: 0,
            pixels: Pixmap::new(Extent::new(0, 0)),
        }
    }
}

fn layer_pixels<R: Read + Seek>(
    archive: &mut Archive<R>,
    src: &str,
    limits: &Limits,
    left: &mut u64,
) -> Result<Pixmap, Problem> {
    let unreadable = |detail: &dyn std::fmt::Display| {
        Problem::new(ProblemKind::OpenRasterPartUnreadable).with("part", src).detail(detail)
    };
    if !archive.has(src) {
        return Err(Problem::new(ProblemKind::OpenRasterPartMissing).with("part", src));
    }
    let bytes = archive.read(src, limits.entry).map_err(|e| unreadable(&e))?;
    let pixels = decode_picture(&bytes, limits.pixels.min(*left)).map_err(|e| unreadable(&e))?;
    *left = left.saturating_sub(pixels.extent().area());
    Ok(pixels)
}

fn extras<R: Read + Seek>(
    archive: &mut Archive<R>,
    limits: &Limits,
    warnings: &mut Vec<Problem>,
) -> Vec<(String, Vec<u8>)> {
    let mut left = limits.extras;
    let mut found = Vec::new();
    for name in archive.names_below(OURS) {
        match archive.read(&name, left.min(limits.entry)) {
            Ok(bytes) => {
                left -= bytes.len() as u64;
                found.push((name, bytes));
            }
            Err(error) => {
                let problem = Problem::new(ProblemKind::OpenRasterPartUnreadable).with("part", name);
                warnings.push(warning(problem.detail(error)));
            }
        }
    }
    found
}

fn warning(problem: Problem) -> Problem {
    Problem { severity: Severity::Warning, ..problem }
}

fn require_area(extent: Extent, most: u64) -> Result<(), Problem> {
    if extent.area() <= most {
        return Ok(());
    }
    let side = most.isqrt();
    Err(Problem::new(ProblemKind::PictureTooLarge).with("size", extent).with("most", format!("{side}×{side}")))
}
