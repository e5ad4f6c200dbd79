//! `danqing inspect`: how a picture was made, or what a model file holds.

use super::arguments::Inspect;
use super::report;
use crate::base::Problem;
use crate::catalog::{self, Format, Inspection, Kind, Part};
use crate::recipe::metadata::{FileKind, file_texts, from_texts};
use crate::words::{Language, text, text_with};
use std::path::Path;

/// Says on stdout what the file is.
///
/// # Errors
/// Those of [`file_texts`] and [`catalog::inspect`].
pub fn run(args: &Inspect, language: Language) -> Result<(), Problem> {
    let lines = describe(&args.file, language)?;
    lines.iter().for_each(|line| report::result(line));
    Ok(())
}

/// The lines that describe the file.
///
/// # Errors
/// As [`run`].
pub fn describe(path: &Path, language: Language) -> Result<Vec<String>, Problem> {
    if path.is_dir() {
        return Ok(model_lines(&catalog::inspect(path)?, language));
    }
    match FileKind::of(path)? {
        Some(kind) => {
            let texts = file_texts(path)?;
            if texts.is_empty() && kind != FileKind::Png {
                let format = ("format", kind.title().to_owned());
                return Ok(vec![text_with(language, "cli-inspect-no-recipe", &[format])]);
            }
            Ok(picture_lines(&texts, language))
        }
        None => Ok(model_lines(&catalog::inspect(path)?, language)),
    }
}

fn picture_lines(texts: &[(String, String)], language: Language) -> Vec<String> {
    if let Some(recipe) = from_texts(texts) {
        let line = |(label, value): (String, String)| labelled(&label_text(&label, language), &value);
        return recipe.to_lines().into_iter().map(line).collect();
    }
    let mut lines = vec![text(language, "cli-inspect-unknown-recipe")];
    if !texts.is_empty() {
        let keys: Vec<_> = texts.iter().map(|(key, _)| key.escape_debug().to_string()).collect();
        lines.push(labelled(&text(language, "cli-inspect-other-texts"), &keys.join(", ")));
    }
    lines
}

/// `label: value`; further lines of the value are indented.
fn labelled(label: &str, value: &str) -> String {
    format!("{label}: {}", value.replace('\n', "\n    "))
}

/// The words for the labels of [`crate::recipe::metadata::ReadRecipe::to_lines`]; others stay as they are.
fn label_text(label: &str, language: Language) -> String {
    let id = match label {
        "source" => "cli-recipe-source",
        "prompt" => "cli-recipe-prompt",
        "negative" => "cli-recipe-negative",
        "model" => "cli-recipe-model",
        "size" => "cli-recipe-size",
        "seed" => "cli-recipe-seed",
        "noise" => "cli-recipe-noise",
        "sampler" => "cli-recipe-sampler",
        "schedule" => "cli-recipe-schedule",
        "steps" => "cli-recipe-steps",
        "guidance" => "cli-recipe-guidance",
        "eta" => "cli-recipe-eta",
        "guidance interval" => "cli-recipe-guidance-interval",
        "reuse" => "cli-recipe-reuse",
        "strength" => "cli-recipe-strength",
        "text length" => "cli-recipe-text-length",
        "attention mask" => "cli-recipe-attention-mask",
        "precision" => "cli-recipe-precision",
        "repaint" => "cli-recipe-repaint",
        "place" => "cli-recipe-place",
        other => return other.to_owned(),
    };
    text(language, id)
}

fn model_lines(model: &Inspection, language: Language) -> Vec<String> {
    let kind = match model.kind {
        Kind::Folder => "cli-kind-folder",
        Kind::Checkpoint => "cli-kind-checkpoint",
        Kind::Network => "cli-kind-network",
        Kind::Lora => "cli-kind-lora",
        Kind::Embedding => "cli-kind-embedding",
        Kind::Unknown => "cli-kind-unknown",
    };
    let family = model.family_hint.map_or_else(|| text(language, "cli-inspect-family-unknown"), str::to_owned);
    let mut lines = vec![
        labelled(&text(language, "cli-inspect-kind"), &text(language, kind)),
        labelled(&text(language, "cli-inspect-family"), &family),
    ];
    if let Some(format) = model.format {
        let name = match format {
            Format::Safetensors => "safetensors",
            Format::ZipPickle => "PyTorch (zip)",
            Format::LegacyPickle => "PyTorch (legacy)",
        };
        lines.push(labelled(&text(language, "cli-inspect-format"), name));
    }
    lines.push(labelled(&text(language, "cli-inspect-size"), &size_text(model.bytes)));
    lines.extend(model.parts.iter().map(|part| part_line(part, language)));
    lines
}

fn part_line(part: &Part, language: Language) -> String {
    let precisions: Vec<_> = part.precisions.iter().map(|(name, count)| format!("{name} × {count}")).collect();
    let class = if part.class.is_empty() { String::new() } else { format!(" ({})", part.class) };
    let millions = format!("{:.2}", part.parameters as f64 / 1e6);
    let numbers =
        text_with(language, "cli-inspect-part", &[("tensors", part.tensors.to_string()), ("millions", millions)]);
    format!("  {}{class}: {numbers}, {} [{}]", part.name, size_text(part.bytes), precisions.join(", "))
}

/// Decimal units, as file managers and model pages use them.
fn size_text(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.2} GB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Extent, ProblemKind};
    use crate::imaging::Pixmap;
    use crate::imaging::png_text::write_png;

    #[test]
    fn pictures_with_and_without_a_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画.png");
        let describe = |texts: &[(&str, &str)]| {
            let texts: Vec<_> = texts.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            write_png(&path, &Pixmap::new(Extent::new(8, 8)), &texts).unwrap();
            describe(&path, Language::ZhCn).unwrap()
        };
        let a1111 =
            "山水, 油画\nNegative prompt: 水印\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 42, Size: 512x512";
        let lines = describe(&[("parameters", a1111)]);
        for line in ["提示词: 山水, 油画", "反向提示词: 水印", "种子: 42", "尺寸: 512×512", "采样器: DPM++ 2M"]
        {
            assert!(lines.iter().any(|l| l == line), "{line} {lines:?}");
        }
        let invoke = r#"{"positive_prompt":"墨竹","scheduler":"lcm","steps":8,"seed":5,"model":{"name":"某模型"}}"#;
        let lines = describe(&[("invokeai_metadata", invoke)]);
        for line in ["来源: invokeai", "提示词: 墨竹", "步数: 8", "模型: 某模型", "scheduler: lcm"] {
            assert!(lines.iter().any(|l| l == line), "{line} {lines:?}");
        }
        let lines = describe(&[("workflow", "{}")]);
        assert!(lines[0].contains("没有") && lines[1].ends_with("workflow"), "{lines:?}");
        assert_eq!(describe(&[]).len(), 1);
    }

    #[test]
    fn other_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("文件");
        assert_eq!(describe(&path, Language::En).unwrap_err().kind, ProblemKind::Unreadable);
        std::fs::write(&path, b"\xff\xd8\xff\xe0 jpeg").unwrap();
        assert_eq!(describe(&path, Language::En).unwrap(), ["A JPEG picture without a recipe"]);
        std::fs::write(&path, "neither a picture nor weights").unwrap();
        assert!(describe(&path, Language::En).is_err());
        // One tensor of two numbers.
        let table = br#"{"word":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let bytes = [&(table.len() as u64).to_le_bytes()[..], table, &[0; 8]].concat();
        std::fs::write(&path, bytes).unwrap();
        let lines = describe(&path, Language::En).unwrap();
        assert!(lines.contains(&"format: safetensors".to_string()), "{lines:?}");
        assert!(
            lines.last().unwrap().contains("1 tensors") && lines.last().unwrap().contains("[F32 × 1]"),
            "{lines:?}"
        );
    }

    #[test]
    fn sizes() {
        let sizes = [0, 999, 1000, 4_180_000_000].map(size_text);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "4.18 GB"]);
    }
}
