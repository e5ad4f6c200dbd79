//! ComfyUI: `prompt` is the graph that was run, `{id: {class_type, inputs: {name: value or [id, output]}}}`.
//!
//! A graph may have any nodes. What is looked for: from a node that saves pictures upwards, the sampler that is
//! farthest from it (the first pass, where a second one refines); from there along its inputs to the texts, the seed,
//! the size and the model. Every search visits a node once and ends after [`MOST_VISITS`], whatever the graph.

use super::{ReadRecipe, Texts, json, names};
use crate::base::Extent;
use crate::recipe::sampling::NoiseSource;
use serde_json::{Map, Value};
use std::collections::{HashSet, VecDeque};

pub const SOURCE: &str = "comfyui";

/// Nodes that one search looks at.
const MOST_VISITS: usize = 1024;
/// Nodes of the searches that are many: from each of these nodes, for a number or the like, over as many.
const FEW: usize = 64;
/// Texts that are joined into one prompt.
const MOST_TEXTS: usize = 16;
/// Inputs that text encoders and text nodes have words in.
const WORDS: [&str; 16] = [
    "text",
    "text_g",
    "text_l",
    "t5xxl",
    "clip_l",
    "clip_g",
    "prompt",
    "populated_text",
    "wildcard_text",
    "string",
    "value",
    "text_positive",
    "text_negative",
    "text1",
    "text2",
    "string_a",
];
/// Inputs that lead away from the words.
const NO_WORDS: [&str; 12] = [
    "model",
    "clip",
    "vae",
    "image",
    "pixels",
    "samples",
    "latent_image",
    "control_net",
    "mask",
    "clip_vision",
    "clip_vision_output",
    "style_model",
];

/// `None` if there is no graph with a sampler.
pub fn read(texts: Texts<'_>) -> Option<ReadRecipe> {
    texts.of("prompt").find_map(|text| Graph(json::object(text)?).read())
}

struct Graph(Map<String, Value>);

#[derive(Clone, Copy)]
struct Node<'a> {
    id: &'a str,
    class: &'a str,
    inputs: &'a Map<String, Value>,
}

/// A link: the node it comes from, and which of its outputs.
type Link<'a> = (Node<'a>, u64);

impl Graph {
    fn node<'a>(&'a self, id: &str) -> Option<Node<'a>> {
        let (id, node) = self.0.get_key_value(id)?;
        Some(Node { id, class: node.get("class_type")?.as_str()?, inputs: node.get("inputs")?.as_object()? })
    }

    /// The node at the other end, if the value is a link and not a plain value.
    fn link<'a>(&'a self, value: &Value) -> Option<Link<'a>> {
        let [id, output] = value.as_array()?.as_slice() else { return None };
        let node = match id {
            Value::String(id) => self.node(id),
            other => self.node(&other.as_u64()?.to_string()),
        };
        Some((node?, output.as_u64().unwrap_or(0)))
    }

    /// At most `most` nodes from `start` (itself included) upwards, the nearest first, along the inputs that `along`
    /// allows.
    fn upwards<'a>(&'a self, start: Node<'a>, most: usize, along: impl Fn(&str) -> bool) -> Vec<Node<'a>> {
        let (mut seen, mut queue, mut found) = (HashSet::from([start.id]), VecDeque::from([start]), Vec::new());
        while let Some(node) = queue.pop_front() {
            found.push(node);
            if found.len() >= most {
                break;
            }
            for (name, value) in node.inputs {
                if along(name)
                    && let Some((next, _)) = self.link(value)
                    && seen.insert(next.id)
                {
                    queue.push_back(next);
                }
            }
        }
        found
    }

    fn read(&self) -> Option<ReadRecipe> {
        let sampler = self.sampler()?;
        let mut read = ReadRecipe { noise: Some(NoiseSource::TorchCpu), source: SOURCE, ..ReadRecipe::default() };
        // Newer samplers have their parts in nodes of their own.
        let parts = self.upwards(sampler, FEW, |name| ["noise", "guider", "sampler", "sigmas"].contains(&name));
        let number = |keys: &[&str]| parts.iter().find_map(|node| self.number(*node, keys));
        read.seed = number(&["seed", "noise_seed"]).and_then(|value| value.as_u64());
        read.steps = number(&["steps"]).and_then(|value| value.as_u64()?.try_into().ok());
        read.guidance = number(&["cfg"]).and_then(|value| value.as_f64());
        read.strength = number(&["denoise"]).and_then(|value| value.as_f64()).filter(|strength| *strength < 1.0);
        let word = |key: &str| parts.iter().find_map(|node| Some(node.inputs.get(key)?.as_str()?.to_owned()));
        if let Some(name) = word("scheduler") {
            names::set_schedule(&mut read, "scheduler", name);
        }
        if let Some(name) = word("sampler_name") {
            names::set_sampler(&mut read, "sampler_name", name);
        }
        for part in &parts {
            for (field, keys) in
                [(&mut read.prompt, ["positive", "conditioning"]), (&mut read.negative, ["negative", "uncond"])]
            {
                let value = keys.iter().find_map(|key| part.inputs.get(*key));
                if let (Some(value), true) = (value, field.is_empty()) {
                    *field = self.words(value);
                }
            }
        }
        let latent = sampler.inputs.get("latent_image").or_else(|| sampler.inputs.get("latent"));
        if let Some((latent, _)) = latent.and_then(|value| self.link(value)) {
            let along = |name: &str| !["positive", "negative", "model", "vae", "clip"].contains(&name);
            read.size = self.upwards(latent, FEW, along).into_iter().find_map(|node| self.size(node));
        }
        for node in self.upwards(sampler, FEW, |name| name == "model" || name == "guider") {
            let given = |keys: &[&str]| keys.iter().find_map(|key| node.inputs.get(*key)?.as_str());
            if let Some(file) = given(&["ckpt_name", "unet_name", "model_name", "base_ckpt_name"]) {
                read.model.get_or_insert_with(|| stem(file).to_owned());
            }
            if let Some(file) = given(&["lora_name"]) {
                let strength = self.number(node, &["strength_model"]).map_or_else(String::new, |n| format!(":{n}"));
                read.extra.push(("lora".to_owned(), format!("{}{strength}", stem(file))));
            }
        }
        Some(read)
    }

    /// The sampler that is farthest from the first node that saves; without such a node, the first one.
    fn sampler(&self) -> Option<Node<'_>> {
        let nodes = || self.0.keys().filter_map(|id| self.node(id));
        let samples = |node: &Node<'_>| {
            let has = |name: &str| node.inputs.contains_key(name);
            let seeded = has("seed") || has("noise_seed") || has("noise");
            seeded && (has("latent_image") || has("latent")) && (has("positive") || has("guider"))
                || (node.class.starts_with("KSampler") && seeded)
        };
        let saves = nodes().filter(|node| node.class.contains("Save") || node.class.contains("Preview"));
        let reached =
            saves.take(FEW).filter_map(|end| self.upwards(end, MOST_VISITS, |_| true).into_iter().rfind(samples));
        reached.into_iter().next().or_else(|| nodes().find(samples))
    }

    /// A number among the node's inputs, or in the node that the input comes from.
    fn number<'a>(&'a self, node: Node<'a>, keys: &[&str]) -> Option<&'a serde_json::Number> {
        let value = keys.iter().find_map(|key| node.inputs.get(*key))?;
        if let Value::Number(number) = value {
            return Some(number);
        }
        let (from, _) = self.link(value)?;
        let names = || keys.iter().copied().chain(["value", "seed", "noise_seed", "int", "float", "number"]);
        let own = |node: Node<'a>| {
            names().find_map(|key| match node.inputs.get(key)? {
                Value::Number(number) => Some(number),
                _ => None,
            })
        };
        self.upwards(from, FEW, |name| names().any(|key| key == name)).into_iter().find_map(own)
    }

    fn size(&self, node: Node<'_>) -> Option<Extent> {
        let side = |key: &str| self.number(node, &[key])?.as_u64()?.try_into().ok();
        Some(Extent::new(side("width")?, side("height")?))
    }

    /// The words behind a conditioning, or behind a text: those of the nearest nodes on each way that have any.
    fn words(&self, value: &Value) -> String {
        if let Value::String(text) = value {
            return text.clone();
        }
        let mut texts: Vec<&str> = Vec::new();
        let (mut seen, mut queue) = (HashSet::new(), VecDeque::from_iter(self.link(value)));
        while let Some((node, output)) = queue.pop_front() {
            if !seen.insert((node.id, output)) || seen.len() > MOST_VISITS || node.class.contains("ZeroOut") {
                continue;
            }
            let inputs = || WORDS.iter().filter_map(|key| node.inputs.get(*key));
            let own: Vec<&str> = inputs().filter_map(Value::as_str).filter(|text| !text.trim().is_empty()).collect();
            for text in &own {
                if !texts.contains(text) && texts.len() < MOST_TEXTS {
                    texts.push(text);
                }
            }
            let linked: Vec<Link<'_>> = inputs().filter_map(|value| self.link(value)).collect();
            if !own.is_empty() || !linked.is_empty() {
                queue.extend(linked);
                continue;
            }
            // A node that passes both on, ControlNet's say, has them in this order.
            let both = node.inputs.contains_key("positive") && node.inputs.contains_key("negative");
            let other = if output == 0 { "negative" } else { "positive" };
            let ways = node.inputs.iter().filter(|(name, _)| !NO_WORDS.contains(&name.as_str()));
            queue.extend(ways.filter(|(name, _)| !both || *name != other).filter_map(|(_, value)| self.link(value)));
        }
        texts.join("\n")
    }
}

/// A file's name without folder and ending.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    match name.rsplit_once('.') {
        Some((stem, "safetensors" | "ckpt" | "pt" | "pth" | "bin" | "gguf" | "sft")) => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::sampling::{SamplerId, ScheduleId};
    use proptest::prelude::*;
    use serde_json::json;

    fn read_json(graph: &Value) -> Option<ReadRecipe> {
        read(Texts(&[("prompt".to_owned(), graph.to_string())]))
    }

    fn standard() -> Value {
        json!({
            "3": {"class_type": "KSampler", "inputs": {"seed": 156680208700286u64, "steps": 20, "cfg": 8.0,
                "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0, "model": ["10", 0],
                "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "SD1.5\\v1-5-pruned.safetensors"}},
            "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "墨心.safetensors", "strength_model": 0.8,
                "model": ["4", 0], "clip": ["4", 1]}},
            "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "山水", "clip": ["10", 1]}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "水印", "clip": ["10", 1]}},
            "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
            "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}}
        })
    }

    #[test]
    fn the_standard_graph() {
        let read = read_json(&standard()).unwrap();
        assert_eq!((read.source, read.prompt.as_str(), read.negative.as_str()), ("comfyui", "山水", "水印"));
        assert_eq!((read.sampler, read.schedule), (Some(SamplerId::DpmPp2M), Some(ScheduleId::Karras)));
        assert_eq!((read.seed, read.steps, read.guidance), (Some(156_680_208_700_286), Some(20), Some(8.0)));
        assert_eq!((read.size, read.strength), (Some(Extent::new(512, 768)), None));
        assert_eq!(read.model.as_deref(), Some("v1-5-pruned"));
        assert_eq!(read.extra, [("lora".to_owned(), "墨心:0.8".to_owned())]);
    }

    #[test]
    fn a_second_pass_control_and_words_from_afar() {
        let mut graph = standard();
        // The first sampler's conditionings pass through one node; its seed and words come from others.
        graph["3"]["inputs"]["positive"] = json!(["20", 0]);
        graph["3"]["inputs"]["negative"] = json!(["20", 1]);
        graph["3"]["inputs"]["seed"] = json!(["21", 0]);
        graph["3"]["inputs"]["sampler_name"] = json!("res_multistep");
        graph["20"] = json!({"class_type": "ControlNetApplyAdvanced", "inputs": {"positive": ["22", 0],
            "negative": ["7", 0], "control_net": ["99", 0], "image": ["98", 0]}});
        graph["21"] = json!({"class_type": "Seed (rgthree)", "inputs": {"seed": 7}});
        graph["22"] = json!({"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["6", 0], "conditioning_2": ["23", 0]}});
        graph["23"] = json!({"class_type": "CLIPTextEncode", "inputs": {"text": ["24", 0], "clip": ["4", 1]}});
        graph["24"] = json!({"class_type": "某种未知节点", "inputs": {"string": "云雾"}});
        graph["30"] = json!({"class_type": "KSampler", "inputs": {"seed": 1, "steps": 9, "cfg": 2.0, "denoise": 0.4,
            "sampler_name": "euler", "scheduler": "normal", "model": ["4", 0], "positive": ["6", 0],
            "negative": ["7", 0], "latent_image": ["31", 0]}});
        graph["31"] =
            json!({"class_type": "LatentUpscale", "inputs": {"width": 1024, "height": 1536, "samples": ["3", 0]}});
        graph["8"]["inputs"]["samples"] = json!(["30", 0]);
        let read = read_json(&graph).unwrap();
        assert_eq!((read.prompt.as_str(), read.negative.as_str()), ("山水\n云雾", "水印"));
        assert_eq!((read.seed, read.steps, read.size), (Some(7), Some(20), Some(Extent::new(512, 768))));
        assert!(read.extra.contains(&("sampler_name".to_owned(), "res_multistep".to_owned())), "{:?}", read.extra);
    }

    #[test]
    fn a_sampler_in_parts() {
        let graph = json!({
            "13": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["25", 0], "guider": ["22", 0],
                "sampler": ["16", 0], "sigmas": ["17", 0], "latent_image": ["27", 0]}},
            "16": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
            "17": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 25, "denoise": 0.7, "model": ["12", 0]}},
            "22": {"class_type": "BasicGuider", "inputs": {"model": ["12", 0], "conditioning": ["26", 0]}},
            "25": {"class_type": "RandomNoise", "inputs": {"noise_seed": 99}},
            "26": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["6", 0]}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "长城", "clip": ["11", 0]}},
            "12": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux/flux1-dev.safetensors"}},
            "27": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 1024, "height": ["28", 0]}},
            "28": {"class_type": "PrimitiveInt", "inputs": {"value": 640}},
            "8": {"class_type": "VAEDecode", "inputs": {"samples": ["13", 0]}},
            "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}}
        });
        let read = read_json(&graph).unwrap();
        assert_eq!((read.prompt.as_str(), read.negative.as_str(), read.seed), ("长城", "", Some(99)));
        assert_eq!((read.steps, read.strength, read.sampler), (Some(25), Some(0.7), Some(SamplerId::Euler)));
        assert_eq!((read.size, read.model.as_deref()), (Some(Extent::new(1024, 640)), Some("flux1-dev")));
        assert_eq!(read.extra, [("scheduler".to_owned(), "simple".to_owned())]);
    }

    #[test]
    fn circles_gaps_and_no_samplers() {
        let mut graph = standard();
        graph["6"]["inputs"]["text"] = json!(["22", 0]);
        graph["22"] = json!({"class_type": "A", "inputs": {"text": ["6", 0], "model": ["3", 0]}});
        graph["5"]["inputs"]["width"] = json!(["22", 0]);
        graph["4"]["inputs"]["model"] = json!(["10", 0]);
        graph["3"]["inputs"]["negative"] = json!(["404", 0]);
        let read = read_json(&graph).unwrap();
        assert_eq!((read.prompt.as_str(), read.negative.as_str(), read.size), ("", "", None));
        for nothing in
            [json!({}), json!({"1": {"class_type": "LoadImage", "inputs": {}}}), json!({"1": 2, "3": {"inputs": []}})]
        {
            assert_eq!(read_json(&nothing), None);
        }
    }

    const INPUTS: [&str; 10] = [
        "positive",
        "negative",
        "text",
        "seed",
        "model",
        "latent_image",
        "width",
        "height",
        "guider",
        "conditioning_1",
    ];

    /// Graphs of few nodes with links in all directions.
    fn graphs() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            3 => (0u8..8, 0u64..3).prop_map(|(id, output)| json!([id.to_string(), output])),
            1 => any::<u64>().prop_map(Value::from),
            1 => any::<f64>().prop_map(Value::from),
            1 => "\\PC{0,8}".prop_map(Value::from),
            1 => Just(json!([[], {}])),
        ];
        let inputs = proptest::collection::btree_map(proptest::sample::select(&INPUTS[..]), value, 0..8);
        let class =
            proptest::sample::select(&["KSampler", "SaveImage", "CLIPTextEncode", "X", "ConditioningZeroOut"][..]);
        let node = (class, inputs).prop_map(|(class, inputs)| json!({"class_type": class, "inputs": inputs}));
        proptest::collection::vec(node, 0..8).prop_map(|nodes| {
            Value::Object(nodes.into_iter().enumerate().map(|(id, node)| (id.to_string(), node)).collect())
        })
    }

    proptest! {
        #[test]
        fn every_graph_comes_to_an_end(graph in graphs()) {
            if let Some(read) = read_json(&graph) {
                read.to_lines();
            }
        }
    }

    #[test]
    fn a_graph_of_many_nodes_is_not_followed_for_ever() {
        let mut graph = Map::new();
        for id in 0..20_000u32 {
            let next = json!([(id + 1).to_string(), 0]);
            let inputs = json!({"conditioning": next, "model": next, "noise": next, "width": next, "height": next,
                "lora_name": "x", "strength_model": next, "seed": next, "other": [(id + 2).to_string(), 0]});
            graph.insert(id.to_string(), json!({"class_type": "SaveX", "inputs": inputs}));
        }
        graph.insert(
            "s".into(),
            json!({"class_type": "KSampler", "inputs": {"seed": 1,
            "positive": ["0", 0], "model": ["0", 0], "noise": ["0", 0], "latent_image": ["0", 0]}}),
        );
        let read = read_json(&Value::Object(graph)).unwrap();
        assert_eq!((read.prompt.as_str(), read.seed), ("", Some(1)));
    }
}
