//! Words for people, in Chinese and English: Fluent files, embedded in the program, looked up by message id.

use crate::base::Problem;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use unic_langid::{LanguageIdentifier, langid};

/// Every language's file, for tests that compare them.
pub const SOURCES: [(Language, &str); 2] = [
    (Language::ZhCn, include_str!("../../assets/locales/zh-CN/main.ftl")),
    (Language::En, include_str!("../../assets/locales/en/main.ftl")),
];

/// A language of the window and of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub enum Language {
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
    #[serde(rename = "en")]
    En,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::ZhCn, Language::En];

    /// The tag of BCP 47.
    pub const fn tag(self) -> &'static str {
        match self {
            Language::ZhCn => "zh-CN",
            Language::En => "en",
        }
    }

    /// The language's name in itself.
    pub const fn endonym(self) -> &'static str {
        match self {
            Language::ZhCn => "简体中文",
            Language::En => "English",
        }
    }

    /// The language of the system: English if the system speaks it, Chinese otherwise and when it does not tell.
    pub fn detect() -> Self {
        sys_locale::get_locale().map_or(Language::ZhCn, |tag| Self::from_tag(&tag))
    }

    /// By a BCP 47 or POSIX tag (`en-GB`, `en_US.UTF-8`). English is had for `en` only.
    pub fn from_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_', '.']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("en") { Language::En } else { Language::ZhCn }
    }

    fn identifier(self) -> LanguageIdentifier {
        match self {
            Language::ZhCn => langid!("zh-CN"),
            Language::En => langid!("en"),
        }
    }
}

/// A problem in the words of a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemText {
    /// What happened: one line.
    pub summary: String,
    /// What it means and what to do: a sentence or three.
    pub advice: String,
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[(Language, Bundle); 2]> = LazyLock::new(|| SOURCES.map(|(l, source)| (l, bundle(l, source))));

fn bundle(language: Language, source: &str) -> Bundle {
    let mut bundle = FluentBundle::new_concurrent(vec![language.identifier()]);
    // The isolation marks of Unicode show as boxes where the font lacks them, and neither language needs them.
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(usable, errors)| {
        tracing::error!(language = language.tag(), ?errors, "the words have errors");
        usable
    });
    if let Err(errors) = bundle.add_resource(resource) {
        tracing::error!(language = language.tag(), ?errors, "some words are there twice");
    }
    bundle
}

/// The text of message `id`; the id itself if there is no such message.
pub fn text(language: Language, id: &str) -> String {
    text_with(language, id, &[])
}

/// The text of message `id` with its placeholders filled. A placeholder that `args` lacks stays visible as `{$name}`.
pub fn text_with(language: Language, id: &str, args: &[(&str, String)]) -> String {
    let mut filled = FluentArgs::with_capacity(args.len());
    for (name, value) in args {
        filled.set(*name, value.as_str());
    }
    let bundle = BUNDLES.iter().find(|(l, _)| *l == language).map(|(_, bundle)| bundle);
    let Some((bundle, pattern)) = bundle.and_then(|b| Some((b, b.get_message(id)?.value()?))) else {
        tracing::error!(language = language.tag(), id, "no such words");
        return id.to_owned();
    };
    let mut errors = Vec::new();
    bundle.format_pattern(pattern, Some(&filled), &mut errors).into_owned()
}

/// What to say about a problem: the messages `problem-KEY` and `problem-KEY-advice`.
pub fn problem_text(problem: &Problem, language: Language) -> ProblemText {
    let key = problem.kind.key();
    let args: Vec<_> = problem.args.iter().map(|(name, value)| (*name, named(language, name, value))).collect();
    ProblemText {
        summary: text_with(language, &format!("problem-{key}"), &args),
        advice: text_with(language, &format!("problem-{key}-advice"), &args),
    }
}

/// An argument as people say it: names of values and abilities have words of their own (`value-steps`).
fn named(language: Language, argument: &str, value: &str) -> String {
    let id = match argument {
        "name" => format!("value-{value}"),
        "ability" => format!("ability-{value}"),
        _ => return value.to_owned(),
    };
    let bundle = BUNDLES.iter().find(|(l, _)| *l == language).map(|(_, bundle)| bundle);
    let known = bundle.is_some_and(|bundle| bundle.has_message(&id));
    if known { text(language, &id) } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ProblemKind;

    #[test]
    fn tags() {
        for tag in ["zh-CN", "zh_TW.UTF-8", "ZH", "C", "POSIX", "fr-FR", ""] {
            assert_eq!(Language::from_tag(tag), Language::ZhCn, "{tag}");
        }
        for tag in ["en", "en-GB", "en_US.UTF-8", "EN"] {
            assert_eq!(Language::from_tag(tag), Language::En, "{tag}");
        }
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), language);
        }
    }

    #[test]
    fn values_have_their_names() {
        let said = |kind, argument, value: &str| {
            problem_text(&Problem::new(kind).with(argument, value), Language::ZhCn).summary
        };
        for (value, word) in
            [("steps", "步数"), ("guidance", "引导强度"), ("strength", "重绘强度"), ("text-length", "文字长度")]
        {
            assert!(said(ProblemKind::ValueInvalid, "name", value).contains(word));
        }
        for ability in ["negative-prompt", "image-to-image", "inpaint"] {
            assert!(!said(ProblemKind::AbilityMissing, "ability", ability).contains(ability));
        }
        assert!(said(ProblemKind::ValueInvalid, "name", "unheard-of").contains("unheard-of"));
    }

    #[test]
    fn placeholders_are_filled_without_marks() {
        let problem = Problem::new(ProblemKind::Unwritable).at("/画/一.png");
        let zh = problem_text(&problem, Language::ZhCn);
        assert_eq!(zh.summary, "写不进 /画/一.png");
        assert!(!zh.advice.is_empty());
        let en = problem_text(&problem, Language::En);
        assert_eq!(en.summary, "/画/一.png cannot be written");
        let bare = problem_text(&Problem::new(ProblemKind::Unwritable), Language::En);
        assert_eq!(bare.summary, "{$file} cannot be written");
        assert_eq!(text(Language::En, "no-such-id"), "no-such-id");
    }
}
