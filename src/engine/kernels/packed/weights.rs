//! Weights in the order in which the microkernels read them, made once when a model is loaded.
//!
//! One piece of bytes that can go to a file as it is and be mapped later:
//!
//! | part | contents |
//! |---|---|
//! | header | [`HEADER`] bytes: magic, version, the sizes as u32 |
//! | scales | int8: f32 for each packed column |
//! | sums | int8: f32 for each (phase, tap, packed column), the sum of the quantised weights |
//! | smooth | int8 with smoothing: f32 for each input channel |
//! | panels | \[panel\]\[phase\]\[tap\]\[group\]\[column of the panel\]\[4 bytes\] |
//!
//! Each part starts at a multiple of 64 bytes; numbers are little-endian.

use super::bytes::{ALIGNMENT, Bytes, floats};
use crate::engine::kernels::element::{Float, Precision};
use crate::engine::kernels::isa::Isa;
use crate::engine::kernels::pages::Refused;
use rayon::prelude::*;
use std::ops::Range;

/// Bytes before the first part.
const HEADER: usize = 64;
const MAGIC: [u8; 4] = *b"DQPW";
const VERSION: u32 = 1;

/// Columns packed side by side at a time: a cache line of groups.
const STRIP: usize = 16;

/// Which source column stands where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// In their order.
    Plain,
    /// A gated layer (GEGLU): the first half of the columns is the value, the second its gate. A panel of values is
    /// followed by the panel of their gates, so that the two meet while both are in cache.
    Gated,
}

/// What to pack.
#[derive(Clone, Copy)]
pub struct Spec<'a> {
    pub precision: Precision,
    /// The kernels that will read it: decides the panels' width.
    pub isa: Isa,
    /// Output channels.
    pub n: usize,
    /// Positions of the kernel: 1 for a linear layer, 9 for 3×3.
    pub taps: usize,
    /// Input channels.
    pub k: usize,
    pub columns: Columns,
    /// Int8 only: one positive number per input channel by which the quantiser will multiply activations; weights are
    /// divided by it.
    pub smooth: Option<&'a [f32]>,
    /// For a 3×3 convolution that follows exact nearest doubling: each of the four phases of the output sees only 2×2
    /// input pixels, so the nine taps fold into four sums for each phase (4/9 of the arithmetic).
    pub doubled: bool,
}

impl Spec<'_> {
    pub fn linear(precision: Precision, isa: Isa, n: usize, k: usize) -> Self {
        Self { precision, isa, n, taps: 1, k, columns: Columns::Plain, smooth: None, doubled: false }
    }

    pub fn conv3x3(precision: Precision, isa: Isa, n: usize, k: usize) -> Self {
        Self { taps: 9, ..Self::linear(precision, isa, n, k) }
    }
}

/// Sizes, and where things lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    precision: Precision,
    panel: usize,
    n: usize,
    k: usize,
    phases: usize,
    taps: usize,
    gated: bool,
    smooth: bool,
}

impl Layout {
    fn groups(&self) -> usize {
        self.k.div_ceil(self.precision.group())
    }

    /// Columns of one half, when gated, or of all.
    fn half(&self) -> usize {
        if self.gated { self.n / 2 } else { self.n }
    }

    fn panels(&self) -> usize {
        self.half().div_ceil(self.panel) * if self.gated { 2 } else { 1 }
    }

    /// Source columns of a panel.
    fn source(&self, panel: usize) -> Range<usize> {
        let (index, base) = if self.gated { (panel / 2, panel % 2 * self.half()) } else { (panel, 0) };
        base + index * self.panel..base + self.half().min((index + 1) * self.panel)
    }

    /// Columns of a panel with its zeros.
    fn width(&self, panel: usize) -> usize {
        self.source(panel).len().next_multiple_of(STRIP)
    }

    /// Packed columns before a panel.
    fn start(&self, panel: usize) -> usize {
        if self.gated {
            panel / 2 * 2 * self.panel + if panel % 2 == 1 { self.width(panel) } else { 0 }
        } else {
            panel * self.panel
        }
    }

    fn packed_columns(&self) -> usize {
        match self.panels() {
            0 => 0,
            panels => self.start(panels - 1) + self.width(panels - 1),
        }
    }

    fn int8(&self) -> bool {
        self.precision == Precision::Int8
    }

    fn scales(&self) -> Range<usize> {
        HEADER..HEADER + if self.int8() { 4 * self.packed_columns() } else { 0 }
    }

    fn sums(&self) -> Range<usize> {
        let start = self.scales().end.next_multiple_of(ALIGNMENT);
        start..start + if self.int8() { 4 * self.phases * self.taps * self.packed_columns() } else { 0 }
    }

    fn smooth(&self) -> Range<usize> {
        let start = self.sums().end.next_multiple_of(ALIGNMENT);
        start..start + if self.smooth { 4 * self.k } else { 0 }
    }

    fn panel_bytes(&self, panel: usize) -> Range<usize> {
        let base = self.smooth().end.next_multiple_of(ALIGNMENT);
        let column = 4 * self.phases * self.taps * self.groups();
        let start = base + self.start(panel) * column;
        start..start + self.width(panel) * column
    }

    fn length(&self) -> usize {
        let end = match self.panels() {
            0 => self.smooth().end,
            panels => self.panel_bytes(panels - 1).end,
        };
        end.next_multiple_of(ALIGNMENT)
    }

    fn fields(&self) -> [u32; 8] {
        let precision = self.precision.bytes() as u32;
        let [panel, n, k, phases, taps] = [self.panel, self.n, self.k, self.phases, self.taps].map(|v| v as u32);
        [precision, panel, n, k, phases, taps, self.gated.into(), self.smooth.into()]
    }

    fn from_fields([precision, panel, n, k, phases, taps, gated, smooth]: [u32; 8]) -> Option<Self> {
        let precision =
            [Precision::F32, Precision::Bf16, Precision::Int8].into_iter().find(|p| p.bytes() as u32 == precision)?;
        let sane = [16, 64].contains(&panel)
            && [1, 4].contains(&phases)
            && (1..=1 << 10).contains(&taps)
            && gated <= 1
            && smooth <= 1;
        // Products of sizes below stay far from overflow.
        let sane = sane && n <= 1 << 20 && (1..=1 << 20).contains(&k) && u64::from(n) * u64::from(k) <= 1 << 34;
        let sane = sane && (gated == 0 || n % 2 == 0);
        let [panel, n, k, phases, taps] = [panel, n, k, phases, taps].map(|v| v as usize);
        sane.then_some(Self { precision, panel, n, k, phases, taps, gated: gated == 1, smooth: smooth == 1 })
    }
}

/// Weights of a linear layer or a convolution, packed.
#[derive(Clone)]
pub struct PackedWeights {
    layout: Layout,
    bytes: Bytes,
}

impl PackedWeights {
    /// Packs a weight of n rows. `row(o, out)` writes row `o` to `out`, `k · taps` numbers in the order of a stored
    /// tensor [out, in, height, width] (the taps of a channel beside each other). It is called once for each row, from
    /// several threads.
    ///
    /// # Errors
    /// [`Refused`].
    ///
    /// # Panics
    /// If sizes contradict each other: a bug of the caller.
    pub fn pack(spec: Spec<'_>, row: impl Fn(usize, &mut [f32]) + Sync) -> Result<Self, Refused> {
        let gated = spec.columns == Columns::Gated;
        assert!(!gated || spec.n.is_multiple_of(2), "a gated layer has two halves");
        assert!(!spec.doubled || spec.taps == 9, "only 3×3 kernels fold");
        assert!(spec.k > 0 && spec.taps > 0, "weights without depth");
        assert!(spec.smooth.is_none_or(|s| s.len() == spec.k && spec.precision == Precision::Int8), "smoothing");
        let (phases, taps) = if spec.doubled { (4, 4) } else { (1, spec.taps) };
        let (panel, smooth) = (spec.isa.panel(), spec.smooth.is_some());
        let layout = Layout { precision: spec.precision, panel, n: spec.n, k: spec.k, phases, taps, gated, smooth };
        let bytes = Bytes::build(layout.length(), |bytes| {
            bytes[..4].copy_from_slice(&MAGIC);
            bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
            for (at, field) in bytes[8..40].chunks_exact_mut(4).zip(layout.fields()) {
                at.copy_from_slice(&field.to_le_bytes());
            }
            if let Some(smooth) = spec.smooth {
                write_floats(&mut bytes[layout.smooth()], smooth);
            }
            if layout.panels() > 0 {
                pack_panels(bytes, &layout, spec, &row);
            }
        })?;
        Ok(Self { layout, bytes })
    }

    /// Packs a slice [n, k · taps] in the order of a stored tensor. Where memory is refused, the program ends as with
    /// any small allocation: for tests and measurements.
    pub fn from_slice<T: Float>(spec: Spec<'_>, weights: &[T]) -> Self {
        let depth = spec.k * spec.taps;
        assert_eq!(weights.len(), spec.n * depth, "weights");
        let packed = Self::pack(spec, |o, out| {
            for (out, weight) in out.iter_mut().zip(&weights[o * depth..]) {
                *out = weight.to_f32();
            }
        });
        packed.unwrap_or_else(|Refused(_)| std::alloc::handle_alloc_error(std::alloc::Layout::for_value(weights)))
    }

    /// The bytes that [`Self::from_bytes`] reads.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes.as_slice()[..self.layout.length()]
    }

    /// Weights packed earlier; none when the bytes are not such, or cut short.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        let header = bytes.as_slice().get(..HEADER)?;
        if header[..4] != MAGIC || header[4..8] != VERSION.to_le_bytes() {
            return None;
        }
        let mut fields = [0; 8];
        for (field, at) in fields.iter_mut().zip(header[8..].chunks_exact(4)) {
            *field = u32::from_le_bytes(at.try_into().ok()?);
        }
        let layout = Layout::from_fields(fields)?;
        (layout.length() <= bytes.as_slice().len()).then_some(Self { layout, bytes })
    }

    pub fn precision(&self) -> Precision {
        self.layout.precision
    }

    /// Whether `isa` can read these panels.
    pub fn fits(&self, isa: Isa) -> bool {
        isa.reads(self.layout.panel)
    }

    /// Columns that come out: half of the packed ones when gated.
    pub fn out_columns(&self) -> usize {
        self.layout.half()
    }

    /// Rows of the source weight.
    pub fn n(&self) -> usize {
        self.layout.n
    }

    /// Input channels.
    pub fn k(&self) -> usize {
        self.layout.k
    }

    /// Taps of a phase.
    pub fn taps(&self) -> usize {
        self.layout.taps
    }

    /// 4 for a convolution folded with the doubling before it, otherwise 1.
    pub fn phases(&self) -> usize {
        self.layout.phases
    }

    pub fn gated(&self) -> bool {
        self.layout.gated
    }

    /// What the quantiser must multiply input channels by.
    pub fn smooth(&self) -> Option<&[f32]> {
        self.layout.smooth.then(|| floats(&self.bytes.as_slice()[self.layout.smooth()]))
    }

    pub(super) fn panels(&self) -> usize {
        self.layout.panels()
    }

    /// Columns of a panel, zeros among them.
    pub(super) fn width(&self, panel: usize) -> usize {
        self.layout.width(panel)
    }

    /// Packed columns before a panel.
    pub(super) fn start(&self, panel: usize) -> usize {
        self.layout.start(panel)
    }

    /// Source columns of a panel.
    pub(super) fn source(&self, panel: usize) -> Range<usize> {
        self.layout.source(panel)
    }

    /// The groups of a panel for one phase and `taps` taps from `tap` on: [taps, groups, width, 4].
    pub(super) fn groups(&self, panel: usize, phase: usize, tap: usize, taps: usize) -> &[u8] {
        let size = self.layout.groups() * self.layout.width(panel) * 4;
        let start = self.layout.panel_bytes(panel).start + (phase * self.layout.taps + tap) * size;
        &self.bytes.as_slice()[start..start + taps * size]
    }

    /// Int8: what the sums of a panel's columns are to be multiplied by. Empty otherwise.
    pub(super) fn scales(&self, panel: usize) -> &[f32] {
        let all = floats(&self.bytes.as_slice()[self.layout.scales()]);
        if all.is_empty() { all } else { &all[self.layout.start(panel)..][..self.layout.width(panel)] }
    }

    /// Int8: the sums of a panel's quantised weights for one phase and tap.
    pub(super) fn sums(&self, panel: usize, phase: usize, tap: usize) -> &[f32] {
        let all = floats(&self.bytes.as_slice()[self.layout.sums()]);
        let row = phase * self.layout.taps + tap;
        &all[row * self.layout.packed_columns() + self.layout.start(panel)..][..self.layout.width(panel)]
    }
}

fn write_floats(bytes: &mut [u8], values: &[f32]) {
    for (at, value) in bytes.chunks_exact_mut(4).zip(values) {
        at.copy_from_slice(&value.to_le_bytes());
    }
}

/// Fills scales, sums and panels, the panels on all cores.
fn pack_panels(bytes: &mut [u8], layout: &Layout, spec: Spec<'_>, row: &(impl Fn(usize, &mut [f32]) + Sync)) {
    let rows = layout.phases * layout.taps;
    let columns = layout.packed_columns();
    let (front, mut rest) = bytes.split_at_mut(layout.panel_bytes(0).start);
    let mut pieces = Vec::new();
    for panel in 0..layout.panels() {
        let (piece, tail) = rest.split_at_mut(layout.panel_bytes(panel).len());
        rest = tail;
        pieces.push((panel, piece));
    }
    let numbers: Vec<_> = pieces
        .into_par_iter()
        .map(|(panel, piece)| {
            let width = layout.width(panel);
            let mut numbers = vec![0.0; (1 + rows) * width];
            for first in (0..width).step_by(STRIP) {
                pack_strip(piece, &mut numbers, layout, spec, panel, first, row);
            }
            (panel, numbers)
        })
        .collect();
    if layout.int8() {
        for (panel, numbers) in numbers {
            let (start, width) = (layout.start(panel), layout.width(panel));
            write_floats(&mut front[layout.scales().start + 4 * start..][..4 * width], &numbers[..width]);
            for (r, sums) in numbers[width..].chunks_exact(width).enumerate() {
                write_floats(&mut front[layout.sums().start + 4 * (r * columns + start)..][..4 * width], sums);
            }
        }
    }
}

/// Packs columns `first..first + 16` of a panel. `numbers`: the panel's scales, then its sums.
fn pack_strip(
    piece: &mut [u8],
    numbers: &mut [f32],
    layout: &Layout,
    spec: Spec<'_>,
    panel: usize,
    first: usize,
    row: &(impl Fn(usize, &mut [f32]) + Sync),
) {
    let (width, groups, rows, k) = (layout.width(panel), layout.groups(), layout.phases * layout.taps, layout.k);
    let source = layout.source(panel);
    let mut read = vec![0.0; spec.taps * k];
    let mut column = vec![0.0; rows * k];
    // The columns' groups one after the other, to be turned so that they lie beside each other.
    let mut strip = vec![[0u8; 4]; STRIP * rows * groups];
    for (c, strip) in strip.chunks_exact_mut((rows * groups).max(1)).enumerate().take(source.len() - first) {
        row(source.start + first + c, &mut read);
        if let Some(smooth) = spec.smooth {
            for (taps, smooth) in read.chunks_exact_mut(spec.taps).zip(smooth) {
                taps.iter_mut().for_each(|weight| *weight /= smooth);
            }
        }
        if spec.doubled {
            fold(&mut column, &read, k)
        } else {
            regroup(&mut column, &read, spec.taps)
        }
        let (mut inverse, at) = (0.0, first + c);
        if layout.int8() {
            let greatest = column.iter().fold(0.0f32, |a, w| a.max(w.abs()));
            numbers[at] = greatest / 127.0;
            inverse = if greatest > 0.0 { 127.0 / greatest } else { 0.0 };
        }
        for (r, (column, strip)) in column.chunks_exact(k.max(1)).zip(strip.chunks_exact_mut(groups.max(1))).enumerate()
        {
            let sum = encode(strip.as_flattened_mut(), column, layout.precision, inverse);
            if layout.int8() {
                numbers[(1 + r) * width + at] = sum as f32;
            }
        }
    }
    for (depth, line) in piece.chunks_exact_mut(4 * width).enumerate() {
        for (c, at) in line[4 * first..][..4 * STRIP].as_chunks_mut().0.iter_mut().enumerate() {
            *at = strip[c * rows * groups + depth];
        }
    }
}

/// Numbers of one column and tap in their format, followed by the zeros that are there. For int8, `inverse` weights make
/// a step; returns the sum of the steps.
fn encode(out: &mut [u8], weights: &[f32], precision: Precision, inverse: f32) -> i32 {
    match precision {
        Precision::F32 => write_floats(out, weights),
        Precision::Bf16 => {
            for (out, weight) in out.chunks_exact_mut(2).zip(weights) {
                out.copy_from_slice(&<half::bf16 as Float>::from_f32(*weight).to_le_bytes());
            }
        }
        Precision::Int8 => {
            // Adding 1.5·2^23 rounds to the nearest whole number and leaves it in the lowest bits.
            const SHIFT: f32 = 12_582_912.0;
            for (out, weight) in out.iter_mut().zip(weights) {
                *out = (weight * inverse + SHIFT).to_bits() as u8;
            }
            return out.iter().map(|byte| i32::from(*byte as i8)).sum();
        }
    }
    0
}

/// [k, taps] to [taps, k].
fn regroup(out: &mut [f32], weights: &[f32], taps: usize) {
    let k = weights.len() / taps.max(1);
    for (tap, out) in out.chunks_exact_mut(k.max(1)).enumerate() {
        for (out, weights) in out.iter_mut().zip(weights.chunks_exact(taps)) {
            *out = weights[tap];
        }
    }
}

/// [k, 3, 3] to the four phases' [phase, 2, 2, k] (phase = 2·(y mod 2) + x mod 2 of the output pixel). In an even row the
/// first of the kernel's rows falls on the input row above and the other two on the row itself; in an odd row the
/// first two on the row itself and the third on the row below. Columns likewise.
fn fold(out: &mut [f32], weights: &[f32], k: usize) {
    const FOLDS: [[Range<usize>; 2]; 2] = [[0..1, 1..3], [0..2, 2..3]];
    for phase in 0..4 {
        for tap in 0..4 {
            let (rows, columns) = (&FOLDS[phase / 2][tap / 2], &FOLDS[phase % 2][tap % 2]);
            for (channel, weights) in weights.chunks_exact(9).enumerate() {
                let sum = rows.clone().flat_map(|y| columns.clone().map(move |x| weights[3 * y + x])).sum();
                out[(phase * 4 + tap) * k + channel] = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::math::tests::pseudo_random;
    use std::sync::Arc;

    fn spec(precision: Precision, n: usize, taps: usize, k: usize) -> Spec<'static> {
        Spec { taps, ..Spec::linear(precision, Isa::Avx512 { bf16: true, vnni: true }, n, k) }
    }

    #[test]
    fn every_weight_is_where_the_kernels_look() {
        for (n, taps, k) in [(1, 1, 1), (70, 9, 5), (64, 1, 8), (130, 2, 3), (16, 9, 4)] {
            let weights = pseudo_random(n * taps * k, 1);
            let packed = PackedWeights::from_slice(spec(Precision::F32, n, taps, k), &weights);
            let mut seen = 0;
            for panel in 0..packed.panels() {
                for tap in 0..taps {
                    let groups = floats(packed.groups(panel, 0, tap, 1));
                    for (i, value) in groups.iter().enumerate() {
                        let (channel, column) = (i / packed.width(panel), i % packed.width(panel));
                        let o = packed.source(panel).start + column;
                        let expected = if column < packed.source(panel).len() {
                            weights[(o * k + channel) * taps + tap]
                        } else {
                            0.0
                        };
                        assert_eq!(*value, expected);
                        seen += 1;
                    }
                }
            }
            assert_eq!(seen, n.next_multiple_of(16) * taps * k);
        }
    }

    #[test]
    fn gates_follow_their_values() {
        for half in [1, 16, 64, 65, 160, 200] {
            let packed = PackedWeights::pack(
                Spec { columns: Columns::Gated, ..spec(Precision::F32, 2 * half, 1, 1) },
                |o, out| out[0] = o as f32,
            )
            .unwrap();
            let mut value = 0;
            for pair in 0..packed.panels() / 2 {
                let (a, g) = (floats(packed.groups(2 * pair, 0, 0, 1)), floats(packed.groups(2 * pair + 1, 0, 0, 1)));
                for c in 0..packed.source(2 * pair).len() {
                    assert_eq!((a[c], g[c]), (value as f32, (value + half) as f32));
                    value += 1;
                }
            }
            assert_eq!((value, packed.out_columns()), (half, half));
        }
    }

    #[test]
    fn bytes_come_back_and_strange_ones_are_refused() {
        for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
            let smooth: Vec<f32> = (0..7).map(|i| 1.0 + i as f32).collect();
            let spec =
                Spec { smooth: (precision == Precision::Int8).then_some(&smooth[..]), ..spec(precision, 33, 9, 7) };
            let packed = PackedWeights::from_slice(spec, &pseudo_random(33 * 9 * 7, 2));
            let bytes = packed.as_bytes().to_vec();
            let again = |bytes: &[u8]| {
                PackedWeights::from_bytes(
                    Bytes::build(bytes.len(), |b| b[..bytes.len()].copy_from_slice(bytes)).unwrap(),
                )
            };
            let read = again(&bytes).unwrap();
            assert_eq!((read.layout, read.as_bytes()), (packed.layout, &bytes[..]));
            assert_eq!(read.smooth(), spec.smooth);
            assert!(again(&bytes[..bytes.len() - 64]).is_none() && again(&bytes[..10]).is_none());
            for at in 0..40 {
                let mut bent = bytes.clone();
                bent[at] = bent[at].wrapping_add(77);
                if let Some(read) = again(&bent) {
                    assert!(read.layout.length() <= bytes.len(), "byte {at}");
                }
            }
            let owner: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(packed.bytes.clone());
            let shared = PackedWeights::from_bytes(Bytes::shared(owner, 0..bytes.len()).unwrap()).unwrap();
            assert_eq!(shared.groups(0, 0, 1, 1), packed.groups(0, 0, 1, 1));
        }
    }

    #[test]
    fn bytes_are_weights_divided_by_their_columns_scale() {
        let weights = pseudo_random(20 * 6, 3);
        let packed = PackedWeights::from_slice(spec(Precision::Int8, 20, 1, 6), &weights);
        for o in 0..20 {
            let scale = packed.scales(0)[o];
            let mut sum = 0.0;
            for k in 0..6 {
                let quantised = packed.groups(0, 0, 0, 1)[(k / 4 * 32 + o) * 4 + k % 4] as i8;
                assert!((f32::from(quantised) * scale - weights[o * 6 + k]).abs() <= 0.501 * scale);
                sum += f32::from(quantised);
            }
            assert_eq!(sum, packed.sums(0, 0, 0)[o]);
        }
    }
}
