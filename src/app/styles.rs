//! Styles: additions to a prompt, under names that the artist may change.

use super::json_file;
use crate::base::Problem;
use crate::recipe::prompt::{groups, plain};
use crate::words::Language;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Those that come with the program.
const SHIPPED: &str = include_str!("../../assets/styles.json");
/// Where the artist's words go in a template.
const PLACE: &str = "{prompt}";
/// Between parts of a prompt.
const JOINT: &str = "，";

/// A named addition to a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style {
    /// The name, unique in its list: 水墨.
    pub name: String,
    /// The name for those who read English; empty if it has none.
    #[serde(default)]
    pub english: String,
    /// `{prompt}` stands for the artist's words; without it, the template goes behind them.
    pub template: String,
    /// What is avoided besides.
    #[serde(default)]
    pub negative: String,
}

impl Style {
    /// The name in a language.
    pub fn name_in(&self, language: Language) -> &str {
        match language {
            Language::En if !self.english.is_empty() => &self.english,
            _ => &self.name,
        }
    }

    /// The prompt and the negative prompt with this style on them. What the negative prompt says already is not said
    /// again.
    pub fn apply(&self, prompt: &str, negative: &str) -> (String, String) {
        let (prompt, template) = (prompt.trim(), self.template.trim());
        let prompt = if template.contains(PLACE) {
            // Without words, the comma that follows them goes, too.
            let filled = template.replace(PLACE, prompt);
            if prompt.is_empty() { trimmed(&filled).to_owned() } else { filled }
        } else {
            joined(prompt, template)
        };
        // However heavy it is said.
        let said = words(negative);
        let is_said = |part: &&str| words(part).iter().all(|word| said.contains(word));
        let new: Vec<&str> = parts(&self.negative).filter(|part| !is_said(part)).collect();
        (prompt, joined(negative.trim(), &new.join(JOINT)))
    }
}

fn is_joint(c: char) -> bool {
    matches!(c, '，' | ',' | '、' | '\n')
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| is_joint(c) || c.is_whitespace())
}

/// Between commas, save those within brackets.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let chars: Vec<char> = text.chars().collect();
    let mut inside = vec![false; chars.len()];
    for group in groups(&chars) {
        inside.get_mut(group.open..group.close).into_iter().flatten().for_each(|inside| *inside = true);
    }
    let mut inside = inside.into_iter();
    let parts = text.split(move |c| !inside.next().unwrap_or(false) && is_joint(c));
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// What stands between commas, without weights.
fn words(text: &str) -> Vec<String> {
    let plain = plain(text);
    plain.split(is_joint).map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn joined(a: &str, b: &str) -> String {
    let ends = a.ends_with(is_joint);
    if a.is_empty() || b.is_empty() || ends { format!("{a}{b}") } else { format!("{a}{JOINT}{b}") }
}

/// The styles in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Styles {
    list: Vec<Style>,
}

impl Styles {
    /// Those that come with the program.
    pub fn shipped() -> Self {
        let list = serde_json::from_str(SHIPPED).unwrap_or_else(|error| {
            tracing::error!(%error, "the styles that were built in make no sense");
            Vec::new()
        });
        Self::new(list)
    }

    /// Without those that have no name, or the name of one before.
    fn new(list: Vec<Style>) -> Self {
        let mut styles = Self { list: Vec::new() };
        for style in list {
            if styles.get(style.name.trim()).is_none() {
                styles.set(style);
            }
        }
        styles
    }

    pub fn list(&self) -> &[Style] {
        &self.list
    }

    pub fn get(&self, name: &str) -> Option<&Style> {
        self.list.iter().find(|style| style.name == name)
    }

    /// Replaces the style of this name, or adds it at the end. One without a name is passed over.
    pub fn set(&mut self, style: Style) {
        let style = Style { name: style.name.trim().to_owned(), ..style };
        if style.name.is_empty() {
            return;
        }
        match self.list.iter_mut().find(|old| old.name == style.name) {
            Some(old) => *old = style,
            None => self.list.push(style),
        }
    }

    /// Puts a style into the place of the one of the name `old`, or at the end; another that has its name goes. One
    /// without a name is passed over.
    pub fn replace(&mut self, old: &str, style: Style) {
        let style = Style { name: style.name.trim().to_owned(), ..style };
        let Some(at) = self.list.iter().position(|s| s.name == old).filter(|_| !style.name.is_empty()) else {
            return self.set(style);
        };
        let name = style.name.clone();
        if let Some(place) = self.list.get_mut(at) {
            *place = style;
        }
        let mut index = 0;
        self.list.retain(|other| {
            let keep = index == at || other.name != name;
            index += 1;
            keep
        });
    }

    pub fn remove(&mut self, name: &str) {
        self.list.retain(|style| style.name != name);
    }

    /// Applies the styles of these names, one after the other; names that are unknown change nothing.
    pub fn apply(&self, names: &[String], prompt: &str, negative: &str) -> (String, String) {
        let styles = names.iter().filter_map(|name| self.get(name));
        styles.fold((prompt.trim().to_owned(), negative.trim().to_owned()), |(prompt, negative), style| {
            style.apply(&prompt, &negative)
        })
    }

    /// The artist's own list; the shipped one if there is no file, or it makes no sense: then the problem says where it
    /// was put.
    pub fn read(path: &Path) -> (Self, Option<Problem>) {
        match json_file::read(path) {
            Ok(Some(list)) => (Self::new(list), None),
            Ok(None) => (Self::shipped(), None),
            Err(problem) => (Self::shipped(), Some(problem)),
        }
    }

    /// # Errors
    /// [`crate::base::ProblemKind::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), Problem> {
        json_file::write(path, &self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ProblemKind;

    fn style(template: &str, negative: &str) -> Style {
        Style { name: "试".into(), english: String::new(), template: template.into(), negative: negative.into() }
    }

    #[test]
    fn the_shipped_styles_are_whole() {
        let styles = Styles::shipped();
        let written: Vec<Style> = serde_json::from_str(SHIPPED).unwrap();
        assert_eq!(styles.list(), written, "names are unique");
        for name in ["油画", "水墨", "水彩", "青绿山水", "剪纸", "插画", "4k壁纸", "国风"] {
            let style = styles.get(name).unwrap();
            assert!(style.template.starts_with("{prompt}，"));
            assert_eq!((style.name_in(Language::ZhCn), style.name_in(Language::En)), (name, style.english.as_str()));
            assert!(style.english.is_ascii() && !style.english.is_empty());
        }
    }

    #[test]
    fn templates_are_filled() {
        let apply = |template: &str, prompt: &str| style(template, "").apply(prompt, "").0;
        assert_eq!(apply("{prompt}，水墨", " 山 "), "山，水墨");
        assert_eq!(apply("一幅{prompt}的水墨", "山"), "一幅山的水墨");
        assert_eq!(apply("水墨", "山"), "山，水墨");
        assert_eq!(apply("水墨", "山，"), "山，水墨");
        assert_eq!(apply("{prompt}，水墨", ""), "水墨");
        assert_eq!(apply("", "山"), "山");
        assert_eq!(apply("{prompt}，水墨", "{prompt}"), "{prompt}，水墨");
    }

    #[test]
    fn what_is_avoided_is_said_once() {
        let apply = |own: &str| style("", "模糊，水印").apply("山", own).1;
        assert_eq!(apply(""), "模糊，水印");
        assert_eq!(apply("文字, 水印"), "文字, 水印，模糊");
        assert_eq!(apply("水印、模糊"), "水印、模糊");
        assert_eq!(apply("(水印，文字:1.3)"), "(水印，文字:1.3)，模糊");
        let heavy = |own: &str| style("", "(模糊，水印：1.4)，照片").apply("山", own).1;
        assert_eq!(heavy("模糊，[照片]"), "模糊，[照片]，(模糊，水印：1.4)");
        assert_eq!(heavy("水印，模糊"), "水印，模糊，照片");
        assert_eq!(heavy("水印)，"), "水印)，(模糊，水印：1.4)，照片");
    }

    #[test]
    fn several_styles_and_unknown_ones() {
        let styles = Styles::shipped();
        let names = ["水墨".to_owned(), "没有的".into(), "4k壁纸".into()];
        let (prompt, negative) = styles.apply(&names, "山", "");
        assert!(prompt.starts_with("山，水墨画") && prompt.contains("4k壁纸"));
        assert!(negative.contains("照片") && negative.contains("水印"));
        assert_eq!(styles.apply(&[], " 山 ", "雾"), ("山".into(), "雾".into()));
    }

    #[test]
    fn a_style_keeps_its_place_under_a_new_name() {
        let mut styles = Styles::shipped();
        let names = |styles: &Styles| styles.list().iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let before = names(&styles);
        styles.replace(&before[2], Style { name: " 夜 ".into(), ..style("{prompt}，夜", "") });
        assert_eq!(names(&styles)[2], "夜");
        styles.replace("夜", Style { name: before[0].clone(), ..style("新", "") });
        assert_eq!(names(&styles), [&before[1..2], &before[..1], &before[3..]].concat());
        styles.replace("没有的", Style { name: "末".into(), ..style("", "") });
        styles.replace(&before[1], Style { name: " ".into(), ..style("", "") });
        assert_eq!(names(&styles).last().map(String::as_str), Some("末"));
        assert_eq!(names(&styles)[0], before[1], "nothing without a name");
    }

    #[test]
    fn an_own_list_comes_back_and_a_broken_one_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画风.json");
        assert_eq!(Styles::read(&path), (Styles::shipped(), None));
        let mut styles = Styles::shipped();
        styles.remove("油画");
        styles.set(Style { name: " 我的 ".into(), ..style("{prompt}，夜", "") });
        styles.set(Style { name: "水墨".into(), ..style("{prompt}，泼墨", "") });
        styles.set(style("", "").clone());
        styles.set(Style { name: " ".into(), ..style("", "") });
        assert_eq!(styles.list().len(), Styles::shipped().list().len() + 1);
        assert_eq!(styles.get("水墨").unwrap().template, "{prompt}，泼墨");
        styles.write(&path).unwrap();
        assert_eq!(Styles::read(&path), (styles, None));
        std::fs::write(&path, "[{}]").unwrap();
        let (styles, problem) = Styles::read(&path);
        assert_eq!(styles, Styles::shipped());
        assert_eq!(problem.unwrap().kind, ProblemKind::OwnFileDamaged);
        assert_eq!(std::fs::read_to_string(folder.path().join("画风.json.bad")).unwrap(), "[{}]");
    }
}
