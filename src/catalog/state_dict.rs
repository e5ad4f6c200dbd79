//! The tensors that a pickled state dict names: dictionaries of dictionaries become a list.

use super::format::damaged;
use super::header::Dtype;
use super::machine::{Heap, Value};
use super::torch::Tensor;
use crate::base::Problem;
use std::collections::{HashMap, HashSet};

const LONGEST_NAME: usize = 512;
const DEEPEST_DICT: usize = 8;
/// Dictionaries, and tensors, that are looked at; a full checkpoint has about 1,200 tensors.
const MOST_NAMES: usize = 100_000;

/// One tensor of a PyTorch file. Counts are in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickleTensor {
    /// The key in the state dict; keys of nested dictionaries are joined by dots.
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
    /// Key of the storage.
    pub storage: String,
    /// Where the tensor begins in its storage.
    pub offset: u64,
}

impl PickleTensor {
    /// Number of elements; 1 for a scalar. Checked when the file was opened: it cannot overflow.
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|&d| d as u64).product()
    }

    /// Size of the elements, in bytes.
    pub fn bytes(&self) -> u64 {
        self.elements() * self.element_size()
    }

    /// Whether the elements lie row-major and without gaps in the storage.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1u64;
        for (&d, &s) in self.shape.iter().zip(&self.strides).rev() {
            if d != 1 && s as u64 != expected {
                return self.elements() == 0;
            }
            expected = expected.saturating_mul(d as u64);
        }
        true
    }

    pub(super) fn element_size(&self) -> u64 {
        (self.dtype.bitsize() as u64 / 8).max(1)
    }

    /// Elements from the first to the last in the storage, both counted.
    pub(super) fn span(&self) -> u64 {
        // Nothing bounds the strides of an empty tensor.
        if self.elements() == 0 {
            return 0;
        }
        1 + self.shape.iter().zip(&self.strides).map(|(&d, &s)| (d as u64 - 1) * s as u64).sum::<u64>()
    }
}

/// The tensors of a state dict: the dictionary `state_dict` if the file has one, else all dictionaries by joined keys.
pub(super) fn collect(root: &Value, heap: &Heap) -> Result<Vec<(String, Tensor)>, Problem> {
    let Value::Dict(mut root) = *root else {
        return Err(damaged("the file holds no state dict; save model.state_dict() instead of the model"));
    };
    let inner = heap.pairs(root).iter().rev().find(|(key, _)| matches!(key, Value::Str(k) if &**k == "state_dict"));
    if let Some((_, Value::Dict(inner))) = inner {
        root = *inner;
    }
    let mut found: Vec<(String, Tensor)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut seen = HashSet::from([root]);
    let mut waiting = vec![(root, String::new(), 0)];
    while let Some((dict, prefix, depth)) = waiting.pop() {
        for (key, value) in heap.pairs(dict) {
            if !matches!(value, Value::Tensor(_) | Value::Dict(_)) {
                continue;
            }
            let name = match key {
                Value::Str(key) => format!("{prefix}{key}"),
                Value::Int(key) => format!("{prefix}{key}"),
                _ => continue,
            };
            if name.len() > LONGEST_NAME {
                return Err(damaged("a tensor's name is too long"));
            }
            if found.len().max(seen.len()) >= MOST_NAMES {
                return Err(damaged("the file names more tensors than any model has"));
            }
            match value {
                Value::Dict(dict) if depth < DEEPEST_DICT && seen.insert(*dict) => {
                    waiting.push((*dict, format!("{name}."), depth + 1));
                }
                Value::Tensor(tensor) => {
                    let Some(tensor) = heap.tensor(*tensor) else { continue };
                    // A key that is set twice keeps its place and takes the later value, as in Python.
                    let at = *index.entry(name.clone()).or_insert(found.len());
                    match found.get_mut(at) {
                        Some(old) => old.1 = tensor.clone(),
                        None => found.push((name, tensor.clone())),
                    }
                }
                _ => {}
            }
        }
    }
    if found.is_empty() { Err(damaged("the file holds no tensors")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguity_is_told_from_strides() {
        let tensor = |shape: &[usize], strides: &[usize]| PickleTensor {
            name: String::new(),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            storage: String::new(),
            offset: 0,
        };
        assert!(tensor(&[], &[]).is_contiguous());
        assert!(tensor(&[2, 3], &[3, 1]).is_contiguous());
        assert!(tensor(&[1, 3], &[77, 1]).is_contiguous());
        assert!(tensor(&[0, 3], &[9, 9]).is_contiguous());
        assert!(!tensor(&[2, 3], &[1, 2]).is_contiguous());
        assert!(!tensor(&[2, 3], &[4, 1]).is_contiguous());
        assert_eq!(tensor(&[2, 3], &[4, 2]).span(), 9);
        assert_eq!(tensor(&[0, 1 << 40], &[1 << 60, 1 << 60]).span(), 0);
    }

    #[test]
    fn dictionaries_are_joined_by_dots_and_seen_once() {
        // {"a": {"b": d}, "state": d} with d an empty dictionary that is shared: no tensors, no endless walk.
        let shared = b"}X\x01\x00\x00\x00a}X\x01\x00\x00\x00b}q\x00ssX\x01\x00\x00\x00ch\x00s.";
        let outcome = super::super::machine::run(shared).unwrap();
        assert!(collect(&outcome.value, &outcome.heap).is_err());
        // {"a": {1: tensor}}
        let pickle = b"}X\x01\x00\x00\x00a}K\x01ctorch._utils\n_rebuild_tensor_v2\n(\
            (X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ\
            K\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tRss.";
        let outcome = super::super::machine::run(pickle).unwrap();
        let found = collect(&outcome.value, &outcome.heap).unwrap();
        let names: Vec<_> = found.iter().map(|(name, t)| (name.as_str(), t.shape.clone())).collect();
        assert_eq!(names, [("a.1", vec![2, 3])]);
    }
}
