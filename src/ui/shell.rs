//! The window as a whole: where its parts stand, and how a frame goes.

use super::dialogs::{Answer, Dialogs};
use super::farewell::Farewell;
use super::gallery::{self, Gallery};
use super::icons::{Icon, seal};
use super::input::{Composition, commands};
use super::textures::Textures;
use super::theme::{GRID, MARGIN, PANEL_WIDTH, serif, set_shade, tokens};
use super::widgets::{icon_button, link, tip, wide_button};
use super::{canvas_view, fonts, parameters, prompt_panel, strip, theme, toasts};
use crate::app::{Command, Effect, Said, Session, Setup, Shade, State, View};
use crate::base::{Problem, ProblemKind};
use crate::words::{Language, text};
use egui::{
    Align, CentralPanel, Context, Frame, Layout, Margin, Panel, RichText, ScrollArea, Stroke, Ui, Vec2,
    ViewportBuilder, vec2,
};
use std::time::{Duration, Instant};

/// Size of the window at the first start, in points.
const SIZE: [f32; 2] = [1280.0, 800.0];
const LEAST_SIZE: [f32; 2] = [880.0, 600.0];
/// While a job runs, its time is counted down at this pace.
const COUNT_DOWN: Duration = Duration::from_secs(1);

/// Opens the window and returns when it is closed. Call it on the main thread. Models are loaded later, by the worker.
///
/// # Errors
/// [`ProblemKind::NoGraphics`] if there is no adapter or no display, [`ProblemKind::Internal`] for other failures.
pub fn run(setup: Setup) -> Result<(), Problem> {
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon.png")).unwrap_or_default();
    let viewport = ViewportBuilder::default()
        .with_title("丹青")
        .with_app_id("danqing")
        .with_inner_size(SIZE)
        .with_min_inner_size(LEAST_SIZE)
        .with_icon(icon);
    let options = eframe::NativeOptions { viewport, centered: true, ..Default::default() };
    let create = Box::new(|creation: &eframe::CreationContext<'_>| {
        prepare(&creation.egui_ctx);
        let shell: Box<dyn eframe::App> = Box::new(Shell::new(&creation.egui_ctx, setup));
        Ok(shell)
    });
    eframe::run_native("danqing", options, create).map_err(|error| {
        let kind = match &error {
            eframe::Error::Wgpu(_) | eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => {
                ProblemKind::NoGraphics
            }
            _ => ProblemKind::Internal,
        };
        Problem::new(kind).detail(error)
    })
}

/// Hands fonts and colours to egui; before the first frame.
pub fn prepare(ctx: &Context) {
    fonts::install(ctx);
    theme::install(ctx);
}

/// The window's contents.
pub struct Shell {
    session: Session,
    textures: Textures,
    dialogs: Dialogs,
    composition: Composition,
    farewell: Farewell,
    gallery: Gallery,
    /// What egui has been told.
    shade: Option<Shade>,
}

impl Shell {
    /// Starts the session; its threads ask `ctx` for a repaint when they have news.
    pub fn new(ctx: &Context, setup: Setup) -> Self {
        let waker = ctx.clone();
        let session = Session::start(setup, move || waker.request_repaint());
        Self {
            session,
            textures: Textures::default(),
            dialogs: Dialogs::default(),
            composition: Composition::default(),
            farewell: Farewell::default(),
            gallery: Gallery::default(),
            shade: None,
        }
    }

    pub fn state(&self) -> &State {
        &self.session.state
    }

    /// Takes in what the threads have reported. It also runs while the window is hidden.
    pub fn logic(&mut self, ctx: &Context) {
        self.session.drain();
        match self.dialogs.poll() {
            Some(Answer::Chosen(command)) => self.command(ctx, command),
            Some(Answer::Missing) => self.session.state.say(Said::Note("note-no-dialog", Vec::new())),
            Some(Answer::Declined) | None => {}
        }
        if let Some(next) = self.session.tick(Instant::now()) {
            ctx.request_repaint_after(next);
        }
        if self.session.state.ledger.running().is_some_and(|(_, running)| running.total > 0) {
            ctx.request_repaint_after(COUNT_DOWN);
        }
        self.textures.tidy(&self.session.state);
    }

    /// Draws a frame and carries out what it asks for.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if self.shade != Some(self.session.state.shade) {
            set_shade(&ctx, self.session.state.shade);
            self.shade = Some(self.session.state.shade);
            ctx.request_repaint();
        }
        if let Some((field, preedit)) = self.composition.abandoned(&ctx) {
            prompt_panel::take_out(&ctx, field, &preedit, &mut self.session.state.draft);
            gallery::take_out(&ctx, field, &preedit, &mut self.session.state);
        }
        let mut out = commands(&ctx, &mut self.composition, &self.session.state);
        // Keys first, so that this frame shows what they did.
        for command in out.drain(..) {
            self.command(&ctx, command);
        }
        let t = tokens(ui);
        let margin = Margin::same(MARGIN as i8);
        self.farewell.look(&ctx, &self.session.state);
        let Self { session, textures, farewell, gallery, .. } = self;
        let state = &mut session.state;
        state.wall.composing = self.composition.is_open();
        let in_gallery = state.view == View::Gallery;

        Panel::left("desk")
            .exact_size(PANEL_WIDTH)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(t.panel))
            .show(ui, |ui| {
                let edge = Stroke::new(1.0, t.line);
                ui.painter().vline(ui.max_rect().right() - 0.5, ui.max_rect().y_range(), edge);
                header(ui, state, &mut out);
                actions(ui, state, &mut out);
                CentralPanel::no_frame().show(ui, |ui| {
                    let inner = Margin { top: 0, bottom: 8, ..margin };
                    ScrollArea::vertical().auto_shrink(false).content_margin(inner).show(ui, |ui| {
                        out.extend(prompt_panel::model(ui, state).map(Command::ChooseModel));
                        ui.add_space(GRID);
                        prompt_panel::show(ui, state);
                        ui.add_space(GRID);
                        parameters::show(ui, state, &mut out);
                    });
                });
            });
        if strip::is_wanted(state) && !in_gallery {
            Panel::bottom("strip")
                .exact_size(strip::HEIGHT)
                .resizable(false)
                .show_separator_line(false)
                .frame(Frame::new().fill(t.panel))
                .show(ui, |ui| strip::show(ui, state, textures, &mut out));
        }
        CentralPanel::no_frame().frame(Frame::new().fill(t.ground)).show(ui, |ui| {
            if in_gallery {
                gallery.show(ui, state, &mut out);
            } else {
                canvas_view::show(ui, state, textures, &mut out);
            }
        });
        toasts::show(&ctx, state, &mut out);
        farewell.show(&ctx, state);

        if !out.is_empty() {
            ctx.request_repaint();
        }
        for command in out {
            self.command(&ctx, command);
        }
        if in_gallery {
            self.session.attend();
        }
    }

    fn command(&mut self, ctx: &Context, command: Command) {
        for effect in self.session.run(command) {
            match effect {
                Effect::AskPath { id, file_name } => {
                    let title = text(self.session.state.language, "command-save-as");
                    self.dialogs.save(id, title, file_name, ctx);
                }
                Effect::AskCopyPath(file) => {
                    let title = text(self.session.state.language, "command-wall-export");
                    self.dialogs.copy(file, title, ctx);
                }
                Effect::FocusPrompt => ctx.memory_mut(|memory| memory.request_focus(prompt_panel::prompt_id())),
                _ => {}
            }
        }
    }
}

impl eframe::App for Shell {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        Shell::logic(self, ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn on_exit(&mut self) {
        self.session.remember();
    }
}

/// Seal and name, and the two switches.
fn header(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let frame = Frame::new().inner_margin(Margin { left: MARGIN as i8, right: 16, top: 20, bottom: 16 });
    Panel::top("header").show_separator_line(false).frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let (mark, _) = ui.allocate_exact_size(Vec2::splat(4.5 * GRID), egui::Sense::hover());
            seal(ui.painter(), mark, tokens(ui));
            ui.add_space(4.0);
            ui.label(RichText::new(text(language, "app-name")).font(serif(20.0)).color(tokens(ui).ink));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let shade = Command::SwitchShade;
                let sign = if state.shade == Shade::Dark { Icon::Sun } else { Icon::Moon };
                let button = icon_button(ui, sign, &text(language, &shade.text_id()), None);
                if tip(button, language, &shade).clicked() {
                    out.push(shade);
                }
                let (sign, view) = match state.view {
                    View::Gallery => (Icon::Brush, Command::ShowStudio),
                    _ => (Icon::Gallery, Command::ShowGallery),
                };
                if tip(icon_button(ui, sign, &text(language, &view.text_id()), None), language, &view).clicked() {
                    out.push(view);
                }
                let switch = Command::SwitchLanguage;
                // Named in the language that it brings.
                let words = match language {
                    Language::ZhCn => "English",
                    Language::En => "中文",
                };
                if tip(link(ui, None, words), language, &switch).clicked() {
                    out.push(switch);
                }
            });
        });
    });
}

/// The one thing to do, and the way to stop it.
fn actions(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let frame = Frame::new().inner_margin(Margin { left: 24, right: 24, top: 16, bottom: 24 });
    Panel::bottom("actions").show_separator_line(false).frame(frame).show(ui, |ui| {
        let edge = Stroke::new(1.0, tokens(ui).line);
        let panel = ui.max_rect();
        ui.painter().hline(panel.x_range(), panel.top() - 16.0, edge);
        let keys = |command: &Command| command.shortcut().map(|shortcut| shortcut.label()).unwrap_or_default();
        ui.horizontal(|ui| {
            let running = state.ledger.running().is_some();
            let all = ui.available_width();
            let stop_width = if running { 14.0 * GRID } else { -GRID };
            let (paint, stop) = (Command::Generate, Command::Cancel);
            ui.add_enabled_ui(!state.models.is_empty(), |ui| {
                let words = text(language, if running { "label-queue" } else { "command-generate" });
                let size = vec2(all - stop_width - GRID, 6.0 * GRID);
                let button = wide_button(ui, size, &words, &keys(&paint), true);
                if tip(button, language, &paint).clicked() {
                    out.push(paint);
                }
            });
            if running {
                let size = vec2(stop_width, 6.0 * GRID);
                let button = wide_button(ui, size, &text(language, &stop.text_id()), &keys(&stop), false);
                if tip(button, language, &stop).clicked() {
                    out.push(stop);
                }
            }
        });
    });
}
