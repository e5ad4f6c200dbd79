//! The text of Stable Diffusion web UI (A1111, Forge): the prompt, a line `Negative prompt: …`, and a last line of
//! `Key: value` pairs between commas, where a value with a comma, a colon or a line break is a JSON string.

use super::{PARAMETERS, ReadRecipe, Texts};
use crate::base::Extent;
use crate::recipe::recipe::{Recipe, Source};
use crate::recipe::sampling::{NoiseSource, SamplerId, ScheduleId};

pub const SOURCE: &str = "a1111";
const NEGATIVE: &str = "Negative prompt:";

pub fn write(recipe: &Recipe, seed: u64, model: &str) -> String {
    let sampling = recipe.sampling;
    let mut pairs = vec![
        ("Steps", sampling.steps.to_string()),
        ("Sampler", sampling.sampler.title().to_owned()),
        ("Schedule type", sampling.schedule.title().to_owned()),
        ("CFG scale", sampling.guidance.to_string()),
        ("Seed", seed.to_string()),
        ("Size", format!("{}x{}", recipe.size.width, recipe.size.height)),
    ];
    if !model.is_empty() {
        pairs.push(("Model", quoted(model)));
    }
    if let Source::Picture { strength, .. } = recipe.source {
        pairs.push(("Denoising strength", strength.to_string()));
    }
    if let Some(inpaint) = &recipe.inpaint {
        pairs.push(("Mask blur", inpaint.feather.to_string()));
    }
    if sampling.eta != sampling.sampler.default_eta() {
        let key = if sampling.sampler == SamplerId::Ddim { "Eta DDIM" } else { "Eta" };
        pairs.push((key, sampling.eta.to_string()));
    }
    if !sampling.interval.is_whole() {
        pairs.push(("Guidance interval", sampling.interval.to_string()));
    }
    if sampling.reuse != 1 {
        pairs.push(("Feature reuse", sampling.reuse.to_string()));
    }
    // A1111 leaves its default, the GPU, unsaid.
    if recipe.noise == NoiseSource::TorchCpu {
        pairs.push(("RNG", recipe.noise.title().to_owned()));
    }
    pairs.push(("Version", concat!("danqing ", env!("CARGO_PKG_VERSION")).to_owned()));
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let negative = match recipe.negative.as_str() {
        "" => String::new(),
        negative => format!("\n{NEGATIVE} {negative}"),
    };
    format!("{}{negative}\n{}", recipe.prompt, pairs.join(", ")).trim().to_owned()
}

/// As a JSON string if a reader could mistake it.
fn quoted(value: &str) -> String {
    let plain = !value.contains([',', ':', '"']) && !value.contains(char::is_control) && value.trim() == value;
    if plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

/// Reads what A1111, Forge, we and others write; `None` for blank texts.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    texts.of(PARAMETERS).find_map(read_text)
}

/// A text without the line of pairs is all
/// prompt. What is unknown, or known but odd, is kept in `extra`.
fn read_text(text: &str) -> Option<ReadRecipe> {
    if text.trim().is_empty() {
        return None;
    }
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let at = pairs_line(&lines).unwrap_or(lines.len());
    let (words, rest) = lines.split_at(at);
    let mut read = ReadRecipe { source: SOURCE, ..ReadRecipe::default() };
    (read.prompt, read.negative) = prompts(words);
    if let Some((line, after)) = rest.split_first() {
        for (key, value) in pairs(line) {
            if !understand(&mut read, &key, &value) {
                read.extra.push((key, value));
            }
        }
        // Some extensions write lines of their own, `Template: …` say.
        for line in after.iter().filter(|line| !line.trim().is_empty()) {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            read.extra.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Some(read)
}

/// The last line that begins with the number of steps, as every version writes it; else the last line if it has three
/// pairs or more.
fn pairs_line(lines: &[&str]) -> Option<usize> {
    let begins = |line: &&str| {
        let number = line.trim_start().strip_prefix("Steps:").map(str::trim_start);
        number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    lines.iter().rposition(begins).or_else(|| {
        let last = lines.iter().rposition(|line| !line.trim().is_empty())?;
        (pairs(lines.get(last)?).len() >= 3).then_some(last)
    })
}

/// Prompt and negative prompt; each may have several lines.
fn prompts(lines: &[&str]) -> (String, String) {
    let begins = |line: &&str| line.trim_start().starts_with(NEGATIVE);
    let at = lines.iter().position(begins).unwrap_or(lines.len());
    let (prompt, negative) = lines.split_at(at);
    let negative = negative.join("\n");
    let negative = negative.trim_start();
    let negative = negative.strip_prefix(NEGATIVE).unwrap_or(negative);
    (prompt.join("\n"), negative.strip_prefix(' ').unwrap_or(negative).to_owned())
}

/// The pairs of a line; pieces without a colon are passed over.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find([',', ':']) {
        let (key, after) = rest.split_at(at);
        let Some(value) = after.strip_prefix(':') else {
            rest = after.strip_prefix(',').unwrap_or_default();
            continue;
        };
        let (value, after) = string(value.trim_start()).unwrap_or_else(|| {
            let (value, after) = value.split_once(',').unwrap_or((value, ""));
            (value.trim().to_owned(), after)
        });
        pairs.push((key.trim().to_owned(), value));
        rest = after;
    }
    pairs
}

/// A JSON string at the beginning of the text, and what comes after it; `None` if there is none.
fn string(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    let (literal, after) = text.split_at(end + 2);
    let value = serde_json::from_str(literal).unwrap_or_else(|_| inside.split_at(end).0.to_owned());
    Some((value, after))
}

/// Puts a pair into its field; false if it has none or the value does not fit.
fn understand(read: &mut ReadRecipe, key: &str, value: &str) -> bool {
    fn set<T>(field: &mut Option<T>, value: Option<T>) -> bool {
        let fits = value.is_some();
        if fits {
            *field = value;
        }
        fits
    }
    let number = || value.parse::<f64>().ok().filter(|v| v.is_finite());
    match key {
        "Steps" => set(&mut read.steps, value.parse().ok()),
        "Sampler" => sampler(read, value),
        "Schedule type" => set(&mut read.schedule, schedule(value)),
        "CFG scale" => set(&mut read.guidance, number()),
        "Seed" => set(&mut read.seed, value.parse().ok()),
        "Size" => set(&mut read.size, size(value)),
        "Model" => set(&mut read.model, Some(value.to_owned())),
        "Denoising strength" => set(&mut read.strength, number()),
        "Eta" | "Eta DDIM" => set(&mut read.eta, number()),
        "Guidance interval" => set(&mut read.interval, value.parse().ok()),
        "Feature reuse" => set(&mut read.reuse, value.parse().ok()),
        "RNG" => set(&mut read.noise, noise(value)),
        // Only said of what is repainted; how wide it was blurred has no field.
        "Mask blur" => {
            read.repaint = true;
            false
        }
        _ => false,
    }
}

/// Before version 1.9 the schedule was the sampler's last word: `DPM++ 2M Karras`.
fn sampler(read: &mut ReadRecipe, value: &str) -> bool {
    let titled = |title: &str| SamplerId::ALL.iter().copied().find(|s| s.title().eq_ignore_ascii_case(title));
    if let Some(sampler) = titled(value) {
        read.sampler = Some(sampler);
        return true;
    }
    let split = value.rsplit_once(' ').and_then(|(title, last)| Some((titled(title)?, schedule(last)?)));
    let Some((sampler, schedule)) = split else { return false };
    read.sampler = Some(sampler);
    read.schedule.get_or_insert(schedule);
    true
}

fn schedule(title: &str) -> Option<ScheduleId> {
    ScheduleId::ALL.iter().copied().find(|s| s.title().eq_ignore_ascii_case(title))
}

/// `512x768`.
pub fn size(value: &str) -> Option<Extent> {
    let (width, height) = value.split_once(['x', 'X', '×'])?;
    Some(Extent::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}

/// `NV` is the GPU's generator computed on the CPU.
fn noise(value: &str) -> Option<NoiseSource> {
    match value {
        "CPU" => Some(NoiseSource::TorchCpu),
        "GPU" | "NV" => Some(NoiseSource::TorchCuda),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{recipe, repainting, words};
    use super::*;
    use proptest::prelude::*;

    fn extra(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_text_is_exactly_theirs() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            write(&recipe("飞流直下三千尺，油画", "水印, 文字"), 42, "taiyi"),
            format!(
                "飞流直下三千尺，油画\nNegative prompt: 水印, 文字\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, \
                 CFG scale: 7.5, Seed: 42, Size: 512x768, Model: taiyi, Version: danqing {version}"
            )
        );
        let mut repaint = repainting("");
        repaint.noise = NoiseSource::TorchCpu;
        repaint.sampling.guidance = 7.0;
        assert_eq!(
            write(&repaint, 1, "a, \"b\""),
            format!(
                "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 64x64, \
                 Model: \"a, \\\"b\\\"\", Denoising strength: 0.6, Mask blur: 8.5, RNG: CPU, Version: danqing {version}"
            )
        );
    }

    #[test]
    fn a_text_of_the_web_ui_is_understood() {
        let text = "masterpiece, 1girl: smiling\n<lora:墨心:0.8>, ink\r\nNegative prompt: bad hands,\nworst quality\n\
            Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 3141592653, Size: 512x768, Model hash: 6ce0161689, \
            Model: \"v1-5: pruned, emaonly\", Denoising strength: 0.55, Clip skip: 2, ENSD: 31337, RNG: NV, \
            Lora hashes: \"moxin: a1b2, other: \\\"c\\\"\", Version: v1.10.1";
        let read = read_text(text).unwrap();
        assert_eq!(read.prompt, "masterpiece, 1girl: smiling\n<lora:墨心:0.8>, ink");
        assert_eq!(read.negative, "bad hands,\nworst quality");
        assert_eq!((read.sampler, read.schedule), (Some(SamplerId::DpmPp2M), Some(ScheduleId::Karras)));
        assert_eq!((read.steps, read.guidance, read.seed), (Some(28), Some(7.0), Some(3_141_592_653)));
        assert_eq!((read.size, read.strength), (Some(Extent::new(512, 768)), Some(0.55)));
        assert_eq!(read.model.as_deref(), Some("v1-5: pruned, emaonly"));
        assert_eq!((read.noise, read.source), (Some(NoiseSource::TorchCuda), "a1111"));
        let rest = [
            ("Model hash", "6ce0161689"),
            ("Clip skip", "2"),
            ("ENSD", "31337"),
            ("Lora hashes", "moxin: a1b2, other: \"c\""),
            ("Version", "v1.10.1"),
        ];
        assert_eq!(read.extra, extra(&rest));
    }

    #[test]
    fn odd_values_are_kept_and_lines_after_the_pairs_too() {
        let text = "Steps: 9, Sampler: Restart, Seed: -1, Size: 5by5, CFG scale: inf, Key: \"open, Last: x\n\
            Template: a {cat|dog}\n\nlonely";
        let read = read_text(text).unwrap();
        assert_eq!((read.prompt.as_str(), read.steps, read.sampler, read.seed), ("", Some(9), None, None));
        let rest = [
            ("Sampler", "Restart"),
            ("Seed", "-1"),
            ("Size", "5by5"),
            ("CFG scale", "inf"),
            ("Key", "\"open"),
            ("Last", "x"),
            ("Template", "a {cat|dog}"),
            ("lonely", ""),
        ];
        assert_eq!(read.extra, extra(&rest));
    }

    #[test]
    fn words_alone_are_a_prompt() {
        let read_prompt = |text| read_text(text).map(|r| (r.prompt, r.negative));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read_prompt("1girl, blue eyes, ink: 3"), pair("1girl, blue eyes, ink: 3", ""));
        assert_eq!(read_prompt("竹\nNegative prompt: 水印"), pair("竹", "水印"));
        assert_eq!(read_prompt("Steps: many of them\n石阶"), pair("Steps: many of them\n石阶", ""));
        assert_eq!(read_prompt(" \n\t"), None);
        let older = read_text("竹\nSampler: PLMS, Seed: 5, CFG scale: 8\n").unwrap();
        assert_eq!((older.prompt.as_str(), older.sampler, older.seed), ("竹", Some(SamplerId::Plms), Some(5)));
    }

    fn plain() -> impl Strategy<Value = String> {
        words().prop_map(|text| text.replace(NEGATIVE, "").replace('\r', ""))
    }

    proptest! {
        #[test]
        fn what_is_unambiguous_comes_back(prompt in plain(), negative in plain(), model in words(), seed: u64) {
            // As in A1111, the ends of the whole text are trimmed.
            let read = read_text(&write(&recipe(&prompt, &negative), seed, &model)).unwrap();
            prop_assert_eq!(read.prompt.as_str(), prompt.trim_start());
            prop_assert_eq!(read.negative, negative);
            prop_assert_eq!(read.seed, Some(seed));
            prop_assert_eq!(read.model.unwrap_or_default(), model);
            prop_assert_eq!((read.sampler, read.schedule), (Some(SamplerId::DpmPp2M), Some(ScheduleId::Karras)));
            prop_assert_eq!(read.size, Some(Extent::new(512, 768)));
        }
    }
}
