//! How the noise is taken away: sampler, schedule, steps, guidance, noise source, presets. Plain data.

use super::Precision;
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
        /// DPM++ 2M on Karras' schedule, 10 steps, guidance until sigma 0.5: closer to a run of 200 than `Article`, for
        /// four tenths of the work (`quality` bench, 小徒).
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
    /// Where guidance steers; elsewhere the network looks once, at the prompt alone.
    #[serde(default, skip_serializing_if = "Interval::is_whole")]
    pub interval: Interval,
    /// Every so many steps the whole network runs; between them its deep features are used again (DeepCache, Ma et al.
    /// 2024). 1 (always whole) to 10. Samplers that evaluate twice a step always run it whole.
    #[serde(default = "always", skip_serializing_if = "is_always")]
    pub reuse: u32,
}

fn always() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_always(reuse: &u32) -> bool {
    *reuse == 1
}

/// Noise levels: sigma of `low` to `high`, both included (Kynkäänniemi et al. 2024, "Applying guidance in a limited
/// interval"). Sigma means the same whatever schedule and steps are; a run of Stable Diffusion 1 goes from 14.6 to 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Every level, even those beyond the number that stands for all.
    pub const WHOLE: Self = Self { low: 0.0, high: 1000.0 };

    pub fn is_whole(&self) -> bool {
        *self == Self::WHOLE
    }

    /// Whether it can be painted with: numbers of 0 to 1000, the low one first.
    pub fn is_sound(&self) -> bool {
        Self::WHOLE.low <= self.low && self.low <= self.high && self.high <= Self::WHOLE.high
    }

    pub fn contains(&self, sigma: f64) -> bool {
        self.is_whole() || (self.low..=self.high).contains(&sigma)
    }
}

impl Default for Interval {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl std::fmt::Display for Interval {
    /// `0.3..5.4`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl std::str::FromStr for Interval {
    type Err = &'static str;

    /// `A..B`; an end left out is that of the whole. Whether the numbers make sense is not looked at.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (low, high) = text.split_once("..").ok_or("A..B")?;
        let number = |text: &str, absent: f64| match text.trim() {
            "" => Ok(absent),
            digits => digits.parse().map_err(|_| "A..B"),
        };
        Ok(Self { low: number(low, Self::WHOLE.low)?, high: number(high, Self::WHOLE.high)? })
    }
}

impl Preset {
    /// The preset's values; `guidance` is the family's own advice.
    pub fn sampling(self, guidance: f64) -> Sampling {
        let (sampler, schedule, steps) = match self {
            Preset::Faithful => (SamplerId::Plms, ScheduleId::Model, 50),
            Preset::Article => (SamplerId::DpmPp2M, ScheduleId::Model, 20),
            Preset::Quick => (SamplerId::DpmPp2M, ScheduleId::Karras, 10),
        };
        let eta = sampler.default_eta();
        let interval = match self {
            Preset::Quick => Interval { low: 0.5, ..Interval::WHOLE },
            Preset::Faithful | Preset::Article => Interval::WHOLE,
        };
        Sampling { sampler, schedule, steps, guidance, eta, interval, reuse: 1 }
    }
}

impl Sampling {
    /// The precision that goes with the values where nobody asks for one: f32 for those of [`Preset::Faithful`], which
    /// promise the picture that the model's authors would get.
    pub fn precision(&self) -> Precision {
        let faithful = *self == Preset::Faithful.sampling(self.guidance);
        if faithful { Precision::F32 } else { Precision::Auto }
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
    fn faithful_pictures_are_painted_in_f32() {
        assert_eq!(Preset::Faithful.sampling(3.5).precision(), Precision::F32);
        assert_eq!(Preset::Article.sampling(3.5).precision(), Precision::Auto);
        let shorter = Sampling { steps: 49, ..Preset::Faithful.sampling(7.5) };
        assert_eq!(shorter.precision(), Precision::Auto);
    }

    #[test]
    fn keys_round_trip() {
        for &s in SamplerId::ALL {
            assert_eq!(SamplerId::from_key(s.key()), Some(s));
            assert_eq!(serde_json::to_value(s).unwrap(), s.key());
        }
        assert_eq!(ScheduleId::from_key("no such"), None);
    }

    #[test]
    fn what_was_written_before_there_were_intervals_reads_the_same() {
        let sampling = Preset::Faithful.sampling(7.5);
        let text = serde_json::to_string(&sampling).unwrap();
        assert_eq!(text, r#"{"sampler":"plms","schedule":"model","steps":50,"guidance":7.5,"eta":0.0}"#);
        assert_eq!(serde_json::from_str::<Sampling>(&text).unwrap(), sampling);
        let less = Sampling { interval: Interval { low: 0.3, high: 5.4 }, reuse: 3, ..sampling };
        let text = serde_json::to_string(&less).unwrap();
        assert_eq!(serde_json::from_str::<Sampling>(&text).unwrap(), less);
    }

    #[test]
    fn intervals_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<Interval>();
        for interval in [Interval::WHOLE, Interval { low: 0.28, high: 5.42 }] {
            assert_eq!(read(&interval.to_string()), Ok(interval));
        }
        assert_eq!(read(".."), Ok(Interval::WHOLE));
        assert_eq!(read(" 0.5 .. "), Ok(Interval { low: 0.5, high: 1000.0 }));
        assert_eq!(read("..3"), Ok(Interval { low: 0.0, high: 3.0 }));
        for odd in ["", "3", "a..b", "1..2..3"] {
            assert!(read(odd).is_err(), "{odd}");
        }
        let part = Interval { low: 0.5, high: 3.0 };
        assert_eq!([0.4, 0.5, 3.0, 3.1].map(|sigma| part.contains(sigma)), [false, true, true, false]);
        assert!(Interval::WHOLE.contains(4000.0));
    }
}
