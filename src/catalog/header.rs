//! Safetensors files, mapped into memory: the header is read and checked, the tensors are slices of the map.
//!
//! Layout: 8 bytes little-endian length N, N bytes of JSON `{name: {dtype, shape, data_offsets}}`, then the data without
//! gaps (<https://github.com/huggingface/safetensors>).

use super::format::{damaged, open, unreadable};
use crate::base::{Problem, ProblemKind};
use memmap2::Mmap;
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use safetensors::Dtype;

/// Longest header that is parsed, in bytes; the largest published models have well under one million.
pub const LONGEST_HEADER: u64 = 16 << 20;

/// Name, element type and shape (outermost dimension first) of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Number of elements; 1 for a scalar.
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|&d| d as u64).product()
    }

    /// Size of the elements, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.elements() * self.dtype.bitsize() as u64).div_ceil(8)
    }
}

/// One tensor of a mapped file: row-major, little-endian, at any alignment.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    pub dtype: Dtype,
    pub shape: &'a [usize],
    pub bytes: &'a [u8],
}

/// A safetensors file in memory.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    map: Mmap,
    tensors: Vec<TensorInfo>,
    /// Where each tensor's bytes lie in the map; parallel to `tensors`.
    ranges: Vec<Range<usize>>,
    index: HashMap<String, usize>,
    metadata: HashMap<String, String>,
}

impl WeightsFile {
    /// Maps `path` and checks its header: every tensor lies inside the file, sizes fit shapes, nothing is left over.
    ///
    /// # Errors
    /// `WeightsMissing`, `Unreadable`, or `WeightsDamaged` with what is wrong.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let file = open(path)?;
        let meta = file.metadata().map_err(|e| unreadable(path, e))?;
        if !meta.is_file() {
            return Err(Problem::new(ProblemKind::WeightsMissing).at(path).detail("not a file"));
        }
        if meta.len() < 10 {
            return Err(damaged("the file ends inside its header; download it again").at(path));
        }
        let map = map_file(&file).map_err(|e| unreadable(path, e))?;
        Self::parse(path, map).map_err(|p| p.at(path))
    }

    fn parse(path: &Path, map: Mmap) -> Result<Self, Problem> {
        let length = map.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)).unwrap_or(u64::MAX);
        if length > LONGEST_HEADER {
            return Err(damaged(format!("the header claims {length} bytes")));
        }
        if length.checked_add(8).is_none_or(|end| end > map.len() as u64) {
            return Err(damaged("the file ends inside its header; download it again"));
        }
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(damaged)?;
        let data = header + 8;
        let mut this = Self {
            path: path.to_path_buf(),
            tensors: Vec::new(),
            ranges: Vec::new(),
            index: HashMap::new(),
            metadata: metadata.metadata().clone().unwrap_or_default(),
            map,
        };
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else { continue };
            let (start, end) = info.data_offsets;
            let range = data.checked_add(start).zip(data.checked_add(end)).map(|(a, b)| a..b);
            let range = range.filter(|r| this.map.get(r.clone()).is_some());
            let Some(range) = range else {
                return Err(damaged(format!("tensor {name} lies outside the file")));
            };
            let info = TensorInfo { name, dtype: info.dtype, shape: info.shape.clone() };
            if info.bytes() != range.len() as u64 {
                return Err(damaged(format!("tensor {} has a size that does not fit its shape", info.name)));
            }
            this.index.insert(info.name.clone(), this.tensors.len());
            this.tensors.push(info);
            this.ranges.push(range);
        }
        Ok(this)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tensors, in the order of their data.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The `__metadata__` of the header.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// Size of the file, in bytes.
    pub fn len(&self) -> u64 {
        self.map.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// `WeightsMismatch` (args: tensor, expected, found, file) if there is none.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, Problem> {
        let found = self.index.get(name).and_then(|&i| {
            let info = self.tensors.get(i)?;
            let bytes = self.map.get(self.ranges.get(i)?.clone())?;
            Some(TensorView { dtype: info.dtype, shape: &info.shape, bytes })
        });
        found.ok_or_else(|| absent(name, &self.path))
    }
}

/// One model part that may be spread over several files ("shards").
#[derive(Debug)]
pub struct WeightsSet {
    files: Vec<WeightsFile>,
}

impl WeightsSet {
    /// `files` holds at least one file; if two have a tensor of the same name, the first counts.
    pub fn new(files: Vec<WeightsFile>) -> Self {
        Self { files }
    }

    pub fn files(&self) -> &[WeightsFile] {
        &self.files
    }

    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.files.iter().flat_map(|f| f.tensors())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.files.iter().any(|f| f.contains(name))
    }

    /// Lets go of the files' pages that lie in memory.
    pub fn release(&self) {
        self.files.iter().for_each(|file| release(&file.map));
    }

    /// As [`WeightsFile::tensor`], in any of the files.
    ///
    /// # Errors
    /// `WeightsMismatch` if there is none.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, Problem> {
        match (self.files.iter().find(|f| f.contains(name)), self.files.first()) {
            (Some(file), _) | (None, Some(file)) => file.tensor(name),
            (None, None) => Err(absent(name, Path::new(""))),
        }
    }
}

fn absent(name: &str, path: &Path) -> Problem {
    let problem = Problem::new(ProblemKind::WeightsMismatch).with("tensor", name).with("expected", name);
    problem.with("found", "-").at(path).detail(format!("there is no tensor {name}"))
}

/// Lets go of a map's pages that lie in memory: what is read again comes from the file again. They would count as this
/// process's memory, though everything of worth in them has been copied.
#[allow(unsafe_code)]
pub(super) fn release(map: &Mmap) {
    #[cfg(unix)]
    // SAFETY: the map is shared with its file and never written, so its content is the same after as before.
    let done = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    #[cfg(not(unix))]
    let done: std::io::Result<()> = {
        let _ = map;
        Ok(())
    };
    if let Err(error) = done {
        tracing::debug!(%error, "pages are kept");
    }
}

/// Maps a whole file for reading.
///
/// Converted files are written beside their place and renamed, so that nobody changes them while they are mapped. A
/// download that overwrites a mapped file in place could give wrong numbers, and cutting it short could end the
/// process, as with every program that maps its input; all indices are checked against the map's own length.
#[allow(unsafe_code)]
pub(super) fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and private to this module, which gives out only `&[u8]` within its length. No
    // value is derived from the bytes whose soundness depends on their staying the same.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(data);
        file
    }

    fn written(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("权重.safetensors");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn mapped_bytes_equal_read_bytes() {
        let content: Vec<u8> = (0..100_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (_folder, path) = written(&content);
        let map = map_file(&File::open(&path).unwrap()).unwrap();
        assert_eq!(&map[..], &std::fs::read(&path).unwrap()[..]);
    }

    #[test]
    fn tensors_are_found_by_name() {
        let header = r#"{"b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"}}"#;
        let (_folder, path) = written(&safetensors(header, &(0..14).collect::<Vec<u8>>()));
        let file = WeightsFile::open(&path).unwrap();
        let names: Vec<_> = file.tensors().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let b = file.tensor("b").unwrap();
        assert_eq!((b.dtype, b.shape, b.bytes), (Dtype::F16, &[3][..], &[8u8, 9, 10, 11, 12, 13][..]));
        assert_eq!(file.metadata()["format"], "pt");
        let problem = file.tensor("c").unwrap_err();
        assert_eq!((problem.kind, problem.arg("tensor")), (ProblemKind::WeightsMismatch, Some("c")));
        let set = WeightsSet::new(vec![file]);
        assert!(set.contains("a") && set.tensor("b").is_ok() && set.tensor("c").is_err());
    }

    #[test]
    fn lies_are_found() {
        let whole = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let cases = [
            safetensors(whole, &[0; 7]),
            safetensors(whole, &[0; 9]),
            safetensors(&whole.replace("[0,8]", "[8,0]"), &[0; 8]),
            safetensors(&whole.replace("[2]", "[3]"), &[0; 8]),
            safetensors(&whole.replace("[2]", "[4611686018427387904,4]"), &[0; 8]),
            safetensors("{", &[]),
            safetensors("[]", &[]),
            u64::MAX.to_le_bytes().iter().copied().chain(*b"{}").collect(),
            100u64.to_le_bytes().iter().copied().chain(*b"{}").collect(),
            b"{}".to_vec(),
        ];
        for content in cases {
            let (_folder, path) = written(&content);
            let problem = WeightsFile::open(&path).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::WeightsDamaged, "{problem}");
            assert!(problem.detail.is_some() && problem.path.is_some());
        }
    }
}
