//! The canvas in the window: the document on the graphics card, the pointer for the tool, and what is drawn over both.

use super::theme::{SMALL, Tokens, sans, tokens};
use super::toasts;
use super::upload::Uploads;
use super::variant_bar;
use super::viewport::{Affine, MaskOverlay, PreviewPlace, ViewParams, Viewport};
use crate::app::desk::Gesture;
use crate::app::staging::Staging;
use crate::app::{Command, Said, State};
use crate::base::{IntRect, JobId};
use crate::canvas::View;
use crate::canvas::view::Viewport as Room;
use crate::imaging::resample::resize_mask_mean;
use crate::imaging::{Mask, Pixmap};
use crate::tools::{Cursor, Effect, Modifiers, PointerEvent, ToolId};
use crate::words::text;
use eframe::egui_wgpu::RenderState;
use egui::{
    Align2, Color32, CursorIcon, Event, Id, Painter, PointerButton, Pos2, Rect, Response, Role, Sense, Shape, Stroke,
    TouchPhase, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Points that the wheel turns for one power of e.
const WHEEL: f32 = 240.0;
/// Side of a handle in points.
const HANDLE: f32 = 8.0;

/// The canvas among the controls. It leaves the keys to the commands even when it has the focus.
pub fn canvas_id() -> Id {
    Id::unique("canvas")
}

/// See the module.
pub struct CanvasPanel {
    viewport: Viewport,
    uploads: Uploads,
    /// Which preview is on the graphics card: the job, its step, and the step that is looked back at.
    preview: Option<(JobId, u64, Option<usize>)>,
    /// A drag that moves the canvas and belongs to no tool.
    panning: bool,
    /// The pen's last pressure; 1 for a mouse.
    pressure: f32,
    /// Where the preview is drawn that is on the graphics card.
    place: Option<PreviewPlace>,
    /// The tool that comes back when Alt has picked a colour.
    borrowed: Option<ToolId>,
    /// While something is drawn: where the pointer is on the screen, and on the canvas.
    pen: Option<(Pos2, [f64; 2])>,
}

impl CanvasPanel {
    pub fn new(render_state: Option<&RenderState>) -> Self {
        Self {
            viewport: Viewport::new(render_state),
            uploads: Uploads::default(),
            preview: None,
            place: None,
            panning: false,
            pressure: 1.0,
            borrowed: None,
            pen: None,
        }
    }

    /// Draws the canvas into all the room there is; gives where messages may lie. `glance` is the step of the timeline
    /// that is looked back at.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        glance: Option<usize>,
        out: &mut Vec<Command>,
    ) -> toasts::Room {
        let rect = ui.available_rect_before_wrap();
        ui.advance_cursor_after_rect(rect);
        let response = ui.interact(rect, canvas_id(), Sense::click_and_drag());
        let words = text(state.language, "label-canvas");
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &words));
        let room = Room::new([f64::from(rect.width()), f64::from(rect.height())], f64::from(ui.pixels_per_point()));
        state.desk.room = Some(room);
        let mut view = state.desk.view_in(room);
        if let Some((at, canvas)) = self.pen.filter(|_| state.desk.is_drawing()) {
            // A key or a window of another size changes the view about the pen, so that the line does not jump.
            let [x, y] = view.to_screen(canvas, room);
            let [pen_x, pen_y] = local(at, rect);
            let by = [pen_x - x, pen_y - y];
            if by.iter().any(|by| by.abs() > 1e-6) {
                view = view.panned(by, room);
            }
        }
        self.navigate(ui, &response, state, &mut view, room);
        self.handle_pointer(ui, &response, state, &mut view, room);
        self.pen = self.pen.filter(|_| state.desk.is_drawing());
        self.pen = self.pen.map(|(at, _)| (at, view.to_canvas(local(at, rect), room)));
        if !state.desk.pours.is_empty() {
            ui.ctx().request_repaint();
        }
        if !state.desk.is_drawing() {
            self.give_back(state);
            state.heed_frame();
            if state.waits_for_hand() {
                ui.ctx().request_repaint();
            }
        }
        // Until the artist moves it, the view follows the size of the window.
        if view != state.desk.view_in(room) {
            state.desk.view = Some(view);
        }

        let change = state.desk.take_change();
        let map = to_screen(view, room, rect);
        let pending = self.uploads.send(&mut self.viewport, &state.desk.seen(), &change, &map, rect);
        if pending {
            ui.ctx().request_repaint();
        }
        let t = tokens(ui);
        let mut params = ViewParams::new(map, t.ground);
        (params.check_light, params.check_dark) = t.checks();
        params.grid = 0.25;
        let document = state.desk.document();
        let before = state.desk.shows_before();
        // Who chooses among repaints wants to see them; the next stroke ends the choice and shows the mask again.
        let choosing = state.choosing().is_some();
        params.mask = (state.desk.mask_shown && !before && !choosing)
            .then(|| MaskOverlay { color: mask_color(t), opacity: if state.forming.is_some() { 0.25 } else { 0.5 } });
        // The stripes stand still: black beside white is seen on any picture, and a selection may stand for hours in
        // which each step of the ants would draw the whole window anew, beside an engine that wants every core.
        params.ants = document.selection().map(|_| 0.0);
        params.preview = self.prepare_preview(state, glance).filter(|_| !before);
        self.viewport.paint(ui.painter(), rect, &params);

        let painter = ui.painter().with_clip_rect(rect);
        frame(&painter, state, &map, t);
        let near = response.hovered() || state.desk.is_drawing();
        overlay(&painter, state, &map, near, t);
        self.cursor(ui, &response, state);
        if before {
            sign(&painter, rect, &text(state.language, "label-before"), t);
        }
        let place = state.choosing().and_then(Staging::place).map(|place| on_screen(place.rect(), &map));
        let taken = place.and_then(|place| variant_bar::show(ui, rect, place, state, out));
        toasts::Room { rect, taken }
    }

    /// Wheel, pinch, and the drags that move the canvas.
    fn navigate(&mut self, ui: &Ui, response: &Response, state: &mut State, view: &mut View, room: Room) {
        let rect = response.rect;
        let (scroll, zoom, space, pointer) = ui.input(|input| {
            let space = input.key_down(egui::Key::Space);
            (input.smooth_scroll_delta(), input.zoom_delta(), space, input.pointer.latest_pos())
        });
        let text_field = ui.memory(|memory| memory.focused().is_some_and(super::prompt_panel::is_prompt));
        let space = space && !text_field && !state.desk.is_drawing();
        if response.hovered()
            && let Some(pointer) = pointer
        {
            let at = local(pointer, rect);
            let factor = zoom * (scroll.y / WHEEL).exp();
            if (factor - 1.0).abs() > 1e-4 {
                *view = view.zoomed(f64::from(factor), at, room);
            }
            if scroll.x != 0.0 {
                *view = view.panned([f64::from(scroll.x), 0.0], room);
            }
        }
        let middle = response.dragged_by(PointerButton::Middle);
        if response.drag_started_by(PointerButton::Primary) && space && !state.desk.is_drawing() {
            self.panning = true;
        }
        if middle || self.panning {
            let by = response.drag_delta();
            *view = view.panned([f64::from(by.x), f64::from(by.y)], room);
        }
        if self.panning && !ui.input(|input| input.pointer.primary_down()) {
            self.panning = false;
        }
        if space && response.hovered() {
            ui.ctx().set_cursor_icon(if self.panning { CursorIcon::Grabbing } else { CursorIcon::Grab });
        }
    }

    /// Every event of the pointer goes to the tool, in its order, however many came since the last frame.
    fn handle_pointer(&mut self, ui: &Ui, response: &Response, state: &mut State, view: &mut View, room: Room) {
        let rect = response.rect;
        let (events, modifiers, time) = ui.input(|input| (input.events.clone(), input.modifiers, input.time));
        if self.panning || ui.input(|input| input.key_down(egui::Key::Space)) && !state.desk.is_drawing() {
            return;
        }
        let modifiers = Modifiers { shift: modifiers.shift, ctrl: modifiers.command, alt: modifiers.alt };
        let over = response.contains_pointer();
        // The canvas was moved under the pen: the line follows it, as it would on paper.
        if let Some((at, canvas)) = self.pen.filter(|_| state.desk.is_drawing()) {
            let here = view.to_canvas(local(at, rect), room);
            if here.iter().zip(canvas).any(|(a, b)| (a - b).abs() * view.scale > 1e-3) {
                let event = PointerEvent { x: here[0], y: here[1], pressure: self.pressure, time, modifiers };
                for effect in state.desk.pointer(Gesture::Drag, event, view.scale) {
                    carry_out(effect, state, view, room);
                }
            }
        }
        let count = events.len().max(1) as f64;
        for (k, event) in events.iter().enumerate() {
            let (gesture, at) = match event {
                Event::Touch { phase, force, .. } => {
                    let ended = matches!(phase, TouchPhase::End | TouchPhase::Cancel);
                    self.pressure = force.filter(|_| !ended).unwrap_or(1.0);
                    continue;
                }
                Event::PointerMoved(at) if state.desk.is_drawing() => (Gesture::Drag, *at),
                Event::PointerMoved(at) if over => (Gesture::Hover, *at),
                Event::PointerButton { pos, button: PointerButton::Primary, pressed: true, .. } if over => {
                    // The keys are for the tools again.
                    ui.memory_mut(|memory| memory.stop_text_input());
                    (Gesture::Press, *pos)
                }
                Event::PointerButton { pos, button: PointerButton::Primary, pressed: false, .. }
                    if state.desk.is_drawing() =>
                {
                    (Gesture::Release, *pos)
                }
                _ => continue,
            };
            let [x, y] = view.to_canvas(local(at, rect), room);
            // Samples of one frame are spread over its time.
            let time = time + (k as f64 / count - 1.0) / 60.0;
            let event = PointerEvent { x, y, pressure: self.pressure, time, modifiers };
            if gesture == Gesture::Press && modifiers.alt && picks_with_alt(state.desk.tool()) {
                self.borrowed = Some(state.desk.tool());
                state.desk.choose(ToolId::Eyedropper);
            }
            for effect in state.desk.pointer(gesture, event, view.scale) {
                carry_out(effect, state, view, room);
            }
            if matches!(gesture, Gesture::Press | Gesture::Drag) {
                self.pen = Some((at, [x, y]));
            }
            if gesture == Gesture::Release {
                self.give_back(state);
            }
        }
        // The window may lose the pointer without a word that the button went up.
        if state.desk.is_drawing()
            && let Some(at) = self.lost(ui, rect)
        {
            let [x, y] = view.to_canvas(at, room);
            let event = PointerEvent { x, y, pressure: self.pressure, time, modifiers };
            for effect in state.desk.pointer(Gesture::Release, event, view.scale) {
                carry_out(effect, state, view, room);
            }
        }
    }

    /// Where a gesture ended whose end was not told.
    fn lost(&self, ui: &Ui, rect: Rect) -> Option<[f64; 2]> {
        let (down, at) = ui.input(|input| (input.pointer.primary_down(), input.pointer.interact_pos()));
        (!down).then(|| local(at.unwrap_or(rect.center()), rect))
    }

    /// The tool that was in the hand before Alt picked a colour, unless another was chosen meanwhile.
    fn give_back(&mut self, state: &mut State) {
        if let Some(tool) = self.borrowed.take()
            && state.desk.tool() == ToolId::Eyedropper
        {
            state.desk.choose(tool);
        }
    }

    /// Puts what forms on the graphics card; gives its place.
    fn prepare_preview(&mut self, state: &State, glance: Option<usize>) -> Option<PreviewPlace> {
        let shown = state.forming.as_ref().and_then(|forming| {
            let place = state.place_of(forming.job)?;
            let step = glance.and_then(|k| forming.trails.first()?.get(k));
            let preview = step.or(forming.previews.first())?;
            Some(((forming.job, forming.serial, glance), place.rect(), place.veil(), preview))
        });
        let looked_back = || {
            let painting = state.told_of()?;
            let place = painting.place.as_ref()?;
            let preview = painting.trail.get(glance?)?;
            Some(((JobId(0), painting.id.0, glance), place.rect(), place.veil(), preview))
        };
        let Some((key, rect, veil, preview)) = shown.or_else(looked_back) else {
            // What has formed stays until the picture itself lies there.
            if state.joining > 0 && self.place.is_some() {
                return self.place;
            }
            if self.preview.take().is_some() {
                self.viewport.set_preview(None);
            }
            self.place = None;
            return None;
        };
        if self.preview != Some(key) {
            self.preview = Some(key);
            let extent = preview.extent();
            let veil = veil.map(|veil| resize_mask_mean(veil, extent));
            let pixels = premultiplied(preview, veil.as_ref().map(Mask::bytes));
            self.viewport.set_preview(Some((extent, &pixels)));
        }
        self.place = Some(PreviewPlace { rect, opacity: 1.0 });
        self.place
    }

    fn cursor(&self, ui: &Ui, response: &Response, state: &State) {
        if !response.hovered() || self.panning || ui.input(|input| input.key_down(egui::Key::Space)) {
            return;
        }
        let icon = match state.desk.tool().line().map(|line| line.cursor) {
            Some(Cursor::Brush) => CursorIcon::None,
            Some(Cursor::Cross | Cursor::Pick) => CursorIcon::Crosshair,
            Some(Cursor::Hand) if state.desk.is_drawing() => CursorIcon::Grabbing,
            Some(Cursor::Hand) => CursorIcon::Grab,
            Some(Cursor::Magnifier) => CursorIcon::ZoomIn,
            Some(Cursor::Arrow) | None => CursorIcon::Default,
        };
        ui.ctx().set_cursor_icon(icon);
    }
}

/// Points of the panel's own corner.
fn local(at: Pos2, rect: Rect) -> [f64; 2] {
    [f64::from(at.x - rect.left()), f64::from(at.y - rect.top())]
}

fn to_screen(view: View, room: Room, rect: Rect) -> Affine {
    let centre = pos2(rect.left() + room.size[0] as f32 / 2.0, rect.top() + room.size[1] as f32 / 2.0);
    Affine::around(centre, view.centre, view.scale / room.pixels_per_point, view.angle)
}

/// Tools with which Alt picks a colour.
const fn picks_with_alt(tool: ToolId) -> bool {
    matches!(tool, ToolId::ColourBrush | ToolId::Bucket)
}

fn carry_out(effect: Effect, state: &mut State, view: &mut View, room: Room) {
    match effect {
        Effect::Pan { by: (x, y) } => {
            let [cx, cy] = view.centre;
            view.centre = [cx - x, cy - y];
        }
        Effect::Zoom { at: (x, y), factor } => {
            let at = view.to_screen([x, y], room);
            *view = view.zoomed(factor, at, room);
        }
        Effect::Pick(colour) => state.desk.settings.colour = colour,
        Effect::Hint(id) => state.say(Said::Note(id, Vec::new())),
    }
}

/// RGBA with the alpha multiplied in, made less by shares, one a pixel.
fn premultiplied(preview: &Pixmap, shares: Option<&[u8]>) -> Vec<u8> {
    let mut pixels = preview.rgba().to_vec();
    let mut shares = shares.into_iter().flatten();
    for pixel in pixels.chunks_exact_mut(4) {
        let [r, g, b, a] = pixel else { continue };
        let alpha = u32::from(*a) * u32::from(*shares.next().unwrap_or(&255)) / 255;
        for channel in [r, g, b] {
            *channel = (u32::from(*channel) * alpha / 255) as u8;
        }
        *a = alpha as u8;
    }
    pixels
}

/// Cinnabar, as the mask is seen over a picture.
fn mask_color(t: &Tokens) -> Color32 {
    t.cinnabar_bright
}

fn point(map: &Affine, (x, y): (f64, f64)) -> Pos2 {
    let [x, y] = map.apply([x, y]);
    pos2(x as f32, y as f32)
}

fn corners(rect: IntRect) -> [(f64, f64); 4] {
    let (left, top) = (f64::from(rect.x), f64::from(rect.y));
    let (right, bottom) = (rect.right() as f64, rect.bottom() as f64);
    [(left, top), (right, top), (right, bottom), (left, bottom)]
}

/// What surrounds a part of the canvas on the screen.
fn on_screen(part: IntRect, map: &Affine) -> Rect {
    Rect::from_points(&corners(part).map(|corner| point(map, corner)))
}

/// Says, over the upper edge of the canvas, that it is not as it is.
fn sign(painter: &Painter, room: Rect, words: &str, t: &Tokens) {
    let words = painter.layout_no_wrap(words.to_owned(), sans(SMALL), t.ink);
    let size = words.size() + vec2(24.0, 10.0);
    let rect = Align2::CENTER_TOP.anchor_size(room.center_top() + vec2(0.0, 12.0), size);
    painter.rect(rect, size.y / 2.0, t.raised, Stroke::new(1.0, t.line_strong), egui::StrokeKind::Inside);
    painter.galley(rect.center() - words.size() / 2.0, words, t.ink);
}

/// The edge of what the next picture fills, where that is not the whole canvas.
fn frame(painter: &Painter, state: &State, map: &Affine, t: &Tokens) {
    let document = state.desk.document();
    let canvas = corners(document.canvas()).map(|corner| point(map, corner));
    painter.add(Shape::closed_line(canvas.to_vec(), Stroke::new(1.0, t.line_strong)));
    let framing = state.desk.tool() == ToolId::Frame;
    if document.frame() == document.canvas() && !framing {
        return;
    }
    let mut edge = corners(document.frame()).map(|corner| point(map, corner)).to_vec();
    let label = edge.first().copied().unwrap_or_default() - vec2(0.0, 4.0);
    edge.extend(edge.first().copied());
    let color = if framing { t.cinnabar_bright } else { t.ink_soft };
    painter.extend(Shape::dashed_line(&edge, Stroke::new(3.0, Color32::from_black_alpha(90)), 6.0, 4.0));
    painter.extend(Shape::dashed_line(&edge, Stroke::new(1.2, color), 6.0, 4.0));
    let words = document.frame().extent().to_string();
    painter.text(label, Align2::LEFT_BOTTOM, words, sans(SMALL - 1.0), color);
}

/// What the tool shows; the brush only while the pointer is `near`. Light over dark, so that it is seen on any picture.
fn overlay(painter: &Painter, state: &State, map: &Affine, near: bool, t: &Tokens) {
    let overlay = state.desk.overlay();
    let (dark, light) = (Color32::from_black_alpha(150), Color32::from_white_alpha(235));
    for line in &overlay.lines {
        let mut points: Vec<Pos2> = line.points.iter().map(|at| point(map, *at)).collect();
        if line.closed {
            points.extend(points.first().copied());
        }
        painter.add(Shape::line(points.clone(), Stroke::new(1.0, dark)));
        if line.dashed {
            painter.extend(Shape::dashed_line(&points, Stroke::new(1.0, light), 4.0, 4.0));
        } else {
            painter.add(Shape::line(points, Stroke::new(1.0, light)));
        }
    }
    for handle in &overlay.handles {
        let rect = Rect::from_center_size(point(map, *handle), Vec2::splat(HANDLE));
        painter.rect(rect, 1.0, light, Stroke::new(1.0, t.cinnabar), egui::StrokeKind::Inside);
    }
    if let Some(circle) = overlay.circle.filter(|_| near) {
        let middle = point(map, (circle.x, circle.y));
        let radius = ((circle.radius * map.scale()) as f32).max(1.0);
        painter.circle_stroke(middle, radius + 0.75, Stroke::new(1.0, dark));
        painter.circle_stroke(middle, radius, Stroke::new(1.0, light));
        if radius < 3.0 {
            for along in [vec2(1.0, 0.0), vec2(0.0, 1.0)] {
                painter.line_segment([middle - along * 9.0, middle - along * 5.0], Stroke::new(1.0, light));
                painter.line_segment([middle + along * 5.0, middle + along * 9.0], Stroke::new(1.0, light));
            }
        }
    }
}
