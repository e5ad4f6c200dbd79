//! [`Session`]: the state with the two threads that serve it. The window, or a test, drives it.

use super::clerk::{Clerk, Errand, Report};
use super::command::Command;
use super::events;
use super::filing::{FileErrand, Guard};
use super::masking::Masking;
use super::prompt_history::PromptHistory;
use super::settings::Settings;
use super::state::{Model, State};
use super::styles::Styles;
use super::update::{Effect, run_waiting, update};
use super::wall::{self, Ask, Wall};
use crate::base::Problem;
use crate::gallery::{Librarian, Place};
use crate::jobs::{Event, Worker};
use crate::recipe::{DeviceLister, FamilyInfo, Generator};
use crate::words::Language;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Builds the engine, inside the worker's thread.
pub type Factory = Box<dyn Fn() -> Result<Box<dyn Generator>, Problem> + Send>;

/// How long the draft must rest before it is written to the disk.
const REST: Duration = Duration::from_secs(2);

/// Beside the settings: the artist's styles, and the prompts that were painted.
const STYLES: &str = "styles.json";
const PROMPTS: &str = "prompts.json";

/// What a session is handed by the composition root.
pub struct Setup {
    pub factory: Factory,
    /// The models that can be chosen, the preferred one first: the name for people, what a recipe calls it (a name of
    /// the catalog or a folder), and its family.
    pub models: Vec<(String, PathBuf, FamilyInfo)>,
    /// Looks which devices there are, in a thread of its own.
    pub devices: DeviceLister,
    /// Models that were found and cannot be used; each is told.
    pub faults: Vec<Problem>,
    /// Where the artist may put more models.
    pub models_folder: PathBuf,
    /// Every finished picture is saved in its folder, which is made when the first one is.
    pub gallery: Place,
    pub settings_path: PathBuf,
    /// What is not saved is kept here, for the case that the program ends suddenly.
    pub recovery_folder: PathBuf,
    /// Named on the command line; the first is opened.
    pub files: Vec<PathBuf>,
    /// For artists who have not chosen one.
    pub language: Language,
}

/// See the module.
pub struct Session {
    pub state: State,
    worker: Worker,
    clerk: Clerk,
    librarian: Librarian,
    guard: Guard,
    /// What the window has to do, though no command of its own has asked for it.
    for_window: Vec<Effect>,
    pictures_folder: PathBuf,
    settings_path: PathBuf,
    /// As they are on the disk, or on their way there.
    remembered: Settings,
    /// The last of them did not arrive.
    unwritten: bool,
    /// As they were at the last look, and since when.
    resting: (Settings, Instant),
}

impl Session {
    /// Reads the settings and starts the threads; `waker` is called from them when [`Session::drain`] has something to
    /// do, and must not block.
    pub fn start(setup: Setup, waker: impl Fn() + Send + Sync + 'static) -> Self {
        let Setup { factory, models, faults, models_folder, gallery, settings_path, .. } = setup;
        let remembered = Settings::read(&settings_path);
        let models = models.into_iter().map(|(name, path, family)| Model { name, path, family }).collect();
        let mut state = State::new(models, &remembered, setup.language);
        state.models_folder = models_folder;
        state.devices.ask(setup.devices);
        let pictures_folder = gallery.folder.clone();
        state.wall = Wall::new(pictures_folder.clone()).with_tile(remembered.tile);
        faults.into_iter().for_each(|fault| state.complain(fault));
        let (styles, fault) = Styles::read(&settings_path.with_file_name(STYLES));
        state.styles = styles;
        let (history, other) = PromptHistory::read(&settings_path.with_file_name(PROMPTS));
        state.history = history;
        fault.into_iter().chain(other).for_each(|fault| state.complain(fault));
        let waker = Arc::new(waker);
        let wake = waker.clone();
        let worker = Worker::spawn(factory, move || wake());
        let wake = waker.clone();
        let mut clerk = Clerk::spawn(move || wake());
        let wake = waker.clone();
        let librarian = Librarian::spawn(gallery, move || wake());
        let guard = Guard::new(setup.recovery_folder.clone(), setup.files.is_empty(), move || waker());
        clerk.send(Errand::File(Box::new(FileErrand::Find(setup.recovery_folder))));
        let resting = (Settings::of(&state), Instant::now());
        let for_window = Vec::new();
        let unwritten = false;
        let mut session = Self {
            state,
            worker,
            clerk,
            librarian,
            guard,
            for_window,
            pictures_folder,
            settings_path,
            remembered,
            unwritten,
            resting,
        };
        if let Some(file) = setup.files.into_iter().next() {
            session.run(Command::OpenPath(file));
        }
        session
    }

    /// Carries out a command. What remains is for the window: paths, the cursor, cards.
    pub fn run(&mut self, command: Command) -> Vec<Effect> {
        let effects = update(&mut self.state, command);
        self.send_asks();
        self.carry_out(effects)
    }

    /// Takes note of everything that the threads have reported; true if there was anything.
    pub fn drain(&mut self) -> bool {
        let mut news = false;
        while let Some(event) = self.worker.poll() {
            news = true;
            let effects = events::apply(&mut self.state, event);
            self.carry_out(effects);
        }
        news |= self.guard.poll(&mut self.state);
        while let Some(report) = self.clerk.poll() {
            if let Report::Remembered(written) = &report {
                self.unwritten = written.is_err();
            }
            // That the settings were written is no news.
            news |= !matches!(report, Report::Remembered(Ok(())));
            let report = match report {
                Report::File(report) => match self.guard.note(&mut self.state, *report) {
                    Ok(effects) => {
                        let effects = self.carry_out(effects);
                        self.for_window.extend(effects);
                        continue;
                    }
                    Err(report) => Report::File(Box::new(report)),
                },
                other => other,
            };
            let effects = events::note(&mut self.state, report);
            let effects = self.carry_out(effects);
            self.for_window.extend(effects);
        }
        news |= events::land(&mut self.state);
        let held_up = self.state.is_held_up();
        let effects = run_waiting(&mut self.state);
        news |= held_up && !self.state.is_held_up();
        let effects = self.carry_out(effects);
        self.for_window.extend(effects);
        while let Some(report) = self.librarian.poll() {
            news = true;
            wall::note(&mut self.state, report);
        }
        self.send_asks();
        news
    }

    /// Asks the threads for what the window shows and has not got. Call it at the end of a frame.
    pub fn attend(&mut self) {
        self.state.wall.attend(SystemTime::now());
        self.send_asks();
    }

    fn send_asks(&mut self) {
        while let Some(ask) = self.state.wall.take_ask() {
            match ask {
                Ask::Librarian(request) => self.librarian.send(request),
                Ask::Clerk(errand) => self.clerk.send(errand),
            }
        }
        if let Some(errand) = self.state.devices.errand() {
            self.clerk.send(errand);
        }
    }

    /// What reports of the threads ask of the window.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.for_window)
    }

    /// The window is closed for good. What is unsaved is left for the next start, unless the artist has given it up;
    /// so it is if the session is dropped without this.
    pub fn close(&mut self) {
        self.state.desk.finish();
        self.drain();
        self.remember();
        if self.state.filing.given_up || !self.state.desk.is_unsaved() {
            self.guard.end();
        }
    }

    /// What the clock asks for: old messages go, a draft that rests is written down. Gives the time until the next
    /// call that is needed.
    pub fn tick(&mut self, now: Instant) -> Option<Duration> {
        self.guard.watch(&self.state.desk);
        let expires = self.state.expire(now);
        let shown = self.state.masking.as_ref().map(Masking::shown_from).filter(|at| *at > now);
        let settings = Settings::of(&self.state);
        if settings != self.resting.0 {
            self.resting = (settings, now);
        }
        let rested = (self.resting.0 != self.remembered).then_some(self.resting.1 + REST);
        let writes = if rested.is_some_and(|at| at <= now) {
            self.remember();
            None
        } else {
            rested
        };
        let next = expires.into_iter().chain(writes).chain(shown).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Writes the settings now, if they have changed or could not be written the last time.
    pub fn remember(&mut self) {
        let settings = Settings::of(&self.state);
        if settings != self.remembered || self.unwritten {
            self.remembered = settings.clone();
            self.clerk.send(Errand::Remember { settings: Box::new(settings), path: self.settings_path.clone() });
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        effects.into_iter().filter_map(|effect| self.carry_out_one(effect)).collect()
    }

    fn carry_out_one(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Paint(id, recipe) => {
                // A crash of the machine in the middle of a long job does not cost the words.
                self.remember();
                self.worker.use_device(self.state.devices.chosen);
                if let Err(problem) = self.worker.submit(id, recipe) {
                    let effects = events::apply(&mut self.state, Event::Failed { id, problem });
                    self.carry_out(effects);
                }
            }
            Effect::Stop(id) => self.worker.cancel(id),
            Effect::Keep(painting) => {
                self.clerk.send(Errand::Keep { painting, folder: self.pictures_folder.clone() });
            }
            Effect::Export(painting, path) => self.clerk.send(Errand::Export { painting, path }),
            Effect::Prepare(preparation) => self.clerk.send(Errand::Prepare(preparation)),
            Effect::Mask(errand) => self.clerk.send(Errand::Mask(errand)),
            Effect::Lay(painting, purpose) => {
                self.clerk.send(Errand::Join(painting, self.state.desk.sheet(), purpose));
            }
            Effect::OpenFolder => self.clerk.send(Errand::Open(self.pictures_folder.clone())),
            Effect::OpenModels => self.clerk.send(Errand::Open(self.state.models_folder.clone())),
            Effect::OpenLink(link) => self.clerk.send(Errand::Browse(link)),
            Effect::RememberStyles => {
                let (styles, path) = (Box::new(self.state.styles.clone()), self.settings_path.with_file_name(STYLES));
                self.clerk.send(Errand::RememberStyles { styles, path });
            }
            Effect::RememberPrompts => {
                let path = self.settings_path.with_file_name(PROMPTS);
                self.clerk.send(Errand::RememberPrompts { prompts: Box::new(self.state.history.clone()), path });
            }
            Effect::File(errand) => self.clerk.send(Errand::File(errand)),
            Effect::RestoreLost(number) => {
                let asked = self.state.desk.editor().revision();
                if let Some(errand) = self.guard.restore(number, asked) {
                    self.clerk.send(Errand::File(Box::new(errand)));
                }
            }
            Effect::DiscardLost(number) => self.guard.discard(number),
            Effect::AskPath { .. }
            | Effect::AskCopyPath(_)
            | Effect::FocusPrompt
            | Effect::Weigh(_)
            | Effect::Show(_)
            | Effect::Ask(_)
            | Effect::Close
            | Effect::Leave => return Some(effect),
        }
        None
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A picture that was finished in the last moment is kept, and so is the stroke in hand.
        self.state.desk.finish();
        self.drain();
        self.remember();
        self.guard.watch(&self.state.desk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::state::{Said, View};
    use crate::base::ProblemKind;
    use crate::imaging::png_text::read_texts;
    use crate::jobs::FakeGenerator;
    use crate::jobs::fake::fake_family;
    use std::path::Path;

    fn setup(folder: &Path, make: impl Fn() -> FakeGenerator + Send + 'static) -> Setup {
        Setup {
            factory: Box::new(move || Ok(Box::new(make()))),
            models: vec![("小图".into(), "xiaotu".into(), fake_family())],
            devices: DeviceLister::new(Vec::new),
            faults: vec![],
            models_folder: folder.join("模型"),
            gallery: Place {
                folder: folder.join("丹青"),
                database: folder.join("gallery.db"),
                thumbnails: folder.join("thumbnails.db"),
                system_trash: false,
            },
            settings_path: folder.join("settings.json"),
            recovery_folder: folder.join("恢复"),
            files: vec![],
            language: Language::ZhCn,
        }
    }

    fn session(folder: &Path, make: impl Fn() -> FakeGenerator + Send + 'static) -> Session {
        let mut session = Session::start(setup(folder, make), || {});
        session.state.draft.size = crate::base::Extent::new(64, 64);
        session
    }

    fn until(session: &mut Session, done: impl Fn(&State) -> bool) {
        let start = Instant::now();
        while !done(&session.state) {
            session.drain();
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", session.state);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_batch_is_painted_hung_and_saved_with_its_recipes() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = session(folder.path(), FakeGenerator::new);
        session.state.draft.prompt = "飞流直下三千尺，油画".into();
        session.state.draft.batch = 3;
        session.state.draft.seed.value = 9;
        session.run(Command::KeepSeed);
        session.run(Command::Generate);
        assert!(session.state.forming.is_some());
        until(&mut session, |s| s.paintings.len() == 3 && s.paintings.iter().all(|p| p.file.is_some()));
        let paintings: Vec<_> = session.state.paintings.iter().cloned().collect();
        until(&mut session, |s| !s.is_working());
        assert_eq!(paintings.iter().map(|p| p.recipe.seed).collect::<Vec<_>>(), [9, 10, 11]);
        assert!(paintings.iter().all(|p| p.recipe.batch == 1 && p.thumbnail.is_some()));
        assert_eq!(session.state.view, View::Easel);
        let lies = session.state.desk.document().layers();
        assert_eq!(lies.len(), 1, "the first of them, on the layer that was blank");
        assert_eq!(lies[0].pixels.pixmap(session.state.desk.document().canvas()), *paintings[0].picture);
        let texts = read_texts(paintings[1].file.as_ref().unwrap()).unwrap();
        assert!(texts.iter().any(|(key, text)| key == "parameters" && text.contains("飞流直下三千尺")));
        let copy = folder.path().join("副本.png");
        session.run(Command::SaveTo(paintings[2].id, copy.clone()));
        until(&mut session, |s| s.messages.iter().any(|m| matches!(&m.said, Said::Note("note-saved", _))));
        assert!(copy.exists());
        drop(session);
        let (history, _) = PromptHistory::read(&folder.path().join(PROMPTS));
        assert_eq!(history.iter().collect::<Vec<_>>(), ["飞流直下三千尺，油画"]);
        let settings = Settings::read(&folder.path().join("settings.json"));
        assert_eq!(settings.prompt, "飞流直下三千尺，油画");
        assert_eq!((settings.seed.value, settings.seed.kept, settings.batch), (9, true, 3));
    }

    #[test]
    fn cancelling_and_failing_leave_a_session_that_works() {
        let folder = tempfile::tempdir().unwrap();
        let slow = || FakeGenerator::new().with_delay(Duration::from_secs(60));
        let mut session = session(folder.path(), slow);
        session.state.draft.prompt = "山".into();
        session.run(Command::Generate);
        session.run(Command::Generate);
        session.run(Command::Cancel);
        until(&mut session, |s| s.ledger.waiting().len() == 0);
        assert!(session.state.forming.is_some(), "the second job has begun");
        session.run(Command::CancelAll);
        until(&mut session, |s| s.forming.is_none());
        assert!(session.state.messages.iter().all(|m| matches!(m.said, Said::Note("note-stopped", _))));

        let folder = tempfile::tempdir().unwrap();
        let mut session = self::session(folder.path(), || FakeGenerator::new().out_of_memory_at(2));
        session.state.draft.prompt = "山".into();
        session.run(Command::Generate);
        until(&mut session, |s| s.forming.is_none());
        let said: Vec<_> = session.state.messages.iter().map(|m| m.said.clone()).collect();
        assert!(matches!(&said[..], [Said::Problem(p)] if p.kind == ProblemKind::OutOfMemory));
    }

    #[test]
    fn a_job_that_its_device_drops_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let full = Problem::new(ProblemKind::DeviceFull).with("device", "某显卡");
        let why = full.clone();
        let mut session = session(folder.path(), move || FakeGenerator::new().let_down_at(3, why.clone()));
        session.state.draft.prompt = "山".into();
        session.run(Command::Choose(crate::recipe::Preset::Quick));
        session.run(Command::Generate);
        let steps = session.state.draft.sampling.steps as usize;
        until(&mut session, |s| s.paintings.len() == 1);
        assert_eq!(session.state.paintings[0].trail.len(), steps, "the two steps before are forgotten");
        let said: Vec<_> = session.state.messages.iter().map(|m| m.said.clone()).collect();
        assert!(said.contains(&Said::Problem(full)), "{said:?}");
    }

    #[test]
    fn a_resting_draft_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let mut session = session(folder.path(), FakeGenerator::new);
        session.state.draft.prompt = "春江潮水".into();
        let now = Instant::now();
        assert_eq!(session.tick(now), Some(REST));
        assert!(!path.exists());
        assert_eq!(session.tick(now + REST), None);
        let start = Instant::now();
        while Settings::read(&path).prompt != "春江潮水" {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
