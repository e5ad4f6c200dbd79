//! Our own JSON: everything of a recipe that is plain data, under the version number `danqing`.

use super::json::{self, plain, take};
use super::{OWN, ReadRecipe, Spot, Texts};
use crate::base::Extent;
use crate::recipe::recipe::{Precision, Recipe, Source, TextOptions};
use crate::recipe::sampling::{Interval, NoiseSource, SamplerId, ScheduleId};
use serde::Serialize;

/// Grows when a field changes its meaning; new fields need no new version.
const VERSION: u64 = 1;

#[derive(Serialize)]
struct Own<'a> {
    danqing: u64,
    version: &'static str,
    model: &'a str,
    prompt: &'a str,
    negative: &'a str,
    sampler: SamplerId,
    schedule: ScheduleId,
    steps: u32,
    guidance: f64,
    eta: f64,
    #[serde(skip_serializing_if = "Interval::is_whole")]
    guidance_interval: Interval,
    #[serde(skip_serializing_if = "Option::is_none")]
    reuse: Option<u32>,
    size: Extent,
    seed: u64,
    noise: NoiseSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    strength: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inpaint: Option<OwnInpaint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spot: Option<Spot>,
    text: TextOptions,
    precision: Precision,
    batch: u32,
    index: u32,
}

/// A mask is no plain data, so only its use is told.
#[derive(Serialize)]
struct OwnInpaint {
    feather: f32,
    paste: bool,
}

pub fn write(recipe: &Recipe, seed: u64, index: u32, model: &str, spot: Option<Spot>) -> Option<String> {
    let sampling = recipe.sampling;
    let strength = match recipe.source {
        Source::Picture { strength, .. } => Some(strength),
        Source::Text => None,
    };
    let own = Own {
        danqing: VERSION,
        version: env!("CARGO_PKG_VERSION"),
        model,
        prompt: &recipe.prompt,
        negative: &recipe.negative,
        sampler: sampling.sampler,
        schedule: sampling.schedule,
        steps: sampling.steps,
        guidance: sampling.guidance,
        eta: sampling.eta,
        guidance_interval: sampling.interval,
        reuse: Some(sampling.reuse).filter(|reuse| *reuse != 1),
        size: recipe.size,
        seed,
        noise: recipe.noise,
        strength,
        inpaint: recipe.inpaint.as_ref().map(|i| OwnInpaint { feather: i.feather, paste: i.paste }),
        spot,
        text: recipe.text,
        precision: recipe.precision,
        batch: recipe.batch,
        index,
    };
    serde_json::to_string(&own).ok()
}

/// `None` if there is no JSON of ours, or only of a later version.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    texts.of(OWN).find_map(read_json)
}

/// A field that is absent or odd costs only itself.
fn read_json(text: &str) -> Option<ReadRecipe> {
    let mut map = json::object(text)?;
    if take::<u64>(&mut map, OWN)? != VERSION {
        return None;
    }
    let mut read = ReadRecipe {
        prompt: take(&mut map, "prompt").unwrap_or_default(),
        negative: take(&mut map, "negative").unwrap_or_default(),
        sampler: take(&mut map, "sampler"),
        schedule: take(&mut map, "schedule"),
        steps: take(&mut map, "steps"),
        guidance: take(&mut map, "guidance"),
        eta: take(&mut map, "eta"),
        interval: take(&mut map, "guidance_interval"),
        reuse: take(&mut map, "reuse"),
        seed: take(&mut map, "seed"),
        noise: take(&mut map, "noise"),
        size: take(&mut map, "size"),
        model: take(&mut map, "model"),
        strength: take(&mut map, "strength"),
        text: take(&mut map, "text"),
        precision: take(&mut map, "precision"),
        // How it joined the rest is listed with what has no field.
        repaint: map.get("inpaint").is_some_and(serde_json::Value::is_object),
        spot: take(&mut map, "spot"),
        extra: Vec::new(),
        source: OWN,
    };
    read.extra = map.into_iter().map(|(key, value)| (key, plain(value))).collect();
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SPOT, recipe, repainting};
    use super::*;

    #[test]
    fn the_text_is_as_documented() {
        let text = write(&recipe("山, \"水\"\n", ""), u64::MAX, 1, "小图", None).unwrap();
        let expected = format!(
            r#"{{"danqing":1,"version":"{}","model":"小图","prompt":"山, \"水\"\n","negative":"","sampler":"dpmpp-2m","schedule":"karras","steps":20,"guidance":7.5,"eta":0.0,"size":{{"width":512,"height":768}},"seed":18446744073709551615,"noise":"torch-cuda","text":{{"length":77,"attention_mask":true}},"precision":"bf16","batch":2,"index":1}}"#,
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text, expected);
        let text = write(&repainting("竹"), 1, 0, "小图", Some(SPOT)).unwrap();
        let canvas = r#""canvas":{"width":1024,"height":768}"#;
        let frame = r#""frame":{"x":-8,"y":32,"width":64,"height":64}"#;
        let expected =
            format!(r#""strength":0.6,"inpaint":{{"feather":8.5,"paste":true}},"spot":{{{canvas},{frame}}}"#);
        assert!(text.contains(&expected), "{text}");
    }

    #[test]
    fn odd_fields_cost_only_themselves() {
        let read =
            read_json(r#"{"new":[1],"danqing":1,"prompt":"山","steps":-1,"sampler":"brush","seed":3,"eta":null}"#);
        let read = read.unwrap();
        assert_eq!((read.prompt.as_str(), read.steps, read.sampler, read.seed), ("山", None, None, Some(3)));
        let extra = [("new", "[1]"), ("steps", "-1"), ("sampler", "brush"), ("eta", "null")];
        assert_eq!(read.extra, extra.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn other_json_is_not_ours() {
        let deep = "[".repeat(100_000);
        for text in ["", "null", "[]", "{}", r#"{"danqing":"1"}"#, r#"{"danqing":2}"#, "{\"danqing\":1", &deep] {
            assert_eq!(read_json(text), None);
        }
    }
}
