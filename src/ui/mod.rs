//! The window: egui and nothing of the engine. It shows [`crate::app::State`] and sends [`crate::app::Command`]s.

mod about;
mod canvas_view;
mod cards;
mod dialogs;
mod farewell;
mod fonts;
mod icons;
mod input;
mod keys;
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
mod toasts;
mod topbar;
mod widgets;

pub use crate::app::Setup;
pub use shell::{Shell, prepare, run};
