use super::*;
use crate::recipe::check::{check, check_size};
use crate::recipe::{Abilities, NoiseSource, Precision, Preset, Recipe, TextOptions};
use proptest::prelude::*;

fn family(side: u32) -> FamilyInfo {
    FamilyInfo {
        key: "fake",
        title: "Fake",
        native: Extent::new(side, side),
        factor: 8,
        latent_channels: 4,
        most_area: 2048 * 2048,
        guidance: 7.0,
        tokens: 512,
        abilities: Abilities { negative_prompt: true, image_to_image: true, inpaint: true },
    }
}

fn block(width: u32, height: u32) -> Mask {
    Mask::from_bytes(Extent::new(width, height), vec![255; (width * height) as usize]).unwrap()
}

fn noisy(extent: Extent, seed: u32) -> Pixmap {
    let byte = |i: u32| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8;
    let rgba = (0..extent.area() as u32 * 4).map(|i| if i % 4 == 3 { 255 } else { byte(i) }).collect();
    Pixmap::from_rgba(extent, rgba).unwrap()
}

fn frame() -> IntRect {
    IntRect::new(0, 0, 512, 512)
}

/// Normal blending of the patch, straight alpha, as any program does it.
fn laid_over(canvas: &Pixmap, patch: &Pixmap, at: (i32, i32)) -> Pixmap {
    let mut result = canvas.clone();
    let width = canvas.width() as usize;
    for (i, over) in patch.rgba().chunks_exact(4).enumerate() {
        let (x, y) = (i % patch.width() as usize + at.0 as usize, i / patch.width() as usize + at.1 as usize);
        let under = &mut result.rgba_mut()[(y * width + x) * 4..][..4];
        let alpha = u32::from(over[3]);
        for c in 0..3 {
            under[c] = ((u32::from(over[c]) * alpha + u32::from(under[c]) * (255 - alpha) + 127) / 255) as u8;
        }
    }
    result
}

fn crop(picture: &Pixmap, rect: IntRect) -> Pixmap {
    let pixel = |i: u32| picture.pixel(rect.x as u32 + i % rect.width, rect.y as u32 + i / rect.width).unwrap();
    Pixmap::from_rgba(rect.extent(), (0..rect.extent().area() as u32).flat_map(pixel).collect()).unwrap()
}

#[test]
fn a_small_mask_on_a_large_canvas_is_worked_on_at_the_native_size() {
    let plan = plan(Some((&block(40, 30), (1000, 700))), Extent::new(2000, 1500), frame(), &family(512), 1.0).unwrap();
    assert_eq!((plan.context.extent(), plan.working), (Extent::new(512, 512), Extent::new(512, 512)));
    assert_eq!(plan.scale(), (1.0, 1.0));
    assert_eq!((plan.context.x, plan.context.y), (1020 - 256, 715 - 256));
    assert_eq!((plan.feather, plan.grow, plan.fill), (16.0, 12.0, Fill::Diffuse));
    assert_eq!(super::plan(None, Extent::new(0, 9), frame(), &family(512), 1.0), None);
}

#[test]
fn a_huge_mask_is_shrunk_and_a_small_canvas_enlarged() {
    let canvas = Extent::new(4000, 3000);
    let big = plan(Some((&block(3000, 2000), (500, 500))), canvas, frame(), &family(512), 0.7).unwrap();
    assert_eq!(big.context.extent(), canvas);
    assert_eq!(big.working, Extent::new(888, 664));
    assert_eq!((big.feather, big.fill), ((96.0 * 0.7f64) as f32, Fill::Original));
    let small = Extent::new(200, 100);
    let small = plan(Some((&block(20, 20), (0, 0))), small, frame(), &family(512), 1.0).unwrap();
    assert_eq!((small.context.extent(), small.working), (Extent::new(200, 100), Extent::new(512, 256)));
}

#[test]
fn a_line_becomes_squarish_and_a_strip_stays_a_valid_size() {
    let line = plan(Some((&block(1000, 2), (400, 900))), Extent::new(2000, 2000), frame(), &family(512), 1.0).unwrap();
    let (width, height) = (line.context.width, line.context.height);
    assert!(f64::from(width) / f64::from(height) <= 1.51, "{width}×{height}");
    let strip = plan(Some((&block(3000, 1), (0, 3))), Extent::new(3000, 9), frame(), &family(512), 1.0).unwrap();
    check_size(strip.working, &family(512)).unwrap();
}

#[test]
fn without_a_mask_the_frame_is_painted() {
    let canvas = Extent::new(1000, 800);
    let off = Mask::from_bytes(Extent::new(2, 1), vec![255, 255]).unwrap();
    let empty = block(0, 0);
    for mask in [None, Some((&off, (1000, 0))), Some((&off, (-2, 5))), Some((&empty, (3, 3)))] {
        let plan = plan(mask, canvas, IntRect::new(-10, 100, 512, 300), &family(512), 1.0).unwrap();
        assert_eq!(plan.context, IntRect::new(0, 100, 502, 300));
        assert_eq!(plan.denoise, None);
        assert!(plan.composite.bytes().iter().all(|&v| v == 255));
        let (source, inpaint) = plan.parts(&noisy(plan.context.extent(), 1));
        assert!(matches!(source, Source::Picture { picture, .. } if picture.extent() == plan.working));
        assert_eq!(inpaint, None);
        let (patch, at) = plan.join(&noisy(plan.working, 2));
        assert_eq!((patch.extent(), at), (Extent::new(502, 300), (0, 100)));
        assert!(patch.rgba().chunks_exact(4).all(|p| p[3] == 255));
    }
    let missed = plan(None, canvas, IntRect::new(5000, 0, 10, 10), &family(512), 1.0).unwrap();
    assert_eq!(missed.context, IntRect::new(0, 0, 1000, 800));
}

#[test]
fn a_faint_mask_is_a_mask() {
    let faint = Mask::from_bytes(Extent::new(3, 3), vec![40; 9]).unwrap();
    let plan = plan(Some((&faint, (50, 50))), Extent::new(128, 128), frame(), &family(64), 0.5).unwrap();
    let at =
        |x: i32, y: i32| (y - plan.context.y) as usize * plan.context.width as usize + (x - plan.context.x) as usize;
    assert_eq!(plan.composite.bytes()[at(51, 51)], 255);
    assert!(plan.denoise.is_some());
}

#[test]
fn the_engine_takes_the_parts() {
    let canvas = noisy(Extent::new(700, 500), 3);
    let plan = plan(Some((&block(1, 200), (333, 100))), canvas.extent(), frame(), &family(256), 0.6).unwrap();
    let (source, inpaint) = plan.parts(&crop(&canvas, plan.context));
    let inpaint = inpaint.unwrap();
    // Each latent square has one value, and every masked pixel lies in a square that is painted.
    let (row, bytes) = (plan.working.width as usize, inpaint.mask.bytes());
    for (i, &value) in bytes.iter().enumerate() {
        let corner = (i / row / 8 * 8) * row + i % row / 8 * 8;
        assert!((value == 0 || value == 255) && value == bytes[corner]);
    }
    let recipe = Recipe {
        model: "fake".into(),
        prompt: "山".into(),
        negative: String::new(),
        sampling: Preset::Quick.sampling(7.0),
        size: plan.working,
        seed: 1,
        batch: 1,
        noise: NoiseSource::TorchCpu,
        source,
        inpaint: Some(inpaint),
        text: TextOptions::default(),
        precision: Precision::Auto,
    };
    check(&recipe, &family(256)).unwrap();
}

#[test]
fn a_full_repaint_hides_the_old_picture_and_a_light_one_keeps_it() {
    let canvas = Pixmap::from_rgba(Extent::new(256, 256), [10, 200, 30, 255].repeat(256 * 256)).unwrap();
    let mut canvas = canvas;
    for y in 100..110 {
        canvas.rgba_mut()[(y * 256 + 100) * 4..][..40].copy_from_slice(&[255, 0, 255, 255].repeat(10));
    }
    let masked = |strength| {
        let plan = plan(Some((&block(10, 10), (100, 100))), canvas.extent(), frame(), &family(256), strength).unwrap();
        plan.prepare(&crop(&canvas, plan.context)).0.pixel(105, 105).unwrap()
    };
    assert_eq!(masked(0.5), [255, 0, 255, 255]);
    assert_eq!(masked(1.0), [10, 200, 30, 255]);
}

/// A canvas, and a mask with its place, which may lie off the canvas in part or whole.
fn scenes() -> impl Strategy<Value = (Extent, Mask, (i32, i32))> {
    let canvas = (1u32..260, 1u32..260).prop_map(|(w, h)| Extent::new(w, h));
    let mask = (1u32..90, 1u32..90, 1usize..60, any::<u8>()).prop_map(|(w, h, every, value)| {
        let bytes = (0..(w * h) as usize).map(|i| if i % every == 0 { value } else { 0 }).collect();
        Mask::from_bytes(Extent::new(w, h), bytes).unwrap()
    });
    (canvas, mask, (-60i32..260, -60i32..260))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_mask_has_a_sound_plan((canvas, mask, at) in scenes(), sides in (1u32..5, 1u32..5), factor in 0usize..3,
        strength in 0.0f64..1.2) {
        let native = Extent::new(sides.0 * 64, sides.1 * 64);
        let most_area = native.area() * u64::from(sides.0);
        let family = FamilyInfo { native, most_area, factor: [8, 16, 64][factor], ..family(64) };
        let plan = plan(Some((&mask, at)), canvas, frame(), &family, strength).unwrap();
        check_size(plan.working, &family).unwrap();
        let whole = IntRect::new(0, 0, canvas.width, canvas.height);
        prop_assert_eq!(plan.context.intersect(whole), Some(plan.context));
        prop_assert_eq!(plan.composite.extent(), plan.context.extent());
        let (w, h) = (plan.context.width, plan.context.height);
        if let Some(denoise) = &plan.denoise {
            prop_assert!(w >= canvas.width.min(family.native.width) && h >= canvas.height.min(family.native.height));
            let mut covered = 0;
            for (i, &value) in mask.bytes().iter().enumerate().filter(|(_, v)| **v > 0) {
                let (x, y) = (at.0 + (i as u32 % mask.extent().width) as i32, at.1 + (i as u32 / mask.extent().width) as i32);
                if x < 0 || y < 0 || x >= canvas.width as i32 || y >= canvas.height as i32 {
                    continue;
                }
                covered += 1;
                let (x, y) = (x - plan.context.x, y - plan.context.y);
                prop_assert!(x >= 0 && y >= 0 && x < w as i32 && y < h as i32, "the context holds the mask");
                let here = y as usize * w as usize + x as usize;
                prop_assert!(plan.composite.bytes()[here] >= value && denoise.bytes()[here] >= value);
                prop_assert!(value < 128 || plan.composite.bytes()[here] == 255);
            }
            prop_assert!(covered > 0);
            // The patch shows nothing that was not painted, and ends within the context: at most at the canvas's edge.
            for (i, &value) in plan.composite.bytes().iter().enumerate().filter(|(_, v)| **v > 0) {
                prop_assert!(denoise.bytes()[i] > 0, "{value}");
                let (x, y) = (i as u32 % w, i as u32 / w);
                prop_assert!(x > 0 || plan.context.x == 0);
                prop_assert!(y > 0 || plan.context.y == 0);
                prop_assert!(x + 1 < w || plan.context.right() == i64::from(canvas.width));
                prop_assert!(y + 1 < h || plan.context.bottom() == i64::from(canvas.height));
            }
        }
    }

    #[test]
    fn no_pixel_outside_the_patch_changes((extent, mask, at) in scenes(), strength in 0.05f64..1.0, seed: u32) {
        let canvas = noisy(extent, seed);
        let plan = plan(Some((&mask, at)), extent, frame(), &family(64), strength).unwrap();
        let (picture, working_mask) = plan.prepare(&crop(&canvas, plan.context));
        prop_assert_eq!((picture.extent(), working_mask.extent()), (plan.working, plan.working));
        prop_assert!(working_mask.bytes().iter().any(|&v| v > 0), "thin masks survive");
        let (patch, to) = plan.join(&noisy(plan.working, seed ^ 1));
        let joined = laid_over(&canvas, &patch, to);
        for y in 0..extent.height {
            for x in 0..extent.width {
                let (cx, cy) = (x as i32 - plan.context.x, y as i32 - plan.context.y);
                let inside = cx >= 0 && cy >= 0 && (cx as u32) < plan.context.width && (cy as u32) < plan.context.height;
                let share = if inside { plan.composite.bytes()[cy as usize * plan.context.width as usize + cx as usize] } else { 0 };
                match share {
                    0 => prop_assert_eq!(joined.pixel(x, y), canvas.pixel(x, y)),
                    255 => prop_assert_eq!(joined.pixel(x, y), patch.pixel(cx as u32, cy as u32)),
                    _ => {}
                }
            }
        }
    }
}
