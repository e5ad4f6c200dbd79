//! How far each kind of op of the fast paths is from the reference path (portable, in f32): `cargo bench --bench ops`.
//!
//! Sizes are those of Stable Diffusion 1.x at 32×32 latent pixels; activations and weights are normal, weights scaled as
//! at initialisation. What goes in is rounded to the precision, too (int8: rows of bytes), and what comes out as the
//! network keeps it (bf16, but f32 in f32). Columns: the root of the mean squared error over that of the exact values,
//! and the greatest error over the same.

use danqing::engine::kernels::attention::{self, KeyShape, PackedKv};
use danqing::engine::kernels::element::{Data, DataMut, Rows};
use danqing::engine::kernels::norm::{self, GroupNorm, Part};
use danqing::engine::kernels::output::Output;
use danqing::engine::kernels::packed::{
    self, Columns, Epilogue, Geometry, Input, Out, PackedWeights, Precision, Quantised, Spec,
};
use danqing::engine::kernels::pointwise::{self, Function};
use danqing::engine::kernels::{Isa, Stop};
use danqing::engine::noise;
use danqing::recipe::NoiseSource;
use half::bf16;

const SIDE: usize = 32;
const ROWS: usize = SIDE * SIDE;
const CHANNELS: usize = 320;
const TEXT: usize = 77;
const HEADS: usize = 8;
/// Nobody asks to stop.
const GO: Stop<'static> = &|| false;

/// Normal values, the same for the same seed.
fn normal(count: usize, scale: f64, seed: u64) -> Vec<f32> {
    let drawn = noise::stream(NoiseSource::TorchCpu, seed).randn(count);
    drawn.into_iter().map(|v| (f64::from(v) * scale) as f32).collect()
}

fn halves(x: &[f32]) -> Vec<bf16> {
    x.iter().map(|v| bf16::from_f32(*v)).collect()
}

fn wide(x: &[bf16]) -> Vec<f32> {
    x.iter().map(|v| v.to_f32()).collect()
}

/// An op in a precision, with instructions.
type Op<'a> = (String, Box<dyn Fn(Precision, Isa) -> Vec<f32> + 'a>);

/// A product of normal rows and normal weights: linear, 1×1 or 3×3.
fn product(geometry: Geometry, k: usize, n: usize, columns: Columns) -> impl Fn(Precision, Isa) -> Vec<f32> {
    let taps = geometry.kernel * geometry.kernel;
    let x = normal(geometry.in_rows() * k, 1.0, 1);
    let weights = normal(n * taps * k, 1.0 / ((taps * k) as f64).sqrt(), 2);
    move |precision, isa| {
        let spec = if taps == 1 { Spec::linear(precision, isa, n, k) } else { Spec::conv3x3(precision, isa, n, k) };
        let weights = PackedWeights::from_slice(Spec { columns, ..spec }, &weights);
        let (narrow, mut bytes) = (halves(&x), Quantised::new());
        let columns = weights.out_columns();
        let input = match precision {
            Precision::F32 => Input::F32(&x),
            Precision::Bf16 => Input::Bf16(&narrow),
            Precision::Int8 => {
                bytes.fill(&x, k, None, isa);
                Input::Int8(bytes.view())
            }
        };
        if precision == Precision::F32 {
            let mut out = vec![0.0f32; geometry.out_rows() * columns];
            packed::conv(Out::rows(&mut out, columns), input, &weights, geometry, &Epilogue::default(), isa, GO);
            return out;
        }
        let mut out = vec![bf16::ZERO; geometry.out_rows() * columns];
        packed::conv(Out::rows(&mut out, columns), input, &weights, geometry, &Epilogue::default(), isa, GO);
        wide(&out)
    }
}

/// Attention of normal queries to normal keys; `sharp` multiplies the queries, so the scores.
fn attend(keys: usize, width: usize, sharp: f64) -> impl Fn(Precision, Isa) -> Vec<f32> {
    let channels = HEADS * width;
    let (q, k, v) =
        (normal(ROWS * channels, sharp, 3), normal(keys * channels, 1.0, 4), normal(keys * channels, 1.0, 5));
    move |precision, isa| {
        let shape = KeyShape { batch: 1, keys, heads: HEADS, width };
        let wanted = match precision {
            Precision::F32 => attention::Precision::F32,
            Precision::Bf16 => attention::Precision::Bf16,
            Precision::Int8 => attention::Precision::Bytes,
        };
        if precision == Precision::F32 {
            let rows = |x| Rows::dense(Data::F32(x), channels);
            let kv = PackedKv::new((rows(&k), rows(&v)), shape, None, wanted, isa);
            let mut out = vec![0.0; q.len()];
            attention::attention(DataMut::F32(&mut out), rows(&q), &kv, ROWS, false, GO);
            return out;
        }
        let (q, k, v) = (halves(&q), halves(&k), halves(&v));
        let rows = |x| Rows::dense(Data::Bf16(x), channels);
        let kv = PackedKv::new((rows(&k), rows(&v)), shape, None, wanted, isa);
        let mut out = vec![bf16::ZERO; q.len()];
        attention::attention(DataMut::Bf16(&mut out), rows(&q), &kv, ROWS, false, GO);
        wide(&out)
    }
}

/// Rows that are made from rows of bf16 (of f32 in f32) and are kept in the precision.
fn rows(
    mean: f32,
    work: impl Fn(Output<'_>, Data<'_>, &(Vec<f32>, Vec<f32>), Isa),
) -> impl Fn(Precision, Isa) -> Vec<f32> {
    let x: Vec<f32> = normal(ROWS * CHANNELS, 1.0, 6).iter().map(|v| v + mean).collect();
    let affine = (normal(CHANNELS, 0.2, 7).iter().map(|v| v + 1.0).collect(), normal(CHANNELS, 0.2, 8));
    move |precision, isa| {
        let narrow = halves(&x);
        match precision {
            Precision::F32 => {
                let mut out = vec![0.0; x.len()];
                work(Output::F32(&mut out), Data::F32(&x), &affine, isa);
                out
            }
            Precision::Bf16 => {
                let mut out = vec![bf16::ZERO; x.len()];
                work(Output::Bf16(&mut out), Data::Bf16(&narrow), &affine, isa);
                wide(&out)
            }
            Precision::Int8 => {
                let mut bytes = Quantised::new();
                bytes.resize(ROWS, CHANNELS);
                let (data, scale, offset) = bytes.parts_mut();
                work(Output::Bytes { data, scale, offset }, Data::Bf16(&narrow), &affine, isa);
                bytes.to_f32()
            }
        }
    }
}

fn ops() -> Vec<Op<'static>> {
    let same = Geometry::same3x3(1, SIDE, SIDE);
    let doubled = Geometry { enlarge: Some((2 * SIDE, 2 * SIDE)), ..same };
    let halved = Geometry { stride: 2, ..same };
    let line = Geometry::linear(ROWS);
    let plain = Columns::Plain;
    let group = |out: Output<'_>, x: Data<'_>, affine: &(Vec<f32>, Vec<f32>), isa: Isa| {
        let norm = GroupNorm { groups: 32, eps: 1e-5, weight: &affine.0, bias: &affine.1, silu: true, factor: None };
        norm::group_norm(out, &[Part { data: x, channels: CHANNELS }], (1, ROWS), norm, isa, GO);
    };
    let layer = |out: Output<'_>, x: Data<'_>, affine: &(Vec<f32>, Vec<f32>), isa: Isa| {
        norm::layer_norm(out, x, (&affine.0, &affine.1), 1e-5, None, isa, GO);
    };
    let map = |f: Function| {
        move |out: Output<'_>, x: Data<'_>, _: &(Vec<f32>, Vec<f32>), isa: Isa| {
            pointwise::map(out, x, CHANNELS, f, None, isa, GO);
        }
    };
    vec![
        ("convolution 3×3, 320 to 320".into(), Box::new(product(same, 320, 320, plain))),
        ("convolution 3×3, 1920 to 640".into(), Box::new(product(same, 1920, 640, plain))),
        ("convolution 3×3, every second".into(), Box::new(product(halved, 320, 320, plain))),
        ("convolution 3×3 after a doubling".into(), Box::new(product(doubled, 320, 320, plain))),
        ("linear, 320 to 320".into(), Box::new(product(line, 320, 320, plain))),
        ("linear, 1280 to 320".into(), Box::new(product(line, 1280, 320, plain))),
        ("GEGLU, 320 to 1280".into(), Box::new(product(line, 320, 2560, Columns::Gated))),
        ("attention, 1024 keys × 40".into(), Box::new(attend(ROWS, 40, 1.0))),
        ("attention, 1024 keys × 40, sharp".into(), Box::new(attend(ROWS, 40, 4.0))),
        ("attention, 1024 keys × 160".into(), Box::new(attend(ROWS, 160, 1.0))),
        ("attention to the text × 40".into(), Box::new(attend(TEXT, 40, 1.0))),
        ("group norm and SiLU".into(), Box::new(rows(0.0, group))),
        ("group norm and SiLU, mean 30".into(), Box::new(rows(30.0, group))),
        ("layer norm".into(), Box::new(rows(0.0, layer))),
        ("SiLU".into(), Box::new(rows(0.0, map(Function::Silu)))),
        ("GELU".into(), Box::new(rows(0.0, map(Function::Gelu)))),
    ]
}

fn root_mean_square(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1);
    (values.map(|v| v * v).sum::<f64>() / count as f64).sqrt()
}

fn main() {
    let isa = Isa::best();
    let mut precisions = vec![Precision::F32];
    precisions.extend(isa.has_bf16().then_some(Precision::Bf16));
    precisions.extend(isa.has_vnni().then_some(Precision::Int8));
    println!("{} against the portable f32 path: error (greatest)", isa.title());
    println!("{:34} {}", "", precisions.iter().map(|p| format!("{:>22}", format!("{p:?}"))).collect::<String>());
    for (name, op) in ops() {
        let exact = op(Precision::F32, Isa::Portable);
        let size = root_mean_square(exact.iter().map(|v| f64::from(*v)));
        print!("{name:34} ");
        for precision in &precisions {
            let found = op(*precision, isa);
            let errors = found.iter().zip(&exact).map(|(a, b)| f64::from(a - b));
            let greatest = errors.clone().fold(0.0f64, |most, e| most.max(e.abs()));
            print!("{:>22}", format!("{:.1e} ({:.1e})", root_mean_square(errors) / size, greatest / size));
        }
        println!();
    }
}
