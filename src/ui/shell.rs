//! The window as a whole: where its parts stand, and how a frame goes.

use super::canvas_panel::CanvasPanel;
use super::cards::Cards;
use super::caret::Caret;
use super::dialogs::{Answer, Dialogs};
use super::farewell::Farewell;
use super::gallery::{self, Gallery};
use super::input::{self, Composition, Held, commands};
use super::layers_panel::LayersPanel;
use super::textures::Textures;
use super::theme::{GRID, MARGIN, set_shade, tokens};
use super::widgets::{tip, wide_button};
use super::{
    arrivals, canvas_view, fonts, history_panel, parameters, prompt_panel, status, strip, theme, timeline, toasts,
    tool_bar, tool_options, topbar, unsaved, window,
};
use crate::app::commands::Entry;
use crate::app::filing::title;
use crate::app::layout::{HISTORY_HEIGHTS, LAYERS_WIDTHS, PROMPT_WIDTHS};
use crate::app::settings::Settings;
use crate::app::wall::Shown;
use crate::app::{Command, Effect, Said, Session, Setup, Shade, State, View};
use crate::base::{Problem, ProblemKind};
use crate::gallery::EntryId;
use crate::words::text;
use eframe::egui_wgpu::RenderState;
use egui::{
    CentralPanel, Context, Frame, Margin, Panel, ScrollArea, Stroke, Ui, UiBuilder, ViewportBuilder, ViewportCommand,
    vec2,
};
use std::time::{Duration, Instant};

/// While a job runs, its time is counted down at this pace.
const COUNT_DOWN: Duration = Duration::from_secs(1);

/// Opens the window and returns when it is closed. Call it on the main thread. Models are loaded later, by the worker.
///
/// # Errors
/// [`ProblemKind::NoGraphics`] if there is no adapter or no display, [`ProblemKind::Internal`] for other failures.
pub fn run(setup: Setup) -> Result<(), Problem> {
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon.png")).unwrap_or_default();
    let viewport = ViewportBuilder::default().with_title("丹青").with_app_id("danqing").with_icon(icon);
    let place = Settings::read(&setup.settings_path).layout.checked().window;
    let options =
        eframe::NativeOptions { viewport: window::as_it_was(viewport, place), centered: true, ..Default::default() };
    let create = Box::new(move |creation: &eframe::CreationContext<'_>| {
        prepare(&creation.egui_ctx);
        window::put_back(creation, place);
        let shell: Box<dyn eframe::App> =
            Box::new(Shell::new(&creation.egui_ctx, creation.wgpu_render_state.as_ref(), setup));
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
    // The size of the window's words is a command of ours.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
}

/// The window's contents.
pub struct Shell {
    session: Session,
    textures: Textures,
    canvas: CanvasPanel,
    layers: LayersPanel,
    /// The step of the timeline that is looked back at, as of the last frame.
    glance: Option<usize>,
    dialogs: Dialogs,
    composition: Composition,
    farewell: Farewell,
    caret: Caret,
    cards: Cards,
    gallery: Gallery,
    held: Held,
    /// What egui has been told.
    shade: Option<Shade>,
    /// Of the window, as it was set last.
    title: String,
}

impl Shell {
    /// Starts the session; its threads ask `ctx` for a repaint when they have news.
    /// Without a graphics card (`None`) the canvas stays empty.
    pub fn new(ctx: &Context, card: Option<&RenderState>, setup: Setup) -> Self {
        let waker = ctx.clone();
        let session = Session::start(setup, move || waker.request_repaint());
        Self {
            session,
            textures: Textures::default(),
            canvas: CanvasPanel::new(card),
            layers: LayersPanel::default(),
            glance: None,
            dialogs: Dialogs::default(),
            composition: Composition::default(),
            farewell: Farewell::default(),
            caret: Caret::default(),
            cards: Cards::default(),
            gallery: Gallery::default(),
            held: Held::default(),
            shade: None,
            title: String::new(),
        }
    }

    pub fn state(&self) -> &State {
        &self.session.state
    }

    /// What the gallery shows small of an entry, once it has come.
    pub fn thumbnail(&mut self, id: EntryId) -> Option<&Shown> {
        self.session.state.wall.thumbnail(id)
    }

    /// What the gallery shows large of an entry, once it has come.
    pub fn picture(&mut self, id: EntryId) -> Option<&Shown> {
        self.session.state.wall.picture(id)
    }

    /// Takes in what the threads have reported. It also runs while the window is hidden.
    pub fn logic(&mut self, ctx: &Context) {
        self.session.drain();
        match self.dialogs.poll() {
            Some(Answer::Chosen(command)) => self.command(ctx, command),
            Some(Answer::Missing) => {
                self.session.state.filing.decline();
                self.session.state.say(Said::Note("note-no-dialog", Vec::new()));
            }
            Some(Answer::Declined) => self.session.state.filing.decline(),
            None => {}
        }
        for effect in self.session.take_effects() {
            self.carry_out(ctx, effect);
        }
        if let Some(picture) = self.session.state.filing.copied.take() {
            arrivals::copy(ctx, &picture);
        }
        let title = title(&self.session.state);
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
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
        ctx.set_zoom_factor(self.session.state.scale.factor());
        if let Some((field, preedit)) = self.composition.abandoned(&ctx) {
            match self.cards.field_mut(field) {
                Some(words) => input::take_out(&ctx, field, &preedit, words),
                None => prompt_panel::take_out(&ctx, field, &preedit, &mut self.session.state.draft),
            }
            gallery::take_out(&ctx, field, &preedit, &mut self.session.state);
        }
        let asking = self.session.state.filing.question.is_some();
        let gate = if asking { |_: &Entry| false } else { self.cards.gate() };
        let mut out = commands(&ctx, &mut self.composition, &mut self.held, &self.session.state, gate);
        out.extend(arrivals::commands(&ctx, &self.session.state, asking || self.cards.is_open()));
        self.farewell.look(&ctx, &mut self.session.state);
        // Keys first, so that this frame shows what they did.
        for command in out.drain(..) {
            self.command(&ctx, command);
        }
        if let Some(before) = self.held.change(&ctx) {
            self.session.state.desk.show_before(before);
        }
        window::note(&ctx, &mut self.session.state);
        let t = tokens(ui);
        self.caret.look(&ctx);
        let Self { session, textures, canvas, layers, glance, farewell, gallery, cards, composition, .. } = self;
        let state = &mut session.state;
        state.wall.composing = composition.is_open();
        let in_gallery = state.view == View::Gallery;

        let alone = state.desk.canvas_only && state.view == View::Easel;
        if !alone {
            topbar::show(ui, state, &mut out);
        }
        if !alone && state.layout.prompt {
            desk(ui, state, &mut out);
        }
        if strip::is_wanted(state) && !alone && !in_gallery {
            *glance = bottom(ui, state, textures, &mut out);
        }
        let empty = state.desk.is_fresh() && !state.is_working();
        // Where the canvas is not shown nobody sees the hand being lifted.
        if state.view != View::Easel && state.desk.finish() {
            ctx.request_repaint();
        }
        let middle = CentralPanel::no_frame().frame(Frame::new().fill(t.ground));
        let free = if in_gallery {
            middle.show(ui, |ui| gallery.show(ui, state, &mut out))
        } else if state.view != View::Easel || empty {
            middle.show(ui, |ui| canvas_view::show(ui, state, textures, &mut out))
        } else {
            if !alone {
                beside(ui, state, textures, layers, &mut out);
            }
            middle.show(ui, |ui| canvas.show(ui, state, *glance, &mut out))
        };
        toasts::show(&ctx, state, free.inner, &mut out);
        cards.show(&ctx, state, composition.is_open(), &mut out);
        farewell.show(&ctx, state);
        unsaved::show(&ctx, state, &mut out);

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
            self.carry_out(ctx, effect);
        }
    }

    fn carry_out(&mut self, ctx: &Context, effect: Effect) {
        let state = &mut self.session.state;
        match effect {
            Effect::AskPath { id, file_name } => {
                self.dialogs.save(id, text(state.language, "command-save-as"), file_name, ctx);
            }
            Effect::Ask(ask) => self.dialogs.ask(ask, state.filing.folder.as_deref(), state.language, ctx),
            Effect::Weigh(step) => prompt_panel::weigh(ctx, &mut state.draft, step),
            Effect::Show(card) => self.cards.open(ctx, card, state),
            Effect::FocusPrompt => {
                state.layout.prompt = true;
                self.cards.focus(ctx, prompt_panel::prompt_id());
            }
            Effect::AskCopyPath(file) => {
                self.dialogs.copy(file, text(state.language, "command-wall-export"), ctx);
            }
            Effect::Close => ctx.send_viewport_cmd(ViewportCommand::Close),
            Effect::Leave => self.farewell.leave(ctx),
            _ => {}
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
        self.session.close();
    }
}

/// The left panel: what shall be painted, and how.
fn desk(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let margin = Margin::same(MARGIN as i8);
    // The rest of the window has its tools.
    let most = (ui.available_width() * 0.36).clamp(*PROMPT_WIDTHS.start(), *PROMPT_WIDTHS.end());
    let shown = Panel::left("desk")
        .default_size(state.layout.prompt_width)
        .size_range(*PROMPT_WIDTHS.start()..=most)
        .drag_to_open(false)
        .show_separator_line(false)
        .frame(Frame::new().fill(t.panel))
        .show(ui, |ui| {
            edge(ui, ui.max_rect().right() - 0.5);
            actions(ui, state, out);
            CentralPanel::no_frame().show(ui, |ui| {
                let inner = Margin { top: 16, bottom: 8, ..margin };
                ScrollArea::vertical().auto_shrink(false).content_margin(inner).show(ui, |ui| {
                    out.extend(prompt_panel::model(ui, state).map(Command::ChooseModel));
                    ui.add_space(GRID);
                    prompt_panel::show(ui, state, out);
                    ui.add_space(GRID);
                    parameters::show(ui, state, out);
                });
            });
        });
    state.layout.prompt_width = shown.response.rect.width().round();
}

/// Under the canvas: how the picture formed, and what was made. Gives the step that is looked back at.
fn bottom(ui: &mut Ui, state: &State, textures: &mut Textures, out: &mut Vec<Command>) -> Option<usize> {
    let t = tokens(ui);
    let panel = |id: &'static str, height: f32| {
        let panel = Panel::bottom(id).exact_size(height).resizable(false).show_separator_line(false);
        panel.frame(Frame::new().fill(t.panel))
    };
    panel("strip", strip::HEIGHT).show(ui, |ui| strip::show(ui, state, textures, out));
    // The row is there before there are steps, so that the canvas does not jump.
    let row = panel("timeline", timeline::HEIGHT);
    row.show(ui, |ui| timeline::shown(state).cloned().and_then(|trail| timeline::show(ui, state, &trail, textures)))
        .inner
}

/// Round the canvas: layers and history, the tool's options, the tools, and how far the job is.
fn beside(ui: &mut Ui, state: &mut State, textures: &mut Textures, layers: &mut LayersPanel, out: &mut Vec<Command>) {
    let fill = Frame::new().fill(tokens(ui).panel);
    let panel = |panel: Panel| panel.resizable(false).show_separator_line(false);
    if state.layout.layers {
        let right = Panel::right("layers and history").show_separator_line(false).drag_to_open(false);
        let right = right.default_size(state.layout.layers_width).size_range(LAYERS_WIDTHS).frame(fill);
        let shown = right.show(ui, |ui| {
            // What does not fit is cut off, and does not make the panel wider.
            let whole = ui.max_rect();
            ui.advance_cursor_after_rect(whole);
            let ui = &mut ui.new_child(UiBuilder::new().max_rect(whole));
            edge(ui, whole.left() + 0.5);
            let inner = Frame::new().inner_margin(Margin { left: 16, right: 12, top: 12, bottom: 8 });
            let usual = (ui.available_height() * 0.4).min(36.0 * GRID);
            let most = (ui.available_height() * 0.7).max(*HISTORY_HEIGHTS.start());
            let bottom = Panel::bottom("history").resizable(true).show_separator_line(false).drag_to_open(false);
            let bottom = bottom.default_size(state.layout.history_height.unwrap_or(usual));
            let bottom = bottom.size_range(*HISTORY_HEIGHTS.start()..=most.min(*HISTORY_HEIGHTS.end())).frame(inner);
            let history = bottom.show(ui, |ui| history_panel::show(ui, state, out));
            let height = history.response.rect.height().round();
            if (height - usual).abs() > 1.0 || state.layout.history_height.is_some() {
                state.layout.history_height = Some(height);
            }
            CentralPanel::no_frame().frame(inner).show(ui, |ui| layers.show(ui, state, textures, out));
        });
        state.layout.layers_width = shown.response.rect.width().round();
    }
    let top = panel(Panel::top("tool options")).exact_size(tool_options::HEIGHT).frame(fill);
    top.show(ui, |ui| tool_options::show(ui, state, out));
    let left = panel(Panel::left("tools")).exact_size(tool_bar::WIDTH).frame(fill);
    left.show(ui, |ui| tool_bar::show(ui, state, out));
    let inner = fill.inner_margin(Margin::symmetric(16, 0));
    let row = panel(Panel::bottom("status")).exact_size(status::HEIGHT).frame(inner);
    row.show(ui, |ui| status::show(ui, state, out));
}

/// A fine line down the edge of a panel.
fn edge(ui: &Ui, x: f32) {
    ui.painter().vline(x, ui.max_rect().y_range(), Stroke::new(1.0, tokens(ui).line));
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
