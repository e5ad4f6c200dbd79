//! What may be written after `danqing` on the command line.

use crate::recipe::{NoiseSource, Precision, Preset, SamplerId, ScheduleId};
use crate::words::Language;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Danqing: a painting studio. Without a command the window opens.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "danqing", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    Paint(Box<Paint>),
    Inspect(Inspect),
}

/// `danqing paint`. Where a value is absent, the preset's or the model's own is taken.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(allow_negative_numbers = true)]
pub struct Paint {
    pub prompt: String,
    #[arg(short, long, value_name = "OUT.png", value_parser = clap::builder::OsStringValueParser::new().try_map(png_path))]
    pub output: PathBuf,
    #[arg(long, value_name = "NAME|PATH", default_value = "xiaotu")]
    pub model: PathBuf,
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub negative: String,
    #[arg(long, value_name = "PX")]
    pub width: Option<u32>,
    #[arg(long, value_name = "PX")]
    pub height: Option<u32>,
    #[arg(long, default_value = Preset::Article.key(), value_parser = presets())]
    pub preset: Preset,
    #[arg(long)]
    pub steps: Option<u32>,
    #[arg(long, value_parser = samplers())]
    pub sampler: Option<SamplerId>,
    #[arg(long, value_parser = schedules())]
    pub schedule: Option<ScheduleId>,
    #[arg(long)]
    pub guidance: Option<f64>,
    #[arg(long)]
    pub eta: Option<f64>,
    #[arg(long)]
    pub seed: Option<u64>,
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: u32,
    #[arg(long, default_value = NoiseSource::TorchCpu.key(), value_parser = noises())]
    pub noise: NoiseSource,
    #[arg(long, value_name = "IMG")]
    pub init: Option<PathBuf>,
    #[arg(long, default_value_t = 0.6, requires = "init")]
    pub strength: f64,
    #[arg(long, value_name = "IMG")]
    pub mask: Option<PathBuf>,
    #[arg(long, value_name = "PX", default_value_t = 8.0, requires = "mask")]
    pub feather: f32,
    #[arg(long, requires = "mask")]
    pub no_paste: bool,
    #[arg(long, default_value = Precision::Auto.name(), value_parser = precisions())]
    pub precision: Precision,
    #[arg(long, value_name = "TOKENS")]
    pub text_length: Option<usize>,
    #[arg(long)]
    pub attention_mask: bool,
    #[arg(long, value_name = "DIR")]
    pub previews: Option<PathBuf>,
    #[arg(long, value_name = "FILE.json")]
    pub timings: Option<PathBuf>,
}

/// `danqing inspect`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Inspect {
    pub file: PathBuf,
}

/// Reads the command line (the program's name first); the help is in `language`.
///
/// # Errors
/// What clap says, a request for help or for the version included: [`clap::Error::exit`] is the answer to all.
pub fn read(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    language: Language,
) -> Result<Arguments, clap::Error> {
    Arguments::from_arg_matches(&command(language).try_get_matches_from(words)?)
}

/// The definition for clap, with the help in `language`.
pub fn command(language: Language) -> clap::Command {
    let explain = |(id, help): (&str, [&'static str; 2])| (id.to_owned(), super::report::pick(language, help));
    let mut command = Arguments::command();
    for (id, about) in COMMANDS.iter().copied().map(explain) {
        command = match id.as_str() {
            "danqing" => command.about(about),
            _ => command.mut_subcommand(id, |c| c.about(about)),
        };
    }
    for (name, table) in [("paint", PAINT), ("inspect", INSPECT)] {
        for (id, help) in table.iter().copied().map(explain) {
            command = command.mut_subcommand(name, |c| c.mut_arg(id, |arg| arg.help(help)));
        }
    }
    command
}

/// Id, then the help in Chinese and in English.
type Help = [(&'static str, [&'static str; 2])];

const COMMANDS: &Help = &[
    (
        "danqing",
        ["丹青：用中文作画。不带命令时打开窗口。", "Danqing: paint in Chinese. Without a command the window opens."],
    ),
    ("paint", ["按文字作画，不开窗口", "Paint from words, without a window"]),
    ("inspect", ["查看图片的配方，或模型文件的内容", "Show a picture's recipe, or what a model file holds"]),
];

const PAINT: &Help = &[
    ("prompt", ["画什么", "What to paint"]),
    (
        "output",
        [
            "写到哪个 .png 文件；多张时为 OUT-1.png、OUT-2.png……",
            "The .png to write; of a batch OUT-1.png, OUT-2.png, …",
        ],
    ),
    ("model", ["模型的名字或文件夹", "Name or folder of the model"]),
    ("negative", ["不要画什么", "What to keep out"]),
    ("width", ["宽（像素）；默认随模型，或随原图", "Width in pixels; by default the model's own, or the picture's"]),
    ("height", ["高（像素）；默认随模型，或随原图", "Height in pixels; by default the model's own, or the picture's"]),
    ("preset", ["一套采样设置；其他选项可逐项改动", "A set of sampling values; other options override them"]),
    ("steps", ["步数，1 到 1000", "Steps, 1 to 1000"]),
    ("sampler", ["采样器", "Sampler"]),
    ("schedule", ["噪声时间表", "Noise schedule"]),
    (
        "guidance",
        [
            "引导强度，0 到 50，不大于 1 即无引导；默认随模型",
            "Guidance scale, 0 to 50, up to 1 is none; by default the model's own",
        ],
    ),
    ("eta", ["每步新加噪声的份量；默认随采样器", "Share of fresh noise in a step; by default the sampler's own"]),
    ("seed", ["种子；默认随机，并显示出来", "Seed; by default random, and shown"]),
    ("batch", ["张数，1 到 16；种子依次加一", "Number of pictures, 1 to 16, each with the next seed"]),
    ("noise", ["种子对应哪一种随机数", "Whose random numbers the seed stands for"]),
    ("init", ["从这张图片开始画", "Start from this picture"]),
    ("strength", ["改动原图的程度，大于 0 到 1", "How far to leave the picture, above 0 to 1"]),
    ("mask", ["只重画这张图里白色的地方；与原图同大", "Repaint only where this picture is white; of the same size"]),
    ("feather", ["遮罩边缘的柔化宽度（像素），0 到 256", "Width of the mask's soft edge in pixels, 0 to 256"]),
    ("no_paste", ["不把遮罩外的原图贴回来", "Do not paste the picture back outside the mask"]),
    ("precision", ["数值精度", "Number format"]),
    (
        "text_length",
        ["文字补齐到多少个词元；默认随模型", "Tokens that the prompt is padded to; by default the model's own"],
    ),
    ("attention_mask", ["不让文字编码器看到补齐的部分", "Hide the padding from the text encoder"]),
    ("previews", ["把每一步的预览写到这个文件夹", "Write a preview of each step into this folder"]),
    ("timings", ["把各阶段的用时写到这个文件", "Write the seconds spent into this file"]),
];

const INSPECT: &Help = &[("file", ["图片，或模型文件", "A picture, or a model file"])];

/// A parser for one of `keys`, which `find` knows.
fn one_of<T: Clone + Send + Sync + 'static>(
    keys: impl Iterator<Item = &'static str>,
    find: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(keys.collect::<Vec<_>>()).try_map(move |key| find(&key).ok_or("unknown"))
}

fn presets() -> impl TypedValueParser<Value = Preset> {
    one_of(Preset::ALL.iter().map(|v| v.key()), Preset::from_key)
}

fn samplers() -> impl TypedValueParser<Value = SamplerId> {
    one_of(SamplerId::ALL.iter().map(|v| v.key()), SamplerId::from_key)
}

fn schedules() -> impl TypedValueParser<Value = ScheduleId> {
    one_of(ScheduleId::ALL.iter().map(|v| v.key()), ScheduleId::from_key)
}

fn noises() -> impl TypedValueParser<Value = NoiseSource> {
    one_of(NoiseSource::ALL.iter().map(|v| v.key()), NoiseSource::from_key)
}

fn precisions() -> impl TypedValueParser<Value = Precision> {
    one_of(Precision::ALL.iter().map(|v| v.name()), |name| Precision::ALL.into_iter().find(|v| v.name() == name))
}

/// Pictures are written with their recipe, losslessly: as PNG and nothing else.
fn png_path(text: OsString) -> Result<PathBuf, &'static str> {
    let path = Path::new(&text);
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("png") => Ok(path.into()),
        _ => Err("只能写 .png 文件 / only .png files can be written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(words: &[&str]) -> Result<Paint, clap::Error> {
        let words = ["danqing", "paint", "山水", "-o", "画.png"].iter().chain(words);
        match read(words, Language::ZhCn)?.command {
            Some(Command::Paint(paint)) => Ok(*paint),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definitions_are_sound_and_every_argument_is_explained() {
        for language in Language::ALL {
            let command = command(language);
            command.clone().debug_assert();
            for sub in command.get_subcommands() {
                assert!(sub.get_about().is_some());
                for arg in sub.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
                    assert!(arg.get_help().is_some(), "{} {}", sub.get_name(), arg.get_id());
                }
            }
        }
    }

    #[test]
    fn defaults() {
        let paint = paint(&[]).unwrap();
        assert_eq!((paint.model.to_str(), paint.preset), (Some("xiaotu"), Preset::Article));
        assert_eq!((paint.width, paint.steps, paint.seed, paint.batch), (None, None, None, 1));
        assert_eq!((paint.noise, paint.precision, paint.no_paste), (NoiseSource::TorchCpu, Precision::Auto, false));
        assert_eq!(read(["danqing"], Language::ZhCn).unwrap().command, None);
    }

    #[test]
    fn words_become_values() {
        let paint =
            paint(&["--sampler", "dpmpp-2m-sde", "--schedule", "ays", "--precision", "bf16", "--noise", "torch-cuda"]);
        let paint = paint.unwrap();
        assert_eq!(paint.sampler, Some(SamplerId::DpmPp2MSde));
        assert_eq!(paint.schedule, Some(ScheduleId::AlignYourSteps));
        assert_eq!((paint.precision, paint.noise), (Precision::Bf16, NoiseSource::TorchCuda));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in
            [&["--sampler", "dpm"][..], &["--strength", "0.5"], &["--no-paste"], &["--seed", "-1"], &["--wide"]]
        {
            assert!(paint(words).is_err(), "{words:?}");
        }
        for name in ["画.jpg", "画.webp", "画", ".png"] {
            let error = read(["danqing", "paint", "山水", "-o", name], Language::ZhCn).unwrap_err();
            assert!(error.to_string().contains(".png"), "{error}");
        }
        assert!(read(["danqing", "paint", "山水", "-o", "画.PNG"], Language::ZhCn).is_ok());
        assert_eq!(paint(&["--guidance", "-1"]).unwrap().guidance, Some(-1.0), "ranges are the recipe's business");
    }
}
