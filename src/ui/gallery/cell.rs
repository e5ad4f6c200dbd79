//! One picture of the grid.

use super::super::icons::{Icon, paint_sized};
use super::super::theme::{GRID, SMALL, Tokens, sans, tokens};
use super::textures::Drawn;
use super::{Gallery, broken, fitted, menu, name_of, one_line, size_of};
use crate::app::wall::{Act, Pick};
use crate::app::{Command, State};
use crate::gallery::EntryId;
use crate::words::text;
use egui::{Align2, Color32, CornerRadius, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// Height of the line of words under a picture.
pub const CAPTION: f32 = 3.0 * GRID;
/// Cells narrower than this have no words.
pub const LEAST_WITH_WORDS: f32 = 136.0;

/// Draws a picture of the wall; `rect` is all of its cell.
pub fn show(gallery: &mut Gallery, ui: &mut Ui, rect: Rect, id: EntryId, state: &mut State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let language = state.language;
    // Not in the order of Tab: there may be thousands. Arrows move between them.
    let response = ui.interact(rect, ui.scope_id().with(("picture", id.0)), Sense::CLICK);
    let chosen = state.wall.selection.contains(id);
    let at_cursor = state.wall.selection.cursor() == Some(id);
    let drawn = gallery.textures.thumbnail(ui.ctx(), &mut state.wall, id);
    let entry = state.wall.entry(id);
    let favourite = entry.is_some_and(|entry| entry.favourite);
    let words = entry.map(|entry| name_of(language, &entry.facts.prompt, &entry.facts.path));
    response.widget_info(|| {
        let words = words.clone().unwrap_or_else(|| text(language, "label-wall-picture"));
        WidgetInfo::selected(Role::Button, true, chosen, words)
    });

    let with_words = rect.width() >= LEAST_WITH_WORDS;
    let sheet =
        if with_words { Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - CAPTION)) } else { rect };
    let extent = entry.map(|entry| entry.facts.extent);
    let size = match (&drawn, extent) {
        (Drawn::Texture(_, size), _) => *size,
        (_, Some(extent)) => size_of(extent),
        _ => vec2(1.0, 1.0),
    };
    // Small pictures are not blown up; a broken one has the whole cell for its mark.
    let shape = if matches!(drawn, Drawn::Broken) { vec2(1.0, 1.0) } else { size };
    let picture = snapped(ui, fitted(sheet.shrink(4.0), shape, f32::INFINITY));
    let painter = ui.painter();
    match drawn {
        Drawn::Texture(texture, _) => {
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture, picture, uv, Color32::WHITE);
        }
        Drawn::Broken => {
            painter.rect_filled(picture, CornerRadius::same(2), t.sheet);
            broken(ui, picture, language, t.ink_faint.gamma_multiply(0.8));
        }
        Drawn::Coming => {
            painter.rect_filled(picture, CornerRadius::same(2), t.sheet);
        }
    }
    frame(ui, picture, chosen, at_cursor, response.hovered(), t);
    if favourite || response.hovered() {
        star(ui, picture, id, favourite, state, out, t);
    }
    if with_words && let Some(words) = &words {
        let line =
            Rect::from_min_max(pos2(sheet.left() + 6.0, sheet.bottom() + 3.0), pos2(rect.right() - 6.0, rect.bottom()));
        caption(ui, line, words, if chosen { t.ink } else { t.ink_faint });
    }

    if response.clicked() {
        let modifiers = ui.input(|input| input.modifiers);
        let pick = match (modifiers.shift, modifiers.command) {
            (true, _) => Pick::Range,
            (_, true) => Pick::Toggle,
            _ => Pick::Only,
        };
        out.push(Command::Wall(Act::Pick(id, pick)));
    }
    if response.double_clicked() {
        out.push(Command::Wall(Act::Look(id)));
    }
    if response.secondary_clicked() && !chosen {
        out.push(Command::Wall(Act::Pick(id, Pick::Only)));
    }
    menu::show(&response, language, state.wall.selection.len().max(1), favourite, out);
}

/// On whole pixels, so that edges are sharp.
fn snapped(ui: &Ui, rect: Rect) -> Rect {
    let scale = ui.pixels_per_point();
    let snap = |x: f32| (x * scale).round() / scale;
    Rect::from_min_max(pos2(snap(rect.left()), snap(rect.top())), pos2(snap(rect.right()), snap(rect.bottom())))
}

fn frame(ui: &Ui, picture: Rect, chosen: bool, at_cursor: bool, hovered: bool, t: &Tokens) {
    let painter = ui.painter();
    if chosen {
        let ring = picture.expand(4.0);
        painter.rect_stroke(ring, CornerRadius::same(4), Stroke::new(2.5, t.cinnabar_bright), StrokeKind::Inside);
    } else {
        let line = if hovered { t.ink_faint } else { t.line };
        painter.rect_stroke(picture, CornerRadius::same(1), Stroke::new(1.0, line), StrokeKind::Outside);
        if at_cursor {
            let ring = picture.expand(4.0);
            painter.rect_stroke(ring, CornerRadius::same(4), Stroke::new(1.0, t.line_strong), StrokeKind::Inside);
        }
    }
}

/// The star of a favourite; under the pointer, an empty one that can be filled.
fn star(ui: &Ui, picture: Rect, id: EntryId, favourite: bool, state: &State, out: &mut Vec<Command>, t: &Tokens) {
    let side = 24.0;
    let place = Rect::from_min_size(pos2(picture.right() - side - 2.0, picture.top() + 2.0), vec2(side, side));
    let response = ui.interact(place, ui.scope_id().with(("star", id.0)), Sense::CLICK);
    let words = text(state.language, &Command::Wall(Act::Star(id)).text_id());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, favourite, &words));
    let painter = ui.painter();
    painter.circle_filled(place.center(), 11.0, Color32::from_black_alpha(if response.hovered() { 190 } else { 120 }));
    let (icon, ink) =
        if favourite { (Icon::StarFilled, Color32::from_rgb(0xF2, 0xC5, 0x5C)) } else { (Icon::Star, t.on_cinnabar) };
    paint_sized(painter, place, icon, ink, 14.0);
    if super::tip(response, state.language, &Act::Favourite).clicked() {
        out.push(Command::Wall(Act::Star(id)));
    }
}

/// One line of words, cut off with an ellipsis.
fn caption(ui: &Ui, line: Rect, words: &str, ink: Color32) {
    // What no line shows need not be laid out.
    let short: String = one_line(words).chars().take(64).collect();
    let mut job = egui::text::LayoutJob::simple_singleline(short, sans(SMALL), ink);
    job.wrap = egui::text::TextWrapping::truncate_at_width(line.width());
    let galley = ui.painter().layout_job(job);
    let at = Align2::CENTER_TOP.anchor_size(pos2(line.center().x, line.top()), galley.size());
    ui.painter().galley(at.min, galley, ink);
}
