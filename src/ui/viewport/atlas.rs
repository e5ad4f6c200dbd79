//! Slots for tiles in the layers ("pages") of one texture, which grows as they are taken.

use super::TILE;
use super::gpu::caught;
use super::slot::SLOT_HEIGHT;
use eframe::wgpu;

/// Pages of a texture from the first on: with one, some drivers take it for a plain picture.
const FEWEST_PAGES: u32 = 2;
/// Canvases of up to this many tiles have pages of 1024 texels, others of 2048.
const MANY_TILES: u32 = 4096;

/// See the module.
pub struct Atlas {
    texture: wgpu::Texture,
    format: wgpu::TextureFormat,
    /// Columns and rows of slots in a page.
    slots: (u32, u32),
    pages: u32,
    most_pages: u32,
    /// Slots from here on were never taken.
    fresh: u32,
    free: Vec<u32>,
}

impl Atlas {
    /// An atlas for a canvas of `tiles` tiles; it takes next to no memory yet.
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat, tiles: u32) -> Self {
        let limits = device.limits();
        let side = limits.max_texture_dimension_2d.min(if tiles > MANY_TILES { 2048 } else { 1024 });
        let slots = ((side / TILE).max(1), (side / SLOT_HEIGHT).max(1));
        Self {
            texture: texture(device, format, (1, 1), FEWEST_PAGES),
            format,
            slots,
            pages: 0,
            most_pages: limits.max_texture_array_layers,
            fresh: 0,
            free: Vec::new(),
        }
    }

    /// Columns and rows of slots in a page.
    pub fn slots(&self) -> (u32, u32) {
        self.slots
    }

    fn per_page(&self) -> u32 {
        self.slots.0 * self.slots.1
    }

    /// Bytes on the graphics card.
    pub fn bytes(&self) -> u64 {
        let texel = u64::from(self.format.block_copy_size(None).unwrap_or(4));
        u64::from(self.pages * self.per_page()) * u64::from(TILE * SLOT_HEIGHT) * texel
    }

    pub fn view(&self) -> wgpu::TextureView {
        let dimension = Some(wgpu::TextureViewDimension::D2Array);
        self.texture.create_view(&wgpu::TextureViewDescriptor { dimension, ..Default::default() })
    }

    /// Makes room for `more` slots if the graphics card has it; true if the texture is another now.
    pub fn reserve(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, more: u32) -> bool {
        let wanted = (self.fresh + more.saturating_sub(self.free.len() as u32)).div_ceil(self.per_page());
        if wanted <= self.pages {
            return false;
        }
        let generous = wanted.max(self.pages + self.pages / 2).max(FEWEST_PAGES).min(self.most_pages);
        let wanted = wanted.max(FEWEST_PAGES).min(self.most_pages);
        let size = (self.slots.0 * TILE, self.slots.1 * SLOT_HEIGHT);
        for pages in [generous, wanted] {
            if pages <= self.pages {
                break;
            }
            if let Some(grown) = caught(device, || texture(device, self.format, size, pages)) {
                self.copy_to(device, queue, &grown, size);
                self.texture = grown;
                self.pages = pages;
                return true;
            }
        }
        tracing::warn!(pages = wanted, "no memory on the graphics card for more tiles");
        false
    }

    /// Submitted at once: what is written to the texture afterwards must not be overwritten by the copy.
    fn copy_to(&self, device: &wgpu::Device, queue: &wgpu::Queue, grown: &wgpu::Texture, size: (u32, u32)) {
        let used = self.fresh.div_ceil(self.per_page()).min(self.pages);
        if used == 0 {
            return;
        }
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("more tiles") });
        let whole = wgpu::Extent3d { width: size.0, height: size.1, depth_or_array_layers: used };
        encoder.copy_texture_to_texture(self.texture.as_image_copy(), grown.as_image_copy(), whole);
        queue.submit([encoder.finish()]);
    }

    /// A slot; `None` if none was reserved.
    pub fn take(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            let slot = self.fresh;
            (slot < self.pages * self.per_page()).then(|| {
                self.fresh += 1;
                slot
            })
        })
    }

    pub fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Slots after `slot` that lie below it in the same column of a page: they are written in one go.
    pub fn below(&self, slot: u32) -> u32 {
        self.slots.1 - 1 - slot % self.slots.1
    }

    /// Writes `count` slots one below another, the bytes of one after those of another.
    pub fn write(&self, queue: &wgpu::Queue, slot: u32, count: u32, bytes: &[u8]) {
        let (page, rest) = (slot / self.per_page(), slot % self.per_page());
        let origin = wgpu::Origin3d { x: rest / self.slots.1 * TILE, y: rest % self.slots.1 * SLOT_HEIGHT, z: page };
        let height = SLOT_HEIGHT * count;
        let texel = bytes.len() as u32 / (TILE * height).max(1);
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(TILE * texel), rows_per_image: Some(height) };
        let target = wgpu::TexelCopyTextureInfo { origin, ..self.texture.as_image_copy() };
        queue.write_texture(target, bytes, layout, wgpu::Extent3d { width: TILE, height, depth_or_array_layers: 1 });
    }
}

fn texture(device: &wgpu::Device, format: wgpu::TextureFormat, size: (u32, u32), pages: u32) -> wgpu::Texture {
    let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC;
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("tiles"),
        size: wgpu::Extent3d { width: size.0, height: size.1, depth_or_array_layers: pages },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}
