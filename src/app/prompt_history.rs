//! The prompts that were painted, the latest first.

use super::json_file;
use crate::base::Problem;
use crate::recipe::prompt::searchable;
use std::collections::VecDeque;
use std::path::Path;

/// Prompts that are remembered.
pub const MOST_PROMPTS: usize = 200;

/// Distinct prompts, the latest first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PromptHistory {
    prompts: VecDeque<String>,
}

impl PromptHistory {
    /// Puts a prompt at the head; one that is there already moves. Spaces at the ends do not count, and nothing but
    /// spaces is no prompt.
    pub fn add(&mut self, prompt: &str) {
        let prompt = prompt.trim();
        if prompt.is_empty() {
            return;
        }
        self.prompts.retain(|old| old != prompt);
        self.prompts.push_front(prompt.to_owned());
        self.prompts.truncate(MOST_PROMPTS);
    }

    /// Forgets a prompt.
    pub fn remove(&mut self, prompt: &str) {
        self.prompts.retain(|old| old != prompt);
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.prompts.iter().map(String::as_str)
    }

    /// Those that contain every part of the query that stands between spaces, whatever the case; all for an empty one.
    pub fn search(&self, query: &str) -> Vec<&str> {
        let query = query.to_lowercase();
        let parts: Vec<&str> = query.split_whitespace().collect();
        let fits = |prompt: &&str| {
            let prompt = searchable(prompt);
            parts.iter().all(|part| prompt.contains(part))
        };
        self.iter().filter(fits).collect()
    }

    /// From a file; empty if there is none, or it makes no sense: then the problem says where it was put.
    pub fn read(path: &Path) -> (Self, Option<Problem>) {
        let (prompts, problem) = match json_file::read::<Vec<String>>(path) {
            Ok(prompts) => (prompts.unwrap_or_default(), None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let mut history = Self::default();
        prompts.iter().rev().for_each(|prompt| history.add(prompt));
        (history, problem)
    }

    /// # Errors
    /// [`crate::base::ProblemKind::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), Problem> {
        json_file::write(path, &self.prompts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_come_first_once_and_the_oldest_go() {
        let mut history = PromptHistory::default();
        for number in 0..MOST_PROMPTS + 5 {
            history.add(&format!("山 {number}"));
        }
        history.add("  山 100\n");
        history.add("   ");
        assert_eq!(history.iter().count(), MOST_PROMPTS);
        assert_eq!(history.iter().take(2).collect::<Vec<_>>(), ["山 100", "山 204"]);
        assert_eq!(history.iter().filter(|p| *p == "山 100").count(), 1);
        assert_eq!(history.iter().last(), Some("山 5"));
        history.remove("山 100");
        assert_eq!(history.iter().next(), Some("山 204"));
    }

    #[test]
    fn parts_of_prompts_are_found() {
        let mut history = PromptHistory::default();
        ["大漠孤烟直，水墨", "A Red Flower", "孤舟蓑笠翁，水彩"].iter().for_each(|p| history.add(p));
        assert_eq!(history.search("孤"), ["孤舟蓑笠翁，水彩", "大漠孤烟直，水墨"]);
        assert_eq!(history.search("孤 水墨"), ["大漠孤烟直，水墨"]);
        assert_eq!(history.search("red"), ["A Red Flower"]);
        assert_eq!(history.search(" ").len(), 3);
        assert!(history.search("海").is_empty());
        history.add("(红:1.2)梅");
        assert_eq!((history.search("红梅"), history.search("红:1.2")), (vec!["(红:1.2)梅"], vec!["(红:1.2)梅"]));
    }

    #[test]
    fn prompts_come_back_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画意.json");
        assert_eq!(PromptHistory::read(&path), (PromptHistory::default(), None));
        let mut history = PromptHistory::default();
        ["一", "二\n三"].iter().for_each(|p| history.add(p));
        history.write(&path).unwrap();
        assert_eq!(PromptHistory::read(&path), (history, None));
        std::fs::write(&path, "[1]").unwrap();
        let (history, problem) = PromptHistory::read(&path);
        assert_eq!(history, PromptHistory::default());
        assert!(problem.is_some() && !path.exists());
    }
}
