//! Writing files so that a crash at any instant leaves either the old file or the new one, never a part.

use super::problem::{Problem, ProblemKind};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes `path` through a temporary file beside it, flushed to the disk and renamed over the target.
///
/// # Errors
/// [`ProblemKind::Unwritable`] if the folder or the file refuses; the target is then as it was.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Problem> {
    let temporary = filled(path, fill)?;
    temporary.persist(path).map_err(|e| refused(path, e.error))?;
    Ok(())
}

/// Writes a new file under the first of the names in `folder` that is free, and gives its path. As with
/// [`write_atomically`], nobody ever sees a part of it, and a file that is there already is never touched.
///
/// # Errors
/// [`ProblemKind::Unwritable`] if the folder or the file refuses, or every name is taken.
pub fn write_newly(
    folder: &Path,
    names: impl IntoIterator<Item = String>,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<PathBuf, Problem> {
    let mut names = names.into_iter().map(|name| folder.join(name)).filter(|path| !path.exists());
    let Some(mut path) = names.next() else {
        return Err(Problem::new(ProblemKind::Unwritable).at(folder).detail("every name is taken"));
    };
    let mut temporary = filled(&path, fill)?;
    loop {
        // Another window may have taken the name meanwhile.
        match temporary.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(back) if back.error.kind() == ErrorKind::AlreadyExists => {
                temporary = back.file;
                path = names.next().ok_or_else(|| refused(folder, back.error))?;
            }
            // Some file systems of memory cards can only replace.
            Err(back) => {
                back.file.persist(&path).map_err(|e| refused(&path, e.error))?;
                return Ok(path);
            }
        }
    }
}

fn refused(path: &Path, error: std::io::Error) -> Problem {
    Problem::new(ProblemKind::Unwritable).at(path).detail(error)
}

/// A temporary file beside `path` with everything in it, safe on the disk.
fn filled(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<NamedTempFile, Problem> {
    let refused = |error: std::io::Error| refused(path, error);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".danqing-").suffix(".part");
    #[cfg(unix)]
    {
        // A picture is for sharing: the umask decides who may read it, not the privacy of temporary files.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder).map_err(refused)?;
    let mut writer = BufWriter::new(temporary);
    fill(&mut writer).map_err(refused)?;
    let temporary = writer.into_inner().map_err(|e| refused(e.into_error()))?;
    temporary.as_file().sync_all().map_err(refused)?;
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("画.txt");
        write_atomically(&path, |w| w.write_all("旧".as_bytes())).unwrap();
        let result = write_atomically(&path, |w| {
            w.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert_eq!(result.unwrap_err().kind, ProblemKind::Unwritable);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "旧");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    #[test]
    fn a_new_file_takes_the_first_free_name_and_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let names = || ["画.png", "画-2.png"].map(String::from);
        let write = |words: &'static str| write_newly(folder.path(), names(), |w| w.write_all(words.as_bytes()));
        let first = write("一").unwrap();
        let second = write("二").unwrap();
        assert_eq!(write("三").unwrap_err().kind, ProblemKind::Unwritable);
        assert_eq!(std::fs::read_to_string(first).unwrap(), "一");
        assert_eq!(std::fs::read_to_string(second).unwrap(), "二");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let failed = write_newly(folder.path(), ["丙".into()], |_| Err(std::io::Error::other("disk full")));
        assert_eq!(failed.unwrap_err().kind, ProblemKind::Unwritable);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no part is left");
    }

    #[test]
    fn a_name_that_is_taken_while_the_file_is_filled_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("画.png");
        let path = write_newly(folder.path(), ["画.png".into(), "画-2.png".into()], |w| {
            std::fs::write(&taken, "别人的")?;
            w.write_all("我的".as_bytes())
        });
        assert_eq!(std::fs::read_to_string(path.unwrap()).unwrap(), "我的");
        assert_eq!(std::fs::read_to_string(&taken).unwrap(), "别人的");
    }
}
