//! Takes the colour under the pointer, as long as the button is down.

use super::easel::whole;
use super::{Context, Effect, Overlay, PointerEvent, Source, Tool};
use crate::base::IntRect;

#[derive(Default)]
pub struct Eyedropper {
    down: bool,
}

/// The mean colour round a pixel of the canvas, weighted by alpha; `None` off the canvas or where all is transparent.
pub fn colour_at(context: &Context<'_>, (x, y): (i32, i32)) -> Option<[u8; 4]> {
    let canvas = whole(context.easel);
    canvas.intersect(IntRect::new(x, y, 1, 1))?;
    let reach = context.settings.eyedropper_sampling.reach();
    let side = 2 * reach as u32 + 1;
    let area = canvas.intersect(IntRect::new(x - reach, y - reach, side, side))?;
    let source = if context.settings.eyedropper_all_layers { Source::Composite } else { Source::Layer };
    let (mut sums, mut weight, mut count) = ([0u32; 3], 0u32, 0u32);
    for pixel in context.easel.read(source, area).rgba().chunks_exact(4) {
        if let [r, g, b, alpha] = *pixel {
            let alpha = u32::from(alpha);
            sums.iter_mut().zip([r, g, b]).for_each(|(sum, c)| *sum += u32::from(c) * alpha);
            weight += alpha;
            count += 1;
        }
    }
    let mean = |sum: u32| Some(u8::try_from((sum + weight / 2).checked_div(weight)?).unwrap_or(u8::MAX));
    let alpha = u8::try_from((weight + count / 2).checked_div(count)?).unwrap_or(u8::MAX);
    Some([mean(sums[0])?, mean(sums[1])?, mean(sums[2])?, alpha])
}

impl Tool for Eyedropper {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.down = true;
        self.drag(context, event);
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        if let Some(colour) = colour_at(context, event.pixel()).filter(|_| self.down) {
            context.effects.push(Effect::Pick(colour));
        }
    }

    fn release(&mut self, _: &mut Context<'_>, _: PointerEvent) {
        self.down = false;
    }

    fn cancel(&mut self, _: &mut Context<'_>) {
        self.down = false;
    }

    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        Overlay::default()
    }
}
