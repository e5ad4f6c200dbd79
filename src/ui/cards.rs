//! The cards over the window: one at a time, and while one is open, the keys are its own.

use super::about;
use super::export_card::ExportCard;
use super::lost_card;
use super::palette::Palette;
use super::shortcuts::Shortcuts;
use super::style_card::StyleCard;
use crate::app::commands::{Entry, Group};
use crate::app::{Card, Command, State};
use egui::{Color32, Context, Id, Key, Modifiers};

/// Which card is open.
#[derive(Debug, Default)]
enum Open {
    #[default]
    None,
    Palette,
    Shortcuts,
    About,
    Style(StyleCard),
    Export(ExportCard),
    Lost,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Cards {
    open: Open,
    palette: Palette,
    shortcuts: Shortcuts,
    /// What had the focus before; it gets it back.
    before: Option<Id>,
    /// The card was there in the frame before this one.
    closing: bool,
}

impl Cards {
    /// Opens a card in the place of the one that is open; the one that is asked for a second time closes.
    pub fn open(&mut self, ctx: &Context, card: Card, state: &State) {
        let again = matches!(
            (&self.open, &card),
            (Open::Palette, Card::Palette)
                | (Open::Shortcuts, Card::Shortcuts)
                | (Open::About, Card::About)
                | (Open::Export(_), Card::Export)
        );
        if again {
            return self.close(ctx);
        }
        // What lies below must learn that it is covered.
        ctx.request_repaint();
        if matches!(self.open, Open::None) {
            self.before = ctx.memory(|memory| memory.focused());
        }
        self.open = match card {
            Card::Palette => {
                self.palette.open(ctx);
                Open::Palette
            }
            Card::Shortcuts => {
                self.shortcuts.open();
                Open::Shortcuts
            }
            Card::About => Open::About,
            Card::Export => Open::Export(ExportCard::new(state)),
            Card::Lost => Open::Lost,
            Card::Style(name) => Open::Style(StyleCard::new(name, state)),
        };
    }

    fn close(&mut self, ctx: &Context) {
        self.open = Open::None;
        self.closing = true;
        ctx.request_repaint();
    }

    /// Gives the focus to a field: at once, or when the card that is open or closing is away.
    pub fn focus(&mut self, ctx: &Context, field: Id) {
        if self.closing || !matches!(self.open, Open::None) {
            self.before = Some(field);
        } else {
            ctx.memory_mut(|memory| memory.request_focus(field));
        }
    }

    /// What a card covered can have the focus one frame after it is gone, and not sooner.
    fn give_back(&mut self, ctx: &Context) {
        if std::mem::take(&mut self.closing)
            && let Some(before) = self.before.take()
        {
            ctx.memory_mut(|memory| memory.request_focus(before));
            ctx.request_repaint();
        }
    }

    /// Whether a card is open.
    pub const fn is_open(&self) -> bool {
        !matches!(self.open, Open::None)
    }

    /// Which commands keys may give now: all; with a card open, those that are about the window; while keys are
    /// recorded, none.
    pub const fn gate(&self) -> fn(&Entry) -> bool {
        match &self.open {
            Open::None => |_| true,
            Open::Shortcuts if self.shortcuts.is_recording() => |_| false,
            _ => |entry| matches!(entry.group, Group::Window),
        }
    }

    /// The words of one of the cards' fields.
    pub fn field_mut(&mut self, id: Id) -> Option<&mut String> {
        if id == Palette::field() {
            Some(self.palette.query_mut())
        } else if id == Shortcuts::field() {
            Some(self.shortcuts.query_mut())
        } else {
            match &mut self.open {
                Open::Style(card) => card.field_mut(id),
                Open::Export(card) => card.field_mut(id),
                _ => None,
            }
        }
    }

    /// Shows the open card. Call it after everything else. While an input method composes, the keys belong to it.
    pub fn show(&mut self, ctx: &Context, state: &mut State, composing: bool, out: &mut Vec<Command>) {
        let stays = match &mut self.open {
            Open::None => return self.give_back(ctx),
            Open::Palette => self.palette.show(ctx, state, composing, out),
            Open::Shortcuts => self.shortcuts.show(ctx, state, composing),
            Open::About => about::show(ctx, state, out),
            Open::Style(card) => card.show(ctx, state, composing, out),
            Open::Export(card) => card.show(ctx, state, composing, out),
            Open::Lost => lost_card::show(ctx, state, out),
        };
        if !stays {
            self.close(ctx);
        }
    }
}

/// Takes Esc from the queue; true if it was pressed.
pub fn take_escape(ctx: &Context) -> bool {
    ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
}

/// A veil over what lies below a card, light enough to see it by.
pub fn backdrop(ctx: &Context) -> Color32 {
    let dark = ctx.global_style().visuals.dark_mode;
    Color32::from_black_alpha(if dark { 64 } else { 28 })
}
