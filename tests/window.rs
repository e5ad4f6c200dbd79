//! The window without a screen: its controls are found and used by their names, as a screen reader does.

mod common;

use danqing::app::settings::Settings;
use danqing::app::{Shade, State, View};
use danqing::base::{Problem, ProblemKind};
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::{DeviceChoice, DeviceInfo, DeviceLister, DeviceMemory, FamilyInfo, Interval, SamplerId};
use danqing::ui::{Setup, Shell};
use danqing::words::{Language, text};
use egui::{Event, ImeEvent, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

struct Window {
    harness: Harness<'static, Option<Shell>>,
    folder: TempDir,
}

fn setup(folder: &TempDir, make: impl Fn() -> FakeGenerator + Send + 'static) -> Setup {
    let small = FamilyInfo { native: danqing::base::Extent::new(64, 64), ..fake_family() };
    common::setup(folder.path(), vec![("小图", small), ("太乙", fake_family())], make)
}

impl Window {
    fn open(make: impl Fn() -> FakeGenerator + Send + 'static) -> Self {
        Self::open_with("{}", make)
    }

    fn open_with(settings: &str, make: impl Fn() -> FakeGenerator + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.json"), settings).unwrap();
        let harness = common::window([1280.0, 1100.0], setup(&folder, make));
        Self { harness, folder }
    }

    fn state(&self) -> &State {
        self.harness.state().as_ref().unwrap().state()
    }

    fn t(&self, id: &str) -> String {
        text(self.state().language, id)
    }

    fn until(&mut self, what: &str, done: impl Fn(&State) -> bool) {
        let start = Instant::now();
        while !done(self.state()) {
            let State { view, messages, ledger, .. } = self.state();
            let running = ledger.running().map(|(_, running)| running);
            assert!(start.elapsed() < PATIENCE, "waited for {what}: {view:?} {messages:?} {running:?}");
            self.harness.step();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.harness.run_steps(4);
    }

    fn click(&mut self, id: &str) {
        let label = self.t(id);
        self.harness.get_by_role_and_label(Role::Button, &label).click();
        self.harness.run_steps(4);
    }

    fn focus_prompt(&mut self) {
        let label = self.t("label-prompt");
        self.harness.get_by_role_and_label(Role::MultilineTextInput, &label).focus();
        self.harness.run_steps(4);
    }

    fn events(&mut self, events: Vec<Event>) {
        self.harness.input_mut().events.extend(events);
        self.harness.run_steps(4);
    }

    fn key(&mut self, key: Key, modifiers: Modifiers) {
        self.events(vec![pressed(key, modifiers), released(key, modifiers)]);
    }

    fn sees(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }
}

fn pressed(key: Key, modifiers: Modifiers) -> Event {
    Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
}

fn released(key: Key, modifiers: Modifiers) -> Event {
    Event::Key { key, physical_key: None, pressed: false, repeat: false, modifiers }
}

fn preedit(words: &str) -> Event {
    Event::Ime(ImeEvent::Preedit { text: words.into(), active_range_chars: None })
}

fn commit(words: &str) -> Event {
    Event::Ime(ImeEvent::Commit(words.into()))
}

fn slow() -> FakeGenerator {
    FakeGenerator::new().with_delay(Duration::from_millis(40))
}

#[test]
fn from_words_to_a_picture_and_back_to_its_recipe() {
    let mut window = Window::open(slow);
    window.focus_prompt();
    window.events(vec![Event::Text("大漠孤烟直，长河落日圆，水墨".into())]);
    assert_eq!(window.state().draft.prompt, "大漠孤烟直，长河落日圆，水墨");
    window.key(Key::Enter, Modifiers::COMMAND);
    assert_eq!(window.state().draft.prompt, "大漠孤烟直，长河落日圆，水墨", "the key adds no line");
    window.until("a preview", |s| s.forming.as_ref().is_some_and(|f| !f.previews.is_empty()));
    assert!(window.sees(&window.t("phase-sampling")));
    let bar = window.harness.get_by_role(Role::ProgressIndicator);
    assert!(bar.accesskit_node().numeric_value().unwrap() > 0.0);
    window.until("the picture", |s| s.paintings.iter().any(|p| p.file.is_some() && p.thumbnail.is_some()));

    let painting = window.state().paintings[0].clone();
    assert_eq!(window.state().view, View::Easel, "the picture lies on the canvas");
    assert_eq!(window.state().desk.editor().history().steps().collect::<Vec<_>>(), ["edit-paint"]);
    assert!(painting.file.unwrap().starts_with(window.folder.path().join("丹青")));
    window.harness.get_by_label_contains("第 1 幅").click();
    window.harness.run_steps(4);
    assert_eq!(window.state().view, View::Painting(painting.id));
    assert!(window.sees(&painting.recipe.seed.to_string()));

    window.focus_prompt();
    window.events(vec![Event::Text("，再添几笔".into())]);
    window.click("command-preset-quick");
    assert_eq!(window.state().draft.sampling.steps, 10);
    window.click("command-reuse-recipe");
    let draft = &window.state().draft;
    assert_eq!((&draft.prompt, draft.sampling.steps), (&painting.recipe.prompt, 20));
    assert_eq!((draft.seed.value, draft.seed.kept), (painting.recipe.seed, true));
    assert!(window.sees(&window.t("note-recipe-reused")));
}

#[test]
fn cancelling_by_key_and_by_button() {
    let mut window = Window::open(|| FakeGenerator::new().with_delay(Duration::from_secs(60)));
    window.harness.get_by_label("孤舟蓑笠翁，独钓寒江雪，水彩").click();
    window.until("the job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    assert_eq!(window.state().draft.prompt, "孤舟蓑笠翁，独钓寒江雪，水彩");
    window.key(Key::Escape, Modifiers::NONE);
    window.until("the stop", |s| s.forming.is_none());
    assert!(window.sees(&window.t("note-stopped")));
    assert!(window.state().paintings.is_empty());

    window.click("command-generate");
    window.until("the next job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    window.click("label-queue");
    assert_eq!(window.state().ledger.waiting().len(), 1);
    window.key(Key::Escape, Modifiers::SHIFT);
    window.until("all to stop", |s| s.forming.is_none());
    window.click("command-generate");
    window.until("the last job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    window.click("command-cancel");
    window.until("the last stop", |s| s.forming.is_none());
}

#[test]
fn an_input_method_writes_what_it_commits_once() {
    let mut window = Window::open(slow);
    window.focus_prompt();
    for words in ["d", "da", "da'mo"] {
        window.events(vec![preedit(words)]);
    }
    window.events(vec![preedit(""), commit("大漠")]);
    assert_eq!(window.state().draft.prompt, "大漠");
    // Punctuation comes without a composition, in one event or with an empty preedit around it.
    window.events(vec![commit("，")]);
    assert_eq!(window.state().draft.prompt, "大漠，");
    window.events(vec![preedit(""), commit("。"), preedit("")]);
    assert_eq!(window.state().draft.prompt, "大漠，。");
    window.events(vec![preedit("gu'yan")]);
    window.events(vec![commit("孤烟")]);
    assert_eq!(window.state().draft.prompt, "大漠，。孤烟");
    window.events(vec![preedit("x"), preedit("")]);
    assert_eq!(window.state().draft.prompt, "大漠，。孤烟", "a composition that is given up leaves nothing");
}

#[test]
fn keys_belong_to_an_open_composition() {
    let mut window = Window::open(|| FakeGenerator::new().with_delay(Duration::from_secs(60)));
    window.focus_prompt();
    window.events(vec![commit("山")]);
    window.events(vec![preedit("shui")]);
    window.key(Key::Enter, Modifiers::COMMAND);
    assert!(window.state().forming.is_none(), "the composition is open");
    let enter = [pressed, released].map(|event| event(Key::Enter, Modifiers::COMMAND));
    window.events([vec![preedit(""), commit("水")], enter.to_vec()].concat());
    assert!(window.state().forming.is_none(), "it was closed by this very key");
    window.key(Key::Enter, Modifiers::COMMAND);
    window.until("the job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    assert!(window.state().ledger.running().unwrap().0.recipe.prompt.starts_with("山水"));

    window.focus_prompt();
    window.events(vec![preedit("yun")]);
    window.key(Key::Escape, Modifiers::NONE);
    assert!(!window.state().ledger.running().unwrap().1.stopping, "Esc closes the composition");
    window.events(vec![preedit("")]);
    window.key(Key::Escape, Modifiers::NONE);
    window.until("the stop", |s| s.forming.is_none());
}

#[test]
fn a_composition_that_is_left_by_a_click_leaves_nothing_and_frees_the_keys() {
    let mut window = Window::open(slow);
    window.focus_prompt();
    window.events(vec![commit("山")]);
    window.events(vec![preedit("shui")]);
    assert_eq!(window.state().draft.prompt, "山shui");
    // Elsewhere; the input method says nothing.
    window.harness.ctx.memory_mut(|memory| memory.stop_text_input());
    window.harness.run_steps(4);
    assert_eq!(window.state().draft.prompt, "山");
    window.key(Key::Enter, Modifiers::COMMAND);
    window.until("the picture", |s| s.paintings.len() == 1);
}

#[test]
fn a_key_that_is_held_down_paints_once() {
    let mut window = Window::open(|| FakeGenerator::new().with_delay(Duration::from_secs(60)));
    window.focus_prompt();
    window.events(vec![commit("山")]);
    // A system sends one press after another and no release.
    for _ in 0..6 {
        window.events(vec![pressed(Key::Enter, Modifiers::COMMAND)]);
    }
    window.until("the job", |s| s.forming.is_some());
    assert_eq!(window.state().ledger.waiting().len(), 0);
    assert_eq!(window.state().draft.prompt, "山", "and writes no lines");
}

#[test]
fn the_window_asks_before_it_closes_on_a_job() {
    let mut window = Window::open(|| FakeGenerator::new().with_delay(Duration::from_secs(60)));
    window.focus_prompt();
    window.events(vec![commit("山")]);
    let close = |window: &mut Window| {
        let viewports = &mut window.harness.input_mut().viewports;
        viewports.entry(egui::ViewportId::ROOT).or_default().events.push(egui::ViewportEvent::Close);
        window.harness.step();
        window.harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
        window.harness.run_steps(4);
    };
    close(&mut window);
    assert!(!window.sees(&window.t("close-advice")), "nothing would be lost");
    window.key(Key::Enter, Modifiers::COMMAND);
    window.until("the job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    close(&mut window);
    assert!(window.sees(&window.t("close-advice")));
    window.harness.get_by_role_and_label(Role::Button, &window.t("close-stay")).click();
    window.harness.run_steps(4);
    assert!(!window.sees(&window.t("close-advice")));
    assert!(window.state().forming.is_some());
}

#[test]
fn single_keys_belong_to_the_text_field_that_has_the_focus() {
    let mut window = Window::open(FakeGenerator::new);
    for prompt in ["一", "二"] {
        window.focus_prompt();
        window.key(Key::A, Modifiers::COMMAND);
        window.events(vec![Event::Text(prompt.into())]);
        let count = window.state().paintings.len();
        window.key(Key::Enter, Modifiers::COMMAND);
        window.until("a picture", |s| s.paintings.len() == count + 1 && s.forming.is_none());
    }
    let [newer, older] = [0, 1].map(|k| window.state().paintings[k].id);
    window.harness.get_by_label_contains("第 1 幅").click();
    window.harness.run_steps(4);
    assert_eq!(window.state().view, View::Painting(newer));
    window.focus_prompt();
    window.key(Key::ArrowRight, Modifiers::NONE);
    window.key(Key::R, Modifiers::NONE);
    assert_eq!(window.state().view, View::Painting(newer), "the cursor moved, not the view");
    assert_eq!(window.state().draft.prompt, "二");

    // Esc gives the field up.
    window.key(Key::Escape, Modifiers::NONE);
    window.key(Key::ArrowRight, Modifiers::NONE);
    assert_eq!(window.state().view, View::Painting(older));
    window.key(Key::R, Modifiers::NONE);
    assert_eq!(window.state().draft.prompt, "一");
}

#[test]
fn language_and_shade_switch_at_once_and_come_back() {
    let mut window = Window::open(FakeGenerator::new);
    assert!(window.sees("写下画意，落笔成画"));
    window.harness.get_by_label("English").click();
    window.harness.run_steps(4);
    assert!(window.sees("Write what you see within") && !window.sees("写下画意，落笔成画"));
    window.click("command-shade");
    assert_eq!((window.state().language, window.state().shade), (Language::En, Shade::Light));
    assert!(!window.harness.ctx.global_style().visuals.dark_mode);
    window.click("label-advanced");
    assert!(window.sees("Sampler"));
    let path = window.folder.path().join("settings.json");
    drop(window.harness);
    let settings = Settings::read(&path);
    assert_eq!((settings.language, settings.shade, settings.advanced), (Some(Language::En), Shade::Light, true));
}

#[test]
fn a_problem_is_told_with_advice_and_details() {
    let memory = Problem::new(ProblemKind::OutOfMemory).detail("allocation of 4 GiB failed");
    let mut window = Window::open(move || FakeGenerator::new().failing_at(2, memory.clone()));
    window.click("command-generate");
    assert!(window.sees(&window.t("note-write-first")));
    window.focus_prompt();
    window.events(vec![Event::Text("山".into())]);
    window.click("command-generate");
    window.until("the failure", |s| s.forming.is_none());
    assert!(window.sees("内存不够了") && window.sees("请减小尺寸或张数"));
    assert!(!window.sees("allocation of 4 GiB failed"));
    window.click("command-unfold");
    assert!(window.sees("allocation of 4 GiB failed"));
    let close = window.t("command-dismiss");
    while !window.state().messages.is_empty() {
        window.harness.get_all_by_label(&close).next().unwrap().click();
        window.harness.run_steps(4);
    }
    assert!(!window.sees("内存不够了"));

    let mut window = Window::open(|| FakeGenerator::new().panicking_at(1));
    window.focus_prompt();
    window.events(vec![Event::Text("山".into())]);
    window.click("command-generate");
    window.until("the crash", |s| s.forming.is_none());
    assert!(window.sees("绘画引擎意外停下"));
}

/// Puts a job of four pictures into the queue.
fn four(window: &mut Window, prompt: &str) {
    window.focus_prompt();
    window.key(Key::A, Modifiers::COMMAND);
    window.events(vec![Event::Text(prompt.into())]);
    window.key(Key::Enter, Modifiers::COMMAND);
}

#[test]
fn the_queue_is_led_with_the_keyboard() {
    let make = || FakeGenerator::new().with_delay(Duration::from_secs(1));
    let mut window = Window::open_with(r#"{"batch": 4}"#, make);
    for prompt in ["山", "水", "云", "月"] {
        four(&mut window, prompt);
    }
    window.until("a step", |s| s.ledger.running().is_some_and(|(_, r)| r.index > 0) && s.ledger.waiting().len() == 3);
    // One tile for each picture that forms.
    for number in 1..=4 {
        let words = format!("正在画的第 {number} 幅，共 4 幅");
        assert!(window.harness.query_by_role_and_label(Role::Button, &words).is_some(), "{words}");
    }
    assert_eq!(window.state().forming.as_ref().unwrap().previews.len(), 4);

    let by_key = |window: &mut Window, name: &str| {
        window.harness.get_by_role_and_label(Role::Button, name).focus();
        window.harness.run_steps(4);
        window.key(Key::Enter, Modifiers::NONE);
    };
    let waiting = |window: &Window| -> Vec<String> {
        window.state().ledger.waiting().map(|entry| entry.recipe.prompt.clone()).collect()
    };
    by_key(&mut window, "画单 · 4");
    assert!(window.sees("×4") && window.sees("还要"));
    let bar =
        window.harness.query_all_by_role(Role::ProgressIndicator).find_map(|b| b.accesskit_node().numeric_value());
    assert!(bar.unwrap() > 0.0);
    by_key(&mut window, "上移：月");
    assert_eq!(waiting(&window), ["水", "月", "云"]);
    // The key goes on with the same job.
    window.key(Key::Enter, Modifiers::NONE);
    assert_eq!(waiting(&window), ["月", "水", "云"]);
    by_key(&mut window, "下移：水");
    assert_eq!(waiting(&window), ["月", "云", "水"]);
    by_key(&mut window, "取消：云");
    assert_eq!(waiting(&window), ["月", "水"]);
    by_key(&mut window, "取消：山");
    window.until("the next job", |s| s.ledger.running().is_some_and(|(e, _)| e.recipe.prompt == "月"));
    by_key(&mut window, "再画一次：山");
    assert_eq!(waiting(&window), ["水", "山"]);
    assert_eq!(window.state().ledger.waiting().last().unwrap().recipe.batch, 4);
    by_key(&mut window, "全部停下");
    window.until("all to stop", |s| s.ledger.running().is_none());
    assert!(waiting(&window).is_empty() && window.state().paintings.is_empty());
    by_key(&mut window, "从画单去掉：云");
    assert!(window.state().ledger.settled().all(|entry| entry.recipe.prompt != "云"));
}

#[test]
fn a_failed_job_says_why_in_the_queue() {
    let memory = Problem::new(ProblemKind::OutOfMemory).detail("allocation of 4 GiB failed");
    let mut window = Window::open(move || FakeGenerator::new().failing_at(1, memory.clone()));
    window.focus_prompt();
    window.events(vec![Event::Text("山".into())]);
    window.click("command-generate");
    window.until("the failure", |s| s.forming.is_none());
    let close = window.t("command-dismiss");
    while !window.state().messages.is_empty() {
        window.harness.get_all_by_label(&close).next().unwrap().click();
        window.harness.run_steps(4);
    }
    assert!(!window.sees("内存不够了"));
    window.click("label-jobs");
    assert!(window.sees("内存不够了") && !window.sees("请减小尺寸或张数"));
    window.harness.get_by_role_and_label(Role::Button, "详情：山").focus();
    window.harness.run_steps(4);
    window.key(Key::Enter, Modifiers::NONE);
    assert!(window.sees("请减小尺寸或张数") && window.sees("allocation of 4 GiB failed"));
}

#[test]
fn parameters_are_set_by_their_names() {
    let mut window = Window::open(FakeGenerator::new);
    window.harness.get_by_label("3:2").click();
    window.harness.run_steps(4);
    let size = window.state().draft.size;
    assert!(size.width > size.height && size.is_multiple_of(8), "{size}");
    window.click("command-preset-faithful");
    assert_eq!((window.state().draft.sampling.sampler, window.state().draft.sampling.steps), (SamplerId::Plms, 50));
    let seed = window.t("label-seed");
    window.harness.get_by_role_and_label(Role::TextInput, &seed).focus();
    window.harness.run_steps(4);
    window.events(vec![Event::Text("4x2".into())]);
    assert_eq!((window.state().draft.seed.value, window.state().draft.seed.kept), (42, true));
    window.click("command-dice");
    assert!(!window.state().draft.seed.kept);
    window.click("label-negative");
    let negative = window.t("label-negative");
    window.harness.get_by_role_and_label(Role::MultilineTextInput, &negative).focus();
    window.harness.run_steps(4);
    window.events(vec![Event::Text("模糊".into())]);
    assert_eq!(window.state().draft.negative, "模糊");
    window.click("label-advanced");
    let sampler = window.t("label-sampler");
    window.harness.get_by_role_and_label(Role::ComboBox, &sampler).click();
    window.harness.run_steps(4);
    window.harness.get_by_label("UniPC").click();
    window.harness.run_steps(4);
    assert_eq!(window.state().draft.sampling.sampler, SamplerId::UniPc);
    for (id, value) in [("label-interval-low", 0.5), ("label-interval-high", 6.0), ("label-reuse", 3.0)] {
        let name = window.t(id);
        window.harness.get_by_role_and_label(Role::SpinButton, &name).set_value_accesskit(value);
        window.harness.run_steps(4);
    }
    let sampling = window.state().draft.sampling;
    assert_eq!((sampling.interval, sampling.reuse), (Interval { low: 0.5, high: 6.0 }, 3));
    let model = window.t("label-model");
    window.harness.get_by_role_and_label(Role::ComboBox, &model).click();
    window.harness.run_steps(4);
    window.harness.get_by_label_contains("太乙").click();
    window.harness.run_steps(4);
    assert_eq!(window.state().draft.model, 1);
}

#[test]
fn the_device_is_chosen_where_there_are_two_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    std::fs::write(&path, r#"{"advanced": true}"#).unwrap();
    let device = |id, name: &str, gib: u64| DeviceInfo {
        id,
        name: name.into(),
        memory: Some(DeviceMemory { free: gib << 29, total: gib << 30 }),
    };
    let both = vec![device(DeviceChoice::Cpu, "某处理器", 16), device(DeviceChoice::Cuda(0), "某显卡", 24)];
    let lister = DeviceLister::new(move || both.clone());
    let setup =
        Setup { devices: lister, ..common::setup(folder.path(), vec![("小图", fake_family())], FakeGenerator::new) };
    let mut window = Window { harness: common::window([1280.0, 1600.0], setup), folder };
    let name = window.t("label-device");
    let start = Instant::now();
    while window.harness.query_by_role_and_label(Role::ComboBox, &name).is_none() {
        assert!(start.elapsed() < PATIENCE);
        window.harness.step();
        std::thread::sleep(Duration::from_millis(1));
    }
    window.harness.run_steps(4);
    window.harness.get_by_role_and_label(Role::ComboBox, &name).click();
    window.harness.run_steps(4);
    assert!(window.sees("某处理器（空闲 8.0 / 16.0 GiB）"));
    window.harness.get_by_label("某显卡（空闲 12.0 / 24.0 GiB）").click();
    window.harness.run_steps(4);
    assert_eq!(window.state().devices.chosen, DeviceChoice::Cuda(0));
    assert!(window.sees("某显卡（空闲 12.0 / 24.0 GiB）"), "it stands below, with its memory");
    drop(window.harness);
    assert_eq!(Settings::read(&path).device, DeviceChoice::Cuda(0));
}

#[test]
fn without_a_model_the_window_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let harness = common::window([880.0, 600.0], common::setup(folder.path(), vec![], FakeGenerator::new));
    assert!(harness.query_by_label("还没有模型").is_some());
}
