//! What passes between the session and the worker thread.

use crate::base::{JobId, Problem};
use crate::imaging::Pixmap;
use crate::recipe::{DeviceChoice, Output, Phase, Recipe};

/// From the session to the worker. Cancelling goes beside the channel, through [`crate::recipe::Cancel`].
#[derive(Debug)]
pub enum Request {
    Paint { id: JobId, recipe: Box<Recipe>, device: DeviceChoice },
}

/// From the worker to the session. `Started`, `Restarted`, `Finished` and `Failed` are never lost; `Phase` and `Step` may
/// be dropped when the session is slow.
#[derive(Debug)]
pub enum Event {
    Started {
        id: JobId,
    },
    Phase {
        id: JobId,
        phase: Phase,
    },
    Step {
        id: JobId,
        index: usize,
        total: usize,
        sigma: f64,
        previews: Vec<Pixmap>,
        seconds: f64,
    },
    /// The job began anew, on the processor, because a device has let it down.
    Restarted {
        id: JobId,
        why: Problem,
    },
    Finished {
        id: JobId,
        recipe: Box<Recipe>,
        output: Box<Output>,
    },
    Failed {
        id: JobId,
        problem: Problem,
    },
}

impl Event {
    pub fn id(&self) -> JobId {
        match self {
            Event::Started { id }
            | Event::Phase { id, .. }
            | Event::Step { id, .. }
            | Event::Restarted { id, .. }
            | Event::Finished { id, .. }
            | Event::Failed { id, .. } => *id,
        }
    }
}
