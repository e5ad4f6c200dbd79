//! Pixels of layers: pasting, filling, clearing, moving.

use crate::base::{IntRect, LayerId, Problem};
use crate::canvas::document::check_extent;
use crate::canvas::layer::Layer;
use crate::canvas::tiles::{ColourTiles, MaskTiles, TILE, Tile, TileIndex};
use crate::canvas::transaction::Transaction;
use crate::imaging::blend_mode::{BlendMode, blend};
use crate::imaging::{Mask, Pixmap};

impl Transaction<'_> {
    /// A picture as a new layer above the active one, its top left corner at (x, y); its alpha is lessened by the mask
    /// where there is one (pixels that the mask does not reach come out transparent). Gives the layer's id.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::SizeInvalid`] if the picture is empty or too large for any canvas.
    pub fn paste_layer(
        &mut self,
        name: impl Into<String>,
        picture: &Pixmap,
        mask: Option<&Mask>,
        x: i32,
        y: i32,
    ) -> Result<LayerId, Problem> {
        check_extent(picture.extent())?;
        let pixels = match mask {
            Some(mask) => ColourTiles::from_pixmap(x, y, &masked(picture, mask)),
            None => ColourTiles::from_pixmap(x, y, picture),
        };
        Ok(self.add_layer(Layer { pixels, ..Layer::new(name) }))
    }

    /// Lays a colour over the selected part of the canvas. With [`Layer::alpha_locked`], only over what is there.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::LayerMissing`], [`crate::base::ProblemKind::LayerLocked`].
    pub fn fill_layer(&mut self, id: LayerId, colour: [u8; 4]) -> Result<(), Problem> {
        let (canvas, selection) = (self.document.canvas(), self.document.selection.clone());
        let keeps_alpha = self.layer_mut(id)?.alpha_locked;
        let pixels = self.pixels_mut(id)?;
        let opaque = colour.last() == Some(&255);
        if selection.is_none() && opaque && !keeps_alpha {
            pixels.fill(canvas, colour);
            return Ok(());
        }
        pixels.under(canvas, selection.as_ref(), |pixel, share| {
            let [r, g, b, alpha] = blend(BlendMode::Normal, pixel, colour, share);
            let [.., old] = pixel;
            if keeps_alpha { [r, g, b, old] } else { [r, g, b, alpha] }
        });
        Ok(())
    }

    /// Makes the selected part of a layer transparent; without a selection all of it, off the canvas, too.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::LayerMissing`], [`crate::base::ProblemKind::LayerLocked`].
    pub fn clear_layer(&mut self, id: LayerId) -> Result<(), Problem> {
        let selection = self.document.selection.clone();
        let pixels = self.pixels_mut(id)?;
        let Some(selection) = selection else {
            *pixels = ColourTiles::new();
            return Ok(());
        };
        for rect in selection.iter().map(|(index, _)| index.rect()) {
            pixels.under(rect, Some(&selection), |[r, g, b, a], share| [r, g, b, scaled(a, 255 - share)]);
        }
        Ok(())
    }

    /// Moves a layer by whole pixels. Nothing is lost at the edge of the canvas.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::LayerMissing`], [`crate::base::ProblemKind::LayerLocked`].
    pub fn move_layer(&mut self, id: LayerId, dx: i32, dy: i32) -> Result<(), Problem> {
        let pixels = self.pixels_mut(id)?;
        if (dx, dy) != (0, 0) {
            *pixels = pixels.moved(dx, dy);
        }
        Ok(())
    }
}

/// a·share/255, rounded.
fn scaled(a: u8, share: u8) -> u8 {
    ((u32::from(a) * u32::from(share) + 127) / 255) as u8
}

/// The picture with its alpha lessened by the mask, which is 0 beyond its end.
fn masked(picture: &Pixmap, mask: &Mask) -> Pixmap {
    let mut result = picture.clone();
    let columns = mask.extent().width as usize;
    let rows = result.rgba_mut().chunks_exact_mut(picture.width().max(1) as usize * 4);
    for (y, row) in rows.enumerate() {
        let shares = mask.bytes().get(y * columns..(y + 1) * columns).unwrap_or_default();
        let shares = shares.iter().copied().chain(std::iter::repeat(0));
        for ([.., alpha], share) in row.as_chunks_mut::<4>().0.iter_mut().zip(shares) {
            *alpha = scaled(*alpha, share);
        }
    }
    result
}

impl ColourTiles {
    /// Changes the pixels of a rectangle where the coverage is above 0; no coverage is 255 everywhere.
    fn under(&mut self, rect: IntRect, coverage: Option<&MaskTiles>, change: impl Fn([u8; 4], u8) -> [u8; 4]) {
        let whole = Tile::filled([255]);
        let rects: Vec<_> = match coverage {
            Some(tiles) => tiles.iter().filter_map(|(index, _)| index.rect().intersect(rect)).collect(),
            None => vec![rect],
        };
        for rect in rects {
            self.update(rect, |part, tile| {
                let index = TileIndex::of(part.x, part.y);
                let cover = coverage.and_then(|tiles| tiles.tile(index)).map_or(&whole, |tile| &**tile);
                let from = part.x.rem_euclid(TILE) as usize;
                for y in part.y..part.bottom() as i32 {
                    let y = y.rem_euclid(TILE) as usize;
                    let pixels = tile.row_mut(y).iter_mut().zip(cover.row(y));
                    for (pixel, [share]) in pixels.skip(from).take(part.width as usize) {
                        if *share > 0 {
                            *pixel = change(*pixel, *share);
                        }
                    }
                }
            });
        }
    }
}
