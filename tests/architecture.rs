//! The floors of `lib.rs`, held: who may import whom, candle and egui in their rooms, every file of a table in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ENGINE_ROOM: [&str; 5] = ["candle_core", "candle_nn", "candle_transformers", "candle_flash_attn", "tokenizers"];
const WINDOW_ROOM: [&str; 5] = ["egui", "eframe", "egui_extras", "wgpu", "rfd"];

/// What each floor may import from this crate, beside itself.
fn floors() -> BTreeMap<&'static str, Vec<&'static str>> {
    let below_app = ["base", "words", "imaging", "recipe", "canvas", "tools", "catalog", "jobs", "gallery"];
    BTreeMap::from([
        ("base", vec![]),
        ("words", vec!["base"]),
        ("imaging", vec!["base"]),
        ("recipe", vec!["base", "imaging"]),
        ("canvas", vec!["base", "imaging"]),
        ("tools", vec!["base", "imaging", "canvas"]),
        ("catalog", vec!["base", "recipe"]),
        ("engine", vec!["base", "imaging", "recipe", "catalog"]),
        ("jobs", vec!["base", "imaging", "recipe"]),
        ("gallery", vec!["base", "imaging", "recipe"]),
        ("app", below_app.to_vec()),
        ("cli", vec!["base", "words", "imaging", "recipe", "catalog", "jobs", "gallery"]),
        ("ui", [&below_app[..], &["app"]].concat()),
    ])
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Words that follow `crate::` in the code, also inside `use crate::{a, b::c}`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                let (mut depth, mut item) = (0, String::new());
                for c in list.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(word(std::mem::take(&mut item).trim())),
                        _ => item.push(c),
                    }
                }
                found.push(word(item.trim()));
            }
        }
    }
    found.retain(|w| !w.is_empty());
    found
}

#[test]
fn imports_go_down() {
    let floors = floors();
    let mut wrong = Vec::new();
    for (floor, allowed) in &floors {
        for path in sources(&root().join("src").join(floor)) {
            for import in imports(&code(&path)) {
                if import != *floor && floors.contains_key(import.as_str()) && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{} imports {import}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_the_source_is_a_floor() {
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(floors().contains_key(name.as_str()), "src/{name} is on no floor");
        }
    }
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for path in sources(&root().join("src")) {
        let inside = path.strip_prefix(root().join("src")).unwrap();
        let floor = inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        let code = code(&path);
        let uses = |library: &str| {
            code.match_indices(&format!("{library}::"))
                .any(|(at, _)| !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_'))
        };
        for library in ENGINE_ROOM {
            if floor != "engine" && uses(library) {
                wrong.push(format!("{} uses {library}", path.display()));
            }
        }
        for library in WINDOW_ROOM {
            if floor != "ui" && floor != "main.rs" && uses(library) {
                wrong.push(format!("{} uses {library}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each file beside a table (but its helpers, named here) has a line in it.
#[test]
fn every_file_of_a_table_is_in_it() {
    let of_tools = [
        "mod.rs",
        "at_editor.rs",
        "easel.rs",
        "handles.rs",
        "overlay.rs",
        "painting.rs",
        "selecting.rs",
        "settings.rs",
        "sheet.rs",
    ];
    for (folder, helpers) in [
        ("engine/samplers", &["mod.rs"][..]),
        ("engine/families", &["mod.rs", "sd.rs", "advice.rs"]),
        ("tools", &of_tools),
    ] {
        let folder = root().join("src").join(folder);
        let table = code(&folder.join("mod.rs"));
        for path in sources(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let stem = name.trim_end_matches(".rs");
            if helpers.contains(&name) || name == "tests.rs" {
                continue;
            }
            assert!(table.contains(&format!("mod {stem};")), "{name} is not declared");
            let static_table = table.find("pub static").map(|at| &table[at..]).unwrap_or_default();
            assert!(static_table.contains(&format!("{stem}::")), "{name} has no line in the table");
        }
    }
}

#[test]
fn every_sampler_has_a_line() {
    use danqing::engine::samplers::SAMPLERS;
    use danqing::recipe::SamplerId;
    assert_eq!(SAMPLERS.len(), SamplerId::ALL.len());
    for id in SamplerId::ALL {
        assert_eq!(SAMPLERS.iter().filter(|line| line.id == *id).count(), 1, "{id:?}");
    }
}

#[test]
fn the_top_level_is_as_agreed() {
    let agreed = ["Cargo.toml", "Cargo.lock", "README.md", "src", "assets", "models", "tests", "packaging", "target"];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let licence = name.starts_with("LICENSE");
        assert!(name.starts_with('.') || licence || agreed.contains(&name.as_str()), "{name} at the top level");
    }
}

#[test]
fn nothing_is_left_for_later() {
    for path in sources(&root().join("src")) {
        let code = code(&path);
        for mark in ["todo!(", "unimplemented!(", "dbg!("] {
            assert!(!code.contains(mark), "{}: {mark}", path.display());
        }
    }
}
