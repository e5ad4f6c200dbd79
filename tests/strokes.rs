//! Recorded strokes against the coverage they must leave, bit for bit.
//!
//! `tests/goldens/strokes/NAME.txt` holds the brush as JSON and a sample a line (x, y, pressure, time);
//! `NAME.png` the coverage of a field of 128 × 96 pixels, 16 bits a pixel. With `DANQING_WRITE_GOLDENS` set, the
//! pictures that are not there yet are written, to be looked at.

use danqing::base::IntRect;
use danqing::canvas::{Brush, Coverage, Dab, Sample, Stroke};
use image::{ImageBuffer, Luma};
use std::path::{Path, PathBuf};

type Field = ImageBuffer<Luma<u16>, Vec<u16>>;

const WIDTH: u32 = 128;
const HEIGHT: u32 = 96;

fn recorded(path: &Path) -> (Brush, Vec<Sample>) {
    let text = std::fs::read_to_string(path).unwrap();
    let (brush, samples) = text.split_once('\n').unwrap();
    let sample = |line: &str| {
        let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        Sample { x: numbers[0], y: numbers[1], pressure: numbers[2] as f32, time: numbers[3] }
    };
    (serde_json::from_str(brush).unwrap(), samples.lines().map(sample).collect())
}

fn lay(coverage: &mut Coverage, dabs: &[Dab]) {
    for dab in dabs {
        coverage.add(dab);
    }
}

/// The coverage of a stroke whose samples come in batches of `batch`.
fn drawn(brush: Brush, samples: &[Sample], batch: usize) -> Field {
    let mut coverage = Coverage::new(IntRect::new(0, 0, WIDTH, HEIGHT));
    let mut stroke = Stroke::new(brush);
    for event in samples.chunks(batch) {
        let mut dabs = Vec::new();
        event.iter().for_each(|sample| stroke.push(*sample, &mut dabs));
        lay(&mut coverage, &dabs);
    }
    let mut dabs = Vec::new();
    stroke.finish(&mut dabs);
    lay(&mut coverage, &dabs);
    Field::from_fn(WIDTH, HEIGHT, |x, y| Luma([coverage.at(x as i32, y as i32)]))
}

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/strokes");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect()
}

#[test]
fn recorded_strokes_leave_what_they_left() {
    let recordings = recordings();
    assert!(recordings.len() >= 8);
    for path in recordings {
        let (brush, samples) = recorded(&path);
        let field = drawn(brush, &samples, 1);
        let golden = path.with_extension("png");
        if std::env::var_os("DANQING_WRITE_GOLDENS").is_some() && !golden.exists() {
            field.save(&golden).unwrap();
        }
        let expected = image::open(&golden).unwrap().into_luma16();
        let differing = field.pixels().zip(expected.pixels()).filter(|(a, b)| a != b).count();
        assert!(expected.dimensions() == field.dimensions() && differing == 0, "{}: {differing}", path.display());
        assert!(field.pixels().any(|pixel| pixel.0[0] > 0));
    }
}

#[test]
fn how_samples_are_batched_does_not_matter() {
    for path in recordings() {
        let (brush, samples) = recorded(&path);
        let one_by_one = drawn(brush, &samples, 1);
        for batch in [2, 3, 7, samples.len()] {
            assert!(drawn(brush, &samples, batch) == one_by_one, "{} by {batch}", path.display());
        }
    }
}
