//! What the studio costs the processor: whole frames of the window on a canvas of 4096 × 4096 (panning, zooming, a mask
//! stroke of about 2,000 dabs), with the engine at rest and while it repaints, and the tiles of a colour stroke put
//! together. The graphics card's part is not in it (`--bench screen`). `cargo bench --bench studio [-- MODEL]`.
//!
//! MODEL is a diffusers folder: with it the real engine repaints, too, on all cores, and the frames come sixty a second.

mod stage;

use danqing::base::{Extent, IntRect};
use danqing::canvas::surface::compose_tiles;
use danqing::canvas::{Brush, Document, Editor, Layer, MaskTiles, Reshape, TileIndex};
use danqing::imaging::{BlendMode, Mask};
use danqing::tools::{Context as Hand, Modifiers as Held, PointerEvent, ToolId, ToolSettings};
use stage::headless::Headless;
use stage::scene::SIDE;
use stage::{Cost, play, report, scene};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The commands that change a whole mask, on one as large as the canvas; they run beside the window's thread. One has an
/// edge everywhere, one is like what an artist paints.
fn growing() {
    let mut mask = Mask::new(Extent::new(SIDE, SIDE));
    let places = mask.bytes_mut().iter_mut().enumerate();
    places.for_each(|(k, value)| *value = if (k / 97) % 3 == 0 { 255 } else { 0 });
    let mut blobs = MaskTiles::new();
    blobs.fill(IntRect::new(300, 500, 2700, 1900), [255]);
    blobs.fill(IntRect::new(1900, 100, 900, 3600), [255]);
    let canvas = IntRect::new(0, 0, SIDE, SIDE);
    for (mask, kind) in [(MaskTiles::from_mask(0, 0, &mask), "all edges"), (blobs, "large areas")] {
        for (what, how) in [("grown", Reshape::Grow(8.0)), ("feathered", Reshape::Feather(8.0))] {
            let began = Instant::now();
            std::hint::black_box(mask.reshaped(how, canvas));
            println!("a mask of the whole canvas, {kind}, {what}: {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
        }
    }
}

/// The tiles that each event of a colour stroke leaves, put together from three layers.
fn composing() {
    let whole = IntRect::new(0, 0, SIDE, SIDE);
    let mut layers = ["底", "色", "面"].map(Layer::new);
    for (layer, colour) in layers.iter_mut().zip([[240, 240, 230, 255], [90, 20, 200, 120], [0, 0, 0, 3]]) {
        layer.pixels.fill(whole, colour);
    }
    let [_, middle, _] = &mut layers;
    middle.blend = BlendMode::Multiply;
    let document = Document::from_layers(whole.extent(), layers.into()).expect("a sensible size");
    let mut editor = Editor::new(document);
    let brush = Brush { diameter: 100.0, ..Brush::default() };
    let settings = ToolSettings { colour_brush: brush, ..ToolSettings::default() };
    let mut tool = (ToolId::ColourBrush.line().expect("it is in the table").make)();
    let mut times = Vec::new();
    for k in 0..500u32 {
        let angle = f64::from(k) / 112.0;
        let (x, y) = (2048.0 + 1800.0 * angle.sin(), 2048.0 + 1500.0 * (1.7 * angle).sin());
        let event = PointerEvent { x, y, pressure: 1.0, time: f64::from(k) / 240.0, modifiers: Held::default() };
        let began = Instant::now();
        let mut effects = Vec::new();
        let mut hand = Hand { easel: &mut editor, settings: &settings, scale: 1.0, effects: &mut effects };
        if k == 0 {
            tool.press(&mut hand, event)
        } else {
            tool.drag(&mut hand, event)
        }
        let tiles: Vec<TileIndex> = editor.take_change().composite.into_iter().collect();
        std::hint::black_box(compose_tiles(editor.document(), &tiles));
        let spent = began.elapsed().as_secs_f64() * 1e3;
        times.push(Cost { uploaded: spent, frame: spent });
    }
    report("colour stroke of 100 px over three layers (event to tiles put together)", &times);
    let all: Vec<_> = TileIndex::covering(whole).collect();
    let began = Instant::now();
    std::hint::black_box(compose_tiles(editor.document(), &all));
    println!("all {} tiles put together: {:.0} ms", all.len(), began.elapsed().as_secs_f64() * 1e3);
}

/// The window's frames with the engine at rest and while it repaints; `engine` is what to call it.
fn frames(model: Option<&Path>, engine: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut window = Headless::open(scene::setup(&folder, model, 1000), model.is_some());
    play::settle(&mut window);
    play::canvas(&mut window, &format!("{engine} rests"));
    play::repaint(&mut window, 1);
    play::canvas(&mut window, &format!("{engine} repaints"));
    play::assert_working(&mut window);
}

fn main() {
    let model = std::env::args().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from);
    frames(None, "the fake engine");
    if let Some(model) = &model {
        frames(Some(model), "the real engine");
    }
    composing();
    growing();
}
