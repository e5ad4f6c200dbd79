//! What a frame of the window costs the processor while a picture forms: `cargo bench --bench frames [-- MODEL]`.
//!
//! MODEL is a diffusers folder, painted with the real engine; without it the fake engine of the tests paints. The graphics
//! card's part is not in it. Prints the median, the 99th percentile and the maximum.

use danqing::base::Extent;
use danqing::engine::{CandleGenerator, EngineFolders};
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::{DeviceLister, FamilyInfo, Generator};
use danqing::ui::{Setup, Shell, prepare};
use danqing::words::Language;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = std::env::args().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from);
    let folders = EngineFolders { models: vec![], cache: folder.path().join("cache") };
    let (name, family) = match &model {
        Some(path) => (path.clone(), folders.family(path).expect("a model that is understood")),
        None => (PathBuf::from("fake"), FamilyInfo { native: Extent::new(256, 256), ..fake_family() }),
    };
    let real = model.is_some();
    let mut setup = Some(Setup {
        factory: Box::new(move || {
            let fake = || FakeGenerator::new().with_delay(Duration::from_millis(100));
            let generator: Box<dyn Generator> =
                if real { Box::new(CandleGenerator::new(folders.clone())) } else { Box::new(fake()) };
            Ok(generator)
        }),
        models: vec![("模型".into(), name, family)],
        devices: DeviceLister::new(Vec::new),
        faults: vec![],
        models_folder: folder.path().join("模型"),
        gallery: danqing::gallery::Place {
            folder: folder.path().join("丹青"),
            database: folder.path().join("gallery.db"),
            thumbnails: folder.path().join("thumbnails.db"),
            system_trash: false,
        },
        settings_path: folder.path().join("settings.json"),
        recovery_folder: folder.path().join("恢复"),
        files: vec![],
        language: Language::ZhCn,
    });
    let builder = Harness::builder().with_size([1280.0, 800.0]).with_context_setup(prepare);
    let mut harness = builder.build_ui_state(
        move |ui, shell: &mut Option<Shell>| {
            let shell = shell.get_or_insert_with(|| Shell::new(ui.ctx(), None, setup.take().expect("built once")));
            shell.logic(ui.ctx());
            shell.show(ui);
        },
        None,
    );
    harness.run_steps(10);
    harness.get_by_label("大漠孤烟直，长河落日圆，水墨").click();
    harness.run_steps(2);
    let busy =
        |harness: &Harness<'_, Option<Shell>>| harness.state().as_ref().is_some_and(|s| s.state().forming.is_some());
    let mut times = Vec::new();
    while busy(&harness) {
        let began = Instant::now();
        harness.step();
        times.push(began.elapsed().as_secs_f64() * 1e3);
        // The rest of a sixtieth of a second belongs to the screen.
        std::thread::sleep(Duration::from_millis(16).saturating_sub(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    let place = |share: f64| ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    let at = |share: f64| times.get(place(share)).copied().unwrap_or(0.0);
    let (median, high, most) = (at(0.5), at(0.99), at(1.0));
    println!("{} frames: median {median:.2} ms, 99 % {high:.2} ms, most {most:.2} ms", times.len());
}
