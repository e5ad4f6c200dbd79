//! The gallery of the window over a real librarian and real files, found and used by names as a screen reader does.

mod common;

use danqing::app::wall::Shown;
use danqing::app::{State, View};
use danqing::base::Extent;
use danqing::gallery::EntryId;
use danqing::imaging::Pixmap;
use danqing::imaging::png_text::write_png;
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::{FamilyInfo, SamplerId};
use danqing::ui::Shell;
use danqing::words::text;
use egui::{Event, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
const FOREIGN: &str = "一只白鹤，青绿山水\nNegative prompt: 水印\nSteps: 33, Sampler: Euler a, Schedule type: Karras, \
                       CFG scale: 6.5, Seed: 4242, Size: 768x512, Model: 别家的模型, Clip skip: 2";

struct Window {
    harness: Harness<'static, Option<Shell>>,
    /// Goes with the window.
    _folder: TempDir,
}

fn pictures(folder: &Path) -> PathBuf {
    folder.join("图片").join("丹青")
}

impl Window {
    fn open(folder: TempDir) -> Self {
        let small = FamilyInfo { native: Extent::new(64, 64), ..fake_family() };
        let mut setup = common::setup(folder.path(), vec![("小图", small)], FakeGenerator::new);
        setup.gallery.folder = pictures(folder.path());
        let harness = common::window([1280.0, 900.0], setup);
        let mut window = Self { harness, _folder: folder };
        window.harness.run_steps(4);
        window
    }

    /// With these pictures in the folder, a file and its prompt each, and the gallery open.
    fn over(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(pictures(folder.path())).unwrap();
        for (name, prompt) in files {
            let texts = if prompt.is_empty() {
                vec![]
            } else {
                vec![("parameters".to_owned(), format!("{prompt}\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x48"))]
            };
            write_png(&pictures(folder.path()).join(name), &Pixmap::new(Extent::new(64, 48)), &texts).unwrap();
        }
        let mut window = Self::open(folder);
        window.key(Key::F3, Modifiers::NONE);
        let count = files.len();
        window.until("the pictures", |s| s.wall.ids().len() == count && s.wall.scan.is_none());
        let known = move |s: &State| s.wall.ids().iter().all(|id| s.wall.entry(*id).is_some());
        window.until("the rows", known);
        window
    }

    fn state(&self) -> &State {
        self.harness.state().as_ref().unwrap().state()
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

    fn key(&mut self, key: Key, modifiers: Modifiers) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.harness.input_mut().events.extend([event(true), event(false)]);
        self.harness.run_steps(4);
    }

    fn t(&self, id: &str) -> String {
        text(self.state().language, id)
    }

    fn click(&mut self, words: &str) {
        self.harness.get_by_role_and_label(Role::Button, words).click();
        self.harness.run_steps(4);
    }

    fn sees(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    fn search(&mut self, words: &str) {
        let label = self.t("label-wall-search");
        self.harness.get_by_role_and_label(Role::TextInput, &label).focus();
        self.harness.run_steps(2);
        self.harness.input_mut().events.push(Event::Text(words.into()));
        self.harness.run_steps(4);
    }

    fn file(&self, id: EntryId) -> PathBuf {
        self.state().wall.file(id).unwrap()
    }
}

#[test]
fn an_empty_gallery_teaches_and_what_is_painted_hangs_in_it() {
    let mut window = Window::open(tempfile::tempdir().unwrap());
    window.key(Key::F3, Modifiers::NONE);
    window.until("the answer", |s| s.wall.is_answered() && s.wall.scan.is_none());
    assert!(window.sees("画廊里还没有画"));
    let back = window.t("command-show-studio");
    window.harness.get_all_by_label(&back).last().unwrap().click();
    window.harness.run_steps(4);
    assert_eq!(window.state().view, View::Easel);

    window.harness.get_by_label("孤舟蓑笠翁，独钓寒江雪，水彩").click();
    window.until("the picture", |s| s.paintings.iter().any(|p| p.file.is_some()));
    window.key(Key::F3, Modifiers::NONE);
    assert_eq!(window.state().view, View::Gallery);
    window.until("the picture on the wall", |s| s.wall.ids().len() == 1);
    let id = window.state().wall.ids()[0];
    window.until("its row", |s| s.wall.entry(id).is_some());
    assert!(window.sees("孤舟蓑笠翁，独钓寒江雪，水彩") && !window.sees("画廊里还没有画"));
    assert!(window.file(id).exists());
    window.key(Key::F2, Modifiers::NONE);
    assert_ne!(window.state().view, View::Gallery);
}

#[test]
fn words_and_favourites_narrow_the_wall() {
    let mut window =
        Window::over(&[("甲.png", "大漠孤烟直，油画"), ("乙.png", "独钓寒江雪，水墨"), ("丙.png", "竹石，水墨")]);
    window.search("寒江");
    window.until("one of them", |s| s.wall.ids().len() == 1);
    assert!(window.sees("独钓寒江雪") && !window.sees("竹石"));
    // Esc gives the field up; the keys are the wall's again.
    window.key(Key::Escape, Modifiers::NONE);
    assert_eq!(window.state().view, View::Gallery);
    window.key(Key::ArrowRight, Modifiers::NONE);
    assert_eq!(window.state().wall.selection.len(), 1);
    window.key(Key::F, Modifiers::NONE);
    let id = window.state().wall.ids()[0];
    window.until("the star", |s| s.wall.entry(id).is_some_and(|entry| entry.favourite));
    let clear = window.t("label-wall-search-clear");
    window.click(&clear);
    window.until("all of them", |s| s.wall.ids().len() == 3);
    let favourites = window.t("label-wall-favourites");
    window.click(&favourites);
    window.until("the favourite", |s| s.wall.ids() == [id]);
    window.key(Key::F, Modifiers::NONE);
    window.until("none", |s| s.wall.ids().is_empty());
    assert!(window.sees("这里还没有收藏"));
    let all = window.t("command-wall-clear-filter");
    window.harness.get_all_by_label(&all).last().unwrap().click();
    window.until("all again", |s| s.wall.ids().len() == 3);
}

#[test]
fn a_deletion_is_undone_by_key_and_by_toast() {
    let mut window = Window::over(&[("甲.png", "一"), ("乙.png", "二"), ("丙.png", "三")]);
    window.key(Key::A, Modifiers::COMMAND);
    assert_eq!(window.state().wall.selection.len(), 3);
    let ids: Vec<_> = window.state().wall.ids().to_vec();
    let files: Vec<_> = ids.iter().map(|id| window.file(*id)).collect();
    window.key(Key::Delete, Modifiers::NONE);
    window.until("the deletion", |s| s.wall.ids().is_empty() && s.wall.can_undo());
    assert!(files.iter().all(|file| !file.exists()));
    window.key(Key::Z, Modifiers::COMMAND);
    window.until("the return", |s| s.wall.ids().len() == 3);
    assert!(files.iter().all(|file| file.exists()));
    assert!(!window.state().wall.can_undo());

    window.key(Key::Home, Modifiers::NONE);
    let first = window.state().wall.selection.cursor().unwrap();
    let file = window.file(first);
    window.key(Key::Delete, Modifiers::NONE);
    window.until("the second deletion", |s| s.wall.ids().len() == 2 && s.wall.can_undo());
    assert!(!file.exists());
    let undo = window.t("command-wall-undo");
    window.click(&undo);
    window.until("the second return", |s| s.wall.ids().len() == 3);
    assert!(file.exists());
    window.until("its row", |s| s.wall.ids().iter().all(|id| s.wall.entry(*id).is_some()));
}

#[test]
fn another_programs_settings_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(pictures(folder.path())).unwrap();
    let path = pictures(folder.path()).join("别家 的画.png");
    let texts = [("parameters".to_owned(), FOREIGN.to_owned())];
    write_png(&path, &Pixmap::new(Extent::new(768, 512)), &texts).unwrap();
    let mut window = Window::open(folder);
    window.key(Key::F3, Modifiers::NONE);
    window.until("the picture", |s| s.wall.ids().len() == 1 && s.wall.entry(s.wall.ids()[0]).is_some());
    window.key(Key::Home, Modifiers::NONE);
    window.key(Key::Enter, Modifiers::NONE);
    window.until("its details", |s| s.wall.details.is_some());
    assert!(window.sees("一只白鹤，青绿山水") && window.sees("别家的模型") && window.sees("Clip skip"));
    window.key(Key::R, Modifiers::NONE);
    let draft = &window.state().draft;
    assert_eq!((draft.prompt.as_str(), draft.negative.as_str()), ("一只白鹤，青绿山水", "水印"));
    assert_eq!((draft.sampling.sampler, draft.sampling.steps), (SamplerId::EulerAncestral, 33));
    assert_eq!((draft.seed.value, draft.seed.kept, draft.size), (4242, true, Extent::new(768, 512)));
    assert!(window.sees("「别家的模型」这里没有"));
    window.key(Key::Escape, Modifiers::NONE);
    assert_eq!((window.state().wall.looking, window.state().view), (None, View::Gallery));
}

#[test]
fn looking_large_leafing_and_comparing() {
    let mut window = Window::over(&[("甲.png", "一"), ("乙.png", "二"), ("丙.png", "三")]);
    let ids: Vec<_> = window.state().wall.ids().to_vec();
    window.key(Key::Home, Modifiers::NONE);
    window.key(Key::Enter, Modifiers::NONE);
    assert_eq!(window.state().wall.looking, Some(ids[0]));
    window.key(Key::ArrowRight, Modifiers::NONE);
    assert_eq!(window.state().wall.looking, Some(ids[1]));
    assert!(window.sees("第 2 幅，共 3 幅"));
    // Decoded by the clerk, with its neighbours.
    let start = Instant::now();
    let shown = |window: &mut Window| {
        let shell = window.harness.state_mut().as_mut().unwrap();
        ids.iter().all(|id| matches!(shell.picture(*id), Some(Shown::Ready(_))))
    };
    while !shown(&mut window) {
        assert!(start.elapsed() < PATIENCE);
        window.harness.step();
        std::thread::sleep(Duration::from_millis(1));
    }
    // Deleting shows the next.
    window.key(Key::Delete, Modifiers::NONE);
    window.until("the deletion", |s| s.wall.looking == Some(ids[2]));
    window.key(Key::Escape, Modifiers::NONE);
    window.key(Key::A, Modifiers::COMMAND);
    window.key(Key::Space, Modifiers::NONE);
    assert_eq!(window.state().wall.comparing.unwrap().pair, [ids[0], ids[2]]);
    assert!(window.sees("两幅对比"));
    window.key(Key::X, Modifiers::NONE);
    assert_eq!(window.state().wall.comparing.unwrap().pair, [ids[2], ids[0]]);
    window.key(Key::S, Modifiers::NONE);
    assert!(window.state().wall.comparing.unwrap().slider);
    let parting = window.t("label-wall-parting");
    assert!(window.harness.query_by_role_and_label(Role::Slider, &parting).is_some());
    window.key(Key::Escape, Modifiers::NONE);
    assert_eq!(window.state().wall.comparing, None);
    window.key(Key::Escape, Modifiers::NONE);
    window.key(Key::Escape, Modifiers::NONE);
    assert_eq!(window.state().view, View::Easel, "from the selection to none, and to the studio");
}

#[test]
fn broken_files_have_a_mark_and_english_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(pictures(folder.path())).unwrap();
    std::fs::write(pictures(folder.path()).join("坏了.png"), "not a picture").unwrap();
    let mut window = Window::open(folder);
    window.click("English");
    window.key(Key::F3, Modifiers::NONE);
    window.until("the file", |s| s.wall.ids().len() == 1 && s.wall.entry(s.wall.ids()[0]).is_some());
    assert!(window.sees("坏了"), "it is known by its name");
    assert!(window.sees("Pictures: 1") && window.sees("Favourites only"));
    let id = window.state().wall.ids()[0];
    let start = Instant::now();
    while window.harness.state_mut().as_mut().unwrap().thumbnail(id) != Some(&Shown::Broken) {
        assert!(start.elapsed() < PATIENCE);
        window.harness.step();
        std::thread::sleep(Duration::from_millis(1));
    }
    window.key(Key::Home, Modifiers::NONE);
    window.key(Key::R, Modifiers::NONE);
    window.until("what it says", |s| !s.messages.is_empty());
    assert!(window.sees("does not say how it was made"));
}
