//! A small document for trying tools on: one layer, a mask, a history.

use super::easel::Stamp;
use super::{Easel, LayerState, Source};
use crate::base::{Extent, IntRect, LayerId};
use crate::canvas::ColourTiles;
use crate::imaging::{Mask, Pixmap};
use std::collections::BTreeMap;

/// All that tools can change. The layer's pixels may lie beyond the canvas; transparent ones are absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub layer: BTreeMap<(i32, i32), [u8; 4]>,
    pub mask: Mask,
    pub selection: Option<Mask>,
    pub frame: IntRect,
}

pub struct Sheet {
    pub extent: Extent,
    pub content: Content,
    pub state: Option<LayerState>,
    /// Names of the steps, and what was before each.
    pub steps: Vec<(&'static str, Content)>,
    open: Option<(&'static str, Content)>,
}

impl Sheet {
    pub fn new(width: u32, height: u32) -> Self {
        let extent = Extent::new(width, height);
        let content = Content {
            layer: BTreeMap::new(),
            mask: Mask::new(extent),
            selection: None,
            frame: IntRect::new(0, 0, 64, 64),
        };
        let state = Some(LayerState { visible: true, locked: false, alpha_locked: false });
        Self { extent, content, state, steps: Vec::new(), open: None }
    }

    pub fn undo(&mut self) {
        assert!(self.open.is_none());
        self.content = self.steps.pop().unwrap().1;
    }

    pub fn fill(&mut self, area: IntRect, colour: [u8; 4]) {
        for y in area.y..area.bottom() as i32 {
            for x in area.x..area.right() as i32 {
                self.content.layer.insert((x, y), colour);
            }
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn inside(&self, x: i32, y: i32) -> bool {
        IntRect::new(0, 0, self.extent.width, self.extent.height).intersect(IntRect::new(x, y, 1, 1)).is_some()
    }

    fn cut(&self, mask: &Mask, area: IntRect) -> Mask {
        let at = |(x, y)| if self.inside(x, y) { mask.bytes()[(y * self.extent.width as i32 + x) as usize] } else { 0 };
        Mask::from_bytes(area.extent(), places(area).map(at).collect()).unwrap()
    }

    fn put(&mut self, place: (i32, i32), pixel: [u8; 4]) {
        assert!(self.open.is_some(), "written outside a transaction");
        if pixel == [0; 4] {
            self.content.layer.remove(&place);
        } else {
            self.content.layer.insert(place, pixel);
        }
    }
}

fn places(area: IntRect) -> impl Iterator<Item = (i32, i32)> {
    (area.y..area.bottom() as i32).flat_map(move |y| (area.x..area.right() as i32).map(move |x| (x, y)))
}

fn pixels_at(x: i32, y: i32, pixels: &Pixmap) -> impl Iterator<Item = ((i32, i32), [u8; 4])> {
    let area = IntRect::new(x, y, pixels.width(), pixels.extent().height);
    places(area).zip(pixels.rgba().chunks_exact(4).map(|p| p.try_into().unwrap()))
}

impl Easel for Sheet {
    fn extent(&self) -> Extent {
        self.extent
    }

    fn layer(&self) -> Option<LayerState> {
        self.state
    }

    fn layer_bounds(&self) -> Option<IntRect> {
        let seen = || self.content.layer.iter().filter(|(_, p)| p[3] > 0).map(|(place, _)| *place);
        let (left, right) = (seen().map(|p| p.0).min()?, seen().map(|p| p.0).max()?);
        let (top, bottom) = (seen().map(|p| p.1).min()?, seen().map(|p| p.1).max()?);
        Some(IntRect::new(left, top, (right - left + 1) as u32, (bottom - top + 1) as u32))
    }

    fn layer_stamp(&self) -> Stamp {
        let mut tiles = ColourTiles::new();
        self.content.layer.iter().for_each(|((x, y), pixel)| tiles.set_pixel(*x, *y, *pixel));
        Some((LayerId(0), tiles))
    }

    fn read(&self, _: Source, area: IntRect) -> Pixmap {
        let at = |place| self.content.layer.get(&place).copied().unwrap_or_default();
        Pixmap::from_rgba(area.extent(), places(area).flat_map(at).collect()).unwrap()
    }

    fn read_mask(&self, area: IntRect) -> Mask {
        self.cut(&self.content.mask, area)
    }

    fn read_selection(&self, area: IntRect) -> Option<Mask> {
        self.content.selection.as_ref().map(|selection| self.cut(selection, area))
    }

    fn frame(&self) -> IntRect {
        self.content.frame
    }

    fn begin(&mut self, name: &'static str) {
        assert!(self.open.is_none(), "{name} begun within another");
        self.open = Some((name, self.content.clone()));
    }

    fn commit(&mut self) {
        let (name, before) = self.open.take().unwrap();
        if before != self.content {
            self.steps.push((name, before));
        }
    }

    fn rollback(&mut self) {
        self.content = self.open.take().unwrap().1;
    }

    fn write(&mut self, x: i32, y: i32, pixels: &Pixmap) {
        for (place, pixel) in pixels_at(x, y, pixels) {
            if self.inside(place.0, place.1) {
                self.put(place, pixel);
            }
        }
    }

    fn write_mask(&mut self, x: i32, y: i32, mask: &Mask) {
        assert!(self.open.is_some());
        let area = IntRect::new(x, y, mask.extent().width, mask.extent().height);
        for ((x, y), value) in places(area).zip(mask.bytes()) {
            if self.inside(x, y) {
                self.content.mask.bytes_mut()[(y * self.extent.width as i32 + x) as usize] = *value;
            }
        }
    }

    fn select(&mut self, mask: Option<Mask>) {
        assert!(self.open.is_some());
        assert!(mask.as_ref().is_none_or(|mask| mask.extent() == self.extent));
        self.content.selection = mask;
    }

    fn shift_layer(&mut self, by: (i32, i32)) {
        let (_, before) = self.open.as_ref().unwrap();
        self.content.layer = before.layer.iter().map(|((x, y), p)| ((x + by.0, y + by.1), *p)).collect();
    }

    fn replace_layer(&mut self, x: i32, y: i32, pixels: &Pixmap) {
        self.content.layer.clear();
        pixels_at(x, y, pixels).for_each(|(place, pixel)| self.put(place, pixel));
    }

    fn set_frame(&mut self, frame: IntRect) {
        assert!(self.open.is_some());
        self.content.frame = frame;
    }
}
