//! InvokeAI: one JSON object under `invokeai_metadata`.

use super::{ReadRecipe, Texts, json, names};
use crate::base::Extent;
use crate::recipe::sampling::NoiseSource;
use serde_json::Value;

pub const SOURCE: &str = "invokeai";

/// `None` if there is no such text, or nothing of a picture's making in it.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    texts.of("invokeai_metadata").find_map(read_json)
}

fn read_json(text: &str) -> Option<ReadRecipe> {
    let mut map = json::object(text)?;
    if !["positive_prompt", "app_version", "seed"].iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let mut read = ReadRecipe {
        prompt: json::take(&mut map, "positive_prompt").unwrap_or_default(),
        negative: json::take::<Option<String>>(&mut map, "negative_prompt").flatten().unwrap_or_default(),
        steps: json::take(&mut map, "steps"),
        guidance: json::take(&mut map, "cfg_scale"),
        seed: json::take(&mut map, "seed"),
        strength: json::take(&mut map, "strength"),
        source: SOURCE,
        ..ReadRecipe::default()
    };
    if let (Some(width), Some(height)) = (json::take(&mut map, "width"), json::take(&mut map, "height")) {
        read.size = Some(Extent::new(width, height));
    }
    if let Some(device) = json::take::<String>(&mut map, "rand_device") {
        match device.as_str() {
            "cpu" => read.noise = Some(NoiseSource::TorchCpu),
            "cuda" => read.noise = Some(NoiseSource::TorchCuda),
            _ => read.extra.push(("rand_device".to_owned(), device)),
        }
    }
    if let Some(name) = json::take(&mut map, "scheduler") {
        names::set_sampler(&mut read, "scheduler", name);
    }
    // `model_name` until version 4.
    let name = |model: &Value| ["name", "model_name"].iter().find_map(|key| Some(model.get(key)?.as_str()?.to_owned()));
    read.model = map.get("model").and_then(name);
    if read.model.is_some() {
        map.shift_remove("model");
    }
    read.extra.extend(map.into_iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k, json::plain(v))));
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::sampling::{SamplerId, ScheduleId};

    #[test]
    fn a_picture_of_version_5() {
        let text = r#"{"app_version":"5.6.0","generation_mode":"txt2img","positive_prompt":"墨竹, ink","negative_prompt":"水印",
            "width":832,"height":1216,"seed":18446744073709551615,"rand_device":"cpu","cfg_scale":5.5,"steps":30,
            "scheduler":"dpmpp_2m_k","model":{"key":"a","name":"Juggernaut XL v9","base":"sdxl"},"vae":null}"#;
        let read = read_json(text).unwrap();
        assert_eq!((read.prompt.as_str(), read.negative.as_str()), ("墨竹, ink", "水印"));
        assert_eq!((read.sampler, read.schedule), (Some(SamplerId::DpmPp2M), Some(ScheduleId::Karras)));
        assert_eq!((read.steps, read.guidance, read.seed), (Some(30), Some(5.5), Some(u64::MAX)));
        assert_eq!((read.size, read.noise), (Some(Extent::new(832, 1216)), Some(NoiseSource::TorchCpu)));
        assert_eq!(read.model.as_deref(), Some("Juggernaut XL v9"));
        let extra: Vec<_> = read.extra.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(extra, [("app_version", "5.6.0"), ("generation_mode", "txt2img")]);
    }

    #[test]
    fn what_does_not_fit_is_kept_as_text() {
        let text = r#"{"positive_prompt":"竹","negative_prompt":null,"scheduler":"lcm","seed":-1,"rand_device":"mps",
            "model":{"model_name":"sd-1.5"},"width":"wide"}"#;
        let read = read_json(text).unwrap();
        assert_eq!((read.sampler, read.seed, read.size), (None, None, None));
        assert_eq!(read.model.as_deref(), Some("sd-1.5"));
        let extra: Vec<_> = read.extra.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(extra, [("rand_device", "mps"), ("scheduler", "lcm"), ("seed", "-1"), ("width", "wide")]);
        assert_eq!(read_json("{}"), None);
    }
}
