//! The pipelines that paint the canvas, one for each kind of view.
//!
//! A driver takes up to some 20 ms to make one, and a window that first sees a kind of view must not wait for it: the
//! pipeline that can paint every view is made at the start, and a thread makes those that do no more than a view needs.

use super::gpu::caught;
use super::uniform::Variant;
use crate::base::background::stand_back;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use eframe::wgpu;
use std::collections::BTreeMap;

/// Paints what any view has, and takes longest.
const GENERAL: Variant = Variant { taps: 3, masked: true, previewed: true, outlined: true };

/// See the module.
pub struct Pipelines {
    general: wgpu::RenderPipeline,
    own: BTreeMap<Variant, wgpu::RenderPipeline>,
    made: Receiver<(Variant, wgpu::RenderPipeline)>,
    /// The thread may still make more.
    making: bool,
}

impl Pipelines {
    /// For views drawn with `layout` into a target of this format.
    pub fn new(device: &wgpu::Device, layout: &wgpu::BindGroupLayout, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::include_wgsl!("viewport.wgsl"));
        let maker = Maker { device: device.clone(), module, layout: layout.clone(), format };
        let general = maker.make(GENERAL);
        let (outbox, made) = bounded(Variant::COUNT);
        let make_all = move || {
            stand_back();
            for variant in Variant::all().filter(|variant| *variant != GENERAL) {
                if let Some(pipeline) = caught(&maker.device, || maker.make(variant))
                    && outbox.send((variant, pipeline)).is_err()
                {
                    // The canvas is gone.
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("danqing-pipelines".into()).spawn(make_all) {
            tracing::warn!(%error, "no thread to make pipelines; the general one paints");
        }
        Self { general, own: BTreeMap::new(), made, making: true }
    }

    /// The best that there is for such a view; never waits.
    pub fn get(&mut self, variant: Variant) -> &wgpu::RenderPipeline {
        self.collect();
        self.own.get(&variant).unwrap_or(&self.general)
    }

    /// True while views may still get better ones.
    pub fn is_making(&mut self) -> bool {
        self.collect();
        self.making
    }

    fn collect(&mut self) {
        while self.making {
            match self.made.try_recv() {
                Ok((variant, pipeline)) => {
                    self.own.insert(variant, pipeline);
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.making = false,
            }
        }
    }
}

struct Maker {
    device: wgpu::Device,
    module: wgpu::ShaderModule,
    layout: wgpu::BindGroupLayout,
    format: wgpu::TextureFormat,
}

impl Maker {
    fn make(&self, variant: Variant) -> wgpu::RenderPipeline {
        let flag = |on: bool| f64::from(u8::from(on));
        let constants = [
            ("TAPS", f64::from(variant.taps)),
            ("MASKED", flag(variant.masked)),
            ("PREVIEWED", flag(variant.previewed)),
            ("OUTLINED", flag(variant.outlined)),
        ];
        let compilation_options = wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() };
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("canvas"),
            bind_group_layouts: &[Some(&self.layout)],
            immediate_size: 0,
        });
        self.device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("canvas"),
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module: &self.module,
                entry_point: Some("cover"),
                buffers: &[],
                compilation_options: compilation_options.clone(),
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &self.module,
                // As egui does: values go as they are into a plain target, and are decoded for one that encodes them.
                entry_point: Some(if self.format.is_srgb() { "to_linear" } else { "to_gamma" }),
                targets: &[Some(wgpu::ColorTargetState {
                    format: self.format,
                    blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
                compilation_options,
            }),
            multiview_mask: None,
            cache: None,
        })
    }
}
