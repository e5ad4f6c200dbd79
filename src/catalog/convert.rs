//! Any weights file as a mapped safetensors: a PyTorch pickle is converted once in its life, into a cache.
//!
//! The cached file is named after the source's path, length and time of change, so that a changed source is converted
//! anew. It is written beside its place and renamed; what a crash leaves behind is swept by the next conversion.

use super::format::{Format, unreadable};
use super::header::{Dtype, WeightsFile, WeightsSet};
use super::pickle::{PickleFile, PickleTensor, ReadError};
use crate::base::files::write_atomically;
use crate::base::{Problem, ProblemKind};
use crate::recipe::Stop;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Part of the cache's key: raise it when a converted file would come out differently.
const FORMAT_VERSION: u32 = 1;
/// Data begin at a multiple of this many bytes, so that mapped tensors are aligned for SIMD.
const ALIGNMENT: usize = 64;
const LOCK: &str = ".danqing-convert.lock";

/// Told of the share (0 to 1) that is done; may stop the work.
pub type Report<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<Stop>;

/// Opens `path` for reading: a safetensors as it is, a pickle by way of its converted copy in `cache`.
///
/// In the copy float64 has become float32, integers and booleans (such as `position_ids`) are left out, and all tensors
/// are contiguous; everything else is bit for bit the same. The first opening reads and writes the whole file.
///
/// # Errors
/// `WeightsMissing`, `Unreadable`, `WeightsDamaged`, `PickleForbidden`, `Unwritable` (the cache's disk is full, say), or
/// `Cancelled`; no half-written file is left.
pub fn open_weights(path: &Path, cache: &Path, progress: Report<'_>) -> Result<WeightsFile, Problem> {
    if Format::of(path)? == Format::Safetensors {
        return WeightsFile::open(path);
    }
    let name = CacheName::of(path)?;
    let target = cache.join(&name.file);
    if let Ok(file) = WeightsFile::open(&target) {
        return Ok(file);
    }
    fs::create_dir_all(cache).map_err(|e| Problem::new(ProblemKind::Unwritable).at(cache).detail(e))?;
    let lock = lock(cache, progress)?;
    // Another window may have converted it while this one waited.
    if let Ok(file) = WeightsFile::open(&target) {
        return Ok(file);
    }
    if lock.is_some() {
        sweep(cache, &name);
    }
    convert(path, &target, &name, progress)?;
    WeightsFile::open(&target)
}

/// Opens the files of one part, in their order; `progress` covers all of them.
///
/// # Errors
/// As [`open_weights`].
pub fn open_all(paths: &[PathBuf], cache: &Path, progress: Report<'_>) -> Result<WeightsSet, Problem> {
    let share = 1.0 / paths.len().max(1) as f64;
    let mut files = Vec::with_capacity(paths.len());
    for (k, path) in paths.iter().enumerate() {
        files.push(open_weights(path, cache, &mut |done| progress((k as f64 + done) * share))?);
    }
    Ok(WeightsSet::new(files))
}

/// What the cache calls a source.
struct CacheName {
    /// `<sha256 of path, length, time, version>.safetensors`.
    file: String,
    /// sha256 of the path alone: earlier conversions of the same file carry it too.
    source: String,
}

impl CacheName {
    fn of(path: &Path) -> Result<Self, Problem> {
        let canonical = fs::canonicalize(path).map_err(|e| unreadable(path, e))?;
        let meta = fs::metadata(&canonical).map_err(|e| unreadable(path, e))?;
        let changed = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let canonical = canonical.as_os_str().as_encoded_bytes();
        let mut key = Sha256::new();
        key.update(canonical);
        key.update(format!("\0{}\0{}\0{FORMAT_VERSION}", meta.len(), changed.as_nanos()));
        let file = format!("{}.safetensors", hex(&key.finalize()));
        Ok(Self { file, source: hex(&Sha256::digest(canonical)) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until no other process converts into `cache`; `None` if the file system knows no locks.
fn lock(cache: &Path, progress: Report<'_>) -> Result<Option<File>, Problem> {
    let path = cache.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| Problem::new(ProblemKind::Unwritable).at(&path).detail(e))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
        }
        if progress(0.0).is_break() {
            return Err(Problem::new(ProblemKind::Cancelled));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Removes what crashes left behind, and conversions of the same source as it was before. The caller holds the lock.
fn sweep(cache: &Path, name: &CacheName) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let left_behind = file.starts_with(".danqing-") && file.ends_with(".part");
        let outdated = || {
            let ours = file.ends_with(".safetensors") && *file != name.file;
            let old = ours.then(|| WeightsFile::open(&entry.path()).ok()).flatten();
            old.is_some_and(|old| old.metadata().get("danqing.source") == Some(&name.source))
        };
        if left_behind || outdated() {
            // What cannot be removed only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The element type that a tensor has after conversion; `None`: it is left out.
fn converted(dtype: Dtype) -> Option<Dtype> {
    match dtype {
        Dtype::F64 => Some(Dtype::F32),
        Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F8_E4M3 | Dtype::F8_E5M2 => Some(dtype),
        _ => None,
    }
}

fn convert(path: &Path, target: &Path, name: &CacheName, progress: Report<'_>) -> Result<(), Problem> {
    let mut pickle = PickleFile::open(path)?;
    let mut tensors: Vec<(PickleTensor, Dtype)> =
        pickle.tensors().iter().filter_map(|t| Some((t.clone(), converted(t.dtype)?))).collect();
    // Wide elements first keeps all aligned; within a width the source is read from front to back.
    tensors.sort_by_key(|(t, dtype)| (std::cmp::Reverse(dtype.bitsize()), pickle.position(t)));
    let header = header(&tensors, &name.source).map_err(|p| p.at(path))?;
    let total = tensors.iter().map(|(t, _)| t.bytes()).sum::<u64>().max(1);

    // The closure may return only an io::Error: what is not the disk's fault is carried out beside it.
    let mut other: Option<Problem> = None;
    let written = write_atomically(target, |out| {
        out.write_all(&header)?;
        let mut done = 0u64;
        for (tensor, dtype) in &tensors {
            let mut narrowed = Vec::new();
            let mut stopped = false;
            let read = pickle.read(tensor, &mut |piece| {
                if progress(done as f64 / total as f64).is_break() {
                    stopped = true;
                    return Err(io::Error::other("stopped"));
                }
                done += piece.len() as u64;
                if *dtype == tensor.dtype {
                    return out.write_all(piece);
                }
                narrow(piece, &mut narrowed);
                out.write_all(&narrowed)
            });
            match read {
                Ok(()) => {}
                Err(ReadError::Sink(error)) => {
                    if stopped {
                        other = Some(Problem::new(ProblemKind::Cancelled));
                    }
                    return Err(error);
                }
                Err(ReadError::Source(problem)) => {
                    other = Some(if problem.path.is_some() { problem } else { problem.at(path) });
                    return Err(io::Error::other("the source cannot be read"));
                }
            }
        }
        Ok(())
    });
    if let Some(problem) = other {
        return Err(problem);
    }
    written?;
    // The work is done; whoever wants to stop now is heard at the next step.
    let _ = progress(1.0);
    Ok(())
}

/// The first bytes of the safetensors: length, JSON, and spaces up to the alignment.
fn header(tensors: &[(PickleTensor, Dtype)], source: &str) -> Result<Vec<u8>, Problem> {
    let mut table = serde_json::Map::new();
    table.insert("__metadata__".into(), serde_json::json!({ "format": "pt", "danqing.source": source }));
    let mut at = 0u64;
    for (tensor, dtype) in tensors {
        let end = at + tensor.elements() * (dtype.bitsize() as u64 / 8);
        let entry = serde_json::json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [at, end] });
        if table.insert(tensor.name.clone(), entry).is_some() {
            return Err(super::format::damaged(format!("the name {} is taken", tensor.name)));
        }
        at = end;
    }
    if tensors.is_empty() {
        return Err(super::format::damaged("the file holds no weights, only integers"));
    }
    let mut json = serde_json::to_vec(&table).map_err(super::format::damaged)?;
    json.resize((json.len() + 8).next_multiple_of(ALIGNMENT) - 8, b' ');
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut json);
    Ok(bytes)
}

/// float64 to float32, both little-endian, rounded to nearest.
fn narrow(wide: &[u8], narrow: &mut Vec<u8>) {
    narrow.clear();
    for element in wide.as_chunks::<8>().0 {
        narrow.extend_from_slice(&(f64::from_le_bytes(*element) as f32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/pickles").join(name)
    }

    fn go_on(_: f64) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    fn names_in(folder: &Path) -> HashSet<String> {
        fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name().to_str().unwrap().to_string()).collect()
    }

    #[test]
    fn a_converted_file_has_the_floats_bit_for_bit() {
        let cache = tempfile::Builder::new().prefix("缓存").tempdir().unwrap();
        for name in
            ["zip2.bin", "zip5.bin", "deflated2.bin", "deflated4.bin", "big_endian.bin", "legacy.pt", "nested.ckpt"]
        {
            let mut shares = Vec::new();
            let file = open_weights(&golden(name), cache.path(), &mut |share| {
                shares.push(share);
                ControlFlow::Continue(())
            });
            let file = file.unwrap_or_else(|p| panic!("{name}: {p}"));
            assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
            let mut pickle = PickleFile::open(&golden(name)).unwrap();
            let mut bytes = Vec::new();
            let mut kept = 0;
            for tensor in pickle.tensors().to_vec() {
                let Some(dtype) = converted(tensor.dtype) else {
                    assert!(!file.contains(&tensor.name));
                    continue;
                };
                kept += 1;
                pickle.read_tensor(&tensor.name, &mut bytes).unwrap();
                if dtype != tensor.dtype {
                    let wide = std::mem::take(&mut bytes);
                    narrow(&wide, &mut bytes);
                }
                let view = file.tensor(&tensor.name).unwrap();
                assert_eq!(
                    (view.dtype, view.shape, view.bytes),
                    (dtype, &tensor.shape[..], &bytes[..]),
                    "{name} {}",
                    tensor.name
                );
                assert_eq!(view.bytes.as_ptr() as usize % (dtype.bitsize() / 8), 0, "{name} {}", tensor.name);
            }
            assert_eq!(file.tensors().len(), kept);
        }
        let double = open_weights(&golden("zip2.bin"), cache.path(), &mut go_on).unwrap();
        let third = double.tensor("double").unwrap().bytes[4..8].try_into().unwrap();
        assert_eq!(f32::from_le_bytes(third), (1.0f64 / 3.0) as f32);
    }

    #[test]
    fn a_conversion_is_kept_until_its_source_changes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("缓存");
        let source = folder.path().join("模型.bin");
        fs::copy(golden("zip2.bin"), &source).unwrap();
        let first = open_weights(&source, &cache, &mut go_on).unwrap().path().to_path_buf();
        let mut calls = 0;
        let again = open_weights(&source, &cache, &mut |_| {
            calls += 1;
            ControlFlow::Continue(())
        });
        assert_eq!((again.unwrap().path(), calls), (first.as_path(), 0));

        // A crash left a part behind, and the cached file was cut short: both are mended.
        fs::write(cache.join(".danqing-x.part"), "half").unwrap();
        let whole = fs::read(&first).unwrap();
        fs::write(&first, &whole[..whole.len() - 1]).unwrap();
        open_weights(&source, &cache, &mut go_on).unwrap();
        assert_eq!(fs::read(&first).unwrap(), whole);

        fs::copy(golden("deflated4.bin"), &source).unwrap();
        let second = open_weights(&source, &cache, &mut go_on).unwrap().path().to_path_buf();
        assert_ne!(first, second);
        let left = [second.file_name().unwrap().to_str().unwrap().to_string(), LOCK.to_string()];
        assert_eq!(names_in(&cache), HashSet::from(left));
    }

    #[test]
    fn stopping_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let mut calls = 0;
        let result = open_weights(&golden("zip2.bin"), cache.path(), &mut |_| {
            calls += 1;
            if calls > 3 { ControlFlow::Break(Stop::Cancelled) } else { ControlFlow::Continue(()) }
        });
        assert!(result.unwrap_err().is_cancelled());
        assert_eq!(names_in(cache.path()), HashSet::from([LOCK.to_string()]));
    }

    #[test]
    fn a_cache_that_refuses_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("文件");
        fs::write(&occupied, "not a folder").unwrap();
        let problem = open_weights(&golden("zip2.bin"), &occupied, &mut go_on).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unwritable);
    }

    #[test]
    fn a_safetensors_is_opened_as_it_is_and_shards_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("一.safetensors");
        let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        fs::write(&path, super::super::header::tests::safetensors(header, &[1, 2, 3, 4])).unwrap();
        let cache = folder.path().join("cache");
        let set = open_all(&[path.clone(), golden("nested.ckpt")], &cache, &mut go_on).unwrap();
        assert_eq!(set.files()[0].path(), path);
        assert!(set.contains("a") && set.contains("weight") && set.contains("bias"));
        assert_eq!(set.tensors().count(), 3);
    }
}
