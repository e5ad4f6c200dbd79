//! The card that says how the document is exported.

use super::theme::{GRID, SMALL, sans, serif, tokens};
use super::widgets::{Choice, choices, faint, name, wide_button};
use crate::app::filing::{ExportKind, ExportPlan};
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{Context, Frame, Id, Margin, Modal, RichText, Slider, TextEdit, Ui, vec2};

const WIDTH: f32 = 54.0 * GRID;

/// See the module.
#[derive(Debug)]
pub struct ExportCard {
    plan: ExportPlan,
}

impl ExportCard {
    pub fn new(state: &State) -> Self {
        Self { plan: state.filing.plan.clone() }
    }

    /// The words of the pattern, if that is the field.
    pub fn field_mut(&mut self, id: Id) -> Option<&mut String> {
        (id == field()).then_some(&mut self.plan.pattern)
    }

    /// Shows it; false when it closes. While an input method composes, the keys belong to it.
    pub fn show(&mut self, ctx: &Context, state: &State, composing: bool, out: &mut Vec<Command>) -> bool {
        let escape = super::cards::take_escape(ctx) && !composing;
        let width = ctx.content_rect().width();
        let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(24)).corner_radius(10);
        let modal = Modal::new(Id::unique("export-card")).backdrop_color(super::cards::backdrop(ctx)).frame(frame);
        let modal = modal.show(ctx, |ui| {
            ui.set_width(WIDTH.min(width - 8.0 * GRID));
            self.contents(ui, state, out)
        });
        !(modal.inner || escape || modal.backdrop_response.clicked())
    }

    fn contents(&mut self, ui: &mut Ui, state: &State, out: &mut Vec<Command>) -> bool {
        let language = state.language;
        let t = tokens(ui);
        ui.label(RichText::new(text(language, "label-export")).font(serif(18.0)).color(t.ink));
        ui.add_space(GRID);
        let plan = &mut self.plan;
        let tips =
            ["tip-export-png", "tip-export-jpeg", "tip-export-webp", "tip-export-ora"].map(|id| text(language, id));
        let items: Vec<_> = ExportKind::ALL
            .iter()
            .zip(&tips)
            .map(|(kind, tip)| Choice { words: kind.title(), note: "", tip, chosen: plan.kind == *kind })
            .collect();
        if let Some(kind) = choices(ui, 5.0 * GRID, &items).and_then(|index| ExportKind::ALL.get(index)) {
            plan.kind = *kind;
        }
        ui.add_space(GRID);
        let picture = plan.kind != ExportKind::OpenRaster;
        if plan.kind == ExportKind::WebP {
            ui.checkbox(&mut plan.lossless, text(language, "label-lossless"));
        }
        let lossy = plan.kind == ExportKind::Jpeg || (plan.kind == ExportKind::WebP && !plan.lossless);
        if lossy {
            let label = text(language, "label-quality");
            name(ui, &label);
            ui.add(Slider::new(&mut plan.quality, 1..=100)).accessible_name(label);
        }
        if picture {
            let label = text(language, "label-scale");
            name(ui, &label);
            ui.horizontal(|ui| {
                ui.add(Slider::new(&mut plan.percent, 10..=400).suffix(" %")).accessible_name(label);
                let size = plan.size(state.desk.document().extent());
                faint(ui, format!("{} × {}", size.width, size.height));
            });
        }
        ui.checkbox(&mut plan.metadata, text(language, "label-metadata"));
        ui.add_space(GRID);
        let label = text(language, "label-pattern");
        name(ui, &label);
        let edit = TextEdit::singleline(&mut plan.pattern)
            .id(field())
            .font(sans(SMALL + 2.0))
            .margin(Margin::symmetric(10, 7))
            .desired_width(f32::INFINITY);
        ui.add(edit).accessible_name(label);
        faint(ui, text_with(language, "hint-pattern", &[("name", plan.file_name(&state.desk.paper))]));
        ui.add_space(2.0 * GRID);
        ui.horizontal(|ui| {
            let size = vec2((ui.available_width() - GRID) / 2.0, 5.0 * GRID);
            let export = wide_button(ui, size, &text(language, "command-export"), "", true).clicked();
            let leave = wide_button(ui, size, &text(language, "unsaved-stay"), "", false).clicked();
            if export {
                out.push(Command::ExportAs(plan.clone()));
            }
            export || leave
        })
        .inner
    }
}

fn field() -> Id {
    Id::unique("export-pattern")
}
