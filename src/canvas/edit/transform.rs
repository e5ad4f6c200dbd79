//! Layers scaled, turned, slanted, mirrored.

use crate::base::{Affine, IntRect, LayerId, Problem, ProblemKind};
use crate::canvas::tiles::{ColourTiles, TILE, Tile, TileIndex};
use crate::canvas::transaction::Transaction;
use rayon::prelude::*;
use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::Arc;

/// How a transformed pixel is had from the old ones. Both filters widen their reach when shrinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// The pixel whose centre is nearest: for pixel art.
    Nearest,
    #[default]
    Bilinear,
    /// Windowed sinc of three lobes: the sharpest.
    Lanczos3,
}

/// What needs no new colours: each pixel goes to a place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Left becomes right.
    MirrorAcross,
    /// Top becomes bottom.
    MirrorDown,
    Clockwise,
    Counterclockwise,
    Half,
}

impl Turn {
    /// The map that does it to the pixels of a rectangle, about its centre; where a quarter turn would end on half
    /// pixels, half a pixel up and to the left of that.
    pub fn map(self, rect: IntRect) -> Affine {
        let (width, height) = (f64::from(rect.width), f64::from(rect.height));
        let linear = match self {
            Self::MirrorAcross => Affine::scaling(-1.0, 1.0),
            Self::MirrorDown => Affine::scaling(1.0, -1.0),
            Self::Clockwise => Affine::rotation(FRAC_PI_2),
            Self::Counterclockwise => Affine::rotation(-FRAC_PI_2),
            Self::Half => Affine::rotation(PI),
        };
        let centre = [f64::from(rect.x) + width / 2.0, f64::from(rect.y) + height / 2.0];
        let map = linear.about(centre);
        Affine { x: map.x.floor(), y: map.y.floor(), ..map }
    }
}

impl Transaction<'_> {
    /// Mirrors or turns a layer about the centre of what is painted on it; bit for bit.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`], [`ProblemKind::LayerLocked`].
    pub fn turn_layer(&mut self, id: LayerId, turn: Turn) -> Result<(), Problem> {
        match self.pixels_mut(id)?.bounds() {
            Some(bounds) => self.transform_layer(id, turn.map(bounds), Sampling::Nearest),
            None => Ok(()),
        }
    }

    /// Maps the pixels of a layer. Maps that carry pixels onto pixels (mirrors, quarter turns, whole shifts) are exact
    /// whatever the sampling.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`], [`ProblemKind::LayerLocked`]; [`ProblemKind::ValueInvalid`] if the map squeezes
    /// the layer to nothing or blows it up beyond four times the largest canvas.
    pub fn transform_layer(&mut self, id: LayerId, map: Affine, sampling: Sampling) -> Result<(), Problem> {
        let pixels = self.pixels_mut(id)?;
        if map != Affine::IDENTITY {
            *pixels = transformed(pixels, map, sampling)?;
        }
        Ok(())
    }
}

/// The farthest that a transformed layer may reach from the origin, in pixels.
const REACH: f64 = 65536.0;

fn transformed(pixels: &ColourTiles, map: Affine, sampling: Sampling) -> Result<ColourTiles, Problem> {
    let invalid = || {
        let problem =
            Problem::new(ProblemKind::ValueInvalid).with("name", "transform").with("value", format!("{map:?}"));
        problem.with("least", -REACH).with("most", REACH)
    };
    let inverse = map.inverse().ok_or_else(invalid)?;
    let Some(bounds) = pixels.bounds() else {
        return Ok(ColourTiles::new());
    };
    let exact = {
        let whole = |v: f64| v == v.round();
        let unit = |v: f64| v == 0.0 || v.abs() == 1.0;
        [map.xx, map.xy, map.yx, map.yy].into_iter().all(unit)
            && (map.xx * map.yy - map.xy * map.yx).abs() == 1.0
            && (map.xx == 0.0) == (map.yy == 0.0)
            && (map.xx == 0.0) != (map.xy == 0.0)
            && whole(map.x)
            && whole(map.y)
    };
    let sampler = Sampler::new(pixels, bounds, inverse, if exact { Sampling::Nearest } else { sampling });
    let target = image_of(bounds, map, sampler.spill()).ok_or_else(invalid)?;
    let indices: Vec<_> = TileIndex::covering(target).collect();
    let tiles: Vec<_> = indices.par_iter().map(|index| sampler.tile(*index)).collect();
    let mut result = ColourTiles::new();
    indices.into_iter().zip(tiles).for_each(|(index, tile)| result.set_tile(index, tile));
    Ok(result)
}

/// The smallest rectangle round the mapped one widened by `spill` source pixels; `None` beyond [`REACH`].
fn image_of(rect: IntRect, map: Affine, [spill_x, spill_y]: [f64; 2]) -> Option<IntRect> {
    let (left, right) = (f64::from(rect.x) - spill_x, rect.right() as f64 + spill_x);
    let (top, bottom) = (f64::from(rect.y) - spill_y, rect.bottom() as f64 + spill_y);
    let corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(|corner| map.apply(corner));
    let fold =
        |axis: fn(&[f64; 2]) -> f64, pick: fn(f64, f64) -> f64, start| corners.iter().map(axis).fold(start, pick);
    let (x, y) = (fold(|p| p[0], f64::min, f64::INFINITY).floor(), fold(|p| p[1], f64::min, f64::INFINITY).floor());
    let end_x = fold(|p| p[0], f64::max, f64::NEG_INFINITY).ceil();
    let end_y = fold(|p| p[1], f64::max, f64::NEG_INFINITY).ceil();
    let near = [x, y, end_x, end_y].into_iter().all(|v| v.abs() <= REACH);
    near.then(|| IntRect::new(x as i32, y as i32, (end_x - x) as u32, (end_y - y) as u32))
}

/// Reads a layer through an inverse map.
struct Sampler {
    /// Premultiplied, of `bounds`.
    source: Vec<[f32; 4]>,
    straight: Vec<[u8; 4]>,
    bounds: IntRect,
    inverse: Affine,
    sampling: Sampling,
    /// How many source pixels a target pixel spans, at least 1, along the source's axes.
    stretch: [f64; 2],
}

impl Sampler {
    fn new(pixels: &ColourTiles, bounds: IntRect, inverse: Affine, sampling: Sampling) -> Self {
        let straight = pixels.read(bounds);
        let premultiplied = |[r, g, b, a]: [u8; 4]| {
            let alpha = f32::from(a) / 255.0;
            [f32::from(r) * alpha, f32::from(g) * alpha, f32::from(b) * alpha, f32::from(a)]
        };
        let source = match sampling {
            Sampling::Nearest => Vec::new(),
            _ => straight.iter().copied().map(premultiplied).collect(),
        };
        let stretch = [inverse.xx.hypot(inverse.xy).max(1.0), inverse.yx.hypot(inverse.yy).max(1.0)];
        Self { source, straight, bounds, inverse, sampling, stretch }
    }

    fn lobes(&self) -> f64 {
        match self.sampling {
            Sampling::Nearest => 0.0,
            Sampling::Bilinear => 1.0,
            Sampling::Lanczos3 => 3.0,
        }
    }

    /// How far beyond its bounds the source is felt, in source pixels.
    fn spill(&self) -> [f64; 2] {
        self.stretch.map(|stretch| stretch * self.lobes())
    }

    fn tile(&self, index: TileIndex) -> Option<Arc<Tile<4>>> {
        let mut tile = Tile::filled([0; 4]);
        let origin = index.rect();
        let mut weights = [Vec::new(), Vec::new()];
        for y in 0..TILE {
            for (x, pixel) in tile.row_mut(y as usize).iter_mut().enumerate() {
                let centre = [f64::from(origin.x) + x as f64 + 0.5, f64::from(origin.y + y) + 0.5];
                let at = self.inverse.apply(centre);
                let here = [at[0] - f64::from(self.bounds.x), at[1] - f64::from(self.bounds.y)];
                *pixel = match self.sampling {
                    Sampling::Nearest => self.nearest(here),
                    _ => self.filtered(here, &mut weights),
                };
            }
        }
        (!tile.is_empty()).then(|| Arc::new(tile))
    }

    fn nearest(&self, [x, y]: [f64; 2]) -> [u8; 4] {
        let (width, height) = (f64::from(self.bounds.width), f64::from(self.bounds.height));
        let inside = (0.0..width).contains(&x) && (0.0..height).contains(&y);
        let at = y.max(0.0) as usize * self.bounds.width as usize + x.max(0.0) as usize;
        if inside { self.straight.get(at).copied().unwrap_or_default() } else { [0; 4] }
    }

    /// What lies beyond the bounds counts as transparent.
    fn filtered(&self, [x, y]: [f64; 2], [across, down]: &mut [Vec<f32>; 2]) -> [u8; 4] {
        let [stretch_x, stretch_y] = self.stretch;
        let first_x = self.weigh(x, stretch_x, across);
        let first_y = self.weigh(y, stretch_y, down);
        let (width, height) = (i64::from(self.bounds.width), i64::from(self.bounds.height));
        let mut sum = [0.0f32; 4];
        for (row, weight_y) in (first_y..).zip(down.iter()).filter(|(row, _)| (0..height).contains(row)) {
            for (column, weight_x) in (first_x..).zip(across.iter()).filter(|(column, _)| (0..width).contains(column)) {
                if let Some(pixel) = self.source.get((row * width + column) as usize) {
                    let weight = weight_x * weight_y;
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value * weight);
                }
            }
        }
        let [.., alpha] = sum;
        if alpha < 0.5 {
            return [0; 4];
        }
        let [r, g, b, _] = sum.map(|value| (value * 255.0 / alpha).round() as u8);
        [r, g, b, alpha.round() as u8]
    }

    /// Fills the weights of the source pixels near `at` along one axis, with a sum of 1; gives the first one's place.
    fn weigh(&self, at: f64, stretch: f64, weights: &mut Vec<f32>) -> i64 {
        let reach = self.lobes() * stretch;
        let first = (at - reach - 0.5).ceil();
        let last = (at + reach - 0.5).floor();
        weights.clear();
        let mut place = first;
        while place <= last {
            weights.push(self.kernel((place + 0.5 - at) / stretch) as f32);
            place += 1.0;
        }
        let sum: f32 = weights.iter().sum();
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        first as i64
    }

    fn kernel(&self, x: f64) -> f64 {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        match self.sampling {
            Sampling::Lanczos3 if x.abs() < 3.0 => sinc(x) * sinc(x / 3.0),
            Sampling::Lanczos3 => 0.0,
            _ => (1.0 - x.abs()).max(0.0),
        }
    }
}
