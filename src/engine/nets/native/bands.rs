//! Large maps with little memory: a norm and the convolution that reads it take turns, a band of rows at a time, and
//! results are written over what is needed no more.
//!
//! The norm's statistics are those of the whole map, and a band has the neighbouring rows that the kernel sees: pixel by
//! pixel the arithmetic is the same as without bands.

use super::{Added, Format, Groups, Map, Product, Tail, another_size, output};
use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::element::{Data, Float};
use crate::engine::kernels::norm::{self, Part};
use crate::engine::kernels::packed::{Geometry, Input, Residual};
use crate::engine::nets::ops::Pass;
use crate::engine::nets::pool::Buffer;
use crate::engine::nets::profile::Kind;
use bytemuck::Pod;
use half::bf16;
use std::ops::Range;
use std::sync::Arc;

/// Some pictures of a batch, or some lines of one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Band {
    pictures: Range<usize>,
    lines: Range<usize>,
}

/// Bands of at most `most` bytes, but of a line at least, of pictures of `height` lines of `line` bytes.
fn bands(batch: usize, height: usize, line: usize, most: usize) -> Vec<Band> {
    if batch * height * line <= most {
        return vec![Band { pictures: 0..batch, lines: 0..height }];
    }
    let lines = (most / line.max(1)).clamp(1, height.max(1));
    // Even shares, so that no band is left small.
    let count = height.div_ceil(lines);
    let of = |picture: usize| {
        let lines = move |i: usize| height * i / count..height * (i + 1) / count;
        (0..count).map(move |i| Band { pictures: picture..picture + 1, lines: lines(i) })
    };
    (0..batch).flat_map(of).collect()
}

/// A convolution of stride 1 that keeps the size, over the norm of `x`. `shift`: one row of values, or one for each
/// picture, that are added. `onto`: what the result is added to, in its memory if nobody else has it.
pub fn normed_convolution(
    pass: &Pass,
    x: &Map,
    norm: &Groups<'_>,
    product: &Product,
    geometry: Geometry,
    (shift, onto): (Option<&Map>, Option<Map>),
) -> Result<Map, Interrupt> {
    let (isa, format, reads) = (product.scheme.isa, product.scheme.activations, product.reads());
    let dims = [x.batch, x.height, x.width, product.weights.out_columns()];
    let keeps = (geometry.out_height(), geometry.out_width()) == (x.height, x.width) && geometry.stride == 1;
    if x.channels != product.weights.k() || x.channels != norm.weight.len() || !keeps {
        return Err(candle_core::Error::Msg("a norm and a convolution that do not go together".into()).into());
    }
    let shift = shift.map(|shift| shift.to_format(pass, Format::F32, isa)).transpose()?;
    let shift = shift.as_ref().map(|shift| shift.buffer.values::<f32>());
    let onto = onto.map(|map| map.to_format(pass, format, isa)).transpose()?;
    if onto.as_ref().is_some_and(|map| map.dims() != dims) {
        return Err(another_size());
    }

    let (data, pixels, kernel) = (x.data()?, x.height * x.width, norm.kernel());
    let whole = [Part { data, channels: x.channels }];
    let work = || norm::statistics(&whole, (x.batch, pixels), kernel, isa, &pass.stop());
    let statistics = pass.timed(Kind::Norm, 0.0, work).ok_or(Interrupt::Cancelled)?;

    let (mut alone, mut shared) = (None, None);
    if let Some(map) = onto {
        match map.into_own() {
            Ok(buffer) => alone = Some(buffer),
            Err(map) => shared = Some(map),
        }
    }
    let added = match (&alone, &shared) {
        (Some(_), _) => Added::There,
        (None, Some(map)) => Added::Map(map),
        (None, None) => Added::None,
    };
    let columns = product.weights.out_columns();
    let mut buffer = match alone {
        Some(buffer) => buffer,
        None => pass.pool.take(format.size(x.rows(), columns))?,
    };

    let line = reads.size(x.width, x.channels);
    for band in bands(x.batch, x.height, line, pass.at_once) {
        pass.check()?;
        // The lines that the kernel sees beyond the band, as far as there are any.
        let above = geometry.pad_before.min(band.lines.start);
        let below = geometry.pad_after.min(x.height - band.lines.end);
        let seen = band.lines.start - above..band.lines.end + below;
        let first = (band.pictures.start * x.height + seen.start) * x.width;
        let count = band.pictures.len() * seen.len() * x.width;
        let part = [Part { data: piece(data, first * x.channels, count * x.channels), channels: x.channels }];
        let dims = [band.pictures.len(), seen.len(), x.width, x.channels];
        let normed = Map::build(pass, dims, reads, |out| {
            let out = output(out, reads, count, x.channels);
            let of = (band.pictures.start, pixels);
            pass.timed(Kind::Norm, 0.0, || norm::apply(out, &part, of, &statistics, kernel, isa, &pass.stop()))
        })?;
        let geometry = Geometry {
            batch: band.pictures.len(),
            height: seen.len(),
            pad_lines: Some((geometry.pad_before - above, geometry.pad_after - below)),
            ..geometry
        };
        let at = (band.pictures.start * x.height + band.lines.start) * x.width;
        let shift = shift.map(|shift| of_pictures(shift, &band.pictures, product.weights.n()));
        if !product.write(pass, normed.input(), (geometry, &product.weights), (&mut buffer, format, at), shift, added) {
            return Err(Interrupt::Cancelled);
        }
    }
    Ok(Map { buffer: Arc::new(buffer), format, batch: x.batch, height: x.height, width: x.width, channels: columns })
}

fn piece(data: Data<'_>, first: usize, count: usize) -> Data<'_> {
    match data {
        Data::F32(x) => Data::F32(&x[first..first + count]),
        Data::Bf16(x) => Data::Bf16(&x[first..first + count]),
    }
}

/// Of one row of `n` values for all pictures, or one for each, what belongs to some of the pictures.
fn of_pictures<'a>(shift: &'a [f32], pictures: &Range<usize>, n: usize) -> &'a [f32] {
    shift.get(pictures.start * n..pictures.end * n).filter(|_| shift.len() > n).unwrap_or(shift)
}

/// A linear layer over the rows of `x` in its own memory, if it makes them shorter, `x` is large, and nobody else has it;
/// otherwise in fresh memory.
pub fn linear_over(pass: &Pass, x: Map, product: &Product) -> Result<Map, Interrupt> {
    let format = product.scheme.activations;
    let (inner, outer) = (product.weights.k(), product.weights.out_columns());
    let fits = outer < inner && x.channels == inner && x.format == format && product.reads() == format;
    if !fits || format.size(x.rows(), inner) <= pass.at_once {
        return product.linear(pass, &x, Tail::default());
    }
    let (rows, dims) = (x.rows(), x.dims());
    let mut buffer = match x.into_own() {
        Ok(buffer) => buffer,
        Err(x) => return product.linear(pass, &x, Tail::default()),
    };
    let done = match format {
        Format::F32 => shorten::<f32>(pass, &mut buffer, rows, product, |x| Input::F32(x))?,
        Format::Bf16 | Format::Bytes => shorten::<bf16>(pass, &mut buffer, rows, product, |x| Input::Bf16(x))?,
    };
    if !done {
        return Err(Interrupt::Cancelled);
    }
    buffer.shorten(format.size(rows, outer));
    let [batch, height, width, _] = dims;
    Ok(Map { buffer: Arc::new(buffer), format, batch, height, width, channels: outer })
}

/// The work of [`linear_over`]: each go reads rows that begin where all that it writes has ended.
fn shorten<E: Float + Pod>(
    pass: &Pass,
    buffer: &mut Buffer,
    rows: usize,
    product: &Product,
    input: impl for<'a> Fn(&'a [E]) -> Input<'a>,
) -> Result<bool, Interrupt> {
    let (inner, outer) = (product.weights.k(), product.weights.out_columns());
    // The first rows are in their own way and are read from a copy; so many that each later go has a row at least.
    let copied = (pass.at_once / (inner * size_of::<E>())).max(outer.div_ceil(inner - outer)).min(rows);
    let mut copy = pass.pool.take(copied * inner * size_of::<E>())?;
    copy.values_mut::<E>().copy_from_slice(&buffer.values::<E>()[..copied * inner]);
    let mut from = 0;
    while from < rows {
        let values = buffer.values_mut::<E>();
        let (x, out, to) = if from == 0 {
            (copy.values::<E>(), &mut values[..copied * outer], copied)
        } else {
            let to = (from * inner / outer).min(rows);
            let (done, rest) = values.split_at_mut(from * inner);
            (&rest[..(to - from) * inner], &mut done[from * outer..to * outer], to)
        };
        let geometry = Geometry::linear(to - from);
        if !product.multiply(pass, input(x), (geometry, &product.weights), out, None, Residual::None) {
            return Ok(false);
        }
        from = to;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::Isa;
    use crate::engine::kernels::packed::{PackedWeights, Precision, Spec};
    use crate::engine::nets::native::Scheme;

    /// Values of mean 0.1 and variance 1 or so.
    fn wave(count: usize, speed: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * speed).sin() * 1.4 + 0.1).collect()
    }

    fn schemes() -> Vec<Scheme> {
        let all = Isa::available().into_iter().flat_map(|isa| {
            let full = Scheme::full(isa);
            let half = Scheme { activations: Format::Bf16, products: Precision::Bf16, isa };
            [full, half, Scheme { products: Precision::Int8, ..full }, Scheme { products: Precision::Int8, ..half }]
        });
        all.collect()
    }

    fn map(pass: &Pass, dims: [usize; 4], speed: f32, scheme: Scheme) -> Map {
        Map::from_planes(pass, &wave(dims.iter().product(), speed), dims, scheme).unwrap()
    }

    fn values(pass: &Pass, map: &Map, scheme: Scheme) -> Vec<f32> {
        map.to_planes(pass, scheme.isa).unwrap()
    }

    fn product(scheme: Scheme, n: usize, taps: usize, k: usize) -> Product {
        let spec = Spec { taps, ..Spec::linear(scheme.products, scheme.isa, n, k) };
        let weights = PackedWeights::from_slice(spec, &wave(n * taps * k, 0.37));
        Product { weights, bias: Some(wave(n, 0.7)), scheme }
    }

    #[test]
    fn bands_cover_each_line_once_and_are_small_enough() {
        for (batch, height, line, most) in [(2, 7, 10, 29), (1, 1, 1, 0), (3, 64, 100, 1000), (1, 513, 1024, 1 << 16)] {
            let bands = bands(batch, height, line, most);
            let mut lines = bands.iter().flat_map(|band| {
                let lines = band.lines.clone();
                band.pictures.clone().flat_map(move |p| lines.clone().map(move |line| (p, line)))
            });
            assert!((0..batch).flat_map(|p| (0..height).map(move |line| (p, line))).all(|at| lines.next() == Some(at)));
            assert_eq!(lines.next(), None);
            assert!(bands.iter().all(|b| b.lines.len() == 1 || b.pictures.len() * b.lines.len() * line <= most));
        }
        assert_eq!(bands(2, 5, 10, 100).len(), 1, "what is small goes in one");
    }

    #[test]
    fn bands_change_no_bit() {
        for scheme in schemes() {
            for (batch, height, width, k, n) in
                [(1, 13, 7, 8, 20), (2, 6, 5, 12, 4), (2, 1, 3, 8, 8), (1, 33, 19, 64, 72)]
            {
                let usual = Pass::default();
                let x = map(&usual, [batch, height, width, k], 0.11, scheme);
                let base = map(&usual, [batch, height, width, n], 0.53, scheme);
                let (weight, bias) = (wave(k, 0.9), wave(k, 0.3));
                let norm = Groups { groups: 4, eps: 1e-6, weight: &weight, bias: &bias, silu: true };
                let product = product(scheme, n, 9, k);
                let geometry = Geometry::same3x3(batch, height, width);
                for shifts in [0, 1, batch] {
                    let shift = map(&usual, [1, 1, shifts.max(1), n], 0.77, scheme);
                    let shift = (shifts > 0).then_some(&shift);
                    for added in [false, true] {
                        let onto = || added.then(|| base.clone());
                        // Of whole maps, one step after the other.
                        let normed = super::super::group_norm(&usual, &x, &norm, product.reads(), scheme.isa).unwrap();
                        let tail = Tail { shift, residual: added.then_some(&base), in_f32: false };
                        let whole = product.convolve(&usual, &normed, geometry, tail).unwrap();
                        let whole = values(&usual, &whole, scheme);
                        for at_once in [1, 3 * width * k * 4, usize::MAX] {
                            let pass = Pass { at_once, ..usual.clone() };
                            let y = normed_convolution(&pass, &x, &norm, &product, geometry, (shift, onto())).unwrap();
                            assert_eq!(values(&pass, &y, scheme), whole, "{scheme:?} {height} × {width}");
                        }
                    }
                }
                assert_eq!(
                    values(&usual, &base, scheme),
                    values(&usual, &map(&usual, base.dims(), 0.53, scheme), scheme)
                );
            }
        }
    }

    #[test]
    fn memory_that_nobody_else_has_is_taken() {
        let scheme = Scheme::full(Isa::best());
        let pass = Pass { at_once: 1, ..Pass::default() };
        let (weight, bias) = ([1.0; 8], [0.0; 8]);
        let norm = Groups { groups: 2, eps: 1e-6, weight: &weight, bias: &bias, silu: true };
        let (product, geometry) = (product(scheme, 8, 9, 8), Geometry::same3x3(1, 5, 4));
        let x = map(&pass, [1, 5, 4, 8], 0.2, scheme);
        let place = |map: &Map| map.buffer.bytes().as_ptr();
        let (shared, own) = (map(&pass, x.dims(), 0.3, scheme), map(&pass, x.dims(), 0.3, scheme));
        let (there, before) = (place(&own), values(&pass, &shared, scheme));
        let a = normed_convolution(&pass, &x, &norm, &product, geometry, (None, Some(own))).unwrap();
        let b = normed_convolution(&pass, &x, &norm, &product, geometry, (None, Some(shared.clone()))).unwrap();
        assert_eq!(place(&a), there);
        assert_ne!(place(&b), place(&shared));
        assert_eq!(values(&pass, &shared, scheme), before);
        assert_eq!(values(&pass, &a, scheme), values(&pass, &b, scheme));
    }

    #[test]
    fn a_linear_layer_over_its_own_rows_changes_no_bit() {
        for scheme in schemes() {
            for (rows, k, n) in [(1, 8, 4), (100, 16, 8), (77, 20, 19), (50, 64, 1), (9, 8, 8), (9, 8, 12)] {
                let usual = Pass::default();
                let x = || map(&usual, [1, rows, 1, k], 0.13, scheme);
                let product = product(scheme, n, 1, k);
                let whole = values(&usual, &product.linear(&usual, &x(), Tail::default()).unwrap(), scheme);
                for at_once in [0, 5 * k * 4] {
                    let pass = Pass { at_once, ..usual.clone() };
                    let own = x();
                    let there = own.buffer.bytes().as_ptr();
                    let y = linear_over(&pass, own, &product).unwrap();
                    assert_eq!(y.dims(), [1, rows, 1, n]);
                    assert_eq!(values(&pass, &y, scheme), whole, "{scheme:?} {rows} {k} {n}");
                    let over = n < k && product.reads() == scheme.activations && rows * k * 4 > 2 * at_once;
                    assert_eq!(y.buffer.bytes().as_ptr() == there, over, "{scheme:?} {rows} {k} {n}");
                    let shared = x();
                    let kept = values(&pass, &shared, scheme);
                    assert_eq!(values(&pass, &linear_over(&pass, shared.clone(), &product).unwrap(), scheme), whole);
                    assert_eq!(values(&pass, &shared, scheme), kept);
                }
            }
        }
    }

    #[test]
    fn a_request_to_stop_is_honoured() {
        let scheme = Scheme::full(Isa::best());
        let pass = Pass { at_once: 1, ..Pass::default() };
        let x = map(&pass, [1, 5, 4, 8], 0.2, scheme);
        let (weight, bias) = ([1.0; 8], [0.0; 8]);
        let norm = Groups { groups: 2, eps: 1e-6, weight: &weight, bias: &bias, silu: true };
        let (wide, narrow) = (product(scheme, 8, 9, 8), product(scheme, 4, 1, 8));
        pass.cancel.request();
        let geometry = Geometry::same3x3(1, 5, 4);
        let stopped = normed_convolution(&pass, &x, &norm, &wide, geometry, (None, None));
        assert!(matches!(stopped, Err(Interrupt::Cancelled)));
        assert!(matches!(linear_over(&pass, x, &narrow), Err(Interrupt::Cancelled)));
    }
}
