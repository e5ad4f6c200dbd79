//! Which slot each tile has: a small picture, one texel a tile, one layer a plane, that the shader looks into first.

use super::view::tiles_of;
use crate::base::Extent;
use eframe::wgpu;
use std::ops::Range;

/// What is painted of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plane {
    Picture,
    /// What the picture was; tiles that are not given are as they are in the picture.
    Before,
    Mask,
    Selection,
}

impl Plane {
    pub const ALL: [Self; 4] = [Self::Picture, Self::Before, Self::Mask, Self::Selection];

    /// Its layer.
    pub const fn index(self) -> usize {
        match self {
            Self::Picture => 0,
            Self::Before => 1,
            Self::Mask => 2,
            Self::Selection => 3,
        }
    }

    /// Bytes of a texel.
    pub const fn texel(self) -> usize {
        match self {
            Self::Picture | Self::Before => 4,
            Self::Mask | Self::Selection => 1,
        }
    }

    /// A tile that was never given.
    pub const fn blank(self) -> Entry {
        if matches!(self, Self::Before) { Entry::Through } else { Entry::Flat(0) }
    }
}

/// Where the texels of a tile are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// All the same: RGBA bytes or one byte of coverage, lowest first.
    Flat(u32),
    Slot(u32),
    /// What the picture has.
    Through,
}

impl Entry {
    const fn words(self) -> [u32; 2] {
        match self {
            Self::Flat(value) => [0, value],
            Self::Slot(slot) => [slot + 1, 0],
            Self::Through => [u32::MAX, 0],
        }
    }
}

/// See the module.
pub struct Table {
    texture: wgpu::Texture,
    across: u32,
    layers: [Layer; 4],
}

struct Layer {
    entries: Vec<Entry>,
    /// Rows that the graphics card does not have yet.
    stale: Range<u32>,
}

impl Table {
    pub fn new(device: &wgpu::Device, extent: Extent) -> Self {
        let (across, down) = tiles_of(extent);
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("table of tiles"),
            size: wgpu::Extent3d { width: across.max(1), height: down.max(1), depth_or_array_layers: 4 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rg32Uint,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let layers =
            Plane::ALL.map(|plane| Layer { entries: vec![plane.blank(); (across * down) as usize], stale: 0..down });
        Self { texture, across, layers }
    }

    pub fn view(&self) -> wgpu::TextureView {
        let dimension = Some(wgpu::TextureViewDimension::D2Array);
        self.texture.create_view(&wgpu::TextureViewDescriptor { dimension, ..Default::default() })
    }

    /// `None` off the canvas.
    pub fn get(&self, plane: Plane, tile: u32) -> Option<Entry> {
        self.layers[plane.index()].entries.get(tile as usize).copied()
    }

    pub fn set(&mut self, plane: Plane, tile: u32, entry: Entry) {
        let layer = &mut self.layers[plane.index()];
        let Some(place) = layer.entries.get_mut(tile as usize).filter(|place| **place != entry) else {
            return;
        };
        *place = entry;
        let row = tile / self.across.max(1);
        layer.stale = if layer.stale.is_empty() {
            row..row + 1
        } else {
            layer.stale.start.min(row)..layer.stale.end.max(row + 1)
        };
    }

    /// Sends what is new.
    pub fn flush(&mut self, queue: &wgpu::Queue) {
        for (z, layer) in self.layers.iter_mut().enumerate() {
            let rows = std::mem::take(&mut layer.stale);
            let range = (rows.start * self.across) as usize..(rows.end * self.across) as usize;
            let Some(entries) = layer.entries.get(range).filter(|entries| !entries.is_empty()) else {
                continue;
            };
            let words: Vec<[u32; 2]> = entries.iter().map(|entry| entry.words()).collect();
            let origin = wgpu::Origin3d { x: 0, y: rows.start, z: z as u32 };
            let target = wgpu::TexelCopyTextureInfo { origin, ..self.texture.as_image_copy() };
            let height = rows.end - rows.start;
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(self.across * 8),
                rows_per_image: Some(height),
            };
            let size = wgpu::Extent3d { width: self.across, height, depth_or_array_layers: 1 };
            queue.write_texture(target, bytemuck::cast_slice(&words), layout, size);
        }
    }
}
