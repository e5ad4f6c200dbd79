//! [`Desk`]: the document that is worked on, the tool in the hand, and where one looks.

use super::filing::Paper;
use super::state::Landing;
use crate::base::{Extent, IntRect, LayerId, Problem};
use crate::canvas::history::Revision;
use crate::canvas::view::Viewport;
use crate::canvas::{Change, ColourTiles, Document, Editor, Layer, View};
use crate::tools::{Context, Effect, Overlay, PointerEvent, Tool, ToolId, ToolSettings};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Between a fitted canvas and the edge of its room, in points: a bar has its place there.
const MAT: f64 = 52.0;
/// A canvas smaller than its room is enlarged up to this.
const MOST_ENLARGED: f64 = 3.0;

/// Names a document on the desk for as long as the program runs, so that a picture is not laid on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet(u64);

impl Sheet {
    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A gesture with the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    Press,
    Drag,
    Release,
    Hover,
}

/// A canvas of more pixels is not searched by wand and bucket while the window waits.
const POURED_AT_ONCE: u64 = 1 << 17;

/// A click with a tool that looks at the whole canvas, to be carried out elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pour {
    pub tool: ToolId,
    pub event: PointerEvent,
    pub settings: ToolSettings,
}

/// See the module.
pub struct Desk {
    editor: Editor,
    sheet: Sheet,
    /// Where one looks; `None`: the canvas is fitted into its room, whatever size that is.
    pub view: Option<View>,
    /// The part of the window that shows the canvas; `None` until it is drawn.
    pub room: Option<Viewport>,
    tool: ToolId,
    hand: Box<dyn Tool>,
    pressed: bool,
    /// The last event of the gesture in hand, and the scale at which it came.
    last: Option<(PointerEvent, f64)>,
    /// Clicks that wait to be carried out.
    pub pours: VecDeque<Pour>,
    pub settings: ToolSettings,
    /// The colour that `SwapColours` brings.
    pub other_colour: [u8; 4],
    /// The repaint mask is shown.
    pub mask_shown: bool,
    /// The window shows the canvas and nothing else.
    pub canvas_only: bool,
    /// The document's name, file and recipe.
    pub paper: Paper,
    /// States of the document in which it has nothing but whole pictures, each saved when it was painted: to lose them
    /// is no loss.
    of_pictures: HashSet<Revision>,
    /// The layer that a whole picture was painted into last, and the state that it made: the next one takes its place
    /// as long as nothing was done since.
    filled: Option<(LayerId, Revision)>,
    /// The layers that were laid last, with what they held before.
    laid: Vec<(LayerId, ColourTiles)>,
    /// The canvas is shown without them.
    before: bool,
    /// The document is as the program made it: its size follows the size of the next picture.
    fresh: bool,
    /// Another document came, and the display has not seen it yet.
    changed_over: bool,
}

impl Desk {
    /// A blank canvas, in a size that is valid for a canvas.
    pub fn blank(extent: Extent, layer_name: &str) -> Self {
        let side = |length: u32| length.clamp(1, crate::canvas::SIDE_MOST);
        let extent = Extent::new(side(extent.width), side(extent.height));
        let document = Document::blank(extent, layer_name);
        // A size within the bounds is never refused.
        let document = document.unwrap_or_else(|problem| unreachable!("{problem}"));
        Self { fresh: true, ..Self::of(document) }
    }

    /// A document from a file.
    pub fn of(document: Document) -> Self {
        let tool = ToolId::MaskBrush;
        Self {
            editor: Editor::new(document),
            sheet: Sheet::fresh(),
            view: None,
            room: None,
            tool,
            hand: make(tool),
            pressed: false,
            last: None,
            pours: VecDeque::new(),
            settings: ToolSettings::default(),
            other_colour: [255; 4],
            mask_shown: true,
            canvas_only: false,
            paper: Paper::default(),
            of_pictures: HashSet::new(),
            filled: None,
            laid: Vec::new(),
            before: false,
            fresh: false,
            changed_over: true,
        }
    }

    /// Another document comes onto the desk; tools and colours stay as they are.
    pub fn replace(&mut self, document: Document) {
        self.stop();
        self.pours.clear();
        self.editor = Editor::new(document);
        self.sheet = Sheet::fresh();
        self.changed_over = true;
        self.paper = Paper::default();
        self.of_pictures.clear();
        self.laid.clear();
        (self.view, self.filled, self.fresh, self.before) = (None, None, false, false);
    }

    /// A blank canvas that somebody asked for; tools and colours stay as they are.
    pub fn renew(&mut self, extent: Extent, layer_name: &str) {
        let Self { editor, .. } = Self::blank(extent, layer_name);
        self.replace(editor.document().clone());
    }

    /// The frame takes the size of the picture that is planned; a fresh canvas, too.
    pub fn follow(&mut self, extent: Extent) {
        let frame = self.document().frame();
        if self.fresh && self.document().extent() != extent {
            let name = self.document().active_layer().map(|layer| layer.name.clone()).unwrap_or_default();
            // Nobody has seen the one before: pictures that were meant for it are for this one.
            let sheet = self.sheet;
            self.renew(extent, &name);
            (self.fresh, self.sheet) = (true, sheet);
        } else if frame.extent() != extent && !self.is_drawing() {
            let frame = IntRect::new(frame.x, frame.y, extent.width, extent.height);
            let before = self.editor.revision();
            let expendable = self.is_expendable();
            // A size that is no frame's is told when it is painted.
            let _ = self.editor.edit("edit-frame", |t| t.set_frame(frame));
            // The pixels are as they were, so the next picture still takes the place of the last.
            self.follows(before, expendable);
        }
    }

    /// Nothing was done to the canvas yet.
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Which document this is.
    pub const fn sheet(&self) -> Sheet {
        self.sheet
    }

    pub const fn document(&self) -> &Document {
        self.editor.document()
    }

    pub const fn editor(&self) -> &Editor {
        &self.editor
    }

    /// For commands; a gesture in hand is ended first.
    pub fn editor_mut(&mut self) -> &mut Editor {
        self.finish();
        (self.fresh, self.before) = (false, false);
        &mut self.editor
    }

    /// Something would be lost if the document went now.
    pub fn is_unsaved(&self) -> bool {
        !self.editor.is_saved() && (self.editor.is_open() || !self.is_expendable())
    }

    fn is_expendable(&self) -> bool {
        self.fresh || self.of_pictures.contains(&self.editor.revision())
    }

    /// That state of the document is in its file.
    pub fn mark_saved(&mut self, revision: Revision) {
        self.editor.mark_saved(revision);
    }

    /// The document is in no file.
    pub fn mark_unsaved(&mut self) {
        self.editor.mark_unsaved();
    }

    pub const fn tool(&self) -> ToolId {
        self.tool
    }

    /// Takes a tool into the hand; what the one before had begun is ended.
    pub fn choose(&mut self, tool: ToolId) {
        if tool != self.tool {
            self.finish();
            (self.tool, self.hand) = (tool, make(tool));
        }
    }

    /// True while the pointer is down with a tool.
    pub const fn is_drawing(&self) -> bool {
        self.pressed
    }

    /// True while a gesture or an unfinished step must not be disturbed.
    pub const fn is_busy(&self) -> bool {
        self.pressed || self.editor.is_open()
    }

    /// A pointer event for the tool; `scale` is screen pixels per canvas pixel.
    pub fn pointer(&mut self, gesture: Gesture, event: PointerEvent, scale: f64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let pours = gesture == Gesture::Press && matches!(self.tool, ToolId::Wand | ToolId::Bucket);
        let pours = pours && self.document().extent().area() > POURED_AT_ONCE;
        let Self { editor, hand, settings, .. } = self;
        let mut context = Context { easel: editor, settings, scale, effects: &mut effects };
        match gesture {
            Gesture::Press if pours => {
                self.pours.push_back(Pour { tool: self.tool, event, settings: self.settings });
            }
            Gesture::Press => hand.press(&mut context, event),
            Gesture::Drag => hand.drag(&mut context, event),
            Gesture::Release => hand.release(&mut context, event),
            Gesture::Hover => hand.hover(&mut context, event),
        }
        match gesture {
            // One sees what one does.
            Gesture::Press => (self.pressed, self.before) = (true, false),
            Gesture::Release => self.pressed = false,
            Gesture::Drag | Gesture::Hover => {}
        }
        self.last = self.pressed.then_some((event, scale));
        self.fresh &= self.editor.history().is_empty();
        effects
    }

    /// Gives up the gesture in hand; the document is as it was before it. True if there was one.
    pub fn stop(&mut self) -> bool {
        let Self { editor, hand, settings, .. } = self;
        let was_open = editor.is_open() || self.pressed;
        let mut effects = Vec::new();
        hand.cancel(&mut Context { easel: editor, settings, scale: 1.0, effects: &mut effects });
        self.editor.cancel();
        (self.pressed, self.last) = (false, None);
        was_open
    }

    /// Ends the gesture in hand where the pointer was last, as if the hand were lifted: what it has done stays. True if
    /// there was one.
    pub fn finish(&mut self) -> bool {
        let was_open = self.is_busy();
        if let Some((event, scale)) = self.last {
            for effect in self.pointer(Gesture::Release, event, scale) {
                // A view does not jump by itself, and hints are for those who let go.
                if let Effect::Pick(colour) = effect {
                    self.settings.colour = colour;
                }
            }
        }
        self.editor.commit();
        self.pressed = false;
        was_open
    }

    pub fn overlay(&self) -> Overlay {
        self.hand.overlay()
    }

    /// Shows the canvas without what was laid on it last, or as it is.
    pub fn show_before(&mut self, before: bool) {
        self.before = before && self.has_before() && !self.is_busy();
    }

    /// The canvas is shown without what was laid on it last.
    pub const fn shows_before(&self) -> bool {
        self.before
    }

    /// Something was laid on the canvas and lies there still.
    pub fn has_before(&self) -> bool {
        let differs = |(id, before): &(LayerId, ColourTiles)| {
            self.document().layer(*id).is_some_and(|layer| !layer.pixels.differences(before).is_empty())
        };
        self.laid.iter().any(differs)
    }

    /// The document as the display shows it.
    pub fn seen(&self) -> Document {
        let document = self.document().clone();
        let laid = self.laid.iter().filter(|_| self.before);
        laid.fold(document, |document, (id, before)| document.with_pixels(*id, before))
    }

    /// What the display must draw anew since the last call.
    pub fn take_change(&mut self) -> Change {
        let mut change = self.editor.take_change_to(self.seen());
        change.extent |= std::mem::take(&mut self.changed_over);
        change
    }

    /// Lays pixels on the canvas as a layer of their own. A picture that fills the frame takes the place of the one
    /// before, if nothing was done since; so it does that of a single empty layer. Gives the layer.
    ///
    /// # Errors
    /// Those of the document.
    pub fn lay(
        &mut self,
        step: &'static str,
        name: &str,
        pixels: ColourTiles,
        fills: bool,
    ) -> Result<LayerId, Problem> {
        self.finish();
        let revision = self.editor.revision();
        let last = self.filled.take().filter(|(_, state)| fills && *state == revision).map(|(layer, _)| layer);
        let expendable = fills && self.is_expendable();
        // A canvas with nothing on it takes the picture into its one layer.
        let only = match self.document().layers() {
            [layer] if layer.pixels.is_empty() && !layer.locked => Some(layer.id),
            _ => None,
        };
        let held = last.or(only).and_then(|id| self.document().layer(id)).map(|layer| layer.pixels.clone());
        let layer = self.editor.edit(step, |t| match last.or(only) {
            Some(layer) => {
                *t.pixels_mut(layer)? = pixels;
                t.rename_layer(layer, name)?;
                Ok(layer)
            }
            None => Ok(t.add_layer(Layer { pixels, ..Layer::new(name) })),
        })?;
        (self.fresh, self.before) = (false, false);
        self.laid = vec![(layer, held.unwrap_or_default())];
        self.filled = fills.then(|| (layer, self.editor.revision()));
        if expendable {
            self.of_pictures.insert(self.editor.revision());
        }
        Ok(layer)
    }

    /// Puts another picture in the place of the one that was laid last, into its layer; no step of the history.
    ///
    /// # Errors
    /// Those of the document.
    pub fn exchange(&mut self, layer: LayerId, landing: &Landing) -> Result<(), Problem> {
        self.stop();
        let (before, expendable) = (self.editor.revision(), self.is_expendable());
        let Landing { name, pixels, .. } = landing;
        self.editor.amend(|t| {
            *t.pixels_mut(layer)? = pixels.clone();
            t.rename_layer(layer, name)
        })?;
        self.before = false;
        self.follows(before, expendable);
        Ok(())
    }

    /// What lies in a layer that was laid last stays in it; gives a copy above it, which is active.
    ///
    /// # Errors
    /// Those of the document.
    pub fn split(&mut self, layer: LayerId) -> Result<LayerId, Problem> {
        let name = self.document().layer(layer).map(|layer| layer.name.clone()).unwrap_or_default();
        let copy = self.editor_mut().edit("edit-variant-keep", |t| t.duplicate_layer(layer, name))?;
        self.laid.push((copy, ColourTiles::new()));
        Ok(copy)
    }

    /// The state is another now, and what was true of the one before is true of it.
    fn follows(&mut self, before: Revision, expendable: bool) {
        let after = self.editor.revision();
        self.filled = self.filled.map(|(layer, state)| (layer, if state == before { after } else { state }));
        if expendable {
            self.of_pictures.insert(after);
        }
    }

    /// True if there is anything to be seen in the tiles of this part of the canvas.
    pub fn has_paint(&self, part: IntRect) -> bool {
        let seen = self.document().layers().iter().filter(|layer| layer.shows());
        // By tiles: it is asked in every frame, and tiles without paint are not kept.
        let mut tiles = seen.flat_map(|layer| layer.pixels.iter());
        tiles.any(|(index, _)| index.rect().intersect(part).is_some())
    }

    /// How the canvas lies in `room`: as the artist has put it, or fitted.
    pub fn view_in(&self, room: Viewport) -> View {
        self.view.unwrap_or_else(|| fitted(self.document().extent(), room))
    }
}

/// The whole canvas in the room; a small one is enlarged.
fn fitted(extent: Extent, room: Viewport) -> View {
    let inner = Viewport::new(room.size.map(|side| (side - 2.0 * MAT).max(1.0)), room.pixels_per_point);
    let view = View::fit_canvas(extent, inner);
    let [across, down] = inner.size.map(|side| side * room.pixels_per_point);
    let most = (across / f64::from(extent.width.max(1))).min(down / f64::from(extent.height.max(1)));
    // Whole and half steps keep the pixels even.
    let scale = ((most * 2.0).floor() / 2.0).min(MOST_ENLARGED);
    if scale > 1.0 { View { scale, ..view }.snapped(room) } else { view.snapped(room) }
}

fn make(tool: ToolId) -> Box<dyn Tool> {
    let line = tool.line().unwrap_or(&crate::tools::TOOLS[0]);
    (line.make)()
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = self.document();
        let mut shown = f.debug_struct("Desk");
        shown.field("extent", &document.extent()).field("layers", &document.layers().len());
        shown.field("tool", &self.tool).field("steps", &self.editor.history().len()).finish_non_exhaustive()
    }
}
