//! One picture, large, and what is known of it.

use super::super::icons::Icon;
use super::super::theme::{GRID, SMALL, Tokens, sans, serif, tokens};
use super::super::widgets::{faint, heading, icon_button_sized, link, tip_text};
use super::textures::Drawn;
use super::zoom::Zoom;
use super::{Gallery, acts_of_one, broken, head, name_of, named_image, size_of, tip};
use crate::app::wall::Act;
use crate::app::{Command, State};
use crate::gallery::EntryId;
use crate::recipe::metadata::Spot;
use crate::words::{Language, text, text_with};
use egui::{
    Align, Align2, Color32, CornerRadius, Frame, Label, Layout, Margin, Rect, RichText, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, UiBuilder, Vec2, pos2, vec2,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Width of the facts.
const FACTS: f32 = 38.0 * GRID;
/// Narrower rooms have the picture alone.
const LEAST_WITH_FACTS: f32 = 82.0 * GRID;

/// Draws it; gives the part with the picture.
pub fn show(
    gallery: &mut Gallery,
    ui: &mut Ui,
    room: Rect,
    id: EntryId,
    state: &mut State,
    out: &mut Vec<Command>,
) -> Rect {
    let language = state.language;
    let place = state.wall.place(id).map_or(0, |place| place + 1);
    let args = [("place", place.to_string()), ("count", state.wall.ids().len().to_string())];
    let favourite = state.wall.entry(id).is_some_and(|entry| entry.favourite);
    let below = head(ui, room, language, out, &text_with(language, "label-wall-place", &args), |ui, out| {
        acts_of_one(ui, language, favourite, out);
    });
    let with_facts = room.width() >= LEAST_WITH_FACTS;
    let split = if with_facts { below.right() - FACTS } else { below.right() };
    let stage = Rect::from_min_max(below.min, pos2(split, below.bottom()));
    picture(gallery, ui, stage, id, state, out);
    if with_facts {
        facts(ui, Rect::from_min_max(pos2(split, below.top()), below.max), id, state, out);
    }
    stage
}

fn picture(gallery: &mut Gallery, ui: &mut Ui, stage: Rect, id: EntryId, state: &mut State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let language = state.language;
    let ctx = ui.ctx().clone();
    let drawn = gallery.textures.picture(&ctx, &mut state.wall, id);
    let extent = state.wall.entry(id).map(|entry| size_of(entry.facts.extent));
    let words = state.wall.entry(id).map(|entry| name_of(language, &entry.facts.prompt, &entry.facts.path));
    let room = stage.shrink2(vec2(7.0 * GRID, 3.0 * GRID));
    let size = match (&drawn, extent) {
        (_, Some(extent)) if extent.x > 1.0 => extent,
        (Drawn::Texture(_, size), _) => *size,
        _ => vec2(512.0, 512.0),
    };
    let response =
        named_image(ui, stage, ui.scope_id().with("large"), Sense::CLICK | Sense::DRAG, &words.unwrap_or_default());
    gallery.zoom.follow(ui, room, size, &response);
    let place = gallery.zoom.place(room, size);
    let painter = ui.painter().with_clip_rect(stage);
    match drawn {
        Drawn::Texture(texture, _) => {
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture, place, uv, Color32::WHITE);
            painter.rect_stroke(place, CornerRadius::ZERO, Stroke::new(1.0, t.line), StrokeKind::Outside);
        }
        Drawn::Broken => broken(ui, room, language, t.ink_faint),
        Drawn::Coming => {
            painter.rect_filled(place, CornerRadius::same(2), t.sheet);
        }
    }
    if gallery.zoom != Zoom::default() {
        let percent = format!("{:.0} %", gallery.zoom.share(ui, room, size) * 100.0);
        let at = stage.left_bottom() + vec2(2.0 * GRID, -2.0 * GRID);
        painter.text(at, Align2::LEFT_BOTTOM, percent, sans(SMALL), t.ink_soft);
    }
    let at = state.wall.place(id);
    let last = state.wall.ids().len().saturating_sub(1);
    let side = vec2(5.0 * GRID, 8.0 * GRID);
    for (act, sign, x, there) in [
        (Act::Previous, 2, stage.left() + 3.5 * GRID, at.is_some_and(|at| at > 0)),
        (Act::Next, 0, stage.right() - 3.5 * GRID, at.is_some_and(|at| at < last)),
    ] {
        if !there {
            continue;
        }
        let button = Rect::from_center_size(pos2(x, stage.center().y), side);
        ui.scope_builder(UiBuilder::new().max_rect(button), |ui| {
            let words = text(language, &Command::Wall(act.clone()).text_id());
            if tip(icon_button_sized(ui, Icon::Chevron(sign), &words, None, side), language, &act).clicked() {
                out.push(Command::Wall(act));
            }
        });
    }
    super::menu::show(&response, language, 1, state.wall.entry(id).is_some_and(|entry| entry.favourite), out);
}

/// The prompt, and what the recipe says, whoever wrote it.
fn facts(ui: &mut Ui, room: Rect, id: EntryId, state: &State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let language = state.language;
    ui.painter().rect_filled(room, CornerRadius::ZERO, t.panel);
    ui.painter().vline(room.left() + 0.5, room.y_range(), Stroke::new(1.0, t.line));
    let Some(entry) = state.wall.entry(id) else { return };
    let details = state.wall.details.as_ref().filter(|details| details.entry.id == id);
    ui.scope_builder(UiBuilder::new().max_rect(room), |ui| {
        let margin = Margin { left: 24, right: 24, top: 20, bottom: 24 };
        ScrollArea::vertical().id_salt("facts").auto_shrink(false).content_margin(margin).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            let facts = &entry.facts;
            if !facts.prompt.trim().is_empty() {
                words(ui, language, "label-prompt", &facts.prompt, 17.0, t);
            }
            if !facts.negative.trim().is_empty() {
                words(ui, language, "label-negative", &facts.negative, 14.0, t);
            }
            if details.is_some_and(|details| details.recipe.is_none()) {
                ui.add(Label::new(RichText::new(text(language, "note-wall-no-recipe")).color(t.ink_faint)).wrap());
            } else {
                let reuse = Command::Wall(Act::Reuse);
                let link = link(ui, Some(Icon::Reuse), &text(language, &reuse.text_id()));
                if tip(link, language, &Act::Reuse).clicked() {
                    out.push(reuse);
                }
            }
            ui.add_space(GRID);
            rows(ui, &listed(language, state, id), t);
            if let Some(recipe) = details.and_then(|details| details.recipe.as_ref()).filter(|r| !r.extra.is_empty()) {
                ui.add_space(GRID);
                heading(ui, &text(language, "label-wall-others"));
                let others: Vec<_> = recipe.extra.iter().map(|(name, value)| (shorter(name), shorter(value))).collect();
                rows(ui, &others, t);
            }
        });
    });
}

/// Beyond this, a value of another program is cut off: some keep whole workflows there.
const LONGEST: usize = 200;

fn shorter(words: &str) -> String {
    if words.chars().count() <= LONGEST {
        words.to_owned()
    } else {
        words.chars().take(LONGEST).chain(['…']).collect()
    }
}

fn words(ui: &mut Ui, language: Language, name: &str, words: &str, size: f32, t: &Tokens) {
    ui.horizontal(|ui| {
        heading(ui, &text(language, name));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let label = text(language, "label-wall-copy-words");
            let button = icon_button_sized(ui, Icon::Copy, &label, None, Vec2::splat(24.0));
            if tip_text(button, &label, None).clicked() {
                ui.ctx().copy_text(words.to_owned());
            }
        });
    });
    let frame = Frame::new();
    frame.show(ui, |ui| {
        ui.spacing_mut().extra_text_line_spacing = 3.0;
        ui.add(Label::new(RichText::new(words).font(serif(size)).color(t.ink)).wrap().selectable(true));
    });
    ui.add_space(GRID);
}

/// Names and values.
fn listed(language: Language, state: &State, id: EntryId) -> Vec<(String, String)> {
    let Some(entry) = state.wall.entry(id) else { return Vec::new() };
    let facts = &entry.facts;
    let named = |name: &str, value: Option<String>| value.map(|value| (text(language, name), value));
    let recipe = state.wall.details.as_ref().filter(|d| d.entry.id == id).and_then(|d| d.recipe.as_ref());
    let steps = facts.steps.map(|steps| text_with(language, "label-steps-of", &[("count", steps.to_string())]));
    let known = [
        named("label-size", (!facts.is_broken()).then(|| facts.extent.to_string())),
        named("label-model", facts.model.clone()),
        named("label-sampler", facts.sampler.clone()),
        named(
            "label-schedule",
            recipe.and_then(|r| r.schedule).map(|s| text(language, &format!("schedule-{}", s.key()))),
        ),
        named("label-steps", steps),
        named("label-guidance", facts.guidance.map(|guidance| guidance.to_string())),
        named("label-seed", facts.seed.map(|seed| seed.to_string())),
        named("label-strength", recipe.and_then(|r| r.strength).map(|share| format!("{:.0}%", share * 100.0))),
        named("label-repaint", recipe.filter(|r| r.repaint).map(|r| part_words(language, r.spot))),
        named("label-wall-source", Some(facts.source.clone()).filter(|source| !source.is_empty())),
        named("label-wall-made", Some(ago(language, facts.created, SystemTime::now()))),
        named("label-wall-file", Some(facts.path.display().to_string())),
        named("label-wall-bytes", Some(bytes(facts.stamp.bytes))),
    ];
    known.into_iter().flatten().collect()
}

/// Which part of a canvas was repainted.
fn part_words(language: Language, spot: Option<Spot>) -> String {
    let Some(Spot { canvas, frame }) = spot else { return text(language, "label-repaint-somewhere") };
    let args = [
        ("canvas", canvas.to_string()),
        ("part", frame.extent().to_string()),
        ("x", frame.x.to_string()),
        ("y", frame.y.to_string()),
    ];
    text_with(language, "label-repaint-part", &args)
}

fn rows(ui: &mut Ui, rows: &[(String, String)], t: &Tokens) {
    for (name, value) in rows {
        ui.horizontal_top(|ui| {
            let column = vec2(10.0 * GRID, 2.5 * GRID);
            ui.allocate_ui_with_layout(column, Layout::left_to_right(Align::Min), |ui| {
                ui.set_min_size(column);
                ui.add(Label::new(RichText::new(name).size(SMALL).color(t.ink_faint)).truncate());
            });
            let value = RichText::new(value).size(SMALL).color(t.ink_soft);
            ui.add(Label::new(value).wrap().selectable(true));
        });
    }
    if rows.is_empty() {
        faint(ui, "–");
    }
}

/// How long ago, roughly; `created` in nanoseconds since 1970.
fn ago(language: Language, created: i64, now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    let minutes = now.saturating_sub(created).max(0) / 60_000_000_000;
    let (id, count) = match minutes {
        0 => ("label-wall-ago-now", 0),
        1..60 => ("label-wall-ago-minutes", minutes),
        60..1440 => ("label-wall-ago-hours", minutes / 60),
        1440..43_200 => ("label-wall-ago-days", minutes / 1440),
        43_200..525_600 => ("label-wall-ago-months", minutes / 43_200),
        _ => ("label-wall-ago-years", minutes / 525_600),
    };
    text_with(language, id, &[("count", count.to_string())])
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Extent, IntRect};
    use std::time::Duration;

    #[test]
    fn times_and_sizes_as_people_say_them() {
        let now = UNIX_EPOCH + Duration::from_secs(400 * 24 * 3600);
        let said = |seconds: i64| ago(Language::En, (400 * 24 * 3600 - seconds) * 1_000_000_000, now);
        let words = [(-5, "just now"), (59, "just now"), (61, "1"), (7200, "2"), (3 * 86_400, "3"), (40 * 86_400, "1")];
        for (seconds, words) in words {
            assert!(said(seconds).contains(words), "{seconds}: {}", said(seconds));
        }
        assert!(said(390 * 86_400).contains("year"));
        assert_eq!([bytes(3), bytes(2048), bytes(1_572_864)], ["3 B", "2 KiB", "1.5 MiB"]);
    }

    #[test]
    fn what_part_was_repainted_is_said() {
        let spot = Spot { canvas: Extent::new(1024, 768), frame: IntRect::new(64, -8, 256, 320) };
        let said = part_words(Language::ZhCn, Some(spot));
        assert!(["1024×768", "256×320", "64", "-8"].iter().all(|number| said.contains(number)), "{said}");
        assert_ne!(part_words(Language::ZhCn, None), said);
    }

    #[test]
    fn whole_workflows_are_cut_off() {
        assert_eq!(shorter("山水"), "山水");
        assert_eq!(shorter(&"山".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
