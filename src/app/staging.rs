//! [`Staging`]: the pictures of one generation. One of them lies on the canvas; the others take its place as the artist
//! leafs through them, which makes no step of the history, until one is kept or all are put away.
//!
//! The choice stands as long as the document is as it was left by it. Whatever is done to the document keeps what lies
//! there; undoing that opens the choice again.

use super::desk::{Desk, Sheet};
use super::events::lay_plainly;
use super::placing::Place;
use super::state::{Landing, Painting, Said, State, View};
use super::update::{Effect, lay};
use crate::base::{ImageId, LayerId, Problem};
use crate::canvas::history::Revision;

/// Why a picture is made ready for the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is laid there.
    Lay,
    /// It is the first of those that are chosen from.
    Stage,
    /// It takes the place of another of them.
    Leaf,
}

/// See the module.
#[derive(Debug)]
pub struct Staging {
    /// In the order of their seeds; never empty.
    variants: Vec<Painting>,
    /// Which of them lies on the canvas, or is on its way there.
    shown: usize,
    sheet: Sheet,
    /// `None` until the first has arrived.
    laid: Option<Laid>,
    /// It is over as soon as the one that is on its way lies there.
    ending: bool,
}

#[derive(Clone, Copy, Debug)]
struct Laid {
    /// Which of the variants.
    which: usize,
    layer: LayerId,
    /// Of the document, since the last variant came.
    revision: Revision,
    /// Steps of the history when the layer was new.
    steps: usize,
}

impl Staging {
    /// The choice among the pictures of a job that are meant for a document; `None` if there is none: a single picture
    /// that fills its frame is simply the picture.
    pub fn of(variants: Vec<Painting>, sheet: Sheet) -> Option<Self> {
        let patches = variants.iter().any(|painting| matches!(painting.place, Some(Place::Patch { .. })));
        let staging = Self { variants, shown: 0, sheet, laid: None, ending: false };
        (patches || staging.variants.len() > 1).then_some(staging)
    }

    pub const fn count(&self) -> usize {
        self.variants.len()
    }

    /// The place of the one that is shown, from 0.
    pub const fn shown(&self) -> usize {
        self.shown
    }

    /// Where on the canvas they belong.
    pub fn place(&self) -> Option<&Place> {
        self.variants.get(self.shown)?.place.as_ref()
    }

    fn has(&self, id: ImageId) -> bool {
        self.variants.iter().any(|painting| painting.id == id)
    }

    fn waits_for(&self, id: ImageId) -> bool {
        self.variants.get(self.shown).is_some_and(|painting| painting.id == id)
    }

    /// What lies on the canvas, while nothing else was done there.
    fn lies(&self, desk: &Desk) -> Option<Laid> {
        self.laid.filter(|laid| self.sheet == desk.sheet() && laid.revision == desk.editor().revision())
    }
}

impl State {
    /// The choice that is open now.
    pub fn choosing(&self) -> Option<&Staging> {
        let idle = self.view == View::Easel && self.forming.is_none() && !self.ledger.is_preparing();
        let open = |staging: &&Staging| !staging.ending && staging.lies(&self.desk).is_some();
        self.staging.as_ref().filter(|_| idle && !self.desk.is_busy()).filter(open)
    }
}

/// Brings a neighbour of the variant that is shown; after the last comes the first.
pub(super) fn leaf(state: &mut State, by: isize) -> Vec<Effect> {
    if state.choosing().is_none_or(|staging| staging.count() < 2) {
        return Vec::new();
    }
    let Some(staging) = &mut state.staging else { return Vec::new() };
    let count = staging.variants.len() as isize;
    staging.shown = (staging.shown as isize + by).rem_euclid(count) as usize;
    let next = staging.variants.get(staging.shown).cloned();
    next.map(|painting| lay(state, painting, Purpose::Leaf)).into_iter().collect()
}

/// The one that is shown stays, and the choice is over.
pub(super) fn keep(state: &mut State) {
    if state.choosing().is_none() {
        return;
    }
    let lies = |staging: &Staging| staging.laid.is_some_and(|laid| laid.which == staging.shown);
    match &mut state.staging {
        Some(staging) if !lies(staging) => staging.ending = true,
        _ => state.staging = None,
    }
}

/// What lies there stays as a layer of its own, and the choice goes on over it; nothing while another is on its way.
pub(super) fn keep_as_layer(state: &mut State) -> Result<(), Problem> {
    let lies = |staging: &Staging| staging.lies(&state.desk).filter(|laid| laid.which == staging.shown);
    let Some(laid) = state.choosing().and_then(lies) else { return Ok(()) };
    let layer = state.desk.split(laid.layer)?;
    if let Some(staging) = &mut state.staging {
        staging.laid = Some(Laid { layer, revision: state.desk.editor().revision(), ..laid });
    }
    Ok(())
}

/// Nothing of what lies there stays; the pictures hang in the strip.
pub(super) fn discard(state: &mut State) -> Result<(), Problem> {
    let Some(laid) = state.choosing().and_then(|staging| staging.lies(&state.desk)) else { return Ok(()) };
    // As if it had not been laid, unless others were kept meanwhile.
    if state.desk.editor().history().position() == laid.steps {
        state.desk.editor_mut().undo();
    } else {
        state.desk.editor_mut().edit("edit-layer-delete", |t| t.delete_layer(laid.layer))?;
    }
    state.staging = None;
    state.say(Said::Note("note-variant-discarded", Vec::new()));
    Ok(())
}

/// Lays a picture of a choice on the canvas, or puts it in the place of the one that lies there.
pub(super) fn land(state: &mut State, landing: Landing) -> Result<(), Problem> {
    let Some(staging) = state.staging.as_mut().filter(|staging| staging.has(landing.id)) else {
        // Another choice came before the first picture of this one could be laid; or this one is over.
        return if landing.purpose == Purpose::Stage { lay_plainly(state, landing).map(|_| ()) } else { Ok(()) };
    };
    if !staging.waits_for(landing.id) {
        return Ok(());
    }
    let which = staging.shown;
    let layer = match staging.laid {
        None => lay_plainly(state, landing)?,
        Some(_) => match staging.lies(&state.desk) {
            Some(laid) => {
                state.desk.exchange(laid.layer, &landing)?;
                state.desk.paper.texts = landing.texts;
                state.landed = Some(landing.id);
                laid.layer
            }
            // Something was done to the document: it keeps what it has.
            None => return Ok(()),
        },
    };
    let (revision, position) = (state.desk.editor().revision(), state.desk.editor().history().position());
    if let Some(staging) = &mut state.staging {
        let steps = staging.laid.map_or(position, |laid| laid.steps);
        staging.laid = Some(Laid { which, layer, revision, steps });
    }
    state.staging.take_if(|staging| staging.ending);
    Ok(())
}
