//! The thread's side of the worker: takes jobs, paints them, tells what happens.

use super::messages::{Event, Request};
use crate::base::{JobId, Problem, ProblemKind};
use crate::recipe::{Cancel, DeviceChoice, Generator, Output, Phase, Progress, Recipe, Step, Stop};
use crossbeam_channel::{Receiver, Sender};
use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// Smaller advances of a phase's fraction are not reported.
const FRACTION_STEP: f64 = 0.01;

type Factory = dyn Fn() -> Result<Box<dyn Generator>, Problem> + Send;
type Waker = dyn Fn() + Send + Sync;

/// What lies in the channel to the thread.
pub struct Order {
    pub request: Request,
    pub cancel: Cancel,
}

/// Runs `work`; a panic inside it becomes a [`ProblemKind::EngineCrashed`] with the panic's message as its detail.
/// The values that `work` has touched may be broken then: throw the generator away.
///
/// # Errors
/// Those of `work`, and the one above.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let problem = Problem::new(ProblemKind::EngineCrashed).detail(panic_message(&*payload));
        // A payload may panic when it is dropped.
        std::mem::forget(payload);
        Err(problem)
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}

/// What the thread owns.
pub struct Studio {
    factory: Box<Factory>,
    generator: Option<Box<dyn Generator>>,
    outbox: Sender<Event>,
    waker: Arc<Waker>,
}

/// The session has dropped its handle.
struct Deserted;

impl Studio {
    pub fn new(factory: Box<Factory>, outbox: Sender<Event>, waker: Arc<Waker>) -> Self {
        Self { factory, generator: None, outbox, waker }
    }

    /// Paints until the session drops its end of either channel.
    pub fn work(mut self, inbox: &Receiver<Order>) {
        for order in inbox {
            let Order { request: Request::Paint { id, recipe, device }, cancel } = order;
            if self.paint(id, recipe, device, cancel).is_err() {
                break;
            }
        }
        self.discard();
    }

    fn paint(&mut self, id: JobId, recipe: Box<Recipe>, device: DeviceChoice, cancel: Cancel) -> Result<(), Deserted> {
        if cancel.is_requested() {
            return self.tell(Event::Failed { id, problem: Problem::new(ProblemKind::Cancelled) });
        }
        self.tell(Event::Started { id })?;
        match self.generate(id, &recipe, device, cancel) {
            Ok(output) => self.tell(Event::Finished { id, recipe, output: Box::new(output) }),
            Err(problem) => {
                // Before the session hears of it, so that a retry finds the memory free.
                if matches!(problem.kind, ProblemKind::EngineCrashed | ProblemKind::OutOfMemory) {
                    self.discard();
                }
                self.tell(Event::Failed { id, problem })
            }
        }
    }

    fn generate(
        &mut self,
        id: JobId,
        recipe: &Recipe,
        device: DeviceChoice,
        cancel: Cancel,
    ) -> Result<Output, Problem> {
        let mut listener = Listener {
            id,
            cancel,
            outbox: self.outbox.clone(),
            waker: self.waker.clone(),
            reported: None,
            last: Instant::now(),
        };
        let (factory, place) = (&self.factory, &mut self.generator);
        guarded(|| {
            let generator = match place {
                Some(generator) => generator,
                None => place.insert(factory()?),
            };
            generator.use_device(device);
            generator.generate(recipe, &mut listener)
        })
    }

    /// Drops the generator; one that panicked may panic again.
    fn discard(&mut self) {
        let generator = self.generator.take();
        if let Err(problem) = guarded(|| {
            drop(generator);
            Ok(())
        }) {
            tracing::error!(%problem, "the engine crashed while it was put away");
        }
    }

    /// Sends what must not be lost.
    fn tell(&self, event: Event) -> Result<(), Deserted> {
        self.outbox.send(event).map_err(|_| Deserted)?;
        (self.waker)();
        Ok(())
    }
}

/// Passes a job's progress on.
struct Listener {
    id: JobId,
    cancel: Cancel,
    outbox: Sender<Event>,
    waker: Arc<Waker>,
    /// The phase that the session heard of last.
    reported: Option<Phase>,
    /// When the step in hand began.
    last: Instant,
}

impl Listener {
    fn verdict(&self) -> ControlFlow<Stop> {
        if self.cancel.is_requested() { ControlFlow::Break(Stop::Cancelled) } else { ControlFlow::Continue(()) }
    }

    /// Sends what may be lost; true if it was sent.
    fn mention(&self, event: Event) -> bool {
        let sent = self.outbox.try_send(event).is_ok();
        if sent {
            (self.waker)();
        }
        sent
    }

    fn is_news(&self, phase: Phase) -> bool {
        match (self.reported, phase) {
            (Some(Phase::Converting { fraction: old }), Phase::Converting { fraction: new })
            | (Some(Phase::Loading { fraction: old }), Phase::Loading { fraction: new }) => {
                // Written so that NaN is no news.
                (new - old).abs() >= FRACTION_STEP || (new >= 1.0 && old < 1.0)
            }
            (old, new) => old != Some(new),
        }
    }
}

impl Progress for Listener {
    fn phase(&mut self, phase: Phase) -> ControlFlow<Stop> {
        if phase == Phase::Sampling {
            self.last = Instant::now();
        }
        if self.is_news(phase) && self.mention(Event::Phase { id: self.id, phase }) {
            self.reported = Some(phase);
        }
        self.verdict()
    }

    fn step(&mut self, step: Step<'_>) -> ControlFlow<Stop> {
        let seconds = self.last.elapsed().as_secs_f64();
        // This thread alone sends, so room that is seen stays.
        if !self.cancel.is_requested() && !self.outbox.is_full() {
            let previews = (step.preview)();
            let Step { index, total, sigma, .. } = step;
            self.mention(Event::Step { id: self.id, index, total, sigma, previews, seconds });
        }
        self.last = Instant::now();
        self.verdict()
    }

    fn restarted(&mut self, why: Problem) {
        tracing::warn!(problem = %why, "the job begins anew");
        self.reported = None;
        // A session that is gone has nobody to tell.
        if self.outbox.send(Event::Restarted { id: self.id, why }).is_ok() {
            (self.waker)();
        }
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}
