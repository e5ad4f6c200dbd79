//! Selects what a line drawn by hand goes round.

use super::easel::whole;
use super::selecting::{Join, deselect, select_figure};
use super::{Context, Overlay, PointerEvent, Polyline, Tool};
use crate::imaging::shapes::{FillRule, polygon};

#[derive(Default)]
pub struct Lasso {
    points: Vec<(f64, f64)>,
    join: Join,
}

impl Tool for Lasso {
    fn press(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        self.points = vec![event.at()];
        self.join = Join::by(event.modifiers);
    }

    fn drag(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        if self.points.last().is_some_and(|last| *last != event.at()) {
            self.points.push(event.at());
        }
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.drag(context, event);
        let points = std::mem::take(&mut self.points);
        let Some(first) = points.first() else {
            return;
        };
        let least = context.screen(super::selecting::CLICK);
        if points.iter().all(|p| (p.0 - first.0).abs() < least && (p.1 - first.1).abs() < least) {
            if self.join == Join::Replace {
                deselect(context);
            }
            return;
        }
        select_figure(context, polygon(&points, FillRule::NonZero, whole(context.easel)), self.join);
    }

    fn cancel(&mut self, _: &mut Context<'_>) {
        self.points.clear();
    }

    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        if self.points.is_empty() {
            return Overlay::default();
        }
        Overlay {
            lines: vec![Polyline { points: self.points.clone(), closed: false, dashed: true }],
            ..Overlay::default()
        }
    }
}
