//! What a pointer event of a stroke costs: 2,000 dabs of the mask brush on a canvas of 4096 × 4096, and a soft colour
//! brush of 1000 px, on a document with its history. `cargo bench --bench strokes`.

use danqing::base::Extent;
use danqing::canvas::{Brush, Document, Editor};
use danqing::tools::{Context, Modifiers, PointerEvent, ToolId, ToolSettings};
use std::time::{Duration, Instant};

/// Draws loops over the canvas in events of up to about 1.7 · `step` pixels; gives the time of each event.
fn stroke(editor: &mut Editor, tool: ToolId, brush: Brush, step: f64, events: u32) -> Vec<Duration> {
    let settings = ToolSettings { mask_brush: brush, colour_brush: brush, ..ToolSettings::default() };
    let mut tool = (tool.line().expect("it is in the table").make)();
    let mut times = Vec::new();
    for i in 0..events {
        let angle = f64::from(i) * step / 1800.0;
        let (x, y) = (2048.0 + 1800.0 * angle.sin(), 2048.0 + 1500.0 * (1.7 * angle).sin());
        let modifiers = Modifiers::default();
        let event = PointerEvent { x, y, pressure: 1.0, time: f64::from(i) / 120.0, modifiers };
        let started = Instant::now();
        let mut effects = Vec::new();
        let mut context = Context { easel: editor, settings: &settings, scale: 1.0, effects: &mut effects };
        match i {
            0 => tool.press(&mut context, event),
            _ if i + 1 == events => tool.release(&mut context, event),
            _ => tool.drag(&mut context, event),
        }
        times.push(started.elapsed());
    }
    times
}

fn main() {
    let brush = |diameter, hardness| Brush { diameter, hardness, pressure_size: false, ..Brush::default() };
    for (name, tool, brush, step, events) in [
        ("mask 40 px, 2,000 dabs", ToolId::MaskBrush, brush(40.0, 0.9), 16.0, 500),
        ("mask 300 px, soft", ToolId::MaskBrush, brush(300.0, 0.0), 30.0, 300),
        ("colour 1000 px, soft, a dab an event", ToolId::ColourBrush, brush(1000.0, 0.0), 60.0, 200),
    ] {
        let document = Document::blank(Extent::new(4096, 4096), "").expect("a sensible size");
        let mut editor = Editor::new(document);
        let mut times = stroke(&mut editor, tool, brush, step, events);
        times.sort_unstable();
        let at = |share: usize| times.get((times.len() - 1) * share / 100).copied().unwrap_or_default();
        println!("{name}: median {:.2?}, 99 % {:.2?}, most {:.2?}", at(50), at(99), at(100));
    }
}
