//! Writing files so that a crash at any instant leaves either the old file or the new one, never a part.

use super::problem::{Problem, ProblemKind};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `path` through a temporary file beside it, flushed to the disk and renamed over the target.
///
/// # Errors
/// [`ProblemKind::Unwritable`] if the folder or the file refuses; the target is then as it was.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Problem> {
    let refused = |error: std::io::Error| Problem::new(ProblemKind::Unwritable).at(path).detail(error);
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
    temporary.persist(path).map_err(|e| refused(e.error))?;
    Ok(())
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
}
