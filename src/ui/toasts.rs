//! Messages at the lower right: what happened, what to do, and the details for those who ask.

use super::icons::Icon;
use super::theme::{GRID, MARGIN, RADIUS, SMALL, tokens};
use super::widgets::{icon_button_sized, link, tip, tip_text};
use crate::app::{Command, Message, Said, State};
use crate::base::{Problem, Severity};
use crate::words::{Language, problem_text, text, text_with};
use egui::{
    Align, Align2, Area, Color32, Context, CornerRadius, Frame, Id, Layout, Margin, Order, Pos2, Rangef, Rect,
    RichText, ScrollArea, Shadow, Stroke, Ui, Vec2, pos2, vec2,
};

/// Widths of a message.
const WIDTHS: Rangef = Rangef { min: 28.0 * GRID, max: 45.0 * GRID };

/// Where messages may lie.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// What one looks at: canvas, picture, or gallery.
    pub rect: Rect,
    /// Controls over its lower part, which messages leave free.
    pub taken: Option<Rect>,
}

impl Room {
    /// The width of messages, and their lower right corner.
    fn place(&self) -> (f32, Pos2) {
        let width = WIDTHS.clamp(self.rect.width() - 2.0 * MARGIN);
        let right = self.rect.right() - MARGIN;
        let bottom = self.rect.bottom() - 2.0 * GRID;
        let beside = Rangef::new(right - width - GRID, right + GRID);
        let taken = self.taken.filter(|taken| taken.x_range().intersects(beside));
        (width, pos2(right, taken.map_or(bottom, |taken| bottom.min(taken.top() - GRID))))
    }
}

pub fn show(ctx: &Context, state: &State, room: Room, out: &mut Vec<Command>) {
    if state.messages.is_empty() {
        return;
    }
    let (width, corner) = room.place();
    let area = Area::new(Id::unique("messages")).order(Order::Foreground).pivot(Align2::RIGHT_BOTTOM);
    area.fixed_pos(corner).show(ctx, |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = GRID;
        // The newest is nearest to the corner.
        for message in &state.messages {
            ui.push_id(message.id, |ui| card(ui, state.language, message, out));
        }
    });
}

fn card(ui: &mut Ui, language: Language, message: &Message, out: &mut Vec<Command>) {
    let t = tokens(ui);
    let shown = Frame::new()
        .fill(t.raised)
        .stroke(Stroke::new(1.0, t.line_strong))
        .corner_radius(CornerRadius::same(RADIUS))
        .shadow(Shadow { offset: [0, 6], blur: 24, spread: 0, color: t.shadow })
        .inner_margin(Margin { left: 20, right: 12, top: 12, bottom: 12 })
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 4.0;
            match &message.said {
                Said::Problem(problem) => {
                    problem_card(ui, language, message, problem, out);
                    if problem.severity == Severity::Note { t.jade } else { t.cinnabar }
                }
                Said::Note(id, args) => {
                    title(ui, language, message.id, &text_with(language, id, args), out);
                    t.jade
                }
                Said::Offer(id, args, command) => {
                    title(ui, language, message.id, &text_with(language, id, args), out);
                    let words = text(language, &command.text_id());
                    if tip(link(ui, None, &words), language, command).clicked() {
                        out.push(command.clone());
                        out.push(Command::Dismiss(message.id));
                    }
                    t.jade
                }
            }
        });
    stripe(ui, shown.response.rect, shown.inner);
}

/// The coloured edge that tells bad news from good.
fn stripe(ui: &Ui, card: Rect, color: Color32) {
    let bar = Rect::from_min_size(card.min + vec2(8.0, 12.0), vec2(3.0, card.height() - 24.0));
    ui.painter().rect_filled(bar, CornerRadius::same(2), color);
}

fn title(ui: &mut Ui, language: Language, id: u64, words: &str, out: &mut Vec<Command>) {
    ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
        let close = Command::Dismiss(id);
        let button = icon_button_sized(ui, Icon::Close, &text(language, &close.text_id()), None, Vec2::splat(24.0));
        if tip(button, language, &close).clicked() {
            out.push(close);
        }
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ui.add_space(2.0);
            ui.add(egui::Label::new(words).wrap());
        });
    });
}

fn problem_card(ui: &mut Ui, language: Language, message: &Message, problem: &Problem, out: &mut Vec<Command>) {
    let words = problem_text(problem, language);
    title(ui, language, message.id, &words.summary, out);
    let advice = RichText::new(words.advice).size(SMALL).color(tokens(ui).ink_soft);
    ui.add(egui::Label::new(advice).wrap());
    let Some(detail) = &problem.detail else { return };
    let unfold = Command::Unfold(message.id);
    let sign = Icon::Chevron(u8::from(message.unfolded));
    if tip(link(ui, Some(sign), &text(language, &unfold.text_id())), language, &unfold).clicked() {
        out.push(unfold);
    }
    if message.unfolded {
        ScrollArea::vertical().max_height(20.0 * GRID).show(ui, |ui| {
            let detail = RichText::new(detail).monospace().color(tokens(ui).ink_soft);
            ui.add(egui::Label::new(detail).wrap().selectable(true));
        });
        let copy = text(language, "label-copy");
        if tip_text(link(ui, None, &copy), &text(language, "tip-copy"), None).clicked() {
            ui.ctx().copy_text(format!("{problem}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_free_what_one_works_with() {
        let rect = Rect::from_min_max(pos2(360.0, 40.0), pos2(1280.0, 800.0));
        let (width, corner) = Room { rect, taken: None }.place();
        assert_eq!((width, corner), (WIDTHS.max, pos2(1256.0, 784.0)));
        let bar = Rect::from_min_size(pos2(600.0, 740.0), vec2(400.0, 44.0));
        assert_eq!(Room { rect, taken: Some(bar) }.place().1, pos2(1256.0, 732.0));
        let small = Rect::from_min_size(pos2(500.0, 740.0), vec2(200.0, 44.0));
        assert_eq!(Room { rect, taken: Some(small) }.place().1, corner);
        let narrow = Rect::from_min_max(pos2(400.0, 40.0), pos2(600.0, 800.0));
        assert_eq!(Room { rect: narrow, taken: None }.place().0, WIDTHS.min);
    }
}
