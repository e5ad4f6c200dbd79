//! The few controls that egui does not have in our form.

use super::icons::{self, Icon};
use super::theme::{self, CONTROL, GRID, RADIUS, SMALL, Tokens, sans, serif, tokens};
use crate::app::Command;
use crate::words::{Language, text};
use egui::{
    Align2, Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Adds a tooltip: what it does, and its keys.
pub fn tip(response: Response, language: Language, command: &Command) -> Response {
    let keys = command.shortcut().map(|shortcut| shortcut.label());
    tip_text(response, &text(language, &command.tooltip_id()), keys.as_deref())
}

/// Adds a tooltip of two lines; the second, fainter one may be absent.
pub fn tip_text(response: Response, words: &str, keys: Option<&str>) -> Response {
    response.on_hover_ui(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.label(egui::RichText::new(words).size(SMALL));
        if let Some(keys) = keys {
            ui.label(egui::RichText::new(keys).size(SMALL).color(tokens(ui).ink_faint));
        }
    })
}

/// The heading of a part.
pub fn heading(ui: &mut Ui, words: &str) -> Response {
    ui.label(egui::RichText::new(words).font(serif(15.0)).color(tokens(ui).ink_soft))
}

/// A name beside a control.
pub fn name(ui: &mut Ui, words: &str) -> Response {
    ui.label(egui::RichText::new(words).color(tokens(ui).ink_soft))
}

/// Faint small text.
pub fn faint(ui: &mut Ui, words: impl Into<String>) -> Response {
    ui.label(egui::RichText::new(words).size(SMALL).color(tokens(ui).ink_faint))
}

/// A square button with a sign; `words` name it for those who do not see it. `chosen` is `None` for one that acts.
pub fn icon_button(ui: &mut Ui, icon: Icon, words: &str, chosen: Option<bool>) -> Response {
    icon_button_sized(ui, icon, words, chosen, Vec2::splat(CONTROL))
}

pub fn icon_button_sized(ui: &mut Ui, icon: Icon, words: &str, chosen: Option<bool>, size: Vec2) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| match chosen {
        Some(chosen) => WidgetInfo::selected(Role::Button, ui.is_enabled(), chosen, words),
        None => WidgetInfo::labeled(Role::Button, ui.is_enabled(), words),
    });
    if ui.is_rect_visible(rect) {
        let t = tokens(ui);
        let (fill, ink) = quiet_colors(t, &response, chosen == Some(true));
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS), fill);
        focus_ring(ui, &response, t);
        let ink = if ui.is_enabled() { ink } else { ink.gamma_multiply(0.4) };
        icons::paint(ui.painter(), rect, icon, ink);
    }
    response
}

/// Background and ink of something quiet that can be pressed.
fn quiet_colors(t: &Tokens, response: &Response, chosen: bool) -> (Color32, Color32) {
    match (chosen, response.is_pointer_button_down_on(), response.hovered()) {
        (true, ..) => (t.wash, t.cinnabar_text),
        (_, true, _) => (t.line_strong, t.ink),
        (_, _, true) => (t.raised_more, t.ink),
        _ => (Color32::TRANSPARENT, t.ink_soft),
    }
}

/// Shows where the keyboard is.
pub fn focus_ring(ui: &Ui, response: &Response, t: &Tokens) {
    if response.has_focus() {
        let stroke = Stroke::new(1.5, t.cinnabar_text);
        ui.painter().rect_stroke(response.rect, CornerRadius::same(RADIUS), stroke, StrokeKind::Inside);
    }
}

/// A wide button. The primary one is cinnabar, and there is one of it; `keys` stand at its right.
pub fn wide_button(ui: &mut Ui, size: Vec2, words: &str, keys: &str, primary: bool) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), words));
    if ui.is_rect_visible(rect) {
        let t = tokens(ui);
        let (down, hovered) = (response.is_pointer_button_down_on(), response.hovered());
        let (fill, ink, line) = match (primary, down, hovered) {
            (true, true, _) => (t.cinnabar_deep, t.on_cinnabar, t.cinnabar_deep),
            (true, _, true) => (t.cinnabar_bright, t.on_cinnabar, t.cinnabar_bright),
            (true, ..) => (t.cinnabar, t.on_cinnabar, t.cinnabar),
            (false, true, _) => (t.line_strong, t.ink, t.line_strong),
            (false, _, true) => (t.raised_more, t.ink, t.line_strong),
            (false, ..) => (t.raised, t.ink, t.line_strong),
        };
        let painter = ui.painter();
        painter.rect(rect, CornerRadius::same(RADIUS), fill, Stroke::new(1.0, line), StrokeKind::Inside);
        let font = if primary { serif(17.0) } else { sans(theme::BODY) };
        let (middle, edge) = (rect.center(), rect.right() - 12.0);
        let words = painter.layout_no_wrap(words.to_owned(), font, ink);
        let keys =
            painter.layout_no_wrap(keys.to_owned(), sans(11.5), if primary { ink } else { ink.gamma_multiply(0.75) });
        // The words stand in the middle and the keys at the edge; where that is too narrow, both in the middle.
        let both = words.size().x + GRID + keys.size().x;
        let narrow = words.size().x / 2.0 + GRID + keys.size().x > rect.width() / 2.0 - 12.0;
        let (words_x, keys_x) = if narrow {
            (middle.x - both / 2.0, middle.x + both / 2.0 - keys.size().x)
        } else {
            (middle.x - words.size().x / 2.0, edge - keys.size().x)
        };
        let words_at = pos2(words_x, middle.y - words.size().y / 2.0);
        let keys_at = pos2(keys_x, middle.y - keys.size().y / 2.0);
        painter.galley(words_at, words, ink);
        painter.galley(keys_at, keys, ink);
        focus_ring(ui, &response, t);
    }
    response
}

/// One of a row of choices that share the width.
pub struct Choice<'a> {
    pub words: &'a str,
    pub note: &'a str,
    pub tip: &'a str,
    pub chosen: bool,
}

/// A row of choices; gives the index of the one that was clicked.
pub fn choices(ui: &mut Ui, height: f32, items: &[Choice<'_>]) -> Option<usize> {
    let t = tokens(ui);
    let (row, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    ui.painter().rect_filled(row, CornerRadius::same(RADIUS), t.well);
    let line = Stroke::new(1.0, t.line);
    ui.painter().rect_stroke(row, CornerRadius::same(RADIUS), line, StrokeKind::Inside);
    let width = row.width() / items.len().max(1) as f32;
    let mut clicked = None;
    for (index, item) in items.iter().enumerate() {
        let left = row.left() + width * index as f32;
        let cell = Rect::from_min_size(pos2(left, row.top()), vec2(width, height)).shrink(3.0);
        let id = ui.scope_id().with(("choice", item.words));
        let response = ui.interact(cell, id, Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), item.chosen, item.words));
        let (fill, ink) = quiet_colors(t, &response, item.chosen);
        let painter = ui.painter();
        painter.rect_filled(cell, CornerRadius::same(RADIUS - 2), fill);
        let lift = if item.note.is_empty() { 0.0 } else { 8.0 };
        painter.text(cell.center() - vec2(0.0, lift), Align2::CENTER_CENTER, item.words, sans(theme::BODY), ink);
        if !item.note.is_empty() {
            let at = cell.center() + vec2(0.0, 10.0);
            painter.text(at, Align2::CENTER_CENTER, item.note, sans(11.5), ink);
        }
        focus_ring(ui, &response, t);
        if tip_text(response, item.tip, None).clicked() {
            clicked = Some(index);
        }
    }
    clicked
}

/// The sign of a field that opens a menu.
pub fn menu_sign(ui: &Ui, rect: Rect, visuals: &egui::style::WidgetVisuals, _open: bool) {
    icons::paint(ui.painter(), rect, Icon::Chevron(1), visuals.fg_stroke.color.gamma_multiply(0.7));
}

/// Words that can be pressed, without a frame, after an optional sign.
pub fn link(ui: &mut Ui, icon: Option<Icon>, words: &str) -> Response {
    let sign = if icon.is_some() { 18.0 } else { 0.0 };
    let t = tokens(ui);
    let galley = ui.painter().layout_no_wrap(words.to_owned(), sans(theme::BODY), Color32::PLACEHOLDER);
    let size = vec2(galley.size().x + sign, galley.size().y.max(3.0 * GRID));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), words));
    let ink = if response.hovered() || response.has_focus() { t.ink } else { t.ink_soft };
    if let Some(icon) = icon {
        let at = Rect::from_center_size(pos2(rect.left() + 6.0, rect.center().y), Vec2::splat(16.0));
        icons::paint(ui.painter(), at, icon, ink);
    }
    let at = pos2(rect.left() + sign, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley_with_override_text_color(at, galley, ink);
    focus_ring(ui, &response, t);
    response
}
