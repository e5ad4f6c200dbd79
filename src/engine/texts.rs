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
    /// The encodings of some texts; those that are not among the last are made by `encode`, in one go.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn get(
        &mut self,
        texts: &[&str],
        options: TextOptions,
        encode: impl FnOnce(&[&str]) -> Result<Vec<Tensor>, Interrupt>,
    ) -> Result<Vec<Tensor>, Interrupt> {
        let mut unknown: Vec<&str> = Vec::new();
        for text in texts {
            if self.find(text, options).is_none() && !unknown.contains(text) {
                unknown.push(text);
            }
        }
        if !unknown.is_empty() {
            let made = encode(&unknown)?;
            self.0.extend(unknown.iter().zip(made).map(|(text, tensor)| ((*text).to_owned(), options, tensor)));
        }
        let absent = || candle_core::Error::Msg("a text was not encoded".into());
        let mut tensors = Vec::new();
        for text in texts {
            let entry = self.find(text, options).and_then(|at| self.0.remove(at)).ok_or_else(absent)?;
            tensors.push(entry.2.clone());
            self.0.push_front(entry);
        }
        self.0.truncate(MOST);
        Ok(tensors)
    }

    fn find(&self, text: &str, options: TextOptions) -> Option<usize> {
        self.0.iter().position(|(own, with, _)| own == text && *with == options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_text_is_encoded_once_until_it_is_forgotten() {
        let mut texts = Texts::default();
        let mut encoded = 0u32;
        let mut ask = |text: &str, options| {
            let made = |unknown: &[&str]| {
                encoded += 1;
                assert_eq!(unknown, [text]);
                Ok(vec![Tensor::new(encoded, &Device::Cpu)?])
            };
            texts.get(&[text], options, made).unwrap()[0].to_scalar::<u32>().unwrap()
        };
        let plain = TextOptions::default();
        let masked = TextOptions { attention_mask: true, ..plain };
        assert_eq!([ask("山", plain), ask("", plain), ask("山", plain), ask("山", masked)], [1, 2, 1, 3]);
        // Asked for all the time, a text stays; one of long ago goes.
        for i in 4..4 + MOST as u32 {
            assert_eq!((ask(&i.to_string(), plain), ask("山", plain)), (i, 1));
        }
        assert_eq!(ask("", plain), 4 + MOST as u32);
        assert!(texts.get(&["水"], plain, |_| Err(Interrupt::Cancelled)).is_err());
        assert!(texts.get(&["水"], plain, |_| Ok(vec![Tensor::new(0u32, &Device::Cpu)?])).is_ok());
    }

    #[test]
    fn what_is_unknown_is_encoded_together() {
        let mut texts = Texts::default();
        let options = TextOptions::default();
        let mut ask = |asked: &[&str], expected: &[&str]| -> Vec<String> {
            let mut made = Vec::new();
            let encode = |unknown: &[&str]| {
                made.extend(unknown.iter().map(|text| (*text).to_owned()));
                unknown.iter().map(|text| Ok(Tensor::new(text.as_bytes(), &Device::Cpu)?)).collect()
            };
            let tensors = texts.get(asked, options, encode).unwrap();
            assert_eq!(made, expected);
            tensors.iter().map(|t| String::from_utf8(t.to_vec1().unwrap()).unwrap()).collect()
        };
        assert_eq!(ask(&["山", "雨"], &["山", "雨"]), ["山", "雨"]);
        assert_eq!(ask(&["雨", "水", "水"], &["水"]), ["雨", "水", "水"]);
        assert_eq!(ask(&[], &[]), [""; 0]);
    }
}
