//! Selects a rectangle of whole pixels.

use super::selecting::BoxSelect;
use crate::imaging::shapes;

pub fn select() -> BoxSelect {
    BoxSelect::new(shapes::rectangle, |a, b| vec![a, (b.0, a.1), b, (a.0, b.1)])
}
