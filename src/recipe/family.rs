//! Plain data about a model family: what its pictures may be and what it can do. The window asks this, never a family.

use crate::base::Extent;

/// What a family of models is like.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyInfo {
    /// Short word: `taiyi`.
    pub key: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// The size that the model paints best.
    pub native: Extent,
    /// Picture pixels for one latent pixel; sides are multiples of it.
    pub factor: u32,
    pub latent_channels: usize,
    /// The largest picture that is accepted (in pixels).
    pub most_area: u64,
    /// Recommended guidance scale.
    pub guidance: f64,
    /// Tokens of a prompt, the special ones counted.
    pub tokens: usize,
    pub abilities: Abilities,
}

/// What can be asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    pub negative_prompt: bool,
    pub image_to_image: bool,
    pub inpaint: bool,
}
