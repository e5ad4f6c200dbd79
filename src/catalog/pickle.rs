//! PyTorch's own files (`torch.save`): which tensors they hold, and their bytes. Nothing in them is executed.
//!
//! A file is a zip archive `NAME/data.pkl`, `NAME/byteorder`, `NAME/data/KEY…` (stored or deflated), or, before PyTorch
//! 1.6, five pickles followed by the storages. The pickle says where each tensor lies; `machine` reads it.

use super::format::{Format, LEGACY_MAGIC, damaged, open, unreadable};
use super::header::map_file;
use super::machine::{self, LONGEST_PICKLE, Outcome, Value};
pub use super::state_dict::PickleTensor;
use super::state_dict::collect;
use super::torch::Tensor;
use crate::base::{Problem, ProblemKind};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

/// Bytes of a piece that [`PickleFile::read`] gives at once; a multiple of every element size.
const PIECE: usize = 8 << 20;
/// Deflate cannot do better than 1032 to 1.
const BEST_DEFLATE: u64 = 1032;
/// How often the same storage may be used, on the whole file's average (tied weights).
const MOST_SHARING: u64 = 16;

/// Where a storage lies in the file.
#[derive(Clone, Debug)]
struct Place {
    /// Index in the zip archive; `None` in the legacy format.
    entry: Option<usize>,
    /// First byte in the file.
    start: u64,
    /// Bytes of the storage, unpacked.
    length: u64,
    deflated: bool,
}

/// An open PyTorch file.
#[derive(Debug)]
pub struct PickleFile {
    path: PathBuf,
    file: File,
    archive: Option<ZipArchive<BufReader<File>>>,
    places: HashMap<String, Place>,
    big_endian: bool,
    tensors: Vec<PickleTensor>,
    /// The storage that was unpacked last, for the next tensor in it.
    unpacked: Option<(String, Vec<u8>)>,
}

/// Why [`PickleFile::read`] stopped.
#[derive(Debug)]
pub enum ReadError {
    /// The file cannot be read or is damaged.
    Source(Problem),
    /// The receiver of the pieces refused.
    Sink(io::Error),
}

impl PickleFile {
    /// Reads the table of tensors; the tensors themselves stay on the disk.
    ///
    /// # Errors
    /// `WeightsMissing`, `Unreadable`, `PickleForbidden` (arg: name), or `WeightsDamaged` with what is wrong.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let opened = match Format::of(path)? {
            Format::ZipPickle => Self::open_zip(path),
            Format::LegacyPickle => Self::open_legacy(path),
            Format::Safetensors => Err(damaged("this is a safetensors file, not a pickle")),
        };
        opened.map_err(|p| if p.path.is_some() { p } else { p.at(path) })
    }

    fn open_zip(path: &Path) -> Result<Self, Problem> {
        let file = open(path)?;
        let size = file.metadata().map_err(|e| unreadable(path, e))?.len();
        let mut archive = ZipArchive::new(BufReader::new(open(path)?)).map_err(damaged_zip)?;
        let names = archive.file_names().filter_map(Result::ok);
        let pickle = names.filter(|n| *n == "data.pkl" || n.ends_with("/data.pkl")).min_by_key(|n| n.len());
        let pickle =
            pickle.ok_or_else(|| damaged("the archive has no data.pkl: torch.save did not write it"))?.to_string();
        let prefix = pickle.strip_suffix("data.pkl").unwrap_or_default().to_string();
        let text = read_entry(&mut archive, &pickle, LONGEST_PICKLE)?;
        let big_endian = match archive.index_for_name(&format!("{prefix}byteorder")) {
            Some(_) => read_entry(&mut archive, &format!("{prefix}byteorder"), 64)?.starts_with(b"big"),
            None => false,
        };
        let Outcome { value, heap, .. } = machine::run(&text)?;
        let found = collect(&value, &heap)?;
        let mut places: HashMap<String, Place> = HashMap::new();
        for (_, tensor) in &found {
            if places.contains_key(&*tensor.key) {
                continue;
            }
            let name = format!("{prefix}data/{}", tensor.key);
            let entry =
                archive.index_for_name(&name).ok_or_else(|| damaged(format!("{name} is not in the archive")))?;
            let member = archive.by_index(entry).map_err(damaged_zip)?;
            let deflated = member.compression() != CompressionMethod::Stored;
            let start = member.data_start().ok_or_else(|| damaged("the archive's table is damaged"))?;
            let most =
                if deflated { member.compressed_size().saturating_mul(BEST_DEFLATE) } else { member.compressed_size() };
            if start.checked_add(member.compressed_size()).is_none_or(|end| end > size) || member.size() > most {
                return Err(damaged(format!("{name} reaches beyond the file; download it again")));
            }
            places.insert(tensor.key.to_string(), Place { entry: Some(entry), start, length: member.size(), deflated });
        }
        Self::assemble(path, file, Some(archive), places, big_endian, found, size)
    }

    fn open_legacy(path: &Path) -> Result<Self, Problem> {
        let file = open(path)?;
        let map = map_file(&file).map_err(|e| unreadable(path, e))?;
        let mut at = LEGACY_MAGIC.len();
        let mut next = || -> Result<(Outcome, usize), Problem> {
            let end = map.len().min(at.saturating_add(LONGEST_PICKLE as usize));
            let outcome = machine::run(map.get(at..end).unwrap_or_default())?;
            at += outcome.used;
            Ok((outcome, at))
        };
        // Protocol version, description of the writer's machine, the object, the storages' keys in their order.
        next()?;
        let little = is_little_endian(&next()?.0);
        let (Outcome { value, heap, .. }, _) = next()?;
        let found = collect(&value, &heap)?;
        let (keys, mut at) = next()?;
        let Value::List(list) = keys.value else {
            return Err(damaged("the list of storages is missing"));
        };
        let sizes: HashMap<&str, (u64, u64)> =
            heap.storages().map(|s| (&*s.key, (s.length, s.element_size()))).collect();
        let mut places = HashMap::new();
        for key in keys.heap.sequence(list) {
            let Value::Str(key) = key else {
                return Err(damaged("a storage's key is no text"));
            };
            let Some((length, element)) = sizes.get(&**key) else {
                return Err(damaged("a storage is not described"));
            };
            let count = map.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(|b| u64::from_le_bytes(*b));
            let end = length
                .checked_mul(*element)
                .and_then(|bytes| usize::try_from(bytes).ok()?.checked_add(at)?.checked_add(8));
            match (count, end) {
                (Some(count), Some(end)) if count == *length && end <= map.len() => {
                    let place = Place { entry: None, start: at as u64 + 8, length: length * element, deflated: false };
                    places.insert(key.to_string(), place);
                    at = end;
                }
                _ => return Err(damaged("the storages end too early; download the file again")),
            }
        }
        let size = map.len() as u64;
        drop(map);
        Self::assemble(path, file, None, places, !little, found, size)
    }

    /// Checks the tensors against their storages.
    fn assemble(
        path: &Path,
        file: File,
        archive: Option<ZipArchive<BufReader<File>>>,
        places: HashMap<String, Place>,
        big_endian: bool,
        found: Vec<(String, Tensor)>,
        size: u64,
    ) -> Result<Self, Problem> {
        let stored: u64 = places.values().filter(|p| !p.deflated).fold(0, |n, p| n.saturating_add(p.length));
        if stored > size {
            return Err(damaged("the storages together are larger than the file"));
        }
        let all: u64 = places.values().fold(0, |n, p| n.saturating_add(p.length));
        let mut claimed = 0u64;
        let mut tensors = Vec::with_capacity(found.len());
        for (name, tensor) in found {
            let place = places.get(&*tensor.key).ok_or_else(|| damaged(format!("the storage of {name} is missing")))?;
            if tensor.storage_bytes > place.length {
                return Err(damaged(format!("the storage of {name} is too short; download the file again")));
            }
            let tensor = PickleTensor {
                name,
                dtype: tensor.dtype,
                shape: tensor.shape,
                strides: tensor.strides,
                storage: tensor.key.to_string(),
                offset: tensor.offset,
            };
            claimed = claimed.saturating_add(tensor.bytes());
            tensors.push(tensor);
        }
        if claimed > all.saturating_mul(MOST_SHARING) {
            return Err(damaged("the tensors together are far larger than their storages"));
        }
        Ok(Self { path: path.to_path_buf(), file, archive, places, big_endian, tensors, unpacked: None })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tensors, in the order of the state dict.
    pub fn tensors(&self) -> &[PickleTensor] {
        &self.tensors
    }

    /// Where in the file the tensor's storage begins, then where in the storage the tensor does: reading in this order is
    /// sequential.
    pub(super) fn position(&self, tensor: &PickleTensor) -> (u64, u64) {
        (self.places.get(&tensor.storage).map_or(0, |p| p.start), tensor.offset)
    }

    /// The tensor called `name`, row-major and little-endian, in place of what `bytes` held.
    ///
    /// # Errors
    /// `WeightsMismatch` if there is none, `Unreadable` or `WeightsDamaged`.
    pub fn read_tensor(&mut self, name: &str, bytes: &mut Vec<u8>) -> Result<(), Problem> {
        bytes.clear();
        let tensor = self.tensors.iter().find(|t| t.name == name).cloned();
        let tensor = tensor.ok_or_else(|| {
            Problem::new(ProblemKind::WeightsMismatch)
                .with("tensor", name)
                .with("expected", name)
                .with("found", "-")
                .at(&self.path)
        })?;
        let read = self.read(&tensor, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        read.map_err(|e| match e {
            ReadError::Source(problem) => problem,
            ReadError::Sink(error) => unreadable(&self.path, error),
        })
    }

    /// Hands the tensor, row-major and little-endian, to `sink` in pieces of at most 8 MiB, each of whole elements. Only a
    /// tensor with gaps or in another order, or a part of a deflated storage, is ever in memory as a whole.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&mut self, tensor: &PickleTensor, sink: Sink<'_>) -> Result<(), ReadError> {
        if tensor.elements() == 0 {
            return Ok(());
        }
        let place = self.places.get(&tensor.storage).cloned();
        let place = place.ok_or_else(|| ReadError::Source(damaged("a storage is missing").at(&self.path)))?;
        let element = tensor.element_size();
        let swap = if self.big_endian { element as usize } else { 1 };
        let start = tensor.offset * element;
        let whole = tensor.is_contiguous();
        let span = if whole { tensor.bytes() } else { tensor.span() * element };
        let path = self.path.clone();
        let failed = |e: io::Error| ReadError::Source(read_failed(&path, e));
        match (&mut self.archive, place.entry) {
            // The usual case: the archive's reader checks the sum as the pieces pass.
            (Some(archive), Some(entry)) if whole && start == 0 && span == place.length => {
                let mut entry = archive.by_index(entry).map_err(|e| ReadError::Source(damaged_zip(e).at(&path)))?;
                stream(&mut entry, span, swap, sink, &failed)?;
                match entry.read(&mut [0]) {
                    Ok(0) => Ok(()),
                    Ok(_) => Err(ReadError::Source(damaged("a storage is longer than its table says").at(&path))),
                    Err(e) => Err(failed(e)),
                }
            }
            (Some(archive), Some(entry)) if place.deflated => {
                if self.unpacked.as_ref().is_none_or(|(key, _)| *key != tensor.storage) {
                    self.unpacked = None;
                    let entry = archive.by_index(entry).map_err(|e| ReadError::Source(damaged_zip(e).at(&path)))?;
                    let mut bytes = Vec::new();
                    entry.take(place.length).read_to_end(&mut bytes).map_err(failed)?;
                    self.unpacked = Some((tensor.storage.clone(), bytes));
                }
                let bytes = self.unpacked.as_ref().map_or(&[][..], |(_, bytes)| bytes);
                let part = usize::try_from(start).ok().zip(usize::try_from(start + span).ok());
                let part = part.and_then(|(a, b)| bytes.get(a..b));
                let mut part = part.ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))?;
                if whole { stream(&mut part, span, swap, sink, &failed) } else { gather(part, tensor, swap, sink) }
            }
            _ => {
                self.file.seek(SeekFrom::Start(place.start + start)).map_err(failed)?;
                if whole {
                    return stream(&mut self.file, span, swap, sink, &failed);
                }
                let mut bytes = Vec::new();
                (&self.file).take(span).read_to_end(&mut bytes).map_err(failed)?;
                if bytes.len() as u64 != span {
                    return Err(failed(io::ErrorKind::UnexpectedEof.into()));
                }
                gather(&bytes, tensor, swap, sink)
            }
        }
    }
}

/// Receives the pieces of a tensor.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

fn swap_bytes(bytes: &mut [u8], size: usize) {
    if size > 1 {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}

/// Passes `length` bytes on.
fn stream(
    source: &mut dyn Read,
    length: u64,
    swap: usize,
    sink: Sink<'_>,
    failed: &dyn Fn(io::Error) -> ReadError,
) -> Result<(), ReadError> {
    let mut piece = vec![0u8; PIECE.min(usize::try_from(length).unwrap_or(PIECE))];
    let mut left = length;
    while left > 0 {
        piece.truncate(usize::try_from(left).unwrap_or(PIECE));
        source.read_exact(&mut piece).map_err(failed)?;
        swap_bytes(&mut piece, swap);
        sink(&piece).map_err(ReadError::Sink)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

/// Passes the elements of a tensor on in row-major order; `bytes` begins with its first element.
fn gather(bytes: &[u8], tensor: &PickleTensor, swap: usize, sink: Sink<'_>) -> Result<(), ReadError> {
    let element = tensor.element_size() as usize;
    let mut piece = Vec::with_capacity(PIECE.min(tensor.bytes() as usize));
    let mut index = vec![0usize; tensor.shape.len()];
    let mut position = 0usize;
    for _ in 0..tensor.elements() {
        let found = bytes.get(position * element..(position + 1) * element);
        piece
            .extend_from_slice(found.ok_or_else(|| ReadError::Source(damaged("a tensor reaches beyond its storage")))?);
        if piece.len() + element > PIECE {
            swap_bytes(&mut piece, swap);
            sink(&piece).map_err(ReadError::Sink)?;
            piece.clear();
        }
        // The next index, like an odometer, and the element that it stands for.
        for ((i, &size), &stride) in index.iter_mut().zip(&tensor.shape).zip(&tensor.strides).rev() {
            *i += 1;
            position += stride;
            if *i < size {
                break;
            }
            position -= stride * size;
            *i = 0;
        }
    }
    swap_bytes(&mut piece, swap);
    if piece.is_empty() { Ok(()) } else { sink(&piece).map_err(ReadError::Sink) }
}

/// Reads `little_endian` of the legacy format's second pickle; true if it does not say.
fn is_little_endian(info: &Outcome) -> bool {
    let Value::Dict(dict) = info.value else { return true };
    let is_false = |(key, value): &(Value, Value)| matches!((key, value), (Value::Str(key), Value::Bool(false)) if &**key == "little_endian");
    !info.heap.pairs(dict).iter().any(is_false)
}

fn read_entry(archive: &mut ZipArchive<BufReader<File>>, name: &str, most: u64) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let entry = archive.by_name(name).map_err(damaged_zip)?;
    entry.take(most + 1).read_to_end(&mut bytes).map_err(|e| damaged(format!("{name}: {e}")))?;
    if bytes.len() as u64 > most { Err(damaged(format!("{name} is too long"))) } else { Ok(bytes) }
}

fn damaged_zip(error: zip::result::ZipError) -> Problem {
    damaged(format!("{error}; download the file again"))
}

/// A failure while tensors are read: the disk's, or the file's own.
fn read_failed(path: &Path, error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Other => damaged(format!("{error}; download the file again")).at(path),
        _ => unreadable(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Dtype;
    use sha2::{Digest, Sha256};

    fn goldens() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/pickles")
    }

    fn torch_name(dtype: Dtype) -> &'static str {
        match dtype {
            Dtype::F32 => "float32",
            Dtype::F16 => "float16",
            Dtype::BF16 => "bfloat16",
            Dtype::F64 => "float64",
            Dtype::F8_E4M3 => "float8_e4m3fn",
            Dtype::I64 => "int64",
            Dtype::U8 => "uint8",
            Dtype::U16 => "uint16",
            Dtype::BOOL => "bool",
            _ => "?",
        }
    }

    /// expected.json has what torch reads; see make.py beside it.
    #[test]
    fn every_tensor_is_what_torch_reads() {
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(goldens().join("expected.json")).unwrap()).unwrap();
        for (name, tensors) in expected.as_object().unwrap() {
            let mut file = PickleFile::open(&goldens().join(name)).unwrap_or_else(|p| panic!("{name}: {p}"));
            let tensors = tensors.as_object().unwrap();
            assert_eq!(file.tensors().len(), tensors.len(), "{name}");
            for tensor in file.tensors().to_vec() {
                let what = format!("{name} {}", tensor.name);
                let expected = &tensors[&tensor.name];
                assert_eq!(torch_name(tensor.dtype), expected["dtype"], "{what}");
                assert_eq!(serde_json::json!(tensor.shape), expected["shape"], "{what}");
                let mut bytes = Vec::new();
                file.read_tensor(&tensor.name, &mut bytes).unwrap();
                let sum: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
                assert_eq!(sum, expected["sha256"], "{what}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_in_the_weights_is_found_by_the_check_sum() {
        let whole = std::fs::read(goldens().join("zip2.bin")).unwrap();
        let mut file = PickleFile::open(&goldens().join("zip2.bin")).unwrap();
        let at = file.places["0"].start as usize;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("坏.bin");
        let mut broken = whole.clone();
        broken[at + 5] ^= 0x10;
        std::fs::write(&path, broken).unwrap();
        let mut bytes = Vec::new();
        file.read_tensor("encoder.conv_in.weight", &mut bytes).unwrap();
        let problem = PickleFile::open(&path).unwrap().read_tensor("encoder.conv_in.weight", &mut bytes).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::WeightsDamaged);
        assert_eq!(file.read_tensor("absent", &mut bytes).unwrap_err().kind, ProblemKind::WeightsMismatch);
    }
}
