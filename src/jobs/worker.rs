//! The worker: one named thread that owns the generator and paints one job after another.
//!
//! The generator is built inside the thread, by the first job, and is thrown away after a panic and after memory ran
//! out; the next job builds it anew. Both channels are bounded. Results wait for room in the channel, progress does not:
//! a session that does not listen costs the engine nothing, not even the drawing of previews.

use super::messages::{Event, Request};
use super::studio::{Order, Studio};
use crate::base::{JobId, Problem, ProblemKind};
use crate::recipe::{Cancel, DeviceChoice, Generator, Recipe};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded, never};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Name of the worker's thread.
pub const THREAD_NAME: &str = "danqing-engine";

/// Jobs that may wait inside the channel. A ledger hands over one at a time.
const MOST_REQUESTS: usize = 64;
/// Events that may wait for the session.
const MOST_EVENTS: usize = 64;
/// How long a dropped worker is waited for. Engines look at [`Cancel`] far more often than this.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// The session's handle of the worker thread. Dropping it cancels every job and waits, for a bounded time, until the
/// thread has ended.
pub struct Worker {
    orders: Option<Sender<Order>>,
    events: Receiver<Event>,
    /// The flags of the jobs that have not settled. The thread has clones of the flags and never takes this lock.
    flags: Mutex<HashMap<JobId, Cancel>>,
    /// Disconnected when the thread ends.
    alive: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    /// Where jobs that are handed over from now on are painted.
    device: DeviceChoice,
}

impl Worker {
    /// Starts the thread. `factory` runs inside it, when a job needs a generator and there is none. `waker` is called,
    /// from the thread, after each event that was sent; it must not block and must not panic.
    pub fn spawn(
        factory: impl Fn() -> Result<Box<dyn Generator>, Problem> + Send + 'static,
        waker: impl Fn() + Send + Sync + 'static,
    ) -> Worker {
        let (orders, inbox) = bounded(MOST_REQUESTS);
        let (outbox, events) = bounded(MOST_EVENTS);
        let (living, alive) = bounded::<()>(1);
        let studio = Studio::new(Box::new(factory), outbox, Arc::new(waker));
        let thread = std::thread::Builder::new().name(THREAD_NAME.into()).spawn(move || {
            let _living = living;
            studio.work(&inbox);
        });
        let (flags, device) = (Mutex::default(), DeviceChoice::default());
        match thread {
            Ok(thread) => Worker { orders: Some(orders), events, flags, alive, thread: Some(thread), device },
            Err(error) => {
                // Without a thread every job is refused, in words, by `submit`.
                tracing::error!(%error, "the engine's thread cannot be started");
                Worker { orders: None, events: never(), flags, alive, thread: None, device }
            }
        }
    }

    /// Where the jobs are painted that are handed over from now on.
    pub fn use_device(&mut self, device: DeviceChoice) {
        self.device = device;
    }

    /// Hands over a job under a fresh id.
    ///
    /// # Errors
    /// As [`Worker::submit`].
    pub fn paint(&self, recipe: Recipe) -> Result<JobId, Problem> {
        let id = JobId::fresh();
        self.submit(id, Box::new(recipe))?;
        Ok(id)
    }

    /// Hands over a job whose id was given out before, by a ledger.
    ///
    /// # Errors
    /// [`ProblemKind::EngineCrashed`] if the thread is gone, [`ProblemKind::Internal`] if 64 jobs wait already.
    pub fn submit(&self, id: JobId, recipe: Box<Recipe>) -> Result<(), Problem> {
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        let cancel = Cancel::new();
        // Before sending, so that the flag of a job that settles at once is taken out again.
        self.flags().insert(id, cancel.clone());
        let sent = orders.try_send(Order { request: Request::Paint { id, recipe, device: self.device }, cancel });
        sent.map_err(|error| {
            self.flags().remove(&id);
            match error {
                TrySendError::Full(_) => {
                    Problem::new(ProblemKind::Internal).detail("too many jobs wait for the engine")
                }
                TrySendError::Disconnected(_) => gone(),
            }
        })
    }

    /// Asks a job to stop, whether it runs or waits; it then fails with [`ProblemKind::Cancelled`]. A job that has
    /// settled, or is unknown, is left alone.
    pub fn cancel(&self, id: JobId) {
        if let Some(flag) = self.flags().get(&id) {
            flag.request();
        }
    }

    /// Asks every job to stop.
    pub fn cancel_all(&self) {
        self.flags().values().for_each(Cancel::request);
    }

    /// The next event, if there is one; never blocks.
    pub fn poll(&self) -> Option<Event> {
        match self.events.try_recv() {
            Ok(event) => Some(self.settle(event)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.orphan(),
        }
    }

    /// The next event, waited for at most `patience`.
    pub fn wait(&self, patience: Duration) -> Option<Event> {
        match self.events.recv_timeout(patience) {
            Ok(event) => Some(self.settle(event)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.orphan(),
        }
    }

    fn settle(&self, event: Event) -> Event {
        if let Event::Finished { id, .. } | Event::Failed { id, .. } = &event {
            self.flags().remove(id);
        }
        event
    }

    /// The thread is gone: each job that it left unsettled fails.
    fn orphan(&self) -> Option<Event> {
        let mut flags = self.flags();
        let id = flags.keys().min().copied()?;
        flags.remove(&id);
        Some(Event::Failed { id, problem: gone() })
    }

    fn flags(&self) -> MutexGuard<'_, HashMap<JobId, Cancel>> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.cancel_all();
        self.orders = None;
        // A send that waits for room fails as soon as its receiver is gone.
        self.events = never();
        let Some(thread) = self.thread.take() else { return };
        match self.alive.recv_timeout(LAST_WAIT) {
            Err(RecvTimeoutError::Timeout) => tracing::warn!("the engine did not stop in time; left behind"),
            _ => {
                if thread.join().is_err() {
                    tracing::error!("the engine's thread had panicked");
                }
            }
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Worker({} unsettled)", self.flags().len())
    }
}

fn gone() -> Problem {
    Problem::new(ProblemKind::EngineCrashed).detail("the engine's thread is not running")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::Extent;
    use crate::jobs::fake::FakeGenerator;
    use crate::recipe::{NoiseSource, Output, Phase, Precision, Preset, Progress, Source, Step, TextOptions};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(20);

    pub fn recipe(seed: u64, steps: u32) -> Recipe {
        let mut sampling = Preset::Article.sampling(7.0);
        sampling.steps = steps;
        Recipe {
            model: "小图".into(),
            prompt: "飞流直下三千尺，油画".into(),
            negative: String::new(),
            sampling,
            size: Extent::new(64, 48),
            seed,
            batch: 2,
            noise: NoiseSource::TorchCpu,
            source: Source::Text,
            inpaint: None,
            text: TextOptions::default(),
            precision: Precision::Auto,
        }
    }

    fn worker(make: impl Fn() -> FakeGenerator + Send + 'static) -> Worker {
        Worker::spawn(move || Ok(Box::new(make()) as Box<dyn Generator>), || {})
    }

    fn until_settled(worker: &Worker) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = worker.wait(PATIENCE).expect("an event in time");
            let settled = matches!(event, Event::Finished { .. } | Event::Failed { .. });
            events.push(event);
            if settled {
                return events;
            }
        }
    }

    fn problem(events: &[Event]) -> &Problem {
        match events.last() {
            Some(Event::Failed { problem, .. }) => problem,
            other => panic!("no failure: {other:?}"),
        }
    }

    #[test]
    fn events_come_in_order_each_with_a_call_of_the_waker() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let worker = Worker::spawn(
            || Ok(Box::new(FakeGenerator::new())),
            move || {
                counter.fetch_add(1, Ordering::SeqCst);
            },
        );
        let id = worker.paint(recipe(7, 3)).unwrap();
        let events = until_settled(&worker);
        assert!(events.iter().all(|event| event.id() == id));
        let words: Vec<_> = events
            .iter()
            .map(|event| match event {
                Event::Started { .. } => "started".to_string(),
                Event::Phase { phase: Phase::Converting { .. } | Phase::Loading { .. }, .. } => "loading".into(),
                Event::Phase { phase, .. } => format!("{phase:?}"),
                Event::Step { index, total, previews, .. } => format!("{index}/{total} {previews:?}"),
                Event::Finished { output, .. } => format!("finished {:?} {}", output.pictures, output.trace.len()),
                Event::Restarted { .. } => "restarted".into(),
                Event::Failed { .. } => "failed".into(),
            })
            .collect();
        let small = "[Pixmap(8×6), Pixmap(8×6)]";
        let steps = [1, 2, 3].map(|k| format!("{k}/3 {small}"));
        let mut expected: Vec<String> =
            ["started", "loading", "loading", "Encoding", "Sampling"].map(Into::into).into();
        expected.extend(steps);
        expected.extend(["Decoding".into(), "finished [Pixmap(64×48), Pixmap(64×48)] 3".into()]);
        assert_eq!(words, expected);
        // The last call comes after the last event.
        let start = Instant::now();
        while calls.load(Ordering::SeqCst) < events.len() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(calls.load(Ordering::SeqCst), events.len());
        assert!(worker.flags().is_empty());
    }

    #[test]
    fn the_same_recipe_gives_the_same_pictures() {
        let worker = worker(FakeGenerator::new);
        let paint = |seed| {
            worker.paint(recipe(seed, 2)).unwrap();
            match until_settled(&worker).pop() {
                Some(Event::Finished { output, .. }) => (output.pictures, output.trace),
                other => panic!("{other:?}"),
            }
        };
        let first = paint(5);
        assert_eq!(first, paint(5));
        assert_ne!(first, paint(9));
        assert_eq!(first.0[1], paint(6).0[0], "picture k of a batch has the seed plus k");
    }

    #[test]
    fn cancelling_stops_the_running_and_the_waiting() {
        let worker = worker(|| FakeGenerator::new().with_delay(Duration::from_secs(60)));
        let running = worker.paint(recipe(1, 50)).unwrap();
        let waiting = worker.paint(recipe(2, 50)).unwrap();
        while !matches!(worker.wait(PATIENCE), Some(Event::Phase { phase: Phase::Sampling, .. })) {}
        let start = Instant::now();
        worker.cancel(waiting);
        worker.cancel(running);
        let first = until_settled(&worker);
        assert!(problem(&first).is_cancelled() && first.last().unwrap().id() == running);
        let second = until_settled(&worker);
        assert!(problem(&second).is_cancelled());
        assert_eq!(second.len(), 1, "it never started");
        assert_eq!(second[0].id(), waiting);
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn after_a_panic_and_after_memory_ran_out_the_generator_is_built_anew() {
        let built = Arc::new(AtomicUsize::new(0));
        let counter = built.clone();
        let worker = worker(move || match counter.fetch_add(1, Ordering::SeqCst) {
            0 => FakeGenerator::new().panicking_at(2),
            1 => FakeGenerator::new().out_of_memory_at(1),
            _ => FakeGenerator::new(),
        });
        let paint = || {
            worker.paint(recipe(1, 3)).unwrap();
            until_settled(&worker)
        };
        let crash = paint();
        assert_eq!(problem(&crash).kind, ProblemKind::EngineCrashed);
        assert!(problem(&crash).detail.as_ref().unwrap().contains("panics in step 2"));
        assert_eq!(problem(&paint()).kind, ProblemKind::OutOfMemory);
        assert!(matches!(paint().last(), Some(Event::Finished { .. })));
        assert!(matches!(paint().last(), Some(Event::Finished { .. })));
        assert_eq!(built.load(Ordering::SeqCst), 3);
    }

    /// Begins anew after its first step, and writes down where it was told to paint.
    struct LetDown(Arc<Mutex<Vec<DeviceChoice>>>);

    impl Generator for LetDown {
        fn generate(&mut self, _: &Recipe, progress: &mut dyn Progress) -> Result<Output, Problem> {
            let step = |progress: &mut dyn Progress, index| {
                let _ = progress.step(Step { index, total: 2, sigma: 0.0, preview: &Vec::new });
            };
            let _ = progress.phase(Phase::Sampling);
            step(progress, 1);
            progress.restarted(Problem::new(ProblemKind::DeviceFull).with("device", "某显卡"));
            let _ = progress.phase(Phase::Sampling);
            (1..=2).for_each(|index| step(progress, index));
            Ok(Output::default())
        }

        fn use_device(&mut self, device: DeviceChoice) {
            self.0.lock().unwrap().push(device);
        }
    }

    #[test]
    fn a_job_that_begins_anew_says_so_and_goes_where_it_was_sent() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let book = told.clone();
        let mut worker = Worker::spawn(move || Ok(Box::new(LetDown(book.clone())) as Box<dyn Generator>), || {});
        worker.paint(recipe(1, 2)).unwrap();
        worker.use_device(DeviceChoice::Cuda(1));
        worker.paint(recipe(2, 2)).unwrap();
        for _ in 0..2 {
            let events = until_settled(&worker);
            let words: Vec<_> = events
                .iter()
                .map(|event| match event {
                    Event::Started { .. } => "started".to_owned(),
                    Event::Phase { phase, .. } => format!("{phase:?}"),
                    Event::Step { index, .. } => index.to_string(),
                    Event::Restarted { why, .. } => why.kind.key().to_owned(),
                    Event::Finished { .. } => "finished".to_owned(),
                    Event::Failed { .. } => "failed".to_owned(),
                })
                .collect();
            assert_eq!(words, ["started", "Sampling", "1", "device-full", "Sampling", "1", "2", "finished"]);
        }
        assert_eq!(*told.lock().unwrap(), [DeviceChoice::Auto, DeviceChoice::Cuda(1)]);
    }

    #[test]
    fn a_failing_factory_fails_the_job_and_is_tried_again() {
        let tries = AtomicUsize::new(0);
        let worker = Worker::spawn(
            move || match tries.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Problem::new(ProblemKind::ModelMissing).with("model", "小图")),
                1 => panic!("工厂"),
                _ => Ok(Box::new(FakeGenerator::new()) as Box<dyn Generator>),
            },
            || {},
        );
        let kinds = [ProblemKind::ModelMissing, ProblemKind::EngineCrashed];
        for kind in kinds {
            worker.paint(recipe(1, 1)).unwrap();
            assert_eq!(problem(&until_settled(&worker)).kind, kind);
        }
        worker.paint(recipe(1, 1)).unwrap();
        assert!(matches!(until_settled(&worker).last(), Some(Event::Finished { .. })));
    }

    /// Counts the previews that were drawn.
    struct Counting {
        drawn: Arc<AtomicUsize>,
        done: Sender<()>,
    }

    impl Generator for Counting {
        fn generate(&mut self, _: &Recipe, progress: &mut dyn Progress) -> Result<Output, Problem> {
            let preview = || {
                self.drawn.fetch_add(1, Ordering::SeqCst);
                Vec::new()
            };
            for index in 1..=1000 {
                let _ = progress.step(Step { index, total: 1000, sigma: 0.0, preview: &preview });
            }
            let _ = self.done.send(());
            Ok(Output::default())
        }
    }

    #[test]
    fn nobody_listens_so_no_previews_are_drawn_yet_results_arrive() {
        let (done, wait) = bounded(4);
        let drawn = Arc::new(AtomicUsize::new(0));
        let counter = drawn.clone();
        let worker = Worker::spawn(
            move || Ok(Box::new(Counting { drawn: counter.clone(), done: done.clone() }) as Box<dyn Generator>),
            || {},
        );
        let ids = [worker.paint(recipe(1, 1)).unwrap(), worker.paint(recipe(2, 1)).unwrap()];
        wait.recv_timeout(PATIENCE).unwrap();
        assert_eq!(drawn.load(Ordering::SeqCst), MOST_EVENTS - 1, "one place was taken by Started");
        for id in ids {
            let events = until_settled(&worker);
            assert!(matches!(events.first(), Some(Event::Started { id: started }) if *started == id));
            assert!(matches!(events.last(), Some(Event::Finished { id: finished, .. }) if *finished == id));
        }
    }

    #[test]
    fn dropping_the_worker_in_the_middle_does_not_hang() {
        let start = Instant::now();
        // In a pass.
        let slow = worker(|| FakeGenerator::new().with_delay(Duration::from_secs(60)));
        slow.paint(recipe(1, 50)).unwrap();
        slow.paint(recipe(1, 50)).unwrap();
        while !matches!(slow.wait(PATIENCE), Some(Event::Phase { phase: Phase::Sampling, .. })) {}
        drop(slow);
        // While a result waits for room that never comes.
        let (done, wait) = bounded(4);
        let stuck = Worker::spawn(
            move || Ok(Box::new(Counting { drawn: Arc::default(), done: done.clone() }) as Box<dyn Generator>),
            || {},
        );
        stuck.paint(recipe(1, 1)).unwrap();
        wait.recv_timeout(PATIENCE).unwrap();
        drop(stuck);
        assert!(start.elapsed() < LAST_WAIT, "{:?}", start.elapsed());
    }

    #[test]
    fn if_the_thread_dies_its_jobs_fail() {
        let worker = Worker::spawn(|| Ok(Box::new(FakeGenerator::new()) as Box<dyn Generator>), || panic!("铃"));
        let id = worker.paint(recipe(1, 1)).unwrap();
        let events = until_settled(&worker);
        assert_eq!((problem(&events).kind, events.last().unwrap().id()), (ProblemKind::EngineCrashed, id));
        assert!(worker.poll().is_none());
        assert_eq!(worker.paint(recipe(1, 1)).unwrap_err().kind, ProblemKind::EngineCrashed);
    }

    #[test]
    fn the_thread_has_its_name_and_the_queue_its_bound() {
        struct Named;
        impl Generator for Named {
            fn generate(&mut self, _: &Recipe, progress: &mut dyn Progress) -> Result<Output, Problem> {
                let cancel = progress.cancel();
                while !cancel.is_requested() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let name = std::thread::current().name().unwrap_or_default().to_string();
                Err(Problem::new(ProblemKind::Cancelled).detail(name))
            }
        }
        let worker = Worker::spawn(|| Ok(Box::new(Named) as Box<dyn Generator>), || {});
        let mut refused = None;
        for _ in 0..=MOST_REQUESTS + 1 {
            refused = worker.paint(recipe(1, 1)).err();
        }
        assert_eq!(refused.unwrap().kind, ProblemKind::Internal);
        while !matches!(worker.wait(PATIENCE), Some(Event::Started { .. })) {}
        worker.cancel_all();
        assert_eq!(problem(&until_settled(&worker)).detail.as_deref(), Some(THREAD_NAME));
    }
}
