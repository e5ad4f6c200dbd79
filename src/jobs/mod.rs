//! The session's side of the engine: a worker thread, the messages to and from it, the queue's bookkeeping, and a
//! generator without a network for tests.

pub mod fake;
pub mod ledger;
pub mod messages;
mod studio;
pub mod worker;

pub use fake::FakeGenerator;
pub use ledger::{Entry, Ledger, Running, State};
pub use messages::{Event, Request};
pub use studio::guarded;
pub use worker::Worker;
