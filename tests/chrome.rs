//! The bar, the cards over the window, the queue and the styles, without a screen.

mod common;

use danqing::app::settings::Settings;
use danqing::app::{Command, State};
use danqing::base::{Extent, Problem, ProblemKind};
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::FamilyInfo;
use danqing::ui::Shell;
use danqing::words::{Language, text, text_with};
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

impl Window {
    fn open(make: impl Fn() -> FakeGenerator + Send + 'static) -> Self {
        Self::sized([1280.0, 1100.0], make)
    }

    fn sized(size: [f32; 2], make: impl Fn() -> FakeGenerator + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let small = FamilyInfo { native: Extent::new(64, 64), ..fake_family() };
        let setup = common::setup(folder.path(), vec![("小图", small)], make);
        let mut harness = common::window(size, setup);
        harness.run_steps(2);
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
            assert!(start.elapsed() < PATIENCE, "waited for {what}: {:?}", self.state().messages);
            self.harness.step();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.harness.run_steps(4);
    }

    fn press(&mut self, role: Role, label: &str) {
        self.harness.get_by_role_and_label(role, label).click();
        self.harness.run_steps(4);
    }

    fn events(&mut self, events: Vec<Event>) {
        self.harness.input_mut().events.extend(events);
        self.harness.run_steps(4);
    }

    fn key(&mut self, key: Key, modifiers: Modifiers) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.events(vec![event(true), event(false)]);
    }

    fn types(&mut self, words: &str) {
        self.events(vec![Event::Text(words.into())]);
    }

    fn focus_prompt(&mut self) {
        let label = self.t("label-prompt");
        self.harness.get_by_role_and_label(Role::MultilineTextInput, &label).focus();
        self.harness.run_steps(4);
    }

    fn paint(&mut self, prompt: &str) {
        self.focus_prompt();
        self.key(Key::A, Modifiers::COMMAND);
        self.types(prompt);
        self.key(Key::Enter, Modifiers::COMMAND);
    }

    fn sees(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    fn palette_is_open(&self) -> bool {
        self.harness.query_by_role_and_label(Role::TextInput, &self.t("command-palette")).is_some()
    }

    fn waiting(&self) -> Vec<String> {
        self.state().ledger.waiting().map(|entry| entry.recipe.prompt.clone()).collect()
    }
}

fn stuck() -> FakeGenerator {
    FakeGenerator::new().with_delay(Duration::from_secs(60))
}

fn preedit(words: &str) -> Event {
    Event::Ime(ImeEvent::Preedit { text: words.into(), active_range_chars: None })
}

#[test]
fn the_palette_finds_by_pinyin_and_does_what_it_found() {
    let mut window = Window::open(FakeGenerator::new);
    let shade = window.state().shade;
    window.key(Key::K, Modifiers::COMMAND);
    assert!(window.palette_is_open());
    window.types("sshqs");
    assert!(window.harness.query_by_role(Role::ListBoxOption).is_some(), "深色或浅色");
    window.key(Key::Enter, Modifiers::NONE);
    assert!(!window.palette_is_open());
    assert_ne!(window.state().shade, shade);

    // What was used lately comes first, and the arrows go on from there.
    window.key(Key::P, Modifiers::COMMAND | Modifiers::SHIFT);
    let first = window.harness.get_all_by_role(Role::ListBoxOption).next().unwrap().accesskit_node().label();
    assert_eq!(first, Some(window.t("command-shade")));
    window.types("jmyy");
    window.key(Key::ArrowDown, Modifiers::NONE);
    window.key(Key::ArrowUp, Modifiers::NONE);
    window.key(Key::Enter, Modifiers::NONE);
    assert_eq!(window.state().language, Language::En);

    // What cannot be done is shown, and not done.
    window.key(Key::K, Modifiers::COMMAND);
    window.types("stop all");
    window.key(Key::Enter, Modifiers::NONE);
    assert!(window.palette_is_open());
    window.key(Key::K, Modifiers::COMMAND);
    assert!(!window.palette_is_open(), "its key closes it, too");
}

#[test]
fn escape_closes_the_palette_and_not_the_job() {
    let mut window = Window::open(stuck);
    window.paint("山");
    window.until("the job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    window.key(Key::K, Modifiers::COMMAND);
    window.types("b");
    window.key(Key::Escape, Modifiers::NONE);
    assert!(!window.palette_is_open());
    assert!(!window.state().ledger.running().unwrap().1.stopping);
    window.types("水");
    assert_eq!(window.state().draft.prompt, "山水", "the cursor is where it was");
    window.key(Key::Escape, Modifiers::NONE);
    window.until("the stop", |s| s.forming.is_none());
}

#[test]
fn the_palettes_keys_belong_to_an_open_composition() {
    let mut window = Window::open(FakeGenerator::new);
    let shade = window.state().shade;
    window.key(Key::K, Modifiers::COMMAND);
    window.events(vec![preedit("shen")]);
    for key in [Key::ArrowDown, Key::Enter, Key::Escape] {
        window.key(key, Modifiers::NONE);
        assert!(window.palette_is_open(), "{key:?}");
    }
    assert_eq!(window.state().shade, shade);
    window.events(vec![preedit(""), Event::Ime(ImeEvent::Commit("深色".into()))]);
    window.key(Key::Enter, Modifiers::NONE);
    assert_ne!(window.state().shade, shade);
}

#[test]
fn a_menu_does_what_its_entries_say() {
    let mut window = Window::open(FakeGenerator::new);
    window.press(Role::MenuItem, &window.t("group-window"));
    window.press(Role::MenuItem, &window.t("command-scale-up"));
    assert_eq!(window.state().scale.percent(), 110);
    assert!((window.harness.ctx.zoom_factor() - 1.1).abs() < 1e-6);
    window.press(Role::MenuItem, &window.t("group-edit"));
    let undo = window.t("command-undo");
    let node = window.harness.get_by_role_and_label(Role::MenuItem, &undo);
    assert!(node.accesskit_node().is_disabled(), "there is no document");
    window.key(Key::Escape, Modifiers::NONE);
    window.press(Role::MenuItem, &window.t("group-window"));
    window.press(Role::MenuItem, &window.t("command-about"));
    assert!(window.sees("MIT") && window.sees(env!("CARGO_PKG_VERSION")));
    window.key(Key::Escape, Modifiers::NONE);
    assert!(!window.sees(env!("CARGO_PKG_VERSION")));

    // In a narrow window the menus are within one.
    let mut window = Window::sized([880.0, 600.0], FakeGenerator::new);
    window.press(Role::Button, "English");
    window.press(Role::MenuItem, "Menu");
    window.press(Role::MenuItem, "Window");
    window.press(Role::MenuItem, "Dark or light");
    assert_eq!(window.state().shade, danqing::app::Shade::Light);
}

#[test]
fn the_queue_is_put_in_order_cancelled_and_taken_up_again() {
    let mut window = Window::open(stuck);
    for prompt in ["一", "二", "三", "四"] {
        window.paint(prompt);
    }
    window.until("the job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    assert_eq!(window.waiting(), ["二", "三", "四"]);
    window.key(Key::Escape, Modifiers::SHIFT);
    window.until("all to stop", |s| s.forming.is_none());
    window.harness.get_all_by_label(&window.t("label-jobs")).next().unwrap().click();
    window.harness.run_steps(4);
    let named = |window: &Window, stem: &str, prompt: &str| format!("{}：{prompt}", window.t(stem));
    for prompt in ["一", "二", "三", "四"] {
        let retry = named(&window, "command-retry-job", prompt);
        window.press(Role::Button, &retry);
    }
    assert_eq!(window.waiting(), ["二", "三", "四"]);
    window.press(Role::Button, "上移：四");
    window.press(Role::Button, "下移：二");
    assert_eq!(window.waiting(), ["四", "二", "三"]);
    let cancel = named(&window, "command-cancel-job", "三");
    window.press(Role::Button, &cancel);
    assert_eq!(window.waiting(), ["四", "二"]);
    window.press(Role::Button, &window.t("command-forget-settled"));
    assert_eq!(window.state().ledger.settled().len(), 0);
    let cancel = named(&window, "command-cancel-job", "一");
    window.press(Role::Button, &cancel);
    window.until("the next", |s| s.ledger.running().is_some_and(|(e, _)| e.recipe.prompt == "四"));
}

#[test]
fn a_failed_job_tells_why_and_is_taken_up_again() {
    let memory = Problem::new(ProblemKind::OutOfMemory).detail("allocation of 4 GiB failed");
    let mut window = Window::open(move || FakeGenerator::new().failing_at(2, memory.clone()));
    window.paint("山");
    window.until("the failure", |s| s.forming.is_none());
    let close = window.t("command-dismiss");
    window.press(Role::Button, &close);
    window.press(Role::Button, &window.t("label-jobs"));
    assert!(window.sees("内存不够了") && !window.sees("allocation of 4 GiB failed"));
    window.press(Role::Button, "详情：山");
    assert!(window.sees("allocation of 4 GiB failed"));
    window.press(Role::Button, "从画单去掉：山");
    assert!(!window.sees("allocation of 4 GiB failed"));
    assert!(window.sees(&window.t("label-jobs-none")));
}

#[test]
fn a_style_is_in_the_recipe_and_not_in_the_draft() {
    let mut window = Window::open(FakeGenerator::new);
    window.press(Role::Button, "水墨");
    assert_eq!(window.state().worn, ["水墨"]);
    window.paint("山");
    window.until("the picture", |s| s.paintings.len() == 1);
    assert!(window.state().paintings[0].recipe.prompt.starts_with("山，水墨画"));
    assert_eq!(window.state().draft.prompt, "山");

    // What was painted is found again.
    window.paint("水");
    window.until("the other", |s| s.paintings.len() == 2);
    window.press(Role::Button, &window.t("label-history"));
    window.types("山");
    assert!(window.harness.query_by_role_and_label(Role::ListBoxOption, "水").is_none());
    window.press(Role::ListBoxOption, "山");
    assert_eq!(window.state().draft.prompt, "山");
    let folder = window.folder;
    drop(window.harness);
    assert_eq!(Settings::read(&folder.path().join("settings.json")).worn, ["水墨"]);
    let prompts = std::fs::read_to_string(folder.path().join("prompts.json")).unwrap();
    assert!(prompts.find("水").unwrap() < prompts.find("山").unwrap());
}

#[test]
fn a_style_is_changed_in_its_card() {
    let mut window = Window::open(FakeGenerator::new);
    window.harness.get_by_role_and_label(Role::Button, "水墨").click_secondary();
    window.harness.run_steps(4);
    window.press(Role::MenuItem, "修改画风：水墨");
    window.key(Key::A, Modifiers::COMMAND);
    window.types("泼墨");
    window.press(Role::Button, &window.t("command-set-style"));
    assert!(window.state().styles.get("泼墨").is_some() && window.state().styles.get("水墨").is_none());
    assert!(window.harness.query_by_role_and_label(Role::Button, "泼墨").is_some());
    let folder = window.folder;
    drop(window.harness);
    assert!(std::fs::read_to_string(folder.path().join("styles.json")).unwrap().contains("泼墨"));
}

#[test]
fn weights_change_the_words_and_the_fields_undo_takes_them_back() {
    let mut window = Window::open(FakeGenerator::new);
    window.focus_prompt();
    window.types("远山，飞瀑");
    window.key(Key::ArrowUp, Modifiers::COMMAND);
    assert_eq!(window.state().draft.prompt, "远山，(飞瀑:1.1)");
    window.key(Key::ArrowUp, Modifiers::COMMAND);
    assert_eq!(window.state().draft.prompt, "远山，(飞瀑:1.2)");
    window.key(Key::Z, Modifiers::COMMAND);
    assert_eq!(window.state().draft.prompt, "远山，(飞瀑:1.1)");
    window.key(Key::Z, Modifiers::COMMAND);
    assert_eq!(window.state().draft.prompt, "远山，飞瀑");
    window.key(Key::ArrowDown, Modifiers::COMMAND);
    assert_eq!(window.state().draft.prompt, "远山，(飞瀑:0.9)");
}

#[test]
fn a_shortcut_is_recorded_taken_over_and_kept() {
    let mut window = Window::open(FakeGenerator::new);
    window.key(Key::K, Modifiers::COMMAND | Modifiers::ALT);
    let key = |window: &Window, stem: &str, keys: &str| {
        let command = window.t(&format!("command-{stem}"));
        text_with(Language::ZhCn, "label-key-of", &[("command", command), ("keys", keys.into())])
    };
    window.harness.get_by_role_and_label(Role::TextInput, &window.t("hint-shortcuts")).focus();
    window.harness.run_steps(4);
    window.types("dark");
    let shade = key(&window, "shade", "Ctrl+Shift+T");
    window.press(Role::Button, &shade);
    window.key(Key::Escape, Modifiers::NONE);
    assert!(window.harness.query_by_role_and_label(Role::Button, &shade).is_some(), "given up, and still open");
    window.press(Role::Button, &shade);
    window.key(Key::F9, Modifiers::NONE);
    let shade = key(&window, "shade", "F9");
    assert!(window.harness.query_by_role_and_label(Role::Button, &shade).is_some());

    // Keys that another command has are asked about.
    window.press(Role::Button, &shade);
    window.key(Key::L, Modifiers::COMMAND | Modifiers::SHIFT);
    assert!(window.sees("Ctrl+Shift+L") && window.sees(&window.t("command-language")));
    let before = window.state().keymap.clone();
    window.press(Role::Button, &window.t("label-key-leave"));
    assert_eq!(window.state().keymap, before);
    window.press(Role::Button, &shade);
    window.key(Key::L, Modifiers::COMMAND | Modifiers::SHIFT);
    let take = text_with(Language::ZhCn, "label-key-take", &[("command", window.t("command-shade"))]);
    window.press(Role::Button, &take);
    let stem = Command::SwitchLanguage.stem();
    assert!(window.state().keymap.keys(stem).is_empty());
    assert_eq!(window.state().keymap.label("shade").as_deref(), Some("Ctrl+Shift+L"));

    window.key(Key::Escape, Modifiers::NONE);
    let before = window.state().shade;
    window.key(Key::L, Modifiers::COMMAND | Modifiers::SHIFT);
    assert_ne!(window.state().shade, before);
    assert_eq!(window.state().language, Language::ZhCn);
    let folder = window.folder;
    drop(window.harness);
    let keys = Settings::read(&folder.path().join("settings.json")).keys;
    assert_eq!((keys["shade"].as_slice(), keys[stem].len()), (&["Ctrl+Shift+L".to_owned()][..], 0));
}

#[test]
fn keys_do_nothing_behind_a_card() {
    let mut window = Window::open(FakeGenerator::new);
    window.paint("山");
    window.until("the picture", |s| s.paintings.len() == 1);
    window.key(Key::K, Modifiers::COMMAND);
    window.key(Key::Enter, Modifiers::COMMAND);
    window.harness.run_steps(8);
    assert!(window.state().forming.is_none() && window.state().paintings.len() == 1);
}
