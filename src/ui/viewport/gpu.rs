//! What lies on the graphics card, and what waits to go there.

use super::atlas::Atlas;
use super::pipelines::Pipelines;
use super::slot::{self, SLOT_TEXELS, TILE_TEXELS, Texel};
use super::table::{Entry, Plane, Table};
use super::uniform::Uniform;
use super::view::{Visible, tiles_of};
use super::{Pixels, TILE, ViewParams};
use crate::base::Extent;
use eframe::egui_wgpu::RenderState;
use eframe::wgpu;
use egui::Rect;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Views of one canvas in one frame that keep their own numbers; more share them in turn.
const VIEWS: u32 = 8;
/// Distance of their numbers: no graphics card asks for more.
const STRIDE: u32 = 256;
/// Bytes that a flat tile counts for in the work of a frame.
const FLAT_COST: usize = 64;

/// What a tile becomes.
pub enum Change {
    Flat(u32),
    Through,
    Texels(Box<[u8]>),
}

impl Change {
    fn cost(&self) -> usize {
        match self {
            Self::Flat(_) | Self::Through => FLAT_COST,
            Self::Texels(bytes) => bytes.len() / TILE_TEXELS * SLOT_TEXELS,
        }
    }
}

/// A view that can be drawn: where its numbers lie, and what it has.
#[derive(Clone, Debug)]
pub struct Ready {
    offset: u32,
    pipeline: wgpu::RenderPipeline,
}

/// See the module.
pub struct Gpu {
    pipelines: Pipelines,
    layout: wgpu::BindGroupLayout,
    numbers: wgpu::Buffer,
    group: wgpu::BindGroup,
    extent: Extent,
    table: Table,
    colors: Atlas,
    coverages: Atlas,
    preview: wgpu::Texture,
    has_preview: bool,
    next_preview: Option<Option<Pixels>>,
    waiting: BTreeMap<(Plane, u32), Change>,
    waiting_bytes: usize,
    next_view: u32,
}

impl Gpu {
    /// `None` if the graphics card refuses.
    pub fn new(state: &RenderState) -> Option<Self> {
        let device = &state.device;
        caught(device, || {
            let layout = layout(device);
            let pipelines = Pipelines::new(device, &layout, state.target_format);
            let numbers = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("views"),
                size: u64::from(VIEWS * STRIDE),
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let extent = Extent::new(0, 0);
            let (table, colors, coverages) = storage(device, extent);
            let preview = preview_texture(device, Extent::new(1, 1));
            let group = group(device, &layout, &numbers, &table, &colors, &coverages, &preview);
            Self {
                pipelines,
                layout,
                numbers,
                group,
                extent,
                table,
                colors,
                coverages,
                preview,
                has_preview: false,
                next_preview: None,
                waiting: BTreeMap::new(),
                waiting_bytes: 0,
                next_view: 0,
            }
        })
    }

    /// Forgets every tile.
    pub fn resize(&mut self, device: &wgpu::Device, extent: Extent) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        let Some((table, colors, coverages)) = caught(device, || storage(device, extent)) else {
            tracing::warn!(%extent, "the graphics card has no room for the table of tiles");
            return;
        };
        self.extent = extent;
        (self.table, self.colors, self.coverages) = (table, colors, coverages);
        self.bind(device);
    }

    fn bind(&mut self, device: &wgpu::Device) {
        self.group =
            group(device, &self.layout, &self.numbers, &self.table, &self.colors, &self.coverages, &self.preview);
    }

    /// Columns and rows of a tile that are on the canvas; `None` if it is not.
    pub fn inside(&self, tile: u32) -> Option<(usize, usize)> {
        let (across, down) = tiles_of(self.extent);
        let (column, row) = (tile.checked_rem(across)?, tile.checked_div(across)?);
        let part = |extent: u32, at: u32| (extent - at * TILE).min(TILE) as usize;
        (row < down).then(|| (part(self.extent.width, column), part(self.extent.height, row)))
    }

    pub fn put(&mut self, plane: Plane, tile: u32, change: Change) {
        self.waiting_bytes += change.cost();
        if let Some(old) = self.waiting.insert((plane, tile), change) {
            self.waiting_bytes -= old.cost();
        }
    }

    pub fn put_preview(&mut self, preview: Option<Pixels>) {
        self.next_preview = Some(preview);
    }

    /// True while better pipelines are being made.
    pub fn is_making_pipelines(&mut self) -> bool {
        self.pipelines.is_making()
    }

    /// Bytes that wait for their frame.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Bytes on the graphics card.
    pub fn bytes(&self) -> u64 {
        self.colors.bytes() + self.coverages.bytes()
    }

    /// Readies a frame: sends tiles worth `budget` bytes (at least one), those that are seen first, and the numbers of a
    /// view.
    pub fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        params: &ViewParams,
        rect: Rect,
        pixels_per_point: f32,
        budget: usize,
    ) -> Ready {
        let mut rebind = self.send_preview(device, queue);
        if !self.waiting.is_empty() {
            rebind |= self.send_tiles(device, queue, &Visible::new(&params.to_screen, rect, self.extent), budget);
        }
        self.table.flush(queue);
        if rebind {
            self.bind(device);
        }
        let slots = self.colors.slots();
        let uniform = Uniform::new(params, rect, pixels_per_point, self.extent, slots, self.has_preview);
        let offset = self.next_view * STRIDE;
        self.next_view = (self.next_view + 1) % VIEWS;
        queue.write_buffer(&self.numbers, u64::from(offset), bytemuck::bytes_of(&uniform));
        Ready { offset, pipeline: self.pipelines.get(uniform.variant()).clone() }
    }

    pub fn draw(&self, pass: &mut wgpu::RenderPass<'static>, ready: &Ready) {
        pass.set_pipeline(&ready.pipeline);
        pass.set_bind_group(0, &self.group, &[ready.offset]);
        pass.draw(0..3, 0..1);
    }

    fn send_tiles(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, seen: &Visible, budget: usize) -> bool {
        let mut changes = self.choose(seen, budget);
        let mut more = [0, 0];
        for ((plane, tile), change) in &changes {
            let has = matches!(self.table.get(*plane, *tile), Some(Entry::Slot(_)));
            if matches!(change, Change::Texels(_)) && !has {
                more[usize::from(plane.texel() == 1)] += 1;
            }
        }
        let mut moved = more[0] > 0 && self.colors.reserve(device, queue, more[0]);
        moved |= more[1] > 0 && self.coverages.reserve(device, queue, more[1]);

        // Neighbours go into neighbouring slots, and from there in one go.
        changes.sort_unstable_by_key(|(key, _)| *key);
        let mut batches = (Vec::new(), Vec::new());
        for ((plane, tile), change) in changes {
            match change {
                Change::Flat(value) => self.settle(plane, tile, Entry::Flat(value)),
                Change::Through => self.settle(plane, tile, Entry::Through),
                Change::Texels(bytes) => {
                    let old = self.table.get(plane, tile);
                    let atlas = if plane.texel() == 4 { &mut self.colors } else { &mut self.coverages };
                    let slot = match old {
                        Some(Entry::Slot(slot)) => Some(slot),
                        _ => atlas.take(),
                    };
                    let inside = self.inside(tile).unwrap_or((1, 1));
                    match slot {
                        Some(slot) => {
                            self.table.set(plane, tile, Entry::Slot(slot));
                            if plane.texel() == 4 {
                                batches.0.push((slot, bytes, inside));
                            } else {
                                batches.1.push((slot, bytes, inside));
                            }
                        }
                        None => self.table.set(plane, tile, Entry::Flat(mean(plane, &bytes, inside))),
                    }
                }
            }
        }
        write::<u32>(queue, &self.colors, batches.0);
        write::<u8>(queue, &self.coverages, batches.1);
        moved
    }

    /// Takes out what this frame sends.
    fn choose(&mut self, seen: &Visible, budget: usize) -> Vec<((Plane, u32), Change)> {
        if self.waiting_bytes <= budget {
            self.waiting_bytes = 0;
            return std::mem::take(&mut self.waiting).into_iter().collect();
        }
        let (mut spent, mut keys) = (0, Vec::new());
        for wanted in [true, false] {
            for (key, change) in self.waiting.iter().filter(|((_, tile), _)| seen.contains(*tile) == wanted) {
                if spent > 0 && spent >= budget {
                    break;
                }
                spent += change.cost();
                keys.push(*key);
            }
        }
        self.waiting_bytes -= spent;
        keys.into_iter().filter_map(|key| self.waiting.remove_entry(&key)).collect()
    }

    /// An entry without a slot.
    fn settle(&mut self, plane: Plane, tile: u32, entry: Entry) {
        if let Some(Entry::Slot(slot)) = self.table.get(plane, tile) {
            let atlas = if plane.texel() == 4 { &mut self.colors } else { &mut self.coverages };
            atlas.give_back(slot);
        }
        self.table.set(plane, tile, entry);
    }

    fn send_preview(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) -> bool {
        let Some(next) = self.next_preview.take() else {
            return false;
        };
        let Some((extent, bytes)) = next else {
            self.has_preview = false;
            return false;
        };
        let old = Extent::new(self.preview.width(), self.preview.height());
        let anew = old != extent;
        if anew {
            let Some(texture) = caught(device, || preview_texture(device, extent)) else {
                self.has_preview = false;
                return false;
            };
            self.preview = texture;
        }
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(extent.width * 4),
            rows_per_image: Some(extent.height),
        };
        let size = wgpu::Extent3d { width: extent.width, height: extent.height, depth_or_array_layers: 1 };
        queue.write_texture(self.preview.as_image_copy(), &bytes, layout, size);
        self.has_preview = true;
        anew
    }
}

type Batch = Vec<(u32, Box<[u8]>, (usize, usize))>;

/// Makes the slots of some tiles and writes them, those that lie one below another at once.
fn write<T: Texel + bytemuck::Pod>(queue: &wgpu::Queue, atlas: &Atlas, mut batch: Batch) {
    batch.sort_unstable_by_key(|(slot, ..)| *slot);
    let mut texels = Vec::new();
    let mut rest = &batch[..];
    while let Some((first, ..)) = rest.first() {
        let most = atlas.below(*first) as usize + 1;
        let count = rest.iter().zip(*first..).take(most).take_while(|(part, wanted)| part.0 == *wanted).count();
        let (run, later) = rest.split_at(count);
        texels.clear();
        texels.resize(count * SLOT_TEXELS, T::default());
        for ((_, bytes, inside), slot) in run.iter().zip(texels.chunks_exact_mut(SLOT_TEXELS)) {
            fill(slot, bytes, *inside);
        }
        atlas.write(queue, *first, count as u32, bytemuck::cast_slice(&texels));
        rest = later;
    }
}

fn fill<T: Texel + bytemuck::Pod>(slot: &mut [T], bytes: &[u8], inside: (usize, usize)) {
    let tile: &mut [u8] = bytemuck::cast_slice_mut(slot);
    if let Some(tile) = tile.get_mut(..bytes.len()) {
        tile.copy_from_slice(bytes);
    }
    slot::build(slot, inside);
}

/// What is left of a tile for which there is no room: its mean.
fn mean(plane: Plane, bytes: &[u8], inside: (usize, usize)) -> u32 {
    if plane.texel() == 4 {
        let mut slot = vec![0u32; SLOT_TEXELS];
        fill(&mut slot, bytes, inside);
        u32::from_le_bytes(slot::mean(&slot).to_ne_bytes())
    } else {
        let mut slot = vec![0u8; SLOT_TEXELS];
        fill(&mut slot, bytes, inside);
        u32::from(slot::mean(&slot))
    }
}

/// Runs `make`; `None` if the graphics card found fault with it or has no memory for it. Natively both are known at once.
pub fn caught<T>(device: &wgpu::Device, make: impl FnOnce() -> T) -> Option<T> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let sense = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let made = make();
    let failed = [found(sense.pop()), found(memory.pop())].into_iter().flatten().next();
    match failed {
        None => Some(made),
        Some(error) => {
            tracing::warn!(%error, "the graphics card refuses");
            None
        }
    }
}

fn found(popped: impl Future<Output = Option<wgpu::Error>>) -> Option<wgpu::Error> {
    match pin!(popped).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(error) => error,
        Poll::Pending => None,
    }
}

fn storage(device: &wgpu::Device, extent: Extent) -> (Table, Atlas, Atlas) {
    let (across, down) = tiles_of(extent);
    let atlas = |format| Atlas::new(device, format, across * down);
    let (colors, coverages) = (atlas(wgpu::TextureFormat::Rgba8Unorm), atlas(wgpu::TextureFormat::R8Unorm));
    (Table::new(device, extent), colors, coverages)
}

fn preview_texture(device: &wgpu::Device, extent: Extent) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("preview"),
        size: wgpu::Extent3d { width: extent.width, height: extent.height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

const UNIFORM_SIZE: Option<NonZeroU64> = NonZeroU64::new(size_of::<Uniform>() as u64);

fn layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry =
        |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None };
    let texture = |binding, sample_type, view_dimension| {
        entry(binding, wgpu::BindingType::Texture { multisampled: false, sample_type, view_dimension })
    };
    let float = wgpu::TextureSampleType::Float { filterable: false };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("canvas"),
        entries: &[
            entry(
                0,
                wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: UNIFORM_SIZE,
                },
            ),
            texture(1, wgpu::TextureSampleType::Uint, wgpu::TextureViewDimension::D2Array),
            texture(2, float, wgpu::TextureViewDimension::D2Array),
            texture(3, float, wgpu::TextureViewDimension::D2Array),
            texture(4, float, wgpu::TextureViewDimension::D2),
        ],
    })
}

fn group(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    numbers: &wgpu::Buffer,
    table: &Table,
    colors: &Atlas,
    coverages: &Atlas,
    preview: &wgpu::Texture,
) -> wgpu::BindGroup {
    let views =
        [table.view(), colors.view(), coverages.view(), preview.create_view(&wgpu::TextureViewDescriptor::default())];
    let numbers = wgpu::BufferBinding { buffer: numbers, offset: 0, size: UNIFORM_SIZE };
    let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(numbers) }];
    for (binding, view) in (1..).zip(&views) {
        entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::TextureView(view) });
    }
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some("canvas"), layout, entries: &entries })
}
