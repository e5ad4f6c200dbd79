//! How the noise is taken away: sampler, schedule, steps, guidance, noise source, presets. Plain data.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $key:literal, $title:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $key)] $variant,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word used on the command line and in our own metadata.
            pub const fn key(self) -> &'static str {
                match self { $($name::$variant => $key,)* }
            }

            /// The name that other programs and people use.
            pub const fn title(self) -> &'static str {
                match self { $($name::$variant => $title,)* }
            }

            pub fn from_key(key: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.key() == key)
            }
        }
    };
}

named!(
    /// The rule for one step from a sigma to the next.
    SamplerId {
        /// Pseudo linear multistep (PNDM without Runge-Kutta steps), Liu et al. 2022; Taiyi's and SD 1.4's own.
        Plms = "plms", "PLMS";
        /// Denoising diffusion implicit models, Song et al. 2020; `eta` adds noise.
        Ddim = "ddim", "DDIM";
        Euler = "euler", "Euler";
        EulerAncestral = "euler-a", "Euler a";
        /// Heun's second order method, Karras et al. 2022: two passes a step.
        Heun = "heun", "Heun";
        /// DPM-Solver++ (2M), Lu et al. 2022.
        DpmPp2M = "dpmpp-2m", "DPM++ 2M";
        /// Its stochastic form.
        DpmPp2MSde = "dpmpp-2m-sde", "DPM++ 2M SDE";
        /// Unified predictor-corrector, Zhao et al. 2023: order 2, B(h) = expm1(h).
        UniPc = "unipc", "UniPC";
    }
);

named!(
    /// Where the sigmas lie.
    ScheduleId {
        /// The spacing that the checkpoint's scheduler config names (leading, linspace or trailing).
        Model = "model", "Automatic";
        Karras = "karras", "Karras";
        Exponential = "exponential", "Exponential";
        /// Align Your Steps, Sabour et al. 2024.
        AlignYourSteps = "ays", "Align Your Steps";
    }
);

named!(
    /// Whose random numbers a seed stands for.
    NoiseSource {
        /// `torch.Generator("cpu")`: mt19937. diffusers and ComfyUI.
        TorchCpu = "torch-cpu", "CPU";
        /// `torch.Generator("cuda")`: Philox. A1111's default.
        TorchCuda = "torch-cuda", "GPU";
    }
);

named!(
    /// A named choice of sampler, schedule, steps and guidance.
    Preset {
        /// As the model's authors sampled: PLMS, 50 steps, guidance 7.5.
        Faithful = "faithful", "faithful";
        /// As the DPM-Solver++ article samples: DPM++ 2M, 20 steps.
        Article = "article", "article";
        /// DPM++ 2M on Align-Your-Steps, 10 steps.
        Quick = "quick", "quick";
    }
);

/// How the noise is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    pub sampler: SamplerId,
    pub schedule: ScheduleId,
    /// 1 to 1000.
    pub steps: u32,
    /// Guidance scale, 1 (none) to 50.
    pub guidance: f64,
    /// Share of fresh noise in DDIM (0 to 1), and its multiple in the ancestral and SDE samplers, where 1 is usual.
    pub eta: f64,
}

impl Preset {
    /// The preset's values; `guidance` is the family's own advice.
    pub fn sampling(self, guidance: f64) -> Sampling {
        let (sampler, schedule, steps) = match self {
            Preset::Faithful => (SamplerId::Plms, ScheduleId::Model, 50),
            Preset::Article => (SamplerId::DpmPp2M, ScheduleId::Model, 20),
            Preset::Quick => (SamplerId::DpmPp2M, ScheduleId::AlignYourSteps, 10),
        };
        Sampling { sampler, schedule, steps, guidance, eta: sampler.default_eta() }
    }
}

impl SamplerId {
    /// 1 for the samplers that add noise by nature, 0 for the others.
    pub const fn default_eta(self) -> f64 {
        match self {
            SamplerId::EulerAncestral | SamplerId::DpmPp2MSde => 1.0,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip() {
        for &s in SamplerId::ALL {
            assert_eq!(SamplerId::from_key(s.key()), Some(s));
            assert_eq!(serde_json::to_value(s).unwrap(), s.key());
        }
        assert_eq!(ScheduleId::from_key("no such"), None);
    }
}
