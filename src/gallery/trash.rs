//! Deleting so that it can be undone: into the system's trash, or into a folder `.danqing-trash` beside the pictures
//! where the system has none or cannot give back from it (macOS).

use super::entry::{name_from_bytes, name_to_bytes, nanoseconds, path_from_bytes, path_to_bytes};
use crate::base::{Problem, ProblemKind};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder of last resort, in the pictures folder.
const HOLDING: &str = ".danqing-trash";
/// Names that are tried for a file whose place was taken meanwhile.
const MOST_NAMES: u32 = 10_000;

/// Where a deleted file rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resting {
    /// In the system's trash, under the system's name for it.
    System(OsString),
    /// In the holding folder, under this path.
    Held(PathBuf),
}

impl Resting {
    /// As two values for the index.
    pub fn to_record(&self) -> (&'static str, Vec<u8>) {
        match self {
            Resting::System(name) => ("system", name_to_bytes(name)),
            Resting::Held(path) => ("held", path_to_bytes(path)),
        }
    }

    /// The way back from [`Self::to_record`].
    pub fn from_record(trash: &str, place: &[u8]) -> Option<Self> {
        match trash {
            "system" => name_from_bytes(place).map(Resting::System),
            "held" => path_from_bytes(place).map(Resting::Held),
            _ => None,
        }
    }
}

/// Takes files away from a pictures folder and brings them back.
#[derive(Clone, Debug)]
pub struct Bin {
    folder: PathBuf,
    system: bool,
}

impl Bin {
    /// Uses the system's trash where it can be undone.
    pub fn system(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), system: true }
    }

    /// Uses the folder beside the pictures alone.
    pub fn holding(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), system: false }
    }

    /// The folder of last resort; it need not exist.
    pub fn holding_folder(&self) -> PathBuf {
        self.folder.join(HOLDING)
    }

    /// Takes the files away, each for itself: where it rests, `None` if it was gone already, or why it had to stay
    /// ([`ProblemKind::Unwritable`]).
    pub fn discard(&self, files: &[PathBuf]) -> Vec<Result<Option<Resting>, Problem>> {
        let mut places = if self.system { system::discard(files) } else { vec![None; files.len()] };
        let mut batch = None;
        let held = files.iter().zip(&mut places).map(|(file, place)| match place.take() {
            Some(resting) => Ok(Some(resting)),
            None => match std::fs::symlink_metadata(file) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                _ => self.hold(file, &mut batch).map(Some),
            },
        });
        held.collect()
    }

    /// Brings a file back to `to`, or to a name beside it if that is taken: the place where it lies now.
    ///
    /// # Errors
    /// [`ProblemKind::Unreadable`] if the pictures folder is not there, [`ProblemKind::TrashEmptied`] if the file does
    /// not rest there any more, [`ProblemKind::Unwritable`] if it cannot be moved.
    pub fn bring_back(&self, resting: &Resting, to: &Path) -> Result<PathBuf, Problem> {
        std::fs::read_dir(&self.folder)
            .map_err(|e| Problem::new(ProblemKind::Unreadable).at(&self.folder).detail(e))?;
        let refused = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Unwritable).at(to).detail(error);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(|e| refused(&e))?;
        }
        let target = free_name(to).ok_or_else(|| refused(&"every name is taken"))?;
        match resting {
            Resting::System(name) => system::bring_back(name, &target).map_err(|problem| problem.at(to))?,
            Resting::Held(path) => {
                let file = self.holding_folder().join(path);
                std::fs::rename(&file, &target).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => Problem::new(ProblemKind::TrashEmptied).at(to),
                    _ => refused(&error),
                })?;
                self.tidy(path);
            }
        }
        Ok(target)
    }

    /// Moves a file into the batch's own folder, under its path in the pictures folder, so that people find it too.
    fn hold(&self, file: &Path, batch: &mut Option<PathBuf>) -> Result<Resting, Problem> {
        let refused = |error| Problem::new(ProblemKind::Unwritable).at(file).detail(error);
        let inside = match (file.strip_prefix(&self.folder), file.file_name()) {
            (Ok(inside), _) => inside.to_path_buf(),
            (Err(_), name) => name.unwrap_or_default().into(),
        };
        let batch = match batch {
            Some(batch) => batch,
            None => batch.insert(self.new_batch().map_err(refused)?),
        };
        let path = batch.join(inside);
        let place = self.holding_folder().join(&path);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(refused)?;
        }
        std::fs::rename(file, &place).map_err(refused)?;
        Ok(Resting::Held(path))
    }

    /// A new folder in the holding folder, named after the time.
    fn new_batch(&self) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(self.holding_folder())?;
        let mut name = nanoseconds(SystemTime::now());
        loop {
            let batch = PathBuf::from(name.to_string());
            match std::fs::create_dir(self.holding_folder().join(&batch)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => name = name.wrapping_add(1),
                Err(error) => return Err(error),
                Ok(()) => return Ok(batch),
            }
        }
    }

    /// Removes the folders that the file leaves empty.
    fn tidy(&self, path: &Path) {
        for parent in path.ancestors().skip(1) {
            // `path` is below the holding folder, and its last ancestor is that folder itself.
            if std::fs::remove_dir(self.holding_folder().join(parent)).is_err() {
                break;
            }
        }
    }
}

/// The path, or one with a number that nothing lies under.
fn free_name(path: &Path) -> Option<PathBuf> {
    let free = |path: &PathBuf| std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    let numbered = |number: u32| {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{number}"));
        if let Some(ending) = path.extension() {
            name.push(".");
            name.push(ending);
        }
        path.with_file_name(name)
    };
    Some(path.to_path_buf()).filter(free).or_else(|| (2..MOST_NAMES).map(numbered).find(free))
}

/// The trash of Windows and of the freedesktop systems, which can list and give back what they hold.
#[cfg(any(windows, all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android")))))]
mod system {
    use super::{Path, PathBuf, Problem, ProblemKind, Resting};
    use std::collections::HashSet;
    use std::ffi::{OsStr, OsString};
    use trash::os_limited::{list, restore_all};

    /// `None` for each file that the trash did not take.
    pub fn discard(files: &[PathBuf]) -> Vec<Option<Resting>> {
        let untouched = || vec![None; files.len()];
        // A trash that cannot be listed cannot be undone either.
        let Ok(before) = list() else { return untouched() };
        let before: HashSet<OsString> = before.into_iter().map(|item| item.id).collect();
        // The trash remembers paths without links.
        let real = |file: &PathBuf| Some(file.parent()?.canonicalize().ok()?.join(file.file_name()?));
        let originals: Vec<Option<PathBuf>> = files.iter().map(real).collect();
        let take = |file: &PathBuf| {
            let there = std::fs::symlink_metadata(file).is_ok();
            let result = if there { trash::delete(file) } else { return false };
            if let Err(error) = &result {
                tracing::info!(%error, "the system's trash did not take a file");
            }
            result.is_ok()
        };
        let taken: Vec<bool> = files.iter().map(take).collect();
        let after = list().unwrap_or_default();
        let find = |original: &PathBuf| {
            let new = after.iter().filter(|item| !before.contains(&item.id));
            let mut here = new.filter(|item| item.original_path() == plain(original));
            here.next().map(|item| item.id.clone())
        };
        let rest = |(original, taken): (&Option<PathBuf>, bool)| {
            // What was taken but is not found is in the trash all the same; only we cannot bring it back.
            taken.then(|| Resting::System(original.as_ref().and_then(find).unwrap_or_default()))
        };
        originals.iter().zip(taken).map(rest).collect()
    }

    /// Without the prefix `\\?\` of Windows' canonical paths, which its trash leaves out.
    fn plain(path: &Path) -> PathBuf {
        match path.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
            Some(rest) if cfg!(windows) => rest.into(),
            _ => path.to_path_buf(),
        }
    }

    pub fn bring_back(name: &OsStr, target: &Path) -> Result<(), Problem> {
        let failed = |kind, error: trash::Error| Problem::new(kind).detail(error);
        let items = list().map_err(|e| failed(ProblemKind::TrashEmptied, e))?;
        let item = items.into_iter().find(|item| item.id == name);
        let mut item = item.ok_or_else(|| Problem::new(ProblemKind::TrashEmptied))?;
        if let (Some(parent), Some(file_name)) = (target.parent(), target.file_name()) {
            item.original_parent = parent.to_path_buf();
            item.name = file_name.to_owned();
        }
        restore_all([item]).map_err(|error| {
            // The place was free before: an empty file there is only a mark that was to hold it.
            if std::fs::symlink_metadata(target).is_ok_and(|m| m.is_file() && m.len() == 0) {
                let _ = std::fs::remove_file(target);
            }
            failed(ProblemKind::Unwritable, error)
        })
    }
}

/// Where the trash takes but does not give back, the folder beside the pictures serves.
#[cfg(not(any(windows, all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))))))]
mod system {
    use super::{Path, PathBuf, Problem, ProblemKind, Resting};
    use std::ffi::OsStr;

    pub fn discard(files: &[PathBuf]) -> Vec<Option<Resting>> {
        vec![None; files.len()]
    }

    pub fn bring_back(_: &OsStr, _: &Path) -> Result<(), Problem> {
        Err(Problem::new(ProblemKind::TrashEmptied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(bin: &Bin, folder: &Path) -> Resting {
        std::fs::create_dir_all(folder.join("春天")).unwrap();
        let file = folder.join("春天").join("江花 100%.png");
        std::fs::write(&file, "画").unwrap();
        let gone = folder.join("没有.png");
        let results = bin.discard(&[file.clone(), gone]);
        assert!(matches!(&results[..], [Ok(Some(_)), Ok(None)]), "{results:?}");
        assert!(!file.exists());
        let resting = results[0].clone().unwrap().unwrap();
        let (trash, place) = resting.to_record();
        assert_eq!(Resting::from_record(trash, &place), Some(resting.clone()));
        // Its folder has gone and its place is taken when it comes back.
        std::fs::remove_dir(folder.join("春天")).unwrap();
        assert_eq!(bin.bring_back(&resting, &file).unwrap(), file);
        let again = bin.discard(std::slice::from_ref(&file)).remove(0).unwrap().unwrap();
        std::fs::write(&file, "别的").unwrap();
        let beside = bin.bring_back(&again, &file).unwrap();
        assert_eq!(beside, folder.join("春天").join("江花 100%-2.png"));
        assert_eq!(std::fs::read_to_string(&beside).unwrap(), "画");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "别的");
        assert_eq!(bin.bring_back(&again, &file).unwrap_err().kind, ProblemKind::TrashEmptied);
        resting
    }

    #[test]
    fn the_holding_folder_gives_back_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bin = Bin::holding(folder.path());
        assert!(matches!(round_trip(&bin, folder.path()), Resting::Held(_)));
        assert!(!bin.holding_folder().exists(), "it is empty and gone");
    }

    #[test]
    fn a_folder_that_is_not_there_takes_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("画");
        let bin = Bin::holding(&pictures);
        let problem = bin.bring_back(&Resting::Held("1/a.png".into()), &pictures.join("a.png")).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unreadable);
        assert!(!pictures.exists());
    }

    /// In a process of its own, with a trash of its own, since the environment names the trash.
    #[test]
    #[cfg(all(unix, not(any(target_os = "macos", target_os = "ios", target_os = "android"))))]
    fn the_trash_of_the_system_gives_back() {
        const INSIDE: &str = "DANQING_TEST_TRASH";
        if let Some(folder) = std::env::var_os(INSIDE) {
            let folder = PathBuf::from(folder);
            assert!(matches!(round_trip(&Bin::system(&folder), &folder), Resting::System(_)));
            assert!(!Bin::system(&folder).holding_folder().exists());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (data, pictures) = (folder.path().join("data"), folder.path().join("图片"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::create_dir_all(&pictures).unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "gallery::trash::tests::the_trash_of_the_system_gives_back", "--nocapture"])
            .env(INSIDE, &pictures)
            .env("XDG_DATA_HOME", &data)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said} {:?}", child.stderr);
    }
}
