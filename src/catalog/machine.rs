//! Runs the opcodes of a pickle (protocols 2 to 5, as CPython's `pickletools` documents them) without Python: values are
//! plain data, and every name goes through the allow-list of [`super::torch`].
//!
//! All values live in one arena and refer to each other by index, so that deep nesting or cycles cost no recursion, and
//! opcodes, stack, memo and strings are counted against limits before anything is stored.

use super::format::damaged;
use super::torch::{self, Global, Storage, Tensor};
use crate::base::{Problem, ProblemKind};
use std::collections::HashMap;
use std::rc::Rc;

/// Limits; a full Stable Diffusion checkpoint takes about 1 MB, 60,000 opcodes and 15,000 memo entries.
pub(super) const LONGEST_PICKLE: u64 = 64 << 20;
const MOST_OPCODES: u64 = 2_000_000;
const DEEPEST_STACK: usize = 1_000_000;
const LARGEST_MEMO: usize = 1_000_000;
const MOST_TENSORS: usize = 100_000;
/// One opcode may copy a whole list; all of them together no more than this.
const MOST_COPIES: usize = 1_000_000;
const LONGEST_STRING: usize = 64 << 10;
const LONGEST_NAME: usize = 512;

/// What a pickle can hold, as far as weights need it. Indices point into the [`Heap`].
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Str(Rc<str>),
    Tuple(u32),
    List(u32),
    Dict(u32),
    Global(Global),
    Storage(u32),
    Tensor(u32),
    /// Something harmless that is of no use here: a float, bytes, a set, a training program's object.
    Opaque,
}

/// Everything that the values refer to.
#[derive(Debug, Default)]
pub(super) struct Heap {
    sequences: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
    storages: Vec<Storage>,
    tensors: Vec<Tensor>,
    /// Values that calls copied from others.
    copied: usize,
}

// The opcode limit keeps every arena far below 2^32 entries.
fn push<T>(arena: &mut Vec<T>, item: T) -> u32 {
    arena.push(item);
    (arena.len() - 1) as u32
}

impl Heap {
    fn new_sequence(&mut self, items: Vec<Value>) -> u32 {
        push(&mut self.sequences, items)
    }

    fn new_dict(&mut self, pairs: Vec<(Value, Value)>) -> Value {
        Value::Dict(push(&mut self.dicts, pairs))
    }

    /// A dict of values that are there already.
    ///
    /// # Errors
    /// `WeightsDamaged` if the pickle has made more copies than any model's.
    pub fn copied_dict(&mut self, pairs: Vec<(Value, Value)>) -> Result<Value, Problem> {
        self.copied = self.copied.saturating_add(pairs.len());
        if self.copied > MOST_COPIES {
            return Err(damaged("the pickle copies the same values over and over"));
        }
        Ok(self.new_dict(pairs))
    }

    pub fn new_tensor(&mut self, tensor: Tensor) -> Result<Value, Problem> {
        if self.tensors.len() >= MOST_TENSORS {
            return Err(damaged("the pickle has more tensors than any model"));
        }
        Ok(Value::Tensor(push(&mut self.tensors, tensor)))
    }

    pub fn sequence(&self, index: u32) -> &[Value] {
        self.sequences.get(index as usize).map_or(&[], Vec::as_slice)
    }

    pub fn tuple(&self, value: &Value) -> Option<&[Value]> {
        if let Value::Tuple(index) = value { Some(self.sequence(*index)) } else { None }
    }

    pub fn pairs(&self, index: u32) -> &[(Value, Value)] {
        self.dicts.get(index as usize).map_or(&[], Vec::as_slice)
    }

    pub fn storage(&self, index: u32) -> Option<&Storage> {
        self.storages.get(index as usize)
    }

    /// Every storage that was named, in the pickle's order.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.storages.iter()
    }

    pub fn tensor(&self, index: u32) -> Option<&Tensor> {
        self.tensors.get(index as usize)
    }
}

/// What a pickle came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub value: Value,
    pub heap: Heap,
    /// Bytes up to and with the `STOP` opcode.
    pub used: usize,
}

/// Reads the pickle at the beginning of `bytes`.
///
/// # Errors
/// `PickleForbidden` (arg: name) for a name that is not on the list, `WeightsDamaged` otherwise; both without a path.
pub(super) fn run(bytes: &[u8]) -> Result<Outcome, Problem> {
    let mut machine =
        Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), heap: Heap::default() };
    for _ in 0..MOST_OPCODES {
        if let Some(value) = machine.step()? {
            return Ok(Outcome { value, heap: machine.heap, used: machine.at });
        }
    }
    Err(damaged(format!("the pickle has more than {MOST_OPCODES} opcodes")))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    heap: Heap,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Problem> {
        let end = usize::try_from(count).ok().and_then(|n| self.at.checked_add(n));
        let piece = end.and_then(|end| self.bytes.get(self.at..end));
        let piece = piece.ok_or_else(|| damaged("the pickle ends too early"))?;
        self.at += piece.len();
        Ok(piece)
    }

    /// A little-endian number of 1 to 8 bytes.
    fn number(&mut self, width: u64) -> Result<u64, Problem> {
        Ok(self.take(width)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn line(&mut self) -> Result<&'a str, Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(LONGEST_NAME).position(|&b| b == b'\n');
        let end = end.ok_or_else(|| damaged("a line of the pickle does not end"))?;
        let line = self.take(end as u64 + 1)?.get(..end).unwrap_or_default();
        std::str::from_utf8(line).map_err(|_| damaged("a name in the pickle is not text"))
    }

    fn push(&mut self, value: Value) -> Result<(), Problem> {
        if self.stack.len() >= DEEPEST_STACK {
            return Err(damaged("the pickle's stack grows too high"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Problem> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(damaged("the pickle's stack is empty"));
        }
        self.stack.pop().ok_or_else(|| damaged("the pickle's stack is empty"))
    }

    fn pop_mark(&mut self) -> Result<Vec<Value>, Problem> {
        let height = self.marks.pop().filter(|h| *h <= self.stack.len());
        let height = height.ok_or_else(|| damaged("the pickle closes a mark that is not open"))?;
        Ok(self.stack.split_off(height))
    }

    fn push_tuple(&mut self, items: Vec<Value>) -> Result<(), Problem> {
        let tuple = Value::Tuple(self.heap.new_sequence(items));
        self.push(tuple)
    }

    fn push_string(&mut self, width: u64) -> Result<(), Problem> {
        let length = self.number(width)?;
        let text = self.take(length)?;
        let value = match std::str::from_utf8(text) {
            Ok(text) if text.len() <= LONGEST_STRING => Value::Str(text.into()),
            _ => Value::Opaque,
        };
        self.push(value)
    }

    fn push_bytes(&mut self, width: u64) -> Result<(), Problem> {
        let length = self.number(width)?;
        self.take(length)?;
        self.push(Value::Opaque)
    }

    fn push_long(&mut self, width: u64) -> Result<(), Problem> {
        let length = self.number(width)?;
        let digits = self.take(length)?;
        let value = if digits.len() > 8 {
            Value::Opaque
        } else {
            let mut wide = [if digits.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 }; 8];
            wide.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
            Value::Int(i64::from_le_bytes(wide))
        };
        self.push(value)
    }

    fn remember(&mut self, key: u64) -> Result<(), Problem> {
        let key = u32::try_from(key).map_err(|_| damaged("a memo index of the pickle is too large"))?;
        if self.memo.len() >= LARGEST_MEMO {
            return Err(damaged("the pickle remembers too much"));
        }
        let value = self.stack.last().cloned().ok_or_else(|| damaged("the pickle's stack is empty"))?;
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Problem> {
        let value = u32::try_from(key).ok().and_then(|key| self.memo.get(&key)).cloned();
        self.push(value.ok_or_else(|| damaged("the pickle recalls what it never stored"))?)
    }

    fn global(&self, module: &str, name: &str) -> Result<Global, Problem> {
        torch::lookup(module, name).ok_or_else(|| forbidden(&format!("{module}.{name}")))
    }

    fn call(&mut self, function: &Value, arguments: &Value) -> Result<(), Problem> {
        let Value::Global(function) = function else {
            return Err(damaged("the pickle calls what is no function"));
        };
        let value = torch::call(*function, arguments, &mut self.heap)?;
        self.push(value)
    }

    fn extend_list(&mut self, items: Vec<Value>) -> Result<(), Problem> {
        match self.stack.last() {
            Some(Value::List(list)) => {
                if let Some(list) = self.heap.sequences.get_mut(*list as usize) {
                    list.extend(items);
                }
                Ok(())
            }
            Some(Value::Opaque) => Ok(()),
            _ => Err(damaged("the pickle appends to what is no list")),
        }
    }

    fn extend_dict(&mut self, items: Vec<Value>) -> Result<(), Problem> {
        let pairs = pairs(items)?;
        match self.stack.last() {
            Some(Value::Dict(dict)) => {
                if let Some(dict) = self.heap.dicts.get_mut(*dict as usize) {
                    dict.extend(pairs);
                }
                Ok(())
            }
            Some(Value::Opaque) => Ok(()),
            _ => Err(damaged("the pickle sets an item of what is no dictionary")),
        }
    }

    /// Runs one opcode; the value of the pickle if it was `STOP`.
    fn step(&mut self) -> Result<Option<Value>, Problem> {
        let opcode = self.number(1)? as u8;
        match opcode {
            b'.' => return self.pop().map(Some),
            // PROTO, FRAME
            0x80 => {
                let protocol = self.number(1)?;
                if protocol > 5 {
                    return Err(damaged(format!("pickle protocol {protocol} is not known")));
                }
            }
            0x95 => {
                let length = self.number(8)?;
                if length > (self.bytes.len() - self.at) as u64 {
                    return Err(damaged("a frame of the pickle ends after the file"));
                }
            }
            // MARK, POP, POP_MARK, DUP
            b'(' if self.marks.len() >= DEEPEST_STACK => return Err(damaged("the pickle is nested too deeply")),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.stack.last().cloned().ok_or_else(|| damaged("the pickle's stack is empty"))?;
                self.push(top)?;
            }
            // None, booleans, numbers, text, bytes
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Bool(opcode == 0x88))?,
            b'K' => {
                let value = self.number(1)? as i64;
                self.push(Value::Int(value))?;
            }
            b'M' => {
                let value = self.number(2)? as i64;
                self.push(Value::Int(value))?;
            }
            b'J' => {
                let value = self.number(4)? as u32 as i32;
                self.push(Value::Int(value.into()))?;
            }
            0x8a => self.push_long(1)?,
            0x8b => self.push_long(4)?,
            b'G' => {
                self.take(8)?;
                self.push(Value::Opaque)?;
            }
            b'X' | b'T' => self.push_string(4)?,
            0x8c | b'U' => self.push_string(1)?,
            0x8d => self.push_string(8)?,
            b'B' => self.push_bytes(4)?,
            b'C' => self.push_bytes(1)?,
            0x8e | 0x96 => self.push_bytes(8)?,
            // The text forms of protocol 0: torch never wrote shapes or names so.
            b'I' | b'L' | b'F' | b'S' | b'V' => {
                self.line()?;
                self.push(Value::Opaque)?;
            }
            // Tuples
            b')' => self.push_tuple(Vec::new())?,
            b't' => {
                let items = self.pop_mark()?;
                self.push_tuple(items)?;
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x85..=opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push_tuple(items)?;
            }
            // Lists: EMPTY_LIST, LIST, APPEND, APPENDS
            b']' | b'l' => {
                let items = if opcode == b'l' { self.pop_mark()? } else { Vec::new() };
                let list = Value::List(self.heap.new_sequence(items));
                self.push(list)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend_list(items)?;
            }
            // Dictionaries: EMPTY_DICT, DICT, SETITEM, SETITEMS
            b'}' | b'd' => {
                let items = if opcode == b'd' { pairs(self.pop_mark()?)? } else { Vec::new() };
                let dict = self.heap.new_dict(items);
                self.push(dict)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.extend_dict(items)?;
            }
            // Sets: EMPTY_SET, ADDITEMS, FROZENSET
            0x8f => self.push(Value::Opaque)?,
            0x90 => drop(self.pop_mark()?),
            0x91 => {
                self.pop_mark()?;
                self.push(Value::Opaque)?;
            }
            // Memo
            b'q' | b'r' => {
                let key = self.number(if opcode == b'q' { 1 } else { 4 })?;
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'h' | b'j' => {
                let key = self.number(if opcode == b'h' { 1 } else { 4 })?;
                self.recall(key)?;
            }
            b'p' | b'g' => {
                let key = self.line()?.parse().map_err(|_| damaged("a memo index of the pickle is no number"))?;
                if opcode == b'p' { self.remember(key)? } else { self.recall(key)? }
            }
            // Names: GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let global = self.global(module, name)?;
                self.push(Value::Global(global))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Str(module), Value::Str(name)) = (module, name) else {
                    return Err(damaged("a name in the pickle is not text"));
                };
                let global = self.global(&module, &name)?;
                self.push(Value::Global(global))?;
            }
            // EXT1, EXT2, EXT4: names behind numbers of a registry that we do not have.
            0x82..=0x84 => {
                let code = self.number(1 << (opcode - 0x82))?;
                return Err(forbidden(&format!("copyreg.extension {code}")));
            }
            // Calls: REDUCE, NEWOBJ, NEWOBJ_EX, INST, OBJ, BUILD, BINPERSID
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(&function, &arguments)?;
            }
            0x92 => {
                let (_, arguments, function) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(&function, &arguments)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let function = Value::Global(self.global(module, name)?);
                let items = self.pop_mark()?;
                let arguments = Value::Tuple(self.heap.new_sequence(items));
                self.call(&function, &arguments)?;
            }
            b'o' => {
                let mut items = self.pop_mark()?.into_iter();
                let function = items.next().unwrap_or(Value::None);
                let arguments = Value::Tuple(self.heap.new_sequence(items.collect()));
                self.call(&function, &arguments)?;
            }
            // Attributes of an object (`_metadata` of a state dict): weights have none that count.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                let storage = torch::storage(&id, &self.heap)?;
                let storage = Value::Storage(push(&mut self.heap.storages, storage));
                self.push(storage)?;
            }
            other => return Err(damaged(format!("opcode 0x{other:02x} of the pickle is not known"))),
        }
        Ok(None)
    }
}

fn pairs(items: Vec<Value>) -> Result<Vec<(Value, Value)>, Problem> {
    if !items.len().is_multiple_of(2) {
        return Err(damaged("a key of the pickle has no value"));
    }
    let mut items = items.into_iter();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn forbidden(name: &str) -> Problem {
    let name: String = name.chars().take(LONGEST_NAME).map(|c| if c.is_control() { '?' } else { c }).collect();
    Problem::new(ProblemKind::PickleForbidden).with("name", name).detail("the file was not executed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_code_is_refused_by_name() {
        let reduce = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.";
        let stack_global = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
        let old = b"(S'ls'\nios\nsystem\n.";
        let object = b"(cbuiltins\nexec\nNo.";
        let cases: [(&[u8], &str); 6] = [
            (reduce, "posix.system"),
            (stack_global, "builtins.eval"),
            (old, "os.system"),
            (object, "builtins.exec"),
            (b"\x80\x02\x82\x07.", "copyreg.extension 7"),
            (b"\x80\x02ctorch.storage\n_load_from_bytes\n.", "torch.storage._load_from_bytes"),
        ];
        for (pickle, name) in cases {
            let problem = run(pickle).unwrap_err();
            assert_eq!((problem.kind, problem.arg("name")), (ProblemKind::PickleForbidden, Some(name)));
        }
    }

    #[test]
    fn a_few_bytes_that_copy_a_list_again_and_again_are_refused() {
        let list = [&b"\x80\x02K\x01K\x02\x86q\x010]q\x00("[..], &b"h\x01".repeat(5000), b"e0"].concat();
        let function = b"ccollections\nOrderedDict\nq\x020h\x00\x85q\x030";
        let copies = |times| [&list[..], function, &b"h\x02h\x03R0".repeat(times), b"N."].concat();
        assert!(run(&copies(100)).is_ok());
        assert_eq!(run(&copies(1000)).unwrap_err().kind, ProblemKind::WeightsDamaged);
    }

    #[test]
    fn no_pickle_of_nonsense_panics_or_grows() {
        let deep = [b"N".to_vec(), vec![0x85; 900_000], b".".to_vec()].concat();
        assert!(run(&deep).is_ok());
        assert!(run(&vec![b'('; 1_500_000]).is_err());
        assert!(run(&vec![b'N'; 1_500_000]).is_err());
        assert!(run(&vec![b'}'; 1_500_000]).is_err());
        for pickle in [
            &b""[..],
            b".",
            b"(t",
            b"N(0.",
            b"X\xff\xff\xff\xff",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa",
            b"h\x00.",
            b"}NNu.",
            b"NR.",
            b"\xff",
        ] {
            assert_eq!(run(pickle).unwrap_err().kind, ProblemKind::WeightsDamaged, "{pickle:?}");
        }
        // A dictionary that holds itself.
        assert!(run(b"}q\x00X\x01\x00\x00\x00ah\x00s.").is_ok());
    }

    #[test]
    fn numbers_are_little_endian_and_signed() {
        let int = |pickle: &[u8]| match run(pickle).unwrap().value {
            Value::Int(n) => n,
            other => panic!("{other:?}"),
        };
        assert_eq!(int(b"J\xfe\xff\xff\xff."), -2);
        assert_eq!(int(b"M\x00\x02."), 512);
        assert_eq!(int(b"\x8a\x02\x00\xff."), -256);
        assert_eq!(int(b"\x8a\x00."), 0);
        assert_eq!(run(b"K\x01.rest").unwrap().used, 3);
    }
}
