//! The menu of the files that were opened and saved last.

use super::theme::GRID;
use super::widgets::faint;
use crate::app::{Command, State};
use crate::words::text;
use egui::{Role, Ui, WidgetInfo};

/// Shows it within another menu.
pub fn show(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let words = text(state.language, "label-recent");
    let menu = ui.menu_button(words.as_str(), |ui| {
        ui.set_min_width(24.0 * GRID);
        if state.filing.recent.is_empty() {
            faint(ui, text(state.language, "empty-recent"));
        }
        for path in &state.filing.recent {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let row = ui.button(name.as_ref());
            row.widget_info(|| WidgetInfo::labeled(Role::MenuItem, true, name.as_ref()));
            if row.on_hover_text(path.display().to_string()).clicked() {
                out.push(Command::OpenPath(path.clone()));
            }
        }
    });
    menu.response.widget_info(|| WidgetInfo::labeled(Role::MenuItem, true, &words));
}
