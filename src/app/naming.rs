//! Names for the files that are saved: patterns like `{date}-{prompt}-{seed}`, filled in and made fit for every file
//! system.

use rusqlite::Connection;

/// The pattern of those who have not chosen one.
pub const DEFAULT_PATTERN: &str = "{prompt}-{seed}";
/// The longest name without its ending, in bytes of UTF-8. File systems end at 255 (some that encrypt, at 143), and the
/// ending, a number for names that are taken, and the mark of a temporary file come on top.
pub const LONGEST: usize = 120;
/// What a name is called of which nothing is left.
const NAMELESS: &str = "丹青";

/// A moment on the clock of the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

impl Moment {
    /// Now, in the time zone of the system; `None` if the system cannot tell. The standard library knows no zones, and
    /// SQLite, which is in the program anyway, does.
    pub fn now() -> Option<Self> {
        let clock = Connection::open_in_memory().ok()?;
        let text: String =
            clock.query_row("SELECT strftime('%Y %m %d %H %M %S', 'now', 'localtime')", [], |row| row.get(0)).ok()?;
        let mut numbers = text.split(' ').map(|number| number.parse::<u16>().ok());
        let year = numbers.next()??;
        let mut small = || numbers.next()?.and_then(|n| u8::try_from(n).ok());
        Some(Self { year, month: small()?, day: small()?, hour: small()?, minute: small()?, second: small()? })
    }
}

/// What a pattern is filled with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// `{date}`: 20260131, and `{time}`: 093005. Empty if unknown.
    pub moment: Option<Moment>,
    /// `{prompt}`.
    pub prompt: &'a str,
    /// `{seed}`.
    pub seed: Option<u64>,
    /// `{model}`.
    pub model: &'a str,
    /// `{n}`: the number of the picture, from 1.
    pub n: u32,
}

/// The name of a file, without folder and ending, of at most [`LONGEST`] bytes; never empty.
///
/// Where it is too long the prompt is shortened first, so that what comes after it stays; a place in braces that is
/// unknown stays as it is written. Of Chinese nothing is lost.
pub fn file_stem(pattern: &str, facts: &Facts<'_>) -> String {
    let model = clean(facts.model);
    let rest = clean(&fill(pattern, facts, "", &model));
    let prompt = clean(facts.prompt);
    let places = pattern.matches("{prompt}").count();
    let room = LONGEST.saturating_sub(rest.len()).checked_div(places).unwrap_or(0);
    let prompt = trimmed(shortened(&prompt, room));
    let name = clean(&fill(pattern, facts, prompt, &model));
    let name = trimmed(shortened(&name, LONGEST));
    match name {
        "" => NAMELESS.to_owned(),
        name if reserved(name) => format!("_{name}"),
        name => name.to_owned(),
    }
}

fn fill(pattern: &str, facts: &Facts<'_>, prompt: &str, model: &str) -> String {
    let mut name = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        name.push_str(before);
        let place = after.split_once('}').and_then(|(place, after)| Some((value(place, facts, prompt, model)?, after)));
        rest = match place {
            Some((value, after)) => {
                name.push_str(&value);
                after
            }
            None => {
                name.push('{');
                after
            }
        };
    }
    name + rest
}

fn value(place: &str, facts: &Facts<'_>, prompt: &str, model: &str) -> Option<String> {
    let moment = facts.moment;
    Some(match place {
        "date" => moment.map(|m| format!("{:04}{:02}{:02}", m.year, m.month, m.day)).unwrap_or_default(),
        "time" => moment.map(|m| format!("{:02}{:02}{:02}", m.hour, m.minute, m.second)).unwrap_or_default(),
        "prompt" => prompt.to_owned(),
        "seed" => facts.seed.map(|seed| seed.to_string()).unwrap_or_default(),
        "model" => model.to_owned(),
        "n" => facts.n.to_string(),
        _ => return None,
    })
}

/// Without what a file system forbids or nobody sees; white space as single spaces.
fn clean(text: &str) -> String {
    // Marks of direction and joiners of no width can make a name look like another.
    let unseen =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|&c| !c.is_control() && !unseen(c) && !r#"<>:"/\|?*"#.contains(c)).collect()
}

/// The longest beginning of at most `most` bytes.
fn shortened(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// Without what must not end or begin a name: a dot hides it or vanishes on Windows, a hyphen looks like an option.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '.', '-', '_', '，', '。', '、', ','])
}

/// The names of devices on Windows, whatever follows the first dot.
fn reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        let digits = stem.strip_prefix(prefix).map(|rest| rest.chars().collect::<Vec<_>>());
        matches!(digits.as_deref(), Some(['0'..='9' | '¹' | '²' | '³']))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOMENT: Moment = Moment { year: 2026, month: 1, day: 31, hour: 9, minute: 30, second: 5 };

    fn facts(prompt: &str) -> Facts<'_> {
        Facts { moment: Some(MOMENT), prompt, seed: Some(42), model: "太乙/小图", n: 3 }
    }

    #[test]
    fn every_place_is_filled() {
        let name = |pattern: &str| file_stem(pattern, &facts("大漠孤烟直，长河落日圆，水墨"));
        assert_eq!(name(DEFAULT_PATTERN), "大漠孤烟直，长河落日圆，水墨-42");
        assert_eq!(name("{date}-{time} {model} {n}"), "20260131-093005 太乙小图 3");
        assert_eq!(name("画 {nothing} {n"), "画 {nothing} {n");
        assert_eq!(name("{seed}{seed}"), "4242");
        assert_eq!(file_stem("{date}{time}{seed}{prompt}", &Facts::default()), "丹青");
    }

    #[test]
    fn what_is_in_the_prompt_is_no_pattern_and_no_path() {
        let name = |prompt: &str| file_stem(DEFAULT_PATTERN, &facts(prompt));
        assert_eq!(name("{seed} of {n}"), "{seed} of {n}-42");
        assert_eq!(name("../../etc/passwd"), "etcpasswd-42");
        assert_eq!(name("  a/b\\c: \"山\n水\"?  "), "abc 山 水-42");
        assert_eq!(name("\u{202e}gnp.exe\u{200b}\0"), "gnp.exe-42");
        assert_eq!(name("***"), "42");
        assert_eq!(file_stem("../{prompt}", &facts("山")), "山");
    }

    #[test]
    fn devices_of_windows_are_no_names() {
        for prompt in ["con", "NUL.txt", "Com1", "LPT9.a.b", "aux ."] {
            assert!(file_stem("{prompt}", &facts(prompt)).starts_with('_'), "{prompt}");
        }
        assert_eq!(file_stem("{prompt}", &facts("comet")), "comet");
        assert_eq!(file_stem("{prompt}", &facts("com10")), "com10");
    }

    #[test]
    fn a_long_prompt_leaves_room_for_what_follows() {
        let name = file_stem("{prompt}-{seed}-{n}", &facts(&"山".repeat(500)));
        assert!(name.ends_with("山-42-3") && name.len() <= LONGEST && name.len() > LONGEST - 3, "{name}");
        let twice = file_stem("{prompt}+{prompt}", &facts(&"🎨".repeat(99)));
        assert!(twice.len() <= LONGEST && twice.contains("🎨+🎨"));
    }

    #[test]
    fn the_clock_is_on_the_wall() {
        let now = Moment::now().unwrap();
        assert!(now.year >= 2000 && (1..=12).contains(&now.month) && (1..=31).contains(&now.day));
        assert!(now.hour < 24 && now.minute < 60 && now.second <= 60);
    }

    proptest! {
        #[test]
        fn every_name_is_fit(pattern in "(\\{prompt\\}|\\{model\\}|\\{n\\}|\\PC{0,9}|.{0,5}){0,6}", prompt: String, model: String) {
            let facts = Facts { prompt: &prompt, model: &model, ..facts("") };
            let name = file_stem(&pattern, &facts);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST + 1);
            prop_assert!(!name.chars().any(|c| c.is_control() || r#"<>:"/\|?*"#.contains(c)));
            prop_assert!(!name.ends_with(['.', ' ']) && !name.starts_with(['.', ' ', '-']) && !reserved(&name));
        }
    }
}
