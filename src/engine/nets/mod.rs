//! The networks, our own so that a pass can be cancelled and runs on our kernels: names and shapes are diffusers'.

pub mod bert;
#[cfg(feature = "flash-attn")]
pub mod flash;
pub mod layers;
pub mod native;
pub mod ops;
pub mod params;
pub mod plain;
pub mod pool;
pub mod profile;
pub mod resnet;
pub mod transformer;
pub mod unet;
pub mod vae;

#[cfg(test)]
mod half_tests;

pub use params::Params;
