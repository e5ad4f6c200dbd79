//! The texts that a model encoded last: between jobs most prompts stay, and the negative prompt nearly always.

use super::interrupt::Interrupt;
use crate::recipe::TextOptions;
use candle_core::Tensor;
use std::collections::VecDeque;

/// So many are kept, of 1.5 MB each (512 tokens of 768 values in f32).
const MOST: usize = 8;

/// The last encoded texts of one model, newest first.
#[derive(Default)]
pub struct Texts(VecDeque<(String, TextOptions, Tensor)>);

impl Texts {
    /// The encoding of a text, made by `encode` if it is not among the last.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn get(
        &mut self,
        text: &str,
        options: TextOptions,
        encode: impl FnOnce() -> Result<Tensor, Interrupt>,
    ) -> Result<Tensor, Interrupt> {
        let at = self.0.iter().position(|(own, with, _)| own == text && *with == options);
        let entry = match at.and_then(|at| self.0.remove(at)) {
            Some(entry) => entry,
            None => (text.to_owned(), options, encode()?),
        };
        let tensor = entry.2.clone();
        self.0.push_front(entry);
        self.0.truncate(MOST);
        Ok(tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_text_is_encoded_once_until_it_is_forgotten() {
        let mut texts = Texts::default();
        let mut encoded = 0;
        let mut ask = |text: &str, options| {
            let made = |encoded: &mut u32| {
                *encoded += 1;
                Ok(Tensor::new(*encoded, &Device::Cpu)?)
            };
            texts.get(text, options, || made(&mut encoded)).unwrap().to_scalar::<u32>().unwrap()
        };
        let plain = TextOptions::default();
        let masked = TextOptions { attention_mask: true, ..plain };
        assert_eq!([ask("山", plain), ask("", plain), ask("山", plain), ask("山", masked)], [1, 2, 1, 3]);
        // Asked for all the time, a text stays; one of long ago goes.
        for i in 4..4 + MOST as u32 {
            assert_eq!((ask(&i.to_string(), plain), ask("山", plain)), (i, 1));
        }
        assert_eq!(ask("", plain), 4 + MOST as u32);
        assert!(texts.get("水", plain, || Err(Interrupt::Cancelled)).is_err());
        assert!(texts.get("水", plain, || Ok(Tensor::new(0u32, &Device::Cpu)?)).is_ok());
    }
}
