//! The gallery of the window, as data: what was searched and found, what is chosen, what is looked at. Everything that
//! touches the disk is asked of the librarian and the clerk: [`Wall::take_asks`].

mod act;
mod caches;
mod carry_out;
mod filter;
mod reports;
mod selection;

pub use act::{Act, Step, pressed};
pub use caches::Shown;
pub use carry_out::carry_out;
pub use filter::{Age, Filter, SORTS, Side, sort_text_id};
pub use reports::{imported, looked_up, note};
pub use selection::{Pick, Selection};

use super::clerk::Errand;
use crate::gallery::{Details, Entry, EntryId, Progress, Request, Stamp, Token};
use ahash::{AHashMap, AHashSet};
use caches::Cache;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Sides of a cell of the grid, in points.
pub const TILES: std::ops::RangeInclusive<f32> = 88.0..=320.0;
pub const TILE: f32 = 176.0;
/// Bytes of thumbnails: some 500. The graphics card has its own, and the librarian is asked again for older ones.
const THUMBNAILS: usize = 128 << 20;
/// Bytes of whole pictures: those that are looked at and their neighbours.
const PICTURES: usize = 384 << 20;
/// Thumbnails that may be under way; more are asked for as these come.
const MOST_ASKED: usize = 96;
/// Rows that are kept beyond those on the screen.
const MOST_ROWS: usize = 4096;

/// Whom the wall asks, and what.
#[derive(Debug)]
pub(super) enum Ask {
    Librarian(Request),
    Clerk(Errand),
}

/// Two pictures that are held against each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    pub pair: [EntryId; 2],
    /// One over the other, parted by a line; else side by side.
    pub slider: bool,
    /// Where that line is: 0 is the left edge, 1 the right.
    pub parting: f32,
}

/// See the module.
#[derive(Debug)]
pub struct Wall {
    pub filter: Filter,
    /// Side of a cell, in points.
    pub tile: f32,
    /// Pictures in a row of the grid, and rows on the screen; the window says so.
    pub columns: usize,
    pub lines: usize,
    /// An input method has characters in the search field that nobody has chosen yet: the search waits.
    pub composing: bool,
    pub selection: Selection,
    /// The grid shall show the cursor.
    pub reveal: bool,
    pub looking: Option<EntryId>,
    /// What the file of the picture that is looked at tells.
    pub details: Option<Box<Details>>,
    pub comparing: Option<Comparison>,
    /// The models that have made pictures here, with how many.
    pub models: Vec<(String, usize)>,
    /// How far a scan is; `None` when none is under way.
    pub scan: Option<Progress>,
    /// A picture on its way to the clipboard; the window takes it.
    pub clipboard: Option<Arc<crate::imaging::Pixmap>>,
    folder: PathBuf,
    ids: Arc<[EntryId]>,
    places: AHashMap<EntryId, usize>,
    /// An answer has come.
    answered: bool,
    serial: u64,
    /// What was asked for last; `None` if it must be asked for again.
    asked: Option<Filter>,
    rows: AHashMap<EntryId, Entry>,
    /// Rows that are as new as the last change.
    fresh: AHashSet<EntryId>,
    rows_serial: u64,
    visible: Range<usize>,
    thumbnails: Cache,
    asked_thumbnails: AHashSet<EntryId>,
    pictures: Cache,
    /// The one that the clerk decodes.
    decoding: Option<EntryId>,
    /// Deletions that can be undone, the newest last.
    deletions: Vec<Token>,
    /// Its recipe is taken over as soon as it is read.
    reusing: Option<EntryId>,
    asks: VecDeque<Ask>,
}

impl Wall {
    /// Over the pictures of a folder.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            filter: Filter::default(),
            tile: TILE,
            columns: 1,
            lines: 1,
            composing: false,
            selection: Selection::default(),
            reveal: false,
            looking: None,
            details: None,
            comparing: None,
            models: Vec::new(),
            scan: None,
            clipboard: None,
            folder,
            ids: Arc::new([]),
            places: AHashMap::new(),
            answered: false,
            serial: 0,
            asked: None,
            rows: AHashMap::new(),
            fresh: AHashSet::new(),
            rows_serial: 0,
            visible: 0..0,
            thumbnails: Cache::new(THUMBNAILS),
            asked_thumbnails: AHashSet::new(),
            pictures: Cache::new(PICTURES),
            decoding: None,
            deletions: Vec::new(),
            reusing: None,
            asks: VecDeque::new(),
        }
    }

    /// With cells of another side, in points.
    #[must_use]
    pub fn with_tile(mut self, tile: f32) -> Self {
        self.tile = tile.clamp(*TILES.start(), *TILES.end());
        self
    }

    /// Looks through the folder, since files may have come or gone.
    pub(super) fn refresh(&mut self) {
        self.scan.get_or_insert_default();
        self.ask(Request::Refresh);
        self.ask(Request::Models);
    }

    /// What was found, in order.
    pub fn ids(&self) -> &[EntryId] {
        &self.ids
    }

    /// Whether [`Self::ids`] is an answer, and not only the want of one.
    pub const fn is_answered(&self) -> bool {
        self.answered
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn place(&self, id: EntryId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// What is known of an entry; `None` until the librarian has told.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.rows.get(&id)
    }

    /// The whole path of an entry's file.
    pub fn file(&self, id: EntryId) -> Option<PathBuf> {
        self.entry(id).map(|entry| self.folder.join(&entry.facts.path))
    }

    pub fn can_undo(&self) -> bool {
        !self.deletions.is_empty()
    }

    /// What an act is done to.
    pub fn targets(&self) -> Vec<EntryId> {
        match self.looking {
            Some(id) => vec![id],
            None => self.selection.in_order(&self.ids),
        }
    }

    /// The single picture that an act for one is done to.
    pub fn target(&self) -> Option<EntryId> {
        self.looking
            .or_else(|| self.selection.cursor().filter(|id| self.selection.contains(*id)))
            .or_else(|| self.selection.in_order(&self.ids).first().copied())
    }

    /// The thumbnail of an entry, if it has come.
    pub fn thumbnail(&mut self, id: EntryId) -> Option<&Shown> {
        let stamp = self.stamp(id)?;
        self.thumbnails.get(id, stamp)
    }

    /// The whole picture of an entry, if it has come.
    pub fn picture(&mut self, id: EntryId) -> Option<&Shown> {
        let stamp = self.stamp(id)?;
        self.pictures.get(id, stamp)
    }

    pub fn stamp(&self, id: EntryId) -> Option<Stamp> {
        self.rows.get(&id).map(|entry| entry.facts.stamp)
    }

    /// Says which of [`Self::ids`] are on the screen, a margin included: their rows are asked for.
    pub fn see(&mut self, visible: Range<usize>) {
        self.visible = visible;
    }

    /// Asks for a thumbnail that the window has not got, unless many are under way.
    pub fn want_thumbnail(&mut self, id: EntryId) {
        if self.asked_thumbnails.len() < MOST_ASKED && self.rows.contains_key(&id) && self.asked_thumbnails.insert(id) {
            self.ask(Request::Thumbnail { id, urgency: 1 });
        }
    }

    /// Asks for what is missing. Call it once a frame, after the window has said what it shows.
    pub fn attend(&mut self, now: SystemTime) {
        if !self.composing && self.asked.as_ref() != Some(&self.filter) {
            self.serial += 1;
            self.asked = Some(self.filter.clone());
            self.ask(Request::Query { serial: self.serial, query: self.filter.query(now) });
        }
        let large: Vec<EntryId> = self.large().collect();
        let seen = self.ids.get(self.visible.clone()).unwrap_or_default();
        let missing: Vec<_> = large.iter().chain(seen).copied().filter(|id| !self.fresh.contains(id)).collect();
        if !missing.is_empty() {
            // Marked at once: what the librarian does not know any more is not asked for again.
            self.fresh.extend(&missing);
            self.rows_serial += 1;
            self.ask(Request::Rows { serial: self.rows_serial, ids: missing });
        }
        if self.decoding.is_none() {
            let wanted = large.into_iter().find_map(|id| {
                let (stamp, file) = (self.stamp(id)?, self.file(id)?);
                self.pictures.get(id, stamp).is_none().then_some((id, stamp, file))
            });
            if let Some((id, stamp, file)) = wanted {
                self.decoding = Some(id);
                self.asks.push_back(Ask::Clerk(Errand::Look { id, stamp, file }));
            }
        }
    }

    /// Those whose whole pictures are wanted, the most urgent first: what is compared; what is looked at and its
    /// neighbours.
    fn large(&self) -> impl Iterator<Item = EntryId> {
        let pair = self.comparing.map(|comparison| comparison.pair);
        let looking = self.looking.filter(|_| pair.is_none());
        let at = looking.and_then(|id| self.place(id));
        let beside = |step: isize| at.and_then(|at| self.ids.get(at.checked_add_signed(step)?).copied());
        let neighbours = [looking, beside(1), beside(-1)];
        pair.into_iter().flatten().chain(neighbours.into_iter().flatten())
    }

    fn ask(&mut self, request: Request) {
        self.asks.push_back(Ask::Librarian(request));
    }

    /// The next request or errand.
    pub(super) fn take_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Puts a list in place of the one before.
    fn hang(&mut self, ids: Arc<[EntryId]>) {
        self.places = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        self.ids = ids;
        let places = &self.places;
        self.selection.keep(|id| places.contains_key(&id));
        // What is looked at large stays, even if it does not fit the filter any more.
        if self.rows.len() > MOST_ROWS {
            let seen: AHashSet<EntryId> =
                self.ids.get(self.visible.clone()).unwrap_or_default().iter().copied().collect();
            let large: Vec<EntryId> = self.large().collect();
            self.rows.retain(|id, _| seen.contains(id) || large.contains(id));
            self.fresh.retain(|id| self.rows.contains_key(id));
        }
    }
}
