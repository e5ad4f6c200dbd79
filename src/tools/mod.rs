//! The artist's tools: one file a tool, each a small state machine from pointer events to changes of the document;
//! one table lists them. They know the document by [`Easel`] alone, which [`crate::canvas::Editor`] is.

mod at_editor;
mod bucket;
mod colour_brush;
pub mod easel;
mod ellipse;
mod eraser;
mod eyedropper;
mod frame;
mod handles;
mod lasso;
mod mask_brush;
mod move_layer;
mod overlay;
mod painting;
mod pan;
mod rectangle;
mod selecting;
mod settings;
#[cfg(test)]
mod sheet;
#[cfg(test)]
mod tests;
mod transform;
mod wand;
mod zoom;

pub use easel::{Easel, LayerState, Source};
pub use overlay::{Circle, Ghost, Overlay, Polyline};
pub use settings::{Sampling, Target, ToolSettings};
pub use transform::flip_layer;

use crate::canvas::Sample;
use serde::{Deserialize, Serialize};

/// Keys held down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    pub shift: bool,
    /// Command, on a Mac.
    pub ctrl: bool,
    pub alt: bool,
}

/// Where the pointer is, in canvas pixels; `pressure` 0 to 1 (1 for a mouse), `time` in seconds from any beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointerEvent {
    pub x: f64,
    pub y: f64,
    pub pressure: f32,
    pub time: f64,
    pub modifiers: Modifiers,
}

impl PointerEvent {
    pub(crate) const fn at(&self) -> (f64, f64) {
        (self.x, self.y)
    }

    /// The pixel under the pointer.
    pub(crate) fn pixel(&self) -> (i32, i32) {
        (self.x.floor() as i32, self.y.floor() as i32)
    }

    pub(crate) const fn sample(&self) -> Sample {
        Sample { x: self.x, y: self.y, pressure: self.pressure, time: self.time }
    }
}

/// What a tool does beside changing the document; the window carries it out before it hands on the next event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// The canvas moves so far under the window, in canvas pixels.
    Pan { by: (f64, f64) },
    /// The view grows by `factor` with this canvas point staying where it is.
    Zoom { at: (f64, f64), factor: f64 },
    /// The colour becomes this one.
    Pick([u8; 4]),
    /// Why nothing happened: a message id.
    Hint(&'static str),
}

/// What a tool works with during one event.
pub struct Context<'a> {
    pub easel: &'a mut dyn Easel,
    pub settings: &'a ToolSettings,
    /// Screen pixels per canvas pixel; more than 0.
    pub scale: f64,
    pub effects: &'a mut Vec<Effect>,
}

impl Context<'_> {
    /// So many screen pixels in canvas pixels.
    pub(crate) fn screen(&self, pixels: f64) -> f64 {
        pixels / self.scale.max(1e-6)
    }

    /// The active layer, if pixels may be put into it; if not, the artist is told why.
    pub(crate) fn open_layer(&mut self) -> Option<LayerState> {
        let hint = match self.easel.layer() {
            None => "tool-hint-no-layer",
            Some(layer) if layer.locked => "tool-hint-locked",
            Some(layer) if !layer.visible => "tool-hint-hidden",
            open => return open,
        };
        self.effects.push(Effect::Hint(hint));
        None
    }
}

/// One tool at work. [`Tool::press`] begins a gesture, [`Tool::release`] ends it, [`Tool::cancel`] (Escape, or another
/// tool chosen) undoes it without a trace. Events outside a gesture that do not belong there are passed over.
pub trait Tool {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent);
    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent);
    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent);
    fn cancel(&mut self, context: &mut Context<'_>);
    /// The pointer moves with no button down.
    fn hover(&mut self, context: &mut Context<'_>, event: PointerEvent);
    fn overlay(&self) -> Overlay;
}

/// The pointer's look over the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// The overlay's circle is the pointer.
    Brush,
    Cross,
    Pick,
    Arrow,
    Hand,
    Magnifier,
}

/// A tool's name in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolId {
    MaskBrush,
    ColourBrush,
    Eraser,
    Lasso,
    Rectangle,
    Ellipse,
    Wand,
    Bucket,
    Eyedropper,
    Move,
    Transform,
    Frame,
    Pan,
    Zoom,
}

impl ToolId {
    /// Its line of the table.
    pub fn line(self) -> Option<&'static ToolLine> {
        TOOLS.iter().find(|line| line.id == self)
    }
}

/// One line of the table. The messages `tool-STEM` and `tool-STEM-tip` are its name and what it does.
pub struct ToolLine {
    pub id: ToolId,
    pub stem: &'static str,
    /// The key that chooses it at first.
    pub key: char,
    pub cursor: Cursor,
    pub make: fn() -> Box<dyn Tool>,
}

const fn line(id: ToolId, stem: &'static str, key: char, cursor: Cursor, make: fn() -> Box<dyn Tool>) -> ToolLine {
    ToolLine { id, stem, key, cursor, make }
}

/// Every tool, in the order of the toolbar.
pub static TOOLS: [ToolLine; 14] = [
    line(ToolId::MaskBrush, "mask-brush", 'q', Cursor::Brush, || Box::new(mask_brush::MaskBrush::default())),
    line(ToolId::ColourBrush, "colour-brush", 'b', Cursor::Brush, || Box::new(colour_brush::ColourBrush::default())),
    line(ToolId::Eraser, "eraser", 'e', Cursor::Brush, || Box::new(eraser::Eraser::default())),
    line(ToolId::Lasso, "lasso", 'l', Cursor::Cross, || Box::new(lasso::Lasso::default())),
    line(ToolId::Rectangle, "rectangle", 'm', Cursor::Cross, || Box::new(rectangle::select())),
    line(ToolId::Ellipse, "ellipse", 'o', Cursor::Cross, || Box::new(ellipse::select())),
    line(ToolId::Wand, "wand", 'w', Cursor::Cross, || Box::new(wand::Wand)),
    line(ToolId::Bucket, "bucket", 'g', Cursor::Cross, || Box::new(bucket::Bucket)),
    line(ToolId::Eyedropper, "eyedropper", 'i', Cursor::Pick, || Box::new(eyedropper::Eyedropper::default())),
    line(ToolId::Move, "move", 'v', Cursor::Arrow, || Box::new(move_layer::MoveLayer::default())),
    line(ToolId::Transform, "transform", 't', Cursor::Arrow, || Box::new(transform::Transform::default())),
    line(ToolId::Frame, "frame", 'f', Cursor::Cross, || Box::new(frame::FrameTool::default())),
    line(ToolId::Pan, "pan", 'h', Cursor::Hand, || Box::new(pan::Pan::default())),
    line(ToolId::Zoom, "zoom", 'z', Cursor::Magnifier, || Box::new(zoom::Zoom::default())),
];
