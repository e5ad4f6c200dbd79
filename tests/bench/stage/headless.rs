//! The window without a screen: its logic, its contents and their triangles; the graphics card's part is not in it.

use super::scene::SCREEN;
use super::{Cost, Stage};
use danqing::ui::{Setup, Shell, prepare};
use egui::{Context, Event, Pos2, RawInput, Rect};
use std::time::{Duration, Instant};

pub struct Headless {
    ctx: Context,
    shell: Shell,
    time: f64,
    /// Frames are shown sixty a second, and between them the window sleeps.
    paced: bool,
}

impl Headless {
    pub fn open(setup: Setup, paced: bool) -> Self {
        let ctx = Context::default();
        prepare(&ctx);
        let shell = Shell::new(&ctx, None, setup);
        Self { ctx, shell, time: 0.0, paced }
    }
}

impl Stage for Headless {
    fn frame(&mut self, events: Vec<Event>) -> Cost {
        self.time += 1.0 / 60.0;
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, SCREEN.into()));
        let input = RawInput { screen_rect, time: Some(self.time), events, ..RawInput::default() };
        let began = Instant::now();
        let shell = &mut self.shell;
        let mut output = self.ctx.run_ui(input, |ui| {
            shell.logic(ui.ctx());
            shell.show(ui);
        });
        // Nobody uploads the letters and thumbnails.
        output.textures_delta.clear();
        let shapes = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        let spent = began.elapsed().as_secs_f64() * 1e3;
        std::hint::black_box(shapes);
        if self.paced {
            std::thread::sleep(Duration::from_micros(16_667).saturating_sub(began.elapsed()));
        }
        Cost { uploaded: spent, frame: spent }
    }

    fn look<R: Send + 'static>(&mut self, see: impl FnOnce(&Context, &Shell) -> R + Send + 'static) -> R {
        see(&self.ctx, &self.shell)
    }
}
