//! [`Desk`]: the document that is worked on, the tool in the hand, and where one looks.

use crate::base::{Extent, IntRect, LayerId, Problem};
use crate::canvas::history::Revision;
use crate::canvas::{Change, Document, Editor, View};
use crate::imaging::Pixmap;
use crate::tools::{Context, Effect, Overlay, PointerEvent, Tool, ToolId, ToolSettings};
use std::fmt;
use std::path::PathBuf;

/// A gesture with the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    Press,
    Drag,
    Release,
    Hover,
}

/// See the module.
pub struct Desk {
    editor: Editor,
    /// Where one looks; `None` until the window has told how large it is, and after [`Desk::fit`].
    pub view: Option<View>,
    tool: ToolId,
    hand: Box<dyn Tool>,
    pressed: bool,
    pub settings: ToolSettings,
    /// The colour that `SwapColours` brings.
    pub other_colour: [u8; 4],
    /// The repaint mask is shown.
    pub mask_shown: bool,
    /// The window shows the canvas and nothing else.
    pub canvas_only: bool,
    /// The project file; `None` until it is saved.
    pub path: Option<PathBuf>,
    /// The layer that a whole picture was painted into last, and the state that it made: the next one takes its place
    /// as long as nothing was done since.
    filled: Option<(LayerId, Revision)>,
    /// The document is as the program made it: its size follows the size of the next picture.
    fresh: bool,
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
            view: None,
            tool,
            hand: make(tool),
            pressed: false,
            settings: ToolSettings::default(),
            other_colour: [255; 4],
            mask_shown: true,
            canvas_only: false,
            path: None,
            filled: None,
            fresh: false,
        }
    }

    /// Another document comes onto the desk; tools and colours stay as they are.
    pub fn replace(&mut self, document: Document) {
        self.stop();
        self.editor = Editor::new(document);
        (self.view, self.path, self.filled, self.fresh) = (None, None, None, false);
    }

    /// A fresh canvas takes the size of the picture that is planned.
    pub fn resize_fresh(&mut self, extent: Extent) {
        if self.fresh && self.document().extent() != extent {
            let name = self.document().active_layer().map(|layer| layer.name.clone()).unwrap_or_default();
            let kept = std::mem::replace(self, Self::blank(extent, &name));
            (self.settings, self.other_colour, self.mask_shown) = (kept.settings, kept.other_colour, kept.mask_shown);
            self.choose(kept.tool);
        }
    }

    /// Nothing was done to the canvas yet.
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub const fn document(&self) -> &Document {
        self.editor.document()
    }

    pub const fn editor(&self) -> &Editor {
        &self.editor
    }

    /// For commands; a gesture in hand is given up first.
    pub fn editor_mut(&mut self) -> &mut Editor {
        self.stop();
        self.fresh = false;
        &mut self.editor
    }

    pub const fn tool(&self) -> ToolId {
        self.tool
    }

    /// Takes a tool into the hand; what the one before had begun is given up.
    pub fn choose(&mut self, tool: ToolId) {
        if tool != self.tool {
            self.stop();
            (self.tool, self.hand) = (tool, make(tool));
        }
    }

    /// True while the pointer is down with a tool.
    pub const fn is_drawing(&self) -> bool {
        self.pressed
    }

    /// A pointer event for the tool; `scale` is screen pixels per canvas pixel.
    pub fn pointer(&mut self, gesture: Gesture, event: PointerEvent, scale: f64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Self { editor, hand, settings, .. } = self;
        let mut context = Context { easel: editor, settings, scale, effects: &mut effects };
        match gesture {
            Gesture::Press => hand.press(&mut context, event),
            Gesture::Drag => hand.drag(&mut context, event),
            Gesture::Release => hand.release(&mut context, event),
            Gesture::Hover => hand.hover(&mut context, event),
        }
        match gesture {
            Gesture::Press => self.pressed = true,
            Gesture::Release => self.pressed = false,
            Gesture::Drag | Gesture::Hover => {}
        }
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
        self.pressed = false;
        was_open
    }

    pub fn overlay(&self) -> Overlay {
        self.hand.overlay()
    }

    /// What the display must draw anew since the last call.
    pub fn take_change(&mut self) -> Change {
        self.editor.take_change()
    }

    /// Lays a picture on the canvas as a layer of its own. A picture that fills the frame takes the place of the one
    /// before, if nothing was done since. A canvas that nobody has touched takes its only layer.
    ///
    /// # Errors
    /// Those of the document.
    pub fn lay(
        &mut self,
        step: &'static str,
        name: &str,
        picture: &Pixmap,
        (x, y): (i32, i32),
        fills: bool,
    ) -> Result<(), Problem> {
        self.stop();
        let revision = self.editor.revision();
        let last = self.filled.take().filter(|(_, state)| fills && *state == revision).map(|(layer, _)| layer);
        let only = (self.fresh && self.document().layers().len() == 1).then(|| self.document().active());
        let layer = self.editor.edit(step, |t| match last.or(only) {
            Some(layer) => {
                t.replace_pixels(layer, x, y, picture)?;
                t.rename(layer, name)?;
                Ok(layer)
            }
            None => t.add_picture(name, picture, x, y),
        })?;
        self.fresh = false;
        self.filled = fills.then(|| (layer, self.editor.revision()));
        Ok(())
    }

    /// True if there is anything to be seen in this part of the canvas.
    pub fn has_paint(&self, part: IntRect) -> bool {
        let seen = self.document().layers().iter().filter(|layer| layer.shows());
        seen.filter_map(|layer| layer.pixels.bounds()).any(|bounds| bounds.intersect(part).is_some())
    }

    /// Shows the whole canvas, as soon as the window is drawn.
    pub fn fit(&mut self) {
        self.view = None;
    }
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
