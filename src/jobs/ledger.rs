//! The queue's bookkeeping, without threads: which jobs wait, which one runs and how far it is, how the others ended.
//!
//! The session takes the next job with [`Ledger::start_next`] and hands it to the worker, and passes every event of the
//! worker to [`Ledger::apply`]. One job runs at a time, so that the order of the others stays open to change.

use super::messages::Event;
use crate::base::background::discard;
use crate::base::{JobId, Problem, ProblemKind};
use crate::recipe::{Latent, Phase, Recipe, Timings};
use std::collections::VecDeque;

/// Bytes of per-step latents that are kept if the session does not say otherwise: 512 MiB.
pub const TRACE_BUDGET: usize = 512 << 20;

/// Settled jobs that are remembered; the oldest are forgotten beyond it.
const MOST_SETTLED: usize = 500;
/// Bytes of the pictures in their recipes; the same holds.
const MOST_PICTURES: usize = 256 << 20;

/// A job and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: JobId,
    pub recipe: Recipe,
    pub state: State,
}

impl Entry {
    const fn is_preparing(&self) -> bool {
        matches!(self.state, State::Preparing)
    }
}

/// Where a job is.
#[derive(Clone, Debug)]
pub enum State {
    /// It has its place among those that wait; its recipe is not yet whole.
    Preparing,
    Waiting,
    Running(Running),
    /// `trace` is empty once the memory budget has taken it back.
    Done {
        timings: Timings,
        trace: Vec<Latent>,
    },
    Failed(Problem),
    Cancelled,
}

/// How far the running job is.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// `None` until the engine has said something.
    pub phase: Option<Phase>,
    /// Steps done, 0 to `total`.
    pub index: usize,
    /// 0 until the first step is done.
    pub total: usize,
    /// The sigma that the last step went down to.
    pub sigma: Option<f64>,
    /// It was asked to stop and has not yet.
    pub stopping: bool,
    timed: usize,
    mean: f64,
}

impl Running {
    /// Running mean of the seconds that a step takes; `None` before the first step.
    pub fn seconds_a_step(&self) -> Option<f64> {
        (self.timed > 0).then_some(self.mean)
    }

    /// Estimate of the seconds until the last step is done; `None` before the first step. Decoding comes on top.
    pub fn seconds_left(&self) -> Option<f64> {
        self.seconds_a_step().map(|mean| mean * self.total.saturating_sub(self.index) as f64)
    }

    fn step(&mut self, index: usize, total: usize, sigma: f64, seconds: f64) {
        (self.index, self.total, self.sigma) = (index.min(total), total, Some(sigma));
        if seconds.is_finite() && seconds >= 0.0 {
            self.timed += 1;
            self.mean += (seconds - self.mean) / self.timed as f64;
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Ledger {
    waiting: VecDeque<Entry>,
    running: Option<Entry>,
    /// The oldest first.
    settled: VecDeque<Entry>,
    budget: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(TRACE_BUDGET)
    }
}

impl Ledger {
    /// An empty queue that keeps at most `budget` bytes of latents.
    pub fn new(budget: usize) -> Self {
        Self { waiting: VecDeque::new(), running: None, settled: VecDeque::new(), budget }
    }

    /// Puts a job at the end of the queue.
    pub fn enqueue(&mut self, recipe: Recipe) -> JobId {
        let id = JobId::fresh();
        self.waiting.push_back(Entry { id, recipe, state: State::Waiting });
        id
    }

    /// Puts a job at the end of the queue whose recipe is not yet whole: it keeps its place until [`Self::fill`], and
    /// those behind it wait.
    pub fn reserve(&mut self, recipe: Recipe) -> JobId {
        let id = self.enqueue(recipe);
        if let Some(entry) = self.waiting.back_mut() {
            entry.state = State::Preparing;
        }
        id
    }

    /// The recipe of a reserved place is whole. False if the place was given up meanwhile.
    pub fn fill(&mut self, id: JobId, recipe: Recipe) -> bool {
        let reserved = |entry: &&mut Entry| entry.id == id && entry.is_preparing();
        let Some(entry) = self.waiting.iter_mut().find(reserved) else {
            return false;
        };
        (entry.recipe, entry.state) = (recipe, State::Waiting);
        true
    }

    /// Gives up a reserved place; nothing of it is remembered, since half a recipe cannot be tried again. False if it
    /// was given up before.
    pub fn give_up(&mut self, id: JobId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|entry| entry.id != id || !entry.is_preparing());
        self.waiting.len() < before
    }

    /// Gives up all reserved places; true if there were any.
    pub fn give_up_all(&mut self) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|entry| !entry.is_preparing());
        self.waiting.len() < before
    }

    pub fn is_preparing(&self) -> bool {
        self.waiting.iter().any(Entry::is_preparing)
    }

    /// Takes the next job for the worker; `None` while one runs, if none waits, or if the next is being prepared. If the worker refuses it, apply an
    /// [`Event::Failed`].
    pub fn start_next(&mut self) -> Option<(JobId, Box<Recipe>)> {
        if self.running.is_some() || self.waiting.front().is_some_and(Entry::is_preparing) {
            return None;
        }
        let mut entry = self.waiting.pop_front()?;
        entry.state = State::Running(Running::default());
        let handed = (entry.id, Box::new(entry.recipe.clone()));
        self.running = Some(entry);
        Some(handed)
    }

    /// Takes note of what the worker said. Events of jobs that do not run are ignored.
    pub fn apply(&mut self, event: &Event) {
        let Some(entry) = self.running.as_mut().filter(|entry| entry.id == event.id()) else {
            return;
        };
        let State::Running(running) = &mut entry.state else {
            return;
        };
        match event {
            Event::Started { .. } => {}
            Event::Phase { phase, .. } => running.phase = Some(*phase),
            Event::Step { index, total, sigma, seconds, .. } => {
                // The phase's own event may have been dropped.
                running.phase = Some(Phase::Sampling);
                running.step(*index, *total, *sigma, *seconds);
            }
            Event::Restarted { .. } => *running = Running { stopping: running.stopping, ..Running::default() },
            Event::Finished { output, .. } => {
                let (timings, trace) = (output.timings.clone(), output.trace.clone());
                self.settle(State::Done { timings, trace });
            }
            Event::Failed { problem, .. } => {
                let cancelled = problem.kind == ProblemKind::Cancelled;
                self.settle(if cancelled { State::Cancelled } else { State::Failed(problem.clone()) });
            }
        }
    }

    /// Takes a waiting job out of the queue. True if the job runs: the worker must then be asked to stop it, and the
    /// job settles when the worker says so.
    #[must_use]
    pub fn cancel(&mut self, id: JobId) -> bool {
        if self.give_up(id) {
            return false;
        }
        if let Some(at) = self.place(id) {
            if let Some(mut entry) = self.waiting.remove(at) {
                entry.state = State::Cancelled;
                self.remember(entry);
            }
            return false;
        }
        match self.running.as_mut().map(|entry| (entry.id, &mut entry.state)) {
            Some((running, State::Running(how))) if running == id => {
                how.stopping = true;
                true
            }
            _ => false,
        }
    }

    /// Empties the queue. The id of the running job, if there is one: the worker must be asked to stop it.
    #[must_use]
    pub fn cancel_all(&mut self) -> Option<JobId> {
        self.give_up_all();
        for mut entry in std::mem::take(&mut self.waiting) {
            entry.state = State::Cancelled;
            self.remember(entry);
        }
        let id = self.running.as_ref()?.id;
        self.cancel(id).then_some(id)
    }

    /// Puts a settled job's recipe at the end of the queue again, as a new job; `None` if the job has not settled or is
    /// not known.
    pub fn retry(&mut self, id: JobId) -> Option<JobId> {
        let recipe = self.settled.iter().find(|entry| entry.id == id)?.recipe.clone();
        Some(self.enqueue(recipe))
    }

    /// Moves a waiting job to `position` (0 is next; beyond the end is the end). False if the job does not wait.
    pub fn reorder(&mut self, id: JobId, position: usize) -> bool {
        let Some(entry) = self.place(id).and_then(|at| self.waiting.remove(at)) else {
            return false;
        };
        self.waiting.insert(position.min(self.waiting.len()), entry);
        true
    }

    /// Forgets a settled job. False if the job has not settled or is not known.
    pub fn forget(&mut self, id: JobId) -> bool {
        let before = self.settled.len();
        self.settled.retain(|entry| entry.id != id);
        self.settled.len() < before
    }

    /// Forgets the settled jobs.
    pub fn forget_settled(&mut self) {
        self.settled.clear();
    }

    pub fn get(&self, id: JobId) -> Option<&Entry> {
        self.entries().find(|entry| entry.id == id)
    }

    /// Every job: the settled from the oldest, the running one, the waiting ones in their order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.settled.iter().chain(&self.running).chain(&self.waiting)
    }

    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.waiting.iter()
    }

    /// The running job, and how far it is.
    pub fn running(&self) -> Option<(&Entry, &Running)> {
        match &self.running {
            Some(entry @ Entry { state: State::Running(running), .. }) => Some((entry, running)),
            _ => None,
        }
    }

    /// From the oldest.
    pub fn settled(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.settled.iter()
    }

    /// The states after each step of a finished job; `None` if the job did not finish, or its latents were given up to
    /// stay within the budget.
    pub fn trace(&self, id: JobId) -> Option<&[Latent]> {
        match &self.get(id)?.state {
            State::Done { trace, .. } if !trace.is_empty() => Some(trace),
            _ => None,
        }
    }

    fn place(&self, id: JobId) -> Option<usize> {
        self.waiting.iter().position(|entry| entry.id == id)
    }

    fn settle(&mut self, state: State) {
        if let Some(mut entry) = self.running.take() {
            entry.state = state;
            self.remember(entry);
        }
    }

    fn remember(&mut self, entry: Entry) {
        self.settled.push_back(entry);
        let mut used = 0usize;
        let kept = self.settled.iter().rev().take(MOST_SETTLED).take_while(|entry| {
            used = used.saturating_add(entry.recipe.bytes());
            used <= MOST_PICTURES
        });
        // The one that has just settled can always be tried again.
        let kept = kept.count().max(1);
        let forgotten = self.settled.len().saturating_sub(kept);
        discard(self.settled.drain(..forgotten).collect::<Vec<_>>());
        // From the newest: what no longer fits, and everything older, is given up.
        let mut used = 0usize;
        for entry in self.settled.iter_mut().rev() {
            if let State::Done { trace, .. } = &mut entry.state {
                used = used.saturating_add(trace.iter().map(bytes).sum());
                if used > self.budget {
                    *trace = Vec::new();
                }
            }
        }
    }
}

fn bytes(latent: &Latent) -> usize {
    size_of::<f32>() * (latent.x.len() + latent.denoised.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::worker::tests::recipe;
    use crate::recipe::Output;

    fn latents(count: usize) -> Vec<Latent> {
        let x: std::sync::Arc<[f32]> = vec![0.0; 128].into();
        vec![Latent { sigma: 1.0, shape: [1, 4, 4, 8], x: x.clone(), denoised: x }; count]
    }

    fn finish(ledger: &mut Ledger, trace: Vec<Latent>) -> JobId {
        let (id, recipe) = ledger.start_next().unwrap();
        let output = Box::new(Output { trace, ..Output::default() });
        ledger.apply(&Event::Finished { id, recipe, output });
        id
    }

    fn fail(ledger: &mut Ledger, kind: ProblemKind) {
        let id = ledger.running().unwrap().0.id;
        ledger.apply(&Event::Failed { id, problem: Problem::new(kind) });
    }

    fn order(ledger: &Ledger) -> Vec<u64> {
        ledger.waiting().map(|entry| entry.recipe.seed).collect()
    }

    #[test]
    fn one_job_at_a_time_in_an_order_that_can_change() {
        let mut ledger = Ledger::default();
        let ids: Vec<_> = (0..4).map(|seed| ledger.enqueue(recipe(seed, 2))).collect();
        assert!(ledger.reorder(ids[3], 0) && ledger.reorder(ids[0], 99));
        assert_eq!(order(&ledger), [3, 1, 2, 0]);
        assert_eq!(ledger.start_next().unwrap().0, ids[3]);
        assert!(ledger.start_next().is_none());
        assert!(!ledger.reorder(ids[3], 1), "a running job has no place in the queue");
        fail(&mut ledger, ProblemKind::OutOfMemory);
        assert!(matches!(&ledger.get(ids[3]).unwrap().state, State::Failed(p) if p.kind == ProblemKind::OutOfMemory));
        assert_eq!(ledger.start_next().unwrap().1.seed, 1);
        let seeds: Vec<_> = ledger.entries().map(|entry| entry.recipe.seed).collect();
        assert_eq!(seeds, [3, 1, 2, 0]);
    }

    #[test]
    fn a_place_is_kept_until_its_recipe_is_whole() {
        let mut ledger = Ledger::default();
        let first = ledger.reserve(recipe(0, 2));
        ledger.enqueue(recipe(1, 2));
        let third = ledger.reserve(recipe(2, 2));
        assert!(ledger.start_next().is_none(), "a quick one does not overtake");
        assert!(ledger.fill(first, recipe(10, 2)) && !ledger.fill(first, recipe(11, 2)));
        assert_eq!(order(&ledger), [10, 1, 2]);
        assert!(ledger.start_next().is_some_and(|(id, recipe)| id == first && recipe.seed == 10));
        assert!(ledger.reorder(third, 0) && ledger.is_preparing());
        assert!(!ledger.cancel(third) && !ledger.is_preparing() && ledger.get(third).is_none());
        assert!(!ledger.fill(third, recipe(12, 2)) && !ledger.give_up(third));
        ledger.reserve(recipe(3, 2));
        ledger.reserve(recipe(4, 2));
        assert!(ledger.give_up_all() && !ledger.give_up_all());
        assert_eq!(order(&ledger), [1]);
        ledger.reserve(recipe(5, 2));
        assert_eq!(ledger.cancel_all(), Some(first));
        assert_eq!(ledger.settled().map(|entry| entry.recipe.seed).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn progress_and_the_estimate() {
        let mut ledger = Ledger::default();
        ledger.enqueue(recipe(1, 10));
        let (id, _) = ledger.start_next().unwrap();
        ledger.apply(&Event::Started { id });
        ledger.apply(&Event::Phase { id, phase: Phase::Encoding });
        assert_eq!(ledger.running().unwrap().1.phase, Some(Phase::Encoding));
        assert_eq!(ledger.running().unwrap().1.seconds_left(), None);
        // The third step's event was dropped.
        for (index, seconds) in [(1, 4.0), (2, 2.0), (4, 3.0)] {
            ledger.apply(&Event::Step { id, index, total: 10, sigma: 1.0, previews: vec![], seconds });
        }
        let (_, running) = ledger.running().unwrap();
        assert_eq!((running.index, running.total, running.phase), (4, 10, Some(Phase::Sampling)));
        assert_eq!(running.seconds_a_step(), Some(3.0));
        assert_eq!(running.seconds_left(), Some(18.0));
        let stranger = JobId::fresh();
        ledger.apply(&Event::Failed { id: stranger, problem: Problem::new(ProblemKind::Internal) });
        assert!(ledger.running().is_some());
        // On another device the pace is another.
        let stopping = ledger.cancel(id);
        ledger.apply(&Event::Restarted { id, why: Problem::new(ProblemKind::DeviceFailed) });
        let (_, running) = ledger.running().unwrap();
        assert_eq!((running.index, running.phase, running.seconds_left()), (0, None, None));
        assert!(stopping && running.stopping);
    }

    #[test]
    fn cancel_and_retry() {
        let mut ledger = Ledger::default();
        let ids: Vec<_> = (0..4).map(|seed| ledger.enqueue(recipe(seed, 2))).collect();
        ledger.start_next().unwrap();
        assert!(!ledger.cancel(ids[2]), "a waiting job needs no worker");
        assert!(matches!(ledger.get(ids[2]).unwrap().state, State::Cancelled));
        assert!(ledger.retry(ids[0]).is_none(), "it runs");
        assert_eq!(ledger.cancel_all(), Some(ids[0]));
        assert_eq!(order(&ledger), [0; 0]);
        assert!(ledger.running().unwrap().1.stopping);
        fail(&mut ledger, ProblemKind::Cancelled);
        assert!(ledger.settled().all(|entry| matches!(entry.state, State::Cancelled)));
        let again = ledger.retry(ids[2]).unwrap();
        assert_ne!(again, ids[2]);
        assert_eq!(order(&ledger), [2]);
        assert!(!ledger.cancel(JobId::fresh()));
    }

    #[test]
    fn settled_jobs_are_forgotten_one_by_one_or_all() {
        let mut ledger = Ledger::default();
        let ids: Vec<_> = (0..4).map(|seed| ledger.enqueue(recipe(seed, 2))).collect();
        finish(&mut ledger, vec![]);
        ledger.start_next().unwrap();
        assert!(!ledger.cancel(ids[2]));
        assert!(!ledger.forget(ids[1]) && !ledger.forget(ids[3]), "one runs, one waits");
        assert!(ledger.forget(ids[0]) && !ledger.forget(ids[0]));
        assert!(ledger.retry(ids[0]).is_none());
        assert_eq!(ledger.settled().map(|entry| entry.id).collect::<Vec<_>>(), [ids[2]]);
        ledger.forget_settled();
        assert_eq!(ledger.settled().len(), 0);
        assert_eq!(ledger.entries().count(), 2);
    }

    #[test]
    fn the_oldest_latents_go_when_the_budget_is_full() {
        // One latent of the test is 1 KiB.
        let mut ledger = Ledger::new(5 << 10);
        for seed in 0..4 {
            ledger.enqueue(recipe(seed, 2));
        }
        let old = finish(&mut ledger, latents(2));
        let new = finish(&mut ledger, latents(3));
        assert_eq!(ledger.trace(old).unwrap().len(), 2);
        let newest = finish(&mut ledger, latents(1));
        assert!(ledger.trace(old).is_none());
        assert_eq!((ledger.trace(new).unwrap().len(), ledger.trace(newest).unwrap().len()), (3, 1));
        let huge = finish(&mut ledger, latents(6));
        assert!([old, new, newest, huge].iter().all(|&id| ledger.trace(id).is_none()));
        assert!(matches!(ledger.get(huge).unwrap().state, State::Done { .. }), "the job itself is remembered");
    }

    #[test]
    fn the_oldest_jobs_go_when_their_pictures_are_too_many() {
        use crate::recipe::Source;
        let mut ledger = Ledger::default();
        // 96 MiB each; two of them fit.
        let picture = std::sync::Arc::new(crate::imaging::Pixmap::new(crate::base::Extent::new(4096, 6144)));
        let source = Source::Picture { picture, strength: 0.5 };
        let ids: Vec<_> =
            (0..4).map(|seed| ledger.enqueue(Recipe { source: source.clone(), ..recipe(seed, 2) })).collect();
        for _ in 0..4 {
            finish(&mut ledger, vec![]);
        }
        assert_eq!(ledger.settled().map(|entry| entry.id).collect::<Vec<_>>(), ids[2..]);
        assert!(ledger.retry(ids[3]).is_some() && ledger.retry(ids[0]).is_none());
    }
}
