//! NovelAI: `Software` is NovelAI, `Description` the prompt, `Source` the model, `Comment` a JSON object.

use super::{ReadRecipe, Texts, json, names};
use crate::base::Extent;

pub const SOURCE: &str = "novelai";

/// `None` if another program made the picture.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    texts.of("Software").find(|software| software.trim() == "NovelAI")?;
    let mut map = texts.of("Comment").find_map(json::object)?;
    let described = texts.of("Description").next().unwrap_or_default();
    let mut read = ReadRecipe {
        prompt: json::take(&mut map, "prompt").unwrap_or_else(|| described.to_owned()),
        negative: json::take(&mut map, "uc").unwrap_or_default(),
        steps: json::take(&mut map, "steps"),
        guidance: json::take(&mut map, "scale"),
        seed: json::take(&mut map, "seed"),
        strength: json::take(&mut map, "strength"),
        model: texts.of("Source").next().map(str::to_owned),
        source: SOURCE,
        ..ReadRecipe::default()
    };
    if let (Some(width), Some(height)) = (json::take(&mut map, "width"), json::take(&mut map, "height")) {
        read.size = Some(Extent::new(width, height));
    }
    if let Some(name) = json::take(&mut map, "noise_schedule") {
        names::set_schedule(&mut read, "noise_schedule", name);
    }
    if let Some(name) = json::take(&mut map, "sampler") {
        names::set_sampler(&mut read, "sampler", name);
    }
    // Signatures of the service, which say nothing to people.
    map.retain(|key, value| !value.is_null() && key != "signed_hash");
    read.extra.extend(map.into_iter().map(|(key, value)| (key, json::plain(value))));
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::metadata::from_texts;
    use crate::recipe::sampling::{SamplerId, ScheduleId};

    #[test]
    fn a_picture_of_the_service() {
        let comment = r#"{"steps":28,"height":1216,"width":832,"scale":5.0,"seed":2931,"noise_schedule":"karras",
            "sampler":"k_euler_ancestral","prompt":"1girl, 竹林","uc":"lowres","signed_hash":"xyz","sm":false}"#;
        let mut texts: Vec<(String, String)> = [
            ("Software", "NovelAI"),
            ("Description", "1girl"),
            ("Source", "NovelAI Diffusion V4"),
            ("Comment", comment),
        ]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
        let read = from_texts(&texts).unwrap();
        assert_eq!((read.source, read.prompt.as_str(), read.negative.as_str()), ("novelai", "1girl, 竹林", "lowres"));
        assert_eq!((read.sampler, read.schedule), (Some(SamplerId::EulerAncestral), Some(ScheduleId::Karras)));
        assert_eq!((read.steps, read.guidance, read.seed), (Some(28), Some(5.0), Some(2931)));
        assert_eq!((read.size, read.model.as_deref()), (Some(Extent::new(832, 1216)), Some("NovelAI Diffusion V4")));
        assert_eq!(read.extra, [("sm".to_owned(), "false".to_owned())]);
        texts[0].1 = "GIMP".into();
        assert_eq!(from_texts(&texts), None);
    }
}
