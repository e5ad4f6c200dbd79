//! The card with the documents that earlier sessions have left, since they ended suddenly.

use super::theme::{GRID, SMALL, serif, tokens};
use super::widgets::{faint, link};
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{Align, Context, Frame, Id, Layout, Margin, Modal, RichText, ScrollArea, Ui};
use std::time::SystemTime;

const WIDTH: f32 = 54.0 * GRID;

/// Shows it; false when it closes.
pub fn show(ctx: &Context, state: &State, out: &mut Vec<Command>) -> bool {
    let escape = super::cards::take_escape(ctx);
    let width = ctx.content_rect().width();
    let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(24)).corner_radius(10);
    let modal = Modal::new(Id::unique("lost-card")).backdrop_color(super::cards::backdrop(ctx)).frame(frame);
    let modal = modal.show(ctx, |ui| {
        ui.set_width(WIDTH.min(width - 8.0 * GRID));
        contents(ui, state, out)
    });
    !(modal.inner || escape || modal.backdrop_response.clicked() || state.filing.lost.is_empty())
}

fn contents(ui: &mut Ui, state: &State, out: &mut Vec<Command>) -> bool {
    let language = state.language;
    let t = tokens(ui);
    ui.label(RichText::new(text(language, "label-lost")).font(serif(18.0)).color(t.ink));
    ui.add_space(4.0);
    let advice = RichText::new(text(language, "label-lost-advice")).size(SMALL + 1.0).color(t.ink_soft);
    ui.add(egui::Label::new(advice).wrap());
    ui.add_space(GRID);
    let mut opened = false;
    ScrollArea::vertical().max_height(40.0 * GRID).show(ui, |ui| {
        for lost in &state.filing.lost {
            ui.push_id(lost.number, |ui| {
                ui.horizontal(|ui| {
                    let name = if lost.name.is_empty() { text(language, "label-untitled") } else { lost.name.clone() };
                    ui.label(RichText::new(name).color(tokens(ui).ink));
                    let minutes = SystemTime::now().duration_since(lost.saved).unwrap_or_default().as_secs() / 60;
                    let (id, count) = match minutes {
                        0..60 => ("label-minutes-ago", minutes),
                        60..1440 => ("label-hours-ago", minutes / 60),
                        _ => ("label-days-ago", minutes / 1440),
                    };
                    faint(ui, text_with(language, id, &[("count", count.to_string())]));
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        let [restore, discard] = [Command::RestoreLost(lost.number), Command::DiscardLost(lost.number)];
                        if link(ui, None, &text(language, &discard.text_id())).clicked() {
                            out.push(discard);
                        }
                        ui.add_space(GRID);
                        if link(ui, None, &text(language, &restore.text_id())).clicked() {
                            out.push(restore);
                            opened = true;
                        }
                    });
                });
            });
        }
    });
    opened
}
