//! Draw Things: `Comment` is a JSON object with the prompt as `c` and the negative one as `uc`.

use super::{ReadRecipe, Texts, a1111, json, names};

pub const SOURCE: &str = "draw-things";

/// `None` if there is no such comment.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    texts.of("Comment").find_map(read_json)
}

fn read_json(text: &str) -> Option<ReadRecipe> {
    let mut map = json::object(text)?;
    if !["scale", "steps", "seed", "uc"].iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let mut read = ReadRecipe {
        prompt: json::take(&mut map, "c")?,
        negative: json::take(&mut map, "uc").unwrap_or_default(),
        steps: json::take(&mut map, "steps"),
        guidance: json::take(&mut map, "scale"),
        seed: json::take(&mut map, "seed"),
        strength: json::take(&mut map, "strength"),
        model: json::take(&mut map, "model"),
        size: map.get("size").and_then(|size| a1111::size(size.as_str()?)),
        source: SOURCE,
        ..ReadRecipe::default()
    };
    if read.size.is_some() {
        map.shift_remove("size");
    }
    if let Some(name) = json::take(&mut map, "sampler") {
        names::set_sampler(&mut read, "sampler", name);
    }
    read.extra.extend(map.into_iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k, json::plain(v))));
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;
    use crate::recipe::sampling::SamplerId;

    #[test]
    fn a_picture_of_the_program() {
        let text = r#"{"c":"山水","uc":"文字","steps":20,"sampler":"Euler A","scale":7.5,"seed":123,"size":"512x768",
            "model":"sd_v1.5_f16.ckpt","strength":1,"lora":[]}"#;
        let read = read_json(text).unwrap();
        assert_eq!((read.source, read.prompt.as_str(), read.negative.as_str()), ("draw-things", "山水", "文字"));
        assert_eq!((read.sampler, read.size), (Some(SamplerId::EulerAncestral), Some(Extent::new(512, 768))));
        assert_eq!((read.steps, read.guidance, read.seed, read.strength), (Some(20), Some(7.5), Some(123), Some(1.0)));
        assert_eq!(read.extra, [("lora".to_owned(), "[]".to_owned())]);
        assert_eq!((read_json(r#"{"c":"竹"}"#), read_json(r#"{"uc":"x","steps":1}"#)), (None, None));
    }
}
