//! Fills what is like the pixel clicked on: with the colour, or in the mask (with Alt it empties the mask there).

use super::easel::whole;
use super::wand::alike;
use super::{Context, Overlay, PointerEvent, Source, Target, Tool};
use crate::canvas::coverage::{over, share, toward};
use crate::imaging::Mask;

pub struct Bucket;

impl Tool for Bucket {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        match context.settings.bucket_target {
            Target::Layer => fill_layer(context, event),
            Target::Mask => fill_mask(context, event),
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

fn fill_layer(context: &mut Context<'_>, event: PointerEvent) {
    let Some(layer) = context.open_layer() else {
        return;
    };
    let Some(area) = area(context, event) else {
        return;
    };
    let mut pixels = context.easel.read(Source::Layer, whole(context.easel));
    for (pixel, value) in pixels.rgba_mut().chunks_exact_mut(4).zip(area.bytes()).filter(|(_, value)| **value > 0) {
        if let Some(pixel) = pixel.first_chunk_mut::<4>() {
            *pixel = over(*pixel, context.settings.colour, u16::from(*value) * 257, layer.alpha_locked);
        }
    }
    context.easel.begin("edit-fill");
    context.easel.write(0, 0, &pixels);
    context.easel.commit();
}

fn fill_mask(context: &mut Context<'_>, event: PointerEvent) {
    let Some(area) = area(context, event) else {
        return;
    };
    let (name, goal) = if event.modifiers.alt { ("edit-erase-mask", 0) } else { ("edit-fill-mask", 255) };
    let mut mask = context.easel.read_mask(whole(context.easel));
    for (value, share) in mask.bytes_mut().iter_mut().zip(area.bytes()) {
        *value = toward(*value, goal, u16::from(*share) * 257);
    }
    context.easel.begin(name);
    context.easel.write_mask(0, 0, &mask);
    context.easel.commit();
}

/// What is filled: what is alike, within the selection.
fn area(context: &Context<'_>, event: PointerEvent) -> Option<Mask> {
    let mut area = alike(context, event)?;
    if let Some(selection) = context.easel.read_selection(whole(context.easel)) {
        for (value, chosen) in area.bytes_mut().iter_mut().zip(selection.bytes()) {
            *value = toward(0, *value, share(f32::from(*chosen) / 255.0));
        }
    }
    Some(area)
}
