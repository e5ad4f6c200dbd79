//! Small files of the artist's own, as JSON.

use crate::base::files::write_atomically;
use crate::base::{Problem, ProblemKind, Severity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Reads a file; `None` if there is none. One that makes no sense is put aside, with `.bad` after its name, so that
/// nothing is written over it.
///
/// # Errors
/// Warnings, since the program goes on without the file: [`ProblemKind::OwnFileDamaged`], [`ProblemKind::Unreadable`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Problem> {
    let warning = |kind| Problem { severity: Severity::Warning, ..Problem::new(kind) }.at(path);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(warning(ProblemKind::Unreadable).detail(error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let aside = free_name(path);
        let problem = warning(ProblemKind::OwnFileDamaged).detail(error);
        match std::fs::rename(path, &aside) {
            Ok(()) => problem.with("aside", aside.display()),
            Err(_) => problem.with("aside", path.display()),
        }
    })
}

/// `NAME.bad`, or `NAME.bad-2` and so on if that is taken.
fn free_name(path: &Path) -> PathBuf {
    let name = |number: usize| {
        let mut name = path.as_os_str().to_os_string();
        name.push(if number == 1 { ".bad".to_owned() } else { format!(".bad-{number}") });
        PathBuf::from(name)
    };
    (1..100).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(1))
}

/// Writes a file, and its folder if it is not there.
///
/// # Errors
/// [`ProblemKind::Unwritable`].
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), Problem> {
    if let Some(folder) = path.parent() {
        // If this fails, so does the next line, which says why.
        let _ = std::fs::create_dir_all(folder);
    }
    write_atomically(path, |writer| {
        serde_json::to_writer_pretty(&mut *writer, value)?;
        writer.write_all(b"\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_put_aside_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画风").join("styles.json");
        assert_eq!(read::<Vec<u32>>(&path), Ok(None));
        write(&path, &vec![1, 2]).unwrap();
        assert_eq!(read::<Vec<u32>>(&path), Ok(Some(vec![1, 2])));
        for (broken, aside) in [("[1,", "styles.json.bad"), ("{}", "styles.json.bad-2")] {
            std::fs::write(&path, broken).unwrap();
            let problem = read::<Vec<u32>>(&path).unwrap_err();
            assert_eq!((problem.kind, problem.severity), (ProblemKind::OwnFileDamaged, Severity::Warning));
            let aside = path.with_file_name(aside);
            assert_eq!(problem.arg("aside"), Some(aside.display().to_string().as_str()));
            assert_eq!(std::fs::read_to_string(aside).unwrap(), broken);
            assert_eq!(read::<Vec<u32>>(&path), Ok(None));
        }
        assert_eq!(read::<u32>(folder.path()).unwrap_err().kind, ProblemKind::Unreadable);
    }
}
