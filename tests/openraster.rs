//! Our layered files in other programs, and theirs in ours. The goldens were made by Krita and MyPaint themselves
//! (`tests/goldens/openraster/make.sh`) from the file that [`exchange`] is written to.

use danqing::base::{Extent, IntRect};
use danqing::canvas::openraster::Limits;
use danqing::canvas::openraster::document::{read_document, write_document};
use danqing::canvas::surface::flatten;
use danqing::canvas::{Document, Layer};
use danqing::imaging::read::decode_picture;
use danqing::imaging::{BlendMode, Pixmap};
use std::path::{Path, PathBuf};

const SIDE: u32 = 16;
const EXTENT: Extent = Extent { width: 4 * SIDE, height: 5 * SIDE };

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/openraster").join(name)
}

fn picture(extent: Extent, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Pixmap {
    let Extent { width, height } = extent;
    let bytes = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
    Pixmap::from_rgba(extent, bytes).unwrap()
}

/// The square in which a blend mode is seen.
fn square(mode: usize) -> IntRect {
    IntRect::new((mode as u32 % 4 * SIDE) as i32, (mode as u32 / 4 * SIDE) as i32, SIDE, SIDE)
}

/// A painted ground, a square in each blend mode (the left half opaque, the right half at 60 %), and a row of layers
/// with a name, an opacity, a place outside the canvas, and nothing to be seen.
fn exchange() -> Document {
    let mut ground = Layer::new("底色");
    let colour = |x: u32, y: u32| [(40 + x * 3) as u8, (220 - y * 2) as u8, (90 + (x * 7 + y * 5) % 120) as u8, 255];
    ground.pixels.put(0, 0, &picture(EXTENT, colour));
    let mut layers = vec![ground];
    for (i, &mode) in BlendMode::ALL.iter().enumerate() {
        let mut layer = Layer::new(format!("模式 {}", mode.svg_name()));
        layer.blend = mode;
        let pixel =
            |x: u32, y: u32| [(230 - y * 9) as u8, (60 + x * 8) as u8, 140, if x < SIDE / 2 { 255 } else { 153 }];
        layer.pixels.put(square(i).x, square(i).y, &picture(Extent::new(SIDE, SIDE), pixel));
        layers.push(layer);
    }
    let red = picture(Extent::new(SIDE, SIDE), |_, _| [200, 30, 20, 255]);
    let row = (4 * SIDE) as i32;
    let mut half = Layer::new("半透明 & <墨>");
    half.pixels.put(0, row, &red);
    half.opacity = 0.5;
    let mut outside = Layer::new("一半在外");
    outside.pixels.put((4 * SIDE - SIDE / 2) as i32, row, &red);
    let mut hidden = Layer::new("看不见");
    hidden.pixels.put(SIDE as i32, row, &red);
    hidden.visible = false;
    layers.extend([half, outside, hidden]);
    Document::from_layers(EXTENT, layers).unwrap()
}

fn whole() -> IntRect {
    IntRect::new(0, 0, EXTENT.width, EXTENT.height)
}

/// Largest difference of a colour value in `rect`.
fn apart(a: &Pixmap, b: &Pixmap, rect: IntRect) -> u8 {
    assert_eq!((a.extent(), b.extent()), (EXTENT, EXTENT));
    let mut most = 0;
    for y in rect.y..rect.y + rect.height as i32 {
        let from = (y as usize * EXTENT.width as usize + rect.x as usize) * 4;
        let row = from..from + rect.width as usize * 4;
        let pairs = a.rgba()[row.clone()].iter().zip(&b.rgba()[row]);
        most = pairs.map(|(a, b)| a.abs_diff(*b)).fold(most, u8::max);
    }
    most
}

fn load(name: &str) -> Pixmap {
    decode_picture(&std::fs::read(golden(name)).unwrap(), 1 << 20).unwrap()
}

/// `DANQING_ORA=FOLDER` keeps the file and our picture of it, for the script that asks the other programs.
#[test]
fn the_file_for_the_others_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("DANQING_ORA").map_or(folder.path().to_owned(), PathBuf::from);
    let (document, path) = (exchange(), folder.join("丹青.ora"));
    let merged = flatten(&document, whole());
    write_document(&path, &document, &merged, &[]).unwrap();
    danqing::imaging::png_text::write_png(&folder.join("丹青.png"), &merged, &[]).unwrap();
    let again = read_document(&path, &Limits::default()).unwrap();
    assert!(again.warnings.is_empty());
    assert_eq!(apart(&flatten(&again.document, whole()), &merged, whole()), 0);
}

/// Krita's picture of our file, square by square. Its 'addition' lets colour clip before alpha counts, ours (as the
/// format and MyPaint have it) after: they agree where the square is opaque.
#[test]
fn krita_sees_our_file_as_we_do() {
    let (ours, theirs) = (flatten(&exchange(), whole()), load("krita.png"));
    for (i, &mode) in BlendMode::ALL.iter().enumerate() {
        let IntRect { x, y, width, height } = square(i);
        let seen = if mode == BlendMode::Add { IntRect::new(x, y, width / 2, height) } else { square(i) };
        assert!(apart(&ours, &theirs, seen) <= 1, "{mode:?}");
    }
    let row = IntRect::new(0, (4 * SIDE) as i32, EXTENT.width, SIDE);
    assert!(apart(&ours, &theirs, row) <= 1);
}

/// Name, opacity in whole per cent, visibility and blend mode of each layer.
fn list(document: &Document) -> Vec<(&str, i32, bool, BlendMode)> {
    let layers = document.layers().iter();
    layers.map(|l| (l.name.as_str(), (l.opacity * 100.0).round() as i32, l.visible, l.blend)).collect()
}

#[test]
fn files_of_krita_and_mypaint_are_as_they_were_sent() {
    let ours = exchange();
    let pixels = |layer: &Layer| layer.pixels.pixmap(whole());
    // MyPaint adds its paper, and keeps colours in 15 bits.
    for (name, paper, most) in [("krita.ora", 0, 0), ("mypaint.ora", 1, 1)] {
        let opened = read_document(&golden(name), &Limits::default()).unwrap();
        assert!(opened.warnings.is_empty(), "{name}: {:?}", opened.warnings);
        assert_eq!(list(&opened.document)[paper..], list(&ours), "{name}");
        for (theirs, ours) in opened.document.layers()[paper..].iter().zip(ours.layers()) {
            assert!(apart(&pixels(theirs), &pixels(ours), whole()) <= most, "{name}: {}", ours.name);
        }
    }
    let opened = read_document(&golden("krita.ora"), &Limits::default()).unwrap();
    assert!(apart(&flatten(&opened.document, whole()), &flatten(&ours, whole()), whole()) <= 1);
}
