//! The window: egui and nothing of the engine. It shows [`crate::app::State`] and sends [`crate::app::Command`]s.

mod about;
mod canvas_panel;
mod canvas_view;
mod cards;
mod caret;
mod dialogs;
mod farewell;
mod fonts;
pub mod history_panel;
mod icons;
mod input;
mod keys;
mod layers_panel;
mod palette;
mod parameters;
mod prompt_panel;
mod queue_panel;
mod rows;
mod shell;
mod shortcuts;
mod signs;
mod strip;
mod style_card;
mod style_chips;
mod textures;
mod theme;
mod timeline;
mod toasts;
mod tool_bar;
mod tool_options;
mod topbar;
mod upload;
pub mod viewport;
mod widgets;

pub use crate::app::Setup;
pub use shell::{Shell, prepare, run};
