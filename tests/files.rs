//! Files through the session and the window: opening, saving, exporting, and what comes back after a sudden end.

mod common;

use danqing::app::filing::{Answer, ExportKind, ExportPlan, Lost, title};
use danqing::app::settings::Settings;
use danqing::app::{Card, Command, Effect, Said, Session, State};
use danqing::base::{Extent, IntRect, ProblemKind};
use danqing::canvas::surface::flatten;
use danqing::canvas::{Document, Layer, MaskTiles};
use danqing::imaging::png_text::write_png;
use danqing::imaging::read::read_picture;
use danqing::imaging::{BlendMode, Mask, Pixmap};
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::FamilyInfo;
use danqing::recipe::metadata::from_file;
use danqing::ui::{Setup, Shell};
use danqing::words::{Language, text};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn setup(folder: &Path, files: Vec<PathBuf>) -> Setup {
    let small = FamilyInfo { native: Extent::new(64, 64), ..fake_family() };
    Setup { files, ..common::setup(folder, vec![("小图", small)], FakeGenerator::new) }
}

fn session(folder: &Path) -> Session {
    Session::start(setup(folder, vec![]), || {})
}

/// Lets the session go on until something is so; gives what was asked of the window.
fn until(session: &mut Session, what: &str, done: impl Fn(&State) -> bool) -> Vec<Effect> {
    let start = Instant::now();
    let mut effects = Vec::new();
    loop {
        session.drain();
        session.tick(Instant::now());
        effects.extend(session.take_effects());
        if done(&session.state) {
            return effects;
        }
        assert!(start.elapsed() < PATIENCE, "waited for {what}: {:?}", session.state.messages);
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn noted(id: &'static str) -> impl Fn(&State) -> bool {
    move |state| state.messages.iter().any(|message| matches!(&message.said, Said::Note(said, _) if *said == id))
}

fn complained(kind: ProblemKind) -> impl Fn(&State) -> bool {
    move |state| state.messages.iter().any(|message| matches!(&message.said, Said::Problem(p) if p.kind == kind))
}

/// A stroke, as far as files are concerned.
fn edit(session: &mut Session, pixel: [u8; 4]) {
    let desk = &mut session.state.desk;
    let layer = desk.document().active();
    let done = desk.editor_mut().edit("edit-brush", |t| {
        t.pixels_mut(layer)?.set_pixel(5, 6, pixel);
        Ok(())
    });
    done.unwrap();
}

fn pixel(state: &State) -> [u8; 4] {
    state.desk.document().active_layer().unwrap().pixels.pixel(5, 6)
}

fn picture(extent: Extent, seed: u8) -> Pixmap {
    let bytes = (0..extent.area() as u32 * 4).map(|i| if i % 4 == 3 { 255 } else { (i / 7) as u8 ^ seed });
    Pixmap::from_rgba(extent, bytes.collect()).unwrap()
}

fn texts() -> Vec<(String, String)> {
    let text = "春江潮水\nSteps: 12, Sampler: Euler a, CFG scale: 5, Seed: 99, Size: 64x64, Model: 小图";
    vec![("parameters".into(), text.into())]
}

/// Ids are new in every session; all else is compared.
fn assert_same(a: &Document, b: &Document) {
    assert_eq!(
        (a.extent(), a.frame(), a.mask(), a.selection(), a.position(a.active())),
        (b.extent(), b.frame(), b.mask(), b.selection(), b.position(b.active()))
    );
    assert_eq!(a.layers().len(), b.layers().len());
    for (a, b) in a.layers().iter().zip(b.layers()) {
        assert_eq!(Layer { id: b.id, ..a.clone() }, *b);
    }
}

#[test]
fn a_project_is_saved_and_opened_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("春江 花月夜.ora");
    let mut first = session(folder.path());
    let (mut paper, mut ink) = (Layer::new("纸"), Layer::new("墨"));
    paper.pixels.put(0, 0, &picture(Extent::new(90, 70), 1));
    ink.pixels.put(-20, 30, &picture(Extent::new(90, 70), 2));
    (ink.opacity, ink.blend, ink.alpha_locked) = (0.5, BlendMode::Multiply, true);
    let mask = Mask::from_bytes(Extent::new(2, 1), vec![9, 255]).unwrap();
    let document = Document::from_layers(Extent::new(90, 70), vec![paper, ink]).unwrap();
    let document = document.with_mask(MaskTiles::from_mask(3, 3, &mask));
    first.state.desk.replace(document.with_selection(Some(MaskTiles::from_mask(8, 8, &mask))));
    first.state.desk.paper.texts = texts();
    edit(&mut first, [1, 2, 3, 255]);
    assert!(title(&first.state).starts_with("• 未命名"));
    first.run(Command::SaveProjectTo(path.clone()));
    until(&mut first, "saving", noted("note-saved"));
    assert!(!first.state.desk.is_unsaved());
    assert_eq!(title(&first.state), "春江 花月夜 - 丹青");
    // Now it has a file of its own.
    edit(&mut first, [4, 5, 6, 255]);
    assert_eq!(title(&first.state), "• 春江 花月夜 - 丹青");
    assert!(first.run(Command::Save).is_empty());
    until(&mut first, "saving again", |state| !state.desk.is_unsaved());

    let mut second = session(folder.path());
    second.run(Command::OpenPath(path.clone()));
    until(&mut second, "opening", |state| state.desk.paper.path.is_some());
    assert_same(second.state.desk.document(), first.state.desk.document());
    assert_eq!((&second.state.desk.paper, second.state.desk.is_unsaved()), (&first.state.desk.paper, false));
    assert_eq!(second.state.filing.recent, std::slice::from_ref(&path));
    drop(second);
    assert_eq!(Settings::read(&folder.path().join("settings.json")).recent, [path.to_str().unwrap()]);
}

#[test]
fn a_picture_becomes_a_document_and_offers_its_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("春江.png");
    write_png(&path, &picture(Extent::new(40, 30), 7), &texts()).unwrap();
    let mut session = session(folder.path());
    session.run(Command::OpenPath(path));
    let offered = |state: &State| {
        let offer = |said: &Said| matches!(said, Said::Offer("note-recipe-found", _, Command::TakeRecipe));
        state.messages.iter().any(|message| offer(&message.said))
    };
    until(&mut session, "the offer", offered);
    let document = session.state.desk.document();
    assert_eq!((document.extent(), document.layers().len()), (Extent::new(40, 30), 1));
    assert_eq!(flatten(document, document.canvas()), picture(Extent::new(40, 30), 7));
    assert_eq!((title(&session.state).as_str(), session.state.draft.prompt.as_str()), ("春江 - 丹青", ""));
    session.run(Command::TakeRecipe);
    let draft = &session.state.draft;
    assert_eq!((draft.prompt.as_str(), draft.seed.value, draft.sampling.steps), ("春江潮水", 99, 12));
    // A picture has no project: where it goes is asked.
    let asked = session.run(Command::Save);
    assert!(matches!(&asked[..], [Effect::Ask(danqing::app::filing::Ask::Project(name))] if name == "春江.ora"));
}

#[test]
fn every_format_carries_the_recipe_unless_it_shall_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    session.state.draft.prompt = "孤舟蓑笠翁".into();
    session.run(Command::Generate);
    until(&mut session, "the painting", |state| !state.desk.paper.texts.is_empty());
    let seed = session.state.paintings[0].recipe.seed;
    for kind in ExportKind::ALL {
        for metadata in [true, false] {
            let plan = ExportPlan { kind, metadata, percent: 50, lossless: true, ..ExportPlan::default() };
            let asked = session.run(Command::ExportAs(plan.clone()));
            let [Effect::Ask(danqing::app::filing::Ask::Export(asked_kind, name))] = &asked[..] else {
                panic!("{asked:?}")
            };
            assert_eq!((*asked_kind, name), (kind, &format!("孤舟蓑笠翁-{seed}.{}", kind.extension())));
            let path = folder.path().join(format!("{metadata}-{name}"));
            session.run(Command::ExportTo(path.clone()));
            let shown = path.display().to_string();
            until(&mut session, "the export", |state| {
                let file = vec![("file", shown.clone())];
                state.messages.iter().any(|message| message.said == Said::Note("note-saved", file.clone()))
            });
            if kind == ExportKind::OpenRaster {
                let mut other = self::session(folder.path());
                other.run(Command::OpenPath(path));
                until(&mut other, "the copy", |state| state.desk.paper.path.is_some());
                assert_same(other.state.desk.document(), session.state.desk.document());
                assert_eq!(other.state.desk.paper.recipe().is_some(), metadata);
            } else {
                assert_eq!(read_picture(&path, 1 << 20).unwrap().extent(), Extent::new(32, 32));
                let found = from_file(&path).unwrap().map(|recipe| (recipe.prompt, recipe.seed));
                assert_eq!(found, metadata.then(|| ("孤舟蓑笠翁".to_owned(), Some(seed))), "{kind:?}");
            }
        }
    }
    assert_eq!(session.state.desk.paper.path, None, "a copy is not the document's file");
    drop(session);
    let plan = Settings::read(&folder.path().join("settings.json")).export;
    assert_eq!((plan.kind, plan.percent, plan.metadata), (ExportKind::OpenRaster, 50, false));
}

#[test]
fn what_cannot_be_written_leaves_the_file_and_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    edit(&mut session, [1, 2, 3, 255]);
    let nowhere = folder.path().join("没有").join("画.ora");
    session.run(Command::SaveProjectTo(nowhere.clone()));
    until(&mut session, "the refusal", complained(ProblemKind::Unwritable));
    assert!(session.state.desk.is_unsaved() && session.state.desk.paper.path.is_none());
    // Too large for the format: the file that is there stays.
    session.state.desk.replace(Document::blank(Extent::new(16_384, 2), "").unwrap());
    let path = folder.path().join("长卷.webp");
    std::fs::write(&path, "旧").unwrap();
    session.run(Command::ExportAs(ExportPlan { kind: ExportKind::WebP, ..ExportPlan::default() }));
    session.run(Command::ExportTo(path.clone()));
    until(&mut session, "the refusal", complained(ProblemKind::PictureTooLarge));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "旧");
}

#[test]
fn an_unsaved_document_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.ora");
    let mut session = session(folder.path());
    edit(&mut session, [1, 2, 3, 255]);
    session.run(Command::NewDocument);
    assert!(session.state.filing.question.is_some());
    session.run(Command::Answer(Answer::Stay));
    assert!(session.state.filing.question.is_none());
    assert_eq!(pixel(&session.state), [1, 2, 3, 255]);

    session.run(Command::NewDocument);
    let asked = session.run(Command::Answer(Answer::Save));
    assert!(matches!(asked[..], [Effect::Ask(_)]), "{asked:?}");
    // The dialog is closed without a path: nothing happens, now or later.
    session.state.filing.decline();
    session.run(Command::SaveProjectTo(path.clone()));
    until(&mut session, "saving", noted("note-saved"));
    assert_eq!(pixel(&session.state), [1, 2, 3, 255]);

    edit(&mut session, [7, 7, 7, 255]);
    session.run(Command::NewDocument);
    session.run(Command::Answer(Answer::Save));
    until(&mut session, "the new canvas", |state| pixel(state) == [0; 4]);
    edit(&mut session, [9, 9, 9, 255]);
    session.run(Command::OpenPath(path));
    session.run(Command::Answer(Answer::Discard));
    until(&mut session, "the saved one", |state| pixel(state) == [7, 7, 7, 255]);
}

#[test]
fn what_was_done_while_a_file_was_read_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.png");
    write_png(&path, &picture(Extent::new(20, 20), 1), &[]).unwrap();
    let mut session = session(folder.path());
    session.run(Command::OpenPath(path));
    edit(&mut session, [1, 2, 3, 255]);
    until(&mut session, "the question", |state| state.filing.question.is_some());
    assert_eq!(pixel(&session.state), [1, 2, 3, 255]);
    session.run(Command::Answer(Answer::Discard));
    assert_eq!(session.state.desk.document().extent(), Extent::new(20, 20));
}

#[test]
fn a_picture_that_was_painted_and_saved_is_no_reason_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    session.state.draft.prompt = "山".into();
    for (k, extent) in [Extent::new(64, 64), Extent::new(64, 128)].into_iter().enumerate() {
        session.state.draft.size = extent;
        session.run(Command::Generate);
        until(&mut session, "the picture on the canvas", |state| {
            state.desk.editor().history().steps().filter(|step| *step == "edit-paint").count() == k + 1
        });
        assert!(!session.state.desk.editor().is_saved());
        assert!(!session.state.desk.is_unsaved());
    }
    edit(&mut session, [1, 2, 3, 255]);
    assert!(session.state.desk.is_unsaved());
    session.run(Command::Undo);
    assert!(!session.state.desk.is_unsaved());
}

#[test]
fn the_file_of_the_command_line_is_opened_and_what_was_lost_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.png");
    write_png(&path, &picture(Extent::new(20, 20), 1), &[]).unwrap();
    let mut first = session(folder.path());
    edit(&mut first, [1, 2, 3, 255]);
    drop(first);
    let mut second = Session::start(setup(folder.path(), vec![path, "另一幅.png".into()]), || {});
    let effects = until(&mut second, "the file", |state| {
        state.desk.document().extent() == Extent::new(20, 20) && !state.filing.lost.is_empty()
    });
    assert!(matches!(effects[..], [Effect::Show(Card::Lost)]), "{effects:?}");
    let number = second.state.filing.lost[0].number;
    second.run(Command::RestoreLost(number));
    until(&mut second, "the lost one", |state| pixel(state) == [1, 2, 3, 255]);
    assert!(second.state.filing.lost.is_empty());
}

#[test]
fn an_unsaved_document_comes_back_until_it_is_saved_or_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.ora");
    let mut first = session(folder.path());
    edit(&mut first, [1, 2, 3, 255]);
    first.state.desk.paper.name = "山".into();
    first.state.draft.prompt = "春江".into();
    drop(first);
    let left = || -> Vec<PathBuf> {
        std::fs::read_dir(folder.path().join("保管")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let left_by_first = left();

    let mut second = session(folder.path());
    until(&mut second, "the lost one", noted("note-restored"));
    assert_eq!((pixel(&second.state), second.state.desk.is_unsaved()), ([1, 2, 3, 255], true));
    assert_eq!((title(&second.state).as_str(), second.state.draft.prompt.as_str()), ("• 山 - 丹青", "春江"));
    // When it is safe here, what the first session has left goes.
    until(&mut second, "the safe copy", |_| left_by_first.iter().all(|path| !path.exists()));
    // It has not been touched since, and this session ends suddenly, too.
    drop(second);
    let mut third = session(folder.path());
    until(&mut third, "the lost one again", noted("note-restored"));
    third.run(Command::SaveProjectTo(path));
    until(&mut third, "saving", noted("note-saved"));
    third.close();
    drop(third);

    let mut fourth = session(folder.path());
    edit(&mut fourth, [1, 1, 1, 255]);
    fourth.state.filing.ask_to_leave();
    assert!(matches!(fourth.run(Command::Answer(Answer::Discard))[..], [Effect::Leave]));
    fourth.close();
    drop(fourth);
    assert_eq!(left(), Vec::<PathBuf>::new());
}

#[test]
fn of_several_the_newest_comes_back_and_the_others_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    for k in 1..=3 {
        let mut session = Session::start(setup(folder.path(), vec![folder.path().join("没有.png")]), || {});
        edit(&mut session, [k, k, k, 255]);
        session.state.desk.paper.name = format!("第{k}幅");
        drop(session);
        // The time of a file may be a whole tick of the clock.
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut session = session(folder.path());
    let effects = until(&mut session, "the newest", noted("note-restored"));
    assert_eq!(pixel(&session.state), [3, 3, 3, 255]);
    assert!(matches!(effects[..], [Effect::Show(Card::Lost)]), "{effects:?}");
    let names: Vec<_> = session.state.filing.lost.iter().map(|lost: &Lost| lost.name.clone()).collect();
    assert_eq!(names, ["第2幅", "第1幅"]);
    let numbers: Vec<_> = session.state.filing.lost.iter().map(|lost| lost.number).collect();
    session.run(Command::DiscardLost(numbers[1]));
    session.run(Command::RestoreLost(numbers[0]));
    session.run(Command::Answer(Answer::Discard));
    until(&mut session, "the other", |state| pixel(state) == [2, 2, 2, 255]);
    assert!(session.state.filing.lost.is_empty());
}

/// Where the killed program works; set in the child only.
const CHILD: &str = "DANQING_TEST_KILLED";

#[test]
fn a_killed_program_loses_nothing() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let mut session = session(Path::new(&folder));
        for k in 0.. {
            edit(&mut session, [k as u8, 2, 3, 255]);
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(300) {
                session.drain();
                session.tick(Instant::now());
                std::thread::sleep(Duration::from_millis(5));
            }
            println!("painted {k}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["a_killed_program_loses_nothing", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Long enough that it was written, though it never rested: see the keeper.
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let painted = lines.map_while(Result::ok).filter(|line| line.contains("painted")).take(30).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(painted, 30);
    let mut session = session(folder.path());
    until(&mut session, "the lost one", noted("note-restored"));
    assert_eq!(pixel(&session.state)[1..], [2, 3, 255]);
}

#[test]
fn damaged_files_are_told_and_the_document_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut session = session(folder.path());
    session.run(Command::SendToCanvas(path("没有.png")));
    until(&mut session, "the answer", complained(ProblemKind::Unreadable));
    edit(&mut session, [1, 2, 3, 255]);
    session.run(Command::SaveProjectTo(path("好.ora")));
    until(&mut session, "saving", noted("note-saved"));
    let good = std::fs::read(path("好.ora")).unwrap();
    // A PNG whose head claims what no memory holds.
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bomb.extend([0, 1, 0, 0, 0, 1, 0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0]);
    let png = {
        write_png(&path("画.png"), &picture(Extent::new(20, 20), 1), &[]).unwrap();
        std::fs::read(path("画.png")).unwrap()
    };
    let files: [(&str, &[u8], ProblemKind); 6] = [
        ("空.ora", b"", ProblemKind::OpenRasterInvalid),
        ("半.ora", &good[..good.len() / 2], ProblemKind::OpenRasterInvalid),
        ("空.png", b"", ProblemKind::PictureUnreadable),
        ("半.png", &png[..png.len() / 2], ProblemKind::PictureUnreadable),
        ("文.png", "这不是图片".as_bytes(), ProblemKind::PictureUnreadable),
        ("炸.png", &bomb, ProblemKind::PictureTooLarge),
    ];
    for (name, bytes, kind) in files {
        std::fs::write(path(name), bytes).unwrap();
        session.state.messages.clear();
        session.run(Command::OpenPath(path(name)));
        until(&mut session, name, complained(kind));
        assert_eq!(pixel(&session.state), [1, 2, 3, 255], "{name}");
    }
    // Of a folder, or nothing, there is nothing to read, and it is not remembered.
    for name in ["没有.ora", ""] {
        session.state.messages.clear();
        session.run(Command::OpenPath(path(name)));
        until(&mut session, name, complained(ProblemKind::Unreadable));
    }
    assert_eq!(session.state.filing.recent, [path("好.ora")]);
}

#[test]
fn wide_channels_and_greys_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let wide = image::ImageBuffer::from_fn(8, 4, |x, _| image::Rgba([x as u16 * 8000, 65_535, 0, 65_535]));
    let path = folder.path().join("宽.png");
    wide.save(&path).unwrap();
    let mut session = session(folder.path());
    session.run(Command::OpenPath(path));
    until(&mut session, "the picture", |state| state.desk.document().extent() == Extent::new(8, 4));
    let document = session.state.desk.document();
    assert_eq!(flatten(document, document.canvas()).pixel(1, 0), Some([31, 255, 0, 255]));
}

#[test]
fn a_picture_is_laid_in_the_middle_of_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    edit(&mut session, [1, 2, 3, 255]);
    let before = session.state.desk.document().layers().len();
    let small = picture(Extent::new(10, 20), 3);
    session.run(Command::PastePicture(std::sync::Arc::new(small.clone())));
    let path = folder.path().join("小.png");
    write_png(&path, &small, &[]).unwrap();
    session.run(Command::SendToCanvas(path));
    until(&mut session, "the layer", |state| state.desk.document().layers().len() == before + 2);
    let document = session.state.desk.document();
    let frame = document.frame();
    for (layer, name) in document.layers()[before..].iter().zip(["粘贴的图片", "小"]) {
        let bounds = layer.pixels.bounds().unwrap();
        assert_eq!(
            (bounds.x, bounds.y),
            (frame.x + (frame.width as i32 - 10) / 2, frame.y + (frame.height as i32 - 20) / 2)
        );
        assert_eq!((layer.pixels.pixmap(bounds), layer.name.as_str()), (small.clone(), name));
    }
    session.run(Command::CopyPicture);
    until(&mut session, "the copy", |state| state.filing.copied.is_some());
    let expected = flatten(session.state.desk.document(), session.state.desk.document().canvas());
    assert_eq!(**session.state.filing.copied.as_ref().unwrap(), expected);
}

/// A picture that says where it was painted goes back there, if the canvas is of that size and nobody cut the picture.
#[test]
fn a_picture_goes_back_to_where_it_was_painted() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    edit(&mut session, [1, 2, 3, 255]);
    let canvas = session.state.desk.document().extent();
    let frame = session.state.desk.document().frame();
    let middle = |side: u32| {
        let start = |from: i32, length: u32| from + (length as i32 - side as i32) / 2;
        IntRect::new(start(frame.x, frame.width), start(frame.y, frame.height), side, side)
    };
    let there = IntRect::new(5, -3, 20, 24);
    let other = Extent::new(canvas.width + 8, canvas.height);
    let huge = IntRect::new(0, 0, u32::MAX, 1);
    let cases = [
        ("原处", canvas, there, 16, there),
        ("另一张纸", other, there, 16, middle(16)),
        ("裁过", canvas, there, 24, middle(16)),
        ("荒唐", canvas, huge, 16, middle(16)),
        ("纸外", canvas, IntRect::new(i32::MAX, 0, 20, 20), 16, middle(16)),
    ];
    for (name, canvas, frame, said, expected) in cases {
        let path = folder.path().join(format!("{name}.png"));
        let rect = |r: IntRect| format!(r#"{{"x":{},"y":{},"width":{},"height":{}}}"#, r.x, r.y, r.width, r.height);
        let size = |e: Extent| format!(r#"{{"width":{},"height":{}}}"#, e.width, e.height);
        let spot = format!(r#"{{"canvas":{},"frame":{}}}"#, size(canvas), rect(frame));
        let text = format!(r#"{{"danqing":1,"size":{},"spot":{spot}}}"#, size(Extent::new(said, said)));
        write_png(&path, &picture(Extent::new(16, 16), 3), &[("danqing".into(), text)]).unwrap();
        let before = session.state.desk.document().layers().len();
        session.run(Command::SendToCanvas(path));
        until(&mut session, name, |state| state.desk.document().layers().len() > before);
        let layer = session.state.desk.document().layers().last().unwrap();
        assert_eq!((layer.name.as_str(), layer.pixels.bounds()), (name, Some(expected)));
    }
}

struct Window {
    harness: Harness<'static, Option<Shell>>,
}

impl Window {
    fn open(folder: &Path, files: Vec<PathBuf>) -> Self {
        let harness = common::window([1280.0, 1000.0], setup(folder, files));
        Self { harness }
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

    fn key(&mut self, key: egui::Key, modifiers: egui::Modifiers) {
        let event = |pressed| egui::Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.harness.input_mut().events.extend([event(true), event(false)]);
        self.harness.run_steps(4);
    }

    fn press(&mut self, id: &str) {
        self.harness.get_by_label(&text(Language::ZhCn, id)).click();
        self.harness.run_steps(4);
    }

    fn sees(&self, id: &str) -> bool {
        self.harness.query_all_by_label_contains(&text(Language::ZhCn, id)).next().is_some()
    }

    fn close(&mut self) -> Vec<egui::ViewportCommand> {
        let viewport = self.harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
        viewport.events.push(egui::ViewportEvent::Close);
        self.harness.step();
        let input = self.harness.input_mut();
        input.viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
        let output = self.harness.output().viewport_output.values();
        let commands = output.flat_map(|viewport| viewport.commands.clone()).collect();
        self.harness.run_steps(4);
        commands
    }
}

#[test]
fn the_window_opens_a_file_and_asks_before_it_closes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.png");
    write_png(&path, &picture(Extent::new(64, 64), 1), &texts()).unwrap();
    let mut window = Window::open(folder.path(), vec![path]);
    window.until("the file", |state| state.desk.document().extent() == Extent::new(64, 64) && !state.desk.is_fresh());
    window.until("the offer", |state| !state.messages.is_empty());
    window.press("command-take-recipe");
    assert_eq!(window.state().draft.prompt, "春江潮水");

    window.key(egui::Key::I, egui::Modifiers::COMMAND);
    assert!(window.state().desk.is_unsaved(), "the mask is inverted");
    let commands = window.close();
    assert!(commands.contains(&egui::ViewportCommand::CancelClose), "{commands:?}");
    assert!(window.sees("unsaved-advice"));
    window.press("unsaved-stay");
    assert!(!window.sees("unsaved-advice"));
    window.key(egui::Key::N, egui::Modifiers::COMMAND);
    assert!(window.sees("unsaved-advice"));
    // The keys belong to the question.
    window.key(egui::Key::Z, egui::Modifiers::COMMAND);
    assert!(window.state().desk.is_unsaved());
    window.press("unsaved-discard");
    assert!(!window.state().desk.is_unsaved() && window.state().desk.paper.name.is_empty());
}

#[test]
fn the_export_card_remembers_what_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.png");
    write_png(&path, &picture(Extent::new(64, 64), 1), &[]).unwrap();
    let mut window = Window::open(folder.path(), vec![path]);
    window.until("the file", |state| !state.desk.is_fresh());
    window.key(egui::Key::E, egui::Modifiers::COMMAND);
    assert!(window.sees("label-metadata") && !window.sees("label-quality"));
    window.harness.get_by_label("WebP").click();
    window.harness.run_steps(4);
    assert!(window.sees("label-quality"));
    window.press("label-lossless");
    assert!(!window.sees("label-quality"));
    window.harness.get_by_label("ORA").click();
    window.harness.run_steps(4);
    assert!(!window.sees("label-scale"));
    window.press("unsaved-stay");
    assert!(!window.sees("label-metadata"));
    assert_eq!(window.state().filing.plan, ExportPlan::default(), "it was left without exporting");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn dropped_and_pasted_pictures_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("画.png");
    write_png(&path, &picture(Extent::new(48, 32), 1), &[]).unwrap();
    let mut window = Window::open(folder.path(), vec![]);
    window.harness.run_steps(2);
    let drop = |window: &mut Window| {
        window.harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.clone())));
        window.harness.step();
        window.harness.input_mut().dropped_files.clear();
    };
    drop(&mut window);
    window.until("the picture", |state| state.desk.document().extent() == Extent::new(48, 32));
    drop(&mut window);
    window.until("the layer", |state| state.desk.document().layers().len() == 2);
    let image = egui::ColorImage::filled([4, 4], egui::Color32::from_rgb(9, 8, 7));
    window.harness.input_mut().events.push(egui::Event::PasteImage(std::sync::Arc::new(image)));
    window.until("the pasted one", |state| state.desk.document().layers().len() == 3);
    let document = window.state().desk.document();
    assert_eq!(document.active_layer().unwrap().pixels.pixel(24, 16), [9, 8, 7, 255]);
}
