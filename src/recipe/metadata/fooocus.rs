//! Fooocus in its own scheme: `parameters` is a JSON object. (In its other scheme it writes A1111's text.)

use super::{PARAMETERS, ReadRecipe, Texts, json, names};
use crate::base::Extent;
use serde_json::{Map, Value};

pub const SOURCE: &str = "fooocus";

/// `None` if there is no such object.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    let declared = texts.of("fooocus_scheme").any(|scheme| scheme.trim() == "fooocus");
    texts.of(PARAMETERS).find_map(|text| read_json(text, declared))
}

fn read_json(text: &str, declared: bool) -> Option<ReadRecipe> {
    // Older versions wrote the labels of their window: `Negative Prompt`.
    let plain_key = |key: String| key.to_ascii_lowercase().replace(' ', "_");
    let mut map: Map<String, Value> = json::object(text)?.into_iter().map(|(k, v)| (plain_key(k), v)).collect();
    let says =
        |key: &str| map.get(key).and_then(Value::as_str).is_some_and(|v| v.to_ascii_lowercase().starts_with("fooocus"));
    if !(map.contains_key("prompt") && (declared || says("metadata_scheme") || says("version"))) {
        return None;
    }
    let mut read = ReadRecipe {
        prompt: json::take(&mut map, "prompt").unwrap_or_default(),
        negative: json::take(&mut map, "negative_prompt").unwrap_or_default(),
        steps: json::take_number(&mut map, "steps"),
        guidance: json::take_number(&mut map, "guidance_scale"),
        seed: json::take_number(&mut map, "seed"),
        model: json::take(&mut map, "base_model"),
        size: map.get("resolution").and_then(|size| resolution(size.as_str()?)),
        source: SOURCE,
        ..ReadRecipe::default()
    };
    if read.size.is_some() {
        map.shift_remove("resolution");
    }
    if let Some(name) = json::take(&mut map, "scheduler") {
        names::set_schedule(&mut read, "scheduler", name);
    }
    if let Some(name) = json::take(&mut map, "sampler") {
        names::set_sampler(&mut read, "sampler", name);
    }
    read.extra.extend(map.into_iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k, json::plain(v))));
    Some(read)
}

/// `(896, 1152)`, as Python writes a pair.
fn resolution(text: &str) -> Option<Extent> {
    let (width, height) = text.trim().strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    Some(Extent::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::metadata::from_texts;
    use crate::recipe::sampling::{SamplerId, ScheduleId};

    fn read(pairs: &[(&str, &str)]) -> Option<ReadRecipe> {
        from_texts(&pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Vec<_>>())
    }

    #[test]
    fn both_forms_of_its_own_scheme() {
        let new = r#"{"prompt":"山水","negative_prompt":"","styles":"['Fooocus V2']","performance":"Speed","steps":30,
            "resolution":"(896, 1152)","guidance_scale":4.0,"base_model":"juggernautXL_v8","sampler":"dpmpp_2m_sde_gpu",
            "scheduler":"karras","seed":"7317","version":"Fooocus v2.5.0"}"#;
        let old = r#"{"Prompt":"山水","Resolution":"(896, 1152)","Guidance Scale":4.0,"Base Model":"juggernautXL_v8",
            "Sampler":"dpmpp_2m_sde_gpu","Scheduler":"karras","Seed":7317,"steps":30}"#;
        for read in [read(&[("parameters", new)]), read(&[("fooocus_scheme", "fooocus"), ("parameters", old)])] {
            let read = read.unwrap();
            assert_eq!(
                (read.source, read.prompt.as_str(), read.model.as_deref()),
                ("fooocus", "山水", Some("juggernautXL_v8"))
            );
            assert_eq!((read.sampler, read.schedule), (Some(SamplerId::DpmPp2MSde), Some(ScheduleId::Karras)));
            assert_eq!((read.steps, read.guidance, read.seed), (Some(30), Some(4.0), Some(7317)));
            assert_eq!(read.size, Some(Extent::new(896, 1152)));
        }
    }

    #[test]
    fn the_other_scheme_is_a1111s() {
        let text = "竹\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 5, CFG scale: 4";
        assert_eq!(read(&[("fooocus_scheme", "a1111"), ("parameters", text)]).unwrap().source, "a1111");
        assert_eq!(read(&[("parameters", r#"{"prompt":"a prompt in braces"}"#)]).unwrap().source, "a1111");
    }
}
