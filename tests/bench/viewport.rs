//! What a frame of a canvas of 4096×4096 costs the processor: `cargo bench --bench viewport`.
//!
//! Time from handing tiles in to handing the frame to the graphics card, whose own work is waited for between frames and
//! is not in it. Prints the median and the maximum of each.

use danqing::base::Extent;
use danqing::ui::viewport::{Affine, COLOR_BYTES, ViewParams, Viewport, tiles_of};
use eframe::egui_wgpu::{RenderState, RendererOptions, ScreenDescriptor};
use eframe::wgpu;
use egui::{Color32, Context, LayerId, RawInput, Rect, Vec2, pos2, vec2};
use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};
use std::time::Instant;

const EXTENT: Extent = Extent::new(4096, 4096);
const WINDOW: [u32; 2] = [1280, 800];
const FRAMES: u32 = 30;

struct Window {
    state: RenderState,
    ctx: Context,
    target: wgpu::TextureView,
    viewport: Viewport,
}

impl Window {
    fn new() -> Self {
        let state = create_render_state(default_wgpu_setup(), RendererOptions::default());
        let texture = state.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: WINDOW[0], height: WINDOW[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: state.target_format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let target = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let mut viewport = Viewport::new(Some(&state));
        viewport.resize(EXTENT);
        Self { state, ctx: Context::default(), target, viewport }
    }

    /// Milliseconds of a frame.
    fn frame(&mut self, to_screen: Affine, change: impl FnOnce(&mut Viewport)) -> f64 {
        let began = Instant::now();
        change(&mut self.viewport);
        let size = vec2(WINDOW[0] as f32, WINDOW[1] as f32);
        let input = RawInput { screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), size)), ..RawInput::default() };
        let params = ViewParams::new(to_screen, Color32::BLACK);
        let mut output = self.ctx.run_ui(input, |ui| {
            let painter = ui.ctx().layer_painter(LayerId::background());
            self.viewport.paint(&painter, ui.ctx().content_rect(), &params);
        });
        // No text is painted, so that its letters need no texture.
        output.textures_delta.clear();
        let shapes = self.ctx.tessellate(output.shapes, 1.0);
        let screen = ScreenDescriptor { size_in_pixels: WINDOW, pixels_per_point: 1.0 };
        let RenderState { device, queue, renderer, .. } = &self.state;
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut renderer = renderer.write();
        let mut commands = renderer.update_buffers(device, queue, &mut encoder, &shapes, &screen);
        {
            let attachment = wgpu::RenderPassColorAttachment {
                view: &self.target,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            };
            let descriptor =
                wgpu::RenderPassDescriptor { color_attachments: &[Some(attachment)], ..Default::default() };
            renderer.render(&mut encoder.begin_render_pass(&descriptor).forget_lifetime(), &shapes, &screen);
        }
        commands.push(encoder.finish());
        queue.submit(commands);
        let spent = began.elapsed().as_secs_f64() * 1e3;
        device.poll(wgpu::PollType::wait_indefinitely()).expect("a graphics card that ends its work");
        spent
    }
}

fn main() {
    let mut window = Window::new();
    println!("{}", window.state.adapter.get_info().name);
    let (across, down) = tiles_of(EXTENT);
    let tile: Vec<u8> = (0..COLOR_BYTES as u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let middle = |scale: f64, k: u32| {
        let centre = [2048.0 + f64::from(k) * 7.3, 2048.0];
        Affine::around(pos2(0.0, 0.0) + Vec2::new(640.0, 400.0), centre, scale, 0.0)
    };

    let began = Instant::now();
    (0..across * down).for_each(|k| window.viewport.upload_tile(k, Some(&tile)));
    let handed_in = began.elapsed().as_secs_f64() * 1e3;
    let mut frames = Vec::new();
    while window.viewport.pending() {
        frames.push(window.frame(middle(0.2, 0), |_| {}));
    }
    print!("the whole canvas: {handed_in:.1} ms to hand in, then {} frames: ", frames.len());
    report(frames);

    for count in [1, 16, 256] {
        let mut dirty = tile.clone();
        let times = (0..FRAMES).map(|k| {
            dirty[0] = k as u8;
            window.frame(middle(0.2, 0), |viewport| {
                // A square of tiles in the middle, as a stroke leaves them.
                let side = f64::from(count).sqrt() as u32;
                for n in 0..count {
                    let (column, row) = (across / 2 + n % side, down / 2 + n / side);
                    viewport.upload_tile(row * across + column, Some(&dirty));
                }
            })
        });
        let times = times.collect();
        print!("{count} dirty tiles: ");
        report(times);
    }
    let pan = (0..FRAMES).map(|k| window.frame(middle(1.0, k), |_| {})).collect();
    print!("panning: ");
    report(pan);
    let zoom = (0..FRAMES).map(|k| window.frame(middle(0.02 * 1.28f64.powi(k as i32), 0), |_| {})).collect();
    print!("zooming: ");
    report(zoom);
}

fn report(mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
    let (median, most) = (at(0.5).copied().unwrap_or(0.0), at(1.0).copied().unwrap_or(0.0));
    println!("median {median:.2} ms, most {most:.2} ms");
}
