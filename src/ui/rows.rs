//! A row that names a command: in the menus, in the palette.

use super::icons;
use super::signs::sign;
use super::theme::{BODY, CONTROL, GRID, RADIUS, SMALL, sans, tokens};
use super::widgets::focus_ring;
use crate::app::State;
use crate::app::commands::Entry;
use crate::words::text;
use egui::{Color32, CornerRadius, FontId, Galley, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};
use std::sync::Arc;

/// Height of a row.
pub const HEIGHT: f32 = CONTROL;
/// Room for the sign, at the left.
const SIGN: f32 = 4.0 * GRID;
/// At the right.
const EDGE: f32 = 1.25 * GRID;

/// What a row shows.
pub struct Row<'a> {
    pub entry: &'static Entry,
    pub role: Role,
    /// Faint words at the right, before the keys.
    pub note: &'a str,
    /// The keyboard stands on it.
    pub chosen: bool,
    pub enabled: bool,
}

fn galley(ui: &Ui, words: String, font: FontId) -> Arc<Galley> {
    ui.painter().layout_no_wrap(words, font, Color32::PLACEHOLDER)
}

/// The width that the rows need to show all of their words and keys.
pub fn width<'a>(ui: &Ui, state: &State, entries: impl Iterator<Item = &'a Entry>) -> f32 {
    let wide = |entry: &Entry| {
        let words = galley(ui, text(state.language, &entry.command.text_id()), sans(BODY)).size().x;
        let keys = state.keymap.label(entry.stem()).map_or(0.0, |keys| galley(ui, keys, sans(SMALL)).size().x);
        SIGN + words + 4.0 * GRID + keys + EDGE
    };
    entries.map(wide).fold(20.0 * GRID, f32::max).ceil()
}

/// Shows a row as wide as there is room. One that is not enabled is faint; whoever calls decides what a click does.
pub fn show(ui: &mut Ui, state: &State, row: &Row<'_>) -> Response {
    let Row { entry, role, note, chosen, enabled } = *row;
    let words = text(state.language, &entry.command.text_id());
    let size = vec2(ui.available_width(), HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, if enabled { Sense::click() } else { Sense::hover() });
    response.widget_info(|| WidgetInfo::selected(role, enabled, chosen, &words));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let t = tokens(ui);
    let lit = chosen || (enabled && (response.hovered() || response.has_focus()));
    let fill = match (lit, chosen && enabled) {
        (_, true) => t.wash,
        (true, _) => t.line.gamma_multiply(0.7),
        _ => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, CornerRadius::same(RADIUS - 1), fill);
    let fade = |ink: Color32| if enabled { ink } else { ink.gamma_multiply(0.5) };
    let (ink, faint) = (fade(t.ink), fade(t.ink_faint));
    if let Some(icon) = sign(entry.icon) {
        let at = Rect::from_center_size(pos2(rect.left() + SIGN / 2.0, rect.center().y), Vec2::splat(16.0));
        icons::paint(ui.painter(), at, icon, fade(if lit { t.ink } else { t.ink_soft }));
    }
    let put = |galley: Arc<Galley>, x: f32, ink: Color32| {
        let at = pos2(x, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley_with_override_text_color(at, galley, ink);
    };
    let mut right = rect.right() - EDGE;
    if let Some(keys) = state.keymap.label(entry.stem()) {
        let keys = galley(ui, keys, sans(SMALL));
        right -= keys.size().x;
        put(keys, right, faint);
        right -= 1.5 * GRID;
    }
    put(galley(ui, words, sans(BODY)), rect.left() + SIGN, ink);
    if !note.is_empty() {
        let note = galley(ui, note.to_owned(), sans(SMALL));
        put(note.clone(), right - note.size().x, faint.gamma_multiply(0.85));
    }
    focus_ring(ui, &response, t);
    response
}
