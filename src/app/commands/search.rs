//! The palette's search: by Chinese words, English words, and pinyin in full or by initials (`mbfz` is 蒙版反转).

use super::{ENTRIES, Entry};
use crate::words::{Language, text};
use pinyin::ToPinyinMulti;

/// Characters of a query that are looked at.
const LONGEST_QUERY: usize = 32;

/// Characters of a name that are looked at: one bit each, and one for the place behind the last.
const LONGEST_NAME: usize = 63;

/// How well a query fits; a better one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Its words occur in any order; every Chinese character is one.
    Loose,
    /// Its letters occur in order.
    Scattered,
    /// It begins a word, or a character, inside the name.
    Word,
    /// The name begins with it.
    Prefix,
    Whole,
}

/// A command that was found.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    pub entry: &'static Entry,
    pub rank: Rank,
}

/// The names of all commands, ready for searching; made once for a language.
#[derive(Debug)]
pub struct Index {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    entry: &'static Entry,
    /// The name in the language of the index.
    name: String,
    names: [Name; 2],
}

/// A name to be searched, a unit a character: the ways in which it can be typed.
#[derive(Debug)]
struct Name {
    units: Vec<Unit>,
}

#[derive(Debug)]
struct Unit {
    /// In lower case.
    sign: char,
    /// Pinyin without tones: one for each way of reading the character.
    readings: Vec<&'static str>,
    /// A word begins here. Every Chinese character is as good as a word.
    begins: bool,
}

impl Name {
    fn new(text: &str) -> Self {
        let mut units: Vec<Unit> = Vec::new();
        let mut after_letter = false;
        for sign in text.chars().flat_map(char::to_lowercase) {
            let mut readings: Vec<_> =
                sign.to_pinyin_multi().into_iter().flatten().map(pinyin::Pinyin::plain).collect();
            readings.sort_unstable();
            readings.dedup();
            let letter = sign.is_alphanumeric();
            if letter {
                units.push(Unit { sign, begins: !readings.is_empty() || !after_letter, readings });
            }
            after_letter = letter;
        }
        units.truncate(LONGEST_NAME);
        Self { units }
    }

    /// How well the letters fit.
    fn rank(&self, query: &[char]) -> Option<Rank> {
        let starts = self.units.iter().enumerate().filter(|(_, unit)| unit.begins).map(|(start, _)| start);
        let joined = starts.filter_map(|start| Some((start, self.end(query, start)?)));
        let best = joined.map(|(start, end)| match (start, end == self.units.len()) {
            (0, true) => Rank::Whole,
            (0, false) => Rank::Prefix,
            _ => Rank::Word,
        });
        best.max().or_else(|| self.scattered(query).then_some(Rank::Scattered))
    }

    /// Whether the query can be typed from `start` on without a gap: signs, or pinyin of which every syllable may be cut
    /// short, or the initials of words. Gives the unit behind, of several ways the farthest.
    fn end(&self, query: &[char], start: usize) -> Option<usize> {
        // For each number of letters that are used up: the units at which one may stand, as bits.
        let mut places = [0u64; LONGEST_QUERY + 1];
        *places.first_mut()? = 1u64 << start;
        for used in 0..query.len().min(LONGEST_QUERY) {
            let rest = query.get(used..)?;
            let mut open = *places.get(used)?;
            while open != 0 {
                let here = open.trailing_zeros() as usize;
                open &= open - 1;
                let Some(unit) = self.units.get(here) else { continue };
                let mut go = |letters: usize, to: usize| {
                    if let Some(place) = places.get_mut(used + letters) {
                        *place |= 1 << to;
                    }
                };
                if rest.first() == Some(&unit.sign) {
                    go(1, here + 1);
                    // The first letter may stand for its word.
                    if let Some(next) = self.next_word(here).filter(|_| unit.begins) {
                        go(1, next);
                    }
                }
                for reading in &unit.readings {
                    let typed = reading.chars().zip(rest).take_while(|(a, b)| a == *b).count();
                    (1..=typed).for_each(|letters| go(letters, here + 1));
                }
            }
        }
        places.get(query.len())?.checked_ilog2().map(|end| end as usize)
    }

    fn next_word(&self, here: usize) -> Option<usize> {
        (here + 1..self.units.len()).find(|&at| self.units.get(at).is_some_and(|unit| unit.begins))
    }

    /// Whether each of the words begins somewhere in the name.
    fn loose(&self, words: &[Vec<char>]) -> Option<Rank> {
        let begins = |word: &Vec<char>| word.len() <= LONGEST_QUERY && self.rank(word) >= Some(Rank::Word);
        (words.len() > 1 && words.iter().all(begins)).then_some(Rank::Loose)
    }

    /// Whether the letters occur in order: signs, or the beginnings of syllables.
    fn scattered(&self, query: &[char]) -> bool {
        let mut rest = query;
        for unit in &self.units {
            let Some(first) = rest.first() else { break };
            let typed = |reading: &&str| reading.chars().zip(rest).take_while(|(a, b)| a == *b).count();
            let letters = unit.readings.iter().map(typed).max().unwrap_or(0).max(usize::from(*first == unit.sign));
            rest = rest.get(letters..).unwrap_or_default();
        }
        rest.is_empty()
    }
}

/// The words of a query in lower case: what stands between spaces, and each Chinese character by itself.
fn words(query: &str) -> Vec<Vec<char>> {
    let mut words: Vec<Vec<char>> = Vec::new();
    let mut joined = false;
    for sign in query.chars().flat_map(char::to_lowercase).take(2 * LONGEST_QUERY) {
        let chinese = sign.to_pinyin_multi().is_some();
        match words.last_mut().filter(|_| joined && !chinese) {
            Some(word) if sign.is_alphanumeric() => word.push(sign),
            _ if sign.is_alphanumeric() => words.push(vec![sign]),
            _ => {}
        }
        joined = sign.is_alphanumeric() && !chinese;
    }
    words
}

impl Index {
    /// Both languages are searched; `language` decides how the names are shown.
    pub fn new(language: Language) -> Self {
        let line = |entry: &'static Entry| {
            let id = entry.command.text_id();
            let names = Language::ALL.map(|language| Name::new(&text(language, &id)));
            Line { entry, name: text(language, &id), names }
        };
        Self { lines: ENTRIES.iter().map(line).collect() }
    }

    /// The name of a command, as the palette shows it.
    pub fn name(&self, stem: &str) -> Option<&str> {
        self.lines.iter().find(|line| line.entry.stem() == stem).map(|line| line.name.as_str())
    }

    /// The commands that fit, the best first; among equals those that were used lately (`recent`: stems, the latest
    /// first), then the shorter names, then the order of the menus. Without letters: all, the recent first.
    pub fn search(&self, query: &str, recent: &[&str]) -> Vec<Hit> {
        let words = words(query);
        let query: Vec<char> = words.concat().into_iter().take(LONGEST_QUERY).collect();
        let mut hits: Vec<(Rank, usize, usize, Hit)> = Vec::new();
        for line in &self.lines {
            let Some((rank, length)) = line.fit(&query, &words) else { continue };
            let used = recent.iter().position(|stem| *stem == line.entry.stem()).unwrap_or(usize::MAX);
            hits.push((rank, used, length, Hit { entry: line.entry, rank }));
        }
        hits.sort_by_key(|&(rank, used, length, _)| (std::cmp::Reverse(rank), used, length));
        hits.into_iter().map(|(.., hit)| hit).collect()
    }
}

impl Line {
    /// The better of the two names, and its length.
    fn fit(&self, query: &[char], words: &[Vec<char>]) -> Option<(Rank, usize)> {
        if query.is_empty() {
            return Some((Rank::Scattered, 0));
        }
        let ranks = self
            .names
            .iter()
            .filter_map(|name| Some((name.rank(query).or_else(|| name.loose(words))?, name.units.len())));
        ranks.max_by_key(|&(rank, length)| (rank, std::cmp::Reverse(length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(query: &str) -> Vec<&'static str> {
        Index::new(Language::ZhCn).search(query, &[]).into_iter().map(|hit| hit.entry.stem()).collect()
    }

    fn rank(name: &str, query: &str) -> Option<Rank> {
        Name::new(name).rank(&query.chars().collect::<Vec<_>>())
    }

    #[test]
    fn a_command_is_found_in_every_way_of_typing_it() {
        for query in [
            "蒙版反转",
            "反转蒙版",
            "蒙版反",
            "mbfz",
            "mengbanfanzhuan",
            "mengbfz",
            "mengban fanzhuan",
            "fanzhuan mengban",
            "invert mask",
            "mask invert",
        ] {
            assert_eq!(found(query).first(), Some(&"mask-invert"), "{query}");
        }
        assert!(found("mb").iter().take(8).any(|stem| *stem == "mask-fill"));
        assert_eq!(found("zoom in")[0], "zoom-in");
        assert_eq!(found("UNDO")[0], "undo");
        assert!(found("qqqqzzzz").is_empty());
        assert_eq!(found("").len(), ENTRIES.len());
    }

    #[test]
    fn ranks() {
        assert_eq!(rank("蒙版反转", "mbfz"), Some(Rank::Whole));
        assert_eq!(rank("蒙版反转", "meng"), Some(Rank::Prefix));
        assert_eq!(rank("蒙版反转", "fanz"), Some(Rank::Word));
        assert_eq!(rank("蒙版反转", "mfz"), Some(Rank::Scattered));
        assert_eq!(rank("蒙版反转", "版转"), Some(Rank::Scattered));
        assert_eq!(rank("蒙版反转", "zm"), None);
        assert_eq!(rank("重做", "chongzuo"), Some(Rank::Whole));
        assert_eq!(rank("重做", "zhongz"), Some(Rank::Whole), "another reading of the character");
        assert_eq!(rank("Invert the mask", "itm"), Some(Rank::Prefix));
        assert_eq!(rank("Invert the mask", "mask"), Some(Rank::Word));
        assert_eq!(rank("Invert the mask", "ask"), Some(Rank::Scattered));
        assert_eq!(rank("Invert the mask", "ksa"), None);
        assert_eq!(rank("保存为 PNG", "bcwp"), Some(Rank::Prefix));
    }

    #[test]
    fn what_was_used_lately_comes_first_among_equals() {
        let index = Index::new(Language::En);
        let first = |query: &str, recent: &[&str]| index.search(query, recent)[0].entry.stem();
        assert_eq!(first("", &["layer-add", "undo"]), "layer-add");
        assert_eq!(first("tool", &["tool-wand"]), first("tool", &["tool-wand", "tool-pan"]));
        let plain = index.search("layer", &[]);
        let last = plain.iter().rfind(|hit| hit.rank == plain[0].rank).unwrap().entry.stem();
        assert_eq!(first("layer", &[last]), last);
        assert_eq!(index.name("undo"), Some("Undo"));
        assert_eq!(index.name("nothing"), None);
    }

    proptest! {
        #[test]
        fn every_command_is_found_by_its_name_and_its_initials(at in 0usize..1000) {
            let entry = &ENTRIES[at % ENTRIES.len()];
            let name = text(Language::ZhCn, &entry.command.text_id());
            prop_assert!(found(&name).contains(&entry.stem()));
            let initial = |c: char| c.to_pinyin_multi().and_then(|p| p.into_iter().next()).and_then(|p| p.plain().chars().next());
            let initials: String = name.chars().filter_map(|c| initial(c).or(c.is_alphanumeric().then_some(c))).collect();
            prop_assert!(found(&initials).contains(&entry.stem()), "{name} {initials}");
        }

        #[test]
        fn any_query_is_answered(query in ".{0,60}") {
            let hits = Index::new(Language::ZhCn).search(&query, &["undo"]);
            prop_assert!(hits.windows(2).all(|pair| pair[0].rank >= pair[1].rank));
        }
    }
}
