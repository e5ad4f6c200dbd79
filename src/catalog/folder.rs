//! A model in the diffusers layout: `model_index.json` and one folder for each part.

use crate::base::{Problem, ProblemKind};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest JSON file that is read, in bytes.
const LONGEST_JSON: u64 = 16 << 20;
/// Parts that painting needs; others (safety checker, feature extractor) are not opened.
const NETWORKS: [&str; 5] = ["unet", "transformer", "vae", "text_encoder", "text_encoder_2"];
/// Names that diffusers and transformers give to weights, without their endings.
const STEMS: [&str; 2] = ["diffusion_pytorch_model", "model"];
const PICKLED_STEMS: [&str; 2] = ["diffusion_pytorch_model", "pytorch_model"];

/// A network of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// The folder's name: `unet`, `vae`, `text_encoder`.
    pub name: String,
    /// The class that `model_index.json` names, such as `BertModel`.
    pub class: String,
    pub folder: PathBuf,
    /// The object in `config.json`.
    pub config: Value,
    /// One file, or the shards in the order of their names.
    pub weights: Vec<PathBuf>,
}

/// What the tokenizer's folder holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokenizer {
    pub class: String,
    pub folder: PathBuf,
    /// The object in `tokenizer_config.json`, if there is one.
    pub config: Option<Value>,
}

impl Tokenizer {
    /// The WordPiece vocabulary `vocab.txt`.
    ///
    /// # Errors
    /// `WeightsMissing` with its path.
    pub fn vocabulary(&self) -> Result<PathBuf, Problem> {
        let path = self.folder.join("vocab.txt");
        if path.is_file() { Ok(path) } else { Err(Problem::new(ProblemKind::WeightsMissing).at(path)) }
    }

    /// `model_max_length`, the tokens of a prompt with the special ones; `None` if it is absent or without sense
    /// (transformers writes 1e30 for "no limit").
    pub fn longest(&self) -> Option<usize> {
        let length = self.config.as_ref()?.get("model_max_length")?.as_u64()?;
        usize::try_from(length).ok().filter(|n| (1..=1_000_000).contains(n))
    }
}

/// A diffusers folder.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFolder {
    pub path: PathBuf,
    /// `_class_name` of `model_index.json`, such as `StableDiffusionPipeline`; empty if it has none.
    pub pipeline: String,
    pub index: Value,
    pub components: Vec<Component>,
    pub tokenizer: Option<Tokenizer>,
    /// The object in `scheduler/scheduler_config.json`, if the model names a scheduler.
    pub scheduler: Option<Value>,
}

impl ModelFolder {
    /// Reads the configurations and finds the weights of every network that the index names; no weights are opened.
    ///
    /// # Errors
    /// `ModelMissing` if the folder or its index is not there, `ConfigInvalid` if a JSON file is absent or no object,
    /// `WeightsMissing` with the path that was looked for.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let index_path = path.join("model_index.json");
        if !index_path.is_file() {
            let problem = Problem::new(ProblemKind::ModelMissing).with("model", path.display()).at(path);
            return Err(problem.detail("there is no model_index.json"));
        }
        let index = read_object(&index_path)?;
        let pipeline = index.get("_class_name").and_then(Value::as_str).unwrap_or_default().to_string();
        let mut components = Vec::new();
        for name in NETWORKS {
            if let Some(class) = class_of(&index, name) {
                let folder = path.join(name);
                let config = read_object(&folder.join("config.json"))?;
                let weights = find_weights(&folder)?;
                components.push(Component { name: name.into(), class, folder, config, weights });
            }
        }
        if components.is_empty() {
            return Err(Problem::new(ProblemKind::ConfigInvalid).at(index_path).detail("no network is named"));
        }
        let tokenizer = match class_of(&index, "tokenizer") {
            Some(class) => {
                let folder = path.join("tokenizer");
                let config = folder.join("tokenizer_config.json");
                let config = if config.is_file() { Some(read_object(&config)?) } else { None };
                Some(Tokenizer { class, folder, config })
            }
            None => None,
        };
        let scheduler = match class_of(&index, "scheduler") {
            Some(_) => Some(read_object(&path.join("scheduler").join("scheduler_config.json"))?),
            None => None,
        };
        Ok(Self { path: path.to_path_buf(), pipeline, index, components, tokenizer, scheduler })
    }

    /// The network called `name`.
    ///
    /// # Errors
    /// `WeightsMissing` with the folder that it should have.
    pub fn component(&self, name: &str) -> Result<&Component, Problem> {
        let found = self.components.iter().find(|c| c.name == name);
        found.ok_or_else(|| Problem::new(ProblemKind::WeightsMissing).at(self.path.join(name)))
    }

    /// A guess at the family's key by the classes and sizes in the configurations.
    pub fn family_hint(&self) -> Option<&'static str> {
        let text = self.components.iter().find(|c| c.name == "text_encoder");
        let number = |component: &str, key: &str| {
            self.components.iter().find(|c| c.name == component).and_then(|c| c.config.get(key)?.as_u64())
        };
        let class = text.map_or("", |c| c.class.as_str());
        match self.pipeline.as_str() {
            "ZImagePipeline" => Some("z-image"),
            "FluxPipeline" => Some("flux"),
            "KolorsPipeline" => Some("kolors"),
            "HunyuanDiTPipeline" => Some("hunyuan-dit"),
            "QwenImagePipeline" | "QwenImageEditPipeline" => Some("qwen-image"),
            name if name.starts_with("StableDiffusionXL") => {
                Some(if number("text_encoder", "vocab_size") == Some(57475) { "taiyi-xl" } else { "sdxl" })
            }
            name if name.starts_with("AltDiffusion") => Some("alt-diffusion"),
            name if name.starts_with("StableDiffusion") => match (class, number("unet", "cross_attention_dim")) {
                ("BertModel", _) => Some("taiyi"),
                (class, Some(1024)) if class.starts_with("CLIPTextModel") => Some("sd2"),
                (class, _) if class.starts_with("CLIPTextModel") => Some("sd1"),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The class of a part, from `"name": ["library", "class"]`; `None` if it is absent or null.
fn class_of(index: &Value, name: &str) -> Option<String> {
    index.get(name)?.as_array()?.get(1)?.as_str().map(str::to_string)
}

/// Reads a JSON object.
///
/// # Errors
/// `ConfigInvalid` with the path if the file is absent, too long, no JSON or no object.
pub fn read_object(path: &Path) -> Result<Value, Problem> {
    let invalid = |detail: String| Problem::new(ProblemKind::ConfigInvalid).at(path).detail(detail);
    let mut text = Vec::new();
    let file = File::open(path).map_err(|e| invalid(e.to_string()))?;
    file.take(LONGEST_JSON + 1).read_to_end(&mut text).map_err(|e| invalid(e.to_string()))?;
    if text.len() as u64 > LONGEST_JSON {
        return Err(invalid("the file is too long".into()));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let value: Value = serde_json::from_slice(text).map_err(|e| invalid(e.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(invalid("not a JSON object".into())) }
}

/// The weights in a part's folder: safetensors before fp16 safetensors before pickles before fp16 pickles, and a whole
/// file before an index of shards.
///
/// # Errors
/// `WeightsMissing` with the path of the best choice, or of a shard that is absent; `ConfigInvalid` for a bad index.
pub fn find_weights(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let safe = |ending: &str| STEMS.map(|stem| format!("{stem}.{ending}"));
    let pickled = |ending: &str| PICKLED_STEMS.map(|stem| format!("{stem}.{ending}"));
    let candidates = [
        safe("safetensors"),
        safe("safetensors.index.json"),
        safe("fp16.safetensors"),
        safe("safetensors.index.fp16.json"),
        safe("fp16.safetensors.index.json"),
        pickled("bin"),
        pickled("bin.index.json"),
        pickled("fp16.bin"),
        pickled("bin.index.fp16.json"),
    ];
    for name in candidates.iter().flatten() {
        let path = folder.join(name);
        if path.is_file() {
            return if name.ends_with(".json") { shards(folder, &path) } else { Ok(vec![path]) };
        }
    }
    let best = if folder.ends_with("text_encoder") { STEMS[1] } else { STEMS[0] };
    let path = folder.join(format!("{best}.safetensors"));
    Err(Problem::new(ProblemKind::WeightsMissing).at(path).detail("nor is there any of the other names for it"))
}

/// The files that an index `{"weight_map": {tensor: file}}` names.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, Problem> {
    let invalid = |detail: &str| Problem::new(ProblemKind::ConfigInvalid).at(index).detail(detail);
    let value = read_object(index)?;
    let map = value.get("weight_map").and_then(Value::as_object).ok_or_else(|| invalid("there is no weight_map"))?;
    let mut names = Vec::new();
    for name in map.values() {
        let name = name.as_str().unwrap_or_default();
        // A shard lies beside its index: the name must be a mere name.
        if name.is_empty() || name.contains(['/', '\\', ':', '\0']) || name.starts_with('.') {
            return Err(invalid("a file of the weight_map is not in this folder"));
        }
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Err(invalid("the weight_map is empty"));
    }
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    match paths.iter().find(|path| !path.is_file()) {
        Some(missing) => Err(Problem::new(ProblemKind::WeightsMissing).at(missing)),
        None => Ok(paths),
    }
}

/// Size of the files together, in bytes; those that refuse count nothing.
pub fn size_of(paths: &[PathBuf]) -> u64 {
    paths.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::Builder::new().prefix("模型").tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    const INDEX: &str = r#"{"_class_name":"StableDiffusionPipeline","unet":["diffusers","UNet2DConditionModel"],
        "text_encoder":["transformers","BertModel"],"tokenizer":["transformers","BertTokenizer"],
        "scheduler":["diffusers","PNDMScheduler"],"safety_checker":[null,null]}"#;

    #[test]
    fn a_folder_is_read() {
        let folder = model(&[
            ("model_index.json", INDEX),
            ("unet/config.json", "\u{feff}{\"cross_attention_dim\":768}"),
            ("unet/diffusion_pytorch_model.bin", "b"),
            ("unet/diffusion_pytorch_model.fp16.safetensors", "f"),
            ("text_encoder/config.json", "{}"),
            ("text_encoder/pytorch_model.bin", "b"),
            ("tokenizer/tokenizer_config.json", r#"{"model_max_length":512}"#),
            ("tokenizer/vocab.txt", "[PAD]"),
            ("scheduler/scheduler_config.json", r#"{"beta_start":0.00085}"#),
        ]);
        let opened = ModelFolder::open(folder.path()).unwrap();
        let file =
            |name: &str| opened.component(name).unwrap().weights[0].file_name().unwrap().to_str().unwrap().to_string();
        assert_eq!(file("unet"), "diffusion_pytorch_model.fp16.safetensors");
        assert_eq!(file("text_encoder"), "pytorch_model.bin");
        assert_eq!(opened.family_hint(), Some("taiyi"));
        let tokenizer = opened.tokenizer.as_ref().unwrap();
        assert_eq!((tokenizer.longest(), tokenizer.vocabulary().is_ok()), (Some(512), true));
        assert_eq!(opened.scheduler.as_ref().unwrap()["beta_start"], 0.00085);
        assert_eq!(opened.component("vae").unwrap_err().kind, ProblemKind::WeightsMissing);
    }

    #[test]
    fn what_is_missing_is_named() {
        let empty = model(&[]);
        assert_eq!(ModelFolder::open(empty.path()).unwrap_err().kind, ProblemKind::ModelMissing);
        let half = model(&[("model_index.json", INDEX), ("unet/config.json", "{}")]);
        let problem = ModelFolder::open(half.path()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::WeightsMissing);
        assert!(problem.path.unwrap().ends_with("unet/diffusion_pytorch_model.safetensors"));
        for bad in ["[]", "{", "", "null", "\u{0}"] {
            let folder = model(&[("model_index.json", bad)]);
            assert_eq!(ModelFolder::open(folder.path()).unwrap_err().kind, ProblemKind::ConfigInvalid);
        }
    }

    #[test]
    fn shards_are_found_and_may_not_lead_elsewhere() {
        let name = "diffusion_pytorch_model.safetensors.index.json";
        let map = r#"{"weight_map":{"a":"s-2.safetensors","b":"s-1.safetensors","c":"s-2.safetensors"}}"#;
        let folder = model(&[(name, map), ("s-1.safetensors", ""), ("s-2.safetensors", "")]);
        let found = find_weights(folder.path()).unwrap();
        assert_eq!(found, [folder.path().join("s-1.safetensors"), folder.path().join("s-2.safetensors")]);
        fs::remove_file(&found[0]).unwrap();
        assert_eq!(find_weights(folder.path()).unwrap_err().path.as_ref(), Some(&found[0]));
        for bad in ["../x", "/etc/passwd", "", "a\\b"] {
            let content = serde_json::json!({ "weight_map": { "a": bad } }).to_string();
            let folder = model(&[(name, &content)]);
            assert_eq!(find_weights(folder.path()).unwrap_err().kind, ProblemKind::ConfigInvalid, "{bad}");
        }
    }
}
