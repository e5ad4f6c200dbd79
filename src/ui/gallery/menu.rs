//! The context menu of a picture.

use crate::app::Command;
use crate::app::wall::Act;
use crate::words::{Language, text};
use egui::{Button, Response, Ui};

/// `count` pictures are chosen.
pub fn show(response: &Response, language: Language, count: usize, favourite: bool, out: &mut Vec<Command>) {
    response.context_menu(|ui| {
        ui.set_min_width(200.0);
        let mut item = |ui: &mut Ui, words: String, act: Act| {
            let mut button = Button::new(words).frame_when_inactive(false);
            if let Some(keys) = act.keys() {
                button = button.shortcut_text(keys);
            }
            if ui.add(button).clicked() {
                out.push(Command::Wall(act));
                ui.close();
            }
        };
        let words = |act: &Act| text(language, &Command::Wall(act.clone()).text_id());
        let mut plain = |ui: &mut Ui, act: Act| item(ui, words(&act), act);
        if count == 1 {
            plain(ui, Act::LookAtChosen);
        }
        plain(ui, Act::Compare);
        ui.separator();
        if count == 1 {
            plain(ui, Act::Reuse);
            plain(ui, Act::ToCanvas);
            ui.separator();
            plain(ui, Act::Copy);
            plain(ui, Act::Export);
            plain(ui, Act::Reveal);
            ui.separator();
        }
        let star = if favourite { "label-wall-unfavourite" } else { "command-wall-favourite" };
        item(ui, text(language, star), Act::Favourite);
        item(ui, words(&Act::Delete), Act::Delete);
    });
}
