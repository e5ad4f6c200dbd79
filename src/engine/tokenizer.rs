//! Text to token ids: WordPiece (BERT's tokenizer) from `vocab.txt` alone.

use crate::base::{Problem, ProblemKind};
use crate::recipe::prompt::Span;
use std::path::Path;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Tokenizer};

/// BERT's basic and WordPiece tokenisation: lower-case, accents stripped, each Chinese character a word of its own.
pub struct BertTokenizer {
    inner: Tokenizer,
    pad: u32,
    cls: u32,
    sep: u32,
    size: usize,
}

/// Token ids of one text, padded to a fixed length.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    pub ids: Vec<u32>,
    /// Of each token; 1 for those that are not the text's.
    pub weights: Vec<f32>,
    /// How many of them are the text's own, `[CLS]` and `[SEP]` counted.
    pub used: usize,
    /// Whether the end of the text was cut off to fit.
    pub truncated: bool,
}

/// No vocabulary in use has more entries; a file beyond it is something else.
const MOST_ENTRIES: usize = 1 << 20;

impl BertTokenizer {
    /// Reads `vocab.txt`: one token a line, its number is the id.
    ///
    /// # Errors
    /// [`ProblemKind::VocabularyInvalid`] if the file is no UTF-8, too large, or lacks one of the special tokens.
    pub fn from_file(path: &Path) -> Result<Self, Problem> {
        let invalid = |detail: String| Problem::new(ProblemKind::VocabularyInvalid).at(path).detail(detail);
        let bytes = std::fs::read(path).map_err(|e| Problem::new(ProblemKind::Unreadable).at(path).detail(e))?;
        let text = String::from_utf8(bytes).map_err(|e| invalid(e.to_string()))?;
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > MOST_ENTRIES {
            return Err(invalid(format!("{} lines", lines.len())));
        }
        let vocabulary: ahash::AHashMap<String, u32> =
            lines.iter().zip(0u32..).map(|(token, id)| ((*token).to_owned(), id)).collect();
        let special = |token: &str| {
            let id = lines.iter().position(|line| *line == token).and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| invalid(format!("{token} is missing")))
        };
        let (pad, cls, sep) = (special("[PAD]")?, special("[CLS]")?, special("[SEP]")?);
        special("[UNK]")?;
        let model = WordPiece::builder()
            .vocab(vocabulary)
            .unk_token("[UNK]".into())
            .continuing_subword_prefix("##".into())
            .max_input_chars_per_word(100)
            .build()
            .map_err(|e| invalid(e.to_string()))?;
        let mut inner = Tokenizer::new(model);
        inner.with_normalizer(Some(BertNormalizer::new(true, true, None, true))).map_err(|e| invalid(e.to_string()))?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        let specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|token| AddedToken::from(token, true));
        let present: Vec<AddedToken> = specials.into_iter().filter(|t| lines.contains(&t.content.as_str())).collect();
        inner.add_special_tokens(present).map_err(|e| invalid(e.to_string()))?;
        Ok(Self { inner, pad, cls, sep, size: lines.len() })
    }

    /// Number of entries; ids are below it.
    pub fn size(&self) -> usize {
        self.size
    }

    /// `[CLS]` text `[SEP]` and padding, `length` ids in all (at least 2); a longer text loses its end, never `[SEP]`.
    ///
    /// Each span is read by itself, so that brackets part words of Latin letters as they do in other programs. Chinese
    /// characters are words of their own: their ids are those of the text without brackets, whatever the weights.
    ///
    /// # Errors
    /// [`ProblemKind::Internal`] if the tokenizer fails.
    pub fn encode(&self, spans: &[Span], length: usize) -> Result<Tokens, Problem> {
        let room = length.saturating_sub(2);
        let (mut ids, mut weights) = (Vec::with_capacity(length), Vec::with_capacity(length));
        ids.push(self.cls);
        weights.push(1.0);
        let mut truncated = false;
        for span in spans {
            let encoding = self.inner.encode(span.text.as_str(), false);
            let encoding = encoding.map_err(|e| Problem::new(ProblemKind::Internal).detail(e))?;
            let left = room + 1 - ids.len().min(room + 1);
            truncated |= encoding.len() > left;
            ids.extend(encoding.get_ids().iter().take(left));
            weights.resize(ids.len(), span.weight as f32);
        }
        ids.push(self.sep);
        let used = ids.len();
        ids.resize(length.max(used), self.pad);
        weights.resize(ids.len(), 1.0);
        Ok(Tokens { ids, weights, used, truncated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::prompt::spans;

    fn tokenizer() -> (tempfile::TempDir, BertTokenizer) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("词表.txt");
        std::fs::write(&path, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n飞\n流\n，\noil\n##s\n4\n##k\na\n").unwrap();
        let tokenizer = BertTokenizer::from_file(&path).unwrap();
        (folder, tokenizer)
    }

    #[test]
    fn chinese_is_split_and_latin_is_pieced() {
        let (_folder, t) = tokenizer();
        let tokens = t.encode(&spans("飞流，OILs 4K Á 鱻"), 14).unwrap();
        assert_eq!(tokens.ids, [2, 5, 6, 7, 8, 9, 10, 11, 12, 1, 3, 0, 0, 0]);
        assert_eq!((tokens.used, tokens.truncated), (11, false));
    }

    #[test]
    fn a_long_text_keeps_its_separator() {
        let (_folder, t) = tokenizer();
        let tokens = t.encode(&spans(&"飞".repeat(100)), 8).unwrap();
        assert_eq!(tokens.ids, [2, 5, 5, 5, 5, 5, 5, 3]);
        assert!(tokens.truncated);
        assert_eq!(t.encode(&[], 3).unwrap().ids, [2, 3, 0]);
    }

    #[test]
    fn each_token_has_the_weight_of_its_span() {
        let (_folder, t) = tokenizer();
        let plain = t.encode(&spans("飞流，oils"), 8).unwrap();
        assert_eq!(plain.weights, [1.0; 8]);
        for (text, weights) in [
            ("飞(流:1.5)，(oils:0.5)", [1.0, 1.0, 1.5, 1.0, 0.5, 0.5, 1.0, 1.0]),
            ("((飞流))，oils", [1.0, 1.21, 1.21, 1.0, 1.0, 1.0, 1.0, 1.0]),
            ("(飞流，oils:1)", [1.0; 8]),
        ] {
            let tokens = t.encode(&spans(text), 8).unwrap();
            assert_eq!((&tokens.ids, &tokens.weights[..]), (&plain.ids, &weights[..]), "{text}");
        }
        // What is cut off takes its weights with it.
        let cut = t.encode(&spans("飞(飞飞飞:2)流"), 5).unwrap();
        assert_eq!((cut.ids, cut.weights, cut.truncated), (vec![2, 5, 5, 5, 3], vec![1.0, 1.0, 2.0, 2.0, 1.0], true));
        let parted = t.encode(&spans("a(oil:1.1)a"), 6).unwrap();
        assert_eq!(parted.ids, [2, 12, 8, 12, 3, 0]);
    }

    #[test]
    fn a_vocabulary_without_specials_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        for bytes in [&b"[PAD]\n[UNK]\n"[..], b"\xff\xfe", b""] {
            std::fs::write(&path, bytes).unwrap();
            let problem = BertTokenizer::from_file(&path).err().unwrap();
            assert_eq!(problem.kind, ProblemKind::VocabularyInvalid);
        }
    }
}
