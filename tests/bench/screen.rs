//! What the real window costs the processor while the engine works: panning, zooming, a mask stroke of about 2,000 dabs
//! on a canvas of 4096 × 4096, and a gallery of 25,000 pictures that is scrolled through, one after the other in a window
//! on a screen. `cargo bench --bench screen [-- MODEL]`, or without a screen of one's own
//! `xvfb-run -a -s '-screen 0 1920x1080x24' cargo bench --bench screen`.
//!
//! MODEL is a diffusers folder for the real engine; without it one works that pauses instead of painting. A frame is
//! counted from its first event: until the tiles and everything else that changed are handed to the graphics card, and the
//! frame as a whole, the commands for the card included. The card's own work, which a software driver does on the same
//! cores, is waited for between frames and is not in it.

mod stage;

use crossbeam_channel::{Receiver, Sender, bounded};
use danqing::ui::{Setup, Shell, prepare};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};
use eframe::wgpu;
use egui::{Context, Event, Id, LayerId, Order, PaintCallbackInfo, RawInput, Rect, Ui, ViewportBuilder};
use stage::scene::SCREEN;
use stage::{Cost, Stage, play, report, scene};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const PICTURES: usize = 25_000;
/// More repaints than the script sees the end of.
const REPAINTS: u32 = 40;

type Sight = Box<dyn FnOnce(&Context, &Shell) + Send>;

/// What the script has the window do next.
enum Word {
    Frame(Vec<Event>),
    Look(Sight),
}

/// The moments of a frame.
#[derive(Clone, Copy, Default)]
struct Clock {
    began: Option<Instant>,
    uploaded: Option<Instant>,
    /// The first and the last command for the card; the wait for a surface to draw on lies before them.
    drawing: Option<(Instant, Instant)>,
}

impl Clock {
    fn cost(&self) -> Option<Cost> {
        let (began, uploaded, (first, last)) = (self.began?, self.uploaded?, self.drawing?);
        let uploaded = (uploaded - began).as_secs_f64() * 1e3;
        Some(Cost { uploaded, frame: uploaded + (last - first).as_secs_f64() * 1e3 })
    }
}

/// Painted below and above everything, notes when its turn comes.
struct Mark {
    clock: Arc<Mutex<Clock>>,
    is_top: bool,
}

impl Mark {
    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallbackTrait for Mark {
    fn finish_prepare(
        &self,
        _device: &wgpu::Device,
        _queue: &wgpu::Queue,
        _encoder: &mut wgpu::CommandEncoder,
        _resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if self.is_top {
            self.clock().uploaded = Some(Instant::now());
        }
        Vec::new()
    }

    fn paint(&self, _info: PaintCallbackInfo, _pass: &mut wgpu::RenderPass<'static>, _resources: &CallbackResources) {
        let now = Instant::now();
        let mut clock = self.clock();
        clock.drawing = match clock.drawing {
            Some((first, _)) if self.is_top => Some((first, now)),
            _ => Some((now, now)),
        };
    }
}

/// The window as the program opens it, but its hand and its pace are the script's.
struct Puppet {
    shell: Shell,
    device: wgpu::Device,
    clock: Arc<Mutex<Clock>>,
    words: Receiver<Word>,
    costs: Sender<Cost>,
    /// The frame before was asked for by the script.
    asked: bool,
}

impl Puppet {
    fn new(ctx: &Context, card: &RenderState, setup: Setup, words: Receiver<Word>, costs: Sender<Cost>) -> Self {
        prepare(ctx);
        let shell = Shell::new(ctx, Some(card), setup);
        Self { shell, device: card.device.clone(), clock: Arc::default(), words, costs, asked: false }
    }

    fn mark(&self, everywhere: Rect, is_top: bool) -> egui::epaint::PaintCallback {
        Callback::new_paint_callback(everywhere, Mark { clock: Arc::clone(&self.clock), is_top })
    }
}

impl eframe::App for Puppet {
    fn raw_input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        let clock = std::mem::take(&mut *self.clock.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.device.poll(wgpu::PollType::wait_indefinitely()) {
            println!("the graphics card: {error}");
        }
        // A frame that could not be shown has no cost; the script's events were taken all the same.
        if std::mem::take(&mut self.asked) && self.costs.send(clock.cost().unwrap_or_default()).is_err() {
            return;
        }
        loop {
            match self.words.recv() {
                Ok(Word::Look(see)) => see(ctx, &self.shell),
                Ok(Word::Frame(events)) => {
                    // The hand is the script's alone.
                    input.events = events;
                    input.focused = true;
                    self.asked = true;
                    break;
                }
                Err(_) => return,
            }
        }
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).began = Some(Instant::now());
    }

    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.shell.logic(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let everywhere = ui.ctx().content_rect();
        ui.painter().add(self.mark(everywhere, false));
        self.shell.show(ui);
        let above = ui.ctx().layer_painter(LayerId::new(Order::Debug, Id::unique("mark")));
        above.add(self.mark(everywhere, true));
        ui.ctx().request_repaint();
    }
}

/// The script's end of the line to the [`Puppet`].
struct Remote {
    words: Sender<Word>,
    costs: Receiver<Cost>,
}

impl Stage for Remote {
    fn frame(&mut self, events: Vec<Event>) -> Cost {
        self.words.send(Word::Frame(events)).expect("the window is open");
        self.costs.recv().expect("the window is open")
    }

    fn look<R: Send + 'static>(&mut self, see: impl FnOnce(&Context, &Shell) -> R + Send + 'static) -> R {
        let (tell, told) = bounded(1);
        let sight: Sight = Box::new(move |ctx, shell| {
            // Whoever asked has gone if nobody hears it.
            let _ = tell.send(see(ctx, shell));
        });
        self.words.send(Word::Look(sight)).expect("the window is open");
        told.recv().expect("the window is open")
    }
}

fn script(mut window: Remote, engine: &str) {
    play::settle(&mut window);
    play::canvas(&mut window, &format!("{engine} rests"));
    play::repaint(&mut window, REPAINTS);
    play::canvas(&mut window, &format!("{engine} repaints"));
    play::assert_working(&mut window);
    report(&format!("{engine} repaints, the gallery is read"), &play::open_gallery(&mut window, PICTURES));
    let count = window.look(|_, shell| shell.state().wall.ids().len());
    report(&format!("{engine} repaints, scrolling through {count} pictures"), &play::leaf_through(&mut window));
    play::assert_working(&mut window);
}

fn main() {
    let model = std::env::args().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from);
    let folder = tempfile::tempdir().expect("a temporary folder");
    scene::fill_gallery(&folder, PICTURES);
    let setup = scene::setup(&folder, model.as_deref(), 1000);
    let engine = if model.is_some() { "the real engine" } else { "the fake engine" };
    let (words, heard) = bounded(0);
    let (tell, costs) = bounded(1);
    // The window needs the main thread, and the script ends the program.
    std::thread::spawn(move || {
        let play = std::panic::AssertUnwindSafe(|| script(Remote { words, costs }, engine));
        let failed = std::panic::catch_unwind(play).is_err();
        if let Err(error) = folder.close() {
            println!("the temporary folder is left: {error}");
        }
        std::process::exit(i32::from(failed));
    });
    let viewport = ViewportBuilder::default().with_inner_size(SCREEN).with_position([0.0, 0.0]);
    let create = Box::new(move |creation: &eframe::CreationContext<'_>| {
        let card = creation.wgpu_render_state.as_ref().ok_or("no graphics card")?;
        let puppet: Box<dyn eframe::App> = Box::new(Puppet::new(&creation.egui_ctx, card, setup, heard, tell));
        Ok(puppet)
    });
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native("danqing", options, create).expect("a screen");
}
