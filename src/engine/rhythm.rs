//! Which evaluations of a run need the whole network, and which may take the deep features of an earlier one (DeepCache,
//! Ma et al. 2024).

use super::samplers::Sampler;
use super::schedules::Schedule;

/// How much of the network an evaluation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Whole,
    /// The outermost level alone, on deep features of before.
    Shell,
}

/// Evaluations at the beginning that are always whole: there the picture's layout is settled.
const FIRST: usize = 2;

/// Counts the evaluations of a run.
pub struct Rhythm {
    every: usize,
    /// The sigma of the last evaluation, which is always whole: nothing comes after to mend it.
    last: Option<f64>,
    done: usize,
    since_whole: usize,
    guided: Option<bool>,
}

impl Rhythm {
    /// Whole at least every `every` evaluations. A sampler that evaluates twice a step looks at differences between
    /// its evaluations: with it, all are whole.
    pub fn new(every: u32, sampler: &dyn Sampler, schedule: &Schedule) -> Self {
        let points = schedule.sigmas().len() - 1;
        let every = if sampler.passes(schedule) == points { every.max(1) as usize } else { 1 };
        let last = points.checked_sub(1).and_then(|index| schedule.sigmas().get(index)).copied();
        Self { every, last, done: 0, since_whole: 0, guided: None }
    }

    /// Whether any evaluation may be less than whole.
    pub fn is_on(&self) -> bool {
        self.every > 1
    }

    /// The next evaluation. Features of guided ones are of no use to the others, nor the other way round.
    pub fn turn(&mut self, sigma: f64, guided: bool) -> Turn {
        let same = self.guided.replace(guided) == Some(guided);
        let free = self.done >= FIRST && same && Some(sigma) != self.last;
        self.done += 1;
        self.since_whole += 1;
        if free && self.since_whole < self.every {
            return Turn::Shell;
        }
        self.since_whole = 0;
        Turn::Whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::samplers::entry;
    use crate::engine::schedules::{BetaSchedule, NoiseTable, sigmas};
    use crate::recipe::{SamplerId, ScheduleId};
    use std::sync::Arc;

    /// W whole, s shell.
    fn turns(every: u32, sampler: SamplerId, guided: impl Fn(f64) -> bool) -> String {
        let table = Arc::new(NoiseTable::new(BetaSchedule::ScaledLinear, 0.00085, 0.012, 1000).unwrap());
        let schedule = sigmas(&table, ScheduleId::Model, sampler, 10);
        let mut rhythm = Rhythm::new(every, entry(sampler).sampler, &schedule);
        let points = schedule.sigmas().split_last().unwrap().1;
        let letter = |turn| if turn == Turn::Whole { 'W' } else { 's' };
        points.iter().map(|&sigma| letter(rhythm.turn(sigma, guided(sigma)))).collect()
    }

    #[test]
    fn the_first_and_the_last_are_whole_and_between_them_every_so_many() {
        assert_eq!(turns(1, SamplerId::DpmPp2M, |_| true), "WWWWWWWWWW");
        assert_eq!(turns(2, SamplerId::DpmPp2M, |_| true), "WWsWsWsWsW");
        assert_eq!(turns(3, SamplerId::DpmPp2M, |_| true), "WWssWssWsW");
        assert_eq!(turns(10, SamplerId::Euler, |_| true), "WWsssssssW");
    }

    #[test]
    fn where_guidance_begins_or_ends_the_features_are_made_anew() {
        // Four points lie above, three within, three below.
        assert_eq!(turns(10, SamplerId::DpmPp2M, |sigma| (1.0..3.0).contains(&sigma)), "WWssWssWsW");
    }

    #[test]
    fn with_two_evaluations_a_step_nothing_is_used_again() {
        assert_eq!(turns(3, SamplerId::Heun, |_| true), "WWWWWWWWWW");
    }
}
