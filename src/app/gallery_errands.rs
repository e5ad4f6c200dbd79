//! The clerk's errands for the gallery: whole pictures, copies, files that are dropped into the window.

use crate::base::files::{write_atomically, write_newly};
use crate::base::{Extent, Problem, ProblemKind};
use crate::imaging::Pixmap;
use crate::imaging::read::read_picture;
use crate::imaging::resample::{Filter, resize};
use crate::recipe::metadata::FileKind;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest picture that is decoded, in pixels.
const MOST_PIXELS: u64 = 1 << 26;
/// The longer side of a picture that is shown, in pixels: beyond any screen, and within what graphics cards take.
const MOST_SHOWN: u32 = 4096;
/// Pictures that are taken from one folder that is dropped.
const MOST_OF_FOLDER: usize = 10_000;

/// A picture for the clipboard, in its full size.
///
/// # Errors
/// Those of [`read_picture`].
pub fn whole(file: &Path) -> Result<Arc<Pixmap>, Problem> {
    read_picture(file, MOST_PIXELS).map(Arc::new)
}

/// A picture for the screen.
///
/// # Errors
/// Those of [`read_picture`].
pub fn for_screen(file: &Path) -> Result<Arc<Pixmap>, Problem> {
    let picture = read_picture(file, MOST_PIXELS)?;
    let Extent { width, height } = picture.extent();
    let longest = width.max(height);
    if longest <= MOST_SHOWN {
        return Ok(Arc::new(picture));
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(MOST_SHOWN) / u64::from(longest)).max(1) as u32;
    Ok(Arc::new(resize(&picture, Extent::new(scaled(width), scaled(height)), Filter::Bilinear)))
}

/// Copies a file byte by byte, with all that is written in it.
///
/// # Errors
/// [`ProblemKind::Unreadable`] and [`ProblemKind::Unwritable`].
pub fn copy_file(from: &Path, to: &Path) -> Result<(), Problem> {
    let mut source = opened(from)?;
    // Renaming over itself would be a copy of nothing new.
    if from == to {
        return Ok(());
    }
    write_atomically(to, |writer| std::io::copy(&mut source, writer).map(|_| ()))
}

/// Copies pictures into `folder`, under names that are free; of folders, the pictures right in them. Gives where each
/// lies now; one that lies in `folder` already stays where it is.
pub fn import(files: &[PathBuf], folder: &Path) -> Vec<Result<PathBuf, Problem>> {
    let (folders, files): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| path.is_dir());
    let mut results: Vec<_> = files.into_iter().map(|file| import_one(file, folder)).collect();
    for inside in folders {
        let entries = std::fs::read_dir(inside).map_err(|e| Problem::new(ProblemKind::Unreadable).at(inside).detail(e));
        match entries {
            Ok(entries) => {
                let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
                files.retain(|file| file.is_file() && matches!(FileKind::of(file), Ok(Some(_))));
                files.sort_unstable();
                files.truncate(MOST_OF_FOLDER);
                results.extend(files.iter().map(|file| import_one(file, folder)));
            }
            Err(problem) => results.push(Err(problem)),
        }
    }
    results
}

fn import_one(file: &Path, folder: &Path) -> Result<PathBuf, Problem> {
    let kind = FileKind::of(file)?.ok_or_else(|| Problem::new(ProblemKind::PictureUnreadable).at(file))?;
    if file.starts_with(folder) {
        return Ok(file.to_path_buf());
    }
    let refused = |error| Problem::new(ProblemKind::Unwritable).at(folder).detail(error);
    std::fs::create_dir_all(folder).map_err(refused)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    // The gallery goes by endings, and some are wrong.
    let ending = match kind {
        FileKind::Png => "png",
        FileKind::Jpeg => "jpg",
        FileKind::WebP => "webp",
    };
    let name = |number: u32| if number == 1 { format!("{stem}.{ending}") } else { format!("{stem}-{number}.{ending}") };
    let mut source = opened(file)?;
    write_newly(folder, (1u32..).map(name), |writer| std::io::copy(&mut source, writer).map(|_| ()))
}

fn opened(file: &Path) -> Result<File, Problem> {
    File::open(file).map_err(|error| Problem::new(ProblemKind::Unreadable).at(file).detail(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::png_text::write_png;

    #[test]
    fn what_is_dropped_is_copied_and_overwrites_nothing() {
        let outside = tempfile::tempdir().unwrap();
        let inside = outside.path().join("丹青");
        let album = outside.path().join("旧画册");
        std::fs::create_dir(&album).unwrap();
        let picture = Pixmap::new(Extent::new(4, 4));
        for path in [outside.path().join("远山.png"), album.join("远山.jpeg"), album.join("近水.png")] {
            write_png(&path, &picture, &[]).unwrap();
        }
        std::fs::write(album.join("说明.txt"), "字").unwrap();
        let dropped = [outside.path().join("远山.png"), album.clone(), album.join("说明.txt"), album.join("没有.png")];
        let results = import(&dropped, &inside);
        let names: Vec<_> = results.iter().flatten().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["远山.png", "近水.png", "远山-2.png"]);
        let kinds: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(|problem| problem.kind).collect();
        assert_eq!(kinds, [ProblemKind::PictureUnreadable, ProblemKind::Unreadable]);
        assert_eq!(import(&[inside.join("远山.png")], &inside)[0].as_ref().unwrap(), &inside.join("远山.png"));
        assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 3);
    }

    #[test]
    fn a_huge_picture_is_shown_smaller_and_copied_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (long, copy) = (folder.path().join("长卷.png"), folder.path().join("副本.png"));
        write_png(&long, &Pixmap::new(Extent::new(8192, 3)), &[("danqing".into(), "画".into())]).unwrap();
        assert_eq!(for_screen(&long).unwrap().extent(), Extent::new(4096, 1));
        assert_eq!(whole(&long).unwrap().extent(), Extent::new(8192, 3));
        copy_file(&long, &copy).unwrap();
        assert_eq!(std::fs::read(&long).unwrap(), std::fs::read(&copy).unwrap());
        copy_file(&copy, &copy).unwrap();
        assert_eq!(copy_file(&folder.path().join("无"), &copy).unwrap_err().kind, ProblemKind::Unreadable);
        assert!(copy.exists());
    }
}
