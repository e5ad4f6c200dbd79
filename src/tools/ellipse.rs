//! Selects an ellipse.

use super::selecting::BoxSelect;
use crate::imaging::shapes;

/// Corners of the outline that is shown.
const CORNERS: u32 = 96;

pub fn select() -> BoxSelect {
    BoxSelect::new(shapes::ellipse, |a, b| {
        let point = |i: u32| {
            let (sin, cos) = (f64::from(i) * std::f64::consts::TAU / f64::from(CORNERS)).sin_cos();
            (((a.0 + b.0) + (b.0 - a.0) * cos) / 2.0, ((a.1 + b.1) + (b.1 - a.1) * sin) / 2.0)
        };
        (0..CORNERS).map(point).collect()
    })
}
