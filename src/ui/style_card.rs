//! The card that changes a style, or makes a new one.

use super::theme::{GRID, SMALL, sans, serif, tokens};
use super::widgets::{faint, name, wide_button};
use crate::app::styles::Style;
use crate::app::{Command, State};
use crate::words::{Language, text};
use egui::{Context, Frame, Id, Margin, Modal, RichText, TextEdit, Ui, vec2};

const WIDTH: f32 = 54.0 * GRID;

/// See the module.
#[derive(Debug)]
pub struct StyleCard {
    /// The name that it had; `None` for a new one.
    old: Option<String>,
    style: Style,
    fresh: bool,
}

fn field(which: &str) -> Id {
    Id::unique("style-card").with(which)
}

impl StyleCard {
    pub fn new(name: Option<String>, state: &State) -> Self {
        let known = name.as_deref().and_then(|name| state.styles.get(name)).cloned();
        let old = known.as_ref().map(|style| style.name.clone());
        let empty = || Style {
            name: String::new(),
            english: String::new(),
            template: "{prompt}，".into(),
            negative: String::new(),
        };
        Self { old, style: known.unwrap_or_else(empty), fresh: true }
    }

    /// The words of a field.
    pub fn field_mut(&mut self, id: Id) -> Option<&mut String> {
        let fields = [
            ("name", &mut self.style.name),
            ("template", &mut self.style.template),
            ("negative", &mut self.style.negative),
        ];
        fields.into_iter().find(|(which, _)| field(which) == id).map(|(_, words)| words)
    }

    /// Shows it; false when it closes. While an input method composes, the keys belong to it.
    pub fn show(&mut self, ctx: &Context, state: &State, composing: bool, out: &mut Vec<Command>) -> bool {
        let escape = super::cards::take_escape(ctx) && !composing;
        let width = ctx.content_rect().width();
        let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(24)).corner_radius(10);
        let modal = Modal::new(Id::unique("style-card")).backdrop_color(super::cards::backdrop(ctx)).frame(frame);
        let modal = modal.show(ctx, |ui| {
            ui.set_width(WIDTH.min(width - 8.0 * GRID));
            self.contents(ui, state.language, out)
        });
        !(modal.inner || escape || modal.backdrop_response.clicked())
    }

    /// True if it is done.
    fn contents(&mut self, ui: &mut Ui, language: Language, out: &mut Vec<Command>) -> bool {
        let title = if self.old.is_some() { "command-edit-style" } else { "label-new-style" };
        ui.label(RichText::new(text(language, title)).font(serif(18.0)).color(tokens(ui).ink));
        ui.add_space(4.0);
        let Self { style, fresh, .. } = self;
        let fields = [
            ("name", "label-style-name", &mut style.name, 1),
            ("template", "label-style-template", &mut style.template, 2),
            ("negative", "label-style-negative", &mut style.negative, 2),
        ];
        for (which, label, words, rows) in fields {
            let label = text(language, label);
            name(ui, &label);
            let edit = if rows == 1 { TextEdit::singleline(words) } else { TextEdit::multiline(words) };
            let edit = edit
                .id(field(which))
                .font(sans(SMALL + 2.0))
                .margin(Margin::symmetric(10, 7))
                .desired_width(f32::INFINITY)
                .desired_rows(rows);
            let response = ui.add(edit).accessible_name(label);
            if std::mem::take(fresh) {
                response.request_focus();
            }
            if which == "template" {
                faint(ui, text(language, "hint-style-template"));
            }
        }
        ui.add_space(GRID);
        ui.horizontal(|ui| {
            let able = !self.style.name.trim().is_empty();
            let count = if self.old.is_some() { 3.0 } else { 2.0 };
            let size = vec2((ui.available_width() - (count - 1.0) * GRID) / count, 5.0 * GRID);
            let save = ui.add_enabled_ui(able, |ui| {
                wide_button(ui, size, &text(language, "command-set-style"), "", true).clicked()
            });
            let leave = wide_button(ui, size, &text(language, "label-leave"), "", false).clicked();
            if save.inner {
                out.push(Command::SetStyle(self.old.clone(), self.style.clone()));
            }
            let remove = self
                .old
                .as_ref()
                .filter(|_| wide_button(ui, size, &text(language, "command-remove-style"), "", false).clicked());
            if let Some(old) = remove {
                out.push(Command::RemoveStyle(old.clone()));
            }
            save.inner || leave || remove.is_some()
        })
        .inner
    }
}
