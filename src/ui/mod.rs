//! The window: egui and nothing of the engine. It shows [`crate::app::State`] and sends [`crate::app::Command`]s.

mod canvas_view;
mod caret;
mod dialogs;
mod farewell;
mod fonts;
mod icons;
mod input;
mod parameters;
mod prompt_panel;
mod shell;
mod strip;
mod textures;
mod theme;
mod toasts;
mod widgets;

pub use crate::app::Setup;
pub use shell::{Shell, prepare, run};
