//! The noise levels that a checkpoint was trained on, from its `scheduler_config.json`.

use super::Layout;
use crate::base::{Problem, ProblemKind};
use serde_json::Value;

/// What the network's output means, in terms of the variance preserving form `z = a * latent + s * noise`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// `a * noise - s * latent` (Salimans and Ho 2022).
    Velocity,
    /// The clean latent.
    Sample,
}

/// How the time steps of a short run are spread over those of the training (Lin et al. 2023, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    Leading,
    Linspace,
    Trailing,
}

/// The noise levels that a checkpoint was trained on, from its `scheduler_config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseTable {
    /// Sigma of each training time step, rising.
    sigmas: Vec<f64>,
    log_sigmas: Vec<f64>,
    pub prediction: Prediction,
    /// `None`: not told; see [`Self::spacing_of`].
    pub spacing: Option<Spacing>,
    /// The config tells an offset of the leading spacing; see [`Self::offset_of`].
    pub tells_offset: bool,
    /// Whether DDIM and PLMS end without noise, rather than at the first training level. `None`: not told; see
    /// [`Self::ends_clean`].
    pub set_alpha_to_one: Option<bool>,
    /// The layout of the config's own scheduler class, for those that checkpoints name and whose layout has an offset.
    pub own: Option<Layout>,
}

/// The shape of the training betas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetaSchedule {
    Linear,
    /// Linear in the square roots: Stable Diffusion's.
    ScaledLinear,
}

/// Most training steps that a config may name; published models have 1000.
const MOST_TRAIN_STEPS: u64 = 100_000;

impl NoiseTable {
    /// The table of `steps` training steps with betas from `start` to `end`, spaced leading, epsilon predicted.
    ///
    /// # Errors
    /// [`ProblemKind::ConfigInvalid`] unless `0 < start <= end < 1`, there are 2 to 100000 steps and every sigma is a
    /// finite number.
    pub fn new(schedule: BetaSchedule, start: f64, end: f64, steps: usize) -> Result<Self, Problem> {
        if !(start > 0.0 && start <= end && end < 1.0) {
            return Err(invalid(format!("beta_start {start}, beta_end {end}: wants 0 < start <= end < 1")));
        }
        if steps < 2 || steps as u64 > MOST_TRAIN_STEPS {
            return Err(invalid(format!("num_train_timesteps {steps}: wants 2 to {MOST_TRAIN_STEPS}")));
        }
        // In f32 where PyTorch computes in f32, so that the sigmas are the same numbers.
        let betas = match schedule {
            BetaSchedule::Linear => linspace_f32(start as f32, end as f32, steps),
            BetaSchedule::ScaledLinear => {
                let roots = linspace_f32(start.sqrt() as f32, end.sqrt() as f32, steps);
                roots.into_iter().map(|root| root * root).collect()
            }
        };
        let mut product = 1.0f64;
        let sigmas: Vec<f64> = betas
            .into_iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                let cumulative = product as f32;
                f64::from(((1.0 - cumulative) / cumulative).sqrt())
            })
            .collect();
        let rising = sigmas.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || !sigmas.iter().all(|sigma| sigma.is_finite() && *sigma > 0.0) {
            return Err(invalid(format!("betas {start} to {end} in {steps} steps give no usable noise levels")));
        }
        Ok(Self {
            log_sigmas: sigmas.iter().map(|sigma| f64::from((*sigma as f32).ln())).collect(),
            sigmas,
            prediction: Prediction::Epsilon,
            spacing: None,
            tells_offset: false,
            set_alpha_to_one: None,
            own: None,
        })
    }

    /// The spacing for a class of samplers. Where the config does not tell, diffusers takes the default of the class
    /// that paints, whatever class the checkpoint came with (`ConfigMixin.from_config` hands on only what was told).
    pub fn spacing_of(&self, layout: Layout) -> Spacing {
        let default = match layout {
            Layout::Ddim | Layout::Plms => Spacing::Leading,
            Layout::KDiffusion | Layout::Solver => Spacing::Linspace,
        };
        self.spacing.unwrap_or(default)
    }

    /// What is added to each time step of the leading spacing. `StableDiffusionPipeline` mends every offset to 1 in the
    /// checkpoint's own scheduler; another class inherits it only if the config told one.
    pub fn offset_of(&self, layout: Layout) -> usize {
        usize::from(self.tells_offset || self.own == Some(layout))
    }

    /// Whether a run ends without noise. Where the config does not tell, that is the class's default.
    pub fn ends_clean(&self, layout: Layout) -> bool {
        match layout {
            Layout::Ddim => self.set_alpha_to_one.unwrap_or(true),
            Layout::Plms => self.set_alpha_to_one.unwrap_or(false),
            Layout::KDiffusion | Layout::Solver => true,
        }
    }

    /// Reads the parsed `scheduler_config.json` of any diffusers scheduler class. PLMS never runs Runge-Kutta steps,
    /// whatever `skip_prk_steps` says.
    ///
    /// # Errors
    /// [`ProblemKind::ConfigInvalid`] for a value of the wrong type or range, and for settings that would change the
    /// picture and are not understood (trained betas, other beta schedules, zero terminal SNR, thresholding).
    pub fn from_config(config: &Value) -> Result<Self, Problem> {
        let config = config.as_object().ok_or_else(|| invalid("not an object"))?;
        let present = |key: &str| config.get(key).filter(|value| !value.is_null());
        let number = |key: &str, default: f64| match present(key) {
            None => Ok(default),
            Some(value) => value.as_f64().ok_or_else(|| invalid(format!("{key}: {value} is not a number"))),
        };
        let whole = |key: &str, default: u64| match present(key) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .filter(|value| *value <= MOST_TRAIN_STEPS)
                .ok_or_else(|| invalid(format!("{key}: {value} is not a whole number of 0 to {MOST_TRAIN_STEPS}"))),
        };
        let flag = |key: &str| match present(key) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| invalid(format!("{key}: {value} is not true or false"))),
        };
        let word = |key: &str, default: &'static str| match present(key) {
            None => Ok(default),
            Some(value) => value.as_str().ok_or_else(|| invalid(format!("{key}: {value} is not a word"))),
        };
        if present("trained_betas").is_some() {
            return Err(invalid("trained_betas: not supported"));
        }
        for key in ["rescale_betas_zero_snr", "thresholding"] {
            if flag(key)? {
                return Err(invalid(format!("{key}: not supported")));
            }
        }
        let schedule = match word("beta_schedule", "linear")? {
            "linear" => BetaSchedule::Linear,
            "scaled_linear" => BetaSchedule::ScaledLinear,
            other => return Err(invalid(format!("beta_schedule: {other} is not supported"))),
        };
        let steps = whole("num_train_timesteps", 1000)? as usize;
        let mut table = Self::new(schedule, number("beta_start", 0.0001)?, number("beta_end", 0.02)?, steps)?;
        table.prediction = match word("prediction_type", "epsilon")? {
            "epsilon" => Prediction::Epsilon,
            "v_prediction" => Prediction::Velocity,
            "sample" => Prediction::Sample,
            other => return Err(invalid(format!("prediction_type: {other} is not supported"))),
        };
        table.spacing = match word("timestep_spacing", "")? {
            "" => None,
            "leading" => Some(Spacing::Leading),
            "linspace" => Some(Spacing::Linspace),
            "trailing" => Some(Spacing::Trailing),
            other => return Err(invalid(format!("timestep_spacing: {other} is not supported"))),
        };
        whole("steps_offset", 0)?;
        table.tells_offset = present("steps_offset").is_some();
        table.set_alpha_to_one =
            if present("set_alpha_to_one").is_some() { Some(flag("set_alpha_to_one")?) } else { None };
        table.own = match word("_class_name", "")? {
            "PNDMScheduler" => Some(Layout::Plms),
            "DDIMScheduler" => Some(Layout::Ddim),
            _ => None,
        };
        Ok(table)
    }

    /// Number of training time steps.
    pub fn train_steps(&self) -> usize {
        self.sigmas.len()
    }

    /// The lowest and the highest sigma of the training.
    pub fn range(&self) -> (f64, f64) {
        (self.at(0), self.at(usize::MAX))
    }

    /// Sigma at the time step `t`, which may be fractional and is clamped to the table: linear in log sigma between
    /// whole steps, the inverse of [`Self::t_of`].
    pub fn sigma_of(&self, t: f64) -> f64 {
        let (low, weight) = self.split(t);
        if weight == 0.0 {
            return self.at(low);
        }
        let log = |index: usize| self.log_sigmas.get(index).copied().unwrap_or_default();
        ((1.0 - weight) * log(low) + weight * log(low + 1)).exp()
    }

    /// The fractional time step of `sigma`, clamped to the table: linear in log sigma, as in k-diffusion.
    pub fn t_of(&self, sigma: f64) -> f64 {
        let log = sigma.max(1e-10).ln();
        let above = self.log_sigmas.partition_point(|entry| *entry <= log);
        let low = above.saturating_sub(1).min(self.log_sigmas.len().saturating_sub(2));
        match self.log_sigmas.get(low..low + 2) {
            Some(&[a, b]) => low as f64 + ((log - a) / (b - a)).clamp(0.0, 1.0),
            _ => low as f64,
        }
    }

    /// Sigma at a fractional time step, linear in sigma: what the Euler family of diffusers does.
    pub(super) fn sigma_between(&self, t: f64) -> f64 {
        let (low, weight) = self.split(t);
        self.at(low) + weight * (self.at(low + 1) - self.at(low))
    }

    fn split(&self, t: f64) -> (usize, f64) {
        let t = if t.is_finite() { t.clamp(0.0, (self.sigmas.len() - 1) as f64) } else { 0.0 };
        (t.floor() as usize, t.fract())
    }

    fn at(&self, index: usize) -> f64 {
        self.sigmas.get(index).or(self.sigmas.last()).copied().unwrap_or_default()
    }
}

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::ConfigInvalid).detail(detail)
}

/// `torch.linspace` in f32: from both ends to the middle.
fn linspace_f32(start: f32, end: f32, count: usize) -> Vec<f32> {
    let step = (end - start) / (count - 1) as f32;
    (0..count)
        .map(
            |i| {
                if i < count / 2 { step.mul_add(i as f32, start) } else { (-step).mul_add((count - 1 - i) as f32, end) }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn taiyi() -> NoiseTable {
        let config = json!({"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": false,
            "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null});
        NoiseTable::from_config(&config).unwrap()
    }

    #[test]
    fn the_table_is_stable_diffusions() {
        let table = taiyi();
        let (low, high) = table.range();
        // k-diffusion's published range of Stable Diffusion 1.
        assert!((low - 0.0292).abs() < 5e-5 && (high - 14.6146).abs() < 5e-4, "{low} {high}");
        assert_eq!((table.spacing, table.prediction, table.tells_offset), (None, Prediction::Epsilon, true));
        for t in [0.0, 0.25, 17.5, 500.0, 998.75, 999.0] {
            assert!((table.t_of(table.sigma_of(t)) - t).abs() < 1e-3, "{t}");
        }
        assert_eq!((table.t_of(0.0), table.t_of(1e9)), (0.0, 999.0));
        assert_eq!(table.sigma_of(f64::NAN), low);
    }

    #[test]
    fn bad_configs_are_problems() {
        for bad in [
            json!([]),
            json!({"beta_start": "0.1"}),
            json!({"beta_start": -1.0}),
            json!({"beta_start": 0.5, "beta_end": 0.1}),
            json!({"beta_end": 0.999}),
            json!({"beta_schedule": "squaredcos_cap_v2"}),
            json!({"num_train_timesteps": 1}),
            json!({"num_train_timesteps": -4}),
            json!({"num_train_timesteps": 1u64 << 60}),
            json!({"prediction_type": "flow_prediction"}),
            json!({"timestep_spacing": 3}),
            json!({"steps_offset": 1.5}),
            json!({"set_alpha_to_one": "no"}),
            json!({"trained_betas": [0.1]}),
            json!({"rescale_betas_zero_snr": true}),
        ] {
            let problem = NoiseTable::from_config(&bad).expect_err(&bad.to_string());
            assert_eq!(problem.kind, ProblemKind::ConfigInvalid);
        }
    }
}
