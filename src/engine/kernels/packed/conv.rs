//! Which input pixel each tap of a convolution sees.

/// Sizes of a convolution over [batch, height, width, channels], or of a linear layer over rows (see [`Self::linear`]).
/// Channels are the weights' matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub batch: usize,
    /// Of the input as it is stored, before any enlarging.
    pub height: usize,
    pub width: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    pub stride: usize,
    /// Zeros before the first row and column.
    pub pad_before: usize,
    /// Zeros after the last row and column.
    pub pad_after: usize,
    /// Rows of zeros above and below where they are not as many as the columns of zeros: the input is a band of rows, and
    /// a neighbouring row that the kernel sees is part of it.
    pub pad_lines: Option<(usize, usize)>,
    /// Height and width to which the input is enlarged (nearest) before the convolution, without being stored.
    pub enlarge: Option<(usize, usize)>,
}

impl Geometry {
    /// `rows` rows, each by itself: a linear layer or a 1×1 convolution.
    pub fn linear(rows: usize) -> Self {
        Self { kernel: 1, pad_before: 0, pad_after: 0, ..Self::same3x3(1, 1, rows) }
    }

    /// 3×3, stride 1, one zero on each side.
    pub fn same3x3(batch: usize, height: usize, width: usize) -> Self {
        Self { batch, height, width, kernel: 3, stride: 1, pad_before: 1, pad_after: 1, pad_lines: None, enlarge: None }
    }

    fn enlarged(&self) -> (usize, usize) {
        self.enlarge.unwrap_or((self.height, self.width))
    }

    pub fn out_height(&self) -> usize {
        let (above, below) = self.pad_lines();
        self.out_side(self.enlarged().0 + above + below)
    }

    pub fn out_width(&self) -> usize {
        self.out_side(self.enlarged().1 + self.pad_before + self.pad_after)
    }

    fn out_side(&self, padded: usize) -> usize {
        padded.checked_sub(self.kernel).map_or(0, |span| span / self.stride + 1)
    }

    fn pad_lines(&self) -> (usize, usize) {
        self.pad_lines.unwrap_or((self.pad_before, self.pad_after))
    }

    /// Pixels that go in, over the batch.
    pub fn in_rows(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// Pixels that come out, over the batch.
    pub fn out_rows(&self) -> usize {
        self.batch * self.out_height() * self.out_width()
    }

    /// Pixels that come out of one picture.
    pub fn out_pixels(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Whether weights folded with a doubling before them (see `Spec::doubled`) do this convolution.
    pub fn is_doubled3x3(&self) -> bool {
        self.enlarge == Some((2 * self.height, 2 * self.width))
            && (self.kernel, self.stride, self.pad_before, self.pad_after) == (3, 1, 1, 1)
            && self.pad_lines() == (1, 1)
    }
}

/// What a tile of output pixels reads and writes.
pub(super) struct Taps {
    geometry: Geometry,
    /// Weights folded with the doubling: 2×2 taps over the pixels as stored, a phase at a time.
    folded: bool,
    out_height: usize,
    out_width: usize,
}

impl Taps {
    pub fn new(geometry: Geometry, folded: bool) -> Self {
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        Self { geometry, folded, out_height, out_width }
    }

    /// Rows that one phase produces.
    pub fn rows(&self) -> usize {
        if self.folded { self.geometry.in_rows() } else { self.geometry.out_rows() }
    }

    /// For row `row` of a phase: calls `source(tap, input row or none in the padding)` for each tap and returns the
    /// output row.
    #[inline]
    pub fn visit(&self, phase: usize, row: usize, mut source: impl FnMut(usize, Option<usize>)) -> usize {
        let g = &self.geometry;
        if g.kernel == 1 && g.stride == 1 && g.pad_before == 0 && g.pad_after == 0 && g.enlarge.is_none() {
            source(0, Some(row));
            return row;
        }
        if self.folded {
            return self.visit_folded(phase, row, source);
        }
        let (picture, y, x) = split(row, self.out_height, self.out_width);
        let (height, width) = g.enlarged();
        let above = g.pad_lines().0;
        for ky in 0..g.kernel {
            let line = (y * g.stride + ky).checked_sub(above).filter(|y| *y < height);
            let line = line.map(|y| picture * g.height + if g.enlarge.is_some() { y * g.height / height } else { y });
            for kx in 0..g.kernel {
                let column = (x * g.stride + kx).checked_sub(g.pad_before).filter(|x| *x < width);
                let column = column.map(|x| if g.enlarge.is_some() { x * g.width / width } else { x });
                let pixel = line.zip(column).map(|(line, column)| line * g.width + column);
                source(ky * g.kernel + kx, pixel);
            }
        }
        row
    }

    fn visit_folded(&self, phase: usize, row: usize, mut source: impl FnMut(usize, Option<usize>)) -> usize {
        let g = &self.geometry;
        let (picture, y, x) = split(row, g.height, g.width);
        let (odd_y, odd_x) = (phase / 2, phase % 2);
        for tap in 0..4 {
            let line = (y + odd_y + tap / 2).checked_sub(1).filter(|y| *y < g.height);
            let column = (x + odd_x + tap % 2).checked_sub(1).filter(|x| *x < g.width);
            let pixel = line.zip(column).map(|(line, column)| (picture * g.height + line) * g.width + column);
            source(tap, pixel);
        }
        (picture * self.out_height + 2 * y + odd_y) * self.out_width + 2 * x + odd_x
    }
}

/// Picture, line and column of a pixel.
#[inline]
fn split(row: usize, height: usize, width: usize) -> (usize, usize, usize) {
    (row / (height * width), row / width % height, row % width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_come_out() {
        let same = Geometry::same3x3(2, 5, 7);
        assert_eq!((same.out_height(), same.out_width(), same.out_rows()), (5, 7, 70));
        let down = Geometry { stride: 2, pad_before: 0, pad_after: 1, ..Geometry::same3x3(1, 8, 6) };
        assert_eq!((down.out_height(), down.out_width()), (4, 3));
        let up = Geometry { enlarge: Some((9, 14)), ..same };
        assert_eq!((up.out_height(), up.out_width(), up.is_doubled3x3()), (9, 14, false));
        assert!(Geometry { enlarge: Some((10, 14)), ..same }.is_doubled3x3());
        let band = Geometry { pad_lines: Some((0, 1)), ..same };
        assert_eq!((band.out_height(), band.out_width()), (4, 7));
        assert!(!Geometry { enlarge: Some((10, 14)), ..band }.is_doubled3x3());
        assert_eq!(Geometry { pad_before: 0, pad_after: 0, ..Geometry::same3x3(1, 1, 1) }.out_rows(), 0);
    }

    #[test]
    fn folded_phases_cover_the_output_once() {
        let geometry = Geometry { enlarge: Some((6, 10)), ..Geometry::same3x3(2, 3, 5) };
        let taps = Taps::new(geometry, true);
        let mut seen = vec![0; geometry.out_rows()];
        for phase in 0..4 {
            for row in 0..taps.rows() {
                seen[taps.visit(phase, row, |_, _| {})] += 1;
            }
        }
        assert!(seen.iter().all(|times| *times == 1));
    }
}
