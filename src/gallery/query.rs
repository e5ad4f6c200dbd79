//! Finding pictures: filters, words and orders over a copy of the index in memory.
//!
//! SQLite's `instr` and `LIKE` need 12 ms and more for 25,000 prompts, and its trigram index does not find words of
//! one or two characters, which are most of Chinese. So the librarian keeps what is searched, about 15 MB for 25,000
//! pictures, and looks through all of it. The answer is a list of ids, from which a grid fetches the rows it shows.

use super::entry::{Entry, EntryId};
use crate::recipe::prompt::searchable;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

/// The order of the answer; equal ones come in the order in which they were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Sort {
    #[default]
    Newest,
    Oldest,
    /// By the file's name without its folder, then by folder.
    Name,
    /// Most pixels first.
    Size,
}

/// Which pictures are wanted; the default is all of them, newest first.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Query {
    /// Words between spaces; a picture must have all of them, anywhere in its prompts or its file's name, in whatever
    /// case.
    pub words: String,
    pub favourites_only: bool,
    /// The model's name, exactly.
    pub model: Option<String>,
    /// Nanoseconds since 1970.
    pub created: Option<RangeInclusive<i64>>,
    /// The longer side, in pixels.
    pub longer_side: Option<RangeInclusive<u32>>,
    pub sort: Sort,
}

/// What is searched of one entry.
#[derive(Debug)]
struct Row {
    id: EntryId,
    created: i64,
    pixels: u64,
    longer_side: u32,
    favourite: bool,
    model: Option<Box<str>>,
    /// Folded: the file's name, a line break, the folder.
    name: Box<str>,
    /// Folded: the prompts and the file's name.
    words: Box<str>,
}

/// The copy of the index that is searched.
#[derive(Debug, Default)]
pub struct Shelf {
    rows: Vec<Row>,
    places: HashMap<EntryId, usize>,
}

impl Shelf {
    /// Puts an entry in, in place of the one with its id.
    pub fn put(&mut self, entry: &Entry) {
        let row = Row::of(entry);
        match self.places.get(&entry.id).and_then(|&at| self.rows.get_mut(at)) {
            Some(place) => *place = row,
            None => {
                self.places.insert(entry.id, self.rows.len());
                self.rows.push(row);
            }
        }
    }

    pub fn remove(&mut self, id: EntryId) {
        let Some(at) = self.places.remove(&id) else { return };
        self.rows.swap_remove(at);
        if let Some(moved) = self.rows.get(at) {
            self.places.insert(moved.id, at);
        }
    }

    pub fn set_favourite(&mut self, id: EntryId, favourite: bool) {
        if let Some(row) = self.places.get(&id).and_then(|&at| self.rows.get_mut(at)) {
            row.favourite = favourite;
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The ids of the entries that fit, in order.
    pub fn find(&self, query: &Query) -> Vec<EntryId> {
        let folded = fold(&query.words);
        let mut words: Vec<&str> = folded.split_whitespace().collect();
        // Long words are rare ones, and the first miss ends the comparing.
        words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
        let mut found: Vec<&Row> = self.rows.iter().filter(|row| row.fits(query, &words)).collect();
        let order: fn(&Row, &Row) -> Ordering = match query.sort {
            Sort::Newest => |a, b| b.created.cmp(&a.created).then(b.id.cmp(&a.id)),
            Sort::Oldest => |a, b| a.created.cmp(&b.created).then(a.id.cmp(&b.id)),
            Sort::Name => |a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)),
            Sort::Size => |a, b| b.pixels.cmp(&a.pixels).then(b.created.cmp(&a.created)).then(b.id.cmp(&a.id)),
        };
        found.sort_unstable_by(|a, b| order(a, b));
        found.into_iter().map(|row| row.id).collect()
    }

    /// The models and how many pictures each has made, by name.
    pub fn models(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for model in self.rows.iter().filter_map(|row| row.model.as_deref()) {
            *counts.entry(model).or_default() += 1;
        }
        counts.into_iter().map(|(model, count)| (model.to_owned(), count)).collect()
    }
}

impl Row {
    fn of(Entry { id, facts, favourite }: &Entry) -> Self {
        let text = |part: Option<&std::ffi::OsStr>| fold(&part.unwrap_or_default().to_string_lossy());
        let name = text(facts.path.file_name());
        let folder = text(facts.path.parent().map(|p| p.as_os_str()));
        let words = format!("{}\n{}\n{name}", searchable(&facts.prompt), searchable(&facts.negative));
        Self {
            id: *id,
            created: facts.created,
            pixels: facts.extent.area(),
            longer_side: facts.extent.width.max(facts.extent.height),
            favourite: *favourite,
            model: facts.model.as_deref().map(Box::from),
            name: format!("{name}\n{folder}").into(),
            words: words.into(),
        }
    }

    fn fits(&self, query: &Query, words: &[&str]) -> bool {
        (self.favourite || !query.favourites_only)
            && query.model.as_ref().is_none_or(|model| self.model.as_deref() == Some(model))
            && query.created.as_ref().is_none_or(|range| range.contains(&self.created))
            && query.longer_side.as_ref().is_none_or(|range| range.contains(&self.longer_side))
            && words.iter().all(|word| self.words.contains(word))
    }
}

/// Without case.
fn fold(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
pub mod tests {
    use super::super::entry::{Facts, Stamp};
    use super::*;
    use crate::base::Extent;
    use proptest::prelude::*;

    pub fn facts(path: &str, prompt: &str, created: i64) -> Facts {
        Facts {
            path: path.into(),
            stamp: Stamp { modified: created, bytes: 100 },
            created,
            extent: Extent::new(512, 768),
            prompt: prompt.into(),
            negative: "Watermark, 水印".into(),
            model: Some("小图".into()),
            sampler: Some("Euler".into()),
            seed: Some(u64::MAX),
            steps: Some(20),
            guidance: Some(7.5),
            source: "danqing".into(),
        }
    }

    fn entry(id: i64, path: &str, prompt: &str) -> Entry {
        Entry { id: EntryId(id), facts: facts(path, prompt, id * 10), favourite: id % 2 == 0 }
    }

    fn shelf() -> Shelf {
        let mut shelf = Shelf::default();
        let mut entries = [
            entry(1, "乙.png", "飞流直下三千尺，Ink Wash"),
            entry(2, "春/甲.png", "大漠孤烟直，oil painting"),
            entry(3, "Bamboo.png", "竹"),
            entry(4, "a.png", "竹石，ink"),
        ];
        entries[2].facts.model = None;
        entries[3].facts.extent = Extent::new(1024, 1024);
        entries.iter().for_each(|entry| shelf.put(entry));
        shelf
    }

    fn ids(shelf: &Shelf, query: &Query) -> Vec<i64> {
        shelf.find(query).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn words_are_parts_in_any_case_and_all_of_them() {
        let shelf = shelf();
        let find = |words: &str| ids(&shelf, &Query { words: words.into(), ..Query::default() });
        assert_eq!(find(""), [4, 3, 2, 1]);
        assert_eq!(find("竹"), [4, 3]);
        assert_eq!(find("INK"), [4, 1]);
        assert_eq!(find("ink\u{3000}竹"), [4], "the wide space parts words too");
        assert_eq!(find("千尺"), [1]);
        assert_eq!(find("bamboo.PNG"), [3]);
        assert_eq!(find("水印 watermark 烟"), [2]);
        assert_eq!(find("竹 烟"), [0i64; 0]);
        assert_eq!(find("%"), [0i64; 0]);
    }

    #[test]
    fn words_are_found_across_weights() {
        let mut shelf = shelf();
        shelf.put(&entry(5, "梅.png", "(Red:1.3)色的梅"));
        let find = |words: &str| ids(&shelf, &Query { words: words.into(), ..Query::default() });
        assert_eq!((find("red色的"), find("(red:1.3)")), (vec![5], vec![5]));
    }

    #[test]
    fn filters_and_orders() {
        let shelf = shelf();
        let find = |change: fn(&mut Query)| {
            let mut query = Query::default();
            change(&mut query);
            ids(&shelf, &query)
        };
        assert_eq!(find(|q| q.favourites_only = true), [4, 2]);
        assert_eq!(find(|q| q.model = Some("小图".into())), [4, 2, 1]);
        assert_eq!(find(|q| q.created = Some(20..=30)), [3, 2]);
        assert_eq!(find(|q| q.longer_side = Some(800..=u32::MAX)), [4]);
        assert_eq!(find(|q| q.sort = Sort::Oldest), [1, 2, 3, 4]);
        assert_eq!(find(|q| q.sort = Sort::Name), [4, 3, 1, 2]);
        assert_eq!(find(|q| q.sort = Sort::Size), [4, 3, 2, 1]);
        assert_eq!(shelf.models(), [("小图".to_owned(), 3)]);
    }

    proptest! {
        #[test]
        fn the_places_hold_through_every_change(changes in proptest::collection::vec((0i64..12, any::<bool>()), 0..60)) {
            let mut shelf = Shelf::default();
            let mut model = BTreeMap::new();
            for (step, (id, put)) in changes.into_iter().enumerate() {
                if put {
                    let entry = entry(id, "x.png", &format!("第{step}次"));
                    shelf.put(&entry);
                    model.insert(id, step);
                } else {
                    shelf.remove(EntryId(id));
                    model.remove(&id);
                }
            }
            prop_assert_eq!(shelf.len(), model.len());
            for (id, step) in &model {
                prop_assert_eq!(ids(&shelf, &Query { words: format!("第{step}次"), ..Query::default() }), vec![*id]);
            }
        }
    }
}
