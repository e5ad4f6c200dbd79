//! A finished picture by itself, and the empty desk that teaches.

use super::icons::{Icon, seal};
use super::textures::Textures;
use super::theme::{BODY, GRID, RADIUS, SMALL, TITLE, Tokens, VERSE, sans, serif, tokens};
use super::toasts;
use super::widgets::{focus_ring, icon_button, link, tip};
use crate::app::command::EXAMPLES;
use crate::app::state::Painting;
use crate::app::{Command, State};
use crate::jobs::Running;
use crate::recipe::Phase;
use crate::words::{Language, text, text_with};
use egui::{
    Align, Align2, Color32, CornerRadius, Image, Layout, Rect, RichText, Role, Sense, Shadow, Stroke, StrokeKind, Ui,
    UiBuilder, Vec2, WidgetInfo, load::SizedTexture, pos2, vec2,
};
use std::time::Instant;

/// Between the picture and the edge of the ground.
const MAT: f32 = 5.0 * GRID;
/// Height of the lines under the picture.
const CAPTION: f32 = 7.0 * GRID;
/// A picture is not enlarged beyond this.
const MOST_SCALE: f32 = 3.0;

/// Draws it into all the room there is; gives where messages may lie.
pub fn show(ui: &mut Ui, state: &State, textures: &mut Textures, out: &mut Vec<Command>) -> toasts::Room {
    let rect = ui.max_rect();
    let taken = match state.looked_at() {
        Some(painting) => Some(finished(ui, rect, state, painting, textures, out)),
        None => {
            empty(ui, rect, state, out);
            None
        }
    };
    toasts::Room { rect, taken }
}

/// Where a picture of a size stands, and its caption under it.
fn places(room: Rect, size: Vec2) -> (Rect, Rect) {
    let free = Rect::from_min_max(room.min, pos2(room.right(), room.bottom() - CAPTION)).shrink(MAT);
    let scale = (free.width() / size.x).min(free.height() / size.y).clamp(0.01, MOST_SCALE);
    let picture = Rect::from_center_size(free.center(), size * scale);
    let width = picture.width().max(56.0 * GRID).min(room.width() - 2.0 * GRID);
    let top = pos2(room.center().x - width / 2.0, picture.bottom() + 1.5 * GRID);
    (picture, Rect::from_min_size(top, vec2(width, CAPTION)))
}

fn sheet(ui: &Ui, rect: Rect, t: &Tokens) {
    let shadow = Shadow { offset: [0, 10], blur: 40, spread: 0, color: t.shadow };
    ui.painter().add(shadow.as_shape(rect, CornerRadius::same(2)));
    ui.painter().rect_filled(rect, CornerRadius::same(2), t.sheet);
}

fn border(ui: &Ui, rect: Rect, t: &Tokens) {
    let stroke = Stroke::new(1.0, t.line);
    ui.painter().rect_stroke(rect, CornerRadius::same(2), stroke, StrokeKind::Outside);
}

/// Draws a picture; gives the part with its caption.
fn finished(
    ui: &mut Ui,
    room: Rect,
    state: &State,
    painting: &Painting,
    textures: &mut Textures,
    out: &mut Vec<Command>,
) -> Rect {
    let t = tokens(ui);
    let language = state.language;
    let size = vec2(painting.picture.width() as f32, painting.picture.height() as f32);
    let (place, caption) = places(room, size);
    sheet(ui, place, t);
    if let Some(texture) = textures.painting(ui.ctx(), painting.id, &painting.picture) {
        Image::from_texture(SizedTexture::from_handle(texture)).paint_at(ui, place);
    }
    border(ui, place, t);
    let picture = ui.interact(place, ui.scope_id().with("picture"), Sense::hover());
    picture.widget_info(|| WidgetInfo::labeled(Role::Image, true, &painting.recipe.prompt));

    let recipe = &painting.recipe;
    let facts = [
        recipe.size.to_string(),
        recipe.sampling.sampler.title().to_owned(),
        text_with(language, "label-steps-of", &[("count", recipe.sampling.steps.to_string())]),
        text_with(language, "label-seed-of", &[("seed", recipe.seed.to_string())]),
        painting.model.clone(),
    ];
    let facts = facts.into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join("  ·  ");
    ui.scope_builder(UiBuilder::new().max_rect(caption), |ui| {
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for (command, icon) in [
                (Command::PutOnCanvas(painting.id), Icon::SendToCanvas),
                (Command::SaveAs, Icon::Save),
                (Command::OpenFolder, Icon::Folder),
                (Command::ReuseSeed, Icon::Pin),
                (Command::ReuseRecipe, Icon::Reuse),
            ] {
                let button = icon_button(ui, icon, &text(language, &command.text_id()), None);
                if tip(button, language, &command).clicked() {
                    out.push(command);
                }
            }
            ui.add_space(GRID);
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                ui.add(egui::Label::new(RichText::new(one_line(&recipe.prompt)).color(t.ink)).truncate());
                ui.add(egui::Label::new(RichText::new(facts).size(SMALL).color(t.ink_faint)).truncate());
            });
        });
    });
    caption
}

fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How far the running job is, in a row.
pub fn progress(ui: &mut Ui, place: Rect, state: &State, t: &Tokens) {
    let language = state.language;
    let Some((_, running)) = state.ledger.running() else {
        let at = place.left_center();
        ui.painter().text(at, Align2::LEFT_CENTER, text(language, "label-preparing"), sans(BODY), t.ink);
        return;
    };
    let (words, share) = phase_words(language, running);

    let line = Rect::from_min_size(place.min, vec2(place.width(), 3.0));
    let painter = ui.painter();
    painter.rect_filled(line, CornerRadius::same(2), t.line);
    let mut done = line;
    done.set_width(line.width() * share.clamp(0.0, 1.0) as f32);
    painter.rect_filled(done, CornerRadius::same(2), t.cinnabar_bright);
    let bar = ui.interact(line, ui.scope_id().with("progress"), Sense::hover());
    bar.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, &words);
        info.value = Some(share);
        info
    });

    let below = Rect::from_min_max(place.min + vec2(0.0, 1.5 * GRID), place.max);
    ui.scope_builder(UiBuilder::new().max_rect(below), |ui| {
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            let waiting = state.ledger.waiting().len();
            if waiting > 0 {
                let words = text_with(language, "label-waiting", &[("count", waiting.to_string())]);
                ui.label(RichText::new(words).size(SMALL).color(t.ink_faint));
            }
            if let Some(left) = state.seconds_left(Instant::now()).filter(|_| !running.stopping) {
                ui.label(RichText::new(time_left(language, left)).color(t.ink_soft));
            }
            ui.with_layout(Layout::left_to_right(Align::Min), |ui| {
                ui.label(RichText::new(&words).color(t.ink));
                if running.total > 0 {
                    let steps = format!("{} / {}", running.index, running.total);
                    ui.label(RichText::new(steps).color(t.ink_soft));
                }
            });
        });
    });
}

/// What the running job does, and how much of it is done, 0 to 1.
pub fn phase_words(language: Language, running: &Running) -> (String, f64) {
    let (words, share) = match running.phase {
        None => (text(language, "phase-waking"), 0.0),
        Some(Phase::Converting { fraction }) => (percent(language, "phase-converting", fraction), fraction),
        Some(Phase::Loading { fraction }) => (percent(language, "phase-loading", fraction), fraction),
        Some(Phase::Encoding) => (text(language, "phase-encoding"), 0.0),
        Some(Phase::Sampling) => {
            let share = running.index as f64 / running.total.max(1) as f64;
            (text(language, "phase-sampling"), share)
        }
        Some(Phase::Decoding) => (text(language, "phase-decoding"), 1.0),
    };
    (if running.stopping { text(language, "phase-stopping") } else { words }, share)
}

fn percent(language: Language, id: &str, fraction: f64) -> String {
    let percent = (fraction.clamp(0.0, 1.0) * 100.0).floor();
    text_with(language, id, &[("percent", percent.to_string())])
}

/// Rounded up, so that it is 0 only at the end.
pub fn time_left(language: Language, seconds: f64) -> String {
    let whole = seconds.max(0.0).ceil() as u64;
    let args = [("minutes", (whole / 60).to_string()), ("seconds", (whole % 60).to_string())];
    text_with(language, if whole < 60 { "label-left-seconds" } else { "label-left-minutes" }, &args)
}

fn empty(ui: &mut Ui, room: Rect, state: &State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let language = state.language;
    let width = (65.0 * GRID).min(room.width() - 4.0 * GRID);
    let height = if state.models.is_empty() { 30.0 * GRID } else { 58.0 * GRID };
    let top = (room.center().y - height / 2.0 - GRID).max(room.top() + 2.0 * GRID);
    let column = Rect::from_min_size(pos2(room.center().x - width / 2.0, top), vec2(width, height));
    ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
        ui.vertical_centered(|ui| {
            let (mark, _) = ui.allocate_exact_size(Vec2::splat(8.0 * GRID), Sense::hover());
            seal(ui.painter(), mark, t);
            ui.add_space(2.5 * GRID);
            if state.models.is_empty() {
                ui.label(RichText::new(text(language, "empty-no-model")).font(serif(TITLE - 4.0)).color(t.ink));
                let folder = [("folder", state.models_folder.display().to_string())];
                ui.label(RichText::new(text_with(language, "empty-no-model-advice", &folder)).color(t.ink_soft));
                ui.add_space(2.0 * GRID);
                let open = Command::OpenModels;
                if tip(link(ui, Some(Icon::Folder), &text(language, &open.text_id())), language, &open).clicked() {
                    out.push(open);
                }
                return;
            }
            ui.label(RichText::new(text(language, "empty-title")).font(serif(TITLE)).color(t.ink));
            ui.label(RichText::new(text(language, "empty-advice")).color(t.ink_soft));
            ui.add_space(3.0 * GRID);
            for number in 0..EXAMPLES {
                example(ui, language, number, t, out);
            }
            ui.add_space(2.0 * GRID);
            let keys = |command: &Command| command.shortcut().map(|s| s.label()).unwrap_or_default();
            let args = [("paint", keys(&Command::Generate)), ("stop", keys(&Command::Cancel))];
            let words = RichText::new(text_with(language, "empty-keys", &args)).size(SMALL);
            ui.label(words.color(t.ink_faint));
        });
    });
}

/// A verse that one click paints.
fn example(ui: &mut Ui, language: Language, number: usize, t: &Tokens, out: &mut Vec<Command>) {
    let words = text(Language::ZhCn, &format!("example-{}", number + 1));
    let note = text(language, &format!("example-{}-note", number + 1));
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 9.0 * GRID), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    let (hovered, down) = (response.hovered() || response.has_focus(), response.is_pointer_button_down_on());
    let painter = ui.painter();
    let (fill, line) = match (down, hovered) {
        (true, _) => (t.wash, t.cinnabar),
        (_, true) => (t.raised, t.line_strong),
        _ => (Color32::TRANSPARENT, t.line),
    };
    painter.rect(rect, CornerRadius::same(RADIUS), fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let left = rect.left() + 3.0 * GRID;
    painter.text(pos2(left, rect.top() + 26.0), Align2::LEFT_CENTER, &words, serif(VERSE), t.ink);
    painter.text(pos2(left, rect.bottom() - 21.0), Align2::LEFT_CENTER, note, sans(SMALL), t.ink_faint);
    if hovered {
        let words = text(language, "command-generate");
        let at = pos2(rect.right() - 2.0 * GRID, rect.center().y);
        painter.text(at, Align2::RIGHT_CENTER, words, sans(BODY), t.cinnabar_text);
    }
    focus_ring(ui, &response, t);
    // What a click does stands on the card itself; a tip would cover the next one.
    if response.clicked() {
        out.push(Command::Example(number));
    }
}
