//! Lists the models in some folders, and tells what a folder or a lone weights file is.

use super::folder::{ModelFolder, find_weights, size_of};
use super::format::Format;
use super::header::{TensorInfo, WeightsFile};
use super::pickle::PickleFile;
use crate::base::{Problem, ProblemKind};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders below a given one that are searched (the Hugging Face cache has `models--A--B/snapshots/HASH`), and how many
/// folders at most.
const DEPTH: usize = 3;
const MOST_FOLDERS: usize = 10_000;

/// A model in the diffusers layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// For people: the folder's name, or `A/B` in the Hugging Face cache.
    pub name: String,
    pub path: PathBuf,
    /// Key of the family, if the configurations tell.
    pub family_hint: Option<&'static str>,
    /// Size of the weights that would be loaded; 0 if the model is not whole.
    pub bytes: u64,
}

/// Every folder with a `model_index.json` among `dirs` and up to three levels below, sorted by name. Folders that cannot
/// be read are passed over.
pub fn models(dirs: &[PathBuf]) -> Vec<ModelEntry> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting: Vec<(PathBuf, usize)> = dirs.iter().rev().map(|dir| (dir.clone(), 0)).collect();
    while let Some((dir, depth)) = waiting.pop() {
        let canonical = fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
        if seen.len() >= MOST_FOLDERS || !seen.insert(canonical) {
            continue;
        }
        if dir.join("model_index.json").is_file() {
            found.push(entry(dir));
        } else if depth < DEPTH {
            let inside = fs::read_dir(&dir).into_iter().flatten().flatten();
            let folders = inside.map(|e| e.path()).filter(|path| path.is_dir());
            waiting.extend(folders.map(|path| (path, depth + 1)));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
    found
}

fn entry(path: PathBuf) -> ModelEntry {
    let part = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let hub = path.ancestors().nth(2).map(part).and_then(|n| Some(n.strip_prefix("models--")?.replace("--", "/")));
    let own = fs::canonicalize(&path).map_or_else(|_| part(&path), |p| part(&p));
    let folder = ModelFolder::open(&path).ok();
    let bytes = folder.iter().flat_map(|f| &f.components).map(|c| size_of(&c.weights)).sum();
    ModelEntry { name: hub.unwrap_or(own), family_hint: folder.and_then(|f| f.family_hint()), bytes, path }
}

/// What was inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A diffusers folder.
    Folder,
    /// One file with all the networks, in Stability's naming.
    Checkpoint,
    /// One network of a diffusers model, or a text encoder.
    Network,
    /// A low-rank adapter.
    Lora,
    /// A learned word (textual inversion).
    Embedding,
    Unknown,
}

/// One network, or one share of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `unet`, `vae`, `text_encoder`, `ema`, `other`, or the folder's name.
    pub name: String,
    /// The class that the model's index names; empty for a lone file.
    pub class: String,
    pub files: Vec<PathBuf>,
    pub tensors: usize,
    /// Elements of all tensors.
    pub parameters: u64,
    /// Tensors of each element type (`F32`, `F16`, `I64`).
    pub precisions: BTreeMap<String, usize>,
    /// Bytes of the elements.
    pub bytes: u64,
}

/// What a folder or file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub path: PathBuf,
    pub kind: Kind,
    /// `None` for a folder.
    pub format: Option<Format>,
    pub family_hint: Option<&'static str>,
    pub parts: Vec<Part>,
    /// Bytes on the disk of the weights' files.
    pub bytes: u64,
}

/// Reads the headers of a diffusers folder or of a `.safetensors`, `.ckpt`, `.pt`, `.bin`; converts nothing.
///
/// # Errors
/// Those of [`ModelFolder::open`], [`WeightsFile::open`] and [`PickleFile::open`]; a folder without an index that holds
/// weights is inspected as one network.
pub fn inspect(path: &Path) -> Result<Inspection, Problem> {
    if !path.exists() {
        return Err(Problem::new(ProblemKind::ModelMissing).with("model", path.display()).at(path));
    }
    if !path.is_dir() {
        return inspect_file(path);
    }
    if !path.join("model_index.json").is_file()
        && let Ok(files) = find_weights(path)
        && let [file] = files.as_slice()
    {
        return inspect_file(file);
    }
    let folder = ModelFolder::open(path)?;
    let mut parts = Vec::new();
    for component in &folder.components {
        let mut part = empty_part(&component.name, &component.class);
        for file in &component.weights {
            part.files.push(file.clone());
            tensors(file)?.1.iter().for_each(|tensor| count(&mut part, tensor));
        }
        parts.push(part);
    }
    let bytes = folder.components.iter().map(|c| size_of(&c.weights)).sum();
    let family_hint = folder.family_hint();
    Ok(Inspection { path: path.to_path_buf(), kind: Kind::Folder, format: None, family_hint, parts, bytes })
}

fn inspect_file(path: &Path) -> Result<Inspection, Problem> {
    let (format, tensors) = tensors(path)?;
    let (kind, family_hint) = guess(&tensors);
    let mut parts: Vec<Part> = Vec::new();
    for tensor in &tensors {
        let name = if kind == Kind::Checkpoint { share(&tensor.name) } else { network(kind, &tensors) };
        let at = parts.iter().position(|p| p.name == name).unwrap_or_else(|| {
            let mut part = empty_part(name, "");
            part.files.push(path.to_path_buf());
            parts.push(part);
            parts.len() - 1
        });
        if let Some(part) = parts.get_mut(at) {
            count(part, tensor);
        }
    }
    let bytes = size_of(&[path.to_path_buf()]);
    Ok(Inspection { path: path.to_path_buf(), kind, format: Some(format), family_hint, parts, bytes })
}

fn tensors(path: &Path) -> Result<(Format, Vec<TensorInfo>), Problem> {
    let format = Format::of(path)?;
    if format == Format::Safetensors {
        return Ok((format, WeightsFile::open(path)?.tensors().to_vec()));
    }
    let pickle = PickleFile::open(path)?;
    let info = pickle.tensors().iter();
    let info = info.map(|t| TensorInfo { name: t.name.clone(), dtype: t.dtype, shape: t.shape.clone() });
    Ok((format, info.collect()))
}

fn empty_part(name: &str, class: &str) -> Part {
    Part {
        name: name.into(),
        class: class.into(),
        files: Vec::new(),
        tensors: 0,
        parameters: 0,
        precisions: BTreeMap::new(),
        bytes: 0,
    }
}

fn count(part: &mut Part, tensor: &TensorInfo) {
    part.tensors += 1;
    part.parameters = part.parameters.saturating_add(tensor.elements());
    part.bytes = part.bytes.saturating_add(tensor.bytes());
    *part.precisions.entry(format!("{:?}", tensor.dtype)).or_default() += 1;
}

/// The network that a tensor of a single-file checkpoint belongs to.
fn share(name: &str) -> &'static str {
    let shares = [
        ("model.diffusion_model.", "unet"),
        ("first_stage_model.", "vae"),
        ("cond_stage_model.", "text_encoder"),
        ("conditioner.", "text_encoder"),
        ("model_ema.", "ema"),
    ];
    shares.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or("other", |(_, share)| share)
}

/// What to call the only part of a file that is not a checkpoint.
fn network(kind: Kind, tensors: &[TensorInfo]) -> &'static str {
    let has = |start: &str| tensors.iter().any(|t| t.name.starts_with(start));
    match kind {
        Kind::Lora => "lora",
        Kind::Embedding => "embedding",
        _ if has("controlnet_cond_embedding.") || has("control_model.") => "controlnet",
        _ if has("down_blocks.") && has("time_embedding.") => "unet",
        _ if has("decoder.conv_in.") => "vae",
        _ if has("embeddings.word_embeddings.") || has("bert.embeddings.") || has("text_model.") => "text_encoder",
        _ => "other",
    }
}

/// Kind and family by the names and a few shapes.
fn guess(tensors: &[TensorInfo]) -> (Kind, Option<&'static str>) {
    let find = |name: &str| tensors.iter().find(|t| t.name == name);
    let has = |start: &str| tensors.iter().any(|t| t.name.starts_with(start));
    let adapter =
        [".lora_down.", ".lora_up.", ".lora_A.", ".lora_B.", ".lora.down.", ".lora.up.", ".hada_w1_a", ".lokr_w1"];
    if tensors.iter().any(|t| adapter.iter().any(|word| t.name.contains(word))) {
        let wide = tensors
            .iter()
            .any(|t| t.name.starts_with("lora_te2_") || t.name.contains("input_blocks_8_1_transformer_blocks_9"));
        return (Kind::Lora, Some(if wide { "sdxl" } else { "sd1" }));
    }
    if has("model.diffusion_model.") {
        let words = find("cond_stage_model.transformer.embeddings.word_embeddings.weight");
        let width = find("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight");
        let width = width.and_then(|t| t.shape.get(1).copied());
        let family = match words.map(|t| t.shape.as_slice()) {
            Some([21128, _]) => Some("taiyi"),
            Some(_) => None,
            None if has("conditioner.embedders.") => {
                let words = find("conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight");
                Some(if words.is_some_and(|t| t.shape.first() == Some(&57475)) { "taiyi-xl" } else { "sdxl" })
            }
            None if has("cond_stage_model.transformer.text_model.") => Some("sd1"),
            None if has("cond_stage_model.model.") => Some("sd2"),
            None if width == Some(1024) => Some("sd2"),
            None => None,
        };
        return (Kind::Checkpoint, family);
    }
    let learned = ["string_to_param.", "emb_params"];
    let only = tensors.first().filter(|t| tensors.len() == 1 && t.shape.len() <= 2 && t.shape.last() == Some(&768));
    if learned.iter().any(|start| has(start)) || only.is_some() {
        return (Kind::Embedding, Some("sd1"));
    }
    let kind = if network(Kind::Unknown, tensors) == "other" { Kind::Unknown } else { Kind::Network };
    let words = find("embeddings.word_embeddings.weight").or_else(|| find("bert.embeddings.word_embeddings.weight"));
    let family = if words.is_some_and(|t| t.shape.first() == Some(&21128)) {
        Some("taiyi")
    } else if has("text_model.") {
        Some("sd1")
    } else {
        let width = find("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight");
        match width.and_then(|t| t.shape.get(1)) {
            Some(768) => Some("sd1"),
            Some(1024) => Some("sd2"),
            _ if find("add_embedding.linear_1.weight").is_some() => Some("sdxl"),
            _ => None,
        }
    };
    (kind, family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::header::tests::safetensors;

    fn tensor(name: &str, shape: &[usize]) -> TensorInfo {
        TensorInfo { name: name.into(), dtype: crate::catalog::Dtype::F32, shape: shape.to_vec() }
    }

    #[test]
    fn families_are_guessed_from_names() {
        let unet = tensor("model.diffusion_model.out.2.bias", &[4]);
        let cases: [(&str, &[usize], Kind, Option<&str>); 7] = [
            (
                "cond_stage_model.transformer.embeddings.word_embeddings.weight",
                &[21128, 768],
                Kind::Checkpoint,
                Some("taiyi"),
            ),
            ("cond_stage_model.transformer.text_model.final_layer_norm.bias", &[768], Kind::Checkpoint, Some("sd1")),
            ("cond_stage_model.model.ln_final.bias", &[1024], Kind::Checkpoint, Some("sd2")),
            ("conditioner.embedders.1.model.ln_final.bias", &[1280], Kind::Checkpoint, Some("sdxl")),
            (
                "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
                &[57475, 768],
                Kind::Checkpoint,
                Some("taiyi-xl"),
            ),
            ("first_stage_model.encoder.conv_in.bias", &[128], Kind::Checkpoint, None),
            ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", &[4, 1280], Kind::Lora, Some("sd1")),
        ];
        for (name, shape, kind, family) in cases {
            assert_eq!(guess(&[unet.clone(), tensor(name, shape)]), (kind, family), "{name}");
        }
        let bert = tensor("embeddings.word_embeddings.weight", &[21128, 64]);
        assert_eq!(guess(&[bert]), (Kind::Network, Some("taiyi")));
        assert_eq!(guess(&[tensor("emb_params", &[2, 768])]).0, Kind::Embedding);
        assert_eq!(guess(&[tensor("x", &[2])]), (Kind::Unknown, None));
    }

    #[test]
    fn models_are_listed_wherever_they_lie() {
        let root = tempfile::tempdir().unwrap();
        for path in ["小图", "hub/models--IDEA-CCNL--Taiyi/snapshots/0123abcd", "no/deep/er/than/this"] {
            let folder = root.path().join(path);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("model_index.json"), "{}").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), root.path().join("loop")).unwrap();
        let found = models(&[root.path().to_path_buf(), root.path().join("小图"), root.path().join("absent")]);
        // The deeper folders of the Hugging Face cache are found when the cache itself is given.
        let names: Vec<_> = found.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["小图"]);
        let found = models(&[root.path().join("hub")]);
        let names: Vec<_> = found.iter().map(|m| m.name.as_str()).collect();
        assert_eq!((names, found[0].bytes), (vec!["IDEA-CCNL/Taiyi"], 0));
    }

    #[test]
    fn a_lone_file_is_inspected_by_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("模型.ckpt");
        let header = r#"{"model.diffusion_model.out.2.bias":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},
            "first_stage_model.decoder.conv_in.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#;
        fs::write(&path, safetensors(header, &[0; 16])).unwrap();
        let seen = inspect(&path).unwrap();
        assert_eq!((seen.kind, seen.format), (Kind::Checkpoint, Some(Format::Safetensors)));
        let parts: Vec<_> = seen.parts.iter().map(|p| (p.name.as_str(), p.parameters, p.bytes)).collect();
        assert_eq!(parts, [("unet", 4, 8), ("vae", 2, 8)]);
        assert_eq!(seen.parts[0].precisions["F16"], 1);
        assert_eq!(inspect(&folder.path().join("无")).unwrap_err().kind, ProblemKind::ModelMissing);
    }
}
