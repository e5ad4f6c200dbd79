//! The allow-list: which Python names a pickle may mention, and what the few functions among them mean.
//!
//! Sources: PyTorch's `torch/_utils.py` (the `_rebuild_…` functions), `torch/serialization.py` (persistent ids).

use super::format::damaged;
use super::header::Dtype;
use super::machine::{Heap, Value};
use crate::base::Problem;
use std::rc::Rc;

/// Most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 16;

/// A name that a pickle may mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict` and other dictionaries.
    Dict,
    /// `torch.Size`: a tuple.
    Size,
    /// `_rebuild_tensor(storage, offset, size, stride)`; `_v2` adds (requires_grad, hooks, [metadata]).
    RebuildTensor,
    /// `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, [metadata])`.
    RebuildTensorV3,
    /// `_rebuild_parameter(tensor, …)`.
    RebuildParameter,
    /// `_rebuild_from_type_v2(function, type, arguments, state)`.
    RebuildFromType,
    /// A class of storages; `None`: untyped, counted in bytes.
    Storage(Option<Dtype>),
    Dtype(Dtype),
    /// Harmless things that checkpoints of training programs hold beside the weights; calling them gives nothing.
    Inert,
}

/// The meaning of `module.name`, or `None` if it is not on the list.
pub(super) fn lookup(module: &str, name: &str) -> Option<Global> {
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter") | ("builtins" | "__builtin__", "dict") => {
            Global::Dict
        }
        ("torch", "Size") => Global::Size,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Global::RebuildTensorV3,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildFromType,
        ("torch.storage", "UntypedStorage" | "_UntypedStorage" | "TypedStorage" | "_TypedStorage")
        | ("torch", "UntypedStorage" | "TypedStorage") => Global::Storage(None),
        ("torch" | "torch.cuda", storage) if storage.ends_with("Storage") => {
            Global::Storage(Some(storage_dtype(storage)?))
        }
        ("torch", dtype) if dtype_named(dtype).is_some() => Global::Dtype(dtype_named(dtype)?),
        ("torch", "device" | "Tensor" | "strided" | "contiguous_format" | "channels_last" | "preserve_format")
        | ("torch._tensor", "Tensor")
        | ("torch.nn.parameter", "Parameter")
        | ("torch.serialization", "_get_layout")
        | (
            "builtins" | "__builtin__",
            "set" | "frozenset" | "list" | "tuple" | "int" | "float" | "bool" | "str" | "bytes",
        )
        | ("builtins" | "__builtin__", "complex" | "bytearray" | "object")
        | ("numpy", "dtype" | "ndarray" | "float32" | "float64" | "int64")
        | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar" | "_reconstruct")
        | ("_codecs", "encode")
        | ("argparse", "Namespace")
        | ("datetime", "datetime" | "timedelta")
        | ("pathlib", "PosixPath" | "WindowsPath" | "PurePosixPath")
        | ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
        | ("pytorch_lightning.utilities.parsing", "AttributeDict") => Global::Inert,
        _ => return None,
    })
}

fn storage_dtype(class: &str) -> Option<Dtype> {
    Some(match class {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        "ComplexFloatStorage" => Dtype::C64,
        _ => return None,
    })
}

fn dtype_named(name: &str) -> Option<Dtype> {
    Some(match name {
        "float32" | "float" => Dtype::F32,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float64" | "double" => Dtype::F64,
        "float8_e4m3fn" => Dtype::F8_E4M3,
        "float8_e5m2" => Dtype::F8_E5M2,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        "bool" => Dtype::BOOL,
        "complex64" | "cfloat" => Dtype::C64,
        _ => return None,
    })
}

/// A storage as a persistent id names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// `None`: untyped.
    pub dtype: Option<Dtype>,
    pub key: Rc<str>,
    /// Elements (bytes if untyped) of the whole storage.
    pub length: u64,
    /// The part of it that is meant, in the same unit.
    pub start: u64,
    pub end: u64,
}

impl Storage {
    /// Bytes of one unit of `length`.
    pub fn element_size(&self) -> u64 {
        self.dtype.map_or(1, |dtype| (dtype.bitsize() as u64 / 8).max(1))
    }
}

/// A tensor as the pickle describes it; all counts are in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub dtype: Dtype,
    pub key: Rc<str>,
    /// Bytes that the storage must have.
    pub storage_bytes: u64,
    pub offset: u64,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// The storage of a persistent id `("storage", class, key, location, length[, view])`; `view` is `None` or
/// `(key, offset, size)`.
pub(super) fn storage(id: &Value, heap: &Heap) -> Result<Storage, Problem> {
    let wrong = || damaged("a persistent id is not a storage");
    let Some([Value::Str(word), Value::Global(Global::Storage(dtype)), key, _, Value::Int(length), view @ ..]) =
        heap.tuple(id)
    else {
        return Err(wrong());
    };
    if &**word != "storage" {
        return Err(wrong());
    }
    let key: Rc<str> = match key {
        Value::Str(key) => key.clone(),
        Value::Int(key) => key.to_string().into(),
        _ => return Err(wrong()),
    };
    let length = u64::try_from(*length).map_err(|_| wrong())?;
    let (start, end) = match view.first() {
        None | Some(Value::None) => (0, length),
        Some(view) => {
            let Some([_, Value::Int(offset), Value::Int(size)]) = heap.tuple(view) else {
                return Err(wrong());
            };
            let start = u64::try_from(*offset).map_err(|_| wrong())?;
            let end = u64::try_from(*size).ok().and_then(|size| start.checked_add(size));
            (start, end.filter(|end| *end <= length).ok_or_else(wrong)?)
        }
    };
    Ok(Storage { dtype: *dtype, key, length, start, end })
}

/// What calling `function` with the tuple `arguments` gives.
pub(super) fn call(function: Global, arguments: &Value, heap: &mut Heap) -> Result<Value, Problem> {
    let wrong = |what: &str| damaged(format!("{what} is called with unexpected arguments"));
    let given = heap.tuple(arguments).ok_or_else(|| wrong("something"))?;
    match function {
        Global::Inert => Ok(Value::Opaque),
        Global::Dict => {
            // Python 2 gave the pairs here, as a list of lists; later ones follow by SETITEMS.
            let mut pairs = Vec::new();
            if let Some(Value::List(list)) = given.first() {
                for pair in heap.sequence(*list) {
                    let (Value::List(pair) | Value::Tuple(pair)) = pair else {
                        return Err(wrong("OrderedDict"));
                    };
                    let [key, value] = heap.sequence(*pair) else {
                        return Err(wrong("OrderedDict"));
                    };
                    pairs.push((key.clone(), value.clone()));
                }
            }
            heap.copied_dict(pairs)
        }
        Global::Size => match given {
            [sizes @ (Value::Tuple(_) | Value::List(_))] => Ok(sizes.clone()),
            _ => Err(wrong("Size")),
        },
        Global::RebuildParameter => match given.first() {
            Some(tensor @ Value::Tensor(_)) => Ok(tensor.clone()),
            _ => Err(wrong("_rebuild_parameter")),
        },
        Global::RebuildFromType => match given {
            [Value::Global(inner @ (Global::RebuildTensor | Global::RebuildTensorV3)), _, inner_arguments, ..] => {
                let inner_arguments = inner_arguments.clone();
                call(*inner, &inner_arguments, heap)
            }
            [Value::Global(Global::RebuildParameter), _, inner_arguments, ..] => {
                let inner_arguments = inner_arguments.clone();
                call(Global::RebuildParameter, &inner_arguments, heap)
            }
            _ => Err(wrong("_rebuild_from_type_v2")),
        },
        Global::RebuildTensor | Global::RebuildTensorV3 => {
            let tensor = rebuild(function, given, heap)?;
            heap.new_tensor(tensor)
        }
        Global::Storage(_) | Global::Dtype(_) => Err(damaged("a type is called as if it were a function")),
    }
}

fn rebuild(function: Global, given: &[Value], heap: &Heap) -> Result<Tensor, Problem> {
    let wrong = || damaged("a tensor has unexpected arguments");
    let [Value::Storage(storage), Value::Int(offset), shape, strides, rest @ ..] = given else {
        return Err(wrong());
    };
    let storage = heap.storage(*storage).ok_or_else(wrong)?;
    let (dtype, metadata) = match (function, rest) {
        (Global::RebuildTensorV3, [_, _, Value::Global(Global::Dtype(dtype)), rest @ ..]) => (*dtype, rest.first()),
        (Global::RebuildTensorV3, _) => return Err(wrong()),
        // An untyped storage under an untyped tensor: raw bytes.
        _ => (storage.dtype.unwrap_or(Dtype::U8), rest.get(2)),
    };
    // The metadata may say "negate when you read this"; nobody saves weights so, and ignoring it would be wrong.
    if matches!(metadata, Some(Value::Dict(dict)) if !heap.pairs(*dict).is_empty()) {
        return Err(damaged("a tensor is a lazily negated or conjugated view; save it with .clone()"));
    }
    if storage.dtype.is_some_and(|own| own.bitsize() != dtype.bitsize()) {
        return Err(damaged("a tensor and its storage have different element sizes"));
    }
    let shape = numbers(shape, heap).ok_or_else(wrong)?;
    let strides = numbers(strides, heap).ok_or_else(wrong)?;
    if shape.len() != strides.len() {
        return Err(wrong());
    }
    let element = (dtype.bitsize() as u64 / 8).max(1);
    // Counts of an untyped storage are bytes.
    let unit = if storage.dtype.is_some() { 1 } else { element };
    let offset = u64::try_from(*offset).ok().and_then(|o| o.checked_add(storage.start / unit)).ok_or_else(wrong)?;
    let room = storage.end / unit;
    let elements = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64)).ok_or_else(wrong)?;
    let last = shape
        .iter()
        .zip(&strides)
        .try_fold(offset, |last, (&d, &s)| last.checked_add((d as u64).saturating_sub(1).checked_mul(s as u64)?));
    let storage_bytes =
        storage.length.checked_mul(if storage.dtype.is_some() { element } else { 1 }).ok_or_else(wrong)?;
    // Repeated elements (stride 0) are fine, but a tensor larger than its storage is a trap, not a weight.
    if elements > 0 && (last.is_none_or(|last| last >= room) || elements > room) {
        return Err(damaged("a tensor reaches beyond its storage"));
    }
    Ok(Tensor { dtype, key: storage.key.clone(), storage_bytes, offset, shape, strides })
}

fn numbers(value: &Value, heap: &Heap) -> Option<Vec<usize>> {
    let (Value::Tuple(items) | Value::List(items)) = value else {
        return None;
    };
    let items = heap.sequence(*items);
    if items.len() > MOST_DIMENSIONS {
        return None;
    }
    items.iter().map(|item| if let Value::Int(n) = item { usize::try_from(*n).ok() } else { None }).collect()
}
