//! The canvas on the graphics card: tiles in, a picture out. It knows nothing of documents.
//!
//! Tiles of 64×64 pixels lie in slots of a texture that grows with them ([`atlas`](self)); a table with one texel a tile
//! says which slot, or which single colour, a tile has, so that empty and flat tiles take no memory. One triangle covers
//! the view; its shader (`viewport.wgsl`) finds the canvas pixels of each screen pixel through the table and averages
//! them over the screen pixel's area, from halved copies of the tiles where the canvas is seen from afar. Colours are
//! sRGB values throughout and blended as such, as egui does.
//!
//! Tiles that are handed in wait for the next frame that paints the view; a frame sends a few megabytes, what is seen
//! first, and asks for another frame while there is more. Where there is no graphics card (tests without one, or one that
//! refuses), tiles are dropped and only ground and paper are painted.

mod atlas;
mod gpu;
mod pipelines;
mod slot;
mod table;
mod uniform;
mod view;

pub use view::{Affine, Visible, tiles_of};

use crate::base::{Extent, IntRect};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use eframe::wgpu;
use egui::{Color32, PaintCallbackInfo, Painter, Rect, Shape, Stroke, pos2};
use gpu::{Change, Gpu, Ready};
use slot::TILE_TEXELS;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::{Entry, Plane};

/// Side of a tile in pixels.
pub const TILE: u32 = 64;
/// Longest side of a canvas in pixels.
pub const MOST_SIDE: u32 = 16384;
/// Bytes of a tile of the picture: RGBA, premultiplied, sRGB, row by row.
pub const COLOR_BYTES: usize = TILE_TEXELS * 4;
/// Bytes of a tile of the mask or the selection.
pub const COVERAGE_BYTES: usize = TILE_TEXELS;
/// Bytes that a frame sends.
const BUDGET: usize = 4 << 20;

/// A picture: its size, and RGBA bytes.
type Pixels = (Extent, Vec<u8>);

/// How a canvas is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewParams {
    /// From canvas pixels to points of the screen. Painted [`Affine::snapped`].
    pub to_screen: Affine,
    /// Round the canvas.
    pub ground: Color32,
    /// Under transparent pixels: squares of two opaque colours that stay where they are on the screen.
    pub check_light: Color32,
    pub check_dark: Color32,
    /// Their side in points.
    pub check_size: f32,
    /// Shows the mask.
    pub mask: Option<MaskOverlay>,
    /// Opacity of the lines between pixels, 0 to 1; they are there from 8 screen pixels a canvas pixel on.
    pub grid: f32,
    /// Shows the edge of the selection; the stripes are shifted by so many points (8 are a round).
    pub ants: Option<f32>,
    /// Shows the preview.
    pub preview: Option<PreviewPlace>,
    pub compare: Compare,
}

impl ViewParams {
    /// Paper-white and grey squares of 8 points and nothing else over the picture.
    pub fn new(to_screen: Affine, ground: Color32) -> Self {
        Self {
            to_screen,
            ground,
            check_light: Color32::WHITE,
            check_dark: Color32::from_gray(0xd8),
            check_size: 8.0,
            mask: None,
            grid: 0.0,
            ants: None,
            preview: None,
            compare: Compare::After,
        }
    }
}

/// How the mask is shown: its colour over the picture, as strong as the mask times `opacity` (0 to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskOverlay {
    pub color: Color32,
    pub opacity: f32,
}

/// Where on the canvas the preview is drawn, and how opaque (0 to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreviewPlace {
    pub rect: IntRect,
    pub opacity: f32,
}

/// Which picture is shown. What was before has no mask and no preview over it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Compare {
    #[default]
    After,
    Before,
    /// Before to the left of this screen coordinate (points), after to its right.
    Split(f32),
}

/// See the module.
pub struct Viewport {
    card: Option<Card>,
    extent: Extent,
    budget: usize,
}

struct Card {
    device: wgpu::Device,
    gpu: Arc<Mutex<Gpu>>,
}

impl Card {
    fn gpu(&self) -> MutexGuard<'_, Gpu> {
        lock(&self.gpu)
    }
}

/// Only the thread of the window takes it, and never for long.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Viewport {
    /// An empty canvas. Without a `render_state`, or if the graphics card refuses, nothing but ground is ever painted.
    pub fn new(render_state: Option<&RenderState>) -> Self {
        let card = render_state.and_then(|state| {
            let gpu = Arc::new(Mutex::new(Gpu::new(state)?));
            Some(Card { device: state.device.clone(), gpu })
        });
        Self { card, extent: Extent::new(0, 0), budget: BUDGET }
    }

    /// True if there is a graphics card to paint with.
    pub fn is_live(&self) -> bool {
        self.card.is_some()
    }

    /// Bytes of tiles that a frame sends, 4 MiB at first; at least one tile goes each frame.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// A new canvas, all transparent. Sides beyond [`MOST_SIDE`] are cut off.
    pub fn resize(&mut self, extent: Extent) {
        self.extent = Extent::new(extent.width.min(MOST_SIDE), extent.height.min(MOST_SIDE));
        if let Some(card) = &self.card {
            card.gpu().resize(&card.device, self.extent);
        }
    }

    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// A tile of the picture, [`COLOR_BYTES`] bytes; `None` is transparent. Tiles are counted row by row
    /// ([`tiles_of`]); one that is off the canvas, or bytes that are not as many, change nothing.
    pub fn upload_tile(&mut self, tile: u32, pixels: Option<&[u8]>) {
        self.upload(Plane::Picture, tile, pixels);
    }

    /// A tile of what [`Compare::Before`] shows; `None` is as the picture is.
    pub fn upload_before_tile(&mut self, tile: u32, pixels: Option<&[u8]>) {
        self.upload(Plane::Before, tile, pixels);
    }

    /// A tile of the mask, [`COVERAGE_BYTES`] bytes; `None` is unmasked.
    pub fn upload_mask_tile(&mut self, tile: u32, coverage: Option<&[u8]>) {
        self.upload(Plane::Mask, tile, coverage);
    }

    /// A tile of the selection, [`COVERAGE_BYTES`] bytes, selected from 128 on; `None` is not selected.
    pub fn upload_selection_tile(&mut self, tile: u32, coverage: Option<&[u8]>) {
        self.upload(Plane::Selection, tile, coverage);
    }

    fn upload(&mut self, plane: Plane, tile: u32, texels: Option<&[u8]>) {
        let Some(card) = &self.card else {
            return;
        };
        let mut gpu = card.gpu();
        let Some(inside) = gpu.inside(tile) else {
            return;
        };
        let change = match texels {
            None if plane.blank() == Entry::Through => Change::Through,
            None => Change::Flat(0),
            Some(bytes) if bytes.len() != TILE_TEXELS * plane.texel() => return,
            Some(bytes) => match slot::flat(bytes, plane.texel(), inside) {
                Some(value) => {
                    let mut four = [0; 4];
                    four.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
                    Change::Flat(u32::from_le_bytes(four))
                }
                None => Change::Texels(bytes.into()),
            },
        };
        gpu.put(plane, tile, change);
    }

    /// A picture to be drawn over the canvas, scaled smoothly, where [`ViewParams::preview`] says; RGBA, premultiplied.
    /// Nothing if it is empty, larger than the graphics card takes, or its bytes are not four a pixel.
    pub fn set_preview(&mut self, preview: Option<(Extent, &[u8])>) {
        let Some(card) = &self.card else {
            return;
        };
        let most = card.device.limits().max_texture_dimension_2d;
        let fits = |extent: Extent| !extent.is_empty() && extent.width <= most && extent.height <= most;
        let preview = preview.filter(|(extent, bytes)| fits(*extent) && bytes.len() as u64 == extent.area() * 4);
        card.gpu().put_preview(preview.map(|(extent, bytes)| (extent, bytes.to_vec())));
    }

    /// True while tiles wait for a frame. [`Self::paint`] then asks for one.
    pub fn pending(&self) -> bool {
        self.pending_bytes() > 0
    }

    /// Bytes that wait; who hands in a large document can wait for this to sink.
    pub fn pending_bytes(&self) -> usize {
        self.card.as_ref().map_or(0, |card| card.gpu().waiting_bytes())
    }

    /// True while what was painted would be painted faster a little later, and no different.
    pub fn is_warming_up(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.gpu().is_making_pipelines())
    }

    /// Bytes of tiles on the graphics card, free ones among them.
    pub fn bytes_on_card(&self) -> u64 {
        self.card.as_ref().map_or(0, |card| card.gpu().bytes())
    }

    /// Paints the canvas into `rect` (points). Up to eight views a frame, for a navigator beside the canvas.
    pub fn paint(&self, painter: &Painter, rect: Rect, params: &ViewParams) {
        let Some(card) = &self.card else {
            self.paint_paper(painter, rect, params);
            return;
        };
        if card.gpu().waiting_bytes() > self.budget {
            painter.ctx().request_repaint();
        }
        let (gpu, params) = (Arc::clone(&card.gpu), params.clone());
        let frame = Frame { gpu, params, rect, budget: self.budget, ready: Mutex::new(None) };
        painter.add(Callback::new_paint_callback(rect, frame));
    }

    fn paint_paper(&self, painter: &Painter, rect: Rect, params: &ViewParams) {
        painter.rect_filled(rect, 0, params.ground);
        if params.to_screen.inverse().is_none() {
            return;
        }
        let (right, bottom) = (f64::from(self.extent.width), f64::from(self.extent.height));
        let corners = [[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]].map(|corner| {
            let [x, y] = params.to_screen.apply(corner);
            pos2(x as f32, y as f32)
        });
        let paper = Shape::convex_polygon(corners.to_vec(), params.check_light, Stroke::NONE);
        painter.with_clip_rect(rect.intersect(painter.clip_rect())).add(paper);
    }
}

/// One view in one frame.
struct Frame {
    gpu: Arc<Mutex<Gpu>>,
    params: ViewParams,
    rect: Rect,
    budget: usize,
    ready: Mutex<Option<Ready>>,
}

impl CallbackTrait for Frame {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        _resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let mut gpu = lock(&self.gpu);
        let ready = || gpu.prepare(device, queue, &self.params, self.rect, screen.pixels_per_point, self.budget);
        // A graphics card without memory for what is sent leaves the view out, not the window.
        *lock(&self.ready) = gpu::caught(device, ready);
        Vec::new()
    }

    fn paint(&self, _info: PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, _resources: &CallbackResources) {
        if let Some(ready) = &*lock(&self.ready) {
            lock(&self.gpu).draw(pass, ready);
        }
    }
}
