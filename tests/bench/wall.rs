//! What a frame of the gallery costs the processor while 25,000 pictures are scrolled through:
//! `cargo bench --bench wall [-- COUNT]`. The graphics card's part is not in it. Prints the median, the 99th percentile
//! and the maximum.

use danqing::base::Extent;
use danqing::gallery::Place;
use danqing::imaging::Pixmap;
use danqing::imaging::png_text::write_png;
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::ui::{Setup, Shell, prepare};
use danqing::words::Language;
use egui::{Event, Key, Modifiers, MouseWheelUnit, pos2, vec2};
use egui_kittest::Harness;
use std::path::Path;
use std::time::{Duration, Instant};

type Window = Harness<'static, Option<Shell>>;

/// Small files: the gallery lays out and fetches as it would with large ones.
fn fill(folder: &Path, count: usize) {
    std::fs::create_dir_all(folder).expect("a folder");
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

fn step(harness: &mut Window, times: &mut Vec<f64>) {
    let began = Instant::now();
    harness.step();
    times.push(began.elapsed().as_secs_f64() * 1e3);
    // The rest of a sixtieth of a second belongs to the screen.
    std::thread::sleep(Duration::from_millis(16).saturating_sub(began.elapsed()));
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let place = |share: f64| ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    let at = |share: f64| times.get(place(share)).copied().unwrap_or(0.0);
    let (median, high, most) = (at(0.5), at(0.99), at(1.0));
    println!("{what}: {} frames: median {median:.2} ms, 99 % {high:.2} ms, most {most:.2} ms", times.len());
}

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(25_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pictures = folder.path().join("丹青");
    fill(&pictures, count);
    let mut setup = Some(Setup {
        factory: Box::new(|| Ok(Box::new(FakeGenerator::new()))),
        models: vec![("小图".into(), "小图".into(), fake_family())],
        devices: danqing::recipe::DeviceLister::new(Vec::new),
        faults: vec![],
        models_folder: folder.path().join("模型"),
        gallery: Place {
            folder: pictures,
            database: folder.path().join("gallery.db"),
            thumbnails: folder.path().join("thumbnails.db"),
            system_trash: false,
        },
        settings_path: folder.path().join("settings.json"),
        recovery_folder: folder.path().join("保管"),
        files: vec![],
        language: Language::ZhCn,
    });
    let builder = Harness::builder().with_size([1280.0, 800.0]).with_context_setup(prepare);
    let mut harness: Window = builder.build_ui_state(
        move |ui, shell: &mut Option<Shell>| {
            let shell = shell.get_or_insert_with(|| Shell::new(ui.ctx(), None, setup.take().expect("built once")));
            shell.logic(ui.ctx());
            shell.show(ui);
        },
        None,
    );
    harness.run_steps(10);
    let key = |key, pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers: Modifiers::NONE };
    harness.input_mut().events.extend([key(Key::F3, true), key(Key::F3, false)]);
    let ready = |harness: &Window| {
        harness.state().as_ref().is_some_and(|s| s.state().wall.scan.is_none() && s.state().wall.ids().len() == count)
    };
    let mut times = Vec::new();
    harness.step();
    while !ready(&harness) {
        step(&mut harness, &mut times);
    }
    report("while the folder is read", times);

    harness.input_mut().events.push(Event::PointerMoved(pos2(800.0, 500.0)));
    let mut times = Vec::new();
    for frame in 0..900 {
        // Slowly, faster, at a rush, and back.
        let speed = [40.0, 300.0, 4000.0, -900.0][frame / 225 % 4];
        let wheel = Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta: vec2(0.0, -speed),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: Modifiers::NONE,
        };
        harness.input_mut().events.push(wheel);
        step(&mut harness, &mut times);
    }
    report("while it is scrolled through", times);
}
