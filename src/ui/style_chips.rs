//! The styles as chips under the prompt: a click puts one on, a right click changes it.

use super::icons::Icon;
use super::theme::{GRID, SMALL, sans, tokens};
use super::widgets::{focus_ring, heading, link, tip_text};
use crate::app::styles::Style;
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{
    Align, Color32, CornerRadius, Layout, Popup, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

const HEIGHT: f32 = 3.25 * GRID;
const GAP: f32 = 5.0;
/// Left and right of the words of a chip.
const PADDING: f32 = 10.0;
/// Rows of chips that are shown as long as not all are asked for.
const ROWS: usize = 2;

pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    ui.horizontal(|ui| {
        heading(ui, &text(language, "label-styles"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let sign = Icon::Chevron(u8::from(state.all_styles));
            let words = text(language, if state.all_styles { "label-fewer" } else { "label-all" });
            if tip_text(link(ui, Some(sign), &words), &text(language, "tip-styles"), None).clicked() {
                state.all_styles = !state.all_styles;
            }
        });
    });
    let widths: Vec<f32> = state.styles.list().iter().map(|style| width(ui, style.name_in(language))).collect();
    let fit = if state.all_styles { widths.len() } else { fitting(&widths, ui.available_width()) };
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        ui.spacing_mut().interact_size.y = HEIGHT;
        ui.horizontal_wrapped(|ui| chips(ui, state, fit, out));
    });
}

fn chips(ui: &mut Ui, state: &State, fit: usize, out: &mut Vec<Command>) {
    let language = state.language;
    for (at, style) in state.styles.list().iter().enumerate() {
        let worn = state.worn.contains(&style.name);
        // One that is on the prompt is never hidden.
        if at < fit || worn {
            style_chip(ui, state, style, worn, out);
        }
    }
    if state.all_styles {
        let words = text(language, "label-new-style");
        if chip(ui, "＋", &words, false).clicked() {
            out.push(Command::EditStyle(None));
        }
    }
}

fn style_chip(ui: &mut Ui, state: &State, style: &Style, worn: bool, out: &mut Vec<Command>) {
    let language = state.language;
    let name = style.name_in(language);
    let response = tip_text(chip(ui, name, name, worn), &style.template, Some(&text(language, "tip-style")));
    if response.clicked() {
        out.push(Command::WearStyle(style.name.clone()));
    }
    Popup::context_menu(&response).show(|ui| {
        for (id, command) in [
            ("command-edit-style", Command::EditStyle(Some(style.name.clone()))),
            ("command-remove-style", Command::RemoveStyle(style.name.clone())),
            ("label-new-style", Command::EditStyle(None)),
        ] {
            let words = text(language, id);
            let button = ui.button(&words);
            let full = text_with(language, "label-style-do", &[("do", words), ("style", name.to_owned())]);
            button.widget_info(|| WidgetInfo::labeled(Role::MenuItem, true, &full));
            if button.clicked() {
                out.push(command);
                ui.close();
            }
        }
    });
}

fn width(ui: &Ui, words: &str) -> f32 {
    let galley = ui.painter().layout_no_wrap(words.to_owned(), sans(SMALL + 0.5), Color32::PLACEHOLDER);
    galley.size().x + 2.0 * PADDING
}

/// How many chips fit into the rows.
fn fitting(widths: &[f32], room: f32) -> usize {
    let (mut rows, mut x) = (1, 0.0);
    for (at, width) in widths.iter().enumerate() {
        if x > 0.0 && x + width > room {
            rows += 1;
            x = 0.0;
            if rows > ROWS {
                return at;
            }
        }
        x += width + GAP;
    }
    widths.len()
}

fn chip(ui: &mut Ui, words: &str, name: &str, worn: bool) -> Response {
    let t = tokens(ui);
    let galley = ui.painter().layout_no_wrap(words.to_owned(), sans(SMALL + 0.5), Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 2.0 * PADDING, HEIGHT), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), worn, name));
    let (fill, line, ink) = match (worn, response.hovered()) {
        (true, _) => (t.wash, t.cinnabar_text.gamma_multiply(0.6), t.cinnabar_text),
        (_, true) => (t.raised_more, t.line_strong, t.ink),
        _ => (t.raised, t.line, t.ink_soft),
    };
    let corners = CornerRadius::same((HEIGHT / 2.0) as u8);
    ui.painter().rect(rect, corners, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let at = pos2(rect.center().x - galley.size().x / 2.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley_with_override_text_color(at, galley, ink);
    focus_ring(ui, &response, t);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_fill_two_rows() {
        assert_eq!(fitting(&[], 100.0), 0);
        assert_eq!(fitting(&[40.0; 9], 100.0), 4);
        assert_eq!(fitting(&[40.0; 3], 100.0), 3);
        assert_eq!(fitting(&[500.0; 3], 100.0), 2);
    }
}
