//! The queue: what is painted, what waits and in which order, and how the others ended.

use super::canvas_view::{phase_words, time_left};
use super::icons::Icon;
use super::theme::{BODY, GRID, RADIUS, SMALL, Tokens, sans, serif, tokens};
use super::widgets::{faint, focus_ring, icon_button_sized, link, tip};
use crate::app::{Command, State};
use crate::base::JobId;
use crate::jobs::{Entry, Running, State as Fate};
use crate::recipe::Recipe;
use crate::words::{Language, problem_text, text, text_with};
use egui::{
    Align, Align2, Color32, CornerRadius, CursorIcon, Frame, Id, Label, Layout, Margin, Rect, Response, RichText, Role,
    ScrollArea, Sense, Stroke, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};
use std::time::Instant;

/// Width that the panel is made for.
pub const WIDTH: f32 = 48.0 * GRID;
/// Height of the row of a job.
const ROW: f32 = 5.0 * GRID;
const BUTTON: f32 = 3.25 * GRID;

/// Shows the panel; it fills the width that there is, and its list scrolls beyond a height of `most`.
pub fn show(ui: &mut Ui, state: &State, most: f32, out: &mut Vec<Command>) {
    header(ui, state, out);
    let ledger = &state.ledger;
    if ledger.entries().next().is_none() {
        ui.add_space(GRID);
        faint(ui, text(state.language, "label-jobs-none"));
        ui.add_space(GRID);
        return;
    }
    let scroll = ScrollArea::vertical().auto_shrink([false, true]).max_height(most).min_scrolled_height(most);
    scroll.show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        if let Some((entry, running)) = ledger.running() {
            running_card(ui, state, entry, running, out);
        }
        let count = ledger.waiting().len();
        for (place, entry) in ledger.waiting().enumerate() {
            of_job(ui, entry, |ui| waiting_row(ui, state, entry, place, count, out));
        }
        // The latest first.
        let settled: Vec<_> = ledger.settled().collect();
        for entry in settled.into_iter().rev() {
            of_job(ui, entry, |ui| settled_row(ui, state, entry, out));
        }
    });
}

/// A row that is the same one wherever in the list it stands, so that the keyboard goes on with a job that it has moved.
fn of_job(ui: &mut Ui, entry: &Entry, row: impl FnOnce(&mut Ui)) {
    ui.scope_builder(UiBuilder::new().scope_id(Id::unique(("job", entry.id))), row);
}

fn header(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    ui.horizontal(|ui| {
        ui.label(RichText::new(text(language, "label-jobs")).font(serif(16.0)).color(tokens(ui).ink));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 2.0 * GRID;
            let working = state.ledger.running().is_some() || state.ledger.waiting().len() > 0;
            let offers = [(Command::CancelAll, working), (Command::ForgetSettled, state.ledger.settled().len() > 0)];
            for (command, _) in offers.into_iter().filter(|(_, offered)| *offered) {
                if tip(link(ui, None, &text(language, &command.text_id())), language, &command).clicked() {
                    out.push(command);
                }
            }
        });
    });
}

fn running_card(ui: &mut Ui, state: &State, entry: &Entry, running: &Running, out: &mut Vec<Command>) {
    let (t, language) = (tokens(ui), state.language);
    let frame =
        Frame::new().fill(t.well).corner_radius(RADIUS).inner_margin(Margin { left: 12, right: 6, top: 8, bottom: 10 });
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 4.0;
        let line = vec2(ui.available_width(), BUTTON);
        ui.allocate_ui_with_layout(line, Layout::right_to_left(Align::Center), |ui| {
            if !running.stopping {
                button(ui, language, Icon::Close, Command::CancelJob(entry.id), &entry.recipe, out);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| words(ui, &entry.recipe, t.ink));
        });
        let (phase, share) = phase_words(language, running);
        let (line, bar) = ui.allocate_exact_size(vec2(ui.available_width() - 6.0, 3.0), Sense::hover());
        ui.painter().rect_filled(line, CornerRadius::same(2), t.line_strong);
        let done = line.with_max_x(line.left() + line.width() * share.clamp(0.0, 1.0) as f32);
        ui.painter().rect_filled(done, CornerRadius::same(2), t.cinnabar_bright);
        bar.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, &phase);
            info.value = Some(share);
            info
        });
        ui.horizontal(|ui| {
            faint(ui, phase);
            if running.total > 0 {
                faint(ui, format!("{} / {}", running.index, running.total));
            }
            if let Some(left) = state.seconds_left(Instant::now()).filter(|_| !running.stopping) {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.add_space(6.0);
                    faint(ui, time_left(language, left));
                });
            }
        });
    });
}

/// A row that can be dragged to another place, and moved there by its buttons.
fn waiting_row(ui: &mut Ui, state: &State, entry: &Entry, place: usize, count: usize, out: &mut Vec<Command>) {
    let (t, language) = (tokens(ui), state.language);
    let (rect, drag) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::drag());
    drag.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &entry.recipe.prompt));
    drag.dnd_set_drag_payload(entry.id);
    if let Some(id) = drag.dnd_release_payload::<JobId>() {
        out.push(Command::MoveJob(*id, place));
    }
    let over = drag.dnd_hover_payload::<JobId>().is_some_and(|id| *id != entry.id);
    let fill = if drag.dragged() { t.line.gamma_multiply(0.7) } else { Color32::TRANSPARENT };
    ui.painter().rect_filled(rect, CornerRadius::same(RADIUS), fill);
    if over {
        ui.painter().hline(rect.x_range(), rect.top() - 2.0, Stroke::new(2.0, t.cinnabar_bright));
    }
    let drag = drag.on_hover_cursor(CursorIcon::Grab);
    focus_ring(ui, &drag, t);
    let number = pos2(rect.left() + 12.0, rect.center().y);
    ui.painter().text(number, Align2::CENTER_CENTER, (place + 1).to_string(), sans(SMALL), t.ink_faint);
    inside(ui, rect, |ui| {
        button(ui, language, Icon::Close, Command::CancelJob(entry.id), &entry.recipe, out);
        for (sign, to, able, name) in [
            ("↓", place + 1, place + 1 < count, "label-move-down"),
            ("↑", place.saturating_sub(1), place > 0, "label-move-up"),
        ] {
            let name = text_with(language, name, &[("prompt", entry.recipe.prompt.clone())]);
            if ui.add_enabled_ui(able, |ui| sign_button(ui, sign, &name)).inner.clicked() {
                out.push(Command::MoveJob(entry.id, to));
            }
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            if matches!(entry.state, Fate::Preparing) {
                faint(ui, text(language, "label-preparing"));
            }
            words(ui, &entry.recipe, t.ink_soft)
        });
    });
}

fn settled_row(ui: &mut Ui, state: &State, entry: &Entry, out: &mut Vec<Command>) {
    let (t, language) = (tokens(ui), state.language);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let (mark, fate) = match &entry.state {
        Fate::Done { .. } => (t.jade, text(language, "label-job-done")),
        Fate::Failed(problem) => (t.cinnabar_text, problem_text(problem, language).summary),
        _ => (t.ink_faint, text(language, "label-job-cancelled")),
    };
    ui.painter().circle_filled(pos2(rect.left() + 12.0, rect.center().y), 3.0, mark);
    let folded = ui.scope_id().with("details");
    let mut open = ui.data(|data| data.get_temp(folded).unwrap_or(false));
    inside(ui, rect, |ui| {
        button(ui, language, Icon::Close, Command::ForgetJob(entry.id), &entry.recipe, out);
        button(ui, language, Icon::Reuse, Command::RetryJob(entry.id), &entry.recipe, out);
        if matches!(entry.state, Fate::Failed(_)) {
            let name = format!("{}：{}", text(language, "command-unfold"), entry.recipe.prompt);
            let sign = Icon::Chevron(u8::from(open));
            if icon_button_sized(ui, sign, &name, None, Vec2::splat(BUTTON)).clicked() {
                open = !open;
            }
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add_space(2.0);
                words(ui, &entry.recipe, t.ink_soft);
                ui.add(Label::new(RichText::new(fate).size(11.5).color(mark)).truncate());
            });
        });
    });
    ui.data_mut(|data| data.insert_temp(folded, open));
    if let Fate::Failed(problem) = &entry.state
        && open
    {
        let margin = Margin { left: 24, right: 8, top: 0, bottom: 8 };
        Frame::new().inner_margin(margin).show(ui, |ui| {
            let advice = RichText::new(problem_text(problem, language).advice).size(SMALL).color(t.ink_soft);
            ui.add(Label::new(advice).wrap());
            if let Some(detail) = &problem.detail {
                let detail = RichText::new(detail).monospace().color(t.ink_faint);
                ui.add(Label::new(detail).wrap().selectable(true));
            }
        });
    }
}

/// Lays out a row from its right edge, past the mark at its left.
fn inside(ui: &mut Ui, rect: Rect, add: impl FnOnce(&mut Ui)) {
    let room = rect.with_min_x(rect.left() + 3.0 * GRID);
    let builder = UiBuilder::new().max_rect(room).layout(Layout::right_to_left(Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        add(ui);
    });
}

/// The first line of the prompt, cut off where the room ends, behind how many pictures there are if there are several;
/// the whole of it as a tooltip.
fn words(ui: &mut Ui, recipe: &Recipe, ink: Color32) -> Response {
    if recipe.batch > 1 {
        return ui
            .horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                faint(ui, format!("×{}", recipe.batch));
                line(ui, recipe, ink)
            })
            .inner;
    }
    line(ui, recipe, ink)
}

fn line(ui: &mut Ui, recipe: &Recipe, ink: Color32) -> Response {
    let line = recipe.prompt.lines().next().unwrap_or_default();
    ui.add(Label::new(RichText::new(line).size(BODY).color(ink)).truncate())
}

/// A small button for a job; its name tells which.
fn button(ui: &mut Ui, language: Language, icon: Icon, command: Command, recipe: &Recipe, out: &mut Vec<Command>) {
    let name = format!("{}：{}", text(language, &command.text_id()), recipe.prompt);
    let response = icon_button_sized(ui, icon, &name, None, Vec2::splat(BUTTON));
    if tip(response, language, &command).clicked() {
        out.push(command);
    }
}

/// A small button with a letter for a sign.
fn sign_button(ui: &mut Ui, sign: &str, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(BUTTON), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    let t: &Tokens = tokens(ui);
    let (fill, ink) = match (ui.is_enabled(), response.hovered()) {
        (false, _) => (Color32::TRANSPARENT, t.ink_faint.gamma_multiply(0.4)),
        (_, true) => (t.raised_more, t.ink),
        _ => (Color32::TRANSPARENT, t.ink_soft),
    };
    ui.painter().rect_filled(rect, CornerRadius::same(RADIUS), fill);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, sign, sans(BODY), ink);
    focus_ring(ui, &response, t);
    response
}
