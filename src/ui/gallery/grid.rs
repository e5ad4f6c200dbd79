//! The grid: only what is on the screen is laid out, however many pictures there are.

use super::super::theme::GRID;
use super::Gallery;
use super::cell::{self, CAPTION, LEAST_WITH_WORDS};
use crate::app::{Command, State};
use egui::{Margin, Rect, ScrollArea, Ui, UiBuilder, pos2, vec2};
use std::ops::Range;

/// Between the grid and the edge.
const EDGE: f32 = 2.5 * GRID;
const GAP: f32 = GRID;
/// Rows above and below the screen whose thumbnails are fetched.
const MARGIN_ROWS: usize = 2;
/// Under the last row, so that the bar of the chosen covers nothing.
const FOOT: f32 = 9.0 * GRID;

/// What the grid was like in the frame before.
#[derive(Default)]
pub struct Memory {
    columns: usize,
    /// The place at the upper left.
    first: usize,
}

/// How the pictures stand.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    columns: usize,
    /// Of a cell, with the gap.
    pitch: egui::Vec2,
    count: usize,
}

impl Plan {
    /// For a width in points and cells of about `tile`, which grow so that they fill the width.
    fn new(width: f32, tile: f32, count: usize) -> Self {
        let inner = (width - 2.0 * EDGE + GAP).max(1.0);
        let columns = ((inner / (tile + GAP)).floor() as usize).max(1);
        let across = inner / columns as f32;
        let caption = if across - GAP >= LEAST_WITH_WORDS { CAPTION } else { 0.0 };
        Self { columns, pitch: vec2(across, across + caption), count }
    }

    const fn rows(&self) -> usize {
        self.count.div_ceil(self.columns)
    }

    fn height(&self) -> f32 {
        self.rows() as f32 * self.pitch.y + GRID + FOOT
    }

    /// The rows between two heights, and some beyond.
    fn rows_in(&self, top: f32, bottom: f32, beyond: usize) -> Range<usize> {
        let row = |y: f32| (y.max(0.0) / self.pitch.y) as usize;
        row(top).saturating_sub(beyond)..(row(bottom) + 1 + beyond).min(self.rows())
    }

    fn places(&self, rows: Range<usize>) -> Range<usize> {
        (rows.start * self.columns).min(self.count)..(rows.end * self.columns).min(self.count)
    }

    /// The cell of a place, from the upper left of the whole grid.
    fn cell(&self, place: usize) -> Rect {
        let (row, column) = (place / self.columns, place % self.columns);
        let at = pos2(EDGE + column as f32 * self.pitch.x, GRID + row as f32 * self.pitch.y);
        Rect::from_min_size(at, self.pitch - vec2(GAP, GAP))
    }
}

pub fn show(gallery: &mut Gallery, ui: &mut Ui, room: Rect, state: &mut State, out: &mut Vec<Command>) {
    let plan = Plan::new(room.width(), state.wall.tile, state.wall.ids().len());
    let memory = &mut gallery.grid;
    let mut offset = None;
    if memory.columns != plan.columns && memory.columns > 0 {
        // Larger or smaller cells: what was at the top stays there.
        offset = Some((memory.first / plan.columns) as f32 * plan.pitch.y);
    }
    memory.columns = plan.columns;
    state.wall.columns = plan.columns;
    state.wall.lines = ((room.height() / plan.pitch.y) as usize).max(1);
    let cursor = state.wall.selection.cursor().filter(|_| std::mem::take(&mut state.wall.reveal));
    let target = cursor.and_then(|id| state.wall.place(id));
    let mut scroll = ScrollArea::vertical().id_salt("wall").auto_shrink(false).content_margin(Margin::ZERO);
    if let Some(offset) = offset {
        scroll = scroll.vertical_scroll_offset(offset);
    }
    ui.scope_builder(UiBuilder::new().max_rect(room), |ui| {
        scroll.show_viewport(ui, |ui, viewport| {
            ui.set_height(plan.height());
            let origin = ui.min_rect().min.to_vec2();
            let on_screen = plan.rows_in(viewport.top() - GRID, viewport.bottom() - GRID, 0);
            let near = plan.rows_in(viewport.top() - GRID, viewport.bottom() - GRID, MARGIN_ROWS);
            gallery.grid.first = plan.places(on_screen.clone()).start;
            state.wall.see(plan.places(near.clone()));
            for place in plan.places(on_screen.clone()) {
                if let Some(id) = state.wall.ids().get(place).copied() {
                    cell::show(gallery, ui, plan.cell(place).translate(origin), id, state, out);
                }
            }
            // The rows beyond the screen come after those on it.
            for place in plan.places(on_screen.end..near.end).chain(plan.places(near.start..on_screen.start)) {
                if let Some(id) = state.wall.ids().get(place).copied() {
                    gallery.textures.thumbnail(ui.ctx(), &mut state.wall, id);
                }
            }
            if let Some(place) = target {
                let cell = plan.cell(place).translate(origin);
                let rect = Rect::from_min_max(cell.min - vec2(0.0, GRID), cell.max + vec2(0.0, FOOT));
                ui.scroll_to_rect_animation(rect, None, egui::style::ScrollAnimation::none());
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_cell_and_rows_find_it() {
        for (width, tile, count) in [(920.0, 176.0, 25_000), (520.0, 88.0, 7), (100.0, 320.0, 3), (3840.0, 88.0, 1)] {
            let plan = Plan::new(width, tile, count);
            for place in [0, count / 2, count - 1] {
                let cell = plan.cell(place);
                let rows = plan.rows_in(cell.top() - GRID, cell.bottom() - GRID, 0);
                assert!(plan.places(rows).contains(&place), "{plan:?} {place}");
                assert!(cell.right() <= width.max(EDGE + plan.pitch.x) && cell.bottom() <= plan.height());
            }
            assert!(plan.places(plan.rows_in(0.0, 1e9, 2)) == (0..count));
        }
    }

    #[test]
    fn few_are_laid_out_of_many() {
        let plan = Plan::new(920.0, 176.0, 25_000);
        let places = plan.places(plan.rows_in(400_000.0, 400_800.0, MARGIN_ROWS));
        assert!(places.len() <= plan.columns * 10, "{places:?}");
    }
}
