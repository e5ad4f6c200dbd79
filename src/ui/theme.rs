//! Every colour, distance and letter size of the window. Ink black and warm paper; cinnabar for the one thing to do.

use super::fonts::SERIF;
use crate::app::Shade;
use egui::style::{HandleShape, ScrollStyle, Selection, WidgetVisuals, Widgets};
use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme, Ui, Vec2,
    Visuals, vec2,
};

/// The grid that everything stands on, in points.
pub const GRID: f32 = 8.0;
/// Inner margin of the panels.
pub const MARGIN: f32 = 3.0 * GRID;
/// Height of buttons and fields.
pub const CONTROL: f32 = 4.0 * GRID;
/// Corners of controls.
pub const RADIUS: u8 = 6;

/// Letter sizes in points.
pub const SMALL: f32 = 12.5;
pub const BODY: f32 = 14.0;
pub const PROMPT: f32 = 16.0;
pub const VERSE: f32 = 18.0;
pub const TITLE: f32 = 28.0;

/// The colours of a shade. Text has at least 4.5 : 1 against what it stands on.
#[derive(Debug, PartialEq)]
pub struct Tokens {
    /// Behind the picture.
    pub ground: Color32,
    /// The left panel and the strip.
    pub panel: Color32,
    /// Buttons, menus, messages.
    pub raised: Color32,
    /// The same under the pointer.
    pub raised_more: Color32,
    /// Inside of text fields.
    pub well: Color32,
    pub line: Color32,
    pub line_strong: Color32,
    pub ink: Color32,
    pub ink_soft: Color32,
    pub ink_faint: Color32,
    pub cinnabar: Color32,
    pub cinnabar_bright: Color32,
    pub cinnabar_deep: Color32,
    /// Cinnabar for text and thin lines.
    pub cinnabar_text: Color32,
    /// Background of what is chosen.
    pub wash: Color32,
    pub on_cinnabar: Color32,
    /// The sheet before there is a picture on it.
    pub sheet: Color32,
    /// A quiet mark for good news: mineral green.
    pub jade: Color32,
    pub shadow: Color32,
}

impl Tokens {
    /// The squares under what is transparent: light and dark, quiet beside any picture.
    pub fn checks(&self) -> (Color32, Color32) {
        if *self == DARK { (rgb(0x3A3834), rgb(0x32302D)) } else { (rgb(0xFFFFFF), rgb(0xECE7DC)) }
    }
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Ink.
pub const DARK: Tokens = Tokens {
    ground: rgb(0x11100F),
    panel: rgb(0x191816),
    raised: rgb(0x23211E),
    raised_more: rgb(0x2D2A26),
    well: rgb(0x131211),
    line: rgb(0x2C2925),
    line_strong: rgb(0x47423A),
    ink: rgb(0xEAE4D8),
    ink_soft: rgb(0xB8AF9F),
    ink_faint: rgb(0x8F8778),
    cinnabar: rgb(0xC23B28),
    cinnabar_bright: rgb(0xC9402C),
    cinnabar_deep: rgb(0xA22F1F),
    cinnabar_text: rgb(0xE8705A),
    wash: rgb(0x3A2520),
    on_cinnabar: rgb(0xFFF6EC),
    sheet: rgb(0x1D1B19),
    jade: rgb(0x7FA08A),
    shadow: Color32::from_black_alpha(120),
};

/// Paper.
pub const LIGHT: Tokens = Tokens {
    ground: rgb(0xE6DFD1),
    panel: rgb(0xF4EFE4),
    raised: rgb(0xFCF9F2),
    raised_more: rgb(0xFFFFFF),
    well: rgb(0xFBF8F1),
    line: rgb(0xDDD4C3),
    line_strong: rgb(0xBDB19B),
    ink: rgb(0x27231D),
    ink_soft: rgb(0x5A5245),
    ink_faint: rgb(0x6B6252),
    cinnabar: rgb(0xB93526),
    cinnabar_bright: rgb(0xC8442F),
    cinnabar_deep: rgb(0x9A2A1C),
    cinnabar_text: rgb(0xA82E20),
    wash: rgb(0xF3DDD3),
    on_cinnabar: rgb(0xFFF8EF),
    sheet: rgb(0xF7F2E8),
    jade: rgb(0x4C7660),
    shadow: Color32::from_black_alpha(40),
};

/// The tokens of the shade that `ui` is drawn in.
pub fn tokens(ui: &Ui) -> &'static Tokens {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

pub fn serif(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(SERIF.into()))
}

pub fn sans(size: f32) -> FontId {
    FontId::proportional(size)
}

/// Hands both shades to egui.
pub fn install(ctx: &Context) {
    ctx.set_style_of(Theme::Dark, style(&DARK, Visuals::dark()));
    ctx.set_style_of(Theme::Light, style(&LIGHT, Visuals::light()));
}

pub fn set_shade(ctx: &Context, shade: Shade) {
    ctx.set_theme(match shade {
        Shade::Dark => Theme::Dark,
        Shade::Light => Theme::Light,
    });
}

fn style(t: &Tokens, base: Visuals) -> Style {
    let mut style = Style { visuals: visuals(t, base), animation_time: 0.1, ..Style::default() };
    style.text_styles = [
        (TextStyle::Small, sans(SMALL)),
        (TextStyle::Body, sans(BODY)),
        (TextStyle::Button, sans(BODY)),
        (TextStyle::Heading, serif(BODY + 2.0)),
        (TextStyle::Monospace, FontId::monospace(SMALL)),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Body;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(GRID);
    spacing.button_padding = vec2(12.0, 6.0);
    spacing.interact_size = vec2(5.0 * GRID, CONTROL);
    spacing.slider_rail_height = 3.0;
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(16);
    spacing.tooltip_width = 40.0 * GRID;
    spacing.combo_height = 40.0 * GRID;
    spacing.icon_width = 18.0;
    spacing.scroll = ScrollStyle {
        bar_width: 6.0,
        floating_width: 3.0,
        floating_allocated_width: 0.0,
        // A bar that is only passed by stays quiet.
        active_handle_opacity: 0.2,
        interact_handle_opacity: 0.5,
        ..ScrollStyle::floating()
    };
    style.interaction.tooltip_delay = 0.4;
    style.interaction.selectable_labels = false;
    style
}

fn visuals(t: &Tokens, base: Visuals) -> Visuals {
    let widget = |fill: Color32, line: Color32, ink: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, line),
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.25, ink),
        expansion: 0.0,
    };
    let mut visuals = Visuals {
        widgets: Widgets {
            noninteractive: widget(t.panel, t.line, t.ink),
            inactive: widget(t.raised, t.line, t.ink),
            hovered: widget(t.raised_more, t.line_strong, t.ink),
            active: widget(t.raised_more, t.cinnabar, t.ink),
            open: widget(t.raised_more, t.line_strong, t.ink),
        },
        selection: Selection { bg_fill: t.cinnabar.gamma_multiply(0.45), stroke: Stroke::new(1.0, t.cinnabar_text) },
        weak_text_color: Some(t.ink_faint),
        hyperlink_color: t.cinnabar_text,
        faint_bg_color: t.raised,
        extreme_bg_color: t.well,
        text_edit_bg_color: Some(t.well),
        code_bg_color: t.well,
        warn_fg_color: t.cinnabar_text,
        error_fg_color: t.cinnabar_text,
        window_corner_radius: CornerRadius::same(RADIUS + 2),
        menu_corner_radius: CornerRadius::same(RADIUS),
        window_fill: t.raised,
        window_stroke: Stroke::new(1.0, t.line_strong),
        window_shadow: Shadow { offset: [0, 8], blur: 32, spread: 0, color: t.shadow },
        popup_shadow: Shadow { offset: [0, 4], blur: 16, spread: 0, color: t.shadow },
        panel_fill: t.panel,
        slider_trailing_fill: true,
        handle_shape: HandleShape::Circle,
        ..base
    };
    visuals.text_cursor.stroke = Stroke::new(1.5, t.cinnabar_text);
    visuals.ime_composition.active_underline_stroke = Stroke::new(2.0, t.cinnabar_text);
    visuals.ime_composition.inactive_underline_stroke = Stroke::new(1.0, t.ink_soft);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.
    fn luminance(color: Color32) -> f64 {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_in_both_shades() {
        for t in [&DARK, &LIGHT] {
            for ground in [t.ground, t.panel, t.raised, t.well, t.sheet] {
                for ink in [t.ink, t.ink_soft, t.ink_faint] {
                    assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {:.2}", contrast(ink, ground));
                }
            }
            for ground in [t.cinnabar, t.cinnabar_bright, t.cinnabar_deep] {
                assert!(contrast(t.on_cinnabar, ground) >= 4.5);
            }
            for ground in [t.raised, t.wash] {
                assert!(contrast(t.cinnabar_text, ground) >= 4.5);
            }
        }
    }
}
