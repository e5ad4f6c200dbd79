//! What signs are made of, and how it is drawn.

use egui::{Color32, Mesh, Painter, Pos2, Shape, Stroke, vec2};
use std::f32::consts::TAU;

/// Points from the middle of the sign; y grows downwards. The box ends at ±8; signs keep to about ±7.
pub type Point = (f32, f32);

/// Width of a line on the 16 point box.
const LINE: f32 = 1.4;
/// Segments of a whole turn.
const SEGMENTS: f32 = 40.0;

/// One stroke of a sign. Angles are in turns, clockwise from the right.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    Line(&'static [Point]),
    Closed(&'static [Point]),
    /// A cubic Bézier curve: begin, two handles, end.
    Curve([Point; 4]),
    /// Middle, radius.
    Circle(Point, f32),
    Disc(Point, f32),
    /// Middle, radii.
    Ellipse(Point, f32, f32),
    /// Middle, radius, from, to.
    Arc(Point, f32, f32, f32),
    /// Middle, radius, number of dashes.
    Dashes(Point, f32, u8),
    /// Middle, width, height, radius of the corners.
    Rect(Point, f32, f32, f32),
    /// A filled outline every point of which is seen from the given one.
    Fill(Point, &'static [Point]),
}

/// Draws marks round a point.
pub struct Pen<'a> {
    pub painter: &'a Painter,
    pub middle: Pos2,
    pub color: Color32,
    /// Points of the screen per point of the box.
    pub scale: f32,
    /// −1 exchanges left and right.
    pub mirror: f32,
    /// Quarters of a turn, clockwise.
    pub quarters: u8,
}

impl Pen<'_> {
    fn at(&self, (x, y): Point) -> Pos2 {
        let (x, y) = (x * self.mirror, y);
        let (x, y) = match self.quarters % 4 {
            0 => (x, y),
            1 => (-y, x),
            2 => (-x, -y),
            _ => (y, -x),
        };
        self.middle + vec2(x, y) * self.scale
    }

    fn stroke(&self) -> Stroke {
        Stroke::new(LINE * self.scale, self.color)
    }

    fn path(&self, points: impl IntoIterator<Item = Point>, closed: bool) {
        let points: Vec<Pos2> = points.into_iter().map(|point| self.at(point)).collect();
        let stroke = self.stroke();
        self.painter.add(if closed { Shape::closed_line(points, stroke) } else { Shape::line(points, stroke) });
    }

    pub fn draw(&self, mark: Mark) {
        match mark {
            Mark::Line(points) => self.path(points.iter().copied(), false),
            Mark::Closed(points) => self.path(points.iter().copied(), true),
            Mark::Curve(handles) => self.path(curve(handles), false),
            Mark::Circle(middle, radius) => {
                self.painter.circle_stroke(self.at(middle), radius * self.scale, self.stroke());
            }
            Mark::Disc(middle, radius) => {
                self.painter.circle_filled(self.at(middle), radius * self.scale, self.color);
            }
            Mark::Ellipse(middle, across, down) => self.path(arc(middle, across, down, 0.0, 1.0), true),
            Mark::Arc(middle, radius, from, to) => self.path(arc(middle, radius, radius, from, to), false),
            Mark::Dashes(middle, radius, count) => {
                let step = 1.0 / f32::from(count.max(1));
                for k in 0..count {
                    let begin = (f32::from(k) + 0.28) * step;
                    self.path(arc(middle, radius, radius, begin, begin + 0.44 * step), false);
                }
            }
            Mark::Rect((x, y), width, height, radius) => {
                let (w, h) = (width / 2.0 - radius, height / 2.0 - radius);
                let corners = [(w, h, 0.0), (-w, h, 0.25), (-w, -h, 0.5), (w, -h, 0.75)];
                let round = |(u, v, turn): (f32, f32, f32)| arc((x + u, y + v), radius, radius, turn, turn + 0.25);
                self.path(corners.into_iter().flat_map(round), true);
            }
            Mark::Fill(from, outline) => self.fill(from, outline),
        }
    }

    /// A fan of triangles, and a thin line round them, which is smooth where their edges are not.
    fn fill(&self, from: Point, outline: &[Point]) {
        let mut mesh = Mesh::default();
        mesh.colored_vertex(self.at(from), self.color);
        for point in outline {
            mesh.colored_vertex(self.at(*point), self.color);
        }
        let count = outline.len() as u32;
        for k in 0..count {
            mesh.add_triangle(0, 1 + k, 1 + (k + 1) % count);
        }
        self.painter.add(mesh);
        let points = outline.iter().map(|point| self.at(*point)).collect();
        self.painter.add(Shape::closed_line(points, Stroke::new(0.7 * self.scale, self.color)));
    }
}

fn arc((x, y): Point, across: f32, down: f32, from: f32, to: f32) -> impl Iterator<Item = Point> + Clone {
    let steps = ((to - from).abs() * SEGMENTS).ceil().clamp(3.0, SEGMENTS) as u8;
    (0..=steps).map(move |k| {
        let angle = (from + (to - from) * f32::from(k) / f32::from(steps)) * TAU;
        (x + across * angle.cos(), y + down * angle.sin())
    })
}

fn curve([a, b, c, d]: [Point; 4]) -> impl Iterator<Item = Point> {
    (0..=16u8).map(move |k| {
        let t = f32::from(k) / 16.0;
        let u = 1.0 - t;
        let at =
            |a: f32, b: f32, c: f32, d: f32| u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d;
        (at(a.0, b.0, c.0, d.0), at(a.1, b.1, c.1, d.1))
    })
}

#[cfg(test)]
impl Mark {
    /// Corners of the box that a mark keeps to, its line's width left out.
    pub fn bounds(&self) -> egui::Rect {
        let round = |(x, y): Point, across: f32, down: f32| {
            egui::Rect::from_center_size(egui::pos2(x, y), 2.0 * vec2(across, down))
        };
        let points = |points: &[Point]| {
            egui::Rect::from_points(&points.iter().map(|p| egui::pos2(p.0, p.1)).collect::<Vec<_>>())
        };
        match self {
            Self::Line(list) | Self::Closed(list) | Self::Fill(_, list) => points(list),
            Self::Curve(handles) => points(&curve(*handles).collect::<Vec<_>>()),
            Self::Circle(middle, radius) | Self::Disc(middle, radius) | Self::Dashes(middle, radius, _) => {
                round(*middle, *radius, *radius)
            }
            Self::Arc(middle, radius, from, to) => {
                points(&arc(*middle, *radius, *radius, *from, *to).collect::<Vec<_>>())
            }
            Self::Ellipse(middle, across, down) => round(*middle, *across, *down),
            Self::Rect(middle, width, height, _) => round(*middle, width / 2.0, height / 2.0),
        }
    }
}
