//! What takes long on a large canvas, too long for the window's thread: work on the whole mask, the wand and the bucket.
//! It is done on a snapshot by the clerk, and becomes one step of the history when it comes back. The artist may paint on
//! meanwhile; if that changed what the work was made from, it is done again.

use super::command::Command;
use super::desk::{Pour, Sheet};
use super::state::{Said, State};
use super::update::{Effect, run_waiting};
use crate::base::{JobId, LayerId, Problem};
use crate::canvas::{Change, Document, Editor, MaskTiles, Reshape};
use crate::tools::{Context, Effect as Told, ToolId};
use std::time::{Duration, Instant};

/// How far the mask grows, shrinks or is feathered by one command, in pixels.
const REACH: f32 = 8.0;
/// Pixels that are worked on at once, within a few milliseconds: of an edge, and where pixels are only looked at.
const FEW: u64 = 1 << 18;
const MANY: u64 = 1 << 21;
/// Work that lasts longer is shown.
const SHOWN_AFTER: Duration = Duration::from_millis(100);

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaskWork {
    Fill,
    Invert,
    Reshape(Reshape),
    /// From the opacity of a layer.
    Alpha(LayerId),
    /// A click with the wand or the bucket.
    Pour(Pour),
}

/// What came of it.
#[derive(Debug)]
pub enum Made {
    Mask(MaskTiles),
    Poured(Box<Poured>),
}

/// What came of a click.
#[derive(Debug)]
pub struct Poured {
    /// As it is after it.
    document: Document,
    /// The step that was made; `None` if nothing changed.
    step: Option<&'static str>,
    told: Vec<Told>,
}

impl Pour {
    fn on(self, document: &Document) -> Poured {
        let mut editor = Editor::new(document.clone());
        let mut told = Vec::new();
        if let Some(line) = self.tool.line() {
            let Self { event, settings, .. } = &self;
            let mut context = Context { easel: &mut editor, settings, scale: 1.0, effects: &mut told };
            (line.make)().press(&mut context, *event);
        }
        Poured { step: editor.history().undo_name(), document: editor.document().clone(), told }
    }
}

impl MaskWork {
    /// The work that a command asks for; `None` if it asks for none.
    fn of(command: &Command, document: &Document) -> Option<Self> {
        Some(match command {
            Command::MaskFill => Self::Fill,
            Command::MaskInvert => Self::Invert,
            Command::MaskGrow => Self::Reshape(Reshape::Grow(REACH)),
            Command::MaskShrink => Self::Reshape(Reshape::Shrink(REACH)),
            Command::MaskFeather => Self::Reshape(Reshape::Feather(REACH)),
            Command::MaskFromAlpha => Self::Alpha(document.active()),
            _ => return None,
        })
    }

    /// The name of its step.
    pub const fn step(self) -> &'static str {
        match self {
            Self::Fill => "edit-mask-fill",
            Self::Invert => "edit-mask-invert",
            Self::Reshape(Reshape::Grow(_)) => "edit-mask-grow",
            Self::Reshape(Reshape::Shrink(_)) => "edit-mask-shrink",
            Self::Reshape(Reshape::Feather(_)) => "edit-mask-feather",
            Self::Alpha(_) => "edit-mask-alpha",
            Self::Pour(Pour { tool: ToolId::Wand, .. }) => "edit-select",
            Self::Pour(_) => "edit-fill",
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::LayerMissing`].
    pub fn on(self, document: &Document) -> Result<Made, Problem> {
        let mask = document.mask();
        Ok(Made::Mask(match self {
            Self::Fill => document.whole(),
            Self::Invert => document.inverted(mask),
            Self::Reshape(how) => mask.reshaped(how, document.canvas()),
            Self::Alpha(layer) => document.alpha_of(layer)?,
            Self::Pour(pour) => return Ok(Made::Poured(Box::new(pour.on(document)))),
        }))
    }

    fn is_quick(self, document: &Document) -> bool {
        let pixels = |tiles: usize| tiles as u64 * crate::canvas::tiles::TILE_PIXELS as u64;
        match self {
            Self::Fill => document.extent().area() <= 16 * MANY,
            Self::Invert => document.extent().area() <= MANY,
            Self::Reshape(_) => pixels(document.mask().len()) <= FEW,
            Self::Alpha(layer) => document.layer(layer).is_none_or(|layer| pixels(layer.pixels.len()) <= MANY),
            // The desk has done those that are.
            Self::Pour(_) => false,
        }
    }

    /// True if it makes the same of both documents.
    fn sees_the_same(self, a: &Document, b: &Document) -> bool {
        let same = match self {
            Self::Fill => true,
            Self::Invert | Self::Reshape(_) => a.mask() == b.mask(),
            Self::Alpha(layer) => match (a.layer(layer), b.layer(layer)) {
                (Some(a), Some(b)) => a.pixels == b.pixels,
                (a, b) => a.is_none() && b.is_none(),
            },
            Self::Pour(_) => a.active() == b.active() && Change::between(a, b).is_nothing(),
        };
        same && a.extent() == b.extent()
    }
}

/// Work for the clerk.
#[derive(Clone, Debug)]
pub struct MaskErrand {
    pub ticket: JobId,
    pub work: MaskWork,
    /// A snapshot.
    pub document: Document,
}

/// Work that is not yet a step.
#[derive(Debug)]
pub struct Masking {
    errand: MaskErrand,
    sheet: Sheet,
    since: Instant,
    /// It has come back, and waits until the hand is lifted.
    done: Option<Made>,
}

impl Masking {
    /// The name of its step.
    pub const fn step(&self) -> &'static str {
        self.errand.work.step()
    }

    /// It has come back, and becomes a step when the hand is lifted.
    pub const fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// When it is to be shown, if it lasts so long.
    pub fn shown_from(&self) -> Instant {
        self.since + SHOWN_AFTER
    }
}

/// True for the commands that are done here.
pub fn is_mask_work(command: &Command) -> bool {
    matches!(
        command,
        Command::MaskFill
            | Command::MaskInvert
            | Command::MaskGrow
            | Command::MaskShrink
            | Command::MaskFeather
            | Command::MaskFromAlpha
    )
}

/// Does it at once where that is quick, else has the clerk do it.
pub fn begin(state: &mut State, command: &Command) -> Vec<Effect> {
    state.desk.finish();
    let document = state.desk.document();
    match MaskWork::of(command, document) {
        Some(work) => start(state, work, Instant::now()),
        None => Vec::new(),
    }
}

fn start(state: &mut State, work: MaskWork, since: Instant) -> Vec<Effect> {
    let document = state.desk.document().clone();
    if work.is_quick(&document) {
        settle(state, work, work.on(&document));
        return Vec::new();
    }
    let errand = MaskErrand { ticket: JobId::fresh(), work, document };
    state.masking = Some(Masking { errand: errand.clone(), sheet: state.desk.sheet(), since, done: None });
    vec![Effect::Mask(Box::new(errand))]
}

/// The clerk has done it, or could not. What was given up meanwhile is passed over.
pub fn note(state: &mut State, ticket: JobId, result: Result<Made, Problem>) -> Vec<Effect> {
    let Some(masking) = state.masking.as_mut().filter(|masking| masking.errand.ticket == ticket) else {
        return Vec::new();
    };
    match result {
        Ok(made) => masking.done = Some(made),
        Err(problem) => {
            state.masking = None;
            state.complain(problem);
        }
    }
    run_waiting(state)
}

/// Makes a step of what has come back, unless the hand is at work; gives what is to be done again.
pub fn land(state: &mut State) -> Vec<Effect> {
    if state.masking.is_none()
        && let Some(pour) = state.desk.pours.pop_front()
    {
        return start(state, MaskWork::Pour(pour), Instant::now());
    }
    let ready = |masking: &mut Masking| masking.is_done();
    if state.desk.is_busy() {
        return Vec::new();
    }
    let Some(Masking { errand, sheet, since, done: Some(made) }) = state.masking.take_if(ready) else {
        return Vec::new();
    };
    if sheet != state.desk.sheet() {
        return Vec::new();
    }
    if errand.work.sees_the_same(&errand.document, state.desk.document()) {
        settle(state, errand.work, Ok(made));
        return Vec::new();
    }
    // The mask was painted on meanwhile: what was painted counts.
    start(state, errand.work, since)
}

fn settle(state: &mut State, work: MaskWork, made: Result<Made, Problem>) {
    let done = match made {
        Ok(Made::Mask(mask)) => state.desk.editor_mut().edit(work.step(), |t| {
            *t.mask_mut() = mask;
            Ok(())
        }),
        Ok(Made::Poured(poured)) => lay(state, *poured),
        Err(problem) => Err(problem),
    };
    if let Err(problem) = done {
        state.complain(problem);
    }
}

/// What wand and bucket change: the mask, the selection, the active layer.
fn lay(state: &mut State, poured: Poured) -> Result<(), Problem> {
    let Poured { document, step, told } = poured;
    for effect in told {
        if let Told::Hint(id) = effect {
            state.say(Said::Note(id, Vec::new()));
        }
    }
    let Some(step) = step else { return Ok(()) };
    let id = document.active();
    state.desk.editor_mut().edit(step, |t| {
        *t.mask_mut() = document.mask().clone();
        match document.selection() {
            Some(selection) => *t.selection_mut() = selection.clone(),
            None => t.deselect(),
        }
        let pixels = document.layer(id).map(|layer| &layer.pixels);
        if let Some(pixels) = pixels.filter(|new| t.document().layer(id).is_some_and(|old| old.pixels != **new)) {
            *t.pixels_mut(id)? = pixels.clone();
        }
        Ok(())
    })
}

/// Gives up the newest work that is not yet a step, as if it had been taken back; false if there is none.
pub fn take_back(state: &mut State) -> bool {
    if let Some(at) = state.waiting.iter().rposition(is_mask_work) {
        state.waiting.remove(at);
        return true;
    }
    if state.desk.pours.pop_back().is_some() {
        return true;
    }
    match state.masking.take() {
        Some(masking) => {
            let step = crate::words::text(state.language, masking.step());
            state.say(Said::Note("note-undone", vec![("step", step)]));
            true
        }
        None => false,
    }
}
