//! Many hands for one thing that the artist waits for. They are threads of their own: the engine may have all of rayon's
//! pool busy for a long time, and a stroke must not wait for that.

use std::num::NonZeroUsize;
use std::thread::{available_parallelism, scope};

/// More do not help: what they write has to go through memory.
const MOST: usize = 4;

/// What `work` makes of each item, in their order; shared among threads, this one included, if there are at least
/// `many` items.
pub fn share<T: Send, R: Send>(items: Vec<T>, many: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let hands = available_parallelism().map_or(1, NonZeroUsize::get).min(MOST);
    if hands < 2 || items.len() < many {
        return items.into_iter().map(work).collect();
    }
    let part = items.len().div_ceil(hands).max(1);
    let mut rest = items;
    let mut own = Vec::new();
    scope(|scope| {
        let mut others = Vec::new();
        while rest.len() > part {
            let theirs = rest.split_off(rest.len() - part);
            others.push(scope.spawn(|| theirs.into_iter().map(&work).collect::<Vec<R>>()));
        }
        own.extend(rest.into_iter().map(&work));
        for other in others.into_iter().rev() {
            own.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_done_once_and_in_order() {
        for count in [0, 1, 2, 3, 7, 8, 9, 100] {
            for many in [0, 8, 1000] {
                let found = share((0..count).collect(), many, |i: i32| i * i);
                assert_eq!(found, (0..count).map(|i| i * i).collect::<Vec<_>>(), "{count} {many}");
            }
        }
    }
}
