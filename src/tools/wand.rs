//! Selects what is like the pixel clicked on.

use super::easel::whole;
use super::selecting::{Join, select};
use super::{Context, Overlay, PointerEvent, Source, Tool};
use crate::imaging::{Mask, flood};

pub struct Wand;

/// The pixels of the canvas that are like the one under the pointer, by the settings; `None` off the canvas.
pub fn alike(context: &Context<'_>, event: PointerEvent) -> Option<Mask> {
    let area = whole(context.easel);
    let (x, y) = event.pixel();
    let seed = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
    if seed.0 >= area.width || seed.1 >= area.height {
        return None;
    }
    let source = if context.settings.sample_all_layers { Source::Composite } else { Source::Layer };
    let picture = context.easel.read(source, area);
    let pixel = |x, y| picture.pixel(x, y).unwrap_or_default();
    Some(flood::alike(area.extent(), seed, &context.settings.likeness(), pixel))
}

impl Tool for Wand {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        if let Some(mask) = alike(context, event) {
            select(context, mask, Join::by(event.modifiers));
        }
    }

    fn drag(&mut self, _: &mut Context<'_>, _: PointerEvent) {}
    fn release(&mut self, _: &mut Context<'_>, _: PointerEvent) {}
    fn cancel(&mut self, _: &mut Context<'_>) {}
    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        Overlay::default()
    }
}
