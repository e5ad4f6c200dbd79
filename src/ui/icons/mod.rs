//! Small signs, drawn with lines on a 16 point box.

mod actions;
mod pen;
mod things;
mod tools;

use super::theme::serif;
use crate::ui::theme::Tokens;
use egui::{Align2, Color32, CornerRadius, Painter, Rect, Stroke, StrokeKind, pos2, vec2};
use pen::{Mark, Pen};

/// Side of the box of a sign in points, unless [`paint_sized`] is told another.
pub const SIZE: f32 = 16.0;

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Dice,
    Pin,
    Save,
    Reuse,
    Folder,
    Sun,
    Moon,
    Close,
    MaskBrush,
    Brush,
    Eraser,
    Lasso,
    RectangleSelect,
    EllipseSelect,
    MagicWand,
    Bucket,
    Eyedropper,
    Move,
    Transform,
    Frame,
    Hand,
    Zoom,
    Rotate,
    Fit,
    Invert,
    Grow,
    Shrink,
    Feather,
    Layers,
    Eye,
    EyeOff,
    Lock,
    Unlock,
    Plus,
    Trash,
    Duplicate,
    Copy,
    MergeDown,
    ArrowUp,
    ArrowDown,
    Undo,
    Redo,
    History,
    Gallery,
    Star,
    StarFilled,
    Search,
    Filter,
    Compare,
    Settings,
    Keyboard,
    Command,
    Palette,
    Export,
    Open,
    New,
    Queue,
    Clock,
    Check,
    Warning,
    Info,
    SendToCanvas,
    Language,
    /// Turned by the given number of quarters: 0 points right, 1 down, 2 left, 3 up.
    Chevron(u8),
    /// A rectangle of a shape, width to height.
    Shape(u32, u32),
}

impl Icon {
    /// Every sign that is always the same.
    pub const ALL: &[Self] = &[
        Self::Dice,
        Self::Pin,
        Self::Save,
        Self::Reuse,
        Self::Folder,
        Self::Sun,
        Self::Moon,
        Self::Close,
        Self::MaskBrush,
        Self::Brush,
        Self::Eraser,
        Self::Lasso,
        Self::RectangleSelect,
        Self::EllipseSelect,
        Self::MagicWand,
        Self::Bucket,
        Self::Eyedropper,
        Self::Move,
        Self::Transform,
        Self::Frame,
        Self::Hand,
        Self::Zoom,
        Self::Rotate,
        Self::Fit,
        Self::Invert,
        Self::Grow,
        Self::Shrink,
        Self::Feather,
        Self::Layers,
        Self::Eye,
        Self::EyeOff,
        Self::Lock,
        Self::Unlock,
        Self::Plus,
        Self::Trash,
        Self::Duplicate,
        Self::Copy,
        Self::MergeDown,
        Self::ArrowUp,
        Self::ArrowDown,
        Self::Undo,
        Self::Redo,
        Self::History,
        Self::Gallery,
        Self::Star,
        Self::StarFilled,
        Self::Search,
        Self::Filter,
        Self::Compare,
        Self::Settings,
        Self::Keyboard,
        Self::Command,
        Self::Palette,
        Self::Export,
        Self::Open,
        Self::New,
        Self::Queue,
        Self::Clock,
        Self::Check,
        Self::Warning,
        Self::Info,
        Self::SendToCanvas,
        Self::Language,
    ];

    fn marks(self) -> &'static [Mark] {
        match self {
            Self::Dice => actions::DICE,
            Self::Pin => actions::PIN,
            Self::Save => actions::SAVE,
            Self::Reuse => actions::REUSE,
            Self::Folder => things::FOLDER,
            Self::Sun => things::SUN,
            Self::Moon => things::MOON,
            Self::Close => actions::CLOSE,
            Self::MaskBrush => tools::MASK_BRUSH,
            Self::Brush => tools::BRUSH,
            Self::Eraser => tools::ERASER,
            Self::Lasso => tools::LASSO,
            Self::RectangleSelect => tools::RECTANGLE_SELECT,
            Self::EllipseSelect => tools::ELLIPSE_SELECT,
            Self::MagicWand => tools::MAGIC_WAND,
            Self::Bucket => tools::BUCKET,
            Self::Eyedropper => tools::EYEDROPPER,
            Self::Move => tools::MOVE,
            Self::Transform => tools::TRANSFORM,
            Self::Frame => tools::FRAME,
            Self::Hand => tools::HAND,
            Self::Zoom => tools::ZOOM,
            Self::Rotate => tools::ROTATE,
            Self::Fit => tools::FIT,
            Self::Invert => tools::INVERT,
            Self::Grow => tools::GROW,
            Self::Shrink => tools::SHRINK,
            Self::Feather => tools::FEATHER,
            Self::Layers => things::LAYERS,
            Self::Eye => things::EYE,
            Self::EyeOff => things::EYE_OFF,
            Self::Lock => things::LOCK,
            Self::Unlock => things::UNLOCK,
            Self::Plus => actions::PLUS,
            Self::Trash => actions::TRASH,
            Self::Duplicate => actions::DUPLICATE,
            Self::Copy => actions::COPY,
            Self::MergeDown => actions::MERGE_DOWN,
            Self::ArrowUp => actions::ARROW_UP,
            Self::ArrowDown => actions::ARROW_UP,
            Self::Undo => actions::UNDO,
            Self::Redo => actions::UNDO,
            Self::History => things::HISTORY,
            Self::Gallery => things::GALLERY,
            Self::Star => things::STAR,
            Self::StarFilled => things::STAR_FILLED,
            Self::Search => actions::SEARCH,
            Self::Filter => actions::FILTER,
            Self::Compare => actions::COMPARE,
            Self::Settings => actions::SETTINGS,
            Self::Keyboard => things::KEYBOARD,
            Self::Command => actions::COMMAND,
            Self::Palette => things::PALETTE,
            Self::Export => actions::EXPORT,
            Self::Open => actions::OPEN,
            Self::New => actions::NEW,
            Self::Queue => actions::QUEUE,
            Self::Clock => things::CLOCK,
            Self::Check => actions::CHECK,
            Self::Warning => things::WARNING,
            Self::Info => things::INFO,
            Self::SendToCanvas => actions::SEND_TO_CANVAS,
            Self::Language => things::LANGUAGE,
            Self::Chevron(_) => actions::CHEVRON,
            Self::Shape(..) => &[],
        }
    }
}

/// Draws `icon` in the middle of `rect`.
pub fn paint(painter: &Painter, rect: Rect, icon: Icon, color: Color32) {
    paint_sized(painter, rect, icon, color, SIZE);
}

/// The same on a box of `size` points.
pub fn paint_sized(painter: &Painter, rect: Rect, icon: Icon, color: Color32, size: f32) {
    let scale = size / SIZE;
    let mirror = if icon == Icon::Redo { -1.0 } else { 1.0 };
    let quarters = match icon {
        Icon::Chevron(quarters) => quarters,
        Icon::ArrowDown => 2,
        _ => 0,
    };
    let pen = Pen { painter, middle: rect.center(), color, scale, mirror, quarters };
    if let Icon::Shape(across, down) = icon {
        let (w, h) = (across.max(1) as f32, down.max(1) as f32);
        let fit = (15.0 / w.max(h)).min(13.0 / (w * h).sqrt());
        pen.draw(Mark::Rect((0.0, 0.0), w * fit, h * fit, 1.0));
    }
    for mark in icon.marks() {
        pen.draw(*mark);
    }
}

/// The seal: 丹 over 青, carved out of cinnabar, with a fine inner border.
pub fn seal(painter: &Painter, rect: Rect, t: &Tokens) {
    let side = rect.width().min(rect.height());
    let rect = Rect::from_center_size(rect.center(), vec2(side, side));
    painter.rect_filled(rect, CornerRadius::same((side * 0.12) as u8), t.cinnabar);
    let inner = rect.shrink(side * 0.08);
    let fine = Stroke::new((side * 0.025).max(0.75), t.on_cinnabar.gamma_multiply(0.8));
    painter.rect_stroke(inner, CornerRadius::same((side * 0.07) as u8), fine, StrokeKind::Inside);
    let font = serif(side * 0.36);
    for (sign, y) in [("丹", -0.18), ("青", 0.165)] {
        let at = pos2(rect.center().x, rect.center().y + side * y);
        painter.text(at, Align2::CENTER_CENTER, sign, font.clone(), t.on_cinnabar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_fill_their_box_and_keep_to_it() {
        for icon in Icon::ALL {
            let marks = icon.marks();
            let bounds = marks.iter().fold(Rect::NOTHING, |all, mark| all.union(mark.bounds()));
            let most = [bounds.left(), bounds.top(), bounds.right(), bounds.bottom()].map(f32::abs);
            assert!(most.into_iter().all(|v| v <= 7.5), "{icon:?}: {bounds:?}");
            assert!(bounds.width().max(bounds.height()) >= 7.5, "{icon:?}: {bounds:?}");
            let off = bounds.center().to_vec2().abs();
            assert!(off.x <= 0.8 && off.y <= 1.4, "{icon:?} is off its middle: {bounds:?}");
        }
    }

    #[test]
    fn every_sign_is_its_own() {
        for (k, icon) in Icon::ALL.iter().enumerate() {
            assert!(!Icon::ALL[..k].contains(icon), "{icon:?}");
        }
    }
}
