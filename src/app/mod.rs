//! The session without a screen: what the artist has written and set, the jobs, what came of them, and what can be done.
//! It knows neither egui nor the engine; a generator is handed in.

mod clerk;
pub mod command;
pub mod commands;
pub mod desk;
pub mod desk_commands;
pub mod devices;
pub mod events;
pub mod filing;
mod gallery_errands;
mod json_file;
pub mod layout;
pub mod masking;
pub mod naming;
pub mod placing;
pub mod plan;
pub mod prompt_edit;
pub mod prompt_history;
pub mod recovery;
pub mod session;
pub mod settings;
pub mod staging;
pub mod state;
#[cfg(test)]
mod studio_tests;
pub mod styles;
mod take_over;
pub mod update;
pub mod wall;

pub use command::Command;
pub use commands::{Key, Keymap, Shortcut};
pub use session::{Session, Setup};
pub use state::{Draft, Message, Model, Painting, Said, Scale, Seed, Shade, State, View};
pub use update::{Card, Effect};
