//! How a layer mixes with what is below it: the formulas of W3C "Compositing and Blending Level 1".
//!
//! Pixels are straight sRGB of 8 bits. With αs the source's alpha (opacity included), αb the backdrop's and B the
//! blending function, αo = αs + αb·(1 − αs) and
//! αo·Co = αs·(1 − αb)·Cs + αs·αb·B(Cb, Cs) + (1 − αs)·αb·Cb, rounded once.

use serde::{Deserialize, Serialize};

macro_rules! modes {
    ($($(#[$doc:meta])* $name:ident => $svg:literal, $key:literal;)*) => {
        /// The blending function of a layer.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum BlendMode { #[default] $($(#[$doc])* $name,)* }

        impl BlendMode {
            /// Every mode, in the order of menus.
            pub const ALL: &'static [BlendMode] = &[$(BlendMode::$name,)*];

            /// Its name in OpenRaster files (`composite-op`).
            pub const fn svg_name(self) -> &'static str {
                match self { $(BlendMode::$name => $svg,)* }
            }

            /// The stem of its name in the languages.
            pub const fn key(self) -> &'static str {
                match self { $(BlendMode::$name => $key,)* }
            }
        }
    };
}

modes! {
    Normal => "svg:src-over", "normal";
    Darken => "svg:darken", "darken";
    Multiply => "svg:multiply", "multiply";
    ColorBurn => "svg:color-burn", "color-burn";
    Lighten => "svg:lighten", "lighten";
    Screen => "svg:screen", "screen";
    ColorDodge => "svg:color-dodge", "color-dodge";
    /// The sum of the premultiplied colours and of the alphas, clipped (W3C: plus-lighter).
    Add => "svg:plus", "add";
    Overlay => "svg:overlay", "overlay";
    SoftLight => "svg:soft-light", "soft-light";
    HardLight => "svg:hard-light", "hard-light";
    Difference => "svg:difference", "difference";
    Hue => "svg:hue", "hue";
    Saturation => "svg:saturation", "saturation";
    Color => "svg:color", "color";
    Luminosity => "svg:luminosity", "luminosity";
}

impl BlendMode {
    /// The mode of an OpenRaster name; `None` if it is none of ours.
    pub fn from_svg_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.svg_name() == name)
    }
}

/// An opacity of 0..=1 in 255ths; what is not a number counts as 1.
pub fn opacity_byte(opacity: f32) -> u8 {
    if opacity.is_nan() { 255 } else { (opacity.clamp(0.0, 1.0) * 255.0).round() as u8 }
}

/// a·b/255, rounded.
const fn times(a: u8, b: u8) -> u8 {
    ((a as u32 * b as u32 + 127) / 255) as u8
}

/// `source`, with its alpha lessened by `opacity` / 255, laid over `backdrop`. Transparent over anything keeps the
/// backdrop, anything over transparent gives the source, bit for bit; so does an opaque source in [`BlendMode::Normal`].
pub fn blend(mode: BlendMode, backdrop: [u8; 4], source: [u8; 4], opacity: u8) -> [u8; 4] {
    let [sr, sg, sb, sa] = source;
    let [br, bg, bb, ba] = backdrop;
    let sa = times(sa, opacity);
    if sa == 0 {
        return backdrop;
    }
    if ba == 0 || (mode == BlendMode::Normal && sa == 255) {
        return [sr, sg, sb, sa];
    }
    if mode == BlendMode::Add {
        return add([br, bg, bb, ba], [sr, sg, sb, sa]);
    }
    let mixed = match mode {
        BlendMode::Normal => [sr, sg, sb],
        _ => mixture(mode, [br, bg, bb], [sr, sg, sb]),
    };
    let (sa, ba) = (u32::from(sa), u32::from(ba));
    let (alone, both, under) = (sa * (255 - ba), sa * ba, (255 - sa) * ba);
    let whole = alone + both + under;
    let channel = |s: u8, m: u8, b: u8| {
        let sum = alone * u32::from(s) + both * u32::from(m) + under * u32::from(b);
        ((sum + whole / 2) / whole) as u8
    };
    let [mr, mg, mb] = mixed;
    [channel(sr, mr, br), channel(sg, mg, bg), channel(sb, mb, bb), ((whole + 127) / 255) as u8]
}

/// Lays a row over another of the same length.
pub fn blend_row(mode: BlendMode, backdrop: &mut [[u8; 4]], source: &[[u8; 4]], opacity: u8) {
    for (under, over) in backdrop.iter_mut().zip(source) {
        *under = blend(mode, *under, *over, opacity);
    }
}

fn add(backdrop: [u8; 4], source: [u8; 4]) -> [u8; 4] {
    let [br, bg, bb, ba] = backdrop.map(u32::from);
    let [sr, sg, sb, sa] = source.map(u32::from);
    let alpha = (sa + ba).min(255);
    let channel = |s: u32, b: u32| ((s * sa + b * ba + alpha / 2) / alpha).min(255) as u8;
    [channel(sr, br), channel(sg, bg), channel(sb, bb), alpha as u8]
}

/// B(Cb, Cs) for opaque colours.
fn mixture(mode: BlendMode, backdrop: [u8; 3], source: [u8; 3]) -> [u8; 3] {
    let [br, bg, bb] = backdrop;
    let [sr, sg, sb] = source;
    let each = |f: fn(u8, u8) -> u8| [f(br, sr), f(bg, sg), f(bb, sb)];
    match mode {
        BlendMode::Normal | BlendMode::Add => source,
        BlendMode::Multiply => each(times),
        BlendMode::Screen => each(screen),
        BlendMode::Overlay => each(|b, s| hard_light(s, b)),
        BlendMode::Darken => each(u8::min),
        BlendMode::Lighten => each(u8::max),
        BlendMode::ColorDodge => each(|b, s| match (b, s) {
            (0, _) => 0,
            (_, 255) => 255,
            _ => quotient(b, 255 - s),
        }),
        BlendMode::ColorBurn => each(|b, s| match (b, s) {
            (255, _) => 255,
            (_, 0) => 0,
            _ => 255 - quotient(255 - b, s),
        }),
        BlendMode::HardLight => each(hard_light),
        BlendMode::SoftLight => each(soft_light),
        BlendMode::Difference => each(u8::abs_diff),
        BlendMode::Hue => rounded(with_luminosity(
            with_saturation(floats(source), saturation(floats(backdrop))),
            luminosity(floats(backdrop)),
        )),
        BlendMode::Saturation => rounded(with_luminosity(
            with_saturation(floats(backdrop), saturation(floats(source))),
            luminosity(floats(backdrop)),
        )),
        BlendMode::Color => rounded(with_luminosity(floats(source), luminosity(floats(backdrop)))),
        BlendMode::Luminosity => rounded(with_luminosity(floats(backdrop), luminosity(floats(source)))),
    }
}

/// min(1, a / b) in 255ths; b is not 0.
const fn quotient(a: u8, b: u8) -> u8 {
    let (a, b) = (a as u32, b as u32);
    if a >= b { 255 } else { ((a * 255 + b / 2) / b) as u8 }
}

const fn screen(b: u8, s: u8) -> u8 {
    255 - times(255 - b, 255 - s)
}

const fn hard_light(b: u8, s: u8) -> u8 {
    let (b, s) = (b as u32, s as u32);
    let product = if s <= 127 { 2 * s * b } else { 255 * 255 - 2 * (255 - s) * (255 - b) };
    ((product + 127) / 255) as u8
}

fn soft_light(b: u8, s: u8) -> u8 {
    let (b, s) = (f32::from(b) / 255.0, f32::from(s) / 255.0);
    let mixed = if s <= 0.5 {
        b - (1.0 - 2.0 * s) * b * (1.0 - b)
    } else {
        let d = if b <= 0.25 { ((16.0 * b - 12.0) * b + 4.0) * b } else { b.sqrt() };
        b + (2.0 * s - 1.0) * (d - b)
    };
    (mixed * 255.0).round() as u8
}

fn floats(colour: [u8; 3]) -> [f32; 3] {
    colour.map(f32::from)
}

fn rounded(colour: [f32; 3]) -> [u8; 3] {
    colour.map(|c| c.round() as u8)
}

fn luminosity([r, g, b]: [f32; 3]) -> f32 {
    0.3 * r + 0.59 * g + 0.11 * b
}

fn range([r, g, b]: [f32; 3]) -> (f32, f32) {
    (r.min(g).min(b), r.max(g).max(b))
}

fn saturation(colour: [f32; 3]) -> f32 {
    let (least, most) = range(colour);
    most - least
}

/// SetSat of the specification: the least becomes 0, the most `to`, and what lies between keeps its share.
fn with_saturation(colour: [f32; 3], to: f32) -> [f32; 3] {
    let (least, most) = range(colour);
    if most > least { colour.map(|c| (c - least) * to / (most - least)) } else { [0.0; 3] }
}

/// SetLum with ClipColor.
fn with_luminosity(colour: [f32; 3], to: f32) -> [f32; 3] {
    let shift = to - luminosity(colour);
    let colour = colour.map(|c| c + shift);
    let (least, most) = range(colour);
    let clipped = if least < 0.0 { colour.map(|c| to + (c - to) * to / (to - least)) } else { colour };
    if most > 255.0 { clipped.map(|c| to + (c - to) * (255.0 - to) / (most - to)) } else { clipped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn opaque_colours_by_hand() {
        let backdrop = [200, 100, 40, 255];
        let source = [60, 180, 240, 255];
        let expected = [
            (BlendMode::Normal, [60, 180, 240]),
            (BlendMode::Multiply, [47, 71, 38]),
            (BlendMode::Screen, [213, 209, 242]),
            (BlendMode::Overlay, [171, 141, 75]),
            (BlendMode::Darken, [60, 100, 40]),
            (BlendMode::Lighten, [200, 180, 240]),
            (BlendMode::ColorDodge, [255, 255, 255]),
            (BlendMode::ColorBurn, [21, 35, 27]),
            (BlendMode::HardLight, [94, 164, 230]),
            (BlendMode::SoftLight, [177, 125, 93]),
            (BlendMode::Difference, [140, 80, 200]),
            (BlendMode::Add, [255, 255, 255]),
        ];
        for (mode, [r, g, b]) in expected {
            assert_eq!(blend(mode, backdrop, source, 255), [r, g, b, 255], "{mode:?}");
        }
    }

    #[test]
    fn hue_and_its_kin_by_hand() {
        // Lum(200, 100, 40) = 123.4; a grey source has no saturation and its own luminosity.
        let backdrop = [200, 100, 40, 255];
        let grey = [80, 80, 80, 255];
        assert_eq!(blend(BlendMode::Saturation, backdrop, grey, 255), [123, 123, 123, 255]);
        assert_eq!(blend(BlendMode::Color, backdrop, grey, 255), [123, 123, 123, 255]);
        // Down by 43.4: 156.6, 56.6, −3.4; clipped towards 80: 80 + (c − 80)·80/83.4.
        assert_eq!(blend(BlendMode::Luminosity, backdrop, grey, 255), [153, 58, 0, 255]);
        // Blue of saturation 160 has luminosity 17.6; up by 105.8 it is 105.8, 105.8, 265.8, and clipped towards 123.4.
        assert_eq!(blend(BlendMode::Hue, backdrop, [0, 0, 255, 255], 255), [107, 107, 255, 255]);
    }

    #[test]
    fn half_transparent_by_hand() {
        // αs = 128: over an opaque backdrop (60·128 + 200·127) / 255 = 129.7.
        assert_eq!(blend(BlendMode::Normal, [200, 0, 255, 255], [60, 255, 0, 128], 255), [130, 128, 127, 255]);
        // The same through opacity.
        assert_eq!(blend(BlendMode::Normal, [200, 0, 255, 255], [60, 255, 0, 255], 128), [130, 128, 127, 255]);
        // 128 over 128: αo = (128·255 + 128·127) / 255 = 191.7; red share 128·255 / 48896 = 0.6675.
        assert_eq!(blend(BlendMode::Normal, [0, 0, 0, 128], [255, 255, 255, 128], 255), [170, 170, 170, 192]);
        // Multiply where the backdrop covers a half only: the other half shows the source.
        assert_eq!(blend(BlendMode::Multiply, [0, 0, 0, 128], [255, 255, 255, 255], 255), [127, 127, 127, 255]);
        assert_eq!(blend(BlendMode::Add, [100, 0, 0, 128], [100, 50, 0, 64], 255), [100, 17, 0, 192]);
    }

    #[test]
    fn names_lead_back_and_are_unlike() {
        for mode in BlendMode::ALL {
            assert_eq!(BlendMode::from_svg_name(mode.svg_name()), Some(*mode));
            assert_eq!(BlendMode::ALL.iter().filter(|other| other.key() == mode.key()).count(), 1);
        }
        assert_eq!(BlendMode::from_svg_name("krita:burn"), None);
        assert_eq!(
            [opacity_byte(f32::NAN), opacity_byte(-1.0), opacity_byte(0.5), opacity_byte(7.0)],
            [255, 0, 128, 255]
        );
    }

    /// The formula in f64 for the separable modes.
    fn by_formula(mode: BlendMode, backdrop: [u8; 4], source: [u8; 4]) -> [f64; 4] {
        let unit = |v: u8| f64::from(v) / 255.0;
        let (ab, a_s) = (unit(backdrop[3]), unit(source[3]));
        let ao = a_s + ab * (1.0 - a_s);
        let mut result = [0.0, 0.0, 0.0, ao * 255.0];
        for c in 0..3 {
            let (b, s) = (unit(backdrop[c]), unit(source[c]));
            let hard = |b: f64, s: f64| if s <= 0.5 { 2.0 * s * b } else { 1.0 - 2.0 * (1.0 - s) * (1.0 - b) };
            let m = match mode {
                BlendMode::Multiply => b * s,
                BlendMode::Screen => b + s - b * s,
                BlendMode::Overlay => hard(s, b),
                BlendMode::HardLight => hard(b, s),
                BlendMode::Darken => b.min(s),
                BlendMode::Lighten => b.max(s),
                BlendMode::Difference => (b - s).abs(),
                _ => s,
            };
            result[c] = (a_s * (1.0 - ab) * s + a_s * ab * m + (1.0 - a_s) * ab * b) / ao * 255.0;
        }
        result
    }

    proptest! {
        #[test]
        fn nothing_over_and_over_nothing(backdrop: [u8; 4], source: [u8; 4], opacity: u8) {
            let [r, g, b, a] = source;
            for &mode in BlendMode::ALL {
                prop_assert_eq!(blend(mode, backdrop, [r, g, b, 0], opacity), backdrop);
                prop_assert_eq!(blend(mode, backdrop, source, 0), backdrop);
                if a > 0 {
                    prop_assert_eq!(blend(mode, [b, g, r, 0], source, 255), source);
                }
            }
            prop_assert_eq!(blend(BlendMode::Normal, backdrop, [r, g, b, 255], 255), [r, g, b, 255]);
        }

        #[test]
        fn separable_modes_follow_the_formula(backdrop: [u8; 4], source: [u8; 4]) {
            prop_assume!(backdrop[3] > 0 && source[3] > 0);
            use BlendMode::*;
            for mode in [Normal, Multiply, Screen, Overlay, HardLight, Darken, Lighten, Difference] {
                let exact = by_formula(mode, backdrop, source);
                for (a, b) in blend(mode, backdrop, source, 255).into_iter().zip(exact) {
                    prop_assert!((f64::from(a) - b).abs() <= 1.0 + 1e-9, "{mode:?} {a} {b}");
                }
            }
        }

        #[test]
        fn an_opaque_backdrop_stays_opaque_and_alpha_never_falls(backdrop: [u8; 4], source: [u8; 4], opacity: u8) {
            for &mode in BlendMode::ALL {
                let result = blend(mode, backdrop, source, opacity);
                prop_assert!(result[3] >= backdrop[3]);
            }
        }

        #[test]
        fn the_luminosity_is_that_of_its_giver(backdrop: [u8; 3], source: [u8; 3]) {
            let lum = |c: [u8; 3]| luminosity(floats(c));
            for mode in [BlendMode::Hue, BlendMode::Saturation, BlendMode::Color] {
                prop_assert!((lum(mixture(mode, backdrop, source)) - lum(backdrop)).abs() <= 1.0);
            }
            prop_assert!((lum(mixture(BlendMode::Luminosity, backdrop, source)) - lum(source)).abs() <= 1.0);
        }
    }
}
