//! How close a picture is looked at, and where. Two that are compared share it.

use egui::{Pos2, Rect, Response, Ui, Vec2, vec2};

/// Screen pixels for a picture pixel, at most.
const MOST: f32 = 16.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zoom {
    /// 1 fits the picture into its room.
    times: f32,
    /// The point of the picture in the middle of the room: 0 to 1 both ways.
    middle: Vec2,
}

impl Default for Zoom {
    fn default() -> Self {
        Self { times: 1.0, middle: Vec2::splat(0.5) }
    }
}

impl Zoom {
    /// Where a picture of a size is drawn.
    pub fn place(&self, room: Rect, size: Vec2) -> Rect {
        let shown = fit(room, size) * self.times;
        let corner = |room: f32, shown: f32, at: f32| {
            if shown <= room { -shown / 2.0 } else { (-shown * at).clamp(room / 2.0 - shown, -room / 2.0) }
        };
        let offset = vec2(corner(room.width(), shown.x, self.middle.x), corner(room.height(), shown.y, self.middle.y));
        Rect::from_min_size(room.center() + offset, shown)
    }

    /// Follows wheel, pinch, drag and double click over `room`; `size` is the picture's, in its own pixels.
    pub fn follow(&mut self, ui: &Ui, room: Rect, size: Vec2, response: &Response) {
        let fit = fit(room, size);
        // In points; the screen may have more pixels.
        let most = (MOST * size.x / fit.x / ui.pixels_per_point()).max(1.0);
        if let Some(pointer) = response.hover_pos() {
            let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = pinch * (scroll / 240.0).exp();
            if factor != 1.0 {
                self.scale(factor, pointer, room, fit, most);
            }
        }
        if response.double_clicked()
            && let Some(pointer) = response.interact_pointer_pos()
        {
            // From the whole to a pixel for a pixel, and back.
            let actual = size.x / fit.x / ui.pixels_per_point();
            if self.times > 1.0 {
                *self = Self::default();
            } else if actual > 1.0 {
                self.scale(actual, pointer, room, fit, most);
            } else {
                self.scale(2.0, pointer, room, fit, most);
            }
        }
        if response.dragged() && self.times > 1.0 {
            self.middle -= response.drag_delta() / (fit * self.times);
            self.hold(room, fit);
        }
    }

    /// Screen pixels for a picture pixel, for people: 1 is 100 %.
    pub fn share(&self, ui: &Ui, room: Rect, size: Vec2) -> f32 {
        fit(room, size).x * self.times / size.x.max(1.0) * ui.pixels_per_point()
    }

    /// The point under the pointer stays there.
    fn scale(&mut self, factor: f32, pointer: Pos2, room: Rect, fit: Vec2, most: f32) {
        let old = self.times;
        self.times = (old * factor).clamp(1.0, most);
        let from = pointer - room.center();
        self.middle += from / (fit * old) - from / (fit * self.times);
        self.hold(room, fit);
    }

    /// The picture covers the room where it is larger.
    fn hold(&mut self, room: Rect, fit: Vec2) {
        let hold = |at: f32, room: f32, shown: f32| {
            let half = (room / shown / 2.0).min(0.5);
            at.clamp(half, 1.0 - half)
        };
        let shown = fit * self.times;
        self.middle = vec2(hold(self.middle.x, room.width(), shown.x), hold(self.middle.y, room.height(), shown.y));
    }
}

/// The size at which the whole picture is seen; small ones are not blown up beyond three times.
fn fit(room: Rect, size: Vec2) -> Vec2 {
    super::fitted(room, size, 3.0).size()
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn the_point_under_the_pointer_stays_and_the_picture_covers_its_room() {
        let room = Rect::from_min_size(pos2(100.0, 50.0), vec2(400.0, 400.0));
        let size = vec2(800.0, 800.0);
        let mut zoom = Zoom::default();
        assert_eq!(zoom.place(room, size), room);
        let pointer = pos2(200.0, 150.0);
        zoom.scale(2.0, pointer, room, vec2(400.0, 400.0), 32.0);
        let place = zoom.place(room, size);
        assert_eq!(place.size(), vec2(800.0, 800.0));
        assert!(((pointer - place.min) / place.size() - vec2(0.25, 0.25)).length() < 1e-4);
        zoom.scale(2.0, pos2(100.0, 50.0), room, vec2(400.0, 400.0), 32.0);
        zoom.middle = vec2(0.0, 1.0);
        zoom.hold(room, vec2(400.0, 400.0));
        let place = zoom.place(room, size);
        assert!(place.contains_rect(room.shrink(0.01)));
        zoom.scale(1e-3, pointer, room, vec2(400.0, 400.0), 32.0);
        assert_eq!(zoom.place(room, size), room);
        zoom.scale(1e6, pointer, room, vec2(400.0, 400.0), 32.0);
        assert!((zoom.place(room, size).width() - 400.0 * 32.0).abs() < 1.0);
    }
}
