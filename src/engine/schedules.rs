//! Where a sampling run evaluates the network: the training noise levels of a checkpoint, and the list of sigmas and
//! time steps that a sampler walks down.
//!
//! Sigma is the standard deviation of the noise on a clean latent of unit scale: `x = latent + sigma * noise` (variance
//! exploding form, Karras et al. 2022). A network trained in the variance preserving form sees `x / sqrt(1 + sigma^2)`
//! at the time step t for which `sigma^2 = (1 - abar_t) / abar_t`.
//!
//! The lists are those that diffusers' scheduler classes make from the same config, class by class, so that a picture
//! can be compared with one of theirs.

mod table;

pub use table::{BetaSchedule, NoiseTable, Prediction, Spacing};

use super::samplers;
use crate::recipe::sampling::{SamplerId, ScheduleId};
use std::sync::Arc;

/// How a sampler's class in diffusers lays out its list. The differences are theirs; pictures depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// n points, down to the sigma of the final alpha.
    Ddim,
    /// As `Ddim`, with the second point twice.
    Plms,
    /// n points, fractional time steps allowed, down to 0. Karras and exponential lists keep to the ends of the
    /// model's own spacing.
    KDiffusion,
    /// n + 1 points without the smallest, whole time steps, down to 0. Karras and exponential lists run over the whole
    /// training range.
    Solver,
}

/// The points of one run: sigmas falling to the last, and the time step that belongs to each.
#[derive(Clone, Debug)]
pub struct Schedule {
    table: Arc<NoiseTable>,
    layout: Layout,
    /// All points of the full run, then the sigma that it ends on. In the PLMS layout the second point is there twice.
    sigmas: Vec<f64>,
    /// One a point, without the end.
    timesteps: Vec<f64>,
    /// Steps of the full run (points without the repeated one).
    steps: usize,
    /// First point of this run.
    start: usize,
}

/// The list for `steps` steps (at least 1; never more than the training had) of `sampler`.
///
/// With [`ScheduleId::Model`] the points are those of the sampler's class in diffusers under the table's spacing. DDIM
/// and PLMS go from each point to the next of the list, which for the leading spacing is what diffusers does.
pub fn sigmas(table: &Arc<NoiseTable>, schedule: ScheduleId, sampler: SamplerId, steps: usize) -> Schedule {
    let layout = samplers::entry(sampler).layout;
    let steps = steps.clamp(1, table.train_steps());
    let own = own_timesteps(table, layout, steps);
    let own_sigmas: Vec<f64> = own.iter().map(|t| single(table.sigma_between(*t))).collect();
    let (points, timesteps, end) = match schedule {
        ScheduleId::Model => {
            let end = match layout {
                layout if !table.ends_clean(layout) => table.range().0,
                _ => 0.0,
            };
            (own_sigmas, own, end)
        }
        ScheduleId::Karras | ScheduleId::Exponential => {
            let (low, high) = match (layout, own_sigmas.last(), own_sigmas.first()) {
                (Layout::KDiffusion, Some(last), Some(first)) => (*last, *first),
                _ => table.range(),
            };
            let karras = schedule == ScheduleId::Karras;
            let points = if karras { karras_points(low, high, steps) } else { exponential_points(low, high, steps) };
            let timesteps = points.iter().map(|sigma| told(layout, table.t_of(*sigma), karras)).collect();
            (points.into_iter().map(single).collect(), timesteps, 0.0)
        }
        ScheduleId::AlignYourSteps => {
            let points = align_your_steps_points(steps);
            let timesteps = points.iter().map(|sigma| told(layout, table.t_of(*sigma), true)).collect();
            (points, timesteps, 0.0)
        }
    };
    Schedule::assemble(table.clone(), layout, points, timesteps, end)
}

/// diffusers keeps its sigmas in f32.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// The time step that the network is told: diffusers' solver classes store them as integers, rounding Karras lists and
/// truncating exponential ones.
fn told(layout: Layout, t: f64, round: bool) -> f64 {
    match layout {
        Layout::Solver if round => t.round_ties_even(),
        Layout::Solver => t.trunc(),
        _ => t,
    }
}

/// Falling time steps under the table's spacing.
fn own_timesteps(table: &NoiseTable, layout: Layout, steps: usize) -> Vec<f64> {
    let train = table.train_steps();
    let top = (train - 1) as f64;
    let extra = usize::from(layout == Layout::Solver);
    let points = steps + extra;
    match table.spacing_of(layout) {
        Spacing::Leading => {
            let ratio = (train / points).max(1);
            (extra..points).rev().map(|i| ((i * ratio + table.offset_of(layout)) as f64).min(top)).collect()
        }
        // numpy's linspace of one point is the low end; a run of one step must begin with the most noise.
        Spacing::Linspace if points == 1 => vec![top],
        Spacing::Linspace => {
            let step = top / (points - 1) as f64;
            let at = |i: usize| if i + 1 == points { top } else { i as f64 * step };
            let whole = layout != Layout::KDiffusion;
            (extra..points).rev().map(|i| if whole { at(i).round_ties_even() } else { single(at(i)) }).collect()
        }
        Spacing::Trailing => {
            let step = train as f64 / steps as f64;
            (0..steps).map(|i| ((train as f64 - i as f64 * step).round_ties_even() - 1.0).max(0.0)).collect()
        }
    }
}

/// Karras et al. 2022, equation 5, with rho 7.
fn karras_points(low: f64, high: f64, count: usize) -> Vec<f64> {
    const RHO: f64 = 7.0;
    let (low, high) = (low.powf(1.0 / RHO), high.powf(1.0 / RHO));
    ramp(count).map(|u| (high + u * (low - high)).powf(RHO)).collect()
}

/// Uniform in log sigma.
fn exponential_points(low: f64, high: f64, count: usize) -> Vec<f64> {
    let (low, high) = (low.ln(), high.ln());
    ramp(count).map(|u| (high + u * (low - high)).exp()).collect()
}

/// 0 to 1 in `count` points; 0 alone if there is one.
fn ramp(count: usize) -> impl Iterator<Item = f64> {
    let last = count.saturating_sub(1).max(1) as f64;
    (0..count).map(move |i| i as f64 / last)
}

/// Align Your Steps (Sabour et al. 2024), Stable Diffusion 1.5, 10 steps.
const ALIGN_YOUR_STEPS: [f64; 11] = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029];

/// The published list, or its interpolation linear in log sigma for other counts. Its last entry is where the run would
/// end; ours end at 0.
fn align_your_steps_points(count: usize) -> Vec<f64> {
    let spans = (ALIGN_YOUR_STEPS.len() - 1) as f64;
    (0..count)
        .map(|i| {
            let place = i as f64 * spans / count as f64;
            let low = place.floor() as usize;
            let at = |index: usize| ALIGN_YOUR_STEPS.get(index).copied().unwrap_or(0.029);
            if place.fract() == 0.0 {
                at(low)
            } else {
                at(low).powf(1.0 - place.fract()) * at(low + 1).powf(place.fract())
            }
        })
        .collect()
}

impl Schedule {
    /// A run of `sampler` through sigmas of the caller's own: the points, then the sigma to end on. Sigmas that do not
    /// fall are left out; the network is told the fractional time steps.
    pub fn through(table: &Arc<NoiseTable>, sampler: SamplerId, points: &[f64], end: f64) -> Self {
        let timesteps = points.iter().map(|sigma| table.t_of(*sigma)).collect();
        Self::assemble(table.clone(), samplers::entry(sampler).layout, points.to_vec(), timesteps, end)
    }

    fn assemble(table: Arc<NoiseTable>, layout: Layout, points: Vec<f64>, timesteps: Vec<f64>, end: f64) -> Self {
        let mut kept: Vec<(f64, f64)> = Vec::with_capacity(points.len() + 1);
        for (sigma, t) in points.into_iter().zip(timesteps) {
            // A point as low as the end would be a step of no length.
            if sigma > end && kept.last().is_none_or(|last| sigma < last.0) {
                kept.push((sigma, t));
            }
        }
        let (_, high) = table.range();
        if kept.is_empty() {
            // One step from the first level to itself, say: a run begins with noise, whatever else.
            kept.push((high, (table.train_steps() - 1) as f64));
        }
        let end = if end >= 0.0 && kept.iter().all(|(sigma, _)| *sigma > end) { end } else { 0.0 };
        let steps = kept.len();
        if layout == Layout::Plms
            && let Some(second) = kept.get(1).copied()
        {
            kept.insert(1, second);
        }
        let (mut sigmas, timesteps): (Vec<f64>, Vec<f64>) = kept.into_iter().unzip();
        sigmas.push(end);
        Self { table, layout, sigmas, timesteps, steps, start: 0 }
    }

    /// The part of the run that image-to-image does: the last `floor(steps * strength)` steps, at least one. `strength`
    /// is a share of 0 to 1.
    ///
    /// The PLMS layout is cut behind its repeated point by as many entries as the others, as in diffusers, and so does
    /// one pass more.
    #[must_use]
    pub fn start_at(mut self, strength: f64) -> Self {
        let share = if strength.is_finite() { strength.clamp(0.0, 1.0) } else { 1.0 };
        let run = ((self.steps as f64 * share) as usize).clamp(1, self.steps.max(1));
        self.start = self.steps.saturating_sub(run);
        self
    }

    /// The sigmas of this run: one a point, then the end. In the PLMS layout the second point of a full run is there
    /// twice. Never empty.
    pub fn sigmas(&self) -> &[f64] {
        self.sigmas.get(self.start..).unwrap_or(&self.sigmas)
    }

    /// The time steps of [`Self::sigmas`], without the end.
    pub fn timesteps(&self) -> &[f64] {
        self.timesteps.get(self.start..).unwrap_or(&self.timesteps)
    }

    /// The sigma before the first of this run in the full run, if it was cut.
    pub(super) fn before(&self) -> Option<f64> {
        self.start.checked_sub(1).and_then(|index| self.sigmas.get(index)).copied()
    }

    /// Steps of the full run, before any cut.
    pub fn full_steps(&self) -> usize {
        self.steps
    }

    /// The time step to tell the network at `sigma`: the list's own where the list has this sigma, else by the table.
    pub fn timestep(&self, sigma: f64) -> f64 {
        let own = self.sigmas.iter().zip(&self.timesteps).find(|(entry, _)| **entry == sigma);
        own.map_or_else(|| self.table.t_of(sigma), |(_, t)| *t)
    }

    /// The sigma that the run begins at: a picture's latent gets this much noise.
    pub fn first_sigma(&self) -> f64 {
        self.sigmas().first().copied().unwrap_or_default()
    }

    /// What pure noise of unit variance is multiplied by to begin a run without a picture. The network then sees noise
    /// of unit variance, except in the Euler family under linspace and trailing spacing, where diffusers takes the
    /// first sigma itself.
    pub fn noise_scale(&self) -> f64 {
        let sigma = self.first_sigma();
        match (self.layout, self.table.spacing_of(self.layout)) {
            (Layout::KDiffusion, Spacing::Linspace | Spacing::Trailing) => sigma,
            _ => sigma.hypot(1.0),
        }
    }

    /// What the last `x` is multiplied by to be a latent: 1 unless the run ends with noise left, where diffusers hands
    /// the variance preserving form to the decoder.
    pub fn final_scale(&self) -> f64 {
        1.0 / self.sigmas.last().copied().unwrap_or_default().hypot(1.0)
    }

    pub fn table(&self) -> &NoiseTable {
        &self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn taiyi() -> Arc<NoiseTable> {
        let config = json!({"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": false,
            "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null});
        Arc::new(NoiseTable::from_config(&config).unwrap())
    }

    #[test]
    fn plms_has_its_second_point_twice_and_is_cut_as_diffusers_cuts() {
        let list = sigmas(&taiyi(), ScheduleId::Model, SamplerId::Plms, 50);
        assert_eq!(list.timesteps()[..4], [981.0, 961.0, 961.0, 941.0]);
        assert_eq!((list.timesteps().len(), list.sigmas().len(), list.full_steps()), (51, 52, 50));
        assert_eq!(*list.sigmas().last().unwrap(), taiyi().range().0);
        let cut = sigmas(&taiyi(), ScheduleId::Model, SamplerId::Plms, 10).start_at(0.6);
        assert_eq!(cut.timesteps(), [601.0, 501.0, 401.0, 301.0, 201.0, 101.0, 1.0]);
    }

    #[test]
    fn align_your_steps_has_the_published_time_steps() {
        let list = sigmas(&taiyi(), ScheduleId::AlignYourSteps, SamplerId::DpmPp2M, 10);
        let published = [999.0, 850.0, 736.0, 645.0, 545.0, 455.0, 343.0, 233.0, 124.0, 24.0];
        for (ours, theirs) in list.timesteps().iter().zip(published) {
            assert!((ours - theirs).abs() <= 1.0, "{ours} {theirs}");
        }
        assert_eq!(list.sigmas()[..10], ALIGN_YOUR_STEPS[..10]);
        assert_eq!(list.sigmas()[10], 0.0);
    }

    #[test]
    fn the_network_is_told_the_lists_own_time_steps() {
        let list = sigmas(&taiyi(), ScheduleId::Karras, SamplerId::DpmPp2M, 10);
        for (sigma, t) in list.sigmas().iter().zip(list.timesteps()) {
            assert_eq!(list.timestep(*sigma), *t);
            assert_eq!(t.fract(), 0.0);
        }
        assert_eq!(list.timestep(1.2345), taiyi().t_of(1.2345));
    }

    /// Lists of diffusers 0.42: `CLASS.from_config(pipeline.scheduler.config)`, five steps, for a config that tells
    /// neither spacing nor offset, as those of 2022 do not, and for one that tells an offset of 0.
    #[test]
    fn what_a_config_does_not_tell_is_the_default_of_the_class_that_paints() {
        let mut config = json!({"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": false,
            "skip_prk_steps": true});
        let list = |config: &serde_json::Value, sampler| {
            let table = Arc::new(NoiseTable::from_config(config).unwrap());
            sigmas(&table, ScheduleId::Model, sampler, 5).timesteps().to_vec()
        };
        assert_eq!(list(&config, SamplerId::Plms), [801.0, 601.0, 601.0, 401.0, 201.0, 1.0]);
        // Theirs has a fifth, 0, which goes from the first training level to that same level: it changes nothing.
        assert_eq!(list(&config, SamplerId::Ddim), [800.0, 600.0, 400.0, 200.0]);
        assert_eq!(list(&config, SamplerId::Euler), [999.0, 749.25, 499.5, 249.75, 0.0]);
        assert_eq!(list(&config, SamplerId::DpmPp2M), [999.0, 799.0, 599.0, 400.0, 200.0]);
        assert_eq!(list(&config, SamplerId::UniPc), [999.0, 799.0, 599.0, 400.0, 200.0]);
        config["steps_offset"] = 0.into();
        assert_eq!(list(&config, SamplerId::Plms), [801.0, 601.0, 601.0, 401.0, 201.0, 1.0]);
        assert_eq!(list(&config, SamplerId::Ddim), [801.0, 601.0, 401.0, 201.0, 1.0]);
    }

    proptest! {
        #[test]
        fn every_list_falls_and_is_finite(
            steps in 0usize..1200, schedule in 0usize..4, sampler in 0usize..8, spacing in 0usize..4,
            offset in proptest::bool::ANY, strength in -0.5f64..1.5,
        ) {
            let mut table = (*taiyi()).clone();
            table.spacing = [None, Some(Spacing::Leading), Some(Spacing::Linspace), Some(Spacing::Trailing)][spacing];
            table.tells_offset = offset;
            let sampler = SamplerId::ALL[sampler];
            let list = sigmas(&Arc::new(table), ScheduleId::ALL[schedule], sampler, steps).start_at(strength);
            let sigmas = list.sigmas();
            prop_assert!(sigmas.len() >= 2);
            prop_assert_eq!(sigmas.len(), list.timesteps().len() + 1);
            prop_assert!(sigmas.iter().all(|s| s.is_finite() && *s >= 0.0));
            prop_assert!(list.timesteps().iter().all(|t| (0.0..=999.0).contains(t)));
            let repeated = sigmas.windows(2).filter(|w| w[0] == w[1]).count();
            prop_assert!(repeated <= usize::from(sampler == SamplerId::Plms));
            prop_assert!(sigmas.windows(2).all(|w| w[0] >= w[1]));
            prop_assert!(list.noise_scale().is_finite() && list.final_scale() > 0.9);
        }
    }
}
