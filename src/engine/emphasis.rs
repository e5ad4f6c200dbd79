//! The weights of a prompt, applied to what the text encoder says.
//!
//! Each token's state is moved on the line from the state that an empty prompt has in its place: e + (z − e) · w. This is
//! ComfyUI's way (`comfy/sd1_clip.py`, `encode_token_weights`). A1111 instead multiplies z by w and then scales the whole
//! tensor until its mean is the old one (`modules/sd_hijack_clip.py`). The first is the better here, because
//!
//! - it touches the weighted tokens alone, where A1111's scaling changes all the others, too;
//! - at weight 0 the model hears what it hears when nothing is said, not a vector of zeros that it never met;
//! - BERT's states end in a layer norm, their mean is near zero, and a ratio of two such means can be anything.

use super::interrupt::Interrupt;
use candle_core::Tensor;

/// The states [1, tokens, width] of a prompt with its tokens' weights; `empty` are those of an empty prompt of the same
/// length. Tokens of weight 1 stay as they are, bit for bit; so do those that have no weight.
pub fn emphasised(states: &Tensor, empty: &Tensor, weights: &[f32]) -> Result<Tensor, Interrupt> {
    let (_, tokens, _) = states.dims3()?;
    let beyond: Vec<f32> =
        weights.iter().map(|weight| weight - 1.0).chain(std::iter::repeat(0.0)).take(tokens).collect();
    let beyond = Tensor::from_vec(beyond, (1, tokens, 1), states.device())?.to_dtype(states.dtype())?;
    Ok((states + (states - empty)?.broadcast_mul(&beyond)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn states(seed: f32) -> Tensor {
        let values: Vec<f32> = (0..12).map(|i| (seed + i as f32 * 1.7).sin()).collect();
        Tensor::from_vec(values, (1, 3, 4), &Device::Cpu).unwrap()
    }

    fn rows(states: &Tensor) -> Vec<Vec<f32>> {
        states.squeeze(0).unwrap().to_vec2().unwrap()
    }

    fn distance(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
    }

    #[test]
    fn one_changes_no_bit_and_zero_gives_the_empty_prompt() {
        let (z, e) = (states(0.3), states(4.0));
        assert_eq!(rows(&emphasised(&z, &e, &[1.0; 3]).unwrap()), rows(&z));
        assert_eq!(rows(&emphasised(&z, &e, &[]).unwrap()), rows(&z));
        let mixed = rows(&emphasised(&z, &e, &[1.0, 0.0, 1.0]).unwrap());
        assert_eq!((&mixed[0], &mixed[2]), (&rows(&z)[0], &rows(&z)[2]));
        assert!(distance(&mixed[1], &rows(&e)[1]) < 1e-6);
    }

    #[test]
    fn the_distance_from_the_empty_prompt_grows_with_the_weight() {
        let (z, e) = (states(0.3), states(4.0));
        let whole = distance(&rows(&z)[1], &rows(&e)[1]);
        for weight in [0.0, 0.4, 1.0, 1.5, 5.0] {
            let now = rows(&emphasised(&z, &e, &[1.0, weight, 1.0]).unwrap());
            assert!((distance(&now[1], &rows(&e)[1]) - weight * whole).abs() < 1e-5, "{weight}");
        }
    }
}
