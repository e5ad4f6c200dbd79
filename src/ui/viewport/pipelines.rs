//! The pipelines that paint the canvas, one for each kind of view.
//!
//! A driver takes up to some 20 ms to make one, which the window never waits for: the pipeline that can paint every view
//! is made at the start, and the one that does no more than a view needs takes over when a thread has made it.

use super::gpu::caught;
use super::uniform::Variant;
use crate::base::background::stand_back;
use crossbeam_channel::{Receiver, Sender, bounded};
use eframe::wgpu;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Paints what any view has, and takes longest.
const GENERAL: Variant = Variant { taps: 3, masked: true, previewed: true, outlined: true };

/// See the module.
pub struct Pipelines {
    maker: Arc<Maker>,
    general: wgpu::RenderPipeline,
    /// Those that were asked for: `None` while one is being made, or if the graphics card has refused it.
    own: BTreeMap<Variant, Option<wgpu::RenderPipeline>>,
    making: usize,
    outbox: Sender<Made>,
    made: Receiver<Made>,
}

type Made = (Variant, Option<wgpu::RenderPipeline>);

impl Pipelines {
    /// For views drawn with `layout` into a target of this format.
    pub fn new(device: &wgpu::Device, layout: &wgpu::BindGroupLayout, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::include_wgsl!("viewport.wgsl"));
        let maker = Maker { device: device.clone(), module, layout: layout.clone(), format };
        let general = maker.make(GENERAL);
        let (outbox, made) = bounded(Variant::COUNT);
        Self { maker: Arc::new(maker), general, own: BTreeMap::new(), making: 0, outbox, made }
    }

    /// The best that there is for such a view; if that is the general one, a better one is asked for. Never waits.
    pub fn get(&mut self, variant: Variant) -> wgpu::RenderPipeline {
        self.collect();
        if !self.own.contains_key(&variant) {
            let own = if variant == GENERAL { Some(self.general.clone()) } else { self.order(variant) };
            self.own.insert(variant, own);
        }
        self.own.get(&variant).and_then(Option::as_ref).unwrap_or(&self.general).clone()
    }

    /// True while a better one is being made for a view that was painted.
    pub fn is_making(&mut self) -> bool {
        self.collect();
        self.making > 0
    }

    fn collect(&mut self) {
        for (variant, pipeline) in self.made.try_iter() {
            self.making = self.making.saturating_sub(1);
            self.own.insert(variant, pipeline);
        }
    }

    fn order(&mut self, variant: Variant) -> Option<wgpu::RenderPipeline> {
        let (maker, outbox) = (Arc::clone(&self.maker), self.outbox.clone());
        let make = move || {
            stand_back();
            let pipeline = caught(&maker.device, || maker.make(variant));
            // Nobody may be there to take it any more.
            let _ = outbox.send((variant, pipeline));
        };
        match std::thread::Builder::new().name("danqing-pipeline".into()).spawn(make) {
            Ok(_) => self.making += 1,
            Err(error) => tracing::warn!(%error, "no thread to make a pipeline; the general one paints"),
        }
        None
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
