//! Networks that candle computes, as on a graphics card, in half precision: beside the same in f32, on the processor.

use super::layers::{GroupNorm, LayerNorm};
use super::ops::{Feature, Padding, Pass, Place};
use super::plain;
use super::unet::{Reuse, Unet, UnetConfig};
use super::vae::{Vae, VaeConfig};
use super::{Params, bert};
use crate::engine::weights::Weights;
use crate::recipe::Cancel;
use candle_core::{DType, Device, Tensor};

/// The formats, and how far from f32 a network may be in them, as a share of its results' size. A value is off by 2⁻¹¹
/// or 2⁻⁸ of itself at most, and by less than that again in each of some thirty layers.
const HALVES: [(DType, f32); 2] = [(DType::F16, 0.01), (DType::BF16, 0.08)];

fn weights(dtype: DType) -> Weights {
    Weights::drawn(Device::Cpu, Place::Plain(dtype), Cancel::new())
}

/// Values of mean 0 and variance 1, the same each time.
fn wave(shape: &[usize]) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(|i| (i as f32).sin() * std::f32::consts::SQRT_2).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Root of the mean square of the difference, over that of `b`.
fn apart(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (values(a), values(b));
    let square = |v: &mut dyn Iterator<Item = f32>| v.map(|v| v * v).sum::<f32>();
    (square(&mut a.iter().zip(&b).map(|(a, b)| a - b)) / square(&mut b.iter().copied())).sqrt()
}

fn close(what: &str, run: impl Fn(DType) -> Tensor) {
    let exact = run(DType::F32);
    for (dtype, most) in HALVES {
        let apart = apart(&run(dtype), &exact);
        assert!(apart > 0.0 && apart < most, "{what} in {dtype:?}: {apart}");
    }
}

#[test]
fn a_unet_in_half_precision_is_close_to_one_in_f32() {
    let config: UnetConfig = serde_json::from_str(
        r#"{
            "in_channels": 4, "out_channels": 4, "block_out_channels": [32, 64], "layers_per_block": 1,
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            "cross_attention_dim": 32, "attention_head_dim": 2
        }"#,
    )
    .unwrap();
    let (x, text, pass) = (wave(&[2, 4, 8, 8]), wave(&[2, 7, 32]), Pass::default());
    close("UNet", |dtype| {
        let unet = Unet::load(&Params::root(&weights(dtype)), &config).unwrap();
        let heard = unet.listen(&pass, &text).unwrap();
        let y = unet.forward(&pass, &x, 987.0, &heard, Reuse::Off).unwrap();
        assert_eq!(y.dtype(), DType::F32, "samplers compute in f32");
        y
    });
}

#[test]
fn an_autoencoder_in_half_precision_is_close_to_one_in_f32() {
    let config: VaeConfig =
        serde_json::from_str(r#"{ "latent_channels": 4, "block_out_channels": [32, 32], "layers_per_block": 1 }"#)
            .unwrap();
    let (z, picture, pass) = (wave(&[1, 4, 6, 8]), wave(&[1, 3, 16, 12]), Pass::default());
    close("decoder", |dtype| {
        let vae = Vae::load(&Params::root(&weights(dtype)), &config).unwrap();
        vae.decode(&pass, &z).unwrap()
    });
    close("encoder", |dtype| {
        let vae = Vae::load(&Params::root(&weights(dtype)), &config).unwrap();
        vae.encode(&pass, &picture).unwrap().0
    });
}

#[test]
fn a_text_is_read_in_f32_whatever_the_rest_is_computed_in() {
    let config: bert::BertConfig = serde_json::from_str(
        r#"{
            "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 8
        }"#,
    )
    .unwrap();
    let read = |dtype| {
        let bert = bert::Bert::load(&Params::root(&weights(dtype)), &config).unwrap();
        let hidden = [false, false, false, true, true];
        let text = bert::Ids { ids: &[2, 7, 3, 0, 0], hidden: Some(&hidden) };
        bert.forward(&Pass::default(), text).unwrap()
    };
    let exact = values(&read(DType::F32));
    assert!(exact.iter().all(|v| v.is_finite()));
    for (dtype, _) in HALVES {
        assert_eq!(values(&read(dtype)), exact);
    }
}

#[test]
fn norms_are_computed_in_f32() {
    // Squares of these, and sums over a group, are beyond f16.
    let large = (wave(&[1, 32, 16, 16]) * 20_000.0).unwrap();
    let rows = (wave(&[1, 5, 320]) * 20_000.0).unwrap();
    let pass = Pass::default();
    for dtype in [DType::F16, DType::BF16] {
        let weights = weights(dtype);
        let p = Params::root(&weights);
        assert_eq!(p.full().get("time_embedding.linear_1.weight", &[4, 4]).unwrap().dtype(), DType::F32);
        let norm = GroupNorm::load(&p.at("group"), 32, 4, 1e-5).unwrap();
        let layer = LayerNorm::load(&p.at("layer"), 320, 1e-5).unwrap();
        let plain = |x: &Tensor| Feature::Plain(x.to_dtype(dtype).unwrap());
        for y in [norm.forward_silu(&pass, &plain(&large), None), layer.forward(&pass, &plain(&rows), None)] {
            let Feature::Plain(y) = y.unwrap() else { panic!() };
            assert_eq!(y.dtype(), dtype);
            let values = values(&y);
            assert!(values.iter().all(|v| v.is_finite()) && values.iter().any(|v| v.abs() > 0.5));
        }
    }
}

#[test]
fn scores_do_not_leave_half_precision() {
    // 160 products of 30 · 30: only divided by the root of 160 they are below 65504, the largest that f16 has.
    let q = ((wave(&[1, 3, 160]).sign().unwrap() + 0.1).unwrap() * 30.0).unwrap();
    let v = wave(&[1, 3, 160]);
    close("attention", |dtype| {
        let (q, v) = (q.to_dtype(dtype).unwrap(), v.to_dtype(dtype).unwrap());
        plain::attention(&Pass::default(), (&q, &q, &v), 1, None).unwrap()
    });
}

#[test]
fn layers_are_what_they_say() {
    let (x, weight, bias) = (wave(&[2, 3, 8]), wave(&[5, 8]), wave(&[5]));
    let y = plain::linear(&x, &weight, Some(&bias)).unwrap();
    let expected = x.broadcast_matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
    assert_eq!(y.dims(), [2, 3, 5]);
    assert!(apart(&y, &expected) < 1e-6);
    let (x, kernel) = (wave(&[1, 2, 6, 6]), wave(&[4, 2, 3, 3]));
    for (stride, padding) in [(1, Padding::same(1)), (2, Padding { before: 0, after: 1 })] {
        close("convolution", |dtype| {
            let [x, kernel] = [&x, &kernel].map(|t| t.to_dtype(dtype).unwrap());
            let y = plain::conv2d(&x, &kernel, None, stride, padding).unwrap();
            assert_eq!((y.dtype(), y.dims()[2]), (dtype, 6 / stride));
            y
        });
    }
}
