//! Weights in a prompt: `(词:1.2)`, as the artists of Stable Diffusion web UI (A1111) and ComfyUI write them.
//!
//! | written | weight |
//! |---|---|
//! | `(词:1.2)` | × 1.2 |
//! | `(词)`, `((词))` | × 1.1, × 1.21 |
//! | `[词]` | ÷ 1.1 |
//! | `\(词\)` | the brackets are characters |
//!
//! Brackets, colon and digits may be of full width, `（词：１．２）`, since that is what Chinese input methods give.
//! Weights of nested brackets multiply. A bracket without a partner is a character, and so is a backslash that does not
//! stand before a bracket or a backslash.
//!
//! Brackets without a number are × 1.1 also in what reads like prose, 黄河（中国）: whoever comes from those programs
//! expects it of `(词)`, a weight so near to 1 changes little, and two rules for brackets that look alike would be
//! worse. The brackets themselves are not read to the model then; with backslashes they are.
//!
//! Not understood, and left as words: A1111's `BREAK`, its changes on the way `[山:水:0.5]` and `[山|水]`, which count
//! as brackets without a number, and the `word++` and `{word}` of others.
//!
//! Positions count characters, not bytes.

use std::ops::RangeInclusive;

/// The weight of round brackets without a number, as in A1111 and ComfyUI; square ones divide by it.
pub const BARE: f64 = 1.1;
/// What a word's weight, and each number, is brought into.
pub const BOUNDS: RangeInclusive<f64> = 0.0..=5.0;
/// Products of nested weights are kept below this on the way, lest they grow beyond all numbers.
const MOST_PRODUCT: f64 = 1e9;
/// Weights are rounded to so many parts of one, so that ÷ 1.1 takes back × 1.1.
const PARTS: f64 = 1e6;

/// Words of one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Never empty.
    pub text: String,
    /// Within [`BOUNDS`].
    pub weight: f64,
}

/// A pair of brackets that belong together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    pub open: usize,
    pub close: usize,
    pub square: bool,
    /// Where the colon stands, and the number behind it, within [`BOUNDS`]; square brackets have none.
    pub number: Option<(usize, f64)>,
}

impl Group {
    /// Where the words end and the number or the closing bracket begins.
    pub fn content_end(&self) -> usize {
        self.number.map_or(self.close, |(colon, _)| colon)
    }

    /// What the words are multiplied by.
    pub fn weight(&self) -> f64 {
        match self.number {
            Some((_, number)) => number,
            None if self.square => 1.0 / BARE,
            None => BARE,
        }
    }
}

/// The words in their order, with their weights. Neighbours differ in weight: a prompt without brackets is one span, an
/// empty one none.
pub fn spans(prompt: &str) -> Vec<Span> {
    let chars: Vec<char> = prompt.chars().collect();
    let mut signs = vec![Sign::Word; chars.len()];
    let mut put = |at: usize, sign: Sign| {
        if let Some(place) = signs.get_mut(at) {
            *place = sign;
        }
    };
    for (at, _) in escaped(&chars).iter().enumerate().filter(|(_, behind)| **behind) {
        put(at - 1, Sign::Nothing);
    }
    for group in groups(&chars) {
        (group.content_end()..group.close).for_each(|at| put(at, Sign::Nothing));
        put(group.open, Sign::Opens(group.weight()));
        put(group.close, Sign::Closes);
    }

    let mut spans: Vec<Span> = Vec::new();
    let mut around = vec![1.0f64];
    for (&c, sign) in chars.iter().zip(signs) {
        let product = around.last().copied().unwrap_or(1.0);
        match sign {
            Sign::Opens(weight) => around.push((product * weight).min(MOST_PRODUCT)),
            Sign::Closes => drop(around.pop()),
            Sign::Nothing => {}
            Sign::Word => {
                let weight = ((product * PARTS).round() / PARTS).clamp(*BOUNDS.start(), *BOUNDS.end());
                match spans.last_mut().filter(|span| span.weight == weight) {
                    Some(span) => span.text.push(c),
                    None => spans.push(Span { text: c.to_string(), weight }),
                }
            }
        }
    }
    spans
}

/// The words alone, as the model reads them.
pub fn plain(prompt: &str) -> String {
    // Most prompts have no weights, and a gallery has many prompts.
    if !prompt.contains(|c| c == '\\' || Bracket::of(c).is_some()) {
        return prompt.to_owned();
    }
    spans(prompt).into_iter().map(|span| span.text).collect()
}

/// What a search looks through, without case: the prompt as it is written and, if it has weights, also without them, since
/// they part words.
pub fn searchable(prompt: &str) -> String {
    let plain = plain(prompt);
    if plain == prompt { plain.to_lowercase() } else { format!("{prompt}\n{plain}").to_lowercase() }
}

/// What a character of a prompt is.
#[derive(Clone, Copy)]
enum Sign {
    Word,
    /// A number, or the backslash before a bracket.
    Nothing,
    Opens(f64),
    Closes,
}

/// All pairs, inner ones before outer ones; brackets without a partner are left out. Where pairs of the two kinds cross,
/// the one that is closed first counts.
pub fn groups(chars: &[char]) -> Vec<Group> {
    let mut open: Vec<(usize, bool)> = Vec::new();
    // How many of either kind are open, so that a flood of brackets without partners costs no search each.
    let mut counts = [0usize; 2];
    let mut found = Vec::new();
    for ((at, &c), behind) in chars.iter().enumerate().zip(escaped(chars)) {
        match Bracket::of(c).filter(|_| !behind) {
            Some(Bracket { square, opens: true }) => {
                open.push((at, square));
                counts[usize::from(square)] += 1;
            }
            Some(Bracket { square, opens: false }) if counts[usize::from(square)] > 0 => {
                while let Some((start, kind)) = open.pop() {
                    counts[usize::from(kind)] -= 1;
                    if kind == square {
                        let number = if square { None } else { number(chars, start, at) };
                        found.push(Group { open: start, close: at, square, number });
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Which characters are brackets or backslashes that a backslash before them makes characters like others.
pub fn escaped(chars: &[char]) -> Vec<bool> {
    let mut behind = false;
    chars
        .iter()
        .zip(chars.iter().skip(1).map(Some).chain([None]))
        .map(|(&c, next)| {
            let this = behind;
            behind = !this && c == '\\' && next.is_some_and(|&next| next == '\\' || Bracket::of(next).is_some());
            this
        })
        .collect()
}

/// Whether this is a bracket that may weigh words.
pub fn is_bracket(c: char) -> bool {
    Bracket::of(c).is_some()
}

/// Whether this is a bracket that takes a number.
pub fn is_round(c: char) -> bool {
    Bracket::of(c).is_some_and(|bracket| !bracket.square)
}

struct Bracket {
    square: bool,
    opens: bool,
}

impl Bracket {
    fn of(c: char) -> Option<Self> {
        let (square, opens) = match c {
            '(' | '（' => (false, true),
            ')' | '）' => (false, false),
            '[' | '［' => (true, true),
            ']' | '］' => (true, false),
            _ => return None,
        };
        Some(Self { square, opens })
    }
}

/// The number before a closing bracket, if there is one, with the place of its colon.
fn number(chars: &[char], open: usize, close: usize) -> Option<(usize, f64)> {
    let inside = chars.get(open + 1..close)?;
    let of_number = |c: &char| {
        matches!(narrow(*c), '0'..='9' | '.' | '+' | '-') || (c.is_whitespace() && !matches!(c, '\n' | '\r'))
    };
    let colon = inside.iter().rposition(|c| !of_number(c)).filter(|&at| matches!(inside.get(at), Some(':' | '：')))?;
    let text: String = inside.get(colon + 1..)?.iter().map(|&c| narrow(c)).collect();
    let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some((open + 1 + colon, value.clamp(*BOUNDS.start(), *BOUNDS.end())))
}

/// A sign of a number of full width as that of ASCII.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' | '．' | '＋' | '－' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `词×1.2 词×1`.
    fn read(prompt: &str) -> String {
        let spans: Vec<_> = spans(prompt).iter().map(|span| format!("{}×{}", span.text, span.weight)).collect();
        spans.join(" ")
    }

    #[test]
    fn weights_are_read_as_they_are_elsewhere() {
        assert_eq!(read("山，(红花:1.2)，水"), "山，×1 红花×1.2 ，水×1");
        assert_eq!(read("(花) ((花)) (((花)))"), "花×1.1  ×1 花×1.21  ×1 花×1.331");
        assert_eq!(read("[花] [[花]]"), "花×0.909091  ×1 花×0.826446");
        assert_eq!(read("(山(花:1.5)水:0.5)"), "山×0.5 花×0.75 水×0.5");
        assert_eq!(read("([花])水"), "花水×1");
        assert_eq!(read("(花:0)(花:.5)(花: +1.5 )"), "花×0 花×0.5 花×1.5");
        assert_eq!(read("(a:b:1.2)"), "a:b×1.2");
        assert_eq!(read("(花:1)水"), "花水×1");
        assert_eq!(read(""), "");
        assert_eq!(read("()[](:1.2)"), "");
    }

    #[test]
    fn full_width_is_the_same() {
        for text in ["(词:1.2)", "（词：1.2）", "（词:１．２）", "(词：1.2）", "（词： １.２　）"]
        {
            assert_eq!(read(text), "词×1.2", "{text}");
        }
        assert_eq!(read("黄河（中国）"), "黄河×1 中国×1.1");
        assert_eq!(read("［词］"), "词×0.909091");
        assert_eq!(read("【词】《诗》{a}"), "【词】《诗》{a}×1");
    }

    #[test]
    fn weights_stay_sane() {
        assert_eq!(read("(花:99)(花:-3)"), "花×5 花×0");
        assert_eq!(read("((花:4):4)"), "花×5");
        assert_eq!(read("(((花:0.2):5):5)"), "花×5");
        assert_eq!(read(&format!("{}(花:0){}", "(".repeat(20_000), ")".repeat(20_000))), "花×0");
        for odd in ["(花:)", "(花:1.2.3)", "(花:1e3)", "(花:inf)", "(花:一)", "(花:1\n2)"] {
            assert_eq!(spans(odd).last().unwrap().weight, 1.1, "{odd}");
        }
    }

    #[test]
    fn brackets_that_are_characters() {
        assert_eq!(read(r"\(花\)"), "(花)×1");
        assert_eq!(read(r"（黄河\（中国\）：1.3）"), "黄河（中国）×1.3");
        assert_eq!(read(r"\[MASK\]"), "[MASK]×1");
        assert_eq!(read(r"\\(花)"), r"\×1 花×1.1");
        assert_eq!(read(r"C:\画\山"), r"C:\画\山×1");
        assert_eq!(read("(花:1.2"), "(花:1.2×1");
        assert_eq!(read("花:1.2)] :)"), "花:1.2)] :)×1");
        assert_eq!(read("((花)"), "(×1 花×1.1");
        assert_eq!(read("(山[花)水]"), "山[花×1.1 水]×1");
        assert_eq!(read(r"(花\)"), "(花)×1");
    }

    #[test]
    fn a_flood_of_brackets_is_read_in_good_time() {
        for text in ["(".repeat(200_000), "[)".repeat(100_000), format!("{}{}", "(".repeat(99_999), "]".repeat(99_999))]
        {
            assert_eq!(plain(&text), text);
        }
    }

    /// As many characters as are no words: brackets in pairs, numbers with their colons, backslashes before brackets.
    fn signs(chars: &[char]) -> usize {
        let groups: usize = groups(chars).iter().map(|group| 2 + group.close - group.content_end()).sum();
        groups + escaped(chars).iter().filter(|behind| **behind).count()
    }

    proptest! {
        #[test]
        fn text_without_brackets_is_one_span(text in "[^()\\[\\]（）［］\\\\]{1,40}") {
            prop_assert_eq!(spans(&text), [Span { text: text.clone(), weight: 1.0 }]);
        }

        #[test]
        fn every_character_is_kept_or_a_sign(text in "[a山()（）\\[\\]［］:：1.0 \\\\，]{0,40}") {
            let chars: Vec<char> = text.chars().collect();
            let kept = plain(&text);
            prop_assert_eq!(kept.chars().count() + signs(&chars), chars.len());
            let mut rest = chars.iter();
            prop_assert!(kept.chars().all(|c| rest.any(|other| *other == c)), "{:?} of {:?}", kept, text);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let spans = spans(&text);
            prop_assert!(spans.iter().all(|span| !span.text.is_empty() && BOUNDS.contains(&span.weight)));
            prop_assert!(spans.windows(2).all(|pair| pair[0].weight != pair[1].weight));
        }

        #[test]
        fn a_text_with_backslashes_is_itself(text in "[a山()（）\\[\\]［］:：1.0 \\\\，]{0,24}") {
            let signed = |c: &char| if *c == '\\' || Bracket::of(*c).is_some() { format!("\\{c}") } else { c.to_string() };
            let written: String = text.chars().collect::<Vec<_>>().iter().map(signed).collect();
            prop_assert_eq!(plain(&written), text);
        }

        #[test]
        fn weights_of_nested_brackets_multiply(inner in 1u32..300, outer in 1u32..150) {
            let (inner, outer) = (f64::from(inner) / 100.0, f64::from(outer) / 100.0);
            let spans = spans(&format!("(山(水:{inner}):{outer})云"));
            let weight = spans.iter().find(|span| span.text.contains('水')).unwrap().weight;
            prop_assert!((weight - (inner * outer).min(5.0)).abs() < 1e-6);
        }
    }
}
