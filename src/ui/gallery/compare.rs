//! Two pictures held against each other: side by side, or one over the other with a line that is drawn to and fro.

use super::super::icons::Icon;
use super::super::theme::{GRID, SMALL, Tokens, sans, tokens};
use super::super::widgets::link;
use super::textures::Drawn;
use super::{Gallery, act_button, broken, head, name_of, named_image, size_of, tip};
use crate::app::wall::{Act, Comparison};
use crate::app::{Command, State};
use crate::gallery::EntryId;
use crate::words::text;
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

pub fn show(gallery: &mut Gallery, ui: &mut Ui, room: Rect, state: &mut State, out: &mut Vec<Command>) {
    let Some(comparison) = state.wall.comparing else { return };
    let language = state.language;
    let title = text(language, "label-wall-comparing");
    let below = head(ui, room, language, out, &title, |ui, out| {
        act_button(ui, language, Icon::Compare, Act::Slider, Some(comparison.slider), out);
        let swap = Command::Wall(Act::Swap);
        if tip(link(ui, None, &text(language, &swap.text_id())), language, &Act::Swap).clicked() {
            out.push(swap);
        }
    });
    let stage = below.shrink(2.0 * GRID);
    let caption = 4.0 * GRID;
    let pictures = Rect::from_min_max(stage.min, pos2(stage.right(), stage.bottom() - caption));
    let size = shape(state, comparison);
    let ctx = ui.ctx().clone();
    let drawn = comparison.pair.map(|id| gallery.textures.picture(&ctx, &mut state.wall, id));
    let t = tokens(ui);
    if comparison.slider {
        slider(gallery, ui, pictures, size, &drawn, comparison, state);
        let names = [Align2::LEFT_TOP, Align2::RIGHT_TOP];
        for ((id, align), x) in comparison.pair.into_iter().zip(names).zip([pictures.left(), pictures.right()]) {
            name(ui, state, id, pos2(x, pictures.bottom() + 10.0), align, pictures.width() / 2.0 - GRID, t);
        }
        return;
    }
    let gap = GRID;
    let half = (pictures.width() - gap) / 2.0;
    for (k, (id, drawn)) in comparison.pair.into_iter().zip(&drawn).enumerate() {
        let left = pictures.left() + (half + gap) * k as f32;
        let side = Rect::from_min_size(pos2(left, pictures.top()), vec2(half, pictures.height()));
        let words = words(state, id);
        let response = named_image(ui, side, ui.scope_id().with(("compare", k)), Sense::CLICK | Sense::DRAG, &words);
        gallery.zoom.follow(ui, side, size, &response);
        let place = gallery.zoom.place(side, size);
        draw(ui, drawn, place, side, state, t);
        name(ui, state, id, pos2(side.center().x, side.bottom() + 10.0), Align2::CENTER_TOP, side.width(), t);
    }
}

/// The first picture's size serves for both, so that the same place of both is seen; one of another shape is fitted in.
fn shape(state: &State, comparison: Comparison) -> Vec2 {
    let [first, _] = comparison.pair;
    let size = state.wall.entry(first).map(|entry| size_of(entry.facts.extent));
    size.filter(|size| size.x > 1.0).unwrap_or(vec2(512.0, 512.0))
}

fn words(state: &State, id: EntryId) -> String {
    let entry = state.wall.entry(id);
    entry.map(|entry| name_of(state.language, &entry.facts.prompt, &entry.facts.path)).unwrap_or_default()
}

fn draw(ui: &Ui, drawn: &Drawn, place: Rect, clip: Rect, state: &State, t: &Tokens) {
    let painter = ui.painter().with_clip_rect(clip);
    match drawn {
        Drawn::Texture(texture, size) => {
            let inside = super::fitted(place, *size, f32::INFINITY);
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.rect_filled(place, CornerRadius::ZERO, t.sheet);
            painter.image(*texture, inside, uv, Color32::WHITE);
            painter.rect_stroke(place, CornerRadius::ZERO, Stroke::new(1.0, t.line), StrokeKind::Outside);
        }
        Drawn::Broken => broken(ui, clip, state.language, t.ink_faint),
        Drawn::Coming => {
            painter.rect_filled(place, CornerRadius::same(2), t.sheet);
        }
    }
}

fn slider(
    gallery: &mut Gallery,
    ui: &mut Ui,
    room: Rect,
    size: Vec2,
    drawn: &[Drawn; 2],
    comparison: Comparison,
    state: &mut State,
) {
    let t = tokens(ui);
    let [first, second] = comparison.pair;
    let both = format!("{} / {}", words(state, first), words(state, second));
    let response = named_image(ui, room, ui.scope_id().with("compare"), Sense::CLICK | Sense::DRAG, &both);
    gallery.zoom.follow(ui, room, size, &response);
    let place = gallery.zoom.place(room, size);
    let seen = place.intersect(room);
    let x = seen.left() + seen.width() * comparison.parting.clamp(0.0, 1.0);
    let [below, above] = drawn;
    draw(ui, above, place, room, state, t);
    draw(ui, below, place, Rect::from_min_max(room.min, pos2(x, room.bottom())), state, t);

    let handle = Rect::from_center_size(pos2(x, seen.center().y), vec2(3.0 * GRID, seen.height()));
    let grip = ui.interact(handle, ui.scope_id().with("parting"), Sense::drag());
    let name = text(state.language, "label-wall-parting");
    grip.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Slider, true, &name);
        info.value = Some(f64::from(comparison.parting));
        info
    });
    let mut parting = comparison.parting;
    if let Some(pointer) = grip.interact_pointer_pos().filter(|_| grip.dragged()) {
        parting = (pointer.x - seen.left()) / seen.width().max(1.0);
    }
    if grip.has_focus() {
        let step = ui.input(|input| {
            input.num_presses(egui::Key::ArrowRight) as f32 - input.num_presses(egui::Key::ArrowLeft) as f32
        });
        parting += step * 0.05;
    }
    if let Some(comparison) = &mut state.wall.comparing {
        comparison.parting = parting.clamp(0.0, 1.0);
    }
    let ink = if grip.hovered() || grip.dragged() || grip.has_focus() { t.cinnabar_bright } else { t.on_cinnabar };
    let painter = ui.painter();
    painter.vline(x, seen.y_range(), Stroke::new(3.0, Color32::from_black_alpha(90)));
    painter.vline(x, seen.y_range(), Stroke::new(1.5, ink));
    painter.circle(pos2(x, seen.center().y), 11.0, Color32::from_black_alpha(170), Stroke::new(1.5, ink));
    for (direction, quarters) in [(-5.0, 2), (5.0, 0)] {
        let at = Rect::from_center_size(pos2(x + direction, seen.center().y), Vec2::splat(8.0));
        super::super::icons::paint_sized(painter, at, Icon::Chevron(quarters), ink, 10.0);
    }
    grip.on_hover_cursor(CursorIcon::ResizeHorizontal);
}

fn name(ui: &Ui, state: &State, id: EntryId, at: egui::Pos2, align: Align2, width: f32, t: &Tokens) {
    let facts = state.wall.entry(id).map(|entry| &entry.facts);
    let seed = facts.and_then(|facts| facts.seed);
    let seed = seed.map(|seed| crate::words::text_with(state.language, "label-seed-of", &[("seed", seed.to_string())]));
    let words = [seed, Some(words(state, id))].into_iter().flatten().collect::<Vec<_>>().join("  ·  ");
    let short: String = words.chars().take(200).collect();
    let mut job = egui::text::LayoutJob::simple_singleline(short, sans(SMALL), t.ink_soft);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width);
    let galley = ui.painter().layout_job(job);
    ui.painter().galley(align.anchor_size(at, galley.size()).min, galley, t.ink_soft);
}
