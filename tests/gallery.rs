//! The gallery over real files: what a search finds, what a rebuild and an undo bring back, and what no accident may
//! cost.

use danqing::base::{Extent, ProblemKind};
use danqing::gallery::{
    Bin, Entry, Librarian, Place, Query, Report, Request, Scan, Sort, Step, Store, Summary, THUMBNAIL, Thumbnail,
};
use danqing::imaging::Pixmap;
use danqing::imaging::png_text::write_png;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

struct World {
    root: TempDir,
    pictures: PathBuf,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let pictures = root.path().join("图片").join("丹青 画廊");
        std::fs::create_dir_all(&pictures).unwrap();
        Self { root, pictures }
    }

    fn database(&self) -> PathBuf {
        self.root.path().join("数据").join("画廊.sqlite")
    }

    fn place(&self) -> Place {
        Place {
            folder: self.pictures.clone(),
            database: self.database(),
            thumbnails: self.root.path().join("缓存").join("小图.sqlite"),
            system_trash: false,
        }
    }

    fn open(&self) -> Store {
        let (store, problem) = Store::open(&self.database(), &self.pictures).unwrap();
        assert_eq!(problem, None);
        store
    }

    fn paint(&self, path: &str, prompt: &str) -> PathBuf {
        let file = self.pictures.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = format!(
            "{prompt}\nNegative prompt: 水印\nSteps: 20, Sampler: Euler a, Seed: 42, Model: 小图, CFG scale: 7"
        );
        let picture = Pixmap::new(Extent::new(4 + prompt.len() as u32 % 3, 4));
        write_png(&file, &picture, &[("parameters".into(), text)]).unwrap();
        file
    }
}

fn refresh(store: &mut Store) -> Summary {
    let mut scan = Scan::begin(store).unwrap();
    loop {
        if let Step::Done(summary) = scan.step(store).unwrap() {
            return summary;
        }
    }
}

fn words(words: &str) -> Query {
    Query { words: words.into(), ..Query::default() }
}

/// Everything but the ids, by path.
fn contents(store: &Store) -> BTreeMap<PathBuf, (danqing::gallery::Facts, bool)> {
    let entries = store.entries(&store.find(&Query::default())).unwrap();
    entries.into_iter().map(|e: Entry| (e.facts.path.clone(), (e.facts, e.favourite))).collect()
}

fn paths(store: &Store, query: &Query) -> BTreeSet<PathBuf> {
    store.entries(&store.find(query)).unwrap().into_iter().map(|entry| entry.facts.path).collect()
}

#[test]
fn two_thousand_pictures_are_searched_and_rebuilt() {
    let world = World::new();
    let scenes = ["大漠孤烟直", "长河落日圆", "小桥流水人家", "Misty Mountain", "竹"];
    let styles = ["水墨", "Oil Painting", "工笔"];
    let mut prompts = BTreeMap::new();
    // The same bytes under many names: writing 2,000 files one after another, each flushed, takes longer than the rest.
    let originals: Vec<_> = scenes
        .iter()
        .flat_map(|scene| styles.iter().map(move |style| format!("{scene}，{style}")))
        .map(|prompt| (std::fs::read(world.paint("原稿.png", &prompt)).unwrap(), prompt))
        .collect();
    std::fs::remove_file(world.pictures.join("原稿.png")).unwrap();
    for number in 0..2000usize {
        let (bytes, prompt) = &originals[number % originals.len()];
        let path = PathBuf::from(format!("卷{}/第 {number} 幅.png", number % 7));
        std::fs::create_dir_all(world.pictures.join(path.parent().unwrap())).unwrap();
        std::fs::write(world.pictures.join(&path), bytes).unwrap();
        prompts.insert(path, prompt.clone());
    }
    let mut store = world.open();
    let summary = refresh(&mut store);
    assert_eq!((summary.found, summary.added, summary.changed, summary.removed), (2000, 2000, 0, 0));
    for search in ["", "孤烟", "烟", "竹 工笔", "misty OIL", "第 1999", "水印 长河", "没有这样的", "Euler", "卷"]
    {
        let parts: Vec<String> = search.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |(path, prompt): &(&PathBuf, &String)| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let all = format!("{prompt}\n水印\n{name}").to_lowercase();
            parts.iter().all(|part| all.contains(part))
        };
        let expected: BTreeSet<_> = prompts.iter().filter(fits).map(|(path, _)| path.clone()).collect();
        assert_eq!(paths(&store, &words(search)), expected, "{search}");
    }
    let by_name = Query { sort: Sort::Name, ..words("第 199") };
    let first = store.entry(store.find(&by_name)[0]).unwrap().unwrap();
    assert_eq!(first.facts.path, Path::new("卷2/第 1199 幅.png"));
    assert_eq!((first.facts.seed, first.facts.sampler.as_deref()), (Some(42), Some("Euler a")));

    let marked: Vec<_> = store.find(&words("第 19")).into_iter().take(50).collect();
    store.set_favourite(&marked, true).unwrap();
    store.set_favourite(&marked[..5], false).unwrap();
    let before = contents(&store);
    assert_eq!(before.values().filter(|(_, favourite)| *favourite).count(), 45);
    assert_eq!(refresh(&mut store), Summary { found: 2000, ..Summary::default() });
    drop(store);
    std::fs::remove_dir_all(world.database().parent().unwrap()).unwrap();
    let mut rebuilt = world.open();
    assert!(rebuilt.is_empty());
    refresh(&mut rebuilt);
    assert_eq!(contents(&rebuilt), before);
    drop(rebuilt);
    assert_eq!(contents(&world.open()), before, "and from the disk");
}

#[test]
fn deleting_and_restoring_is_as_if_nothing_had_been() {
    let world = World::new();
    for name in ["甲.png", "深/更深/乙.png", "丙.png"] {
        world.paint(name, name);
    }
    let mut store = world.open();
    refresh(&mut store);
    let marked = store.find(&words("乙"));
    store.set_favourite(&marked, true).unwrap();
    let entries = |store: &Store| store.entries(&store.find(&Query::default())).unwrap();
    let before = entries(&store);
    let bin = Bin::holding(&world.pictures);
    let ids: Vec<_> = [marked.clone(), store.find(&words("甲"))].concat();
    let deletion = store.delete(&ids, &bin).unwrap();
    assert_eq!((deletion.ids, deletion.held, deletion.problems), (ids, Some(bin.holding_folder()), vec![]));
    assert_eq!(paths(&store, &Query::default()), BTreeSet::from([PathBuf::from("丙.png")]));
    assert!(!world.pictures.join("甲.png").exists());
    assert_eq!(refresh(&mut store).found, 1, "the holding folder is not part of the gallery");
    // Also by the next session.
    drop(store);
    let mut store = world.open();
    let (ids, problems) = store.restore(deletion.token.unwrap(), &bin).unwrap();
    assert_eq!((ids.len(), problems.len()), (2, 0));
    assert_eq!(entries(&store), before);
    assert_eq!(refresh(&mut store), Summary { found: 3, ..Summary::default() });
    assert_eq!(store.restore(deletion.token.unwrap(), &bin).unwrap(), (vec![], vec![]));

    // A file that has gone from the trash is told, and one whose place was taken comes back beside it.
    let deletion = store.delete(&marked, &bin).unwrap();
    world.paint("深/更深/乙.png", "别的");
    refresh(&mut store);
    assert_eq!(store.restore(deletion.token.unwrap(), &bin).unwrap().0, marked);
    let back = store.entry(marked[0]).unwrap().unwrap();
    assert_eq!((back.facts.path.as_path(), back.favourite), (Path::new("深/更深/乙-2.png"), true));
    assert_eq!(store.len(), 4);
    let deletion = store.delete(&marked, &bin).unwrap();
    std::fs::remove_dir_all(bin.holding_folder()).unwrap();
    let (ids, problems) = store.restore(deletion.token.unwrap(), &bin).unwrap();
    assert_eq!((ids.len(), problems[0].kind), (0, ProblemKind::TrashEmptied));
}

#[test]
fn a_crash_in_the_middle_leaves_the_last_whole_state() {
    let world = World::new();
    for number in 0..100 {
        world.paint(&format!("{number}.png"), "竹");
    }
    let mut store = world.open();
    let mut scan = Scan::begin(&mut store).unwrap();
    while store.len() < 60 {
        scan.step(&mut store).unwrap();
    }
    let (before, half) = (contents(&store), store.len());
    // What a crash leaves behind: the files as they are, the log not yet written back, and a transaction without end.
    let crashed = world.root.path().join("崩溃");
    std::fs::create_dir(&crashed).unwrap();
    let other = rusqlite::Connection::open(world.database()).unwrap();
    other.execute_batch("PRAGMA cache_size = 1; BEGIN; DELETE FROM entries; CREATE TABLE half (x);").unwrap();
    for file in std::fs::read_dir(world.database().parent().unwrap()).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_str().unwrap().ends_with("-shm") {
            std::fs::copy(file.path(), crashed.join(file.file_name())).unwrap();
        }
    }
    let (mut found, problem) = Store::open(&crashed.join("画廊.sqlite"), &world.pictures).unwrap();
    assert_eq!((problem, contents(&found)), (None, before));
    assert_eq!(refresh(&mut found).added, 100 - half);
    drop(other);
    drop(store);
    assert_eq!(world.open().len(), half);
}

#[test]
fn databases_that_cannot_be_used_cost_nothing() {
    let world = World::new();
    world.paint("画.png", "山水");
    let mut store = world.open();
    refresh(&mut store);
    store.set_favourite(&store.find(&Query::default()), true).unwrap();
    let before = contents(&store);
    drop(store);
    let newer = rusqlite::Connection::open(world.database()).unwrap();
    newer.pragma_update(None, "user_version", 1000).unwrap();
    drop(newer);
    let faults = [ProblemKind::GalleryTooNew, ProblemKind::GalleryDamaged, ProblemKind::GalleryDamaged];
    for (number, kind) in (1..).zip(faults) {
        let (mut store, problem) = Store::open(&world.database(), &world.pictures).unwrap();
        assert_eq!(problem.unwrap().kind, kind);
        assert!(world.database().with_extension(format!("sqlite.aside-{number}")).exists());
        refresh(&mut store);
        assert_eq!(contents(&store), before);
        drop(store);
        if number == 1 {
            std::fs::write(world.database(), "坏".repeat(5000)).unwrap();
        } else {
            let odd = rusqlite::Connection::open(world.database()).unwrap();
            odd.execute("UPDATE entries SET width = -1", []).unwrap();
        }
    }
    // A place that cannot be a database's: everything works, in memory.
    let (mut store, problem) = Store::open(&world.pictures, &world.pictures).unwrap();
    assert_eq!(problem.unwrap().kind, ProblemKind::GalleryInMemory);
    refresh(&mut store);
    assert_eq!(contents(&store), before);
}

#[test]
fn changes_outside_are_found() {
    let world = World::new();
    for name in ["留.png", "改.png", "走.png", "移.png"] {
        world.paint(name, name);
    }
    let mut store = world.open();
    refresh(&mut store);
    let marked = store.find(&words("移"));
    store.set_favourite(&[marked.clone(), store.find(&words("改"))].concat(), true).unwrap();
    let changed = store.find(&words("改"))[0];
    std::fs::remove_file(world.pictures.join("走.png")).unwrap();
    world.paint("改.png", "改了很多很多");
    std::fs::create_dir(world.pictures.join("新")).unwrap();
    std::fs::rename(world.pictures.join("移.png"), world.pictures.join("新/移到这里.PNG")).unwrap();
    let summary = refresh(&mut store);
    assert_eq!((summary.found, summary.added, summary.changed, summary.removed), (3, 1, 1, 2));
    let entry = store.entry(changed).unwrap().unwrap();
    assert_eq!((entry.facts.prompt.as_str(), entry.favourite), ("改了很多很多", true));
    let moved = store.entries(&store.find(&words("移到"))).unwrap().remove(0);
    assert!(moved.favourite, "a favourite that was moved stays one");
    let before = contents(&store);
    drop(store);
    std::fs::remove_file(world.database()).unwrap();
    let mut store = world.open();
    refresh(&mut store);
    assert_eq!(contents(&store), before);
}

#[test]
fn a_list_of_favourites_from_elsewhere_is_taken_up() {
    let world = World::new();
    for name in ["甲.png", "乙.png"] {
        world.paint(name, name);
    }
    let mut store = world.open();
    refresh(&mut store);
    store.set_favourite(&store.find(&words("甲")), true).unwrap();
    let list = world.pictures.join(".danqing-favourites");
    let ours = std::fs::read(&list).unwrap();
    store.set_favourite(&store.find(&words("乙")), true).unwrap();
    let favourites = |store: &Store| paths(store, &Query { favourites_only: true, ..Query::default() }).len();
    assert_eq!(favourites(&store), 2);
    std::fs::write(&list, ours).unwrap();
    refresh(&mut store);
    assert_eq!(favourites(&store), 1);
    // A list that was lost is written again from the index.
    std::fs::remove_file(&list).unwrap();
    refresh(&mut store);
    assert_eq!(favourites(&store), 1);
    store.set_favourite(&store.find(&words("乙")), true).unwrap();
    assert_eq!(std::fs::read_to_string(&list).unwrap().lines().count(), 2);
}

#[test]
fn a_folder_that_vanishes_takes_nothing_with_it() {
    let world = World::new();
    for number in 0..50 {
        world.paint(&format!("夹/{number}.png"), "竹");
    }
    let mut store = world.open();
    refresh(&mut store);
    let away = world.root.path().join("拔掉的盘");
    std::fs::rename(&world.pictures, &away).unwrap();
    assert_eq!(Scan::begin(&mut store).unwrap_err().kind, ProblemKind::Unreadable);
    assert_eq!(store.len(), 50);
    std::fs::rename(&away, &world.pictures).unwrap();
    // In the middle of a scan, at each of its steps.
    for steps in 0..5 {
        let mut scan = Scan::begin(&mut store).unwrap();
        for _ in 0..steps {
            scan.step(&mut store).unwrap();
        }
        std::fs::rename(&world.pictures, &away).unwrap();
        while !matches!(scan.step(&mut store), Ok(Step::Done(_)) | Err(_)) {}
        assert_eq!(store.len(), 50, "after {steps} steps");
        std::fs::rename(&away, &world.pictures).unwrap();
    }
    std::fs::remove_dir_all(world.pictures.join("夹")).unwrap();
    assert_eq!(refresh(&mut store).removed, 50);
}

#[test]
fn odd_files_are_marked_and_passed_over() {
    let world = World::new();
    let whole = world.paint("整.png", "完整的竹子");
    let bytes = std::fs::read(&whole).unwrap();
    for (name, length) in [("半.png", bytes.len() - 20), ("头.png", 20), ("空.png", 0)] {
        std::fs::write(world.pictures.join(name), &bytes[..length]).unwrap();
    }
    std::fs::write(world.pictures.join("假.jpg"), "不是图片").unwrap();
    std::fs::write(world.pictures.join("说明.txt"), "不是图片").unwrap();
    std::fs::create_dir(world.pictures.join("目录.png")).unwrap();
    std::fs::create_dir(world.pictures.join(".隐藏")).unwrap();
    std::fs::copy(&whole, world.pictures.join(".隐藏").join("不见.png")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;
        symlink(&world.pictures, world.pictures.join("目录.png").join("回到开头")).unwrap();
        symlink("自己.png", world.pictures.join("自己.png")).unwrap();
        symlink(&whole, world.pictures.join("链接.png")).unwrap();
        std::fs::copy(&whole, world.pictures.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.png"))).unwrap();
    }
    let mut store = world.open();
    let found = refresh(&mut store).found;
    assert_eq!(found, if cfg!(unix) { 7 } else { 5 });
    let entry = |name: &str| store.entries(&store.find(&words(name))).unwrap().remove(0);
    assert_eq!((entry("整").facts.is_broken(), entry("半").facts.is_broken()), (false, false));
    assert_eq!(entry("半").facts.prompt, "完整的竹子", "the text comes before the pixels");
    for name in ["头", "空", "假"] {
        assert!(entry(name).facts.is_broken(), "{name}");
    }
    assert_eq!(refresh(&mut store), Summary { found, ..Summary::default() });
    std::fs::write(world.pictures.join("空.png"), &bytes).unwrap();
    assert_eq!(refresh(&mut store).changed, 1);
}

#[test]
#[cfg(unix)]
fn folders_that_refuse() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.paint("画.png", "竹");
    world.paint("锁/里.png", "梅");
    let mut store = world.open();
    refresh(&mut store);
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&world.pictures.join("锁"), 0o000);
    mode(&world.pictures, 0o555);
    // Root is refused nothing.
    let refused = std::fs::write(world.pictures.join("x"), "").is_err();
    let summary = refresh(&mut store);
    assert_eq!((store.len(), summary.removed), (2, 0));
    if refused {
        assert_eq!(summary.unread, [PathBuf::from("锁")]);
        let id = store.find(&words("竹"));
        assert_eq!(store.set_favourite(&id, true).unwrap_err().kind, ProblemKind::Unwritable);
        assert!(store.entry(id[0]).unwrap().unwrap().favourite, "the index has it");
        let deletion = store.delete(&id, &Bin::holding(&world.pictures)).unwrap();
        assert_eq!((deletion.ids.len(), deletion.problems[0].kind), (0, ProblemKind::Unwritable));
        assert!(world.pictures.join("画.png").exists());
    }
    mode(&world.pictures, 0o755);
    mode(&world.pictures.join("锁"), 0o755);
    store.set_favourite(&store.find(&words("梅")), true).unwrap();
    let list = std::fs::read_to_string(world.pictures.join(".danqing-favourites")).unwrap();
    assert_eq!(list.lines().count(), if refused { 2 } else { 1 }, "what could not be written before is there now");
}

/// Waits for the report that `wanted` picks; others are passed over.
fn wait<T>(librarian: &mut Librarian, mut wanted: impl FnMut(&Report) -> Option<T>) -> T {
    for _ in 0..60_000 {
        match librarian.poll() {
            Some(Report::Failed(problem)) => panic!("{problem}"),
            Some(report) => {
                if let Some(found) = wanted(&report) {
                    return found;
                }
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    panic!("no such report");
}

fn found(librarian: &mut Librarian, query: Query) -> Vec<danqing::gallery::EntryId> {
    static SERIAL: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let wanted = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    librarian.send(Request::Query { serial: wanted, query });
    wait(librarian, |report| match report {
        Report::Found { serial, ids } if *serial == wanted => Some(ids.to_vec()),
        _ => None,
    })
}

#[test]
fn the_librarian_answers_everything() {
    let world = World::new();
    for number in 0..80 {
        world.paint(&format!("{number}.png"), "竹石");
    }
    let (woken, wakes) = crossbeam_channel::unbounded();
    let mut librarian = Librarian::spawn(world.place(), move || woken.send(()).unwrap());
    assert_eq!(wait(&mut librarian, |r| if let Report::Opened(n) = r { Some(*n) } else { None }), 0);
    librarian.send(Request::Refresh);
    let summary = wait(&mut librarian, |r| if let Report::Refreshed(s) = r { s.clone() } else { None });
    assert_eq!(summary.added, 80);
    let new = world.paint("刚画好.png", "孤舟蓑笠翁");
    librarian.send(Request::Add(new.clone()));
    let id = wait(&mut librarian, |r| if let Report::Added(id) = r { Some(*id) } else { None });
    assert_eq!(found(&mut librarian, words("蓑笠")), [id]);
    assert_eq!(found(&mut librarian, Query::default())[0], id, "the newest is first");
    librarian.send(Request::SetFavourite { ids: vec![id], favourite: true });
    librarian.send(Request::Rows { serial: 5, ids: vec![id] });
    let rows = wait(&mut librarian, |r| if let Report::Rows { rows, .. } = r { Some(rows.clone()) } else { None });
    assert!(rows[0].favourite && rows[0].facts.prompt == "孤舟蓑笠翁");
    librarian.send(Request::Details(id));
    let details = wait(&mut librarian, |r| if let Report::Details(d) = r { d.clone() } else { None });
    assert_eq!((details.file, details.recipe.unwrap().seed), (new.clone(), Some(42)));
    librarian.send(Request::Models);
    let models = wait(&mut librarian, |r| if let Report::Models(m) = r { Some(m.clone()) } else { None });
    assert_eq!(models, [("小图".to_owned(), 81)]);
    librarian.send(Request::Thumbnail { id, urgency: 1 });
    let thumbnail = wait(&mut librarian, |r| match r {
        Report::Thumbnail { id: of, thumbnail } if *of == id => Some(thumbnail.clone()),
        _ => None,
    });
    assert!(matches!(thumbnail, Thumbnail::Ready(small) if small.extent().width <= THUMBNAIL));
    librarian.send(Request::Delete(vec![id]));
    let deletion = wait(&mut librarian, |r| if let Report::Deleted(d) = r { Some(d.clone()) } else { None });
    assert!(!new.exists() && found(&mut librarian, words("蓑笠")).is_empty());
    librarian.send(Request::Restore(deletion.token.unwrap()));
    let ids = wait(&mut librarian, |r| if let Report::Restored { ids, .. } = r { Some(ids.clone()) } else { None });
    assert_eq!((ids, new.exists()), (vec![id], true));
    assert_eq!(found(&mut librarian, Query { favourites_only: true, ..Query::default() }), [id]);
    assert!(wakes.len() > 10);
}

#[test]
fn a_scan_can_be_given_up_and_the_end_finishes_what_changes_something() {
    let world = World::new();
    for number in 0..300 {
        world.paint(&format!("{number}.png"), "竹");
    }
    let mut librarian = Librarian::spawn(world.place(), || {});
    librarian.send(Request::Refresh);
    librarian.send(Request::CancelRefresh);
    assert_eq!(wait(&mut librarian, |r| if let Report::Refreshed(s) = r { Some(s.clone()) } else { None }), None);
    librarian.send(Request::Refresh);
    // More requests than the channel holds, and nobody to read the answers.
    for _ in 0..500 {
        librarian.send(Request::Query { serial: 0, query: Query::default() });
    }
    librarian.send(Request::Add(world.pictures.join("7.png")));
    drop(librarian);
    let store = world.open();
    assert!(paths(&store, &Query::default()).contains(Path::new("7.png")));
}

#[test]
fn failures_are_reported_and_the_librarian_goes_on() {
    let world = World::new();
    world.paint("画.png", "竹");
    let mut place = world.place();
    place.folder = world.root.path().join("没有");
    let mut librarian = Librarian::spawn(place.clone(), || {});
    let mut failed = |request| {
        librarian.send(request);
        loop {
            match librarian.poll() {
                Some(Report::Failed(problem)) => return problem.kind,
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    };
    assert_eq!(failed(Request::Refresh), ProblemKind::Unreadable);
    assert_eq!(failed(Request::Add(world.pictures.join("画.png"))), ProblemKind::Unreadable);
    assert_eq!(failed(Request::Add(place.folder.join("无.png"))), ProblemKind::Unreadable);
    assert_eq!(found(&mut librarian, Query::default()), []);
}
