//! What the layers look like together.

use super::document::Document;
use super::hands::share;
use super::layer::Layer;
use super::tiles::{TILE, TILE_PIXELS, Tile, TileIndex};
use crate::base::{IntRect, LayerId};
use crate::imaging::Pixmap;
use crate::imaging::blend_mode::{BlendMode, blend_row};
use rayon::prelude::*;
use std::sync::Arc;

/// The picture of all layers in one tile, premultiplied sRGB, for the graphics card; transparent off the canvas.
/// `None` if nothing is seen in it.
pub fn compose_tile(document: &Document, index: TileIndex) -> Option<Arc<Tile<4>>> {
    let part = index.rect().intersect(document.canvas())?;
    let mut tile = straight(&document.layers, index)?;
    if part != index.rect() {
        Arc::make_mut(&mut tile).keep(part);
    }
    if !tile.is_opaque() {
        Arc::make_mut(&mut tile).pixels.iter_mut().for_each(premultiply);
    }
    (!tile.is_empty()).then_some(tile)
}

/// Many tiles at once, on all cores; those of which nothing is seen give `None`.
pub fn compose_tiles(document: &Document, indices: &[TileIndex]) -> Vec<(TileIndex, Option<Arc<Tile<4>>>)> {
    // Handing out work costs more than a few tiles.
    share(indices.to_vec(), 16, |index| (index, compose_tile(document, index)))
}

/// The picture of all layers in a rectangle, straight alpha; what layers have off the canvas is shown, too, if the
/// rectangle reaches there.
pub fn flatten(document: &Document, rect: IntRect) -> Pixmap {
    flatten_layers(&document.layers, rect)
}

/// The picture of the layers below one, as [`flatten`]; of all if it is not there.
pub fn flatten_below(document: &Document, id: LayerId, rect: IntRect) -> Pixmap {
    let count = document.position(id).unwrap_or(document.layers.len());
    flatten_layers(document.layers.get(..count).unwrap_or_default(), rect)
}

/// The picture of layers, given from the bottom, in a rectangle.
pub fn flatten_layers(layers: &[Layer], rect: IntRect) -> Pixmap {
    let mut picture = Pixmap::new(rect.extent());
    let stride = rect.width as usize * 4;
    if stride == 0 {
        return picture;
    }
    // The strips between the tiles' edges, from the top; each is filled by itself.
    let first = ((TILE - rect.y.rem_euclid(TILE)) as usize).min(rect.height as usize);
    let (top, rest) = picture.rgba_mut().split_at_mut(first * stride);
    let rest = rest.par_chunks_mut(TILE as usize * stride).enumerate();
    let strips = rest.map(|(i, strip)| (i64::from(rect.y) + first as i64 + i as i64 * i64::from(TILE), strip));
    let top = rayon::iter::once((i64::from(rect.y), top));
    top.chain(strips).for_each(|(y, strip)| {
        let strip_rect = IntRect::new(rect.x, y as i32, rect.width, (strip.len() / stride) as u32);
        let rows = strip.as_chunks_mut().0;
        for index in TileIndex::covering(strip_rect) {
            let (Some(part), Some(tile)) = (index.rect().intersect(strip_rect), straight(layers, index)) else {
                continue;
            };
            for y in part.y..part.bottom() as i32 {
                let at = (y - strip_rect.y) as usize * rect.width as usize + (part.x - rect.x) as usize;
                let from = part.x.rem_euclid(TILE) as usize;
                let source = tile.row(y.rem_euclid(TILE) as usize).get(from..from + part.width as usize);
                if let (Some(to), Some(source)) = (rows.get_mut(at..at + part.width as usize), source) {
                    to.copy_from_slice(source);
                }
            }
        }
    });
    picture
}

/// The picture of layers in one tile, straight alpha; a tile of a layer itself where that is all there is to see.
pub(super) fn straight(layers: &[Layer], index: TileIndex) -> Option<Arc<Tile<4>>> {
    let stack = layers.iter().filter(|layer| layer.shows());
    let mut stack: Vec<_> = stack.filter_map(|layer| Some((layer, layer.pixels.tile(index)?))).collect();
    let covers = |(layer, tile): &(&Layer, &Arc<Tile<4>>)| {
        layer.blend == BlendMode::Normal && layer.opacity_byte() == 255 && tile.is_opaque()
    };
    if let Some(floor) = stack.iter().rposition(covers) {
        stack.drain(..floor);
    }
    let mut stack = stack.into_iter();
    let (lowest, tile) = stack.next()?;
    let mut result = Arc::clone(tile);
    if lowest.opacity_byte() < 255 {
        result = Arc::new(Tile::filled([0; 4]));
        blend_row(BlendMode::Normal, &mut Arc::make_mut(&mut result).pixels, &tile.pixels, lowest.opacity_byte());
    }
    for (layer, tile) in stack {
        blend_row(layer.blend, &mut Arc::make_mut(&mut result).pixels, &tile.pixels, layer.opacity_byte());
    }
    Some(result)
}

fn premultiply(pixel: &mut [u8; 4]) {
    let [r, g, b, a] = *pixel;
    let times = |c: u8| ((u32::from(c) * u32::from(a) + 127) / 255) as u8;
    *pixel = [times(r), times(g), times(b), a];
}

impl<const C: usize> Tile<C> {
    /// Clears all but a part, given in pixels of the plane that lie in this tile.
    fn keep(&mut self, part: IntRect) {
        let (left, top) = (part.x.rem_euclid(TILE) as usize, part.y.rem_euclid(TILE) as usize);
        let (right, bottom) = (left + part.width as usize, top + part.height as usize);
        for at in 0..TILE_PIXELS {
            let (x, y) = (at % TILE as usize, at / TILE as usize);
            if !(left..right).contains(&x) || !(top..bottom).contains(&y) {
                self.pixels.get_mut(at).into_iter().for_each(|pixel| *pixel = [0; C]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;

    fn layer(colour: [u8; 4], rect: IntRect) -> Layer {
        let mut layer = Layer::new("层");
        layer.pixels.fill(rect, colour);
        layer
    }

    #[test]
    fn a_tile_is_premultiplied_and_ends_at_the_canvas() {
        let everywhere = IntRect::new(-100, -100, 400, 400);
        let layers = vec![layer([200, 100, 0, 128], everywhere)];
        let document = Document::from_layers(Extent::new(70, 10), layers).unwrap();
        let tile = compose_tile(&document, TileIndex::new(1, 0)).unwrap();
        assert_eq!(tile.row(9)[5], [100, 50, 0, 128]);
        assert_eq!(tile.row(9)[6], [0; 4]);
        assert_eq!(tile.row(10)[5], [0; 4]);
        assert_eq!(compose_tile(&document, TileIndex::new(0, 1)), None);
        let whole = flatten(&document, IntRect::new(-1, -1, 3, 2));
        assert_eq!(whole.rgba(), [200, 100, 0, 128].repeat(6));
    }

    #[test]
    fn layers_lie_in_their_order_and_hidden_ones_do_not() {
        let rect = IntRect::new(0, 0, 64, 64);
        let mut top = layer([0, 0, 255, 255], IntRect::new(0, 0, 32, 64));
        top.opacity = 0.5;
        let mut middle = layer([255, 255, 255, 255], rect);
        middle.visible = false;
        let below = layer([255, 0, 0, 255], rect);
        let id = top.id;
        let document = Document::from_layers(Extent::new(64, 64), vec![below, middle, top]).unwrap();
        let picture = flatten(&document, rect);
        assert_eq!(picture.pixel(0, 0), Some([127, 0, 128, 255]));
        assert_eq!(picture.pixel(40, 0), Some([255, 0, 0, 255]));
        assert_eq!(flatten_below(&document, id, rect).pixel(0, 0), Some([255, 0, 0, 255]));
    }

    #[test]
    fn any_rectangle_is_a_part_of_the_whole() {
        let mut layers = vec![layer([10, 20, 30, 255], IntRect::new(3, 5, 150, 140))];
        layers.push(layer([200, 0, 99, 77], IntRect::new(-9, 60, 90, 200)));
        let document = Document::from_layers(Extent::new(200, 200), layers).unwrap();
        let whole = flatten(&document, IntRect::new(-10, -10, 220, 220));
        for rect in [IntRect::new(-10, 63, 220, 1), IntRect::new(1, 1, 130, 199), IntRect::new(64, 64, 64, 64)] {
            let part = flatten(&document, rect);
            for (x, y) in (0..rect.height).flat_map(|y| (0..rect.width).map(move |x| (x, y))) {
                let there = whole.pixel((rect.x + 10) as u32 + x, (rect.y + 10) as u32 + y);
                assert_eq!(part.pixel(x, y), there, "{x} {y} {rect:?}");
            }
        }
        assert!(flatten(&document, IntRect::new(0, 0, 0, 9)).rgba().is_empty());
    }
}
