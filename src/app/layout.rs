//! [`Layout`]: where the window lies, and how its panels share it. It comes back at the next start.

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Widths of the panel with the prompt, in points; narrower, its controls do not fit.
pub const PROMPT_WIDTHS: RangeInclusive<f32> = 320.0..=560.0;
/// Widths of the panel with layers and history, in points.
pub const LAYERS_WIDTHS: RangeInclusive<f32> = 232.0..=480.0;
/// Heights of the history, in points.
pub const HISTORY_HEIGHTS: RangeInclusive<f32> = 96.0..=640.0;
/// Sides of the window, in points at a scale of 100 %.
const SIDES: RangeInclusive<f32> = 320.0..=16384.0;
/// As much of the window's upper edge must lie on a monitor that it can be taken hold of, in pixels: across and down.
const GRIP: (i32, i32) = (160, 24);

/// See the module. What is out of range in a file is brought into it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// `None`: in the middle, in the usual size.
    pub window: Option<Place>,
    pub prompt: bool,
    pub prompt_width: f32,
    pub layers: bool,
    pub layers_width: f32,
    /// `None`: a share of the panel's height.
    pub history_height: Option<f32>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            window: None,
            prompt: true,
            prompt_width: 360.0,
            layers: true,
            layers_width: 256.0,
            history_height: None,
        }
    }
}

impl Layout {
    /// With every measure in its range.
    #[must_use]
    pub fn checked(self) -> Self {
        let inside = |value: f32, range: RangeInclusive<f32>| value.clamp(*range.start(), *range.end());
        Self {
            window: self.window.map(|place| Place { size: place.size.map(|side| inside(side, SIDES)), ..place }),
            prompt_width: inside(self.prompt_width, PROMPT_WIDTHS),
            layers_width: inside(self.layers_width, LAYERS_WIDTHS),
            history_height: self.history_height.map(|height| inside(height, HISTORY_HEIGHTS)),
            ..self
        }
    }
}

/// Where the window lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Of what is inside its frame, in points at a scale of 100 %.
    pub size: [f32; 2],
    /// The upper left corner of its frame, in pixels of the desktop; `None` where the system does not tell.
    pub at: Option<[i32; 2]>,
    /// It fills the screen; the rest is what it comes back to.
    pub maximized: bool,
}

/// A monitor, in pixels of the desktop: the upper left corner, and the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitor {
    pub at: [i32; 2],
    pub size: [u32; 2],
}

impl Place {
    /// The corner, if a window of `width` pixels can be taken hold of there: monitors come and go between two starts.
    pub fn within_reach(&self, width: u32, monitors: &[Monitor]) -> Option<[i32; 2]> {
        let at = self.at?;
        let shared = |from: i32, length: i64, of: i32, all: u32| {
            let end = (i64::from(from) + length).min(i64::from(of) + i64::from(all));
            end - i64::from(from.max(of))
        };
        let held = monitors.iter().any(|monitor| {
            let [x, y] = monitor.at;
            let [across, down] = monitor.size;
            // The upper edge is what a window is moved by: it must not lie above the screen.
            at[1] >= y
                && shared(at[0], i64::from(width), x, across) >= i64::from(GRIP.0)
                && shared(at[1], i64::from(GRIP.1), y, down) >= i64::from(GRIP.1)
        });
        held.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_comes_back_only_where_it_can_be_taken_hold_of() {
        let left = Monitor { at: [0, 0], size: [1920, 1080] };
        let right = Monitor { at: [1920, -200], size: [2560, 1440] };
        let reach = |at: [i32; 2], monitors: &[Monitor]| {
            Place { at: Some(at), ..Place::default() }.within_reach(1280, monitors)
        };
        for at in [[100, 50], [2500, -150], [-1100, 300], [1700, 1000]] {
            assert_eq!(reach(at, &[left, right]), Some(at), "{at:?}");
        }
        for at in [[2500, 100], [-1200, 300], [100, -40], [100, 1070], [1800, 100], [i32::MAX, i32::MIN]] {
            assert_eq!(reach(at, &[left]), None, "{at:?}");
        }
        assert_eq!(reach([0, 0], &[]), None);
        assert_eq!(Place::default().within_reach(1280, &[left]), None);
    }

    #[test]
    fn measures_out_of_range_are_brought_into_it() {
        let file = r#"{"prompt_width": 9e9, "layers_width": -3, "history_height": 1, "window": {"size": [0, 1e30]}}"#;
        assert!(serde_json::from_str::<Layout>(file).is_err(), "a place has all its parts");
        let file = r#"{"prompt_width": 9e9, "layers_width": -3, "history_height": 1}"#;
        let layout = serde_json::from_str::<Layout>(file).unwrap().checked();
        assert_eq!((layout.prompt_width, layout.layers_width, layout.history_height), (560.0, 232.0, Some(96.0)));
        let window = Some(Place { size: [0.0, 1e30], at: None, maximized: true });
        let layout = Layout { window, ..Layout::default() }.checked();
        assert_eq!(layout.window.map(|place| place.size), Some([320.0, 16384.0]));
        assert_eq!(Layout::default().checked(), Layout::default());
    }
}
