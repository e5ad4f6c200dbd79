//! The clerk: threads for everything that touches the disk or takes long beside the painting, so that the window never
//! waits. Errands of one [`Lane`] follow one another; those of different lanes do not wait for each other.

use super::command::Link;
use super::desk::Sheet;
use super::filing::{self, FileErrand, FileReport};
use super::gallery_errands as gallery;
use super::masking::{Made, MaskErrand};
use super::placing::{Place, Placed, Preparation};
use super::prompt_history::PromptHistory;
use super::settings::Settings;
use super::staging::Purpose;
use super::state::{Painting, THUMBNAIL};
use super::styles::Styles;
use crate::base::background::stand_back;
use crate::base::files::write_newly;
use crate::base::{Extent, ImageId, JobId, Problem, ProblemKind};
use crate::canvas::ColourTiles;
use crate::gallery::{EntryId, Stamp};
use crate::imaging::Pixmap;
use crate::imaging::png_text::{encode_png, write_png};
use crate::imaging::resample::{Filter, resize};
use crate::recipe::metadata::to_texts;
use crate::recipe::prompt::plain;
use crate::recipe::{DeviceInfo, DeviceLister, Recipe};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Errands that may wait in the channel; more wait with the session.
const MOST_ERRANDS: usize = 32;
/// How long the end of the program waits for the last files.
const LAST_WAIT: Duration = Duration::from_secs(20);
/// Characters of the prompt in a layer's name.
const LAYER_NAME: usize = 12;
/// Characters of the prompt in a file's name.
const STEM: usize = 32;

/// What the clerk is sent to do.
#[derive(Debug)]
pub enum Errand {
    /// Makes the thumbnail and saves the picture in `folder` under a name of its own.
    Keep {
        painting: Painting,
        folder: PathBuf,
    },
    /// Saves a copy.
    Export {
        painting: Painting,
        path: PathBuf,
    },
    Remember {
        settings: Box<Settings>,
        path: PathBuf,
    },
    RememberStyles {
        styles: Box<Styles>,
        path: PathBuf,
    },
    RememberPrompts {
        prompts: Box<PromptHistory>,
        path: PathBuf,
    },
    /// Shows a page in the browser.
    Browse(Link),
    /// Shows a folder in the system's file manager.
    Open(PathBuf),
    /// Shows a file in its folder.
    Reveal(PathBuf),
    /// Decodes a picture of the gallery.
    Look {
        id: EntryId,
        stamp: Stamp,
        file: PathBuf,
    },
    /// Decodes a picture for the clipboard.
    CopyPicture(PathBuf),
    CopyFile {
        from: PathBuf,
        to: PathBuf,
    },
    /// Copies pictures into the pictures folder.
    Import {
        files: Vec<PathBuf>,
        folder: PathBuf,
    },
    /// Completes a recipe with what the canvas shows.
    Prepare(Box<Preparation>),
    /// Makes of a picture what is laid on the canvas.
    Join(Painting, Sheet, Purpose),
    /// Works on the whole mask.
    Mask(Box<MaskErrand>),
    /// Looks which devices can paint.
    ListDevices(DeviceLister),
    /// Opens, saves, exports.
    File(Box<FileErrand>),
}

/// What does not wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// What is written must be written in its order.
    Files,
    /// Between the canvas and the engine, and what is looked at.
    Pictures,
    /// The artist waits for it with the pen in the hand.
    Mask,
}

impl Lane {
    const ALL: [Lane; 3] = [Lane::Files, Lane::Pictures, Lane::Mask];

    const fn name(self) -> &'static str {
        match self {
            Lane::Files => "danqing-clerk",
            Lane::Pictures => "danqing-pictures",
            Lane::Mask => "danqing-mask",
        }
    }
}

impl Errand {
    const fn lane(&self) -> Lane {
        match self {
            Errand::Prepare(_) | Errand::Join(..) | Errand::Look { .. } | Errand::ListDevices(_) => Lane::Pictures,
            Errand::Mask(_) => Lane::Mask,
            _ => Lane::Files,
        }
    }
}

/// What the clerk reports.
#[derive(Debug)]
pub enum Report {
    Thumbnail {
        id: ImageId,
        thumbnail: Pixmap,
    },
    Kept {
        id: ImageId,
        file: PathBuf,
    },
    Exported(PathBuf),
    /// The settings are on the disk, or why not.
    Remembered(Result<(), Problem>),
    Looked {
        id: EntryId,
        stamp: Stamp,
        picture: Result<Arc<Pixmap>, Problem>,
    },
    ForClipboard(Arc<Pixmap>),
    Imported(Vec<PathBuf>),
    /// A recipe is complete, or why not.
    Prepared {
        ticket: JobId,
        result: Box<Result<(Recipe, Placed), Problem>>,
    },
    /// A picture for the canvas, as the tiles of its layer.
    Joined {
        id: ImageId,
        purpose: Purpose,
        name: String,
        pixels: ColourTiles,
        /// It fills the frame.
        fills: bool,
        /// The document that it is for.
        sheet: Sheet,
        /// Its recipe, as it stands in files.
        texts: Vec<(String, String)>,
    },
    /// Work on the canvas is done, or why not.
    Masked {
        ticket: JobId,
        result: Result<Made, Problem>,
    },
    Devices(Vec<DeviceInfo>),
    File(Box<FileReport>),
    Failed(Problem),
}

/// The session's handle of the threads. Dropping it waits, for a bounded time, until the last file is written.
#[derive(Debug)]
pub struct Clerk {
    hands: [Hand; 3],
    reports: Receiver<Report>,
}

/// The thread of one lane.
#[derive(Debug)]
struct Hand {
    lane: Lane,
    errands: Option<Sender<Errand>>,
    backlog: VecDeque<Errand>,
    alive: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Clerk {
    /// Starts the threads; `waker` is called from them after each report.
    pub fn spawn(waker: impl Fn() + Send + Sync + 'static) -> Self {
        let (outbox, reports) = bounded(MOST_ERRANDS);
        let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(waker);
        Self { hands: Lane::ALL.map(|lane| Hand::spawn(lane, outbox.clone(), waker.clone())), reports }
    }

    /// Hands over an errand; never blocks.
    pub fn send(&mut self, errand: Errand) {
        let lane = errand.lane();
        if let Some(hand) = self.hands.iter_mut().find(|hand| hand.lane == lane) {
            hand.backlog.push_back(errand);
            hand.push();
        }
    }

    /// The next report, if there is one; never blocks.
    pub fn poll(&mut self) -> Option<Report> {
        self.hands.iter_mut().for_each(Hand::push);
        self.reports.try_recv().ok()
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.reports = never();
        self.hands.iter_mut().for_each(Hand::finish);
    }
}

impl Hand {
    fn spawn(lane: Lane, outbox: Sender<Report>, waker: Arc<dyn Fn() + Send + Sync>) -> Self {
        let (errands, inbox) = bounded::<Errand>(MOST_ERRANDS);
        let (living, alive) = bounded::<()>(1);
        let thread = std::thread::Builder::new().name(lane.name().into()).spawn(move || {
            let _living = living;
            stand_back();
            for errand in inbox {
                let mut told = true;
                run(errand, &mut |report| {
                    told = outbox.send(report).is_ok();
                    if told {
                        waker();
                    }
                });
                // Without a session nobody needs to know; files are written all the same.
                if !told && lane != Lane::Files {
                    break;
                }
            }
        });
        let backlog = VecDeque::new();
        match thread {
            Ok(thread) => Self { lane, errands: Some(errands), backlog, alive, thread: Some(thread) },
            Err(error) => {
                tracing::error!(%error, "a thread of the clerk cannot be started");
                Self { lane, errands: None, backlog, alive, thread: None }
            }
        }
    }

    fn push(&mut self) {
        let Some(errands) = &self.errands else { return };
        while let Some(errand) = self.backlog.pop_front() {
            if let Err(TrySendError::Full(errand) | TrySendError::Disconnected(errand)) = errands.try_send(errand) {
                self.backlog.push_front(errand);
                break;
            }
        }
    }

    fn finish(&mut self) {
        if let Some(errands) = self.errands.take() {
            for errand in self.backlog.drain(..).filter(|_| self.lane == Lane::Files) {
                if errands.send_timeout(errand, LAST_WAIT).is_err() {
                    tracing::error!("a file was not written before the end");
                }
            }
        }
        let Some(thread) = self.thread.take() else { return };
        if self.alive.recv_timeout(LAST_WAIT) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            tracing::error!(lane = self.lane.name(), "the clerk did not finish in time; left behind");
        } else if thread.join().is_err() {
            tracing::error!(lane = self.lane.name(), "a thread of the clerk had panicked");
        }
    }
}

/// What makes the program stumble is a fault that can be told: someone waits for the answer.
fn guarded<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    let stumbled = |_| Err(Problem::new(ProblemKind::Internal).detail("the work on the canvas stopped"));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(stumbled)
}

fn run(errand: Errand, tell: &mut dyn FnMut(Report)) {
    match errand {
        Errand::Keep { painting, folder } => {
            let id = painting.id;
            tell(Report::Thumbnail { id, thumbnail: thumbnail(&painting.picture) });
            tell(match keep(&folder, &painting) {
                Ok(file) => Report::Kept { id, file },
                Err(problem) => Report::Failed(problem),
            });
        }
        Errand::Export { painting, path } => tell(match write(&path, &painting) {
            Ok(()) => Report::Exported(path),
            Err(problem) => Report::Failed(problem),
        }),
        Errand::Remember { settings, path } => {
            tell(Report::Remembered(settings.write(&path)));
        }
        Errand::Prepare(preparation) => {
            let ticket = preparation.ticket;
            tell(Report::Prepared { ticket, result: Box::new(guarded(|| preparation.finish())) });
        }
        Errand::Mask(errand) => {
            let MaskErrand { ticket, work, document } = *errand;
            tell(Report::Masked { ticket, result: guarded(|| work.on(&document)) });
        }
        Errand::Join(Painting { id, picture, recipe, model, place, .. }, sheet, purpose) => {
            let Some(place) = place else { return };
            let pixels = place.joined(&picture, &recipe);
            let fills = matches!(place, Place::Frame(_));
            // These are of the whole document from then on.
            let texts = to_texts(&recipe, recipe.seed, 0, &model, None);
            let name = layer_name(&recipe.prompt);
            tell(Report::Joined { id, purpose, name, pixels, fills, sheet, texts });
        }
        Errand::ListDevices(lister) => {
            tell(guarded(|| Ok(lister.list())).map_or_else(Report::Failed, Report::Devices));
        }
        Errand::File(errand) => tell(Report::File(Box::new(filing::run(*errand)))),
        Errand::RememberStyles { styles, path } => told(styles.write(&path), tell),
        Errand::RememberPrompts { prompts, path } => told(prompts.write(&path), tell),
        Errand::Browse(link) => {
            if let Err(error) = opener::open(link.address()) {
                tell(Report::Failed(Problem::new(ProblemKind::Unreadable).at(link.address()).detail(error)));
            }
        }
        Errand::Open(folder) => {
            // It may not be there before the first picture.
            let _ = std::fs::create_dir_all(&folder);
            if let Err(error) = opener::open(&folder) {
                tell(Report::Failed(Problem::new(ProblemKind::Unreadable).at(&folder).detail(error)));
            }
        }
        Errand::Reveal(file) => {
            // Not every file manager can point at a file; all can show its folder.
            let folder = || file.parent().map(opener::open);
            if let Err(error) = opener::reveal(&file)
                && !matches!(folder(), Some(Ok(())))
            {
                tell(Report::Failed(Problem::new(ProblemKind::Unreadable).at(&file).detail(error)));
            }
        }
        Errand::Look { id, stamp, file } => {
            // A picture that makes the decoder stumble is a broken one, and nothing worse.
            let picture = catch_unwind(AssertUnwindSafe(|| gallery::for_screen(&file)))
                .unwrap_or_else(|_| Err(Problem::new(ProblemKind::PictureUnreadable).at(&file)));
            tell(Report::Looked { id, stamp, picture });
        }
        Errand::CopyPicture(file) => tell(match gallery::whole(&file) {
            Ok(picture) => Report::ForClipboard(picture),
            Err(problem) => Report::Failed(problem),
        }),
        Errand::CopyFile { from, to } => tell(match gallery::copy_file(&from, &to) {
            Ok(()) => Report::Exported(to),
            Err(problem) => Report::Failed(problem),
        }),
        Errand::Import { files, folder } => {
            let mut arrived = Vec::new();
            for result in gallery::import(&files, &folder) {
                match result {
                    Ok(file) => arrived.push(file),
                    Err(problem) => tell(Report::Failed(problem)),
                }
            }
            tell(Report::Imported(arrived));
        }
    }
}

/// The beginning of the prompt, without weights.
fn layer_name(prompt: &str) -> String {
    let line = plain(prompt).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut name: String = line.chars().take(LAYER_NAME).collect();
    if name.len() < line.len() {
        name.push('…');
    }
    name
}

/// Only what went wrong is worth a word.
fn told(done: Result<(), Problem>, tell: &mut dyn FnMut(Report)) {
    if let Err(problem) = done {
        tell(Report::Failed(problem));
    }
}

/// The picture within [`THUMBNAIL`] pixels a side, its shape kept.
fn thumbnail(picture: &Pixmap) -> Pixmap {
    let Extent { width, height } = picture.extent();
    let longest = width.max(height);
    if longest <= THUMBNAIL {
        return picture.clone();
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(THUMBNAIL) / u64::from(longest)).max(1) as u32;
    resize(picture, Extent::new(scaled(width), scaled(height)), Filter::Bilinear)
}

/// Writes the picture with its recipe.
fn write(path: &Path, Painting { picture, recipe, model, spot, .. }: &Painting) -> Result<(), Problem> {
    write_png(path, picture, &to_texts(recipe, recipe.seed, 0, model, *spot))
}

/// Saves under the first name that is free.
fn keep(folder: &Path, painting: &Painting) -> Result<PathBuf, Problem> {
    let refused = |error| Problem::new(ProblemKind::Unwritable).at(folder).detail(error);
    std::fs::create_dir_all(folder).map_err(refused)?;
    let Painting { picture, recipe, model, spot, .. } = painting;
    let name = file_name(recipe);
    let names = (1u32..).map(|number| if number == 1 { format!("{name}.png") } else { format!("{name}-{number}.png") });
    write_newly(folder, names, |writer| encode_png(writer, picture, &to_texts(recipe, recipe.seed, 0, model, *spot)))
}

/// The prompt's beginning and the seed, without what file systems forbid: `大漠孤烟直，长河落日圆-42`.
pub fn file_name(recipe: &Recipe) -> String {
    let allowed = |c: &char| !c.is_control() && !r#"<>:"/\|?*"#.contains(*c);
    let words: String = plain(&recipe.prompt).split_whitespace().collect::<Vec<_>>().join(" ");
    let stem: String = words.chars().filter(allowed).take(STEM).collect();
    let stem = stem.trim_matches([' ', '.', '-', '，', '。', ',']);
    format!("{}-{}", if stem.is_empty() { "丹青" } else { stem }, recipe.seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::read::read_picture;
    use crate::recipe::{NoiseSource, Precision, Preset, Source, TextOptions};

    fn painting(extent: Extent, prompt: &str) -> Painting {
        let picture = Arc::new(Pixmap::new(extent));
        let (id, recipe) = (ImageId::fresh(), Arc::new(recipe(prompt)));
        Painting {
            id,
            picture,
            recipe,
            model: "小图".into(),
            thumbnail: None,
            file: None,
            trail: Default::default(),
            place: None,
            spot: None,
        }
    }

    fn recipe(prompt: &str) -> Recipe {
        Recipe {
            model: "小图".into(),
            prompt: prompt.into(),
            negative: String::new(),
            sampling: Preset::Quick.sampling(7.0),
            size: Extent::new(400, 300),
            seed: 42,
            batch: 1,
            noise: NoiseSource::TorchCpu,
            source: Source::Text,
            inpaint: None,
            text: TextOptions::default(),
            precision: Precision::Auto,
        }
    }

    #[test]
    fn names_are_fit_for_files() {
        let name = |prompt: &str| file_name(&recipe(prompt));
        assert_eq!(name("大漠孤烟直，长河落日圆，水墨"), "大漠孤烟直，长河落日圆，水墨-42");
        assert_eq!(name("  a/b\\c: \"山\n水\"?  "), "abc 山 水-42");
        assert_eq!(name("../../etc/passwd"), "etcpasswd-42");
        assert_eq!(name("(红梅:1.3)，[雪]"), "红梅，雪-42");
        assert_eq!(name("\u{0}***"), "丹青-42");
        assert_eq!(name(&"山".repeat(500)).chars().count(), STEM + 3);
    }

    #[test]
    fn pictures_are_kept_under_free_names_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("图片").join("丹青");
        let painting = painting(Extent::new(400, 300), "孤舟蓑笠翁");
        let mut clerk = Clerk::spawn(|| {});
        let mut files = Vec::new();
        let mut small = None;
        for _ in 0..40 {
            clerk.send(Errand::Keep { painting: painting.clone(), folder: pictures.clone() });
        }
        while files.len() < 40 {
            match clerk.poll() {
                Some(Report::Thumbnail { thumbnail, .. }) => small = Some(thumbnail.extent()),
                Some(Report::Kept { file, .. }) => files.push(file),
                Some(other) => panic!("{other:?}"),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        assert_eq!(small, Some(Extent::new(192, 144)));
        assert_eq!(files[0], pictures.join("孤舟蓑笠翁-42.png"));
        assert_eq!(files[1], pictures.join("孤舟蓑笠翁-42-2.png"));
        assert_eq!(read_picture(&files[39], 1 << 20).unwrap(), *painting.picture);
    }

    #[test]
    fn what_cannot_be_written_is_reported_and_the_end_waits_for_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a file, not a folder");
        std::fs::write(&file, "").unwrap();
        let painting = painting(Extent::new(8, 8), "");
        let mut clerk = Clerk::spawn(|| {});
        let path = folder.path().join("副本.png");
        clerk.send(Errand::Keep { painting: painting.clone(), folder: file });
        let problem = loop {
            if let Some(Report::Failed(problem)) = clerk.poll() {
                break problem;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(problem.kind, ProblemKind::Unwritable);
        clerk.send(Errand::Export { painting, path: path.clone() });
        drop(clerk);
        assert!(path.exists());
    }

    #[test]
    fn the_canvas_does_not_wait_for_the_disk() {
        use crate::app::masking::MaskWork;
        use crate::canvas::Document;
        let (go_on, held) = bounded::<()>(0);
        let mut clerk = Clerk::spawn(move || {
            if std::thread::current().name() == Some(Lane::Files.name()) {
                let _ = held.recv();
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let painting = painting(Extent::new(8, 8), "山");
        clerk.send(Errand::Keep { painting, folder: folder.path().to_owned() });
        let document = Document::blank(Extent::new(70, 70), "").unwrap();
        let ticket = JobId::fresh();
        clerk.send(Errand::Mask(Box::new(MaskErrand { ticket, work: MaskWork::Fill, document: document.clone() })));
        let mut masked = false;
        while !masked {
            match clerk.poll() {
                Some(Report::Masked { ticket: found, result }) => {
                    masked = found == ticket && matches!(result.unwrap(), Made::Mask(mask) if mask == document.whole());
                }
                Some(Report::Thumbnail { .. }) | None => std::thread::sleep(Duration::from_millis(1)),
                other => panic!("{other:?}"),
            }
        }
        drop(go_on);
    }
}
