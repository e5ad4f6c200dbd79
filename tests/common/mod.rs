//! A window without a screen for tests: its controls are found and used by their names, as a screen reader does. There is
//! no graphics card, so what the canvas holds is read from the document.
// Each test uses its own part of it.
#![allow(dead_code)]

use danqing::app::desk::Desk;
use danqing::app::settings::Settings;
use danqing::app::{Painting, State};
use danqing::base::Extent;
use danqing::canvas::surface::flatten;
use danqing::gallery::Place;
use danqing::imaging::Pixmap;
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::{DeviceLister, FamilyInfo, Recipe};
use danqing::ui::{Setup, Shell, prepare};
use danqing::words::{Language, text};
use eframe::egui_wgpu::RenderState;
use egui::{Event, Key, Modifiers, PointerButton, Pos2, Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// Side of the pictures that the small model paints.
pub const SIDE: u32 = 256;

/// The recipes that the generator got.
pub type Seen = Arc<Mutex<Vec<Recipe>>>;

pub struct Window {
    pub harness: Harness<'static, Option<Shell>>,
    pub seen: Seen,
    pub folder: TempDir,
}

pub fn family() -> FamilyInfo {
    FamilyInfo { native: Extent::new(SIDE, SIDE), ..fake_family() }
}

/// Everything in one folder, and generators that only seem to paint; a model goes by its name.
pub fn setup(
    folder: &Path,
    models: Vec<(&str, FamilyInfo)>,
    make: impl Fn() -> FakeGenerator + Send + 'static,
) -> Setup {
    Setup {
        factory: Box::new(move || Ok(Box::new(make()))),
        models: models.into_iter().map(|(name, family)| (name.into(), name.into(), family)).collect(),
        devices: DeviceLister::new(Vec::new),
        faults: vec![],
        models_folder: folder.join("模型"),
        gallery: Place {
            folder: folder.join("丹青"),
            database: folder.join("gallery.db"),
            thumbnails: folder.join("thumbnails.db"),
            system_trash: false,
        },
        settings_path: folder.join("settings.json"),
        recovery_folder: folder.join("保管"),
        files: vec![],
        language: Language::ZhCn,
    }
}

/// What a harness calls in each frame.
pub fn frames(setup: Setup) -> impl FnMut(&mut egui::Ui, &mut Option<Shell>) {
    frames_on(None, setup)
}

/// The same with a graphics card for the canvas.
pub fn frames_on(card: Option<RenderState>, setup: Setup) -> impl FnMut(&mut egui::Ui, &mut Option<Shell>) {
    let mut setup = Some(setup);
    move |ui, shell| {
        let shell = shell.get_or_insert_with(|| Shell::new(ui.ctx(), card.as_ref(), setup.take().unwrap()));
        shell.logic(ui.ctx());
        shell.show(ui);
    }
}

/// A window of a size in points.
pub fn window(size: [f32; 2], setup: Setup) -> Harness<'static, Option<Shell>> {
    Harness::builder().with_size(size).with_context_setup(prepare).build_ui_state(frames(setup), None)
}

impl Window {
    pub fn open() -> Self {
        Self::with(Settings::default(), true, Duration::ZERO)
    }

    /// With a generator that takes so long for a step.
    pub fn slow(step: Duration) -> Self {
        Self::with(Settings::default(), true, step)
    }

    pub fn with(settings: Settings, model: bool, step: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        settings.write(&folder.path().join("settings.json")).unwrap();
        Self::in_folder(folder, model, step)
    }

    /// Closes the window, and opens another that finds what it has left.
    pub fn again(self) -> Self {
        let Self { mut harness, folder, .. } = self;
        // Dropping it waits until everything is written.
        *harness.state_mut() = None;
        drop(harness);
        Self::in_folder(folder, true, Duration::ZERO)
    }

    fn in_folder(folder: TempDir, model: bool, step: Duration) -> Self {
        let seen = Seen::default();
        let recipes = seen.clone();
        let make = move || FakeGenerator::new().with_delay(step).writing_down(recipes.clone());
        let models = if model { vec![("小图", family())] } else { vec![] };
        let mut harness = window([1600.0, 1200.0], setup(folder.path(), models, make));
        harness.run_steps(2);
        Self { harness, seen, folder }
    }

    pub fn state(&self) -> &State {
        self.harness.state().as_ref().unwrap().state()
    }

    pub fn desk(&self) -> &Desk {
        &self.state().desk
    }

    /// What the canvas shows.
    pub fn picture(&self) -> Pixmap {
        flatten(self.desk().document(), self.desk().document().canvas())
    }

    pub fn painting(&self, number: usize) -> &Painting {
        &self.state().paintings[number]
    }

    pub fn layers(&self) -> usize {
        self.desk().document().layers().len()
    }

    pub fn steps(&self) -> Vec<&'static str> {
        self.desk().editor().history().steps().collect()
    }

    pub fn position(&self) -> usize {
        self.desk().editor().history().position()
    }

    pub fn t(&self, id: &str) -> String {
        text(self.state().language, id)
    }

    pub fn until(&mut self, what: &str, done: impl Fn(&State) -> bool) {
        let start = Instant::now();
        while !done(self.state()) {
            assert!(start.elapsed() < PATIENCE, "waited for {what}: {:?}", self.state().messages);
            self.harness.step();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.harness.run_steps(4);
    }

    pub fn settle(&mut self) {
        self.until("the work", |s| !s.is_working() && s.ledger.waiting().len() == 0);
    }

    /// Presses the leftmost button of this name: the history, at the right, names its steps as tools are named.
    pub fn click(&mut self, words: &str) {
        let found = self.harness.get_all_by_role_and_label(Role::Button, words);
        found.min_by(|a, b| a.rect().left().total_cmp(&b.rect().left())).unwrap().click();
        self.harness.run_steps(4);
    }

    pub fn sees(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    pub fn events(&mut self, events: Vec<Event>) {
        self.harness.input_mut().events.extend(events);
        self.harness.run_steps(2);
    }

    pub fn key(&mut self, key: Key, modifiers: Modifiers) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.events(vec![event(true), event(false)]);
    }

    pub fn plain(&mut self, key: Key) {
        self.key(key, Modifiers::NONE);
    }

    pub fn command(&mut self, key: Key) {
        self.key(key, Modifiers::COMMAND);
    }

    pub fn write(&mut self, prompt: &str) {
        let label = self.t("label-prompt");
        self.harness.get_by_role_and_label(Role::MultilineTextInput, &label).focus();
        self.harness.run_steps(2);
        self.command(Key::A);
        self.events(vec![Event::Text(prompt.into())]);
    }

    /// Writes, generates, and waits for the picture.
    pub fn paint(&mut self, prompt: &str) {
        self.write(prompt);
        self.command(Key::Enter);
        self.settle();
    }

    /// Where a pixel of the canvas is on the screen.
    pub fn place(&self, (x, y): (f64, f64)) -> Pos2 {
        let label = self.t("label-canvas");
        let rect = self.harness.get_by_role_and_label(Role::Canvas, &label).rect();
        let room = self.desk().room.unwrap();
        let [x, y] = self.desk().view_in(room).to_screen([x, y], room);
        rect.min + vec2(x as f32, y as f32)
    }

    pub fn button(&mut self, at: (f64, f64), button: PointerButton, pressed: bool) {
        let pos = self.place(at);
        let modifiers = Modifiers::NONE;
        self.events(vec![Event::PointerMoved(pos), Event::PointerButton { pos, button, pressed, modifiers }]);
    }

    pub fn press(&mut self, at: (f64, f64)) {
        self.button(at, PointerButton::Primary, true);
    }

    pub fn drag(&mut self, points: &[(f64, f64)]) {
        let moves = points.iter().map(|at| Event::PointerMoved(self.place(*at))).collect();
        self.events(moves);
    }

    pub fn release(&mut self, at: (f64, f64)) {
        self.button(at, PointerButton::Primary, false);
    }

    pub fn stroke(&mut self, points: &[(f64, f64)]) {
        self.press(points[0]);
        self.drag(points);
        self.release(points[points.len() - 1]);
    }

    pub fn last_recipe(&self) -> Recipe {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}
