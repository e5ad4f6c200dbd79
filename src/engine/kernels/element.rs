//! Number formats of activations and weights, and views of rows in either format of activations.

use half::{bf16, f16};

/// Which [`Float`] it is, for code that is written for some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F32,
    Bf16,
    F16,
}

/// A floating-point format that tensors are stored in. Sealed: kernels trust `FORMAT` when they read memory.
pub trait Float: sealed::Sealed + Copy + Send + Sync + Default + 'static {
    const FORMAT: Format;
    fn to_f32(self) -> f32;
    /// Rounded to nearest, ties to even.
    fn from_f32(value: f32) -> Self;
    /// The nearest bf16, as its bits.
    #[inline(always)]
    fn bits16(self) -> u16 {
        round16(self.to_f32())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
    impl Sealed for half::f16 {}
}

/// The bits of the bf16 nearest to `value`, ties to even; NaN stays NaN. No branches, so loops vectorise.
#[inline(always)]
pub fn round16(value: f32) -> u16 {
    <bf16 as Float>::from_f32(value).to_bits()
}

impl Float for f32 {
    const FORMAT: Format = Format::F32;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Float for bf16 {
    const FORMAT: Format = Format::Bf16;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    /// Without branches, so that loops over rows vectorise.
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet_nan = (bits >> 16) | 0x40;
        bf16::from_bits(if bits & 0x7fff_ffff > 0x7f80_0000 { quiet_nan } else { rounded } as u16)
    }
}

impl Float for f16 {
    const FORMAT: Format = Format::F16;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        f16::from_f32(value)
    }
}

/// Elements that are read, of either kind.
#[derive(Clone, Copy)]
pub enum Data<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl Data<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Elements that are written, of either kind.
pub enum DataMut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

impl DataMut<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows that are read: element c of row r lies at `data[first + r·stride + c]`, so q, k and v can be column ranges of
/// one fused tensor.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub data: Data<'a>,
    pub first: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `columns` elements, one after the other.
    pub fn dense(data: Data<'a>, columns: usize) -> Self {
        Self { data, first: 0, stride: columns }
    }

    /// Whether `rows` rows of `columns` elements lie in the data.
    pub fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || self.first + (rows - 1) * self.stride + columns <= self.data.len()
    }
}

/// What a microkernel multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 activations and weights.
    F32,
    /// bf16 activations and weights, f32 sums.
    Bf16,
    /// u8 activations with a scale and an offset a row, i8 weights with a scale a column, exact sums.
    Int8,
}

impl Precision {
    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }

    /// Elements in four bytes: the unit that the microkernels broadcast.
    pub fn group(self) -> usize {
        4 / self.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_rounds_as_the_half_crate_does() {
        let mut bits = 1u32;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = f32::from_bits(bits);
            let (ours, theirs) = (<bf16 as Float>::from_f32(value), bf16::from_f32(value));
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{value}");
            assert!(value.is_nan() || Float::to_f32(ours) == ours.to_f32());
        }
        assert_eq!(<bf16 as Float>::from_f32(f32::INFINITY), bf16::INFINITY);
    }
}
