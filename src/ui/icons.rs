//! Small signs, drawn with lines on a 16 point box.

use super::theme::serif;
use crate::ui::theme::Tokens;
use egui::{Align2, Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, pos2, vec2};
use std::f32::consts::TAU;

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Dice,
    Pin,
    Save,
    Reuse,
    Folder,
    Sun,
    Moon,
    Close,
    /// Turned by the given number of quarters: 0 points right, 1 down.
    Chevron(u8),
    /// A rectangle of a shape, width to height.
    Shape(u32, u32),
}

/// Draws `icon` in the middle of `rect`.
pub fn paint(painter: &Painter, rect: Rect, icon: Icon, color: Color32) {
    let middle = rect.center();
    let stroke = Stroke::new(1.4, color);
    let at = |x: f32, y: f32| middle + vec2(x, y);
    let line = |points: Vec<Pos2>| painter.add(Shape::line(points, stroke));
    let arc = |center: Pos2, radius: f32, from: f32, to: f32| {
        let angle = |k: u8| (from + (to - from) * f32::from(k) / 24.0) * TAU;
        (0..=24).map(|k| center + radius * vec2(angle(k).cos(), angle(k).sin())).collect::<Vec<_>>()
    };
    match icon {
        Icon::Dice => {
            let square = Rect::from_center_size(middle, vec2(13.0, 13.0));
            painter.rect_stroke(square, CornerRadius::same(3), stroke, StrokeKind::Middle);
            for (x, y) in [(-3.0, -3.0), (3.0, 3.0), (0.0, 0.0), (-3.0, 3.0), (3.0, -3.0)] {
                painter.circle_filled(at(x, y), 1.2, color);
            }
        }
        Icon::Pin => {
            line(vec![at(-4.0, -6.5), at(4.0, -6.5)]);
            line(vec![at(-2.5, -6.5), at(-2.5, -1.5), at(-5.0, 1.5), at(5.0, 1.5), at(2.5, -1.5), at(2.5, -6.5)]);
            line(vec![at(0.0, 1.5), at(0.0, 7.0)]);
        }
        Icon::Save => {
            line(vec![at(0.0, -6.5), at(0.0, 2.5)]);
            line(vec![at(-3.5, -1.0), at(0.0, 2.5), at(3.5, -1.0)]);
            line(vec![at(-6.5, 2.5), at(-6.5, 6.5), at(6.5, 6.5), at(6.5, 2.5)]);
        }
        Icon::Reuse => {
            line(arc(middle, 5.5, 0.06, 0.88));
            line(vec![at(4.6, -6.6), at(4.3, -3.4), at(1.2, -4.0)]);
        }
        Icon::Folder => {
            let outline = [(-7.0, 5.5), (-7.0, -5.5), (-2.0, -5.5), (0.0, -3.5), (7.0, -3.5), (7.0, 5.5), (-7.0, 5.5)];
            line(outline.map(|(x, y)| at(x, y)).to_vec());
        }
        Icon::Sun => {
            painter.circle_stroke(middle, 3.2, stroke);
            for k in 0..8u8 {
                let direction = vec2((f32::from(k) / 8.0 * TAU).cos(), (f32::from(k) / 8.0 * TAU).sin());
                line(vec![middle + direction * 5.4, middle + direction * 7.4]);
            }
        }
        Icon::Moon => {
            // A disc of radius 6 less one of 4.8 whose centre lies 3.6 to the upper right: they meet at ±53.13° as seen
            // from the first centre and at ±90° as seen from the second.
            let mut outline = arc(middle, 6.0, 0.0226, 0.7274);
            outline.extend(arc(at(2.546, -2.546), 4.8, -0.375, -0.625));
            line(outline);
        }
        Icon::Close => {
            line(vec![at(-4.0, -4.0), at(4.0, 4.0)]);
            line(vec![at(-4.0, 4.0), at(4.0, -4.0)]);
        }
        Icon::Chevron(quarters) => {
            let turn = |x: f32, y: f32| if quarters % 2 == 0 { at(x, y) } else { at(y, x) };
            line(vec![turn(-2.0, -4.0), turn(2.0, 0.0), turn(-2.0, 4.0)]);
        }
        Icon::Shape(across, down) => {
            let (w, h) = (across as f32, down as f32);
            let size = vec2(w, h) * (15.0 / w.max(h)).min(13.0 / (w * h).sqrt());
            let shape = Rect::from_center_size(middle, size);
            painter.rect_stroke(shape, CornerRadius::same(1), stroke, StrokeKind::Middle);
        }
    }
}

/// The seal: 丹 over 青, carved out of cinnabar, with a fine inner border.
pub fn seal(painter: &Painter, rect: Rect, t: &Tokens) {
    let side = rect.width().min(rect.height());
    let rect = Rect::from_center_size(rect.center(), vec2(side, side));
    painter.rect_filled(rect, CornerRadius::same((side * 0.12) as u8), t.cinnabar);
    let inner = rect.shrink(side * 0.08);
    let fine = Stroke::new((side * 0.025).max(0.75), t.on_cinnabar.gamma_multiply(0.8));
    painter.rect_stroke(inner, CornerRadius::same((side * 0.07) as u8), fine, StrokeKind::Inside);
    let font = serif(side * 0.36);
    for (sign, y) in [("丹", -0.18), ("青", 0.165)] {
        let at = pos2(rect.center().x, rect.center().y + side * y);
        painter.text(at, Align2::CENTER_CENTER, sign, font.clone(), t.on_cinnabar);
    }
}
