//! The words: what shall be seen, and what shall not.

use super::icons::Icon;
use super::input;
use super::theme::{CONTROL, GRID, PROMPT, sans, tokens};
use super::widgets::{faint, heading, link, menu_sign, tip_text};
use crate::app::State;
use crate::app::state::Draft;
use crate::words::{text, text_with};
use egui::{ComboBox, Context, Id, Layout, Margin, Response, TextEdit, Ui, vec2};

/// Where the cursor is put when words are wanted.
pub fn prompt_id() -> Id {
    Id::unique("prompt")
}

fn negative_id() -> Id {
    Id::unique("negative")
}

/// Whether this is one of the two fields for words.
pub fn is_prompt(id: Id) -> bool {
    id == prompt_id() || id == negative_id()
}

/// Takes the characters that an input method left behind out of the field that it wrote to.
pub fn take_out(ctx: &Context, field: Id, preedit: &str, draft: &mut Draft) {
    if field == prompt_id() {
        input::take_out(ctx, field, preedit, &mut draft.prompt);
    } else if field == negative_id() {
        input::take_out(ctx, field, preedit, &mut draft.negative);
    }
}

/// The row that chooses the model; gives the one that was chosen.
pub fn model(ui: &mut Ui, state: &State) -> Option<usize> {
    let language = state.language;
    let mut chosen = None;
    ui.horizontal(|ui| {
        heading(ui, &text(language, "label-model"));
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            let none = text(language, "label-no-model");
            let current = state.model().map_or(none, |model| model.name.clone());
            let combo =
                ComboBox::from_id_salt("model").width(25.0 * GRID).truncate().icon(menu_sign).selected_text(current);
            let response = combo
                .show_ui(ui, |ui| {
                    for (index, model) in state.models.iter().enumerate() {
                        let size = model.family.native;
                        let words = format!("{}   {} {size}", model.name, model.family.title);
                        if ui.selectable_label(index == state.draft.model, words).clicked() {
                            chosen = Some(index);
                        }
                    }
                })
                .response
                .accessible_name(text(language, "label-model"));
            tip_text(response, &text(language, "command-choose-model-tip"), None);
        });
    });
    chosen
}

/// The two text fields.
pub fn show(ui: &mut Ui, state: &mut State) {
    let language = state.language;
    ui.horizontal(|ui| {
        heading(ui, &text(language, "label-prompt"));
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            let count = state.draft.prompt.chars().count();
            if count > 0 {
                faint(ui, text_with(language, "label-characters", &[("count", count.to_string())]));
            }
        });
    });
    let prompt = field(ui, prompt_id(), &mut state.draft.prompt, &text(language, "hint-prompt"), 5);
    let prompt = prompt.accessible_name(text(language, "label-prompt"));
    tip_text(prompt, &text(language, "tip-prompt"), None);

    let able = state.model().is_none_or(|model| model.family.abilities.negative_prompt);
    if !able {
        return;
    }
    let sign = Icon::Chevron(u8::from(state.avoiding));
    let fold = link(ui, Some(sign), &text(language, "label-negative"));
    if tip_text(fold, &text(language, "tip-negative"), None).clicked() {
        state.avoiding = !state.avoiding;
    }
    if state.avoiding {
        let hint = text(language, "hint-negative");
        let negative = field(ui, negative_id(), &mut state.draft.negative, &hint, 2);
        let negative = negative.accessible_name(text(language, "label-negative"));
        tip_text(negative, &text(language, "tip-negative"), None);
    }
}

fn field(ui: &mut Ui, id: Id, words: &mut String, hint: &str, rows: usize) -> Response {
    let size = if rows > 2 { PROMPT } else { PROMPT - 1.5 };
    ui.scope(|ui| {
        ui.spacing_mut().extra_text_line_spacing = 3.0;
        let edit = TextEdit::multiline(words)
            .id(id)
            .font(sans(size))
            .hint_text(hint)
            .margin(Margin::symmetric(12, 10))
            .desired_width(f32::INFINITY)
            .desired_rows(rows)
            .text_color(tokens(ui).ink)
            .min_size(vec2(0.0, CONTROL));
        ui.add(edit)
    })
    .inner
}
