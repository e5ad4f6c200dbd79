//! What a tool wants to be seen over the canvas, as plain data in canvas pixels; the window paints it.

/// A line through points.
#[derive(Clone, Debug, PartialEq)]
pub struct Polyline {
    pub points: Vec<(f64, f64)>,
    pub closed: bool,
    /// Dashes, as selections have.
    pub dashed: bool,
}

/// The outline of the brush.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
}

/// The active layer's pixels from the box with corners `from`, to be shown at the four corners `to` (from the top
/// left clockwise) while they are dragged there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ghost {
    pub from: [(f64, f64); 2],
    pub to: [(f64, f64); 4],
}

/// Nothing, unless something is put in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    pub lines: Vec<Polyline>,
    /// Places of squares that can be dragged; all of one size on the screen.
    pub handles: Vec<(f64, f64)>,
    pub circle: Option<Circle>,
    pub ghost: Option<Ghost>,
}

impl Overlay {
    /// A closed line through the corners of a box or a figure.
    pub fn outline(points: Vec<(f64, f64)>, dashed: bool) -> Self {
        Self { lines: vec![Polyline { points, closed: true, dashed }], ..Self::default() }
    }
}
