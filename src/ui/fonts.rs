//! The embedded fonts: a sans for reading and writing Chinese, a serif for headings and verses.

use egui::{Context, FontData, FontDefinitions, FontFamily};
use std::sync::Arc;

/// Name of the serif family.
pub const SERIF: &str = "danqing-serif";
const SANS: &str = "danqing-sans";

/// Hands the fonts to egui. Its own fonts stay behind ours, for signs that ours lack.
pub fn install(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    let data = [
        (SANS, include_bytes!("../../assets/fonts/danqing-sans.otf").as_slice()),
        (SERIF, include_bytes!("../../assets/fonts/danqing-serif.otf").as_slice()),
    ];
    for (name, bytes) in data {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    fonts.families.entry(FontFamily::Proportional).or_default().insert(0, SANS.to_owned());
    // Digits of one width first, then our characters.
    fonts.families.entry(FontFamily::Monospace).or_default().push(SANS.to_owned());
    let mut serif = vec![SERIF.to_owned()];
    serif.extend(fonts.families.get(&FontFamily::Proportional).into_iter().flatten().cloned());
    fonts.families.insert(FontFamily::Name(SERIF.into()), serif);
    ctx.set_fonts(fonts);
}
