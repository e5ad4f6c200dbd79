//! What the tool in hand can be told, in a row above the canvas.

use super::icons::Icon;
use super::theme::{CONTROL, GRID, tokens};
use super::widgets::{Choice, choices, icon_button, menu_sign, name, tip, tip_text};
use crate::app::commands::Group;
use crate::app::{Command, State};
use crate::canvas::Brush;
use crate::tools::{Sampling, Target, ToolId};
use crate::words::{Language, text};
use egui::{Align, ComboBox, DragValue, Id, Layout, ScrollArea, Slider, Ui, emath::Numeric, vec2};

/// Height of the row.
pub const HEIGHT: f32 = 5.5 * GRID;
/// Width of the two that a tool may work on.
const TARGETS: f32 = 16.0 * GRID;

pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    let tool = state.desk.tool();
    let masks =
        matches!(tool, ToolId::MaskBrush | ToolId::Eraser | ToolId::Lasso | ToolId::Rectangle | ToolId::Ellipse);
    // The mask's menu has its place at the end of the row, whatever the words of a language take; the rest scrolls.
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        if masks {
            ui.add_space(GRID);
            mask(ui, state, out);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            // What the row takes in full is known once it was shown in full.
            let id = Id::unique("tool options").with((tool, language));
            let whole = ui.data(|data| data.get_temp::<f32>(id));
            let tight = whole.is_some_and(|width| width > ui.available_width());
            let scroll = ScrollArea::horizontal().id_salt("tool options").auto_shrink(false);
            let shown = scroll.show(ui, |ui| ui.horizontal_centered(|ui| options(ui, state, language, tight)));
            let width = shown.content_size.x;
            if !tight && whole != Some(width) {
                ui.data_mut(|data| data.insert_temp(id, width));
                if width > shown.inner_rect.width() {
                    ui.request_discard("a tight row shows less");
                }
            }
        });
    });
}

/// A tight row keeps in the menu at its end what is told less often.
fn options(ui: &mut Ui, state: &mut State, language: Language, tight: bool) {
    let tool = state.desk.tool();
    {
        ui.spacing_mut().item_spacing.x = GRID;
        ui.add_space(GRID);
        let title = tool.line().map(|line| text(language, &format!("tool-{}", line.stem))).unwrap_or_default();
        ui.label(egui::RichText::new(title).color(tokens(ui).ink));
        ui.add_space(GRID);
        let settings = &mut state.desk.settings;
        match tool {
            ToolId::MaskBrush => brush(ui, language, tight, &mut settings.mask_brush),
            ToolId::ColourBrush => brush(ui, language, tight, &mut settings.colour_brush),
            ToolId::Eraser => {
                target(ui, language, &mut settings.eraser_target);
                brush(ui, language, tight, &mut settings.eraser);
            }
            ToolId::Wand | ToolId::Bucket => {
                if tool == ToolId::Bucket {
                    target(ui, language, &mut settings.bucket_target);
                }
                number(ui, language, "label-tolerance", "tip-tolerance", &mut settings.tolerance, (0, 255), "");
                number(ui, language, "label-grow", "tip-grow", &mut settings.grow, (0.0, 32.0), " px");
                switch(ui, language, "label-contiguous", "tip-contiguous", &mut settings.contiguous);
                switch(ui, language, "label-all-layers", "tip-all-layers", &mut settings.sample_all_layers);
            }
            ToolId::Eyedropper => {
                let named = |sampling: Sampling| {
                    let side = 1 + 2 * sampling.reach();
                    format!("{side}×{side}")
                };
                name(ui, &text(language, "label-sampling"));
                let combo = ComboBox::from_id_salt("eyedropper")
                    .icon(menu_sign)
                    .selected_text(named(settings.eyedropper_sampling))
                    .show_ui(ui, |ui| {
                        for sampling in [Sampling::Point, Sampling::Three, Sampling::Five] {
                            ui.selectable_value(&mut settings.eyedropper_sampling, sampling, named(sampling));
                        }
                    });
                let response = combo.response.accessible_name(text(language, "label-sampling"));
                tip_text(response, &text(language, "tip-sampling"), None);
                switch(ui, language, "label-all-layers", "tip-all-layers", &mut settings.eyedropper_all_layers);
            }
            _ => {
                let tip = tool.line().map(|line| text(language, &format!("tool-{}-tip", line.stem)));
                ui.add(
                    egui::Label::new(egui::RichText::new(tip.unwrap_or_default()).color(tokens(ui).ink_faint))
                        .truncate(),
                );
            }
        }
    }
}

/// What is done with the mask as a whole.
fn mask(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    // From the right to the left.
    let menu = ui.menu_button(text(language, "group-mask"), |ui| {
        ui.set_min_width(24.0 * GRID);
        for entry in crate::app::commands::ENTRIES.iter().filter(|entry| entry.group == Group::Mask) {
            let enabled = (entry.enabled)(state);
            let words = text(language, &entry.command.text_id());
            let keys = state.keymap.label(entry.stem()).unwrap_or_default();
            let button =
                egui::Button::new(words).shortcut_text(keys).frame(false).min_size(vec2(24.0 * GRID, CONTROL - 4.0));
            let response = ui.add_enabled(enabled, button);
            if tip_text(response, &text(language, &entry.command.tooltip_id()), None).clicked() {
                out.push(entry.command.clone());
                ui.close();
            }
        }
    });
    tip_text(menu.response, &text(language, "tip-mask-menu"), None);
    let show = Command::ToggleMaskOverlay;
    let eye = if state.desk.mask_shown { Icon::Eye } else { Icon::EyeOff };
    let button = icon_button(ui, eye, &text(language, &show.text_id()), Some(state.desk.mask_shown));
    if tip(button, language, &show).clicked() {
        out.push(show);
    }
}

fn brush(ui: &mut Ui, language: Language, tight: bool, brush: &mut Brush) {
    let mut size = brush.diameter;
    ui.spacing_mut().slider_width = if tight { 7.0 * GRID } else { 10.0 * GRID };
    let words = text(language, "label-brush-size");
    name(ui, &words);
    ui.spacing_mut().interact_size.y = 2.25 * GRID;
    let slider = Slider::new(&mut size, 1.0..=500.0).logarithmic(true).show_value(false);
    let slider = ui.add(slider).accessible_name(words.clone());
    tip_text(slider, &text(language, "tip-brush-size"), None);
    let value = DragValue::new(&mut size).range(Brush::DIAMETERS).speed(0.5).fixed_decimals(0).suffix(" px");
    ui.add_sized([6.5 * GRID, CONTROL], value).accessible_name(words);
    brush.diameter = size;
    percent(ui, language, "label-hardness", "tip-hardness", &mut brush.hardness);
    let opacity = ("label-brush-opacity", "tip-brush-opacity");
    if !tight {
        percent(ui, language, opacity.0, opacity.1, &mut brush.opacity);
    }
    ui.menu_button(text(language, "label-more"), |ui| {
        ui.set_min_width(26.0 * GRID);
        if tight {
            ui.horizontal(|ui| percent(ui, language, opacity.0, opacity.1, &mut brush.opacity));
        }
        for (label, hint, value) in [
            ("label-flow", "tip-flow", &mut brush.flow),
            ("label-spacing", "tip-spacing", &mut brush.spacing),
            ("label-smoothing", "tip-smoothing", &mut brush.smoothing),
        ] {
            ui.horizontal(|ui| percent(ui, language, label, hint, value));
        }
        switch(ui, language, "label-pressure-size", "tip-pressure-size", &mut brush.pressure_size);
        switch(ui, language, "label-pressure-flow", "tip-pressure-flow", &mut brush.pressure_flow);
    });
    *brush = brush.clamped();
}

fn percent(ui: &mut Ui, language: Language, label: &str, tip: &str, share: &mut f32) {
    let mut percent = *share * 100.0;
    number(ui, language, label, tip, &mut percent, (0.0, 100.0), "%");
    *share = percent / 100.0;
}

fn number<N: Numeric>(
    ui: &mut Ui,
    language: Language,
    label: &str,
    tip: &str,
    value: &mut N,
    (least, most): (N, N),
    unit: &str,
) {
    let words = text(language, label);
    name(ui, &words);
    let value = DragValue::new(value).range(least..=most).speed(0.5).fixed_decimals(0).suffix(unit);
    let value = ui.add_sized([5.5 * GRID, CONTROL], value).accessible_name(words);
    tip_text(value, &text(language, tip), None);
}

fn switch(ui: &mut Ui, language: Language, label: &str, tip: &str, on: &mut bool) {
    let check = ui.checkbox(on, text(language, label));
    tip_text(check, &text(language, tip), None);
}

fn target(ui: &mut Ui, language: Language, target: &mut Target) {
    let words = [
        (Target::Layer, text(language, "label-target-layer"), text(language, "tip-target-layer")),
        (Target::Mask, text(language, "label-target-mask"), text(language, "tip-target-mask")),
    ];
    let items =
        words.each_ref().map(|&(value, ref words, ref tip)| Choice { words, note: "", tip, chosen: value == *target });
    let chosen = ui.allocate_ui(vec2(TARGETS, CONTROL), |ui| choices(ui, CONTROL, &items)).inner;
    if let Some((value, ..)) = chosen.and_then(|index| words.get(index)) {
        *target = *value;
    }
}
