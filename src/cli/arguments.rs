//! What may be written after `danqing` on the command line.

use super::bench::OWN_MODEL;
use crate::recipe::{DeviceChoice, Interval, NoiseSource, Precision, Preset, SamplerId, ScheduleId};
use crate::words::{Language, text};
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Danqing: a painting studio. Without a command the window opens, with the first of the files.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "danqing", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    Paint(Box<Paint>),
    Inspect(Inspect),
    Bench(Bench),
}

/// `danqing paint`. Where a value is absent, the preset's or the model's own is taken.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(allow_negative_numbers = true)]
pub struct Paint {
    pub prompt: String,
    #[arg(short, long, value_name = "OUT.png")]
    pub output: PathBuf,
    #[arg(long, value_name = "NAME|PATH", default_value = OWN_MODEL)]
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
    #[arg(long, value_name = "A..B")]
    pub guidance_interval: Option<Interval>,
    #[arg(long, value_name = "N")]
    pub reuse: Option<u32>,
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
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
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

/// `danqing bench`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Bench {
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    #[arg(long)]
    pub full: bool,
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeats: u32,
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,
    #[arg(long, value_name = "NAME|PATH", default_value = OWN_MODEL)]
    pub model: PathBuf,
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
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
    let parser = OsStringValueParser::new().try_map(move |path| png_path(path, language));
    Arguments::command()
        .about(text(language, "cli-about-danqing"))
        .mut_arg("files", |arg| arg.help(text(language, "cli-arg-files")))
        .mut_subcommand("paint", |c| {
            let c = c.about(text(language, "cli-about-paint")).mut_arg("output", |arg| arg.value_parser(parser));
            explain(c, PAINT, language)
        })
        .mut_subcommand("inspect", |c| explain(c.about(text(language, "cli-about-inspect")), INSPECT, language))
        .mut_subcommand("bench", |c| explain(c.about(text(language, "cli-about-bench")), BENCH, language))
}

/// Gives the arguments their help. A message's id is `cli-arg-` and the argument's own, with `-` for `_`.
fn explain(command: clap::Command, ids: &[&str], language: Language) -> clap::Command {
    ids.iter().fold(command, |command, &id| {
        let argument = id.splitn(3, '-').last().unwrap_or(id).replace('-', "_");
        command.mut_arg(argument, |arg| arg.help(text(language, id)))
    })
}

const PAINT: &[&str] = &[
    "cli-arg-prompt",
    "cli-arg-output",
    "cli-arg-model",
    "cli-arg-negative",
    "cli-arg-width",
    "cli-arg-height",
    "cli-arg-preset",
    "cli-arg-steps",
    "cli-arg-sampler",
    "cli-arg-schedule",
    "cli-arg-guidance",
    "cli-arg-eta",
    "cli-arg-guidance-interval",
    "cli-arg-reuse",
    "cli-arg-seed",
    "cli-arg-batch",
    "cli-arg-noise",
    "cli-arg-init",
    "cli-arg-strength",
    "cli-arg-mask",
    "cli-arg-feather",
    "cli-arg-no-paste",
    "cli-arg-device",
    "cli-arg-precision",
    "cli-arg-text-length",
    "cli-arg-attention-mask",
    "cli-arg-previews",
    "cli-arg-timings",
];

const INSPECT: &[&str] = &["cli-arg-file"];

const BENCH: &[&str] =
    &["cli-arg-quick", "cli-arg-full", "cli-arg-repeats", "cli-arg-json", "cli-arg-model", "cli-arg-device"];

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
fn png_path(path: OsString, language: Language) -> Result<PathBuf, String> {
    let path = Path::new(&path);
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("png") => Ok(path.into()),
        _ => Err(text(language, "cli-only-png")),
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
        let written = |text: Option<&clap::builder::StyledStr>| {
            text.map(ToString::to_string).is_some_and(|text| !text.is_empty() && !text.starts_with("cli-"))
        };
        for language in Language::ALL {
            let command = command(language);
            command.clone().debug_assert();
            for sub in command.get_subcommands() {
                assert!(written(sub.get_about()), "{}", sub.get_name());
                for arg in sub.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
                    assert!(written(arg.get_help()), "{} {}", sub.get_name(), arg.get_id());
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
        assert_eq!(paint.device, DeviceChoice::Auto);
        assert_eq!(self::paint(&["--device", "cuda:1"]).unwrap().device, DeviceChoice::Cuda(1));
    }

    #[test]
    fn a_bench_is_usual_unless_told() {
        let bench = |words: &[&str]| {
            let words = ["danqing", "bench"].iter().chain(words);
            read(words, Language::ZhCn).map(|arguments| match arguments.command {
                Some(Command::Bench(bench)) => bench,
                other => panic!("{other:?}"),
            })
        };
        let usual = Bench {
            quick: false,
            full: false,
            repeats: 5,
            json: None,
            model: "xiaotu".into(),
            device: DeviceChoice::Auto,
        };
        assert_eq!(bench(&[]).unwrap(), usual);
        let words = ["--full", "--repeats", "9", "--json", "快.json", "--model", "/模型/太乙", "--device", "cpu"];
        let full = Bench {
            full: true,
            repeats: 9,
            json: Some("快.json".into()),
            model: "/模型/太乙".into(),
            device: DeviceChoice::Cpu,
            ..usual
        };
        assert_eq!(bench(&words).unwrap(), full);
        for words in [&["--quick", "--full"][..], &["--repeats", "0"], &["xiaotu"]] {
            assert!(bench(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            &["--sampler", "dpm"][..],
            &["--strength", "0.5"],
            &["--no-paste"],
            &["--seed", "-1"],
            &["--wide"],
            &["--guidance-interval", "3"],
            &["--device", "gpu"],
        ] {
            assert!(paint(words).is_err(), "{words:?}");
        }
        for name in ["画.jpg", "画.webp", "画", ".png"] {
            for (language, words) in Language::ALL.into_iter().zip(["只能写 .png", "only .png"]) {
                let error = read(["danqing", "paint", "山水", "-o", name], language).unwrap_err();
                assert!(error.to_string().contains(words), "{error}");
            }
        }
        assert!(read(["danqing", "paint", "山水", "-o", "画.PNG"], Language::ZhCn).is_ok());
        assert_eq!(paint(&["--guidance", "-1"]).unwrap().guidance, Some(-1.0), "ranges are the recipe's business");
    }
}
