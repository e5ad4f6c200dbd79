//! The steps that can be taken back; a click goes to one.

use super::theme::{GRID, RADIUS, tokens};
use super::widgets::{focus_ring, heading};
use crate::app::{Command, State};
use crate::words::text;
use egui::{Align2, CornerRadius, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

const ROW: f32 = 3.5 * GRID;

pub fn show(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let history = state.desk.editor().history();
    heading(ui, &text(language, "label-edits"));
    let names: Vec<&str> = std::iter::once("edit-beginning").chain(history.steps()).collect();
    let scroll = ScrollArea::vertical().id_salt("history").auto_shrink(false).stick_to_bottom(true);
    ui.spacing_mut().item_spacing.y = 0.0;
    scroll.show_rows(ui, ROW, names.len(), |ui, rows| {
        for place in rows {
            let Some(name) = names.get(place) else { break };
            let t = tokens(ui);
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
            let words = text(language, name);
            let here = place == history.position();
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, here, &words));
            if here || response.hovered() {
                let fill = if here { t.wash } else { t.raised };
                ui.painter().rect_filled(rect, CornerRadius::same(RADIUS), fill);
            }
            focus_ring(ui, &response, t);
            let ink = match place {
                _ if here => t.cinnabar_text,
                place if place > history.position() => t.ink_faint.gamma_multiply(0.7),
                _ => t.ink_soft,
            };
            let at = pos2(rect.left() + 1.5 * GRID, rect.center().y);
            ui.painter().text(at, Align2::LEFT_CENTER, words, super::theme::sans(super::theme::SMALL + 0.5), ink);
            if response.clicked() {
                out.push(Command::JumpTo(place));
            }
        }
    });
}
