//! What kind of weights file this is, by its first bytes; the name's ending is not trusted.

use crate::base::{Problem, ProblemKind};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The containers that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Safetensors,
    /// `torch.save` since PyTorch 1.6: a zip archive with a pickle and the storages.
    ZipPickle,
    /// `torch.save` before: five pickles one after another, then the storages.
    LegacyPickle,
}

/// The first pickle of the legacy format: protocol 2, `LONG1` of ten bytes, 0x1950a86a20f9469cfc6c, `STOP`.
pub(super) const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

impl Format {
    /// Looks at the first bytes of `path`.
    ///
    /// # Errors
    /// `WeightsMissing` if there is no such file, `Unreadable` if it refuses, `WeightsDamaged` if it is none of these.
    pub fn of(path: &Path) -> Result<Self, Problem> {
        let file = open(path)?;
        let mut head = Vec::with_capacity(64);
        file.take(64).read_to_end(&mut head).map_err(|e| unreadable(path, e))?;
        if head.starts_with(b"PK\x03\x04") {
            return Ok(Format::ZipPickle);
        }
        if head.starts_with(LEGACY_MAGIC) {
            return Ok(Format::LegacyPickle);
        }
        if head.get(8) == Some(&b'{') {
            return Ok(Format::Safetensors);
        }
        Err(damaged(guess(&head)).at(path))
    }
}

/// Says what a file is that is not weights, for the cases that people meet.
fn guess(head: &[u8]) -> &'static str {
    if head.is_empty() {
        "the file is empty; download it again"
    } else if head.starts_with(b"version https://git-lfs") {
        "this is a Git LFS pointer, not the weights: run `git lfs pull` in the model's folder"
    } else if head.starts_with(b"<!") || head.starts_with(b"<html") {
        "this is a web page, not the weights: the download went wrong"
    } else if head.starts_with(b"GGUF") {
        "GGUF files are not supported; take the safetensors or PyTorch file"
    } else if head.first() == Some(&0x80) {
        "a pickle, but not one that torch.save wrote; save the state dict with torch.save"
    } else if head.len() < 16 {
        "the file ends after a few bytes; download it again"
    } else {
        "neither safetensors nor a PyTorch file"
    }
}

/// Opens a file that must be there.
pub(super) fn open(path: &Path) -> Result<File, Problem> {
    File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Problem::new(ProblemKind::WeightsMissing).at(path),
        _ => unreadable(path, e),
    })
}

pub(super) fn unreadable(path: &Path, error: std::io::Error) -> Problem {
    Problem::new(ProblemKind::Unreadable).at(path).detail(error)
}

/// `WeightsDamaged` without the path, which the caller knows.
pub(super) fn damaged(detail: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::WeightsDamaged).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_weights_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("模型.safetensors");
        assert_eq!(Format::of(&path).unwrap_err().kind, ProblemKind::WeightsMissing);
        for (content, word) in [
            (&b""[..], "empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "LFS"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00N.", "torch.save"),
            (b"GGUF\x03\0\0\0\0\0\0\0", "GGUF"),
        ] {
            std::fs::write(&path, content).unwrap();
            let problem = Format::of(&path).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::WeightsDamaged);
            assert!(problem.detail.unwrap().contains(word), "{word}");
        }
    }
}
