//! The program itself, with the model that ships: the command line from the first argument to the exit status.

use std::path::Path;
use std::process::{Command, Output};

fn danqing(folder: &Path, words: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_danqing"));
    for variable in ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "DISPLAY", "WAYLAND_DISPLAY"] {
        program.env_remove(variable);
    }
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    program.env("HOME", folder).env("DANQING_MODELS", models).env("LC_ALL", "zh_CN.UTF-8");
    program.args(words).current_dir(folder).output().unwrap()
}

#[test]
fn the_model_that_ships_paints_a_picture_that_tells_its_recipe() {
    let folder = tempfile::Builder::new().prefix("画室 ").tempdir().unwrap();
    let words = ["paint", "大漠孤烟直，长河落日圆，水墨", "-o", "大漠.png", "--steps", "2", "--seed", "7"];
    let painted = danqing(folder.path(), &words);
    assert!(painted.status.success(), "{}", String::from_utf8_lossy(&painted.stderr));
    assert_eq!(String::from_utf8_lossy(&painted.stdout).trim(), "大漠.png");
    let picture = image::open(folder.path().join("大漠.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (256, 256));
    let told = danqing(folder.path(), &["inspect", "大漠.png"]);
    assert!(told.status.success());
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("大漠孤烟直，长河落日圆，水墨") && told.contains('7'), "{told}");
}

#[test]
fn a_refusal_is_told_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let refused = [
        &["paint", "山", "-o", "山.png", "--model", "没有这个"][..],
        &["paint", "山", "-o", "山.png", "--width", "100"],
        &["paint", "山", "-o", "没有/山.png"],
        &["inspect", "没有.png"],
    ];
    for words in refused {
        let output = danqing(folder.path(), words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.chars().any(|c| ('一'..='龥').contains(&c)), "{words:?}: {said}");
        assert!(output.stdout.is_empty());
        let left = std::fs::read_dir(folder.path()).unwrap().filter_map(Result::ok);
        assert!(left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().ends_with(".png")));
    }
}
