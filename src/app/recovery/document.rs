//! Documents as snapshots, and back.

use super::{Bytes, Placed, Recovered, Snapshot};
use crate::app::filing::Paper;
use crate::base::{Extent, IntRect, Problem, ProblemKind};
use crate::canvas::{Document, Layer, Tile, TileIndex, Tiles};
use crate::imaging::BlendMode;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl<const C: usize> Bytes for Tile<C> {
    fn bytes(&self) -> &[u8] {
        self.pixels.as_flattened()
    }
}

/// Longer entries of project files are not kept, in bytes: a record of the journal has its limits.
const LONGEST_EXTRA: usize = 32 << 20;

/// What is kept of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub document: Document,
    pub paper: Paper,
}

#[derive(Serialize, Deserialize)]
struct About {
    version: u32,
    name: String,
    path: Option<StoredPath>,
    extent: Extent,
    frame: IntRect,
    /// Its place from the bottom.
    active: usize,
    selection: bool,
    layers: Vec<AboutLayer>,
    /// How the last picture was painted.
    #[serde(default)]
    texts: Vec<(String, String)>,
    /// Names of entries of the project file, whose bytes are the places of the last plane.
    #[serde(default)]
    extras: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct AboutLayer {
    name: String,
    opacity: f32,
    blend: String,
    visible: bool,
    locked: bool,
    alpha_locked: bool,
}

/// A path may be no text at all.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredPath {
    Text(String),
    Bytes(Vec<u8>),
}

impl StoredPath {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(path.as_os_str().as_encoded_bytes().to_vec()),
        }
    }

    /// `None` where bytes are not how this system writes paths.
    fn path(self) -> Option<PathBuf> {
        match self {
            Self::Text(text) => Some(text.into()),
            #[cfg(unix)]
            Self::Bytes(bytes) => {
                use std::os::unix::ffi::OsStringExt;
                Some(std::ffi::OsString::from_vec(bytes).into())
            }
            #[cfg(not(unix))]
            Self::Bytes(_) => None,
        }
    }
}

/// The name and the file that a snapshot tells of itself, without its pixels; `None` if it makes no sense.
pub fn title(about: &[u8]) -> Option<(String, Option<PathBuf>)> {
    let about: About = serde_json::from_slice(about).ok()?;
    Some((about.name, about.path.and_then(StoredPath::path)))
}

impl Kept {
    /// As a snapshot, which shares its tiles.
    pub fn snapshot(&self) -> Snapshot {
        let document = &self.document;
        let layers = document.layers().iter().map(|layer| AboutLayer {
            name: layer.name.clone(),
            opacity: layer.opacity,
            blend: layer.blend.svg_name().to_owned(),
            visible: layer.visible,
            locked: layer.locked,
            alpha_locked: layer.alpha_locked,
        });
        let extras = || self.paper.extras.iter().filter(|(_, bytes)| bytes.len() <= LONGEST_EXTRA);
        let about = About {
            version: 1,
            name: self.paper.name.clone(),
            path: self.paper.path.as_deref().map(StoredPath::of),
            extent: document.extent(),
            frame: document.frame(),
            active: document.position(document.active()).unwrap_or_default(),
            selection: document.selection().is_some(),
            layers: layers.collect(),
            texts: self.paper.texts.clone(),
            extras: extras().map(|(name, _)| name.clone()).collect(),
        };
        let mut planes: Vec<_> = document.layers().iter().map(|layer| plane(&layer.pixels)).collect();
        planes.push(plane(document.mask()));
        planes.extend(document.selection().map(plane));
        let entries: Vec<_> =
            (0..).zip(extras()).map(|(x, (_, bytes))| Placed { x, y: 0, tile: bytes.clone() }).collect();
        planes.extend(Some(entries).filter(|entries| !entries.is_empty()));
        // Names, numbers and flags are always JSON.
        Snapshot { about: serde_json::to_vec(&about).unwrap_or_default(), planes }
    }

    /// From what was kept.
    ///
    /// # Errors
    /// [`ProblemKind::RecoveryDamaged`] if it makes no sense.
    pub fn from_recovered(recovered: Recovered) -> Result<Self, Problem> {
        let damaged =
            |detail: &dyn std::fmt::Display| Problem::new(ProblemKind::RecoveryDamaged).with("file", "").detail(detail);
        let about: About = serde_json::from_slice(&recovered.about).map_err(|e| damaged(&e))?;
        let mut planes = recovered.planes.into_iter();
        let mut layers = Vec::new();
        for told in about.layers {
            let mut layer = Layer::new(told.name);
            layer.pixels = planes.next().and_then(tiles).ok_or_else(|| damaged(&"a layer lacks its pixels"))?;
            layer.opacity = told.opacity;
            layer.blend = BlendMode::from_svg_name(&told.blend).unwrap_or_default();
            (layer.visible, layer.locked, layer.alpha_locked) = (told.visible, told.locked, told.alpha_locked);
            layers.push(layer);
        }
        let mask = planes.next().and_then(tiles).ok_or_else(|| damaged(&"the mask is missing"))?;
        let selection = about.selection.then(|| planes.next().and_then(tiles)).flatten();
        let active = layers.get(about.active).map(|layer| layer.id);
        let document = Document::from_layers(about.extent, layers).map_err(|e| damaged(&e))?;
        let mut document = document.with_mask(mask).with_selection(selection).with_frame(about.frame);
        if let Some(active) = active {
            document = document.with_active(active);
        }
        // An entry that is lost costs nothing of the picture.
        let entries = planes.next().unwrap_or_default().into_iter().map(|(.., bytes)| Arc::new(bytes));
        let extras = about.extras.into_iter().zip(entries).collect();
        let path = about.path.and_then(StoredPath::path);
        Ok(Self { document, paper: Paper { path, name: about.name, texts: about.texts, extras } })
    }
}

fn plane<const C: usize>(tiles: &Tiles<C>) -> Vec<Placed> {
    tiles.iter().map(|(at, tile)| Placed { x: at.x, y: at.y, tile: tile.clone() }).collect()
}

/// `None` if a tile is not of the right length.
fn tiles<const C: usize>(plane: Vec<(i32, i32, Vec<u8>)>) -> Option<Tiles<C>> {
    let mut tiles = Tiles::new();
    for (x, y, bytes) in plane {
        let (pixels, []) = bytes.as_chunks::<C>() else { return None };
        let tile = Tile { pixels: pixels.try_into().ok()? };
        tiles.set_tile(TileIndex::new(x, y), Some(Arc::new(tile)));
    }
    Some(tiles)
}

#[cfg(test)]
mod tests {
    use super::super::{Keeper, find};
    use super::*;
    use crate::canvas::MaskTiles;
    use crate::imaging::{Mask, Pixmap};

    fn kept() -> Kept {
        let picture = |seed: u8| {
            let bytes = (0..100 * 80 * 4u32).map(|i| (i * 11) as u8 ^ seed).collect();
            Pixmap::from_rgba(Extent::new(100, 80), bytes).unwrap()
        };
        let (mut paper, mut ink) = (Layer::new("纸"), Layer::new("墨"));
        paper.pixels.put(0, 0, &picture(1));
        ink.pixels.put(-50, 70, &picture(2));
        (ink.opacity, ink.blend, ink.visible) = (0.3, BlendMode::Multiply, false);
        (ink.locked, ink.alpha_locked) = (true, true);
        let active = paper.id;
        let mask = Mask::from_bytes(Extent::new(2, 1), vec![9, 255]).unwrap();
        let document = Document::from_layers(Extent::new(100, 80), vec![paper, ink])
            .unwrap()
            .with_mask(MaskTiles::from_mask(63, 3, &mask))
            .with_selection(Some(MaskTiles::from_mask(-1, 0, &mask)))
            .with_frame(IntRect::new(-4, 4, 64, 32))
            .with_active(active);
        let texts = vec![("parameters".to_owned(), "山\nSteps: 4, Seed: 7".to_owned())];
        let extras = [("danqing/明天", vec![7; 5000]), ("danqing/空", vec![])];
        let extras = extras.map(|(name, bytes)| (name.to_owned(), Arc::new(bytes))).into();
        Kept { document, paper: Paper { name: "山水".into(), path: Some("/画/山水.ora".into()), texts, extras } }
    }

    /// Ids are new in every session; all else is compared.
    fn assert_same(found: &Kept, given: &Kept) {
        let again = Kept::from_recovered(super::super::safe::tests::expected(&given.snapshot())).unwrap();
        for kept in [found, &again] {
            assert_eq!(kept.paper, given.paper);
            let (a, b) = (&kept.document, &given.document);
            assert_eq!(
                (a.extent(), a.frame(), a.mask(), a.selection()),
                (b.extent(), b.frame(), b.mask(), b.selection())
            );
            assert_eq!(a.position(a.active()), b.position(b.active()));
            assert_eq!(a.layers().len(), b.layers().len());
            for (a, b) in a.layers().iter().zip(b.layers()) {
                assert_eq!(Layer { id: b.id, ..a.clone() }, *b);
            }
        }
    }

    #[test]
    fn a_document_comes_back_after_a_sudden_end() {
        let root = tempfile::tempdir().unwrap();
        let keeper = Keeper::spawn(root.path().to_path_buf(), || {});
        keeper.keep(kept().snapshot(), true);
        drop(keeper);
        let found = find(root.path()).remove(0);
        assert_eq!(title(&found.about), Some((kept().paper.name, kept().paper.path)));
        assert_same(&Kept::from_recovered(found.load().unwrap()).unwrap(), &kept());
    }

    #[test]
    fn a_stroke_costs_its_tiles() {
        let before = kept();
        let mut layers = before.document.layers().to_vec();
        layers[0].pixels.set_pixel(5, 5, [1, 2, 3, 4]);
        let after =
            Kept { document: Document::from_layers(before.document.extent(), layers).unwrap(), ..before.clone() };
        let addresses = |kept: &Kept| -> Vec<_> {
            let snapshot = kept.snapshot();
            snapshot.planes[..2].iter().flatten().map(|p| Arc::as_ptr(&p.tile).cast::<()>()).collect()
        };
        let (a, b) = (addresses(&before), addresses(&after));
        assert_eq!(a.iter().zip(&b).filter(|(a, b)| a != b).count(), 1);
    }

    #[test]
    fn entries_of_others_are_written_once_and_those_of_earlier_versions_are_not_missed() {
        let kept = kept();
        let entry = |snapshot: &Snapshot| Arc::as_ptr(&snapshot.planes.last().unwrap()[0].tile).cast::<()>();
        assert_eq!(entry(&kept.snapshot()), entry(&kept.clone().snapshot()));
        let long = ("danqing/长".to_owned(), Arc::new(vec![0; LONGEST_EXTRA + 1]));
        let paper = Paper { extras: vec![long], ..kept.paper.clone() };
        assert_eq!(Kept { paper, ..kept.clone() }.snapshot().planes.len(), 4, "layers, mask and selection");
        let mut old = super::super::safe::tests::expected(&kept.snapshot());
        let mut about: serde_json::Value = serde_json::from_slice(&old.about).unwrap();
        for name in ["texts", "extras"] {
            about.as_object_mut().unwrap().remove(name);
        }
        (old.about, old.planes) = (serde_json::to_vec(&about).unwrap(), old.planes[..4].to_vec());
        let back = Kept::from_recovered(old).unwrap();
        assert_eq!(back.paper, Paper { texts: vec![], extras: vec![], ..kept.paper });
    }

    #[test]
    fn what_makes_no_sense_is_a_problem() {
        let whole = super::super::safe::tests::expected(&kept().snapshot());
        let damage: [fn(&mut Recovered); 4] = [
            |r| r.about.truncate(20),
            |r| r.planes.truncate(1),
            |r| r.planes[0][0].2.truncate(100),
            |r| r.planes.clear(),
        ];
        for damage in damage {
            let mut recovered = whole.clone();
            damage(&mut recovered);
            assert_eq!(Kept::from_recovered(recovered).unwrap_err().kind, ProblemKind::RecoveryDamaged);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_comes_back() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![b'/', 0xff, 0xfe]));
        let given = Kept { paper: Paper { path: Some(path), ..kept().paper }, ..kept() };
        let snapshot = given.snapshot();
        assert_eq!(title(&snapshot.about).unwrap().1, given.paper.path);
    }
}
