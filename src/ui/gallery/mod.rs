//! The gallery: the middle of the window while every picture that was made is looked through. The state is
//! [`crate::app::wall`]; here are textures, the zoom, and what is drawn.

mod bar;
mod cell;
mod compare;
mod grid;
mod large;
mod menu;
mod textures;
mod zoom;

use super::icons::Icon;
use super::theme::{GRID, serif, tokens};
use super::toasts;
use super::widgets::{faint, icon_button, icon_button_sized, link, tip_text};
use super::{input, widgets};
use crate::app::wall::Act;
use crate::app::{Command, State};
use crate::base::Extent;
use crate::words::{Language, text, text_with};
use egui::{
    Align, Color32, CornerRadius, Id, Layout, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder,
    Vec2, WidgetInfo, pos2, vec2,
};
use textures::Textures;
use zoom::Zoom;

/// What the gallery keeps from frame to frame.
#[derive(Default)]
pub struct Gallery {
    textures: Textures,
    zoom: Zoom,
    grid: grid::Memory,
}

/// The search field.
pub fn search_id() -> Id {
    Id::unique("gallery-search")
}

/// Takes the characters that an input method left behind out of the search field, if it wrote there.
pub fn take_out(ctx: &egui::Context, field: Id, preedit: &str, state: &mut State) {
    if field == search_id() {
        input::take_out(ctx, field, preedit, &mut state.wall.filter.words);
    }
}

impl Gallery {
    /// Draws it into all the room there is; gives where messages may lie.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) -> toasts::Room {
        self.textures.begin();
        let ctx = ui.ctx().clone();
        if let Some(picture) = state.wall.clipboard.take() {
            let size = [picture.width() as usize, picture.height() as usize];
            ctx.copy_image(egui::ColorImage::from_rgba_unmultiplied(size, picture.rgba()));
        }
        drops(ui, state, out);
        let room = ui.max_rect();
        let free = if state.wall.comparing.is_some() {
            compare::show(self, ui, room, state, out);
            toasts::Room { rect: room, taken: None }
        } else if let Some(id) = state.wall.looking {
            let rect = large::show(self, ui, room, id, state, out);
            toasts::Room { rect, taken: None }
        } else {
            self.zoom = Zoom::default();
            bar::show(ui, state, out);
            self.wall(ui, state, out)
        };
        if self.textures.has_more() {
            ctx.request_repaint();
        }
        free
    }

    fn wall(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) -> toasts::Room {
        let rect = ui.available_rect_before_wrap();
        let mut taken = None;
        if !state.wall.ids().is_empty() {
            grid::show(self, ui, rect, state, out);
            taken = bar::chosen(ui, rect, state, out);
        } else {
            state.wall.see(0..0);
            empty(ui, rect, state, out);
        }
        toasts::Room { rect, taken }
    }
}

/// Files that are dragged over the window, and dropped.
fn drops(ui: &Ui, state: &State, out: &mut Vec<Command>) {
    let (hovering, dropped) = ui.input(|input| {
        let dropped: Vec<_> = input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect();
        (!input.raw.hovered_files.is_empty(), dropped)
    });
    if !dropped.is_empty() {
        out.push(Command::Wall(Act::Import(dropped)));
    }
    if hovering {
        let t = tokens(ui);
        let room = ui.max_rect();
        let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, Id::unique("drop")));
        painter.rect_filled(room, CornerRadius::ZERO, t.ground.gamma_multiply(0.9));
        let stroke = Stroke::new(2.0, t.cinnabar_bright);
        painter.rect_stroke(room.shrink(2.0 * GRID), CornerRadius::same(12), stroke, StrokeKind::Inside);
        let words = text(state.language, "hint-wall-drop");
        painter.text(room.center(), egui::Align2::CENTER_CENTER, words, serif(22.0), t.ink);
    }
}

/// What is said where there is nothing to show, with what can be done about it.
fn empty(ui: &mut Ui, room: Rect, state: &State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let language = state.language;
    let width = (56.0 * GRID).min(room.width() - 4.0 * GRID);
    let top = room.center().y - 14.0 * GRID;
    let column = Rect::from_min_size(pos2(room.center().x - width / 2.0, top), vec2(width, 28.0 * GRID));
    ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
        ui.vertical_centered(|ui| {
            if !state.wall.is_answered() || (state.wall.scan.is_some() && !state.wall.filter.narrows()) {
                ui.add_space(10.0 * GRID);
                faint(ui, text(language, "empty-wall-opening"));
                return;
            }
            let narrowed = state.wall.filter.narrows();
            let (mark, _) = ui.allocate_exact_size(Vec2::splat(7.0 * GRID), Sense::hover());
            let sign = if narrowed { Icon::Search } else { Icon::Gallery };
            super::icons::paint_sized(ui.painter(), mark, sign, t.line_strong, 44.0);
            ui.add_space(2.0 * GRID);
            let (title, advice) = match (narrowed, state.wall.filter.favourites_only) {
                (false, _) => ("empty-wall-title", "empty-wall-advice"),
                (true, true) => ("empty-wall-favourites", "empty-wall-favourites-advice"),
                (true, false) => ("empty-wall-nothing", "empty-wall-nothing-advice"),
            };
            ui.label(RichText::new(text(language, title)).font(serif(24.0)).color(t.ink));
            ui.add_space(4.0);
            let folder = [("folder", state.wall.folder().display().to_string())];
            let advice = RichText::new(text_with(language, advice, &folder)).color(t.ink_soft);
            ui.add(egui::Label::new(advice).wrap());
            ui.add_space(2.0 * GRID);
            let (sign, command) = match narrowed {
                true => (Icon::Close, Command::Wall(Act::ClearFilter)),
                false => (Icon::Brush, Command::ShowStudio),
            };
            if widgets::tip(link(ui, Some(sign), &text(language, &command.text_id())), language, &command).clicked() {
                out.push(command);
            }
        });
    });
}

/// Adds a tooltip: what an act does, and its keys.
fn tip(response: Response, language: Language, act: &Act) -> Response {
    let id = Command::Wall(act.clone()).tooltip_id();
    tip_text(response, &text(language, &id), act.keys().as_deref())
}

/// A sign that does something.
fn act_button(ui: &mut Ui, language: Language, icon: Icon, act: Act, on: Option<bool>, out: &mut Vec<Command>) {
    let words = text(language, &Command::Wall(act.clone()).text_id());
    if tip(icon_button(ui, icon, &words, on), language, &act).clicked() {
        out.push(Command::Wall(act));
    }
}

/// The signs for what can be done with one picture.
fn acts_of_one(ui: &mut Ui, language: Language, favourite: bool, out: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.x = 2.0;
    let star = if favourite { Icon::StarFilled } else { Icon::Star };
    let mut acts = [
        (star, Act::Favourite),
        (Icon::Compare, Act::Compare),
        (Icon::Reuse, Act::Reuse),
        (Icon::SendToCanvas, Act::ToCanvas),
        (Icon::Copy, Act::Copy),
        (Icon::Export, Act::Export),
        (Icon::Folder, Act::Reveal),
        (Icon::Trash, Act::Delete),
    ];
    // Read from the left in either case.
    if ui.layout().prefer_right_to_left() {
        acts.reverse();
    }
    for (icon, act) in acts {
        let on = (act == Act::Favourite).then_some(favourite);
        act_button(ui, language, icon, act, on, out);
    }
}

/// The bar above a large picture: back at the left, `middle`, and signs at the right.
fn head(
    ui: &mut Ui,
    room: Rect,
    language: Language,
    out: &mut Vec<Command>,
    middle: &str,
    right: impl FnOnce(&mut Ui, &mut Vec<Command>),
) -> Rect {
    let t = tokens(ui);
    let bar = Rect::from_min_size(room.min, vec2(room.width(), 7.0 * GRID));
    ui.painter().rect_filled(bar, CornerRadius::ZERO, t.panel);
    ui.painter().hline(bar.x_range(), bar.bottom() - 0.5, Stroke::new(1.0, t.line));
    let inner = bar.shrink2(vec2(2.0 * GRID, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let back = Act::Back;
            let words = text(language, &Command::Wall(back.clone()).text_id());
            let button = icon_button_sized(ui, Icon::Chevron(2), &words, None, Vec2::splat(4.0 * GRID));
            if tip(button, language, &back).clicked() {
                out.push(Command::Wall(back));
            }
            faint(ui, middle);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                right(ui, out);
            });
        });
    });
    Rect::from_min_max(pos2(room.left(), bar.bottom()), room.max)
}

/// The mark in place of a picture that cannot be shown.
fn broken(ui: &Ui, rect: Rect, language: Language, color: Color32) {
    let side = (rect.width().min(rect.height()) * 0.2).clamp(14.0, 36.0);
    super::icons::paint_sized(ui.painter(), rect, Icon::Warning, color, side);
    if rect.width() > 96.0 {
        let at = rect.center() + vec2(0.0, side / 2.0 + 14.0);
        let words = text(language, "label-wall-broken");
        ui.painter().text(at, egui::Align2::CENTER_CENTER, words, super::theme::sans(super::theme::SMALL), color);
    }
}

/// The largest rectangle of a shape inside `room`, not larger than `most` times its size.
fn fitted(room: Rect, size: Vec2, most: f32) -> Rect {
    let scale = (room.width() / size.x.max(1.0)).min(room.height() / size.y.max(1.0)).clamp(1e-4, most);
    Rect::from_center_size(room.center(), size * scale)
}

fn size_of(extent: Extent) -> Vec2 {
    if extent.is_empty() { vec2(1.0, 1.0) } else { vec2(extent.width as f32, extent.height as f32) }
}

/// What a screen reader says of a picture.
fn name_of(language: Language, prompt: &str, file: &std::path::Path) -> String {
    let words = one_line(prompt);
    if !words.is_empty() {
        return words;
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if name.is_empty() { text(language, "label-wall-picture") } else { name }
}

fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An image for a screen reader.
fn named_image(ui: &Ui, rect: Rect, id: Id, sense: Sense, words: &str) -> Response {
    let response = ui.interact(rect, id, sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words));
    response
}
