//! The layers, the uppermost first.

use super::icons::Icon;
use super::textures::Textures;
use super::theme::{CONTROL, GRID, RADIUS, SMALL, tokens};
use super::widgets::{heading, icon_button_sized, menu_sign, tip, tip_text};
use crate::app::desk_commands::LayerChange;
use crate::app::{Command, State};
use crate::base::LayerId;
use crate::canvas::Layer;
use crate::imaging::BlendMode;
use crate::words::{text, text_with};
use egui::{
    Align, ComboBox, CornerRadius, DragValue, Id, Image, Layout, Rect, Role, ScrollArea, Sense, Slider, Stroke,
    StrokeKind, TextEdit, Ui, UiBuilder, Vec2, WidgetInfo, load::SizedTexture, vec2,
};

/// Height of a layer's row.
const ROW: f32 = 6.0 * GRID;
/// Width of the opacity in figures.
const NUMBER: f32 = 7.5 * GRID;

/// What the panel remembers between frames.
#[derive(Debug, Default)]
pub struct LayersPanel {
    /// The layer whose name is being written, and the name.
    naming: Option<(LayerId, String)>,
    /// The opacity of a layer while the slider is dragged.
    opacity: Option<(LayerId, f32)>,
}

impl LayersPanel {
    pub fn show(&mut self, ui: &mut Ui, state: &State, textures: &mut Textures, out: &mut Vec<Command>) {
        let language = state.language;
        ui.horizontal(|ui| {
            heading(ui, &text(language, "label-layers"));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 0.0;
                for (command, icon) in [
                    (Command::LayerDelete, Icon::Trash),
                    (Command::LayerMergeDown, Icon::MergeDown),
                    (Command::LayerDuplicate, Icon::Duplicate),
                    (Command::LayerAdd, Icon::Plus),
                ] {
                    let enabled = crate::app::commands::entry_of(&command).is_none_or(|entry| (entry.enabled)(state));
                    let words = text(language, &command.text_id());
                    let size = Vec2::splat(3.5 * GRID);
                    let button = ui.add_enabled_ui(enabled, |ui| icon_button_sized(ui, icon, &words, None, size)).inner;
                    if tip(button, language, &command).clicked() {
                        out.push(command);
                    }
                }
            });
        });
        self.properties(ui, state, out);
        ui.add_space(4.0);
        ScrollArea::vertical().id_salt("layers").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            let count = state.desk.document().layers().len();
            for (place, layer) in state.desk.document().layers().iter().enumerate().rev() {
                ui.push_id(layer.id.0, |ui| self.row(ui, state, layer, (place, count), textures, out));
            }
        });
    }

    /// Blend mode and opacity of the layer that is worked on.
    fn properties(&mut self, ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
        let language = state.language;
        let Some(layer) = state.desk.document().active_layer() else { return };
        ui.horizontal(|ui| {
            let named = |blend: BlendMode| text(language, &format!("blend-{}", blend.key()));
            let combo =
                ComboBox::from_id_salt("blend").width(11.0 * GRID).icon(menu_sign).selected_text(named(layer.blend));
            let response = combo.show_ui(ui, |ui| {
                for blend in BlendMode::ALL {
                    if ui.selectable_label(*blend == layer.blend, named(*blend)).clicked() {
                        out.push(Command::ChangeLayer(layer.id, LayerChange::Blend(*blend)));
                    }
                }
            });
            let label = text(language, "label-blend");
            tip_text(response.response.accessible_name(label), &text(language, "tip-blend"), None);
            let (id, opacity) = self.opacity.unwrap_or((layer.id, layer.opacity));
            let mut percent = opacity * 100.0;
            let words = text(language, "label-opacity");
            // The slider and its number beside each other: egui's own pair does not keep to the middle of the row.
            let wide = NUMBER + ui.spacing().item_spacing.x;
            ui.spacing_mut().slider_width = (ui.available_width() - wide).max(3.0 * GRID);
            let slider = ui.scope(|ui| {
                // The knob's size follows the height of a control.
                ui.spacing_mut().interact_size.y = 2.25 * GRID;
                ui.add(Slider::new(&mut percent, 0.0..=100.0).show_value(false)).accessible_name(words.clone())
            });
            let number = DragValue::new(&mut percent).range(0.0..=100.0).speed(0.5).fixed_decimals(0).suffix("%");
            let number = number.update_while_editing(false);
            let number = ui.add_sized([NUMBER, CONTROL], number).accessible_name(words);
            let slider = slider.inner | number;
            if slider.dragged() {
                self.opacity = Some((id, percent / 100.0));
            }
            // One step of the history for the whole drag.
            if slider.drag_stopped() || slider.changed() && !slider.dragged() {
                self.opacity = None;
                out.push(Command::ChangeLayer(id, LayerChange::Opacity(percent / 100.0)));
            }
            tip_text(slider, &text(language, "tip-opacity"), None);
        });
    }

    fn row(
        &mut self,
        ui: &mut Ui,
        state: &State,
        layer: &Layer,
        (place, count): (usize, usize),
        textures: &mut Textures,
        out: &mut Vec<Command>,
    ) {
        let (language, t) = (state.language, tokens(ui));
        let active = state.desk.document().active() == layer.id;
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click_and_drag());
        let args = [("number", (count - place).to_string()), ("name", layer.name.clone())];
        let words = text_with(language, "label-layer", &args);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, active, &words));
        let fill = if active {
            t.wash
        } else if response.hovered() {
            t.raised
        } else {
            t.panel
        };
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS), fill);
        super::widgets::focus_ring(ui, &response, t);
        if response.clicked() {
            out.push(Command::ActivateLayer(layer.id));
        }
        if response.double_clicked() {
            self.naming = Some((layer.id, layer.name.clone()));
        }
        if response.drag_stopped()
            && let Some(pointer) = ui.input(|input| input.pointer.interact_pos())
        {
            // Rows go down as places go up.
            let by = ((rect.center().y - pointer.y) / (ROW + 2.0)).round() as i64;
            let to = (place as i64 + by).clamp(0, count as i64 - 1) as usize;
            if to != place {
                out.push(Command::ChangeLayer(layer.id, LayerChange::Place(to)));
            }
        }
        if response.dragged() {
            ui.painter().rect_stroke(
                rect,
                CornerRadius::same(RADIUS),
                Stroke::new(1.0, t.cinnabar_bright),
                StrokeKind::Inside,
            );
        }
        ui.scope_builder(UiBuilder::new().max_rect(rect.shrink2(vec2(4.0, 0.0))), |ui| {
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                let icon = if layer.visible { Icon::Eye } else { Icon::EyeOff };
                let words = text_with(language, "label-layer-visible", &[("name", layer.name.clone())]);
                let eye = icon_button_sized(ui, icon, &words, None, Vec2::splat(3.0 * GRID));
                if tip_text(eye, &words, None).clicked() {
                    out.push(Command::ChangeLayer(layer.id, LayerChange::Visible(!layer.visible)));
                }
                thumbnail(ui, state, layer, textures);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let icon = if layer.locked { Icon::Lock } else { Icon::Unlock };
                    let words = text_with(language, "label-layer-lock", &[("name", layer.name.clone())]);
                    if layer.locked || active || response.hovered() {
                        let lock = icon_button_sized(ui, icon, &words, None, Vec2::splat(3.0 * GRID));
                        if tip_text(lock, &words, None).clicked() {
                            out.push(Command::ChangeLayer(layer.id, LayerChange::Locked(!layer.locked)));
                        }
                    }
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| self.name(ui, state, layer, out));
                });
            });
        });
    }

    fn name(&mut self, ui: &mut Ui, state: &State, layer: &Layer, out: &mut Vec<Command>) {
        let t = tokens(ui);
        let Some((_, name)) = self.naming.as_mut().filter(|(id, _)| *id == layer.id) else {
            let color = if layer.visible { t.ink } else { t.ink_faint };
            let words = if layer.opacity < 1.0 || layer.blend != BlendMode::Normal {
                let blend = text(state.language, &format!("blend-{}", layer.blend.key()));
                format!("{blend} {:.0}%", layer.opacity * 100.0)
            } else {
                String::new()
            };
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add_space(if words.is_empty() { 14.0 } else { 6.0 });
                ui.add(egui::Label::new(egui::RichText::new(&layer.name).color(color)).truncate().selectable(false));
                if !words.is_empty() {
                    ui.add(
                        egui::Label::new(egui::RichText::new(words).size(SMALL - 1.0).color(t.ink_faint))
                            .selectable(false),
                    );
                }
            });
            return;
        };
        let field = TextEdit::singleline(name).id(Id::unique("layer name")).desired_width(ui.available_width());
        let field = ui.add(field);
        if field.lost_focus() {
            let name = name.trim().to_owned();
            if !name.is_empty() && name != layer.name && !ui.input(|input| input.key_pressed(egui::Key::Escape)) {
                out.push(Command::ChangeLayer(layer.id, LayerChange::Rename(name)));
            }
            self.naming = None;
        } else {
            field.request_focus();
        }
    }
}

/// What is on the layer, on squares.
fn thumbnail(ui: &mut Ui, state: &State, layer: &Layer, textures: &mut Textures) {
    let t = tokens(ui);
    let side = ROW - 12.0;
    let (place, _) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    let extent = state.desk.document().extent();
    let shape = vec2(extent.width as f32, extent.height as f32);
    let rect = Rect::from_center_size(place.center(), shape * (side / shape.max_elem().max(1.0)));
    let (light, dark) = t.checks();
    ui.painter().rect_filled(rect, 0.0, light);
    for (x, y) in (0..6).flat_map(|y| (0..6).map(move |x| (x, y))).filter(|(x, y)| (x + y) % 2 == 1) {
        let min = rect.min + vec2(x as f32, y as f32) * 6.0;
        let square = Rect::from_min_size(min, Vec2::splat(6.0)).intersect(rect);
        if square.is_positive() {
            ui.painter().rect_filled(square, 0.0, dark);
        }
    }
    if let Some(texture) = textures.layer(ui.ctx(), layer, extent) {
        Image::from_texture(SizedTexture::from_handle(texture)).paint_at(ui, rect);
    }
    ui.painter().rect_stroke(rect, CornerRadius::ZERO, Stroke::new(1.0, t.line_strong), StrokeKind::Outside);
}
