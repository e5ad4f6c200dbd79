//! The question before the window closes while something is painted or waits; after it comes the one about an unsaved
//! document.

use super::theme::{GRID, SMALL, sans, tokens};
use super::widgets::wide_button;
use crate::app::State;
use crate::words::{text, text_with};
use egui::{Context, Id, Modal, RichText, ViewportCommand, vec2};

/// Whether the question stands, and whether it was answered.
#[derive(Debug, Default)]
pub struct Farewell {
    asking: bool,
    leaving: bool,
}

/// Jobs that would be lost.
fn unfinished(state: &State) -> usize {
    state.ledger.waiting().len() + usize::from(state.ledger.running().is_some())
}

impl Farewell {
    /// Holds the window open, if it is asked to close while something would be lost. Call it in every frame.
    pub fn look(&mut self, ctx: &Context, state: &mut State) {
        let closing = ctx.input(|input| input.viewport().close_requested());
        if !closing || self.leaving {
            return;
        }
        if unfinished(state) > 0 {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.asking = true;
        } else if state.desk.is_unsaved() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            state.filing.ask_to_leave();
        }
    }

    /// Closes the window, whatever is unfinished.
    pub fn leave(&mut self, ctx: &Context) {
        self.leaving = true;
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }

    /// Asks. The question goes by itself when the last job is done.
    pub fn show(&mut self, ctx: &Context, state: &mut State) {
        let count = unfinished(state);
        if !self.asking || count == 0 {
            self.asking = false;
            return;
        }
        let language = state.language;
        let modal = Modal::new(Id::unique("farewell")).show(ctx, |ui| {
            let t = tokens(ui);
            ui.set_width(46.0 * GRID);
            ui.add_space(GRID);
            let title = text_with(language, "close-title", &[("count", count.to_string())]);
            ui.label(RichText::new(title).font(sans(17.0)).color(t.ink));
            ui.add_space(GRID);
            ui.label(RichText::new(text(language, "close-advice")).size(SMALL + 1.0).color(t.ink_soft));
            ui.add_space(2.0 * GRID);
            ui.horizontal(|ui| {
                let size = vec2((ui.available_width() - GRID) / 2.0, 5.0 * GRID);
                let stay = wide_button(ui, size, &text(language, "close-stay"), "", true).clicked();
                let leave = wide_button(ui, size, &text(language, "close-leave"), "", false).clicked();
                (stay, leave)
            })
            .inner
        });
        let (stay, leave) = modal.inner;
        if leave {
            if state.desk.is_unsaved() {
                state.filing.ask_to_leave();
            } else {
                self.leave(ctx);
            }
        }
        if stay || leave || modal.should_close() {
            self.asking = false;
        }
    }
}
