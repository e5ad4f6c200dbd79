//! [`Filter`]: which pictures the artist wants to see, in the terms of the window.

use crate::gallery::{Query, Sort};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long ago a picture was made, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Age {
    #[default]
    Any,
    Day,
    Week,
    Month,
}

impl Age {
    pub const ALL: [Age; 4] = [Age::Any, Age::Day, Age::Week, Age::Month];

    pub const fn text_id(self) -> &'static str {
        match self {
            Age::Any => "label-wall-age-any",
            Age::Day => "label-wall-age-day",
            Age::Week => "label-wall-age-week",
            Age::Month => "label-wall-age-month",
        }
    }

    /// Nanoseconds since 1970; `None` is without bounds. A clock that was set back hides nothing: there is no end.
    fn range(self, now: SystemTime) -> Option<RangeInclusive<i64>> {
        let days = match self {
            Age::Any => return None,
            Age::Day => 1,
            Age::Week => 7,
            Age::Month => 30,
        };
        let from = now.checked_sub(DAY * days).and_then(|from| from.duration_since(UNIX_EPOCH).ok());
        let from = from.and_then(|from| i64::try_from(from.as_nanos()).ok()).unwrap_or(i64::MIN);
        Some(from..=i64::MAX)
    }
}

/// A class of sizes, by the longer side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Side {
    #[default]
    Any,
    /// Up to 640 pixels.
    Small,
    /// Up to 1280 pixels.
    Medium,
    Large,
}

impl Side {
    pub const ALL: [Side; 4] = [Side::Any, Side::Small, Side::Medium, Side::Large];

    pub const fn text_id(self) -> &'static str {
        match self {
            Side::Any => "label-wall-side-any",
            Side::Small => "label-wall-side-small",
            Side::Medium => "label-wall-side-medium",
            Side::Large => "label-wall-side-large",
        }
    }

    const fn range(self) -> Option<RangeInclusive<u32>> {
        match self {
            Side::Any => None,
            Side::Small => Some(1..=640),
            Side::Medium => Some(641..=1280),
            Side::Large => Some(1281..=u32::MAX),
        }
    }
}

/// The orders, as they are offered.
pub const SORTS: [Sort; 4] = [Sort::Newest, Sort::Oldest, Sort::Name, Sort::Size];

pub const fn sort_text_id(sort: Sort) -> &'static str {
    match sort {
        Sort::Newest => "label-wall-sort-newest",
        Sort::Oldest => "label-wall-sort-oldest",
        Sort::Name => "label-wall-sort-name",
        Sort::Size => "label-wall-sort-size",
    }
}

/// See the module; edited by the window in place.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Filter {
    pub words: String,
    pub favourites_only: bool,
    pub model: Option<String>,
    pub age: Age,
    pub side: Side,
    pub sort: Sort,
}

impl Filter {
    /// For the librarian.
    pub fn query(&self, now: SystemTime) -> Query {
        Query {
            words: self.words.clone(),
            favourites_only: self.favourites_only,
            model: self.model.clone(),
            created: self.age.range(now),
            longer_side: self.side.range(),
            sort: self.sort,
        }
    }

    /// Whether pictures may be left out.
    pub fn narrows(&self) -> bool {
        !self.words.trim().is_empty()
            || Self { words: String::new(), sort: Sort::default(), ..self.clone() } != Self::default()
    }

    /// All pictures, in the order that was chosen.
    pub fn clear(&mut self) {
        *self = Self { sort: self.sort, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_leaves_nothing_out() {
        let mut filter = Filter { sort: Sort::Name, words: " ".into(), ..Filter::default() };
        assert!(!filter.narrows());
        filter.side = Side::Large;
        assert!(filter.narrows());
        filter.clear();
        assert_eq!(filter, Filter { sort: Sort::Name, ..Filter::default() });
    }

    #[test]
    fn ages_count_back_from_now() {
        let now = UNIX_EPOCH + DAY * 10;
        let day = DAY.as_nanos() as i64;
        assert_eq!(Age::Any.range(now), None);
        assert_eq!(Age::Week.range(now), Some(3 * day..=i64::MAX));
        assert_eq!(Age::Month.range(now), Some(i64::MIN..=i64::MAX), "before 1970 is before everything");
    }

    #[test]
    fn the_classes_of_sizes_leave_no_gap() {
        let ranges: Vec<_> = Side::ALL.iter().filter_map(|side| side.range()).collect();
        assert!(ranges.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()));
    }
}
