//! The row under the canvas: what is being done to the mask, how far the job is, else what one looks at and how large.

use super::canvas_view::progress;
use super::icons::Icon;
use super::theme::{GRID, SMALL, tokens};
use super::widgets::{faint, icon_button_sized, link, tip};
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{Align, Layout, RichText, Ui, Vec2};
use std::time::Instant;

/// Height of the row.
pub const HEIGHT: f32 = 5.0 * GRID;

pub fn show(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    if let Some(step) = state.lasting_step(Instant::now()) {
        let words = text_with(language, "label-lasting", &[("step", text(language, step))]);
        ui.horizontal_centered(|ui| faint(ui, words));
        return;
    }
    if state.forming.is_some() || state.ledger.is_preparing() {
        let place = ui.max_rect();
        progress(ui, place, state, tokens(ui));
        return;
    }
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        let document = state.desk.document();
        let args = [("size", document.extent().to_string()), ("count", document.layers().len().to_string())];
        faint(ui, text_with(language, "label-canvas-facts", &args));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let size = Vec2::splat(3.5 * GRID);
            let fit = Command::ZoomFit;
            let button = icon_button_sized(ui, Icon::Fit, &text(language, &fit.text_id()), None, size);
            if tip(button, language, &fit).clicked() {
                out.push(fit);
            }
            let actual = Command::ZoomActual;
            let percent = state.desk.room.map_or(100.0, |room| state.desk.view_in(room).percent());
            let words = format!("{percent:.0}%");
            if tip(link(ui, None, &words), language, &actual).clicked() {
                out.push(actual);
            }
            let angle = state.desk.view.map_or(0.0, |view| view.angle.to_degrees());
            if angle.abs() > 0.05 {
                let upright = Command::RotateReset;
                let words = RichText::new(format!("{angle:.0}°")).size(SMALL);
                if tip(ui.button(words), language, &upright).clicked() {
                    out.push(upright);
                }
            }
        });
    });
}
