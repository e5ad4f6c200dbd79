//! The palette: a command is found by a few letters and done by Enter.

use super::rows::{self, Row};
use super::theme::{GRID, PROMPT, SMALL, sans, tokens};
use super::widgets::faint;
use crate::app::commands::Index;
use crate::app::{Command, State};
use crate::words::{Language, text};
use egui::{Align2, Context, Event, EventFilter, Frame, Id, Key, Margin, Modal, Role, ScrollArea, TextEdit, Ui, vec2};
use std::cmp::Reverse;

const WIDTH: f32 = 70.0 * GRID;
/// Rows that are shown at once.
const ROWS: usize = 10;
/// Commands that are remembered as used lately.
const RECENT: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub struct Palette {
    query: String,
    /// The row that the keyboard stands on.
    chosen: usize,
    /// Stems, the latest first; they outlive a closing.
    recent: Vec<&'static str>,
    index: Option<(Language, Index)>,
}

/// What the keys asked for.
#[derive(Debug, Default)]
struct Keys {
    step: isize,
    enter: bool,
    escape: bool,
}

impl Palette {
    /// The field for searching.
    pub fn field() -> Id {
        Id::unique("palette-query")
    }

    pub fn query_mut(&mut self) -> &mut String {
        &mut self.query
    }

    /// Makes it ready to be shown anew.
    pub fn open(&mut self, ctx: &Context) {
        self.query.clear();
        self.chosen = 0;
        ctx.memory_mut(|memory| memory.request_focus(Self::field()));
    }

    /// Shows it; false when it closes. While an input method composes, the keys belong to it.
    pub fn show(&mut self, ctx: &Context, state: &State, composing: bool, out: &mut Vec<Command>) -> bool {
        let keys = keys(ctx, composing);
        let screen = ctx.content_rect();
        let area = Modal::default_area(Id::unique("palette"))
            .anchor(Align2::CENTER_TOP, vec2(0.0, (screen.height() * 0.12).min(14.0 * GRID)));
        let modal = Modal::new(Id::unique("palette")).area(area).backdrop_color(super::cards::backdrop(ctx));
        let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(10)).corner_radius(10);
        let modal = modal.frame(frame).show(ctx, |ui| {
            ui.set_width(WIDTH.min(screen.width() - 6.0 * GRID));
            self.contents(ui, state, &keys, screen.height(), out)
        });
        !(modal.inner || keys.escape || modal.backdrop_response.clicked())
    }

    /// True if a command was chosen.
    fn contents(&mut self, ui: &mut Ui, state: &State, keys: &Keys, height: f32, out: &mut Vec<Command>) -> bool {
        let language = state.language;
        self.search_field(ui, language);
        if self.index.as_ref().is_none_or(|(of, _)| *of != language) {
            self.index = Some((language, Index::new(language)));
        }
        let Some((_, index)) = &self.index else { return false };
        let mut hits = index.search(&self.query, &self.recent);
        // Among those that fit equally well (without letters: all), what can be done now comes first.
        hits.sort_by_key(|hit| (Reverse(hit.rank), !(hit.entry.enabled)(state)));
        let last = hits.len().saturating_sub(1);
        self.chosen = self.chosen.min(last).saturating_add_signed(keys.step).min(last);
        ui.add_space(4.0);
        if hits.is_empty() {
            ui.horizontal(|ui| {
                ui.add_space(GRID);
                faint(ui, text(language, "label-nothing-found"));
            });
            ui.add_space(4.0);
            return false;
        }
        let mut done = None;
        let moved = ui.input(|input| input.pointer.delta() != egui::Vec2::ZERO);
        let most = (ROWS as f32 * (rows::HEIGHT + 1.0)).min(height * 0.6);
        // What it was before must not keep it small.
        ScrollArea::vertical().max_height(most).min_scrolled_height(most).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for (at, hit) in hits.iter().enumerate() {
                let enabled = (hit.entry.enabled)(state);
                let group = text(language, hit.entry.group.text_id());
                let chosen = at == self.chosen;
                let row = Row { entry: hit.entry, role: Role::ListBoxOption, note: &group, chosen, enabled };
                let response = rows::show(ui, state, &row);
                if chosen && keys.step != 0 {
                    response.scroll_to_me(None);
                }
                if moved && response.hovered() {
                    self.chosen = at;
                }
                if enabled && (response.clicked() || (chosen && keys.enter)) {
                    done = Some(hit.entry);
                }
            }
        });
        let Some(entry) = done else { return false };
        self.recent.retain(|stem| *stem != entry.stem());
        self.recent.insert(0, entry.stem());
        self.recent.truncate(RECENT);
        out.push(entry.command.clone());
        true
    }

    fn search_field(&mut self, ui: &mut Ui, language: Language) {
        let field = Self::field();
        let before = self.query.len();
        let edit = TextEdit::singleline(&mut self.query)
            .id(field)
            .font(sans(PROMPT))
            .hint_text(egui::RichText::new(text(language, "hint-palette")).size(SMALL + 1.5))
            .margin(Margin::symmetric(12, 9))
            .desired_width(f32::INFINITY)
            .text_color(tokens(ui).ink);
        let response = ui.add(edit).accessible_name(text(language, "command-palette"));
        if !response.has_focus() {
            response.request_focus();
        }
        // The arrows walk through the rows, and Esc is ours.
        let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(field, filter));
        if before != self.query.len() {
            self.chosen = 0;
        }
    }
}

/// Takes the palette's keys from the queue; while an input method composes, they mean nothing here.
fn keys(ctx: &Context, composing: bool) -> Keys {
    let mut keys = Keys::default();
    let page = ROWS as isize - 1;
    ctx.input_mut(|input| {
        input.events.retain(|event| {
            let Event::Key { key, modifiers, pressed: true, .. } = event else { return true };
            if modifiers.any() {
                return true;
            }
            match key {
                Key::ArrowDown => keys.step += 1,
                Key::ArrowUp => keys.step -= 1,
                Key::PageDown => keys.step += page,
                Key::PageUp => keys.step -= page,
                Key::Enter => keys.enter = true,
                Key::Escape => keys.escape = true,
                Key::Tab => {}
                _ => return true,
            }
            false
        });
    });
    if composing { Keys::default() } else { keys }
}
