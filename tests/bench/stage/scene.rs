//! What the window is opened with: a canvas, a gallery, a model.

use danqing::app::settings::Settings;
use danqing::base::Extent;
use danqing::canvas::Document;
use danqing::canvas::openraster::document::write_document;
use danqing::engine::{CandleGenerator, EngineFolders};
use danqing::gallery::Place;
use danqing::imaging::Pixmap;
use danqing::imaging::png_text::write_png;
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::{DeviceLister, FamilyInfo, Generator, Preset, Sampling};
use danqing::ui::Setup;
use danqing::words::Language;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Side of the canvas.
pub const SIDE: u32 = 4096;
/// Size of the window in points.
pub const SCREEN: [f32; 2] = [1920.0, 1080.0];

/// The window's files, all in `folder`. With a model the real engine works, else one that pauses instead of painting;
/// `steps` are asked of a picture.
pub fn setup(folder: &TempDir, model: Option<&Path>, steps: u32) -> Setup {
    let path = |name: &str| folder.path().join(name);
    let sampling = Sampling { steps, ..Preset::Article.sampling(7.0) };
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
    Setup {
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
        gallery: Place {
            folder: path("丹青"),
            database: path("gallery.db"),
            thumbnails: path("thumbnails.db"),
            system_trash: false,
        },
        settings_path: path("settings.json"),
        recovery_folder: path("保管"),
        files: vec![canvas],
        language: Language::ZhCn,
    }
}

/// So many pictures in the gallery of [`setup`]. Small files: the gallery lays out and fetches as it would with large
/// ones.
pub fn fill_gallery(folder: &TempDir, count: usize) {
    let folder = folder.path().join("丹青");
    std::fs::create_dir_all(&folder).expect("a folder");
    for number in 0..count {
        let side = 64 + (number % 3) as u32 * 32;
        let mut picture = Pixmap::new(Extent::new(side, 96));
        for (at, pixel) in picture.rgba_mut().chunks_exact_mut(4).enumerate() {
            pixel.copy_from_slice(&[(number * 7 + at) as u8, (number * 3) as u8, at as u8, 255]);
        }
        let prompt = format!("第{number}幅，飞流直下三千尺，疑是银河落九天，油画");
        let text = format!("{prompt}\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: {number}, Size: 64x64");
        let path = folder.join(format!("画 {number}.png"));
        if number < 500 {
            write_png(&path, &picture, &[("parameters".into(), text)]).expect("a file");
        } else {
            // Names of their own are enough for the rest, and a disk is spared.
            std::fs::hard_link(folder.join(format!("画 {}.png", number % 500)), &path).expect("a link");
        }
    }
}
