//! Where the window lies: noted while it is open, and the same at the next start.

use crate::app::State;
use crate::app::layout::{Monitor, Place};
use egui::{Context, ViewportBuilder, ViewportCommand, pos2};

/// Size of the window at the first start, in points.
const SIZE: [f32; 2] = [1280.0, 800.0];
const LEAST_SIZE: [f32; 2] = [880.0, 600.0];

/// A window of the size that it had.
pub fn as_it_was(builder: ViewportBuilder, place: Option<Place>) -> ViewportBuilder {
    let size = place.map_or(SIZE, |place| place.size);
    let builder = builder.with_inner_size(size).with_min_inner_size(LEAST_SIZE);
    builder.with_maximized(place.is_some_and(|place| place.maximized))
}

/// Puts the window where it was, if that can be seen on the monitors that there are now; else it stays in the middle.
pub fn put_back(creation: &eframe::CreationContext<'_>, place: Option<Place>) {
    let (Some(place), Some(window)) = (place.filter(|place| !place.maximized), creation.winit_window()) else { return };
    let monitors: Vec<Monitor> = window
        .available_monitors()
        .map(|monitor| {
            let (at, size) = (monitor.position(), monitor.size());
            Monitor { at: [at.x, at.y], size: [size.width, size.height] }
        })
        .collect();
    if let Some([x, y]) = place.within_reach(window.outer_size().width, &monitors) {
        let scale = creation.egui_ctx.pixels_per_point();
        let at = pos2(x as f32 / scale, y as f32 / scale);
        creation.egui_ctx.send_viewport_cmd(ViewportCommand::OuterPosition(at));
    }
}

/// Takes note of where the window lies. What is minimised or fills the screen comes back to where it was before.
pub fn note(ctx: &Context, state: &mut State) {
    let scale = ctx.pixels_per_point();
    let zoom = ctx.zoom_factor();
    let seen = ctx.input(|input| {
        let viewport = input.viewport();
        let maximized = viewport.maximized.unwrap_or(false);
        let away = viewport.minimized.unwrap_or(false) || viewport.fullscreen.unwrap_or(false);
        let inner = viewport.inner_rect.filter(|_| !away)?;
        let pixel = |points: f32| (points * scale).round() as i32;
        let at = viewport.outer_rect.map(|outer| [pixel(outer.left()), pixel(outer.top())]);
        Some(Place { size: [inner.width(), inner.height()].map(|side| (side * zoom).round()), at, maximized })
    });
    state.layout.window = match (seen, state.layout.window) {
        (None, before) => before,
        (Some(Place { maximized: true, .. }), Some(before)) => Some(Place { maximized: true, ..before }),
        (seen, _) => seen,
    };
}
