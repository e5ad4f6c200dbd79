//! The card about the program: what it is, whose work it stands on, and under which licences.

use super::icons::{Icon, seal};
use super::theme::{CONTROL, GRID, SMALL, TITLE, serif, tokens};
use super::widgets::{faint, heading, icon_button_sized, link, tip_text};
use crate::app::command::Link;
use crate::app::{Command, State};
use crate::words::{text, text_with};
use egui::{Align, Context, Frame, Grid, Id, Label, Layout, Margin, Modal, RichText, ScrollArea, Sense, Ui, Vec2};

const WIDTH: f32 = 62.0 * GRID;
/// Libraries that the program is made of, with their licences.
const LIBRARIES: [(&str, &str); 12] = [
    ("egui, eframe", "MIT / Apache-2.0"),
    ("wgpu", "MIT / Apache-2.0"),
    ("candle", "MIT / Apache-2.0"),
    ("gemm, pulp", "MIT"),
    ("tokenizers, safetensors", "Apache-2.0"),
    ("image, png, webp", "MIT / Apache-2.0"),
    ("rusqlite", "MIT"),
    ("zip, quick-xml", "MIT"),
    ("rayon, crossbeam, serde", "MIT / Apache-2.0"),
    ("fluent", "MIT / Apache-2.0"),
    ("pinyin", "MIT"),
    ("rfd, onig", "MIT"),
];

/// Shows the card; false when it closes.
pub fn show(ctx: &Context, state: &State, out: &mut Vec<Command>) -> bool {
    let escape = super::cards::take_escape(ctx);
    let screen = ctx.content_rect().size();
    let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(28)).corner_radius(10);
    let modal = Modal::new(Id::unique("about")).backdrop_color(super::cards::backdrop(ctx)).frame(frame);
    let modal = modal.show(ctx, |ui| {
        ui.set_width(WIDTH.min(screen.x - 12.0 * GRID));
        let close = header(ui, state);
        ui.add_space(1.5 * GRID);
        let most = (screen.y - 32.0 * GRID).max(12.0 * GRID);
        let scroll = ScrollArea::vertical().max_height(most).min_scrolled_height(most);
        scroll.content_margin(Margin { right: 14, ..Margin::ZERO }).show(ui, |ui| contents(ui, state, out));
        close
    });
    !(modal.inner || escape || modal.backdrop_response.clicked())
}

/// True if it shall close.
fn header(ui: &mut Ui, state: &State) -> bool {
    let (t, language) = (tokens(ui), state.language);
    ui.horizontal(|ui| {
        let (mark, _) = ui.allocate_exact_size(Vec2::splat(8.0 * GRID), Sense::hover());
        seal(ui.painter(), mark, t);
        ui.add_space(GRID);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.add_space(6.0);
            ui.label(RichText::new(text(language, "app-name")).font(serif(TITLE)).color(t.ink));
            let version = env!("CARGO_PKG_VERSION").to_owned();
            faint(ui, text_with(language, "label-version", &[("version", version)]));
        });
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            let words = text(language, "command-dismiss");
            icon_button_sized(ui, Icon::Close, &words, None, Vec2::splat(CONTROL)).clicked()
        })
        .inner
    })
    .inner
}

fn contents(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let say = |ui: &mut Ui, id: &str| {
        let words = RichText::new(text(language, id)).color(tokens(ui).ink_soft);
        ui.add(Label::new(words).wrap());
    };
    say(ui, "label-about");
    ui.add_space(GRID);
    heading(ui, &text(language, "label-about-model"));
    say(ui, "label-about-xiaotu");
    ui.add_space(GRID);
    heading(ui, &text(language, "label-about-licence"));
    say(ui, "label-about-own");
    say(ui, "label-about-fonts");
    ui.add_space(GRID);
    heading(ui, &text(language, "label-about-libraries"));
    ui.spacing_mut().interact_size.y = 2.0 * GRID;
    Grid::new("libraries").num_columns(2).spacing([4.0 * GRID, 3.0]).show(ui, |ui| {
        for (name, licence) in LIBRARIES {
            ui.label(RichText::new(name).size(SMALL).color(tokens(ui).ink_soft));
            faint(ui, licence);
            ui.end_row();
        }
    });
    ui.add_space(GRID);
    heading(ui, &text(language, "label-about-links"));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.5 * GRID;
        for (name, target) in
            [("Taiyi", Link::Taiyi), ("egui", Link::Egui), ("candle", Link::Candle), ("SIL OFL", Link::FontLicence)]
        {
            if tip_text(link(ui, None, name), target.address(), None).clicked() {
                out.push(Command::OpenLink(target));
            }
        }
    });
}
