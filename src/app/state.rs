//! [`State`]: everything that the window shows, as plain data.

use super::command::Command;
use super::commands::Keymap;
use super::desk::Desk;
use super::desk::Sheet;
use super::devices::Devices;
use super::filing::Filing;
use super::layout::Layout;
use super::masking::Masking;
use super::placing::{Place, Placed};
use super::prompt_history::PromptHistory;
use super::settings::Settings;
use super::staging::{Purpose, Staging};
use super::styles::Styles;
use super::wall::Wall;
use crate::base::background::discard;
use crate::base::{Extent, ImageId, JobId, Problem, Severity};
use crate::canvas::ColourTiles;
use crate::imaging::Pixmap;
use crate::jobs::Ledger;
use crate::recipe::check::check_size;
use crate::recipe::metadata::Spot;
use crate::recipe::{FamilyInfo, Preset, Recipe, Sampling};
use crate::words::{Language, text_with};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of finished pictures that are kept in memory; all of them are on the disk besides.
const PAINTINGS_BUDGET: usize = 512 << 20;
/// Messages that are shown at once; older ones give way.
const MOST_MESSAGES: usize = 4;
/// How long a message stays that asks for nothing.
const NOTE_LASTS: Duration = Duration::from_secs(5);
/// How long one stays that offers something.
const OFFER_LASTS: Duration = Duration::from_secs(10);

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// For people, and to find the model again in the settings.
    pub name: String,
    /// What a recipe names: a name of the catalog or a folder.
    pub path: PathBuf,
    pub family: FamilyInfo,
}

/// Where a seed comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seed {
    /// The seed that was used last, or that is to be used.
    pub value: u64,
    /// False: each job draws a new one.
    pub kept: bool,
}

/// What the next picture shall be; edited by the window in place.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub prompt: String,
    pub negative: String,
    pub sampling: Sampling,
    pub size: Extent,
    /// How much of what the canvas shows is painted anew, in (0, 1]; at 1 nothing of it is seen.
    pub strength: f64,
    pub seed: Seed,
    /// 1 to 16.
    pub batch: u32,
    /// Index into the models; may be out of range when there are none.
    pub model: usize,
}

/// Dark or light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shade {
    #[default]
    Dark,
    Light,
}

impl Shade {
    pub const fn other(self) -> Self {
        match self {
            Shade::Dark => Shade::Light,
            Shade::Light => Shade::Dark,
        }
    }
}

/// The size of the window's words and signs, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scale(u16);

impl Default for Scale {
    fn default() -> Self {
        Self(100)
    }
}

impl Scale {
    const STEPS: [u16; 11] = [75, 90, 100, 110, 125, 150, 175, 200, 225, 250, 300];

    /// Percent, brought into 75 to 300.
    pub fn new(percent: u16) -> Self {
        Self(percent.clamp(75, 300))
    }

    pub const fn percent(self) -> u16 {
        self.0
    }

    pub fn factor(self) -> f32 {
        f32::from(self.0) / 100.0
    }

    /// The next larger step; the same at the largest.
    #[must_use]
    pub fn larger(self) -> Self {
        Self::STEPS.into_iter().find(|step| *step > self.0).map_or(self, Self)
    }

    /// The next smaller step; the same at the smallest.
    #[must_use]
    pub fn smaller(self) -> Self {
        Self::STEPS.into_iter().rev().find(|step| *step < self.0).map_or(self, Self)
    }
}

/// A finished picture.
#[derive(Clone, Debug)]
pub struct Painting {
    pub id: ImageId,
    pub picture: Arc<Pixmap>,
    /// Gives this picture alone: batch 1, its own seed.
    pub recipe: Arc<Recipe>,
    /// Name of the model.
    pub model: String,
    /// At most [`crate::app::state::THUMBNAIL`] pixels a side; `None` until it is made.
    pub thumbnail: Option<Arc<Pixmap>>,
    /// Where it was saved; `None` until it is, or if it could not be.
    pub file: Option<PathBuf>,
    /// How it formed: the preview of each step.
    pub trail: Trail,
    /// Where on the canvas it belongs.
    pub place: Option<Place>,
    /// The same as plain data, for its file.
    pub spot: Option<Spot>,
}

impl Painting {
    /// What it holds in memory, the pictures that it was made from and its previews among it.
    pub fn bytes(&self) -> usize {
        let trail: usize = self.trail.iter().map(|preview| preview.rgba().len()).sum();
        let place = self.place.as_ref().map_or(0, Place::bytes);
        self.picture.rgba().len() + self.recipe.bytes() + trail + place
    }
}

/// The small previews of a picture's steps, from noise to the end; those that the window was too busy for are missing.
pub type Trail = Arc<Vec<Arc<Pixmap>>>;

/// Longest side of a thumbnail in pixels.
pub const THUMBNAIL: u32 = 192;

/// The picture that forms.
#[derive(Clone, Debug)]
pub struct Forming {
    pub job: JobId,
    /// Size of the finished pictures.
    pub size: Extent,
    /// One a picture of the batch, small; empty until the first step.
    pub previews: Vec<Arc<Pixmap>>,
    /// Grows with each set of previews, so that a texture is uploaded once.
    pub serial: u64,
    /// When the last step was done.
    pub stepped: Instant,
    /// The previews of the steps so far, a list a picture of the batch.
    pub trails: Vec<Trail>,
}

/// What the middle of the window shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum View {
    /// The picture that forms; without one, the empty desk.
    #[default]
    Easel,
    Painting(ImageId),
    /// Every picture that was made.
    Gallery,
}

/// Something to tell the artist.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Problem(Problem),
    /// A message id, and the values of its placeholders.
    Note(&'static str, Vec<(&'static str, String)>),
    /// The same, with something that can be done about it for a while.
    Offer(&'static str, Vec<(&'static str, String)>, Command),
}

/// A [`Said`] on the screen.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: u64,
    pub said: Said,
    pub since: Instant,
    /// The details are unfolded.
    pub unfolded: bool,
}

impl Message {
    /// When it goes by itself; `None` if it waits to be closed.
    pub fn until(&self) -> Option<Instant> {
        let lasts = match &self.said {
            Said::Problem(problem) if problem.severity != Severity::Note => return None,
            Said::Problem(_) | Said::Note(..) => NOTE_LASTS,
            Said::Offer(..) => OFFER_LASTS,
        };
        Some(self.since + lasts)
    }
}

/// A picture that is ready to be laid on the canvas.
#[derive(Clone, Debug)]
pub struct Landing {
    /// Of the picture.
    pub id: ImageId,
    pub purpose: Purpose,
    /// Of its layer.
    pub name: String,
    /// The picture, where it belongs on the canvas.
    pub pixels: ColourTiles,
    /// It fills the frame.
    pub fills: bool,
    /// The document that it is for.
    pub sheet: Sheet,
    /// Its recipe, as it stands in files.
    pub texts: Vec<(String, String)>,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    pub draft: Draft,
    pub desk: Desk,
    pub filing: Filing,
    /// Where the pictures of the jobs go; of jobs that the ledger knows.
    pub places: HashMap<JobId, Placed>,
    /// Pictures that the clerk is making ready for the canvas.
    pub joining: usize,
    /// Pictures that are ready for the canvas and wait until the hand is lifted from it.
    pub landing: VecDeque<Landing>,
    /// The pictures that the artist chooses from.
    pub staging: Option<Staging>,
    /// What is being done to the whole mask, or poured.
    pub masking: Option<Masking>,
    /// Commands that wait until the hand is lifted and the mask is done.
    pub waiting: VecDeque<Command>,
    /// Size of the frame when it was last looked at.
    framed: Extent,
    pub models: Vec<Model>,
    /// Where it is painted.
    pub devices: Devices,
    /// Where an artist puts more of them.
    pub models_folder: PathBuf,
    pub language: Language,
    pub shade: Shade,
    pub keymap: Keymap,
    pub scale: Scale,
    pub styles: Styles,
    /// Names of the styles that are on the prompt, in the order in which they were put on.
    pub worn: Vec<String>,
    /// All styles are shown, not the first few.
    pub all_styles: bool,
    pub history: PromptHistory,
    /// The advanced parameters are unfolded.
    pub advanced: bool,
    /// The negative prompt is unfolded.
    pub avoiding: bool,
    pub ledger: Ledger,
    pub forming: Option<Forming>,
    /// The newest first.
    pub paintings: VecDeque<Painting>,
    /// The painting that came onto the canvas last.
    pub landed: Option<ImageId>,
    /// The painting whose file's name is being asked for; it is saved even if it leaves the strip meanwhile.
    pub asked: Option<Painting>,
    pub view: View,
    pub layout: Layout,
    /// The gallery.
    pub wall: Wall,
    /// The newest last.
    pub messages: Vec<Message>,
    next_message: u64,
}

impl State {
    /// The session as it was left; `language` is for those who have not chosen one.
    pub fn new(models: Vec<Model>, settings: &Settings, language: Language) -> Self {
        let model = settings.model.as_ref().and_then(|name| models.iter().position(|m| &m.name == name)).unwrap_or(0);
        let family = models.get(model).map(|m| &m.family);
        let size = settings.size.or(family.map(|f| f.native)).unwrap_or(Extent::new(512, 512));
        let sampling = settings.sampling.unwrap_or(Preset::Article.sampling(family.map_or(7.0, |f| f.guidance)));
        let draft = Draft {
            prompt: settings.prompt.clone(),
            negative: settings.negative.clone(),
            sampling,
            size,
            strength: 1.0,
            seed: settings.seed,
            batch: settings.batch.clamp(1, 16),
            model,
        };
        let language = settings.language.unwrap_or(language);
        let desk = Desk::blank(size, &text_with(language, "layer-name", &[("number", "1".into())]));
        Self {
            draft,
            desk,
            filing: Filing::new(settings),
            places: HashMap::new(),
            joining: 0,
            landing: VecDeque::new(),
            staging: None,
            masking: None,
            waiting: VecDeque::new(),
            framed: size,
            models,
            devices: Devices::new(settings.device),
            models_folder: PathBuf::new(),
            language,
            shade: settings.shade,
            keymap: Keymap::new(settings.keys.clone()),
            scale: Scale::new(settings.scale.percent()),
            styles: Styles::shipped(),
            worn: settings.worn.clone(),
            all_styles: settings.all_styles,
            history: PromptHistory::default(),
            advanced: settings.advanced,
            avoiding: !settings.negative.is_empty(),
            ledger: Ledger::default(),
            forming: None,
            paintings: VecDeque::new(),
            landed: None,
            asked: None,
            view: View::Easel,
            layout: settings.layout.checked(),
            wall: Wall::new(PathBuf::new()),
            messages: Vec::new(),
            next_message: 0,
        }
    }

    /// The chosen model.
    pub fn model(&self) -> Option<&Model> {
        self.models.get(self.draft.model)
    }

    /// The name of the model that a recipe names.
    pub fn model_name(&self, recipe: &Recipe) -> String {
        let model = self.models.iter().find(|model| model.path == recipe.model);
        model.map(|model| model.name.clone()).unwrap_or_default()
    }

    pub fn painting(&self, id: ImageId) -> Option<&Painting> {
        self.paintings.iter().find(|painting| painting.id == id)
    }

    /// The painting in the middle of the window.
    pub fn looked_at(&self) -> Option<&Painting> {
        match self.view {
            View::Painting(id) => self.painting(id),
            View::Easel | View::Gallery => None,
        }
    }

    /// The painting whose making is told under the canvas: the one that is looked at, else the one that came onto the
    /// canvas last, else the newest.
    pub fn told_of(&self) -> Option<&Painting> {
        let landed = || self.landed.and_then(|id| self.painting(id));
        self.looked_at().or_else(landed).or(self.paintings.front())
    }

    /// Seconds until the last step of the running job is done, counted down between the steps.
    pub fn seconds_left(&self, now: Instant) -> Option<f64> {
        let forming = self.forming.as_ref()?;
        let (_, running) = self.ledger.running()?;
        let since = now.saturating_duration_since(forming.stepped).as_secs_f64();
        Some((running.seconds_left()? - since).max(0.0))
    }

    /// Where the pictures of a job go, if that is on the document that lies on the desk.
    pub fn place_of(&self, job: JobId) -> Option<&Place> {
        let placed = self.places.get(&job)?;
        (placed.sheet == self.desk.sheet()).then_some(&placed.place)
    }

    /// A frame that was sized by hand is the size of the next picture, if the model can paint it.
    pub fn heed_frame(&mut self) {
        let extent = self.desk.document().frame().extent();
        if std::mem::replace(&mut self.framed, extent) != extent
            && self.model().is_some_and(|model| check_size(extent, &model.family).is_ok())
        {
            self.draft.size = extent;
        }
    }

    /// Something is on its way to the canvas.
    pub fn is_working(&self) -> bool {
        self.forming.is_some() || self.ledger.is_preparing() || self.joining > 0 || self.is_held_up()
    }

    /// Something waits until the hand is lifted or the mask is done.
    pub fn is_held_up(&self) -> bool {
        !self.landing.is_empty() || !self.waiting.is_empty() || self.masking.is_some() || !self.desk.pours.is_empty()
    }

    /// True if nothing but the hand holds up what waits for it.
    pub fn waits_for_hand(&self) -> bool {
        let first = || !self.waiting.is_empty() || !self.desk.pours.is_empty();
        !self.landing.is_empty() || self.masking.as_ref().map_or_else(first, Masking::is_done)
    }

    /// The step that the mask is in the middle of, once it takes long enough to say so.
    pub fn lasting_step(&self, now: Instant) -> Option<&'static str> {
        self.masking.as_ref().filter(|masking| masking.shown_from() <= now).map(Masking::step)
    }

    /// Forgets the places of jobs that the ledger has forgotten.
    pub(super) fn tidy_places(&mut self) {
        let known: HashSet<JobId> = self.ledger.entries().map(|entry| entry.id).collect();
        discard(self.places.extract_if(|job, _| !known.contains(job)).collect::<Vec<_>>());
    }

    /// Shows a message; one that says the same gives way to it.
    pub fn say(&mut self, said: Said) {
        self.messages.retain(|message| message.said != said);
        if self.messages.len() >= MOST_MESSAGES {
            self.messages.remove(0);
        }
        let id = self.next_message;
        self.next_message += 1;
        self.messages.push(Message { id, said, since: Instant::now(), unfolded: false });
    }

    pub fn complain(&mut self, problem: Problem) {
        self.say(Said::Problem(problem));
    }

    /// Takes down the messages whose time is over; gives the time of the next that goes.
    pub fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.messages.retain(|message| message.until().is_none_or(|until| until > now));
        self.messages.iter().filter_map(Message::until).min()
    }

    /// Adds a finished picture at the head of the strip.
    pub fn hang(&mut self, painting: Painting) {
        self.paintings.push_front(painting);
        let mut used = 0usize;
        let keep = self.paintings.iter().take_while(|painting| {
            used = used.saturating_add(painting.bytes());
            used <= PAINTINGS_BUDGET
        });
        let keep = keep.count().max(1);
        let gone = self.paintings.iter().skip(keep).any(|painting| self.view == View::Painting(painting.id));
        discard(self.paintings.split_off(keep));
        if let Some(oldest) = self.paintings.back().filter(|_| gone) {
            self.view = View::Painting(oldest.id);
        }
    }
}
