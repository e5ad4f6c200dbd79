//! Our BERT against candle-transformers' on the same weights: two readings of one network.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use danqing::engine::nets::Params;
use danqing::engine::nets::bert::{Bert, BertConfig, Ids, check, read};
use danqing::engine::nets::ops::Pass;
use danqing::engine::tokenizer::BertTokenizer;
use danqing::engine::weights::Loader;
use danqing::recipe::prompt::spans;
use danqing::recipe::{Cancel, Phase, Precision};
use std::ops::ControlFlow;
use std::path::Path;

#[test]
fn ours_is_candles() {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/parity/checkpoint-1");
    let part = checkpoint.join("text_encoder");
    let config = std::fs::read_to_string(part.join("config.json")).unwrap();
    let bytes = std::fs::read(part.join("model.safetensors")).unwrap();
    let device = Device::Cpu;
    let builder = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &device).unwrap();
    let theirs = BertModel::load(builder, &serde_json::from_str::<Config>(&config).unwrap()).unwrap();

    let folder = danqing::catalog::ModelFolder::open(&checkpoint).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut report = |_: Phase| ControlFlow::Continue(());
    let mut loader = Loader {
        device: device.clone(),
        precision: Precision::F32,
        by_candle: false,
        cache: cache.path(),
        cancel: Cancel::new(),
        report: &mut report,
    };
    let weights = loader.open(&folder, "text_encoder").unwrap();
    let ours = Bert::load(&Params::root(&weights), &serde_json::from_str::<BertConfig>(&config).unwrap()).unwrap();

    let tokenizer = BertTokenizer::from_file(&checkpoint.join("tokenizer/vocab.txt")).unwrap();
    let tokens = tokenizer.encode(&spans("两岸猿声啼不住，轻舟已过万重山。Oil painting, 4k"), 64).unwrap();
    let ids = Tensor::new(tokens.ids.as_slice(), &device).unwrap().unsqueeze(0).unwrap();
    let kinds = ids.zeros_like().unwrap();
    let all = Ids { ids: &tokens.ids, hidden: None };
    let a = ours.forward(&Pass::default(), all).unwrap();
    let b = theirs.forward(&ids, &kinds, None).unwrap();
    assert_eq!(a.dims(), b.dims());
    let worst = (&a - &b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    println!("largest difference {worst:.1e}");
    assert!(worst < 1e-4);

    // With the padding hidden, the text's own tokens do not depend on how much padding there is.
    let hidden: Vec<bool> = (0..64).map(|i| i >= tokens.used).collect();
    let masked = Ids { ids: &tokens.ids, hidden: Some(&hidden) };
    let short = Ids { ids: &tokens.ids[..tokens.used], hidden: None };

    // Read layer by layer, it says the same, to several texts at once.
    let config: BertConfig = serde_json::from_str(&config).unwrap();
    check(&Params::root(&weights), &config).unwrap();
    let read = read(&Params::root(&weights), &config, &Pass::default(), &[all, masked, short]).unwrap();
    for (text, read) in [all, masked, short].into_iter().zip(&read) {
        let loaded = ours.forward(&Pass::default(), text).unwrap();
        assert_eq!(loaded.to_vec3::<f32>().unwrap(), read.to_vec3::<f32>().unwrap());
    }

    let [_, masked, short] = &read[..] else { panic!("three texts, three readings") };
    let own = masked.narrow(1, 0, tokens.used).unwrap();
    let worst =
        (own - short).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    assert!(worst < 1e-4, "{worst}");
}
