//! The head of the wall: search, filters, order, size of the cells; and the bar of what can be done with the chosen.

use super::super::icons::{self, Icon};
use super::super::theme::{BODY, CONTROL, GRID, RADIUS, SMALL, sans, serif, tokens};
use super::super::widgets::{icon_button, menu_sign, tip_text};
use super::{act_button, search_id};
use crate::app::wall::{Act, Age, SORTS, Side, TILES, sort_text_id};
use crate::app::{Command, State};
use crate::words::{Language, text, text_with};
use egui::{
    Align, Area, ComboBox, CornerRadius, Frame, Id, Layout, Margin, Order, Panel, Rect, RichText, Shadow, Slider,
    Stroke, TextEdit, Ui, Vec2, pos2, vec2,
};

/// Width of the search field, at most.
const SEARCH: f32 = 38.0 * GRID;

pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let frame = Frame::new().fill(t.panel).inner_margin(Margin { left: 20, right: 20, top: 12, bottom: 10 });
    Panel::top("gallery-bar").show_separator_line(false).frame(frame).show(ui, |ui| {
        let edge = Stroke::new(1.0, t.line);
        ui.spacing_mut().item_spacing = vec2(GRID, 6.0);
        ui.horizontal(|ui| {
            ui.label(RichText::new(text(state.language, "command-show-gallery")).font(serif(20.0)).color(t.ink));
            count(ui, state);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                tiles(ui, state);
                ui.add_space(GRID);
                search(ui, state);
            });
        });
        ui.horizontal_wrapped(|ui| filters(ui, state, out));
        let bar = ui.max_rect().expand2(vec2(20.0, 0.0));
        let bottom = ui.min_rect().bottom() + 10.0;
        ui.painter().hline(bar.x_range(), bottom - 0.5, edge);
        progress(ui, state, bar.left(), bar.width(), bottom);
    });
}

/// How many there are; of how many chosen.
fn count(ui: &mut Ui, state: &State) {
    if !state.wall.is_answered() {
        return;
    }
    let all = grouped(state.wall.ids().len());
    let chosen = state.wall.selection.len();
    let words = match chosen {
        0 | 1 => text_with(state.language, "label-wall-count", &[("count", all)]),
        _ => text_with(state.language, "label-wall-count-chosen", &[("count", all), ("chosen", grouped(chosen))]),
    };
    ui.add_space(4.0);
    ui.label(RichText::new(words).size(SMALL).color(tokens(ui).ink_faint));
}

/// With a comma between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut words = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

fn tiles(ui: &mut Ui, state: &mut State) {
    let words = text(state.language, "label-wall-tile");
    ui.spacing_mut().slider_width = 11.0 * GRID;
    let slider = ui.add(Slider::new(&mut state.wall.tile, TILES).show_value(false)).accessible_name(&words);
    tip_text(slider, &words, None);
}

fn search(ui: &mut Ui, state: &mut State) {
    let language = state.language;
    let t = tokens(ui);
    let width = ui.available_width().min(SEARCH);
    let (row, _) = ui.allocate_exact_size(vec2(width, CONTROL), egui::Sense::hover());
    let filled = !state.wall.filter.words.is_empty();
    ui.scope_builder(egui::UiBuilder::new().max_rect(row), |ui| {
        let edit = TextEdit::singleline(&mut state.wall.filter.words)
            .id(search_id())
            .font(sans(BODY))
            .hint_text(text(language, "hint-wall-search"))
            .margin(Margin { left: 32, right: if filled { 32 } else { 10 }, top: 6, bottom: 6 })
            .desired_width(f32::INFINITY)
            .min_size(vec2(0.0, CONTROL));
        let edit = ui.add(edit).accessible_name(text(language, "label-wall-search"));
        tip_text(edit, &text(language, "tip-wall-search"), None);
    });
    let sign = Rect::from_center_size(pos2(row.left() + 17.0, row.center().y), Vec2::splat(16.0));
    icons::paint(ui.painter(), sign, Icon::Search, t.ink_faint);
    if filled {
        let at = Rect::from_min_size(pos2(row.right() - 30.0, row.top() + 2.0), Vec2::splat(28.0));
        ui.scope_builder(egui::UiBuilder::new().max_rect(at), |ui| {
            let words = text(language, "label-wall-search-clear");
            let button = super::super::widgets::icon_button_sized(ui, Icon::Close, &words, None, Vec2::splat(28.0));
            if tip_text(button, &words, None).clicked() {
                state.wall.filter.words.clear();
            }
        });
    }
}

fn filters(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    let star = if state.wall.filter.favourites_only { Icon::StarFilled } else { Icon::Star };
    let words = text(language, "label-wall-favourites");
    let button = icon_button(ui, star, &words, Some(state.wall.filter.favourites_only));
    if tip_text(button, &words, None).clicked() {
        state.wall.filter.favourites_only = !state.wall.filter.favourites_only;
    }
    let ages: Vec<_> = Age::ALL.iter().map(|age| (*age, text(language, age.text_id()))).collect();
    choose(ui, language, "label-wall-age", &mut state.wall.filter.age, &ages, 13.0);
    let sides: Vec<_> = Side::ALL.iter().map(|side| (*side, text(language, side.text_id()))).collect();
    choose(ui, language, "label-wall-side", &mut state.wall.filter.side, &sides, 13.0);
    let mut models = vec![(None, text(language, "label-wall-model-any"))];
    models.extend(state.wall.models.iter().map(|(name, count)| (Some(name.clone()), format!("{name}  {count}"))));
    if let Some(chosen) =
        state.wall.filter.model.clone().filter(|name| !state.wall.models.iter().any(|(n, _)| n == name))
    {
        models.push((Some(chosen.clone()), chosen));
    }
    choose(ui, language, "label-wall-model", &mut state.wall.filter.model, &models, 17.0);
    let sorts: Vec<_> = SORTS.iter().map(|sort| (*sort, text(language, sort_text_id(*sort)))).collect();
    choose(ui, language, "label-wall-sort", &mut state.wall.filter.sort, &sorts, 14.0);
    if state.wall.filter.narrows() {
        act_button(ui, language, Icon::Close, Act::ClearFilter, None, out);
    }
}

/// A field that opens a list; `width` in grid units.
fn choose<T: Clone + PartialEq>(
    ui: &mut Ui,
    language: Language,
    name: &str,
    value: &mut T,
    items: &[(T, String)],
    width: f32,
) {
    let current = items.iter().find(|(item, _)| item == value).map(|(_, words)| words.clone()).unwrap_or_default();
    let combo = ComboBox::from_id_salt(name).width(width * GRID).truncate().icon(menu_sign).selected_text(current);
    let response = combo.show_ui(ui, |ui| {
        for (item, words) in items {
            if ui.selectable_label(item == value, words).clicked() {
                *value = item.clone();
            }
        }
    });
    let words = text(language, name);
    tip_text(response.response.accessible_name(&words), &words, None);
}

/// How far a scan is: a thin line under the bar, and words while files are read.
fn progress(ui: &mut Ui, state: &State, left: f32, width: f32, bottom: f32) {
    let Some(scan) = state.wall.scan.filter(|scan| scan.to_read > 0) else { return };
    let t = tokens(ui);
    let share = (scan.read as f32 / scan.to_read as f32).clamp(0.0, 1.0);
    let line = Rect::from_min_size(pos2(left, bottom - 2.0), vec2(width * share, 2.0));
    ui.painter().rect_filled(line, CornerRadius::ZERO, t.cinnabar_bright);
    let args = [("read", grouped(scan.read)), ("all", grouped(scan.to_read))];
    let words = text_with(state.language, "label-wall-scanning", &args);
    let whole = Rect::from_min_size(pos2(left, bottom - 2.0), vec2(width, 2.0));
    let bar = ui.interact(whole, ui.scope_id().with("scan"), egui::Sense::hover());
    bar.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, &words);
        info.value = Some(f64::from(share));
        info
    });
}

/// What can be done with the chosen, over the foot of the wall; gives where it is.
pub fn chosen(ui: &mut Ui, room: Rect, state: &State, out: &mut Vec<Command>) -> Option<Rect> {
    let count = state.wall.selection.len();
    if count == 0 {
        return None;
    }
    let t = tokens(ui);
    let language = state.language;
    let favourite =
        state.wall.targets().iter().take(1000).all(|id| state.wall.entry(*id).is_some_and(|entry| entry.favourite));
    let frame = Frame::new()
        .fill(t.raised)
        .stroke(Stroke::new(1.0, t.line_strong))
        .corner_radius(CornerRadius::same(RADIUS + 4))
        .shadow(Shadow { offset: [0, 6], blur: 24, spread: 0, color: t.shadow })
        .inner_margin(Margin { left: 16, right: 6, top: 5, bottom: 5 });
    let at = pos2(room.center().x, room.bottom() - 2.0 * GRID);
    let area = Area::new(Id::unique("gallery-chosen")).order(Order::Middle).pivot(egui::Align2::CENTER_BOTTOM);
    let shown = area.fixed_pos(at).constrain(false).show(ui.ctx(), |ui| {
        frame.show(ui, |ui| {
            ui.horizontal(|ui| {
                let words = text_with(language, "label-wall-chosen", &[("count", grouped(count))]);
                ui.add(egui::Label::new(RichText::new(words).color(t.ink)).extend());
                ui.add_space(GRID);
                if count == 1 {
                    super::acts_of_one(ui, language, favourite, out);
                } else {
                    ui.spacing_mut().item_spacing.x = 2.0;
                    let star = if favourite { Icon::StarFilled } else { Icon::Star };
                    act_button(ui, language, star, Act::Favourite, Some(favourite), out);
                    act_button(ui, language, Icon::Compare, Act::Compare, None, out);
                    act_button(ui, language, Icon::Trash, Act::Delete, None, out);
                }
                act_button(ui, language, Icon::Close, Act::SelectNone, None, out);
            });
        });
    });
    Some(shown.response.rect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        for (number, words) in [(0, "0"), (999, "999"), (1000, "1,000"), (25_000, "25,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), words);
        }
    }
}
