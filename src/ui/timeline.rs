//! How a picture formed: a small picture for each step. The one under the pointer is shown large, in its place.

use super::textures::Textures;
use super::theme::{GRID, MARGIN, SMALL, Tokens, sans, tokens};
use crate::app::State;
use crate::app::state::Trail;
use crate::words::text_with;
use egui::{
    Align2, CornerRadius, Image, Margin, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    load::SizedTexture, pos2, vec2,
};

/// Height of a step.
const TILE: f32 = 5.0 * GRID;
/// Height of the whole.
pub const HEIGHT: f32 = TILE + 2.0 * GRID;

/// The trail that is shown: of what forms, else of [`State::told_of`].
pub fn shown(state: &State) -> Option<&Trail> {
    let forming = state.forming.as_ref().filter(|_| state.looked_at().is_none());
    let trail = match forming {
        Some(forming) => forming.trails.first(),
        None => state.told_of().map(|painting| &painting.trail),
    };
    trail.filter(|trail| !trail.is_empty())
}

/// Draws the row; gives the step under the pointer or with the focus, from 0.
pub fn show(ui: &mut Ui, state: &State, trail: &Trail, textures: &mut Textures) -> Option<usize> {
    let t = tokens(ui);
    let mut looked_at = None;
    let scroll = ScrollArea::horizontal().auto_shrink(false).content_margin(Margin::symmetric(MARGIN as i8, 0));
    scroll.stick_to_right(true).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let ctx = ui.ctx().clone();
            for (k, texture) in textures.trail(&ctx, trail).enumerate() {
                let size = texture.size_vec2();
                let width = (TILE * size.x / size.y.max(1.0)).clamp(TILE * 0.5, TILE * 2.0).round();
                let (rect, response) = ui.allocate_exact_size(vec2(width, TILE), Sense::click());
                let words = text_with(state.language, "label-step", &[("number", (k + 1).to_string())]);
                response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
                if !ui.is_rect_visible(rect) {
                    continue;
                }
                let image = Image::from_texture(SizedTexture::from_handle(texture));
                image.corner_radius(CornerRadius::same(3)).paint_at(ui, rect);
                let chosen = response.hovered() || response.has_focus();
                let color = if chosen { t.cinnabar_bright } else { t.line };
                ui.painter().rect_stroke(rect, CornerRadius::same(3), Stroke::new(1.0, color), StrokeKind::Inside);
                if chosen {
                    number(ui, rect, k + 1, t);
                    looked_at = Some(k);
                }
            }
        });
    });
    looked_at
}

/// The step's number, in its corner.
fn number(ui: &Ui, rect: Rect, number: usize, t: &Tokens) {
    let words = ui.painter().layout_no_wrap(number.to_string(), sans(SMALL - 1.5), t.on_cinnabar);
    let size = words.size() + vec2(6.0, 2.0);
    let place = Rect::from_min_size(pos2(rect.left(), rect.bottom() - size.y), size);
    ui.painter().rect_filled(place, CornerRadius::same(3), t.cinnabar);
    let at = Align2::CENTER_CENTER.align_size_within_rect(words.size(), place).min;
    ui.painter().galley(at, words, t.on_cinnabar);
}
