//! Damaged and hostile model files: every reader of the catalog gives a result or a [`Problem`], quickly and without
//! large allocations. The mutants are made from small files by a fixed sequence, so that a failure can be had again.

use danqing::base::{Problem, ProblemKind};
use danqing::catalog::{ModelFolder, PickleFile, WeightsFile, inspect, models, open_weights};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MUTANTS: u64 = 120;
const SLOWEST: Duration = Duration::from_secs(5);
const MOST_MEMORY: u64 = 256 << 20;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/pickles").join(name)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }
}

/// A damaged copy. Half of the damage goes to the parts that hold tables (both ends of the file).
fn mutant(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut file = whole.to_vec();
    for _ in 0..=dice.roll(4) {
        let length = file.len();
        let at = match dice.roll(4) {
            0 => dice.roll(length.min(400)),
            1 => length - 1 - dice.roll(length.min(2000)),
            _ => dice.roll(length),
        };
        match dice.roll(7) {
            0 => file[at] ^= 1 << dice.roll(8),
            1 => file[at] = [0, 0xff, 0x7f, 0x80, b'(', b'.', b'R', b'}', b'9'][dice.roll(9)],
            2 => file.truncate(at.max(1)),
            3 => {
                // A number of four or eight bytes that is far too large, or lies about a size.
                let width = [4, 8][dice.roll(2)].min(length - at);
                let lie = [u64::MAX, i64::MAX as u64, u32::MAX.into(), 1 << 40, 0, length as u64][dice.roll(6)];
                file[at..at + width].copy_from_slice(&lie.to_le_bytes()[..width]);
            }
            4 => {
                let other = dice.roll(length);
                let width = 8.min(length - at).min(length - other);
                for k in 0..width {
                    file.swap(at + k, other + k);
                }
            }
            5 => {
                let insert: Vec<u8> = (0..1 + dice.roll(40)).map(|_| dice.roll(256) as u8).collect();
                file.splice(at..at, insert);
            }
            _ => {
                // A digit of a size in JSON, or a repeated piece.
                if let Some(digit) = (at..length).find(|&k| file[k].is_ascii_digit()) {
                    file[digit] = b'0' + dice.roll(10) as u8;
                    let again = file[digit..(digit + 12).min(length)].to_vec();
                    file.splice(digit..digit, again);
                }
            }
        }
    }
    file
}

/// Largest size that the process's address space has had, in bytes; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn judge<T>(what: &str, run: impl FnOnce() -> Result<T, Problem>) -> bool {
    let start = Instant::now();
    let result = run();
    assert!(start.elapsed() < SLOWEST, "{what} took {:?}", start.elapsed());
    if let Err(problem) = &result {
        assert!(!problem.args.is_empty() || problem.detail.is_some(), "{what}: a problem that says nothing");
        assert!(problem.kind != ProblemKind::Internal && problem.kind != ProblemKind::Unwritable, "{what}: {problem}");
    }
    result.is_ok()
}

fn read_all(path: &Path) -> Result<(), Problem> {
    let mut file = PickleFile::open(path)?;
    let mut bytes = Vec::new();
    for tensor in file.tensors().to_vec() {
        file.read_tensor(&tensor.name, &mut bytes)?;
        assert_eq!(bytes.len() as u64, tensor.bytes());
    }
    Ok(())
}

fn small_safetensors() -> Vec<u8> {
    let header = r#"{"__metadata__":{"format":"pt"},"encoder.weight":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]},"half":{"dtype":"F16","shape":[2,2,2],"data_offsets":[48,64]},"scalar":{"dtype":"BF16","shape":[],"data_offsets":[64,66]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend(0..66u8);
    file
}

/// Writes a new file: writing over the old one would make some file systems flush it to the disk each time.
fn put(path: &Path, content: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
}

/// One test, so that nothing else of this process counts into the peak of memory.
#[test]
fn damaged_files_are_refused_calmly() {
    let folder = tempfile::Builder::new().prefix("损坏").tempdir().unwrap();
    let cache = folder.path().join("cache");
    let path = folder.path().join("模型.bin");
    let before = peak_memory();

    let mut good = 0;
    let safetensors = small_safetensors();
    for seed in 0..MUTANTS {
        put(&path, &mutant(&safetensors, seed));
        good += usize::from(judge(&format!("safetensors {seed}"), || {
            let file = WeightsFile::open(&path)?;
            file.tensors().iter().try_for_each(|t| {
                let view = file.tensor(&t.name)?;
                assert_eq!(view.bytes.len() as u64, t.bytes());
                Ok(())
            })
        }));
        judge(&format!("safetensors {seed}"), || inspect(&path));
        judge(&format!("safetensors {seed}"), || open_weights(&path, &cache, &mut |_| ControlFlow::Continue(())));
    }
    assert!(good > 0, "every mutant was refused: the damage is too coarse to test anything");

    for name in ["zip2.bin", "zip4.bin", "deflated2.bin", "deflated4.bin", "legacy.pt"] {
        let whole = fs::read(golden(name)).unwrap();
        let mut good = 0;
        for seed in 0..MUTANTS {
            let what = format!("{name} {seed}");
            put(&path, &mutant(&whole, seed));
            good += usize::from(judge(&what, || read_all(&path)));
            judge(&what, || inspect(&path));
            if seed % 4 == 0 {
                judge(&what, || open_weights(&path, &cache, &mut |_| ControlFlow::Continue(())));
            }
        }
        assert!(good > 0, "every mutant of {name} was refused");
    }

    // The pickle itself, in a sound archive: damage there is not caught by a check sum.
    let pickle = unpacked(&golden("zip2.bin"), "zip2/data.pkl");
    for seed in 0..4 * MUTANTS {
        rezip(&path, &mutant(&pickle, seed));
        judge(&format!("data.pkl {seed}"), || read_all(&path));
    }

    let configs: [(&str, &str); 4] = [
        (
            "model_index.json",
            r#"{"_class_name":"StableDiffusionPipeline","unet":["diffusers","UNet2DConditionModel"],"tokenizer":["transformers","BertTokenizer"],"scheduler":["diffusers","PNDMScheduler"]}"#,
        ),
        ("unet/config.json", r#"{"in_channels":4,"block_out_channels":[320,640,1280,1280],"cross_attention_dim":768}"#),
        (
            "unet/diffusion_pytorch_model.safetensors.index.json",
            r#"{"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}"#,
        ),
        ("tokenizer/tokenizer_config.json", r#"{"model_max_length":512,"do_lower_case":true}"#),
    ];
    let model = folder.path().join("模型");
    for part in ["unet", "tokenizer", "scheduler"] {
        fs::create_dir_all(model.join(part)).unwrap();
    }
    fs::write(model.join("scheduler/scheduler_config.json"), r#"{"beta_start":0.00085}"#).unwrap();
    for shard in ["one", "two"] {
        fs::write(model.join(format!("unet/{shard}.safetensors")), &safetensors).unwrap();
    }
    for (name, content) in configs {
        fs::write(model.join(name), content).unwrap();
    }
    assert!(judge("the sound model", || ModelFolder::open(&model)));
    for (name, content) in configs {
        for seed in 0..MUTANTS {
            put(&model.join(name), &mutant(content.as_bytes(), seed));
            let what = format!("{name} {seed}");
            judge(&what, || ModelFolder::open(&model).map(|m| (m.family_hint(), m.tokenizer.map(|t| t.longest()))));
            judge(&what, || inspect(&model));
            assert!(models(&[folder.path().to_path_buf()]).len() <= 1);
        }
        fs::write(model.join(name), "[".repeat(100_000)).unwrap();
        judge(name, || ModelFolder::open(&model));
        fs::write(model.join(name), content).unwrap();
    }

    let grown = peak_memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "the address space grew by {} MiB", grown >> 20);
    let left: Vec<_> =
        fs::read_dir(&cache).unwrap().flatten().filter(|e| e.path().extension() == Some("part".as_ref())).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_pickle_that_would_run_code_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (file, names) in [
        ("evil.bin", &["posix.system", "os.system", "nt.system"][..]),
        ("evil4.bin", &["posix.system", "os.system", "nt.system"]),
        ("module.bin", &["torch.nn.modules.linear.Linear"]),
    ] {
        let opened = PickleFile::open(&golden(file)).map(drop);
        let converted = open_weights(&golden(file), folder.path(), &mut |_| ControlFlow::Continue(())).map(drop);
        for result in [opened, converted] {
            let problem = result.unwrap_err();
            assert_eq!(problem.kind, ProblemKind::PickleForbidden);
            assert!(names.contains(&problem.arg("name").unwrap()), "{problem}");
            assert!(problem.arg("file").is_some_and(|f| f.ends_with(file)));
        }
    }
}

fn unpacked(path: &Path, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
    bytes
}

/// An archive with `pickle` and twenty storages of 5000 bytes.
fn rezip(path: &Path, pickle: &[u8]) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("a/data.pkl", options).unwrap();
    archive.write_all(pickle).unwrap();
    for key in 0..20 {
        archive.start_file(format!("a/data/{key}"), options).unwrap();
        archive.write_all(&[key; 5000]).unwrap();
    }
    archive.finish().unwrap();
}
