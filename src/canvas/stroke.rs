//! From samples of a pointer to dabs: a smooth path through them and marks at even spacing along it.
//!
//! The path is made of quadratic curves from midpoint to midpoint of neighbouring samples with the sample between as
//! the control point: it has no corners, and never leaves the hull of the samples. What is left of a spacing at the
//! end of one piece is carried into the next, so the dabs depend on the samples alone and not on how many of them
//! came with one event. There is no function here whose last bit differs between machines: strokes are exact.

use super::dab::Dab;
use serde::{Deserialize, Serialize};

/// Farther from the origin than this, in pixels, nothing is drawn: samples are brought back to it.
const FARTHEST: f64 = 65536.0;
/// The least distance between two dabs, in pixels.
const LEAST_STEP: f64 = 0.25;
/// The delay of the strongest stabiliser, in seconds.
const LONGEST_DELAY: f64 = 0.25;
/// What lies between two samples if their times do not say, in seconds.
const USUAL_INTERVAL: f64 = 1.0 / 120.0;
/// Length of the straight pieces into which a curve is cut, in pixels; and how many there are at most.
const PIECE: f64 = 2.0;
const MOST_PIECES: f64 = 1024.0;

/// Where the pointer was. `x`, `y` in canvas pixels (the centre of the first pixel is at ½, ½), `pressure` 0 to 1,
/// `time` in seconds from any beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub x: f64,
    pub y: f64,
    pub pressure: f32,
    pub time: f64,
}

/// What marks a brush leaves. Values beyond their range are brought back to it where they are used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brush {
    /// Pixels at full pressure, 1 to 1000.
    pub diameter: f32,
    /// Share of the radius that is fully covered, 0 to 1.
    pub hardness: f32,
    /// What one stroke covers at most, 0 to 1.
    pub opacity: f32,
    /// What one dab adds, 0 to 1.
    pub flow: f32,
    /// Distance between dabs, as a fraction of the diameter, 0.01 to 2.
    pub spacing: f32,
    /// Pressure scales the diameter.
    pub pressure_size: bool,
    /// Pressure scales the flow.
    pub pressure_flow: bool,
    /// Strength of the stabiliser, 0 to 1.
    pub smoothing: f32,
}

impl Brush {
    pub const DIAMETERS: std::ops::RangeInclusive<f32> = 1.0..=1000.0;
    pub const SPACINGS: std::ops::RangeInclusive<f32> = 0.01..=2.0;

    /// The brush with every value in its range; what is not a number becomes the least.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            diameter: within(self.diameter, &Self::DIAMETERS),
            hardness: within(self.hardness, &(0.0..=1.0)),
            opacity: within(self.opacity, &(0.0..=1.0)),
            flow: within(self.flow, &(0.0..=1.0)),
            spacing: within(self.spacing, &Self::SPACINGS),
            smoothing: within(self.smoothing, &(0.0..=1.0)),
            ..self
        }
    }
}

impl Default for Brush {
    fn default() -> Self {
        Self {
            diameter: 40.0,
            hardness: 0.8,
            opacity: 1.0,
            flow: 1.0,
            spacing: 0.1,
            pressure_size: true,
            pressure_flow: false,
            smoothing: 0.0,
        }
    }
}

fn within(value: f32, range: &std::ops::RangeInclusive<f32>) -> f32 {
    // `max` drops a NaN.
    value.max(*range.start()).min(*range.end())
}

/// A point of the path.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    x: f64,
    y: f64,
    pressure: f64,
}

impl Point {
    fn mix(self, other: Self, share: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * share;
        Self { x: mix(self.x, other.x), y: mix(self.y, other.y), pressure: mix(self.pressure, other.pressure) }
    }

    fn distance(self, other: Self) -> f64 {
        ((self.x - other.x).powi(2) + (self.y - other.y).powi(2)).sqrt()
    }
}

/// One stroke being drawn: takes samples, gives dabs.
#[derive(Clone, Debug)]
pub struct Stroke {
    brush: Brush,
    /// The last sample as it came, and its time.
    raw: Option<(Point, f64)>,
    /// The last point after the stabiliser: the control point of the next curve.
    steady: Option<Point>,
    /// Where the path ends so far.
    end: Option<Point>,
    /// Share of the spacing already walked since the last dab.
    walked: f64,
}

impl Stroke {
    pub fn new(brush: Brush) -> Self {
        Self { brush: brush.clamped(), raw: None, steady: None, end: None, walked: 0.0 }
    }

    pub fn brush(&self) -> &Brush {
        &self.brush
    }

    /// Goes on to a sample; the first one leaves a dab at once. A sample with a coordinate that is not a number is
    /// passed over.
    pub fn push(&mut self, sample: Sample, dabs: &mut Vec<Dab>) {
        if !sample.x.is_finite() || !sample.y.is_finite() {
            return;
        }
        let pressure = if sample.pressure.is_nan() { 1.0 } else { f64::from(sample.pressure.clamp(0.0, 1.0)) };
        let point = Point { x: sample.x.clamp(-FARTHEST, FARTHEST), y: sample.y.clamp(-FARTHEST, FARTHEST), pressure };
        let passed = self.raw.map(|(_, before)| sample.time - before);
        self.raw = Some((point, sample.time));
        let (Some(steady), Some(end), Some(passed)) = (self.steady, self.end, passed) else {
            (self.steady, self.end) = (Some(point), Some(point));
            dabs.push(self.dab(point));
            return;
        };
        let next = steady.mix(point, self.following(passed));
        if next == steady {
            return;
        }
        let middle = steady.mix(next, 0.5);
        self.curve(end, steady, middle, dabs);
        (self.steady, self.end) = (Some(next), Some(middle));
    }

    /// Draws what is left to the last sample.
    pub fn finish(&mut self, dabs: &mut Vec<Dab>) {
        let (Some(steady), Some(end), Some((last, _))) = (self.steady, self.end, self.raw) else {
            return;
        };
        self.curve(end, steady, last, dabs);
        (self.steady, self.end) = (Some(last), Some(last));
    }

    /// How much of the way to the newest sample the stabilised point goes: all of it without a stabiliser.
    fn following(&self, passed: f64) -> f64 {
        let delay = f64::from(self.brush.smoothing) * LONGEST_DELAY;
        let passed = if passed > 0.0 { passed } else { USUAL_INTERVAL };
        passed / (passed + delay)
    }

    fn curve(&mut self, from: Point, control: Point, to: Point, dabs: &mut Vec<Dab>) {
        let length = from.distance(control) + control.distance(to);
        let pieces = (length / PIECE).ceil().clamp(1.0, MOST_PIECES);
        let mut start = from;
        for piece in 1..=pieces as u32 {
            let t = f64::from(piece) / pieces;
            let end = from.mix(control, t).mix(control.mix(to, t), t);
            self.walk(start, end, dabs);
            start = end;
        }
    }

    fn walk(&mut self, from: Point, to: Point, dabs: &mut Vec<Dab>) {
        let length = from.distance(to);
        if length <= 0.0 {
            return;
        }
        let mut at = 0.0;
        loop {
            let here = from.mix(to, at / length);
            let step = self.step(here.pressure);
            let wanted = (1.0 - self.walked) * step;
            if at + wanted > length {
                self.walked += (length - at) / step;
                return;
            }
            at += wanted;
            self.walked = 0.0;
            dabs.push(self.dab(from.mix(to, at / length)));
        }
    }

    fn step(&self, pressure: f64) -> f64 {
        (f64::from(self.diameter(pressure)) * f64::from(self.brush.spacing)).max(LEAST_STEP)
    }

    fn diameter(&self, pressure: f64) -> f32 {
        if self.brush.pressure_size { self.brush.diameter * pressure as f32 } else { self.brush.diameter }
    }

    fn dab(&self, at: Point) -> Dab {
        let flow = if self.brush.pressure_flow { self.brush.flow * at.pressure as f32 } else { self.brush.flow };
        Dab { x: at.x, y: at.y, diameter: self.diameter(at.pressure), hardness: self.brush.hardness, flow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(x: f64, y: f64) -> Sample {
        Sample { x, y, pressure: 1.0, time: 0.0 }
    }

    fn dabs_of(brush: Brush, samples: &[Sample]) -> Vec<Dab> {
        let (mut stroke, mut dabs) = (Stroke::new(brush), Vec::new());
        samples.iter().for_each(|s| stroke.push(*s, &mut dabs));
        stroke.finish(&mut dabs);
        dabs
    }

    fn brushes() -> impl Strategy<Value = Brush> {
        (1f32..60.0, 0.01f32..2.0, any::<bool>(), any::<bool>(), 0f32..1.0).prop_map(
            |(diameter, spacing, size, flow, s)| Brush {
                diameter,
                spacing,
                pressure_size: size,
                pressure_flow: flow,
                smoothing: s,
                ..Brush::default()
            },
        )
    }

    fn paths() -> impl Strategy<Value = Vec<Sample>> {
        let one = (-200f64..200.0, -200f64..200.0, 0f32..=1.0, 0f64..0.05);
        proptest::collection::vec(one, 1..12).prop_map(|points| {
            let mut time = 0.0;
            let timed = points.into_iter().map(|(x, y, pressure, passed)| {
                time += passed;
                Sample { x, y, pressure, time }
            });
            timed.collect()
        })
    }

    #[test]
    fn a_click_is_one_dab() {
        let dabs = dabs_of(Brush::default(), &[sample(3.5, 4.5)]);
        assert_eq!(dabs.len(), 1);
        assert_eq!((dabs[0].x, dabs[0].y, dabs[0].diameter), (3.5, 4.5, 40.0));
    }

    #[test]
    fn a_straight_stroke_has_even_dabs_and_reaches_its_end() {
        let brush = Brush { diameter: 10.0, spacing: 0.25, pressure_size: false, ..Brush::default() };
        let dabs = dabs_of(brush, &[sample(0.0, 0.0), sample(13.0, 0.0), sample(40.0, 0.0), sample(100.0, 0.0)]);
        assert_eq!(dabs.len(), 41);
        for (i, dab) in dabs.iter().enumerate() {
            assert!((dab.x - 2.5 * i as f64).abs() < 1e-9 && dab.y == 0.0, "{dab:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_passed_over() {
        let odd = [f64::NAN, f64::INFINITY].map(|x| sample(x, 1.0));
        assert!(dabs_of(Brush::default(), &odd).is_empty());
        let pressed = Sample { pressure: f32::NAN, time: f64::NAN, ..sample(1.0, 1.0) };
        let far = Sample { x: 1e300, ..pressed };
        let brush = Brush { diameter: f32::NAN, spacing: f32::INFINITY, flow: -1.0, ..Brush::default() };
        let dabs = dabs_of(brush, &[pressed, far]);
        assert!(dabs.iter().all(|d| d.x.is_finite() && d.diameter == 1.0 && d.flow == 0.0));
        assert!(dabs.len() > 30_000, "{}", dabs.len());
    }

    #[test]
    fn the_stabiliser_lags_and_then_arrives() {
        let path: Vec<_> =
            (0..40).map(|i| Sample { time: f64::from(i) * 0.01, ..sample(f64::from(i) * 5.0, 0.0) }).collect();
        let brush = Brush { diameter: 4.0, smoothing: 1.0, ..Brush::default() };
        let (mut stroke, mut dabs) = (Stroke::new(brush), Vec::new());
        path.iter().for_each(|s| stroke.push(*s, &mut dabs));
        assert!(dabs.last().unwrap().x < 150.0);
        stroke.finish(&mut dabs);
        assert!((dabs.last().unwrap().x - 195.0).abs() < 0.5);
    }

    #[test]
    fn the_stabiliser_calms_a_trembling_hand() {
        let path: Vec<_> = (0..200)
            .map(|i| Sample { time: f64::from(i) * 0.008, ..sample(f64::from(i), if i % 2 == 0 { 3.0 } else { -3.0 }) })
            .collect();
        let tremble = |smoothing| {
            let dabs = dabs_of(Brush { diameter: 4.0, smoothing, ..Brush::default() }, &path);
            dabs.iter().filter(|d| d.x > 110.0 && d.x < 160.0).map(|d| d.y.abs()).fold(0.0, f64::max)
        };
        assert!(tremble(1.0) < 0.2 * tremble(0.0), "{} {}", tremble(1.0), tremble(0.0));
    }

    proptest! {
        #[test]
        fn dabs_do_not_depend_on_the_batches(brush in brushes(), path in paths(), cuts: Vec<prop::sample::Index>) {
            let whole = dabs_of(brush, &path);
            // One list an event, events cut anywhere, each event's dabs drawn by themselves.
            let mut cuts: Vec<_> = cuts.iter().map(|c| c.index(path.len())).collect();
            cuts.extend([0, path.len()]);
            cuts.sort_unstable();
            let (mut stroke, mut parts) = (Stroke::new(brush), Vec::new());
            for pair in cuts.windows(2) {
                let mut event = Vec::new();
                path[pair[0]..pair[1]].iter().for_each(|s| stroke.push(*s, &mut event));
                parts.extend(event);
            }
            stroke.finish(&mut parts);
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn neighbours_are_a_spacing_apart(path in paths(), diameter in 4f32..40.0, spacing in 0.05f32..1.0) {
            let brush = Brush { diameter, spacing, pressure_size: false, ..Brush::default() };
            let step = f64::from(diameter * spacing).max(LEAST_STEP);
            for pair in dabs_of(brush, &path).windows(2) {
                let distance = ((pair[0].x - pair[1].x).powi(2) + (pair[0].y - pair[1].y).powi(2)).sqrt();
                prop_assert!(distance <= step * (1.0 + 1e-6), "{distance} {step}");
            }
        }

        #[test]
        fn the_path_stays_in_the_box_of_its_samples(brush in brushes(), path in paths()) {
            let bounds = |values: Vec<f64>| values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
            let (left, right) = bounds(path.iter().map(|s| s.x).collect());
            let (top, bottom) = bounds(path.iter().map(|s| s.y).collect());
            for dab in dabs_of(brush, &path) {
                prop_assert!(dab.x >= left - 1e-9 && dab.x <= right + 1e-9 && dab.y >= top - 1e-9 && dab.y <= bottom + 1e-9);
            }
        }
    }
}
