//! The gallery's pictures on the graphics card: bounded, uploaded a few a frame, the longest unused go first.

use crate::app::wall::{Shown, Wall};
use crate::gallery::{EntryId, Stamp};
use crate::imaging::Pixmap;
use ahash::AHashMap;
use egui::{ColorImage, Context, TextureHandle, TextureOptions};

/// Thumbnails on the card: 256 KiB each at most.
const MOST_THUMBNAILS: usize = 1024;
/// Whole pictures on the card.
const MOST_PICTURES: usize = 4;
/// Thumbnails that are uploaded in a frame.
const UPLOADS: usize = 10;

/// How a picture can be drawn.
pub enum Drawn {
    Texture(egui::TextureId, egui::Vec2),
    Broken,
    /// It is on its way.
    Coming,
}

#[derive(Default)]
struct Shelf {
    textures: AHashMap<EntryId, (Stamp, TextureHandle, u64)>,
}

impl Shelf {
    fn get(&mut self, id: EntryId, stamp: Stamp, clock: u64) -> Option<&TextureHandle> {
        let (old, texture, used) = self.textures.get_mut(&id)?;
        *used = clock;
        (*old == stamp).then_some(&*texture)
    }

    fn put(&mut self, id: EntryId, stamp: Stamp, texture: TextureHandle, clock: u64, most: usize) {
        self.textures.insert(id, (stamp, texture, clock));
        if self.textures.len() > most {
            // Those of this frame stay, however many there are.
            let oldest =
                self.textures.iter().filter(|(_, (.., used))| *used < clock).min_by_key(|(_, (.., used))| *used);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.textures.remove(&id);
            }
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Textures {
    thumbnails: Shelf,
    pictures: Shelf,
    /// Frames so far.
    clock: u64,
    uploads: usize,
    /// Something could have been uploaded and was put off.
    more: bool,
}

impl Textures {
    /// A new frame.
    pub fn begin(&mut self) {
        self.clock += 1;
        self.uploads = 0;
        self.more = false;
    }

    /// Whether another frame is needed for what was put off.
    pub const fn has_more(&self) -> bool {
        self.more
    }

    pub fn thumbnail(&mut self, ctx: &Context, wall: &mut Wall, id: EntryId) -> Drawn {
        let Some(stamp) = wall.stamp(id) else { return Drawn::Coming };
        if let Some(texture) = self.thumbnails.get(id, stamp, self.clock) {
            return Drawn::Texture(texture.id(), texture.size_vec2());
        }
        match wall.thumbnail(id) {
            Some(Shown::Broken) => Drawn::Broken,
            Some(Shown::Ready(_)) if self.uploads >= UPLOADS => {
                self.more = true;
                Drawn::Coming
            }
            Some(Shown::Ready(picture)) => {
                let Some(image) = image(ctx, picture) else { return Drawn::Broken };
                let texture = ctx.load_texture("gallery-thumbnail", image, TextureOptions::LINEAR);
                self.uploads += 1;
                let drawn = Drawn::Texture(texture.id(), texture.size_vec2());
                self.thumbnails.put(id, stamp, texture, self.clock, MOST_THUMBNAILS);
                drawn
            }
            None => {
                wall.want_thumbnail(id);
                Drawn::Coming
            }
        }
    }

    /// The whole picture; its thumbnail until that has come.
    pub fn picture(&mut self, ctx: &Context, wall: &mut Wall, id: EntryId) -> Drawn {
        let Some(stamp) = wall.stamp(id) else { return Drawn::Coming };
        if let Some(texture) = self.pictures.get(id, stamp, self.clock) {
            return Drawn::Texture(texture.id(), texture.size_vec2());
        }
        match wall.picture(id) {
            Some(Shown::Broken) => Drawn::Broken,
            Some(Shown::Ready(picture)) => {
                let Some(image) = image(ctx, picture) else { return Drawn::Broken };
                let texture = ctx.load_texture("gallery-picture", image, TextureOptions::LINEAR);
                let drawn = Drawn::Texture(texture.id(), texture.size_vec2());
                self.pictures.put(id, stamp, texture, self.clock, MOST_PICTURES);
                drawn
            }
            None => self.thumbnail(ctx, wall, id),
        }
    }
}

/// For egui; `None` if the graphics card does not take pictures of this size.
fn image(ctx: &Context, picture: &Pixmap) -> Option<ColorImage> {
    let size = [picture.width() as usize, picture.height() as usize];
    let most = ctx.input(|input| input.max_texture_side);
    let fits = size.iter().all(|side| (1..=most).contains(side));
    fits.then(|| ColorImage::from_rgba_unmultiplied(size, picture.rgba()))
}
