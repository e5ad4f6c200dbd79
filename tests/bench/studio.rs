//! What the studio costs the processor: whole frames of the window on a canvas of 4096 × 4096 (panning, zooming, a mask
//! stroke of about 2,000 dabs), with the engine at rest and while it repaints, and the tiles of a colour stroke put
//! together. The graphics card's part is not in it. `cargo bench --bench studio [-- MODEL]`.
//!
//! MODEL is a diffusers folder: with it the real engine repaints, too, on all cores, and the frames come sixty a second.

use danqing::app::settings::Settings;
use danqing::base::{Extent, IntRect};
use danqing::canvas::openraster::document::write_document;
use danqing::canvas::surface::compose_tiles;
use danqing::canvas::{Brush, Document, Editor, Layer, MaskTiles, Reshape, TileIndex};
use danqing::engine::{CandleGenerator, EngineFolders};
use danqing::imaging::{BlendMode, Mask, Pixmap};
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::{DeviceLister, FamilyInfo, Generator, Preset, Sampling};
use danqing::tools::{Context as Hand, Modifiers as Held, PointerEvent, ToolId, ToolSettings};
use danqing::ui::{Setup, Shell, prepare};
use danqing::words::Language;
use egui::{Context, Event, Id, Key, Modifiers, PointerButton, Pos2, RawInput, Rect, pos2, vec2};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SIDE: u32 = 4096;
const SCREEN: [f32; 2] = [1920.0, 1080.0];

struct Window {
    ctx: Context,
    shell: Shell,
    time: f64,
    /// Frames are shown sixty a second, and between them the window sleeps.
    paced: bool,
    _folder: tempfile::TempDir,
}

impl Window {
    /// With the real engine and this model, or with the one that pauses instead of painting.
    fn open(model: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let sampling = Sampling { steps: 1000, ..Preset::Article.sampling(7.0) };
        let settings = Settings { prompt: "山".into(), sampling: Some(sampling), ..Settings::default() };
        settings.write(&path("settings.json")).expect("a folder that can be written");
        let canvas = path("画.ora");
        let blank = Document::blank(Extent::new(SIDE, SIDE), "底").expect("a sensible size");
        write_document(&canvas, &blank, &Pixmap::new(Extent::new(SIDE, SIDE)), &[]).expect("room for a file");
        let folders = EngineFolders { models: vec![], cache: path("cache") };
        let (name, family) = match model {
            Some(model) => (model.to_owned(), folders.family(model).expect("a model that is understood")),
            None => ("fake".into(), FamilyInfo { most_area: u64::from(SIDE) * u64::from(SIDE), ..fake_family() }),
        };
        let real = model.is_some();
        let setup = Setup {
            factory: Box::new(move || {
                let fake = || FakeGenerator::new().with_delay(Duration::from_millis(100));
                let generator: Box<dyn Generator> =
                    if real { Box::new(CandleGenerator::new(folders.clone())) } else { Box::new(fake()) };
                Ok(generator)
            }),
            models: vec![("模型".into(), name, family)],
            devices: DeviceLister::new(Vec::new),
            faults: vec![],
            models_folder: path("模型"),
            gallery: danqing::gallery::Place {
                folder: path("丹青"),
                database: path("gallery.db"),
                thumbnails: path("thumbnails.db"),
                system_trash: false,
            },
            settings_path: path("settings.json"),
            recovery_folder: path("保管"),
            files: vec![canvas],
            language: Language::ZhCn,
        };
        let ctx = Context::default();
        prepare(&ctx);
        let shell = Shell::new(&ctx, None, setup);
        let mut window = Self { ctx, shell, time: 0.0, paced: real, _folder: folder };
        let began = Instant::now();
        while window.shell.state().desk.document().extent() != Extent::new(SIDE, SIDE) {
            window.frame(vec![]);
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", window.shell.state().messages);
        }
        for _ in 0..20 {
            window.frame(vec![]);
        }
        window
    }

    /// Milliseconds of one frame: its logic, its contents, and their triangles.
    fn frame(&mut self, events: Vec<Event>) -> f64 {
        self.time += 1.0 / 60.0;
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, SCREEN.into()));
        let input = RawInput { screen_rect, time: Some(self.time), events, ..RawInput::default() };
        let began = Instant::now();
        let shell = &mut self.shell;
        let mut output = self.ctx.run_ui(input, |ui| {
            shell.logic(ui.ctx());
            shell.show(ui);
        });
        // Nobody uploads the letters and thumbnails.
        output.textures_delta.clear();
        let shapes = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        let spent = began.elapsed().as_secs_f64() * 1e3;
        std::hint::black_box(shapes);
        if self.paced {
            std::thread::sleep(Duration::from_micros(16_667).saturating_sub(began.elapsed()));
        }
        spent
    }

    fn key(&mut self, key: Key, modifiers: Modifiers) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.frame(vec![event(true), event(false)]);
        self.frame(vec![]);
    }

    fn place(&self, x: f64, y: f64) -> Pos2 {
        let corner = self.ctx.read_response(Id::unique("canvas")).map_or(Pos2::ZERO, |canvas| canvas.rect.min);
        let desk = &self.shell.state().desk;
        let Some(room) = desk.room else { return corner };
        let [x, y] = desk.view_in(room).to_screen([x, y], room);
        corner + vec2(x as f32, y as f32)
    }

    fn button(&mut self, pos: Pos2, button: PointerButton, pressed: bool) -> f64 {
        let event = Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE };
        self.frame(vec![Event::PointerMoved(pos), event])
    }

    /// Four events a frame, as mice of 240 Hz send them.
    fn stroke(&mut self) -> Vec<f64> {
        let at = |k: u32| {
            let angle = f64::from(k) / 112.0;
            (2048.0 + 1800.0 * angle.sin(), 2048.0 + 1500.0 * (1.7 * angle).sin())
        };
        let first = self.place(at(0).0, at(0).1);
        let mut times = vec![self.button(first, PointerButton::Primary, true)];
        for frame in 0..125 {
            let points = (1..=4).map(|k| at(frame * 4 + k));
            let events = points.map(|(x, y)| Event::PointerMoved(self.place(x, y))).collect();
            times.push(self.frame(events));
        }
        let last = self.place(at(500).0, at(500).1);
        times.push(self.button(last, PointerButton::Primary, false));
        times
    }

    fn pan(&mut self) -> Vec<f64> {
        let middle = self.place(2048.0, 2048.0);
        self.button(middle, PointerButton::Middle, true);
        let times = (0..240u16).map(|k| {
            let angle = f32::from(k) / 12.0;
            self.frame(vec![Event::PointerMoved(middle + 150.0 * vec2(angle.sin(), angle.cos()))])
        });
        let times = times.collect();
        self.button(middle, PointerButton::Middle, false);
        times
    }

    fn zoom(&mut self) -> Vec<f64> {
        let middle = self.place(2048.0, 2048.0);
        self.frame(vec![Event::PointerMoved(middle)]);
        (0..240u16).map(|k| self.frame(vec![Event::Zoom(if k / 60 % 2 == 0 { 1.05 } else { 1.0 / 1.05 })])).collect()
    }

    fn round(&mut self, engine: &str) {
        for (what, times) in [
            ("at rest", (0..240).map(|_| self.frame(vec![])).collect()),
            ("panning", self.pan()),
            ("zooming", self.zoom()),
        ] {
            report(&format!("{engine}, {what}"), times);
        }
        assert!(self.shell.state().desk.view.is_some(), "the canvas was moved");
        self.key(Key::Num0, Modifiers::COMMAND);
        let steps = self.shell.state().desk.editor().history().len();
        report(&format!("{engine}, mask stroke (event to tile handed over)"), self.stroke());
        let desk = &self.shell.state().desk;
        assert!(desk.editor().history().len() == steps + 1 && !desk.is_drawing(), "the stroke was drawn");
        println!("{} tiles of mask", desk.document().mask().iter().count());
    }
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let last = times.len().saturating_sub(1);
    let at = |share: f64| times.get((last as f64 * share) as usize).copied().unwrap_or(0.0);
    let (median, high, most) = (at(0.5), at(0.99), at(1.0));
    println!("{what}: {} frames, median {median:.2} ms, 99 % {high:.2} ms, most {most:.2} ms", times.len());
}

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
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    report("colour stroke of 100 px over three layers (event to tiles put together)", times);
    let all: Vec<_> = TileIndex::covering(whole).collect();
    let began = Instant::now();
    std::hint::black_box(compose_tiles(editor.document(), &all));
    println!("all {} tiles put together: {:.0} ms", all.len(), began.elapsed().as_secs_f64() * 1e3);
}

/// The window's frames with the engine at rest and while it repaints; `engine` is what to call it.
fn frames(model: Option<&Path>, engine: &str) {
    let mut window = Window::open(model);
    // The pointer is over the canvas, and nothing has the focus.
    let middle = pos2(SCREEN[0] / 2.0, SCREEN[1] / 2.0);
    window.frame(vec![Event::PointerMoved(middle)]);
    window.round(&format!("{engine} rests"));
    window.key(Key::Enter, Modifiers::COMMAND);
    let start = Instant::now();
    while window.shell.state().forming.as_ref().is_none_or(|forming| forming.previews.is_empty()) {
        window.frame(vec![]);
        assert!(start.elapsed() < Duration::from_secs(300), "{:?}", window.shell.state().messages);
    }
    let before = window.shell.state().forming.as_ref().map_or(0, |forming| forming.serial);
    window.round(&format!("{engine} repaints"));
    let forming = window.shell.state().forming.as_ref();
    println!("{} steps came meanwhile", forming.map_or(0, |forming| forming.serial).saturating_sub(before));
    assert!(forming.is_some(), "it is still at work");
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
