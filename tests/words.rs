//! The words of both languages are whole: the same messages, with the same placeholders, for everything that is said.

use danqing::app::Command;
use danqing::app::command::EXAMPLES;
use danqing::app::commands::{ENTRIES, Group};
use danqing::base::{Problem, ProblemKind};
use danqing::tools::TOOLS;
use danqing::words::{Language, SOURCES, problem_text, text};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The messages of a file: id and value. Every message of ours is one line.
fn messages(source: &str) -> BTreeMap<&str, &str> {
    let lines = source.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_once(" = ").unwrap_or_else(|| panic!("not a message: {line}"))).collect()
}

fn placeholders(value: &str) -> BTreeSet<&str> {
    value.split("{ $").skip(1).filter_map(|rest| rest.split(" }").next()).collect()
}

#[test]
fn both_languages_say_the_same() {
    let [(_, zh), (_, en)] = SOURCES;
    assert_eq!(zh.lines().filter(|line| line.contains(" = ")).count(), messages(zh).len(), "an id is there twice");
    let (zh, en) = (messages(zh), messages(en));
    let ids = |messages: &BTreeMap<&str, &str>| messages.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(ids(&zh), ids(&en));
    for (id, value) in &zh {
        assert_eq!(placeholders(value), placeholders(en[id]), "{id}");
        assert!(!value.trim().is_empty() && !en[id].trim().is_empty(), "{id}");
        // What fluent did not understand comes back as the id, or with a hole.
        for language in Language::ALL {
            assert_ne!(text(language, id), *id);
        }
    }
}

#[test]
fn every_problem_has_a_summary_and_advice() {
    for &kind in ProblemKind::ALL {
        for language in Language::ALL {
            let words = problem_text(&Problem::new(kind), language);
            assert!(!words.summary.starts_with("problem-"), "{kind:?}");
            assert!(!words.advice.starts_with("problem-"), "{kind:?}");
        }
    }
    let kinds: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.key()).collect();
    for id in messages(SOURCES[0].1).keys() {
        if let Some(key) = id.strip_prefix("problem-") {
            assert!(kinds.contains(key.strip_suffix("-advice").unwrap_or(key)), "{id} belongs to no problem");
        }
    }
}

#[test]
fn every_command_and_example_has_words() {
    let messages = messages(SOURCES[0].1);
    for stem in Command::STEMS {
        assert!(messages.contains_key(format!("command-{stem}").as_str()), "{stem}");
        assert!(messages.contains_key(format!("command-{stem}-tip").as_str()), "{stem}");
    }
    for group in Group::ALL {
        assert!(messages.contains_key(group.text_id()), "{group:?}");
        assert!(ENTRIES.iter().any(|entry| entry.group == group), "{group:?} is an empty menu");
    }
    for number in 1..=EXAMPLES {
        let id = format!("example-{number}");
        assert!(messages.contains_key(format!("{id}-note").as_str()));
        assert_eq!(text(Language::ZhCn, &id), text(Language::En, &id), "the models think in Chinese");
    }
}

#[test]
fn every_tool_and_its_steps_have_words() {
    let messages = messages(SOURCES[0].1);
    for line in &TOOLS {
        assert!(messages.contains_key(format!("tool-{}", line.stem).as_str()), "{}", line.stem);
        assert!(messages.contains_key(format!("tool-{}-tip", line.stem).as_str()), "{}", line.stem);
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools"), &mut found);
    let used: BTreeSet<_> = found.iter().flat_map(|source| ids_in(source, &["edit", "tool"].into())).collect();
    assert!(used.len() > 10, "{used:?}");
    for id in &used {
        assert!(messages.contains_key(id.as_str()), "{id} is said but not written");
    }
    let hints = messages.keys().filter(|id| id.starts_with("tool-hint-"));
    hints.for_each(|id| assert!(used.contains(*id), "{id} is written but never said"));
}

/// String literals that look like message ids: they begin with a word that begins ids.
fn ids_in(source: &str, stems: &BTreeSet<&str>) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let literals = source.split('"').skip(1).step_by(2);
    let is_id = |literal: &&str| {
        let begins = literal.split_once('-').is_some_and(|(stem, rest)| stems.contains(stem) && !rest.is_empty());
        begins && literal.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    literals.filter(is_id).map(str::to_owned).collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_id_in_the_source_exists() {
    let messages = messages(SOURCES[0].1);
    let stems = ["label", "hint", "tip", "phase", "note", "empty", "example", "app", "problem", "cli"].into();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    ["app", "cli", "ui"].iter().for_each(|folder| sources(&root.join(folder), &mut found));
    let used: BTreeSet<_> = found.iter().flat_map(|source| ids_in(source, &stems)).collect();
    assert!(used.len() > 50, "{used:?}");
    for id in &used {
        assert!(messages.contains_key(id.as_str()), "{id} is said but not written");
    }
    let spoken = |id: &&&str| stems.contains(id.split('-').next().unwrap()) && !id.starts_with("problem-");
    for id in messages.keys().filter(spoken).filter(|id| !id.starts_with("example-")) {
        assert!(used.contains(*id), "{id} is written but never said");
    }
}
