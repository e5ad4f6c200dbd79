//! The bar at the top: seal, menus, the queue, the palette, and the two switches.

use super::icons::{Icon, seal};
use super::queue_panel;
use super::recent;
use super::rows::{self, Row};
use super::theme::{BODY, GRID, RADIUS, SMALL, sans, serif, tokens};
use super::widgets::{focus_ring, icon_button, link, tip, tip_text};
use crate::app::commands::{ENTRIES, Group, entry_of};
use crate::app::{Command, Shade, State, View};
use crate::words::{Language, text, text_with};
use egui::containers::menu::{MenuBar, MenuButton};
use egui::{
    Align, Align2, Color32, CornerRadius, Frame, Layout, Margin, Panel, Popup, PopupCloseBehavior, Response, RichText,
    Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo, vec2,
};

/// Height of the bar.
pub const HEIGHT: f32 = 5.0 * GRID;
/// Left and right of the bar's contents.
const EDGE: i8 = 14;
/// Left and right of the name of a menu.
const PADDING: f32 = 9.0;
/// The field that opens the palette, where there is room for it.
const FIELD: f32 = 21.0 * GRID;
/// What the queue, the switches and their gaps take at the right.
const SWITCHES: f32 = 39.0 * GRID;
/// Below this width the palette has no field.
const WIDE: f32 = 125.0 * GRID;

pub fn show(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let frame = Frame::new().fill(t.panel).inner_margin(Margin::symmetric(EDGE, 0));
    let panel = Panel::top("topbar").exact_size(HEIGHT).resizable(false).show_separator_line(false).frame(frame);
    panel.show(ui, |ui| {
        let room = ui.max_rect();
        ui.painter().hline(room.x_range().expand(f32::from(EDGE)), room.bottom() - 0.5, Stroke::new(1.0, t.line));
        let wide = room.width() >= WIDE;
        let right = SWITCHES + if wide { FIELD + GRID } else { 0.0 };
        let (left, right) = room.split_left_right_at_x((room.right() - right).max(room.left()));
        ui.scope_builder(UiBuilder::new().max_rect(left).layout(Layout::left_to_right(Align::Center)), |ui| {
            let (mark, _) = ui.allocate_exact_size(Vec2::splat(3.0 * GRID), Sense::hover());
            seal(ui.painter(), mark, t);
            ui.add_space(2.0);
            ui.label(RichText::new(text(state.language, "app-name")).font(serif(16.0)).color(t.ink));
            ui.add_space(GRID);
            menus(ui, state, out);
        });
        ui.scope_builder(UiBuilder::new().max_rect(right).layout(Layout::right_to_left(Align::Center)), |ui| {
            switches(ui, state, wide, out);
        });
    });
}

/// The menus side by side, or within one where there is no room.
fn menus(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let names = Group::ALL.map(|group| text(language, group.text_id()));
    let measure = |words: &String| {
        let galley = ui.painter().layout_no_wrap(words.clone(), sans(BODY), Color32::PLACEHOLDER);
        galley.size().x + 2.0 * PADDING
    };
    let all: f32 = names.iter().map(measure).sum();
    let fits = all <= ui.available_width();
    MenuBar::new().ui(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.spacing_mut().button_padding = vec2(PADDING, 4.0);
        let grouped = Group::ALL.into_iter().zip(&names);
        if fits {
            for (group, name) in grouped {
                let (button, _) = MenuButton::new(name.as_str()).ui(ui, |ui| entries(ui, state, group, out));
                named(&button, name);
            }
        } else {
            let whole = text(language, "label-menu");
            let (button, _) = MenuButton::new(whole.as_str()).ui(ui, |ui| {
                ui.spacing_mut().button_padding = vec2(PADDING, 6.0);
                for (group, name) in grouped {
                    let button = ui.menu_button(name.as_str(), |ui| entries(ui, state, group, out)).response;
                    named(&button, name);
                }
            });
            named(&button, &whole);
        }
    });
}

/// A menu's button is told from a button of the same name.
fn named(button: &Response, name: &str) {
    button.widget_info(|| WidgetInfo::labeled(Role::MenuItem, true, name));
}

fn entries(ui: &mut Ui, state: &State, group: Group, out: &mut Vec<Command>) {
    let own = || ENTRIES.iter().filter(|entry| entry.group == group);
    ui.set_width(rows::width(ui, state, own()));
    ui.spacing_mut().item_spacing.y = 1.0;
    let manner = text(state.language, "label-manner");
    for entry in own() {
        let note = if matches!(entry.command, Command::Choose(_)) { manner.as_str() } else { "" };
        let enabled = (entry.enabled)(state);
        let row = Row { entry, role: Role::MenuItem, note, chosen: false, enabled };
        let response = rows::show(ui, state, &row);
        if tip_text(response, &text(state.language, &entry.command.tooltip_id()), None).clicked() {
            out.push(entry.command.clone());
        }
        if entry.command == Command::OpenFile {
            recent::show(ui, state, out);
        }
    }
}

/// From the right: shade, language, the queue, the palette.
fn switches(ui: &mut Ui, state: &State, wide: bool, out: &mut Vec<Command>) {
    let language = state.language;
    let gallery = if state.view == View::Gallery { Command::ShowStudio } else { Command::ShowGallery };
    ui.spacing_mut().item_spacing.x = GRID;
    let shade = Command::SwitchShade;
    let sign = if state.shade == Shade::Dark { Icon::Sun } else { Icon::Moon };
    let button = icon_button(ui, sign, &text(language, &shade.text_id()), None);
    if tip(button, language, &shade).clicked() {
        out.push(shade);
    }
    let switch = Command::SwitchLanguage;
    // Named in the language that it brings.
    let words = match language {
        Language::ZhCn => "English",
        Language::En => "中文",
    };
    if tip(link(ui, None, words), language, &switch).clicked() {
        out.push(switch);
    }
    ui.add_space(6.0);
    queue(ui, state, out);
    for (command, icon, chosen) in [
        (Command::Redo, Icon::Redo, None),
        (Command::Undo, Icon::Undo, None),
        (gallery, Icon::Gallery, Some(state.view == View::Gallery)),
    ] {
        let enabled = entry_of(&command).is_none_or(|entry| (entry.enabled)(state));
        let words = text(language, &command.text_id());
        let button = ui.add_enabled_ui(enabled, |ui| icon_button(ui, icon, &words, chosen)).inner;
        if tip(button, language, &command).clicked() {
            out.push(command);
        }
    }
    if wide {
        ui.add_space(4.0);
        palette(ui, state, out);
    }
}

/// The button of the queue, with the jobs that are not done; it opens the panel.
fn queue(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let open = state.ledger.waiting().len() + usize::from(state.ledger.running().is_some());
    let words = match open {
        0 => text(language, "label-jobs"),
        _ => text_with(language, "label-jobs-open", &[("count", open.to_string())]),
    };
    let button = tip_text(link(ui, None, &words), &text(language, "tip-jobs"), None);
    Popup::from_toggle_button_response(&button)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .accessible_name(text(language, "label-jobs"))
        .gap(GRID)
        .show(|ui| {
            let most = (ui.ctx().content_rect().height() - HEIGHT - 12.0 * GRID).clamp(10.0 * GRID, 75.0 * GRID);
            Frame::new().inner_margin(Margin::symmetric(10, 8)).show(ui, |ui| {
                ui.set_width(queue_panel::WIDTH.min(ui.ctx().content_rect().width() - 8.0 * GRID));
                queue_panel::show(ui, state, most, out);
            });
        });
}

/// Looks like the field that it opens.
fn palette(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let command = Command::Palette;
    let (rect, response) = ui.allocate_exact_size(vec2(FIELD, 3.5 * GRID), Sense::click());
    let words = text(language, &command.text_id());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    let t = tokens(ui);
    let line = if response.hovered() { t.line_strong } else { t.line };
    let corners = CornerRadius::same(RADIUS);
    ui.painter().rect(rect, corners, t.well, Stroke::new(1.0, line), StrokeKind::Inside);
    let inside = rect.shrink2(vec2(10.0, 0.0));
    ui.painter().text(inside.left_center(), Align2::LEFT_CENTER, words, sans(SMALL), t.ink_faint);
    let keys = state.keymap.label(command.stem()).unwrap_or_default();
    ui.painter().text(inside.right_center(), Align2::RIGHT_CENTER, keys, sans(11.5), t.ink_faint.gamma_multiply(0.8));
    focus_ring(ui, &response, t);
    if tip_text(response, &text(language, &command.tooltip_id()), None).clicked() {
        out.push(command);
    }
}
