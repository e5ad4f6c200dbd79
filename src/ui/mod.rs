//! The window: egui and nothing of the engine. It shows [`crate::app::State`] and sends [`crate::app::Command`]s.

mod canvas_panel;
mod canvas_view;
mod dialogs;
mod farewell;
mod fonts;
mod gallery;
pub mod history_panel;
pub mod icons;
mod input;
mod keys;
mod layers_panel;
mod parameters;
mod prompt_panel;
mod shell;
mod strip;
mod textures;
mod theme;
mod timeline;
mod toasts;
mod tool_bar;
mod tool_options;
mod upload;
pub mod viewport;
mod widgets;

pub use crate::app::Setup;
pub use shell::{Shell, prepare, run};
