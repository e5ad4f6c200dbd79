//! `danqing paint` from the arguments to the files, with a generator that needs no model.

use danqing::base::{Extent, Problem, ProblemKind};
use danqing::cli::arguments::{Bench, Command, Paint, read};
use danqing::cli::{Tools, bench, inspect, paint, run};
use danqing::imaging::Pixmap;
use danqing::imaging::png_text::{read_texts, write_png};
use danqing::imaging::read::read_picture;
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::bench::{BenchOptions, BenchReport, Figure, Measure, Task, Tell};
use danqing::recipe::metadata::from_texts;
use danqing::recipe::{Cancel, DeviceChoice, Generator, Precision, SamplerId};
use danqing::words::Language;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// A folder for one test, and the engine that the test paints with.
struct Studio {
    folder: tempfile::TempDir,
    generator: FakeGenerator,
    cancel: Cancel,
    /// How often the engine was built.
    built: Cell<usize>,
}

impl Studio {
    fn new(generator: FakeGenerator) -> Self {
        let folder = tempfile::Builder::new().prefix("画 室-").tempdir().unwrap();
        Self { folder, generator, cancel: Cancel::new(), built: Cell::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with_tools<T>(&self, work: impl FnOnce(&Tools) -> T) -> T {
        let generator = || {
            self.built.set(self.built.get() + 1);
            Ok(Box::new(self.generator.clone()) as Box<dyn Generator>)
        };
        let family = |_: &Path| Ok(fake_family());
        let cancel = self.cancel.clone();
        work(&Tools { generator: &generator, family: &family, bench: &few_figures, cancel, language: Language::ZhCn })
    }

    /// The command for a picture of 64×128 in 4 steps; `PATH:` at the beginning of a word stands for the folder.
    fn args(&self, words: &[&str]) -> Paint {
        let base = ["danqing", "paint", "飞流直下三千尺，油画", "--steps", "4", "--seed", "41"];
        let words = base.iter().chain(words).map(|word| match word.strip_prefix("PATH:") {
            Some(name) => self.path(name).into_os_string(),
            None => word.into(),
        });
        match read(words.collect::<Vec<std::ffi::OsString>>(), Language::ZhCn).unwrap().command {
            Some(Command::Paint(paint)) => *paint,
            other => panic!("{other:?}"),
        }
    }

    fn paint(&self, words: &[&str]) -> Result<(), Problem> {
        let args = self.args(words);
        self.with_tools(|tools| paint::run(&args, tools))
    }

    fn status(&self, words: &[&str]) -> String {
        let command = Command::Paint(Box::new(self.args(words)));
        format!("{:?}", self.with_tools(|tools| run(&command, tools)))
    }

    /// Every file in the folder, sorted.
    fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A picture whose pixels all have the colour.
    fn draw(&self, name: &str, width: u32, height: u32, colour: [u8; 4]) {
        let extent = Extent::new(width, height);
        let pixels = colour.repeat(extent.area() as usize);
        write_png(&self.path(name), &Pixmap::from_rgba(extent, pixels).unwrap(), &[]).unwrap();
    }
}

/// Measures one thing, and a second one unless it was asked to stop.
fn few_figures(
    options: &BenchOptions,
    cancel: &Cancel,
    report: &mut BenchReport,
    tell: Tell<'_>,
) -> Result<(), Problem> {
    for measure in [Measure::Peak, Measure::UnetPass] {
        let task = Task::new(measure, Precision::F32, 2);
        tell(&task);
        report.figures.extend(Figure::new(task, vec![1.5; options.repeats]));
        if cancel.is_requested() {
            return Err(Problem::new(ProblemKind::Cancelled));
        }
    }
    Ok(())
}

const SMALL: [&str; 4] = ["--width", "64", "--height", "128"];

fn small<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(SMALL).collect()
}

fn status(code: ExitCode) -> String {
    format!("{code:?}")
}

fn open(path: &Path) -> Pixmap {
    read_picture(path, 1 << 24).unwrap()
}

#[test]
fn a_picture_is_written_with_its_recipe() {
    let studio = Studio::new(FakeGenerator::new());
    let words = small(&["-o", "PATH:瀑布.png", "--negative", "水印", "--sampler", "euler-a", "--model", "/模型/小图"]);
    assert_eq!(studio.status(&words), status(ExitCode::SUCCESS));
    assert_eq!(studio.files(), ["瀑布.png"]);
    assert_eq!(open(&studio.path("瀑布.png")).extent(), Extent::new(64, 128));

    let texts = read_texts(&studio.path("瀑布.png")).unwrap();
    assert!(texts.iter().all(|(_, text)| !text.contains("/模型")), "a path says too much: {texts:?}");
    let recipe = from_texts(&texts).unwrap();
    assert_eq!((recipe.prompt.as_str(), recipe.negative.as_str()), ("飞流直下三千尺，油画", "水印"));
    assert_eq!((recipe.seed, recipe.steps, recipe.sampler), (Some(41), Some(4), Some(SamplerId::EulerAncestral)));
    assert_eq!((recipe.size, recipe.model.as_deref()), (Some(Extent::new(64, 128)), Some("小图")));

    let lines = inspect::describe(&studio.path("瀑布.png"), Language::ZhCn).unwrap();
    assert!(lines.contains(&"提示词: 飞流直下三千尺，油画".to_string()), "{lines:?}");
}

#[test]
fn a_batch_is_numbered_and_each_picture_has_its_seed() {
    let studio = Studio::new(FakeGenerator::new());
    studio.paint(&small(&["-o", "PATH:画.png", "--batch", "3"])).unwrap();
    assert_eq!(studio.files(), ["画-1.png", "画-2.png", "画-3.png"]);
    let seeds = [1, 2, 3].map(|k| from_texts(&read_texts(&studio.path(&format!("画-{k}.png"))).unwrap()).unwrap().seed);
    assert_eq!(seeds, [Some(41), Some(42), Some(43)]);
}

#[test]
fn what_cannot_be_written_is_refused_before_the_engine_is_built() {
    let studio = Studio::new(FakeGenerator::new());
    std::fs::create_dir(studio.path("夹.png")).unwrap();
    std::fs::write(studio.path("文件"), "not a folder").unwrap();
    let refused = [
        small(&["-o", "PATH:没有/画.png"]),
        small(&["-o", "PATH:夹.png"]),
        small(&["-o", "PATH:画.png", "--timings", "PATH:没有/时间.json"]),
        small(&["-o", "PATH:画.png", "--previews", "PATH:文件"]),
    ];
    for words in refused {
        let problem = studio.paint(&words).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unwritable, "{words:?}");
        assert!(problem.path.is_some_and(|path| path.starts_with(studio.folder.path())));
        assert_eq!(studio.status(&words), status(ExitCode::FAILURE));
    }
    assert_eq!(studio.built.get(), 0);
    assert_eq!(studio.files(), ["夹.png", "文件"]);
}

#[test]
fn a_recipe_that_makes_no_sense_is_refused_before_the_engine_is_built() {
    let studio = Studio::new(FakeGenerator::new());
    for (words, kind) in [
        (["--width", "100"], ProblemKind::SizeUneven),
        (["--batch", "17"], ProblemKind::ValueInvalid),
        (["--guidance", "-1"], ProblemKind::ValueInvalid),
        (["--mask", "PATH:遮.png"], ProblemKind::MaskWithoutPicture),
        (["--init", "PATH:没有.png"], ProblemKind::Unreadable),
    ] {
        let words: Vec<_> = ["-o", "PATH:画.png"].into_iter().chain(words).collect();
        assert_eq!(studio.paint(&words).unwrap_err().kind, kind, "{words:?}");
    }
    assert_eq!((studio.built.get(), studio.files().len()), (0, 0));
}

#[test]
fn a_mask_of_another_size_is_refused_and_both_sizes_are_named() {
    let studio = Studio::new(FakeGenerator::new());
    studio.draw("原.png", 96, 64, [200, 10, 10, 255]);
    studio.draw("遮.png", 64, 96, [255; 4]);
    let problem = studio.paint(&["-o", "PATH:画.png", "--init", "PATH:原.png", "--mask", "PATH:遮.png"]).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::MaskSizeDiffers);
    assert_eq!((problem.arg("mask"), problem.arg("picture")), (Some("64×96"), Some("96×64")));
    studio.draw("黑.png", 96, 64, [0, 0, 0, 255]);
    let problem = studio.paint(&["-o", "PATH:画.png", "--init", "PATH:原.png", "--mask", "PATH:黑.png"]).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::MaskEmpty);
    assert_eq!(studio.built.get(), 0);
}

#[test]
fn white_is_repainted_and_the_picture_keeps_its_own_size() {
    let studio = Studio::new(FakeGenerator::new());
    let red = [200, 10, 10, 255];
    studio.draw("原.png", 101, 67, red);
    let mut mask = Pixmap::new(Extent::new(101, 67));
    for (at, pixel) in mask.rgba_mut().chunks_exact_mut(4).enumerate() {
        pixel.copy_from_slice(if at % 101 < 50 { &[0, 0, 0, 255] } else { &[255; 4] });
    }
    write_png(&studio.path("遮.png"), &mask, &[]).unwrap();
    studio
        .paint(&["-o", "PATH:画.png", "--init", "PATH:原.png", "--mask", "PATH:遮.png", "--strength", "0.5"])
        .unwrap();
    let picture = open(&studio.path("画.png"));
    // 101 loses 2 columns on the left and 3 on the right to come to 96, 67 becomes 64.
    assert_eq!(picture.extent(), Extent::new(96, 64));
    assert!((0..64).all(|y| picture.pixel(47, y) == Some(red)));
    assert!((0..64).any(|y| picture.pixel(48, y) != Some(red)));
    let recipe = from_texts(&read_texts(&studio.path("画.png")).unwrap()).unwrap();
    assert_eq!(recipe.strength, Some(0.5));
}

#[test]
fn a_failing_engine_leaves_no_file() {
    let out_of_memory = FakeGenerator::new().out_of_memory_at(2);
    for (generator, kind) in [
        (FakeGenerator::new().failing_at(0, Problem::new(ProblemKind::ModelMissing)), ProblemKind::ModelMissing),
        (out_of_memory, ProblemKind::OutOfMemory),
        (FakeGenerator::new().panicking_at(3), ProblemKind::EngineCrashed),
    ] {
        let studio = Studio::new(generator);
        let words = small(&["-o", "PATH:画.png", "--timings", "PATH:时间.json"]);
        assert_eq!(studio.paint(&words).unwrap_err().kind, kind);
        assert_eq!(studio.status(&words), status(ExitCode::FAILURE));
        assert!(studio.files().is_empty(), "{:?}", studio.files());
    }
    let studio = Studio::new(FakeGenerator::new());
    std::fs::write(studio.path("画.png"), "old").unwrap();
    let broken = Studio { generator: FakeGenerator::new().panicking_at(1), ..studio };
    assert_eq!(broken.paint(&small(&["-o", "PATH:画.png"])).unwrap_err().kind, ProblemKind::EngineCrashed);
    assert_eq!(std::fs::read_to_string(broken.path("画.png")).unwrap(), "old");
}

#[test]
fn a_cancelled_job_leaves_no_file() {
    let studio = Studio::new(FakeGenerator::new().with_delay(Duration::from_secs(60)));
    let cancel = studio.cancel.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        cancel.request();
    });
    assert_eq!(studio.status(&small(&["-o", "PATH:画.png"])), status(ExitCode::from(130)));
    stopper.join().unwrap();
    assert!(studio.files().is_empty());
}

#[test]
fn previews_and_timings() {
    let studio = Studio::new(FakeGenerator::new());
    let words = small(&["-o", "PATH:画.png", "--previews", "PATH:过程", "--timings", "PATH:时间.json"]);
    studio.paint(&words).unwrap();
    assert_eq!(studio.files(), ["时间.json", "画.png", "过程"]);
    for step in 1..=4 {
        let path = studio.path("过程").join(format!("step-{step:02}.png"));
        assert_eq!(open(&path).extent(), Extent::new(64, 128), "eight times the latent size");
        assert_eq!(from_texts(&read_texts(&path).unwrap()).unwrap().seed, Some(41));
    }
    assert_eq!(std::fs::read_dir(studio.path("过程")).unwrap().count(), 4);

    let json = std::fs::read_to_string(studio.path("时间.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "load_s",
        "encode_s",
        "step_s",
        "decode_s",
        "preview_s",
        "unet_rows",
        "peak_rss_mb",
        "precision",
        "threads",
        "device",
    ];
    assert_eq!(keys, expected);
    assert_eq!(value["step_s"].as_array().unwrap().len(), 4);
    assert_eq!(value["precision"], "f32");
    assert_eq!(value["device"], "auto", "what the engine said");
}

/// Runs `danqing bench` with two repeats into a file, and reads it again.
fn benched(studio: &Studio, model: &str) -> (Result<(), Problem>, BenchReport) {
    let json = studio.path("快.json");
    let args = Bench {
        quick: true,
        full: false,
        repeats: 2,
        json: Some(json.clone()),
        model: model.into(),
        device: DeviceChoice::Cpu,
    };
    let result = studio.with_tools(|tools| bench::run(&args, tools));
    (result, serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap())
}

#[test]
fn a_bench_is_written_with_a_picture_of_the_model() {
    let studio = Studio::new(FakeGenerator::new());
    let (result, report) = benched(&studio, "小图");
    result.unwrap();
    let measures: Vec<_> = report.figures.iter().map(|figure| (figure.task.measure, figure.runs)).collect();
    let expected = [(Measure::Peak, 2), (Measure::UnetPass, 2), (Measure::PictureFirst, 1), (Measure::Picture, 2)];
    assert_eq!(measures, expected);
    assert!(report.complete && report.figures.iter().all(|figure| figure.median > 0.0));
    assert_eq!((studio.built.get(), studio.files().len()), (1, 1));
}

#[test]
fn a_device_that_fails_costs_time_but_no_picture() {
    let lost = Problem::new(ProblemKind::DeviceFailed).with("device", "某显卡");
    let studio = Studio::new(FakeGenerator::new().let_down_at(2, lost.clone()));
    studio.paint(&small(&["-o", "PATH:画.png"])).unwrap();
    assert_eq!(studio.files(), ["画.png"]);
    // What the processor does in its stead is no measure of it.
    let (result, report) = benched(&studio, "小图");
    assert_eq!(result.unwrap_err(), lost);
    assert!(!report.complete && report.figures.iter().all(|figure| figure.task.measure != Measure::Picture));
}

#[test]
fn a_bench_that_is_stopped_keeps_what_it_has() {
    let studio = Studio::new(FakeGenerator::new());
    studio.cancel.request();
    let (result, report) = benched(&studio, "小图");
    assert!(result.unwrap_err().is_cancelled());
    assert!(!report.complete);
    assert_eq!((report.figures.len(), studio.built.get()), (1, 0));
}

#[test]
fn a_bench_needs_no_model_unless_one_is_named() {
    let studio = Studio::new(FakeGenerator::new());
    for (model, expected) in [("xiaotu", None), ("没有", Some(ProblemKind::ModelMissing))] {
        let json = studio.path("快.json");
        let args = Bench {
            quick: true,
            full: false,
            repeats: 1,
            json: Some(json),
            model: model.into(),
            device: DeviceChoice::Cpu,
        };
        let none = |model: &Path| Err(Problem::new(ProblemKind::ModelMissing).with("model", model.display()));
        let result = studio.with_tools(|tools| {
            let tools = Tools { family: &none, cancel: Cancel::new(), ..*tools };
            bench::run(&args, &tools)
        });
        assert_eq!(result.err().map(|problem| problem.kind), expected, "{model}");
    }
    assert_eq!(studio.built.get(), 0);
    let nowhere = Bench {
        quick: true,
        full: false,
        repeats: 1,
        json: Some(studio.path("没有/快.json")),
        model: "小图".into(),
        device: DeviceChoice::Cpu,
    };
    let result = studio.with_tools(|tools| bench::run(&nowhere, tools));
    assert_eq!(result.unwrap_err().kind, ProblemKind::Unwritable, "before anything is measured");
}
