//! The words: what shall be seen, and what shall not.

use super::icons::Icon;
use super::input;
use super::style_chips;
use super::theme::{CONTROL, GRID, PROMPT, RADIUS, SMALL, sans, tokens};
use super::widgets::{faint, focus_ring, heading, icon_button_sized, link, menu_sign, tip_text};
use crate::app::prompt_edit::adjust_weight;
use crate::app::state::Draft;
use crate::app::{Command, State};
use crate::recipe::prompt::plain;
use crate::words::{text, text_with};
use egui::text::{CCursor, CCursorRange};
use egui::text_edit::TextEditState;
use egui::{
    Align, Align2, Color32, ComboBox, Context, CornerRadius, Id, Layout, Margin, Popup, PopupCloseBehavior, Response,
    Role, ScrollArea, Sense, TextEdit, Ui, Vec2, WidgetInfo, vec2,
};

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
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
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
pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    ui.horizontal(|ui| {
        heading(ui, &text(language, "label-prompt"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            history(ui, state, out);
            // Weights are not read.
            let count = plain(&state.draft.prompt).chars().count();
            // The two signs that stand for the beginning and the end are not the artist's.
            let limit = state.model().map(|model| model.family.tokens.saturating_sub(2));
            let words = match limit {
                Some(limit) => format!("{count} / {limit}"),
                None => count.to_string(),
            };
            let args = [("count", count.to_string()), ("limit", limit.unwrap_or_default().to_string())];
            tip_text(faint(ui, words), &text_with(language, "tip-characters", &args), None);
        });
    });
    let prompt = field(ui, prompt_id(), &mut state.draft.prompt, &text(language, "hint-prompt"), 4);
    let prompt = prompt.accessible_name(text(language, "label-prompt"));
    // Who writes needs no help, and what lies below the field must stay in sight.
    if !prompt.has_focus() {
        tip_text(prompt, &text(language, "tip-prompt"), None);
    }
    style_chips::show(ui, state, out);

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
        if !negative.has_focus() {
            tip_text(negative, &text(language, "tip-negative"), None);
        }
    }
}

/// The button that shows the prompts of before, and their list.
fn history(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let button = tip_text(link(ui, None, &text(language, "label-history")), &text(language, "tip-history"), None);
    let chosen = Popup::from_toggle_button_response(&button)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .accessible_name(text(language, "label-history"))
        .gap(4.0)
        .show(|ui| {
            ui.set_width(44.0 * GRID);
            let field = Id::unique("history-query");
            let mut query = ui.data(|data| data.get_temp::<String>(field)).unwrap_or_default();
            let hint = text(language, "hint-history");
            let edit = TextEdit::singleline(&mut query).id(field).hint_text(&hint).desired_width(f32::INFINITY);
            let edit = ui.add(edit.margin(Margin::symmetric(10, 6))).accessible_name(hint);
            if button.clicked() {
                edit.request_focus();
            }
            let found = state.history.search(&query);
            let mut chosen = None;
            let most = (ui.ctx().content_rect().height() * 0.5).min(45.0 * GRID);
            ScrollArea::vertical().max_height(most).min_scrolled_height(most).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                if found.is_empty() {
                    faint(ui, text(language, "label-nothing-found"));
                }
                for prompt in &found {
                    if let Some(command) = history_row(ui, state, prompt) {
                        chosen = Some(command);
                    }
                }
            });
            ui.data_mut(|data| data.insert_temp(field, query));
            chosen
        })
        .and_then(|shown| shown.inner);
    if let Some(command) = chosen {
        if matches!(command, Command::UsePrompt(_)) {
            Popup::close_all(ui.ctx());
        }
        out.push(command);
    }
}

fn history_row(ui: &mut Ui, state: &State, prompt: &str) -> Option<Command> {
    let language = state.language;
    let t = tokens(ui);
    let mut done = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let size = vec2(ui.available_width() - 3.5 * GRID, CONTROL);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::ListBoxOption, true, prompt));
        let lit = response.hovered() || response.has_focus();
        let fill = if lit { t.line.gamma_multiply(0.7) } else { Color32::TRANSPARENT };
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS), fill);
        let line: String = prompt.lines().next().unwrap_or_default().to_owned();
        let inside = rect.shrink2(vec2(GRID, 0.0));
        let clipped = ui.painter().with_clip_rect(inside.intersect(ui.clip_rect()));
        clipped.text(inside.left_center(), Align2::LEFT_CENTER, line, sans(SMALL + 1.0), t.ink);
        focus_ring(ui, &response, t);
        if tip_text(response, prompt, None).clicked() {
            done = Some(Command::UsePrompt(prompt.to_owned()));
        }
        let forget = Command::ForgetPrompt(prompt.to_owned());
        let words = format!("{}：{prompt}", text(language, &forget.text_id()));
        if icon_button_sized(ui, Icon::Close, &words, None, Vec2::splat(3.25 * GRID)).clicked() {
            done = Some(forget);
        }
    });
    done
}

/// The field for words that had the focus last.
fn last_field(ctx: &Context) -> Id {
    ctx.data(|data| data.get_temp(Id::unique("last-prompt"))).unwrap_or_else(prompt_id)
}

/// Changes the weight of the words that are selected, or of those at the caret, in the field that had the focus last.
/// The field's own undo takes it back.
pub fn weigh(ctx: &Context, draft: &mut Draft, step: f64) {
    let field = last_field(ctx);
    let words = if field == negative_id() { &mut draft.negative } else { &mut draft.prompt };
    let mut state = TextEditState::load(ctx, field).unwrap_or_default();
    let end = CCursorRange::one(CCursor::new(words.chars().count()));
    let range = state.cursor.char_range().unwrap_or(end);
    let chars = range.as_sorted_char_range();
    let Some(edit) = adjust_weight(words, chars.start.0..chars.end.0, step) else { return };
    let mut undoer = state.undoer();
    undoer.add_undo(&(range, words.clone()));
    state.set_undoer(undoer);
    let selection = CCursorRange::two(CCursor::new(edit.selection.start), CCursor::new(edit.selection.end));
    state.cursor.set_char_range(Some(selection));
    state.store(ctx, field);
    *words = edit.text;
    ctx.request_repaint();
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
        let response = ui.add(edit);
        if response.has_focus() {
            ui.data_mut(|data| data.insert_temp(Id::unique("last-prompt"), id));
        }
        response
    })
    .inner
}
