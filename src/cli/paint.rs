//! `danqing paint`: one recipe, one run of the engine, one PNG for each picture.

use super::Tools;
use super::arguments::Paint;
use super::pictures;
use super::progress_bar::Meter;
use super::report::{self, Notice};
use crate::base::files::write_atomically;
use crate::base::{Extent, Problem, ProblemKind};
use crate::catalog::models;
use crate::imaging::png_text::write_png;
use crate::imaging::resample::{Filter, resize};
use crate::jobs::guarded;
use crate::recipe::check::check;
use crate::recipe::metadata::to_texts;
use crate::recipe::{
    Cancel, FamilyInfo, Inpaint, Output, Phase, Precision, Progress, Recipe, Source, Step, Stop, TextOptions,
};
use crate::words::Language;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Paints and writes; the written pictures' paths go to stdout.
///
/// # Errors
/// The first problem. Nothing is written then, unless it came up while the files were written.
pub fn run(args: &Paint, tools: &Tools) -> Result<(), Problem> {
    let family = (tools.family)(&args.model)?;
    let recipe = recipe(args, &family, &mut |notice| report::notice(&notice.text(tools.language)))?;
    check(&recipe, &family)?;
    try_places(args)?;

    let mut listener = Listener {
        meter: Meter::stderr(tools.language),
        previews: args.previews.as_deref().map(|folder| Previews { folder, recipe: &recipe, times: family.factor }),
        failure: None,
        cancel: tools.cancel.clone(),
        language: tools.language,
    };
    let painted = guarded(|| {
        let mut generator = (tools.generator)()?;
        generator.use_device(args.device);
        generator.generate(&recipe, &mut listener)
    });
    listener.meter.finish();
    let output = painted?;
    write(args, &recipe, &output)?;
    listener.failure.map_or(Ok(()), Err)
}

/// The recipe that the arguments stand for; a seed that is drawn, and what is done to the picture, are told to `tell`.
fn recipe(args: &Paint, family: &FamilyInfo, tell: &mut dyn FnMut(Notice)) -> Result<Recipe, Problem> {
    let (source, mask) = match (&args.init, &args.mask) {
        (Some(init), mask) => {
            let start = pictures::read(init, mask.as_deref(), (args.width, args.height), family)?;
            if let Some(notice) = start.notice {
                tell(notice);
            }
            (Source::Picture { picture: start.picture, strength: args.strength }, start.mask)
        }
        (None, Some(_)) => return Err(Problem::new(ProblemKind::MaskWithoutPicture)),
        (None, None) => (Source::Text, None),
    };
    let size = match &source {
        Source::Picture { picture, .. } => picture.extent(),
        Source::Text => {
            Extent::new(args.width.unwrap_or(family.native.width), args.height.unwrap_or(family.native.height))
        }
    };
    let seed = args.seed.unwrap_or_else(|| {
        let seed = draw_seed();
        tell(Notice::Seed(seed));
        seed
    });
    let mut sampling = args.preset.sampling(family.guidance);
    if let Some(sampler) = args.sampler {
        sampling.sampler = sampler;
        sampling.eta = sampler.default_eta();
    }
    sampling.schedule = args.schedule.unwrap_or(sampling.schedule);
    sampling.steps = args.steps.unwrap_or(sampling.steps);
    sampling.guidance = args.guidance.unwrap_or(sampling.guidance);
    sampling.eta = args.eta.unwrap_or(sampling.eta);
    sampling.interval = args.guidance_interval.unwrap_or(sampling.interval);
    sampling.reuse = args.reuse.unwrap_or(sampling.reuse);
    Ok(Recipe {
        model: args.model.clone(),
        prompt: args.prompt.clone(),
        negative: args.negative.clone(),
        sampling,
        size,
        seed,
        batch: args.batch,
        noise: args.noise,
        source,
        inpaint: mask.map(|mask| Inpaint { mask, feather: args.feather, paste: !args.no_paste }),
        text: TextOptions { length: args.text_length, attention_mask: args.attention_mask },
        precision: if args.precision == Precision::Auto { sampling.precision() } else { args.precision },
    })
}

/// A seed of 32 bits, as other programs draw them, from the system's randomness.
fn draw_seed() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now()) >> 32
}

/// Makes sure, before the long work, that the results can be written.
fn try_places(args: &Paint) -> Result<(), Problem> {
    for number in 1..=args.batch as usize {
        try_file(&numbered(&args.output, (args.batch > 1).then_some(number)))?;
    }
    args.timings.as_deref().map_or(Ok(()), try_file)?;
    if let Some(folder) = &args.previews {
        std::fs::create_dir_all(folder).map_err(|e| Problem::new(ProblemKind::Unwritable).at(folder).detail(e))?;
        try_file(&folder.join("step"))?;
    }
    Ok(())
}

/// Makes sure that a file of this name can be written.
pub(super) fn try_file(path: &Path) -> Result<(), Problem> {
    let refuse = |detail: &dyn std::fmt::Display| Problem::new(ProblemKind::Unwritable).at(path).detail(detail);
    if path.is_dir() {
        return Err(refuse(&"a folder has this name"));
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(refuse(&"its folder does not exist"));
    }
    tempfile::Builder::new().prefix(".danqing-").tempfile_in(folder).map(drop).map_err(|e| refuse(&e))
}

fn write(args: &Paint, recipe: &Recipe, output: &Output) -> Result<(), Problem> {
    if output.pictures.len() != recipe.batch as usize {
        let detail = format!("{} pictures were asked for, {} came", recipe.batch, output.pictures.len());
        return Err(Problem::new(ProblemKind::Internal).detail(detail));
    }
    for (k, picture) in output.pictures.iter().enumerate() {
        let path = numbered(&args.output, (recipe.batch > 1).then_some(k + 1));
        write_png(&path, picture, &texts(recipe, k))?;
        report::result(&path.display().to_string());
    }
    match &args.timings {
        Some(path) => {
            let json = report::timings_json(&output.timings);
            write_atomically(path, |out| writeln!(out, "{json:#}"))
        }
        None => Ok(()),
    }
}

/// The texts of picture `k` of the batch.
fn texts(recipe: &Recipe, k: usize) -> Vec<(String, String)> {
    to_texts(recipe, recipe.seed.wrapping_add(k as u64), k as u32, &model_name(&recipe.model), None)
}

/// What a picture says of its model: its name in the catalog, never the path, which tells more about a computer than
/// its owner may want to share.
fn model_name(model: &Path) -> String {
    if model.join("model_index.json").is_file()
        && let Some(entry) = models(&[model.to_path_buf()]).into_iter().next()
    {
        return entry.name;
    }
    model.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `OUT.png`, or `OUT-2.png` for the second picture.
fn numbered(path: &Path, number: Option<usize>) -> PathBuf {
    let Some(number) = number else {
        return path.to_path_buf();
    };
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Where the previews of the steps go.
struct Previews<'a> {
    folder: &'a Path,
    recipe: &'a Recipe,
    /// How much they are enlarged.
    times: u32,
}

impl Previews<'_> {
    /// `step-03.png`, or `step-03-1.png`, `step-03-2.png` … of a batch.
    fn save(&self, step: &Step<'_>) -> Result<(), Problem> {
        let digits = step.total.to_string().len().max(2);
        let path = self.folder.join(format!("step-{:0digits$}.png", step.index));
        for (k, preview) in (step.preview)().iter().enumerate() {
            let path = numbered(&path, (self.recipe.batch > 1).then_some(k + 1));
            let Extent { width, height } = preview.extent();
            let large = Extent::new(width.saturating_mul(self.times), height.saturating_mul(self.times));
            let mut texts = texts(self.recipe, k);
            texts.push(("Comment".into(), format!("Preview after step {} of {}", step.index, step.total)));
            write_png(&path, &resize(preview, large, Filter::Nearest), &texts)?;
        }
        Ok(())
    }
}

/// Shows the progress and writes the previews.
struct Listener<'a> {
    meter: Meter,
    previews: Option<Previews<'a>>,
    /// Why a preview could not be written. The painting goes on without previews.
    failure: Option<Problem>,
    cancel: Cancel,
    language: Language,
}

impl Listener<'_> {
    fn verdict(&self) -> ControlFlow<Stop> {
        if self.cancel.is_requested() { ControlFlow::Break(Stop::Cancelled) } else { ControlFlow::Continue(()) }
    }
}

impl Progress for Listener<'_> {
    fn phase(&mut self, phase: Phase) -> ControlFlow<Stop> {
        self.meter.phase(phase);
        self.verdict()
    }

    fn step(&mut self, step: Step<'_>) -> ControlFlow<Stop> {
        self.meter.step(step.index, step.total);
        if let Some(Err(problem)) = self.previews.as_ref().map(|previews| previews.save(&step)) {
            self.previews = None;
            self.failure = Some(problem);
        }
        self.verdict()
    }

    fn restarted(&mut self, why: Problem) {
        self.meter.aside(|| report::notice(&report::problem_lines(&why, self.language)));
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Command, read};
    use crate::jobs::fake::fake_family;
    use crate::recipe::{SamplerId, ScheduleId};

    fn painted(words: &[&str]) -> (Recipe, Vec<Notice>) {
        let words = ["danqing", "paint", "山水", "-o", "画.png"].iter().chain(words);
        let Some(Command::Paint(args)) = read(words, Language::ZhCn).unwrap().command else { panic!() };
        let mut notices = Vec::new();
        let recipe = recipe(&args, &fake_family(), &mut |notice| notices.push(notice)).unwrap();
        (recipe, notices)
    }

    #[test]
    fn explicit_values_override_the_preset() {
        let (recipe, notices) = painted(&["--seed", "7"]);
        assert_eq!(recipe.sampling, args_preset(recipe.sampling.guidance));
        assert_eq!((recipe.size, recipe.seed, recipe.sampling.guidance), (fake_family().native, 7, 7.0));
        assert!(notices.is_empty());
        let words = ["--preset", "quick", "--sampler", "euler-a", "--steps", "3", "--guidance", "2.5", "--width", "64"];
        let (recipe, notices) = painted(&words);
        let s = recipe.sampling;
        assert_eq!((s.sampler, s.schedule, s.steps), (SamplerId::EulerAncestral, ScheduleId::Karras, 3));
        assert_eq!((s.guidance, s.eta), (2.5, 1.0), "eta follows the sampler");
        let less = painted(&["--guidance-interval", "0.5..6", "--reuse", "2"]).0.sampling;
        assert_eq!((less.interval, less.reuse), (crate::recipe::Interval { low: 0.5, high: 6.0 }, 2));
        assert_eq!(recipe.size, Extent::new(64, 512));
        assert_eq!(notices, [Notice::Seed(recipe.seed)]);
        assert!(recipe.seed < 1 << 32);
        assert_eq!(painted(&["--sampler", "ddim", "--eta", "0.5"]).0.sampling.eta, 0.5);
    }

    fn args_preset(guidance: f64) -> crate::recipe::Sampling {
        crate::recipe::Preset::Article.sampling(guidance)
    }

    #[test]
    fn names() {
        assert_eq!(numbered(Path::new("夹/画.v2.PNG"), Some(12)), Path::new("夹/画.v2-12.PNG"));
        assert_eq!(numbered(Path::new("画.png"), None), Path::new("画.png"));
    }
}
