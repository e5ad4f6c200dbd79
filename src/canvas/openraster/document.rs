//! Documents as OpenRaster files: the layers for everybody, and what only we know in entries of our own.

use super::{Limits, OURS, OraLayer, OraPicture, read_ora, write_ora};
use crate::base::{Extent, IntRect, Problem, ProblemKind, Severity};
use crate::canvas::{Document, Layer, MaskTiles};
use crate::imaging::read::decode_picture;
use crate::imaging::{BlendMode, Mask, Pixmap};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

const ABOUT: &str = "danqing/document.json";
const MASK: &str = "danqing/mask.png";
const SELECTION: &str = "danqing/selection.png";
/// Composite operations that cut or hide what is below. Drawn as Normal they would cover the picture.
const CUTS: [&str; 5] = ["svg:dst-in", "svg:dst-out", "svg:dst-atop", "svg:clear", "svg:xor"];

/// What OpenRaster has no place for. Entries that are missing are as in a new document.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct About {
    version: u32,
    frame: Option<IntRect>,
    /// For each layer from the bottom.
    alpha_locked: Vec<bool>,
    /// Where the pictures of mask and selection have their top left corner.
    mask: (i32, i32),
    selection: (i32, i32),
}

/// Writes a document through a temporary file. `merged` is how it looks; `extras` are more entries of our own, with
/// names that begin with [`OURS`].
///
/// # Errors
/// As [`write_ora`].
pub fn write_document(
    path: &Path,
    document: &Document,
    merged: &Pixmap,
    extras: &[(String, Vec<u8>)],
) -> Result<(), Problem> {
    let refused = |error: io::Error| Problem::new(ProblemKind::Unwritable).at(path).detail(error);
    let mut about = About {
        version: 1,
        frame: Some(document.frame()),
        alpha_locked: document.layers().iter().map(|layer| layer.alpha_locked).collect(),
        ..About::default()
    };
    let mut ours = Vec::new();
    let masks = [(MASK, Some(document.mask())), (SELECTION, document.selection())];
    for (name, tiles) in masks {
        let Some((tiles, bounds)) = tiles.and_then(|tiles| Some((tiles, tiles.bounds()?))) else { continue };
        *(if name == MASK { &mut about.mask } else { &mut about.selection }) = (bounds.x, bounds.y);
        ours.push((name.to_owned(), grey_png(&tiles.to_mask(bounds)).map_err(refused)?));
    }
    let json = serde_json::to_vec_pretty(&about).map_err(|error| refused(error.into()))?;
    ours.insert(0, (ABOUT.to_owned(), json));
    ours.extend(extras.iter().filter(|(name, _)| name.starts_with(OURS)).cloned());
    let layers = document.layers().iter().map(|layer| listed(layer, document)).collect();
    write_ora(path, &OraPicture { extent: document.extent(), layers, extras: ours }, merged)
}

/// The layer within the bounds of what is on it; of an empty one a single transparent pixel.
fn listed(layer: &Layer, document: &Document) -> OraLayer {
    let bounds = layer.pixels.bounds().unwrap_or(IntRect::new(0, 0, 1, 1));
    OraLayer {
        name: layer.name.clone(),
        opacity: layer.opacity,
        visible: layer.visible,
        locked: layer.locked,
        selected: layer.id == document.active(),
        op: layer.blend.svg_name().to_owned(),
        x: bounds.x,
        y: bounds.y,
        pixels: layer.pixels.pixmap(bounds),
    }
}

fn grey_png(mask: &Mask) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Extent { width, height } = mask.extent();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(mask.bytes())?;
    writer.finish()?;
    Ok(bytes)
}

/// What a file holds.
#[derive(Debug)]
pub struct Opened {
    pub document: Document,
    /// Entries of our own that the document does not take in.
    pub extras: Vec<(String, Vec<u8>)>,
    /// What could not be read, or looks different here.
    pub warnings: Vec<Problem>,
}

/// Reads a document from an OpenRaster file of any program.
///
/// # Errors
/// As [`read_ora`], and [`ProblemKind::SizeInvalid`] for a canvas beyond ours.
pub fn read_document(path: &Path, limits: &Limits) -> Result<Opened, Problem> {
    let (picture, mut warnings) = read_ora(path, limits)?;
    let mut extras = picture.extras;
    let mut take = |name: &str| {
        let at = extras.iter().position(|(other, _)| other == name)?;
        Some(extras.swap_remove(at).1)
    };
    let unreadable = |name: &str, error: &dyn std::fmt::Display| {
        let problem = Problem::new(ProblemKind::OpenRasterPartUnreadable).with("part", name).detail(error);
        Problem { severity: Severity::Warning, ..problem }
    };
    let about = take(ABOUT).map(|json| serde_json::from_slice::<About>(&json)).transpose();
    let about = about.unwrap_or_else(|error| {
        warnings.push(unreadable(ABOUT, &error));
        None
    });
    let about = about.unwrap_or_default();
    let mut tiles = |name: &str, (x, y): (i32, i32)| {
        let picture = decode_picture(&take(name)?, limits.pixels);
        let picture = picture.map_err(|error| warnings.push(unreadable(name, &error))).ok()?;
        Some(MaskTiles::from_mask(x, y, &Mask::from_luma(&picture)))
    };
    let (mask, selection) = (tiles(MASK, about.mask), tiles(SELECTION, about.selection));
    let mut active = None;
    let mut layers = Vec::new();
    // Another program may have added or removed layers: then nobody can tell which is which.
    let same = about.alpha_locked.len() == picture.layers.len();
    for (index, listed) in picture.layers.into_iter().enumerate() {
        let selected = listed.selected;
        let mut layer = taken(listed, &mut warnings);
        layer.alpha_locked = same && about.alpha_locked.get(index).copied().unwrap_or_default();
        if selected {
            active = Some(layer.id);
        }
        layers.push(layer);
    }
    let mut document = Document::from_layers(picture.extent, layers).map_err(|problem| problem.at(path))?;
    document = document.with_mask(mask.unwrap_or_default()).with_selection(selection);
    if let Some(frame) = about.frame {
        document = document.with_frame(frame);
    }
    if let Some(active) = active {
        document = document.with_active(active);
    }
    Ok(Opened { document, extras, warnings })
}

fn taken(listed: OraLayer, warnings: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new(listed.name);
    let blend = BlendMode::from_svg_name(&listed.op);
    if blend.is_none() {
        let problem = Problem::new(ProblemKind::OpenRasterBlendUnknown);
        let problem = problem.with("layer", &layer.name).with("blend", &listed.op);
        warnings.push(Problem { severity: Severity::Warning, ..problem });
    }
    layer.opacity = listed.opacity;
    layer.blend = blend.unwrap_or_default();
    layer.visible = listed.visible && !CUTS.contains(&listed.op.as_str());
    layer.locked = listed.locked;
    layer.pixels.put(listed.x, listed.y, &listed.pixels);
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, seed: u8) -> Pixmap {
        let byte = |i: u32| (i * 37) as u8 ^ seed | 1;
        Pixmap::from_rgba(Extent::new(width, height), (0..width * height * 4).map(byte).collect()).unwrap()
    }

    fn document() -> Document {
        let mut ink = Layer::new("墨");
        ink.pixels.put(-70, 33, &picture(100, 20, 4));
        (ink.opacity, ink.blend, ink.locked, ink.alpha_locked) = (0.4, BlendMode::Multiply, true, true);
        let mut paper = Layer::new("纸");
        paper.pixels.put(0, 0, &picture(120, 90, 9));
        let mut empty = Layer::new("空");
        empty.visible = false;
        let active = ink.id;
        let mask = Mask::from_bytes(Extent::new(3, 2), vec![255, 1, 2, 3, 128, 254]).unwrap();
        Document::from_layers(Extent::new(120, 90), vec![paper, ink, empty])
            .unwrap()
            .with_mask(MaskTiles::from_mask(60, 62, &mask))
            .with_selection(Some(MaskTiles::from_mask(-5, 7, &mask)))
            .with_frame(IntRect::new(-8, 8, 64, 128))
            .with_active(active)
    }

    /// Everything but the ids, which are new in every session.
    fn seen(document: &Document) -> impl PartialEq + std::fmt::Debug + use<> {
        let layers: Vec<_> = document.layers().iter().map(|l| Layer { id: document.active(), ..l.clone() }).collect();
        let layers = format!(
            "{:?}",
            layers
                .iter()
                .map(|l| (&l.name, l.opacity, l.blend, l.visible, l.locked, l.alpha_locked))
                .collect::<Vec<_>>()
        );
        let pixels: Vec<_> = document.layers().iter().map(|l| l.pixels.bounds().map(|b| l.pixels.read(b))).collect();
        let masks = [Some(document.mask()), document.selection()]
            .map(|t| t.and_then(|t| Some((t.bounds()?, t.read(t.bounds()?)))));
        (layers, pixels, masks, document.frame(), document.extent(), document.position(document.active()))
    }

    #[test]
    fn a_document_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("山水.ora");
        let extras = vec![("danqing/session.json".to_owned(), b"{}".to_vec()), ("elsewhere".to_owned(), vec![])];
        write_document(&path, &document(), &picture(120, 90, 1), &extras).unwrap();
        let opened = read_document(&path, &Limits::default()).unwrap();
        assert_eq!(seen(&opened.document), seen(&document()));
        assert!(opened.warnings.is_empty(), "{:?}", opened.warnings);
        assert_eq!(opened.extras, extras[..1]);
    }

    #[test]
    fn what_we_cannot_blend_is_told_and_what_would_cut_is_hidden() {
        let mut warnings = Vec::new();
        let pixels = picture(2, 2, 3);
        for (op, blend, visible) in [
            ("svg:screen", BlendMode::Screen, true),
            ("krita:behind", BlendMode::Normal, true),
            ("svg:dst-in", BlendMode::Normal, false),
        ] {
            let listed = OraLayer { op: op.into(), pixels: pixels.clone(), ..OraLayer::named("甲") };
            let layer = taken(listed, &mut warnings);
            assert_eq!((layer.blend, layer.visible), (blend, visible));
        }
        let told: Vec<_> = warnings.iter().map(|w| (w.kind, w.arg("blend").unwrap())).collect();
        let unknown = ProblemKind::OpenRasterBlendUnknown;
        assert_eq!(told, [(unknown, "krita:behind"), (unknown, "svg:dst-in")]);
    }

    #[test]
    fn a_damaged_entry_of_ours_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画.ora");
        let ours = |name: &str| (name.to_owned(), b"nonsense".to_vec());
        let layers = vec![OraLayer { pixels: picture(2, 2, 3), ..OraLayer::named("甲") }];
        let file = OraPicture { extent: Extent::new(2, 2), layers, extras: vec![ours(ABOUT), ours(MASK)] };
        write_ora(&path, &file, &picture(2, 2, 3)).unwrap();
        let opened = read_document(&path, &Limits::default()).unwrap();
        assert_eq!(opened.warnings.iter().map(|w| w.arg("part").unwrap()).collect::<Vec<_>>(), [ABOUT, MASK]);
        assert_eq!(opened.document.layers().len(), 1);
        let long = OraPicture { extent: Extent::new(20_000, 2), ..file };
        write_ora(&path, &long, &picture(2, 2, 3)).unwrap();
        assert_eq!(read_document(&path, &Limits::default()).unwrap_err().kind, ProblemKind::SizeInvalid);
    }
}
