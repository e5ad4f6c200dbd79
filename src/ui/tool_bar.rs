//! The tools, in a column at the left edge of the canvas; below them the two colours.

use super::icons::Icon;
use super::theme::{GRID, RADIUS, tokens};
use super::widgets::{icon_button_sized, tip_text};
use crate::app::desk_commands::command_of;
use crate::app::{Command, State};
use crate::tools::{TOOLS, ToolId};
use crate::words::text;
use egui::{Color32, CornerRadius, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, vec2};

/// Width of the column.
pub const WIDTH: f32 = 6.0 * GRID;
const BUTTON: f32 = 3.5 * GRID;

pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    ui.spacing_mut().item_spacing = vec2(0.0, 2.0);
    ui.vertical_centered(|ui| {
        ui.add_space(GRID);
        for (place, line) in TOOLS.iter().enumerate() {
            if begins_group(line.id) && place > 0 {
                let (rect, _) = ui.allocate_exact_size(vec2(BUTTON, 7.0), Sense::hover());
                let stroke = Stroke::new(1.0, tokens(ui).line);
                ui.painter().hline(rect.shrink2(vec2(6.0, 0.0)).x_range(), rect.center().y, stroke);
            }
            let command = command_of(line.id);
            let words = text(language, &format!("tool-{}", line.stem));
            let tip = text(language, &format!("tool-{}-tip", line.stem));
            let chosen = state.desk.tool() == line.id;
            let button = icon_button_sized(ui, sign(line.id), &words, Some(chosen), Vec2::splat(BUTTON));
            let keys = state.keymap.label(command.stem());
            let note = keys.map_or_else(|| words.clone(), |keys| format!("{words}  {keys}"));
            if tip_text(button, &note, Some(&tip)).clicked() {
                out.push(command);
            }
        }
        ui.add_space(GRID);
        colours(ui, state, out);
    });
}

/// The tools are in groups: painting, selecting, filling, moving, looking.
const fn begins_group(tool: ToolId) -> bool {
    matches!(tool, ToolId::Lasso | ToolId::Bucket | ToolId::Move | ToolId::Pan)
}

const fn sign(tool: ToolId) -> Icon {
    match tool {
        ToolId::MaskBrush => Icon::MaskBrush,
        ToolId::ColourBrush => Icon::Brush,
        ToolId::Eraser => Icon::Eraser,
        ToolId::Lasso => Icon::Lasso,
        ToolId::Rectangle => Icon::RectangleSelect,
        ToolId::Ellipse => Icon::EllipseSelect,
        ToolId::Wand => Icon::MagicWand,
        ToolId::Bucket => Icon::Bucket,
        ToolId::Eyedropper => Icon::Eyedropper,
        ToolId::Move => Icon::Move,
        ToolId::Transform => Icon::Transform,
        ToolId::Frame => Icon::Frame,
        ToolId::Pan => Icon::Hand,
        ToolId::Zoom => Icon::Zoom,
    }
}

/// The colour in hand over the other one; a click on the one chooses another colour, on the other changes them over.
fn colours(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(4.5 * GRID), Sense::hover());
    let side = Vec2::splat(2.75 * GRID);
    let front = Rect::from_min_size(rect.min, side);
    let back = Rect::from_min_size(rect.max - side, side);
    let other = ui.interact(back, ui.scope_id().with("other colour"), Sense::click());
    let swap = Command::SwapColours;
    let words = text(language, &swap.text_id());
    other.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &words));
    swatch(ui, back, state.desk.other_colour);
    let keys = state.keymap.label(swap.stem());
    if tip_text(other, &text(language, &swap.tooltip_id()), keys.as_deref()).clicked() {
        out.push(swap);
    }
    let [r, g, b, a] = state.desk.settings.colour;
    let mut colour = Color32::from_rgba_unmultiplied(r, g, b, a);
    let place = egui::UiBuilder::new().max_rect(front);
    ui.scope_builder(place, |ui| {
        ui.spacing_mut().interact_size = side;
        let button = egui::color_picker::color_edit_button_srgba(ui, &mut colour, egui::color_picker::Alpha::Opaque);
        let button = button.accessible_name(text(language, "label-colour"));
        if button.changed() {
            let [r, g, b, _] = colour.to_srgba_unmultiplied();
            state.desk.settings.colour = [r, g, b, 255];
        }
        tip_text(button, &text(language, "tip-colour"), None);
    });
    swatch(ui, front, state.desk.settings.colour);
}

fn swatch(ui: &Ui, rect: Rect, [r, g, b, _]: [u8; 4]) {
    let t = tokens(ui);
    let corner = CornerRadius::same(RADIUS - 2);
    ui.painter().rect_filled(rect, corner, Color32::from_rgb(r, g, b));
    ui.painter().rect_stroke(rect, corner, Stroke::new(1.5, t.panel), StrokeKind::Outside);
    ui.painter().rect_stroke(rect, corner, Stroke::new(1.0, t.line_strong), StrokeKind::Inside);
}
