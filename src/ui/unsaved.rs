//! The question what happens to an unsaved document that is to make room.

use super::theme::{GRID, SMALL, sans, tokens};
use super::widgets::wide_button;
use crate::app::filing::Answer;
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{Context, Id, Modal, RichText, vec2};

/// Asks, if there is something to ask.
pub fn show(ctx: &Context, state: &State, out: &mut Vec<Command>) {
    if state.filing.question.is_none() {
        return;
    }
    let language = state.language;
    let modal = Modal::new(Id::unique("unsaved")).show(ctx, |ui| {
        let t = tokens(ui);
        ui.set_width(46.0 * GRID);
        ui.add_space(GRID);
        let name = match state.desk.paper.name.as_str() {
            "" => text(language, "label-untitled"),
            name => name.to_owned(),
        };
        let title = text_with(language, "unsaved-title", &[("name", name)]);
        ui.label(RichText::new(title).font(sans(17.0)).color(t.ink));
        ui.add_space(GRID);
        ui.label(RichText::new(text(language, "unsaved-advice")).size(SMALL + 1.0).color(t.ink_soft));
        ui.add_space(2.0 * GRID);
        ui.horizontal(|ui| {
            let size = vec2((ui.available_width() - 2.0 * GRID) / 3.0, 5.0 * GRID);
            let choices = [
                ("unsaved-save", Answer::Save, true),
                ("unsaved-discard", Answer::Discard, false),
                ("unsaved-stay", Answer::Stay, false),
            ];
            let mut answer = None;
            for (words, choice, primary) in choices {
                if wide_button(ui, size, &text(language, words), "", primary).clicked() {
                    answer = Some(choice);
                }
            }
            answer
        })
        .inner
    });
    let stays = modal.should_close().then_some(Answer::Stay);
    out.extend(modal.inner.or(stays).map(Command::Answer));
}
