//! The numbers: shape, manner, count, seed; and, folded, sampler, schedule, steps, guidance and the exact size.

use super::icons::Icon;
use super::theme::{BODY, CONTROL, GRID, SMALL, sans, tokens};
use super::widgets::{
    Choice, choices, faint, heading, icon_button, icon_button_sized, link, menu_sign, name, tip, tip_text,
};
use crate::app::plan::{SHAPES, shaped};
use crate::app::{Command, State};
use crate::base::Extent;
use crate::recipe::check::REUSE_LIMIT;
use crate::recipe::{DeviceChoice, DeviceInfo, Interval, Preset, SamplerId, ScheduleId};
use crate::words::{Language, text, text_with};
use egui::{Align, Align2, ComboBox, DragValue, Layout, Margin, Slider, SliderClamping, TextEdit, Ui, vec2};

/// Steps that the slider reaches; more can be typed.
const SLIDER_STEPS: u32 = 100;
/// Guidance that the slider reaches; more can be typed.
const SLIDER_GUIDANCE: f64 = 20.0;
/// Steps for which features are used again that the slider reaches; more can be typed.
const SLIDER_REUSE: u32 = 5;
/// No run of Stable Diffusion 1 begins above: an interval that reaches this far has no upper end.
const MOST_SIGMA: f64 = 15.0;

/// Shows the parameters; what is asked for beyond a number goes to `out`.
pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    shape(ui, state);
    ui.add_space(GRID);
    manner(ui, state, out);
    ui.add_space(GRID);
    if state.desk.has_paint(state.desk.document().canvas()) {
        let words = (text(state.language, "label-strength"), text(state.language, "tip-strength"));
        let mut percent = (state.draft.strength * 100.0).round();
        slider(ui, &words, &mut percent, (5.0, 100.0, 100.0), 0);
        state.draft.strength = (percent / 100.0).clamp(0.01, 1.0);
    }
    count(ui, state);
    seed(ui, state, out);
    ui.add_space(GRID / 2.0);
    let language = state.language;
    let fold = link(ui, Some(Icon::Chevron(u8::from(state.advanced))), &text(language, "label-advanced"));
    if tip_text(fold, &text(language, "tip-advanced"), None).clicked() {
        state.advanced = !state.advanced;
        state.devices.refresh();
    }
    if state.advanced {
        advanced(ui, state);
        device(ui, state);
    }
}

fn shape(ui: &mut Ui, state: &mut State) {
    let language = state.language;
    row(ui, |ui| {
        heading(ui, &text(language, "label-shape"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| faint(ui, state.draft.size.to_string()));
    });
    let Some(family) = state.model().map(|model| model.family.clone()) else {
        return;
    };
    ui.horizontal(|ui| {
        let gap = 4.0;
        ui.spacing_mut().item_spacing.x = gap;
        let width = (ui.available_width() - gap * (SHAPES.len() - 1) as f32) / SHAPES.len() as f32;
        for (across, down) in SHAPES {
            let size = shaped((across, down), &family);
            let words = format!("{across}:{down}");
            let sign = Icon::Shape(across, down);
            let chosen = state.draft.size == size;
            let button = icon_button_sized(ui, sign, &words, Some(chosen), vec2(width.floor(), CONTROL + 4.0));
            if tip_text(button, &words, Some(&size.to_string())).clicked() {
                state.draft.size = size;
            }
        }
    });
}

fn manner(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let language = state.language;
    let manner = heading(ui, &text(language, "label-manner"));
    tip_text(manner, &text(language, "tip-manner"), None);
    let guidance = state.model().map_or(state.draft.sampling.guidance, |model| model.family.guidance);
    let presets = [Preset::Quick, Preset::Article, Preset::Faithful];
    let words = presets.map(|preset| {
        let command = Command::Choose(preset);
        let steps = preset.sampling(guidance).steps.to_string();
        let note = text_with(language, "label-steps-of", &[("count", steps)]);
        (text(language, &command.text_id()), note, text(language, &command.tooltip_id()))
    });
    let items: Vec<_> = presets
        .iter()
        .zip(&words)
        .map(|(preset, (words, note, tip))| {
            let ours = preset.sampling(state.draft.sampling.guidance);
            Choice { words, note, tip, chosen: state.draft.sampling == ours }
        })
        .collect();
    if let Some(preset) = choices(ui, 6.0 * GRID, &items).and_then(|index| presets.get(index)) {
        out.push(Command::Choose(*preset));
    }
}

fn count(ui: &mut Ui, state: &mut State) {
    let language = state.language;
    row(ui, |ui| {
        name(ui, &text(language, "label-batch"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let value = DragValue::new(&mut state.draft.batch).range(1..=16).speed(0.05);
            let value = ui.add_sized(vec2(8.0 * GRID, CONTROL), value).accessible_name(text(language, "label-batch"));
            tip_text(value, &text(language, "tip-batch"), None);
        });
    });
}

fn seed(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let language = state.language;
    row(ui, |ui| {
        name(ui, &text(language, "label-seed"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for (command, icon, chosen) in [
                (Command::KeepSeed, Icon::Pin, state.draft.seed.kept),
                (Command::Dice, Icon::Dice, !state.draft.seed.kept),
            ] {
                let button = icon_button(ui, icon, &text(language, &command.text_id()), Some(chosen));
                if tip(button, language, &command).clicked() {
                    out.push(command);
                }
            }
            let seed = &mut state.draft.seed;
            let mut digits = if seed.kept { seed.value.to_string() } else { String::new() };
            let hint = match (seed.kept, seed.value) {
                (false, 0) => text(language, "hint-seed"),
                (false, last) => text_with(language, "hint-seed-last", &[("seed", last.to_string())]),
                _ => String::new(),
            };
            let edit = TextEdit::singleline(&mut digits)
                .id_salt("seed")
                .font(sans(BODY))
                .hint_text(egui::RichText::new(hint).size(SMALL))
                .margin(Margin::symmetric(8, 6))
                .align(Align2::LEFT_CENTER)
                .desired_width(f32::INFINITY)
                .min_size(vec2(0.0, CONTROL));
            let edit = ui.add(edit).accessible_name(text(language, "label-seed"));
            if edit.changed() {
                let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
                match digits.parse() {
                    Ok(value) => (seed.value, seed.kept) = (value, true),
                    // Emptied: the dice again. A number beyond 64 bits is not taken.
                    Err(_) => seed.kept &= !digits.is_empty(),
                }
            }
            tip_text(edit, &text(language, "tip-seed"), None);
        });
    });
}

fn advanced(ui: &mut Ui, state: &mut State) {
    let language = state.language;
    let factor = state.model().map_or(8, |model| model.family.factor).max(1);
    let draft = &mut state.draft;
    let words = |id: &str, tip: &str| (text(language, id), text(language, tip));

    slider(ui, &words("label-steps", "tip-steps"), &mut draft.sampling.steps, (1, SLIDER_STEPS, 1000), 0);
    let guidance = (1.0, SLIDER_GUIDANCE, 50.0);
    slider(ui, &words("label-guidance", "tip-guidance"), &mut draft.sampling.guidance, guidance, 1);
    let ends = [text(language, "label-interval-high"), text(language, "label-interval-low")];
    interval(ui, &words("label-interval", "tip-interval"), ends, &mut draft.sampling.interval);
    slider(ui, &words("label-reuse", "tip-reuse"), &mut draft.sampling.reuse, (1, SLIDER_REUSE, REUSE_LIMIT), 0);
    if matches!(draft.sampling.sampler, SamplerId::Ddim | SamplerId::EulerAncestral | SamplerId::DpmPp2MSde) {
        slider(ui, &words("label-eta", "tip-eta"), &mut draft.sampling.eta, (0.0, 1.0, 1.0), 2);
    }

    let (label, tip) = words("label-sampler", "tip-sampler");
    let sampler = combo(ui, &label, &tip, SamplerId::ALL, draft.sampling.sampler, |s| s.title().into());
    if let Some(sampler) = sampler {
        draft.sampling.sampler = sampler;
        draft.sampling.eta = sampler.default_eta();
    }
    let (label, tip) = words("label-schedule", "tip-schedule");
    let named = |schedule: ScheduleId| text(language, &format!("schedule-{}", schedule.key()));
    if let Some(schedule) = combo(ui, &label, &tip, ScheduleId::ALL, draft.sampling.schedule, named) {
        draft.sampling.schedule = schedule;
    }

    row(ui, |ui| {
        name(ui, &text(language, "label-size"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let Extent { width, height } = &mut draft.size;
            for (side, id) in [(height, "label-height"), (width, "label-width")] {
                let value = DragValue::new(side).range(64..=4096).speed(factor);
                let value = ui.add_sized(vec2(8.0 * GRID, CONTROL), value).accessible_name(text(language, id));
                if value.drag_stopped() || value.lost_focus() {
                    *side = (*side + factor / 2) / factor * factor;
                }
                tip_text(value, &text_with(language, "tip-size", &[("factor", factor.to_string())]), None);
            }
        });
    });
}

/// Where it is painted, if there is a choice, and how much memory is free there.
fn device(ui: &mut Ui, state: &mut State) {
    let (language, devices) = (state.language, &state.devices);
    let choices = devices.choices();
    if choices.is_empty() {
        return;
    }
    let title = |choice: DeviceChoice| match devices.info(choice) {
        Some(info) => device_text(info, language),
        None if choice == DeviceChoice::Auto => text(language, "device-auto"),
        None => choice.to_string(),
    };
    let (label, tip) = (text(language, "label-device"), text(language, "tip-device"));
    let chosen = combo(ui, &label, &tip, &choices, devices.chosen, title);
    // Its name may fill the row.
    if devices.info(devices.chosen).is_some() {
        faint(ui, title(devices.chosen));
    }
    state.devices.chosen = chosen.unwrap_or(state.devices.chosen);
}

fn device_text(info: &DeviceInfo, language: Language) -> String {
    let Some(memory) = info.memory else { return info.name.clone() };
    let gib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 30));
    let values = [("name", info.name.clone()), ("free", gib(memory.free)), ("total", gib(memory.total))];
    text_with(language, "device-of", &values)
}

/// Two numbers: from where, to where guidance steers.
fn interval(ui: &mut Ui, (label, tip): &(String, String), names: [String; 2], interval: &mut Interval) {
    row(ui, |ui| {
        name(ui, label);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let Interval { low, high } = *interval;
            let mut ends = [high.min(MOST_SIGMA), low.min(MOST_SIGMA)];
            let ranges = [ends[1]..=MOST_SIGMA, 0.0..=ends[0]];
            for (i, ((end, range), name)) in ends.iter_mut().zip(ranges).zip(names).enumerate() {
                let value = DragValue::new(end).range(range).speed(0.05).fixed_decimals(1);
                let value = ui.add_sized(vec2(8.0 * GRID, CONTROL), value).accessible_name(name);
                if value.changed() {
                    match i {
                        0 if *end >= MOST_SIGMA => interval.high = Interval::WHOLE.high,
                        0 => interval.high = *end,
                        _ => interval.low = *end,
                    }
                }
                tip_text(value, tip, None);
            }
        });
    });
}

/// A row of the height of a control.
fn row<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let size = vec2(ui.available_width(), CONTROL);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_height(CONTROL);
        contents(ui)
    })
    .inner
}

/// A name, a slider, and the number; (least, most of the slider, most).
fn slider<N: egui::emath::Numeric>(
    ui: &mut Ui,
    (label, tip): &(String, String),
    value: &mut N,
    (least, most, utmost): (N, N, N),
    decimals: usize,
) {
    row(ui, |ui| {
        name_column(ui, label);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let number = DragValue::new(value)
                .range(least..=utmost)
                .speed(if decimals == 0 { 0.2 } else { 0.05 })
                .fixed_decimals(decimals);
            let number = ui.add_sized(vec2(7.0 * GRID, CONTROL), number).accessible_name(label.clone());
            tip_text(number, tip, None);
            ui.spacing_mut().slider_width = ui.available_width() - GRID;
            // The knob's size follows the height of a control.
            ui.spacing_mut().interact_size.y = 2.25 * GRID;
            ui.visuals_mut().widgets.inactive.bg_fill = tokens(ui).line_strong;
            ui.visuals_mut().widgets.inactive.fg_stroke.color = tokens(ui).ink_soft;
            let slider = Slider::new(value, least..=most).show_value(false).clamping(SliderClamping::Never);
            let slider = if decimals == 0 { slider } else { slider.step_by(0.1_f64.powi(decimals as i32) * 5.0) };
            tip_text(ui.add(slider).accessible_name(label.clone()), tip, None);
        });
    });
}

fn combo<T: Copy + PartialEq>(
    ui: &mut Ui,
    label: &str,
    tip: &str,
    all: &[T],
    current: T,
    title: impl Fn(T) -> String,
) -> Option<T> {
    row(ui, |ui| {
        name_column(ui, label);
        let mut chosen = None;
        let combo = ComboBox::from_id_salt(label)
            .width(ui.available_width())
            .icon(menu_sign)
            .selected_text(title(current))
            .truncate();
        let response = combo
            .show_ui(ui, |ui| {
                for &item in all {
                    if ui.selectable_label(item == current, title(item)).clicked() {
                        chosen = Some(item);
                    }
                }
            })
            .response
            .accessible_name(label);
        tip_text(response, tip, None);
        chosen
    })
}

/// A name in a column of its own, so that the controls stand in line.
fn name_column(ui: &mut Ui, label: &str) {
    let size = vec2(10.0 * GRID, CONTROL);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_width(size.x);
        ui.label(egui::RichText::new(label).color(tokens(ui).ink_soft));
    });
}
