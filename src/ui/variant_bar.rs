//! Under the pictures that were just painted: leafs through them, keeps one, or puts them away.

use super::icons::Icon;
use super::theme::{GRID, RADIUS, SMALL, sans, tokens};
use super::widgets::{icon_button, link, tip};
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{
    Align2, Area, Color32, CornerRadius, Frame, Id, Margin, Order, Rect, Role, Sense, Shadow, Stroke, Ui, WidgetInfo,
    pos2, vec2,
};

/// Between the bar and what it belongs to, and between the bar and the edge of the room, in points.
const GAP: f32 = GRID;
/// Of the bar, in points; it keeps inside the room.
const HEIGHT: f32 = 5.0 * GRID;

/// Shows the bar under `place`, inside `room`, while there is something to choose; gives where it is.
pub fn show(ui: &Ui, room: Rect, place: Rect, state: &State, out: &mut Vec<Command>) -> Option<Rect> {
    let staging = state.choosing()?;
    let (language, t) = (state.language, tokens(ui));
    let top = (place.bottom() + GAP).min(room.bottom() - GAP - HEIGHT).max(room.top());
    let frame = Frame::new()
        .fill(t.raised)
        .stroke(Stroke::new(1.0, t.line_strong))
        .corner_radius(CornerRadius::same(RADIUS + 4))
        .shadow(Shadow { offset: [0, 6], blur: 24, spread: 0, color: t.shadow })
        .inner_margin(Margin { left: 4, right: 12, top: 3, bottom: 3 });
    let area = Area::new(Id::unique("variants")).order(Order::Middle).pivot(Align2::CENTER_TOP);
    let shown = area.fixed_pos(pos2(place.center().x, top)).constrain_to(room).show(ui.ctx(), |ui| {
        frame.show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                let mut sign = |ui: &mut Ui, icon: Icon, command: Command| {
                    let button = icon_button(ui, icon, &text(language, &command.text_id()), None);
                    if tip(button, language, &command).clicked() {
                        out.push(command);
                    }
                };
                if staging.count() > 1 {
                    sign(ui, Icon::Chevron(2), Command::VariantPrevious);
                    count(ui, state, staging.shown() + 1, staging.count());
                    sign(ui, Icon::Chevron(0), Command::VariantNext);
                    line(ui);
                }
                ui.add_space(GRID);
                ui.spacing_mut().item_spacing.x = 2.0 * GRID;
                for (icon, command) in [
                    (Icon::Check, Command::VariantKeep),
                    (Icon::Layers, Command::VariantKeepLayer),
                    (Icon::Trash, Command::VariantDiscard),
                ] {
                    // One picture alone is kept or not.
                    if command == Command::VariantKeepLayer && staging.count() < 2 {
                        continue;
                    }
                    let button = link(ui, Some(icon), &text(language, &command.text_id()));
                    if tip(button, language, &command).clicked() {
                        out.push(command);
                    }
                }
            });
        });
    });
    Some(shown.response.rect)
}

/// Which of them is shown, in figures that do not move the signs beside them.
fn count(ui: &mut Ui, state: &State, number: usize, of: usize) {
    let font = sans(SMALL + 1.0);
    let ink = tokens(ui).ink;
    let widest = ui.painter().layout_no_wrap(format!("{of} / {of}"), font.clone(), Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(widest.size().x + GRID, 4.0 * GRID), Sense::hover());
    let args = [("number", number.to_string()), ("count", of.to_string())];
    let words = text_with(state.language, "label-variant", &args);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, format!("{number} / {of}"), font, ink);
}

fn line(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(GRID, 4.0 * GRID), Sense::hover());
    ui.painter().vline(rect.center().x, rect.shrink2(vec2(0.0, GRID)).y_range(), Stroke::new(1.0, tokens(ui).line));
}
