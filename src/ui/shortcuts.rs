//! The editor of shortcuts: every command with its keys; a click on a key records another.

use super::icons::Icon;
use super::keys::shortcut;
use super::theme::{BODY, CONTROL, GRID, RADIUS, SMALL, sans, serif, tokens};
use super::widgets::{faint, focus_ring, heading, icon_button_sized, link, tip_text, wide_button};
use crate::app::commands::{ENTRIES, Entry, Group, Index, entry};
use crate::app::{Key, Shortcut, State};
use crate::words::{Language, text, text_with};
use egui::{
    Align, Align2, Color32, Context, CornerRadius, Event, EventFilter, Frame, Id, Layout, Margin, Modal, Response,
    RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, Ui, Vec2, WidgetInfo, vec2,
};
use std::collections::HashSet;

const WIDTH: f32 = 78.0 * GRID;
const HEIGHT: f32 = 80.0 * GRID;

/// See the module.
#[derive(Debug, Default)]
pub struct Shortcuts {
    query: String,
    /// The keys that are recorded: of which command, and which of them.
    recording: Option<(&'static str, usize)>,
    conflict: Option<Conflict>,
    index: Option<(Language, Index)>,
}

/// Keys that other commands have.
#[derive(Debug)]
struct Conflict {
    stem: &'static str,
    place: usize,
    keys: Shortcut,
    others: Vec<&'static str>,
}

impl Shortcuts {
    /// The field for searching.
    pub fn field() -> Id {
        Id::unique("shortcuts-query")
    }

    pub fn query_mut(&mut self) -> &mut String {
        &mut self.query
    }

    /// Makes it ready to be shown anew.
    pub fn open(&mut self) {
        self.query.clear();
        self.recording = None;
        self.conflict = None;
    }

    /// Every key is for the editor.
    pub const fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Shows it; false when it closes. While an input method composes, the keys belong to it.
    pub fn show(&mut self, ctx: &Context, state: &mut State, composing: bool) -> bool {
        let mut escape = false;
        if self.is_recording() {
            self.record(ctx, state);
        } else {
            escape = super::cards::take_escape(ctx) && !composing;
        }
        let screen = ctx.content_rect().size();
        let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(20)).corner_radius(10);
        let modal = Modal::new(Id::unique("shortcuts")).backdrop_color(super::cards::backdrop(ctx)).frame(frame);
        let modal = modal.show(ctx, |ui| {
            ui.set_width(WIDTH.min(screen.x - 10.0 * GRID));
            ui.set_height(HEIGHT.min(screen.y - 14.0 * GRID));
            self.contents(ui, state)
        });
        !(modal.inner || escape || modal.backdrop_response.clicked())
    }

    /// Takes the keys that are pressed: Esc gives up, Backspace takes the keys away, all others are the new ones.
    fn record(&mut self, ctx: &Context, state: &mut State) {
        let mut pressed = None;
        ctx.input_mut(|input| {
            input.events.retain(|event| match event {
                Event::Key { key, modifiers, pressed: down, repeat, .. } => {
                    if *down && !repeat {
                        pressed = pressed.or(shortcut(*key, *modifiers));
                    }
                    false
                }
                Event::Text(_) => false,
                _ => true,
            });
        });
        let (Some(keys), Some((stem, place))) = (pressed, self.recording) else { return };
        self.recording = None;
        if keys == Shortcut::plain(Key::Escape) {
            return;
        }
        if keys == Shortcut::plain(Key::Backspace) {
            let mut own = state.keymap.keys(stem).to_vec();
            if place < own.len() {
                own.remove(place);
            }
            state.keymap.set(stem, &own);
            return;
        }
        let others: Vec<_> = state.keymap.conflicts(keys).into_iter().filter(|other| *other != stem).collect();
        let conflict = Conflict { stem, place, keys, others };
        if conflict.others.is_empty() {
            conflict.settle(state);
        } else {
            self.conflict = Some(conflict);
        }
    }

    /// True if it shall close.
    fn contents(&mut self, ui: &mut Ui, state: &mut State) -> bool {
        let language = state.language;
        let mut close = false;
        ui.horizontal(|ui| {
            ui.label(RichText::new(text(language, "command-shortcuts")).font(serif(19.0)).color(tokens(ui).ink));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let words = text(language, "command-dismiss");
                close = icon_button_sized(ui, Icon::Close, &words, None, Vec2::splat(CONTROL)).clicked();
                let hint = text(language, "hint-shortcuts");
                let edit = TextEdit::singleline(&mut self.query)
                    .id(Self::field())
                    .hint_text(&hint)
                    .margin(Margin::symmetric(10, 6))
                    .desired_width(26.0 * GRID);
                ui.add(edit).accessible_name(hint);
            });
        });
        faint(ui, text(language, "label-shortcuts-advice"));
        ui.add_space(4.0);
        let footer = 6.0 * GRID;
        let room = ui.available_height() - footer;
        ScrollArea::vertical().max_height(room).min_scrolled_height(room).auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            self.list(ui, state);
        });
        ui.with_layout(Layout::bottom_up(Align::Max), |ui| {
            let words = text(language, "label-reset-keys");
            let changed = !state.keymap.own().is_empty();
            let button =
                ui.add_enabled_ui(changed, |ui| wide_button(ui, vec2(20.0 * GRID, 4.5 * GRID), &words, "", false));
            if button.inner.clicked() {
                state.keymap.reset_all();
                self.conflict = None;
            }
        });
        close
    }

    fn list(&mut self, ui: &mut Ui, state: &mut State) {
        let language = state.language;
        if self.index.as_ref().is_none_or(|(of, _)| *of != language) {
            self.index = Some((language, Index::new(language)));
        }
        let found: HashSet<&str> = match &self.index {
            Some((_, index)) => index.search(&self.query, &[]).iter().map(|hit| hit.entry.stem()).collect(),
            None => HashSet::new(),
        };
        if found.is_empty() {
            faint(ui, text(language, "label-nothing-found"));
        }
        for group in Group::ALL {
            let entries = || ENTRIES.iter().filter(|e| e.group == group && found.contains(e.stem()));
            if entries().next().is_none() {
                continue;
            }
            ui.add_space(GRID);
            heading(ui, &text(language, group.text_id()));
            for entry in entries() {
                self.row(ui, state, entry);
            }
        }
    }

    fn row(&mut self, ui: &mut Ui, state: &mut State, entry: &'static Entry) {
        let (language, stem) = (state.language, entry.stem());
        let name = text(language, &entry.command.text_id());
        ui.horizontal(|ui| {
            ui.set_height(CONTROL);
            ui.label(RichText::new(&name).color(tokens(ui).ink));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                ui.add_space(GRID);
                let own = state.keymap.own().contains_key(stem);
                let size = Vec2::splat(3.25 * GRID);
                if own {
                    let words = text_with(language, "label-reset-key", &[("command", name.clone())]);
                    let button = icon_button_sized(ui, Icon::Reuse, &words, None, size);
                    if tip_text(button, &words, None).clicked() {
                        state.keymap.reset(stem);
                    }
                } else {
                    ui.allocate_exact_size(size, Sense::hover());
                }
                let keys = state.keymap.keys(stem).to_vec();
                let labels = keys.iter().map(|keys| keys.label()).chain(["＋".to_owned()]);
                let chips: Vec<_> = labels.enumerate().collect();
                for (place, label) in chips.into_iter().rev() {
                    let recorded = self.recording == Some((stem, place));
                    let words = if place < keys.len() {
                        text_with(language, "label-key-of", &[("command", name.clone()), ("keys", label.clone())])
                    } else {
                        text_with(language, "label-key-add", &[("command", name.clone())])
                    };
                    let shown = if recorded { text(language, "label-press-keys") } else { label };
                    let response = chip(ui, &shown, &words, recorded, place < keys.len());
                    if recorded {
                        hold(ui, &response);
                    } else if response.clicked() {
                        self.recording = Some((stem, place));
                        self.conflict = None;
                        response.request_focus();
                    }
                }
            });
        });
        if self.conflict.as_ref().is_some_and(|conflict| conflict.stem == stem) {
            self.ask(ui, state, &name);
        }
    }

    /// Says who has the keys, and offers to take them over.
    fn ask(&mut self, ui: &mut Ui, state: &mut State, name: &str) {
        let language = state.language;
        let Some(conflict) = &self.conflict else { return };
        let title = |stem: &&str| entry(stem).map(|entry| text(language, &entry.command.text_id()));
        let others: Vec<String> = conflict.others.iter().filter_map(title).collect();
        let t = tokens(ui);
        let frame = Frame::new().fill(t.wash).corner_radius(RADIUS).inner_margin(Margin::symmetric(12, 8));
        let mut answer = None;
        frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            let args = [("keys", conflict.keys.label()), ("others", others.join("、"))];
            ui.label(RichText::new(text_with(language, "label-key-taken", &args)).size(SMALL + 0.5).color(t.ink));
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 2.0 * GRID;
                let take = text_with(language, "label-key-take", &[("command", name.to_owned())]);
                if link(ui, None, &take).clicked() {
                    answer = Some(true);
                }
                if link(ui, None, &text(language, "label-key-leave")).clicked() {
                    answer = Some(false);
                }
            });
        });
        if let Some(take) = answer
            && let Some(conflict) = self.conflict.take()
            && take
        {
            for other in &conflict.others {
                let rest: Vec<_> = state.keymap.keys(other).iter().copied().filter(|k| *k != conflict.keys).collect();
                state.keymap.set(other, &rest);
            }
            conflict.settle(state);
        }
    }
}

impl Conflict {
    /// Gives the keys to the command.
    fn settle(&self, state: &mut State) {
        let mut own = state.keymap.keys(self.stem).to_vec();
        match own.get_mut(self.place) {
            Some(place) => *place = self.keys,
            None => own.push(self.keys),
        }
        let mut seen = HashSet::new();
        own.retain(|keys| seen.insert(*keys));
        state.keymap.set(self.stem, &own);
    }
}

/// Keeps the keyboard on a chip that records, whatever key is pressed.
fn hold(ui: &Ui, response: &Response) {
    if !response.has_focus() {
        response.request_focus();
    }
    let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
}

/// A key that can be pressed, in the form of a key.
fn chip(ui: &mut Ui, shown: &str, name: &str, recorded: bool, key: bool) -> Response {
    let t = tokens(ui);
    let galley = ui.painter().layout_no_wrap(shown.to_owned(), sans(SMALL), Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 2.0 * GRID, 3.25 * GRID), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, recorded, name));
    let (fill, line, ink) = match (recorded, response.hovered(), key) {
        (true, ..) => (t.wash, t.cinnabar_text, t.cinnabar_text),
        (_, true, _) => (t.raised_more, t.line_strong, t.ink),
        (.., true) => (t.well, t.line_strong, t.ink_soft),
        _ => (Color32::TRANSPARENT, Color32::TRANSPARENT, t.ink_faint.gamma_multiply(0.7)),
    };
    let corners = CornerRadius::same(RADIUS - 1);
    ui.painter().rect(rect, corners, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let font = if key || recorded { sans(SMALL) } else { sans(BODY) };
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, shown, font, ink);
    focus_ring(ui, &response, t);
    response
}
