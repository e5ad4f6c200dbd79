//! Weights in a prompt, made heavier and lighter with two keys; what they are is for [`crate::recipe::prompt`] to say.
//! Positions count characters, not bytes.

use crate::recipe::prompt::{Group, escaped, groups, is_bracket, is_round};
use std::ops::Range;

/// The lightest and the heaviest weight that the keys give.
pub const WEIGHTS: (f64, f64) = (0.1, 2.0);
/// What one press changes.
pub const WEIGHT_STEP: f64 = 0.1;
/// Weights are rounded to so many parts of one.
const PARTS: f64 = 100.0;

/// A changed text, and what is selected in it; an empty range is the caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub text: String,
    pub selection: Range<usize>,
}

/// Changes the weight of the selected words by `step`, or of those at the caret: the innermost brackets round it, else
/// the run of characters between spaces, punctuation and brackets. Words without a weight are put into brackets; a
/// weight that becomes 1 goes away with its brackets. Brackets, colons and digits may be of either width; brackets
/// behind a backslash are signs like others.
///
/// `None` if nothing would change: no words there, or the weight is at its bound.
pub fn adjust_weight(text: &str, selection: Range<usize>, step: f64) -> Option<Edit> {
    let chars: Vec<char> = text.chars().collect();
    let ends =
        (selection.start.min(selection.end).min(chars.len()), selection.start.max(selection.end).min(chars.len()));
    let groups = groups(&chars);
    if ends.0 == ends.1 {
        let caret = ends.0;
        let around = groups.iter().filter(|group| group.open < caret && caret <= group.close);
        if let Some(group) = around.min_by_key(|group| group.close - group.open) {
            return reweigh(&chars, group, step, Some(caret));
        }
        let word = word_at(&chars, caret)?;
        return wrap(&chars, &word, step, |content| {
            let at = content.start + caret - word.start;
            at..at
        });
    }
    let target = balanced(&chars, &groups, trimmed(&chars, ends.0..ends.1)?);
    let meant = groups.iter().find(|group| {
        let content = group.open + 1..group.content_end();
        let whole = group.open..group.close + 1;
        // A part of the number is selected: the number is meant.
        let number = target.start > group.open && target.end > content.end && target.end <= group.close;
        target == content || target == whole || number
    });
    match meant {
        Some(group) => reweigh(&chars, group, step, None),
        None => wrap(&chars, &target, step, |content| content),
    }
}

/// What ends a word: spaces, punctuation of both widths, brackets of all kinds.
fn separates(c: char) -> bool {
    let ascii =
        matches!(c, ',' | '.' | ';' | ':' | '!' | '?' | '|' | '"' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>');
    let chinese = matches!(
        c,
        '，' | '。'
            | '、'
            | '；'
            | '：'
            | '！'
            | '？'
            | '（'
            | '）'
            | '“'
            | '”'
            | '‘'
            | '’'
            | '《'
            | '》'
            | '〈'
            | '〉'
            | '【'
            | '】'
            | '「'
            | '」'
            | '『'
            | '』'
            | '〔'
            | '〕'
            | '…'
            | '—'
            | '·'
            | '｜'
            | '｛'
            | '｝'
            | '［'
            | '］'
    );
    ascii || chinese || c.is_whitespace()
}

/// The word that the caret is in, or touches; one that ends at it goes before one that begins.
fn word_at(chars: &[char], caret: usize) -> Option<Range<usize>> {
    let outside: Vec<bool> = chars.iter().zip(escaped(chars)).map(|(&c, behind)| separates(c) && !behind).collect();
    let start = outside.get(..caret)?.iter().rposition(|&o| o).map_or(0, |at| at + 1);
    let end = outside.get(caret..)?.iter().position(|&o| o).map_or(chars.len(), |at| caret + at);
    (start < end).then_some(start..end)
}

/// Without spaces, commas and full stops at the ends; `None` if nothing is left.
fn trimmed(chars: &[char], range: Range<usize>) -> Option<Range<usize>> {
    let idle = |c: &char| c.is_whitespace() || matches!(c, ',' | '，' | '、' | '。' | ';' | '；');
    let inside = chars.get(range.clone())?;
    let first = inside.iter().position(|c| !idle(c))?;
    let last = inside.iter().rposition(|c| !idle(c))?;
    Some(range.start + first..range.start + last + 1)
}

/// Widened until no pair of brackets has one of them inside and the other outside. What lies wholly between a pair, its
/// number included, stays as it is.
fn balanced(chars: &[char], groups: &[Group], mut range: Range<usize>) -> Range<usize> {
    let escaped = escaped(chars);
    let is_escaped = |at: usize| escaped.get(at).copied().unwrap_or(false);
    loop {
        let before = range.clone();
        for group in groups {
            if range.contains(&group.open) != range.contains(&group.close) {
                range = range.start.min(group.open)..range.end.max(group.close + 1);
            }
        }
        // A backslash goes with its sign, and would make one of a bracket that is put behind it.
        let before_it = range.start.checked_sub(1).filter(|&at| chars.get(at) == Some(&'\\') && !is_escaped(at));
        range.start = before_it.unwrap_or(range.start);
        if is_escaped(range.end) {
            range.end += 1;
        }
        if range == before {
            return range;
        }
    }
}

/// The weight one step on, or `None` if it stays.
fn stepped(weight: f64, step: f64) -> Option<f64> {
    let (least, most) = WEIGHTS;
    if !step.is_finite() || (step > 0.0 && weight >= most) || (step < 0.0 && weight <= least) {
        return None;
    }
    let new = (((weight + step) * PARTS).round() / PARTS).clamp(least, most);
    (new != weight).then_some(new)
}

/// One or two digits behind the point.
fn written(weight: f64) -> String {
    let text = format!("{weight:.2}");
    text.strip_suffix('0').map_or(text.clone(), str::to_owned)
}

/// The words of a range, with a backslash before each of these brackets that has no partner: it would find one in brackets
/// that come, or when those go that stand between.
fn sheltered(chars: &[char], range: Range<usize>, brackets: fn(char) -> bool) -> String {
    let mut alone: Vec<bool> = chars.iter().zip(escaped(chars)).map(|(&c, behind)| brackets(c) && !behind).collect();
    for at in groups(chars).iter().flat_map(|group| [group.open, group.close]) {
        alone.get_mut(at).into_iter().for_each(|alone| *alone = false);
    }
    let inside = chars.iter().zip(alone).take(range.end).skip(range.start);
    inside.flat_map(|(&c, alone)| alone.then_some('\\').into_iter().chain([c])).collect()
}

/// Puts brackets and a weight round the range. `select` gets the new place of its characters.
fn wrap(
    chars: &[char],
    range: &Range<usize>,
    step: f64,
    select: impl Fn(Range<usize>) -> Range<usize>,
) -> Option<Edit> {
    let weight = stepped(1.0, step)?;
    let part = |range: Range<usize>| chars.get(range).unwrap_or_default().iter().collect::<String>();
    let content = sheltered(chars, range.clone(), is_round);
    let (before, after) = (part(0..range.start), part(range.end..chars.len()));
    let text = format!("{before}({content}:{}){after}", written(weight));
    Some(Edit { text, selection: select(range.start + 1..range.start + 1 + content.chars().count()) })
}

/// Gives a pair of brackets another weight, or takes it away. The caret stays where it is in the words; without one they
/// are selected.
fn reweigh(chars: &[char], group: &Group, step: f64, caret: Option<usize>) -> Option<Edit> {
    // Without a number, from the nearest tenth, so that one press takes ÷ 1.1 away as it does × 1.1.
    let weight = group.number.map_or_else(|| (group.weight() * 10.0).round() / 10.0, |(_, number)| number);
    let weight = stepped(weight, step)?;
    let goes = weight == 1.0;
    let part = |range: Range<usize>| chars.get(range).unwrap_or_default().iter().collect::<String>();
    // Where the pair goes, or becomes one of another kind, others could pair anew.
    let words = |range| if goes || group.square { sheltered(chars, range, is_bracket) } else { part(range) };
    let content = group.open + 1..group.content_end();
    let (before, inside, after) = (part(0..group.open), words(content.clone()), part(group.close + 1..chars.len()));
    let start = if goes { group.open } else { content.start };
    let long = |range| words(range).chars().count();
    let selection = match caret {
        Some(caret) => {
            let at = start + long(content.start..caret.clamp(content.start, content.end));
            at..at
        }
        None => start..start + long(content.clone()),
    };
    if goes {
        return Some(Edit { text: format!("{before}{inside}{after}"), selection });
    }
    let wide = matches!(chars.get(group.open), Some('（' | '［'));
    let colon = match group.number {
        Some((colon, _)) => part(colon..colon + 1),
        None => if wide { "：" } else { ":" }.to_owned(),
    };
    // Square ones take no number.
    let (open, close) = match (group.square, wide) {
        (false, _) => (part(group.open..group.open + 1), part(group.close..group.close + 1)),
        (true, false) => ("(".to_owned(), ")".to_owned()),
        (true, true) => ("（".to_owned(), "）".to_owned()),
    };
    let text = format!("{before}{open}{inside}{colon}{}{close}{after}", written(weight));
    Some(Edit { text, selection })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::prompt::plain;
    use proptest::prelude::*;

    /// The text with the selection marked by ‹ and ›, the caret by ‸, changed by `steps` presses.
    fn press(marked: &str, steps: i32) -> String {
        let chars: Vec<char> = marked.chars().filter(|c| !"‹›‸".contains(*c)).collect();
        let at = |mark: char| marked.chars().filter(|c| *c == mark || !"‹›‸".contains(*c)).position(|c| c == mark);
        let mut edit = Edit {
            text: chars.iter().collect(),
            selection: at('‸').map_or_else(|| at('‹').unwrap()..at('›').unwrap(), |caret| caret..caret),
        };
        for _ in 0..steps.abs() {
            let Some(next) = adjust_weight(&edit.text, edit.selection.clone(), WEIGHT_STEP * f64::from(steps.signum()))
            else {
                return "none".into();
            };
            edit = next;
        }
        let mut chars: Vec<char> = edit.text.chars().collect();
        if edit.selection.is_empty() {
            chars.insert(edit.selection.start, '‸');
        } else {
            chars.insert(edit.selection.end, '›');
            chars.insert(edit.selection.start, '‹');
        }
        chars.into_iter().collect()
    }

    #[test]
    fn selected_words() {
        assert_eq!(press("山，‹红花›，水", 1), "山，(‹红花›:1.1)，水");
        assert_eq!(press("山，‹红花›，水", 3), "山，(‹红花›:1.3)，水");
        assert_eq!(press("山，(‹红花›:1.3)，水", -3), "山，‹红花›，水");
        assert_eq!(press("山，(‹红花›:1.3)，水", -5), "山，(‹红花›:0.8)，水");
        assert_eq!(press("山‹，红花， ›水", 1), "山，(‹红花›:1.1)， 水");
        assert_eq!(press("‹(红花:1.3)›，水", 1), "(‹红花›:1.4)，水");
        assert_eq!(press("a ‹red flower› b", -1), "a (‹red flower›:0.9) b");
        assert_eq!(press("‹，、 ›水", 1), "none");
    }

    #[test]
    fn words_at_the_caret() {
        assert_eq!(press("山，红‸花，水", 1), "山，(红‸花:1.1)，水");
        assert_eq!(press("‸红花，水", 1), "(‸红花:1.1)，水");
        assert_eq!(press("红花‸，水", 2), "(红花‸:1.2)，水");
        assert_eq!(press("red flo‸wer", 1), "red (flo‸wer:1.1)");
        assert_eq!(press("山，‸，水", 1), "none");
        assert_eq!(press("‸", 1), "none");
        assert_eq!(press("(红‸花:1.1)", -1), "红‸花");
        assert_eq!(press("(红花:1‸.1)", 1), "(红花‸:1.2)");
    }

    #[test]
    fn wide_brackets_bare_brackets_and_odd_numbers() {
        assert_eq!(press("（红‸花：1.2）", 1), "（红‸花：1.3）");
        assert_eq!(press("（红‸花：１．２）", 1), "（红‸花：1.3）");
        assert_eq!(press("(红‸花：1.2）", 1), "(红‸花：1.3）");
        assert_eq!(press("（红‸花）", 1), "（红‸花：1.2）");
        assert_eq!(press("(红‸花)", -1), "红‸花");
        assert_eq!(press("(红‸花:1.25)", 1), "(红‸花:1.35)");
        assert_eq!(press("(红‸花:.5)", 1), "(红‸花:0.6)");
        assert_eq!(press("(时间:十二‸点)", 1), "(时间:十二‸点:1.2)");
    }

    #[test]
    fn square_brackets_become_round_ones_with_a_number() {
        assert_eq!(press("[红‸花]，水", 1), "红‸花，水");
        assert_eq!(press("[红‸花]，水", -1), "(红‸花:0.8)，水");
        assert_eq!(press("［红‸花］", -1), "（红‸花：0.8）");
        assert_eq!(press("[‹红花›]", 2), "(‹红花›:1.1)");
        assert_eq!(press("([红‸花]:1.4)", -1), "((红‸花:0.8):1.4)");
        assert_eq!(press("[红‸花", 1), "[(红‸花:1.1)");
    }

    #[test]
    fn nested_escaped_and_broken_brackets() {
        assert_eq!(press("((红‸花:1.2), 水:0.8)", 1), "((红‸花:1.3), 水:0.8)");
        assert_eq!(press("((红花:1.2), ‸水:0.8)", 1), "((红花:1.2), ‸水:0.9)");
        assert_eq!(press("(‹红花›和水:0.8)", 1), "((‹红花›:1.1)和水:0.8)");
        assert_eq!(press("‹山，(红›花:1.2)", 1), "(‹山，(红花:1.2)›:1.1)");
        assert_eq!(press("\\(红‸花\\)", 1), "(\\(红‸花\\):1.1)");
        assert_eq!(press("\\‹(红花›", 1), "(‹\\(红花›:1.1)");
        assert_eq!(press("(红‸花", 1), "((红‸花:1.1)");
        assert_eq!(press("红‸花)", 1), "(红‸花:1.1))");
        assert_eq!(press("(红花:‹1.2›)", 1), "(‹红花›:1.3)");
        assert_eq!(press("‹红花)›，水", 1), "(‹红花\\)›:1.1)，水");
        assert_eq!(press("山\\‹红花›", 1), "山(‹\\红花›:1.1)");
        assert_eq!(press("(红‸[花)]", -1), "红‸\\[花]");
        assert_eq!(press("‹[(红花]›", -1), "(‹\\(红花›:0.8)", "no partner in the brackets that come");
        assert_eq!(press("[(红‸花]山)", 1), "\\(红‸花山)", "nor behind those that go");
    }

    #[test]
    fn weights_end_at_their_bounds() {
        assert_eq!(press("红‸花", 10), "(红‸花:2.0)");
        assert_eq!(press("红‸花", 11), "none");
        assert_eq!(press("红‸花", -9), "(红‸花:0.1)");
        assert_eq!(press("红‸花", -10), "none");
        assert_eq!(press("(红‸花:3.5)", 1), "none");
        assert_eq!(press("(红‸花:3.5)", -1), "(红‸花:2.0)");
        assert_eq!(adjust_weight("红花", 0..2, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn a_word_comes_back(word in "[a-z红花]{1,5}", before in "[山水, ，]{0,4}[,，]", up in 1usize..10) {
            let text = format!("{before}{word}，水");
            let start = before.chars().count();
            let mut edit = Edit { text: text.clone(), selection: start..start + word.chars().count() };
            let first = edit.clone();
            for step in std::iter::repeat_n(WEIGHT_STEP, up).chain(std::iter::repeat_n(-WEIGHT_STEP, up)) {
                edit = adjust_weight(&edit.text, edit.selection, step).unwrap();
            }
            prop_assert_eq!(edit, first);
        }

        #[test]
        fn any_text_survives(text in "[a山(（)）\\[\\]:：1.\\\\, ，2]{0,24}", from in 0usize..26, to in 0usize..26, up: bool) {
            let step = if up { WEIGHT_STEP } else { -WEIGHT_STEP };
            if let Some(edit) = adjust_weight(&text, from..to, step) {
                let length = edit.text.chars().count();
                prop_assert!(edit.selection.start <= edit.selection.end && edit.selection.end <= length);
                let removed = |text: &str| text.chars().filter(|c| !"(（)）[]\\:：0123456789. ".contains(*c)).collect::<String>();
                prop_assert_eq!(removed(&edit.text), removed(&text));
            }
        }

        #[test]
        fn the_model_reads_the_same_words(text in "[a山(（)）\\[\\]\\\\, ，]{0,24}", from in 0usize..26, to in 0usize..26, up: bool) {
            let step = if up { WEIGHT_STEP } else { -WEIGHT_STEP };
            if let Some(edit) = adjust_weight(&text, from..to, step) {
                prop_assert_eq!(plain(&edit.text), plain(&text), "{:?} → {:?}", text, edit.text);
            }
        }
    }
}
