//! What was made in this session, as a strip; a click brings it back to the easel.

use super::textures::Textures;
use super::theme::{GRID, MARGIN, Tokens, tokens};
use super::widgets::tip_text;
use crate::app::state::{Forming, Painting};
use crate::app::{Command, State, View};
use crate::words::{text, text_with};
use egui::{
    CornerRadius, Image, Margin, Rect, Response, Role, ScrollArea, Sense, Stroke, StrokeKind, TextureHandle, Ui,
    WidgetInfo, load::SizedTexture, vec2,
};

/// Height of a thumbnail.
const TILE: f32 = 9.0 * GRID;
/// Height of the strip.
pub const HEIGHT: f32 = TILE + 3.0 * GRID;

/// True if there is something to show.
pub fn is_wanted(state: &State) -> bool {
    !state.paintings.is_empty() || state.forming.is_some()
}

pub fn show(ui: &mut Ui, state: &State, textures: &mut Textures, out: &mut Vec<Command>) {
    let scroll = ScrollArea::horizontal().auto_shrink(false).content_margin(Margin::symmetric(MARGIN as i8, 0));
    scroll.show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 1.5 * GRID;
            if let Some(forming) = &state.forming {
                let count = state.ledger.running().map_or(1, |(entry, _)| entry.recipe.batch.max(1) as usize);
                for number in 1..=count {
                    forming_tile(ui, state, forming, (number, count), textures, out);
                }
            }
            for (index, painting) in state.paintings.iter().enumerate() {
                painting_tile(ui, state, index, painting, textures, out);
            }
        });
    });
}

/// Picture `number` of `count` that form together.
fn forming_tile(
    ui: &mut Ui,
    state: &State,
    forming: &Forming,
    (number, count): (usize, usize),
    textures: &mut Textures,
    out: &mut Vec<Command>,
) {
    let args = [("number", number.to_string()), ("count", count.to_string())];
    let words = match count {
        1 => text(state.language, "command-look-at-easel"),
        _ => text_with(state.language, "label-forming", &args),
    };
    let ratio = forming.size.width as f32 / forming.size.height.max(1) as f32;
    let response = tile(ui, ratio, &words, state.view == View::Easel);
    let t = tokens(ui);
    ui.painter().rect_filled(response.rect, CornerRadius::same(4), t.sheet);
    if let Some(texture) = textures.previews(ui.ctx(), forming).get(number - 1) {
        draw(ui, response.rect, texture);
    }
    if let Some((_, running)) = state.ledger.running() {
        let share = running.index as f32 / running.total.max(1) as f32;
        let mut bar = response.rect;
        bar.set_top(bar.bottom() - 3.0);
        bar.set_width(bar.width() * share);
        ui.painter().rect_filled(bar, CornerRadius::ZERO, t.cinnabar_bright);
    }
    frame(ui, &response, state.view == View::Easel, t);
    let tip = text(state.language, "command-look-at-easel-tip");
    if tip_text(response, &tip, None).clicked() {
        out.push(Command::LookAtEasel);
    }
}

fn painting_tile(
    ui: &mut Ui,
    state: &State,
    index: usize,
    painting: &Painting,
    textures: &mut Textures,
    out: &mut Vec<Command>,
) {
    let chosen = state.view == View::Painting(painting.id);
    let ratio = painting.picture.width() as f32 / painting.picture.height().max(1) as f32;
    let args = [("number", (index + 1).to_string()), ("prompt", painting.recipe.prompt.clone())];
    let response = tile(ui, ratio, &text_with(state.language, "label-painting", &args), chosen);
    if chosen && !ui.clip_rect().contains_rect(response.rect) {
        response.scroll_to_me(None);
    }
    if !ui.is_rect_visible(response.rect) {
        return;
    }
    let t = tokens(ui);
    match textures.thumbnail(ui.ctx(), painting.id, painting.thumbnail.as_deref()) {
        Some(texture) => draw(ui, response.rect, texture),
        None => {
            ui.painter().rect_filled(response.rect, CornerRadius::same(4), t.raised);
        }
    }
    frame(ui, &response, chosen, t);
    let tip = format!("{}\n{}", painting.recipe.prompt, text(state.language, "command-look-at-tip"));
    let response = tip_text(response, &tip, None);
    if response.clicked() {
        out.push(Command::LookAt(painting.id));
    }
    if response.double_clicked() {
        out.push(Command::ReuseRecipe);
    }
}

fn tile(ui: &mut Ui, ratio: f32, words: &str, chosen: bool) -> Response {
    let size = vec2((TILE * ratio).clamp(TILE * 0.5, TILE * 2.0).round(), TILE);
    let (_, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), chosen, words));
    response
}

/// Fills `rect`, cutting off what does not fit its shape.
fn draw(ui: &Ui, rect: Rect, texture: &TextureHandle) {
    let size = texture.size_vec2();
    let scale = (rect.width() / size.x).max(rect.height() / size.y);
    let seen = rect.size() / (size * scale);
    let uv = Rect::from_center_size(egui::pos2(0.5, 0.5), seen);
    let image = Image::from_texture(SizedTexture::from_handle(texture)).uv(uv);
    image.corner_radius(CornerRadius::same(4)).paint_at(ui, rect);
}

fn frame(ui: &Ui, response: &Response, chosen: bool, t: &Tokens) {
    let (stroke, grown) = match (chosen, response.hovered() || response.has_focus()) {
        (true, _) => (Stroke::new(2.0, t.cinnabar_bright), 3.0),
        (_, true) => (Stroke::new(1.0, t.ink_faint), 0.0),
        _ => (Stroke::new(1.0, t.line), 0.0),
    };
    let rect = response.rect.expand(grown);
    ui.painter().rect_stroke(rect, CornerRadius::same(5), stroke, StrokeKind::Inside);
}
