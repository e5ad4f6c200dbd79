//! Snapshots in a journal: only tiles that the one before did not have are written.
//!
//! A tile is a blob: a byte that says how, and either its bytes or, if one pixel of four bytes fills it, their number as
//! u32 and that pixel. A plane is a blob of places: column and row as i32, offset of the tile as u64. A state is the
//! number of planes as u32, the offset of each as u64, and what the snapshot tells about itself. All little-endian.

use super::journal::{Blobs, Journal, Pages, Store};
use super::{Bytes, Placed, Recovered, Snapshot};
use std::collections::HashMap;
use std::io::{self, Error, ErrorKind, Write};
use std::sync::Arc;

const RAW: u8 = 0;
const FLAT: u8 = 1;
/// The largest tile that is read back, in bytes; flat ones could claim any size.
const LARGEST: u32 = 16 << 20;
/// A journal below this is never worth writing anew, in bytes.
const SMALL: u64 = 64 << 20;

/// A tile that is in the journal. Holding it keeps its address from being given to another.
type Known = HashMap<usize, (Arc<dyn Bytes>, u64)>;
type Table = Vec<(i32, i32, u64)>;

/// A journal and what is known to be in it.
pub struct Safe<S> {
    journal: Journal<S>,
    known: Known,
    tables: Vec<(Table, u64)>,
    /// Bytes of the last snapshot's tiles, were they written alone.
    live: u64,
}

impl<S: Store> Safe<S> {
    /// # Errors
    /// Those of the store.
    pub fn begin(store: S) -> io::Result<Self> {
        Ok(Self { journal: Journal::begin(store)?, known: Known::new(), tables: Vec::new(), live: 0 })
    }

    /// Makes a snapshot safe. If that fails, the one before is as safe as it was.
    ///
    /// # Errors
    /// Those of the store.
    pub fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let Self { journal, known, tables, .. } = self;
        let mut now = Known::new();
        let mut tables_now = Vec::new();
        let mut live = 0;
        journal.commit(|blobs| {
            for plane in &snapshot.planes {
                let mut table = Table::with_capacity(plane.len());
                for Placed { x, y, tile } in plane {
                    let address = Arc::as_ptr(tile).cast::<()>() as usize;
                    let at = match now.get(&address).or_else(|| known.get(&address)) {
                        Some((_, at)) => *at,
                        None => add_tile(blobs, tile.bytes())?,
                    };
                    now.insert(address, (tile.clone(), at));
                    table.push((*x, *y, at));
                    live += tile.bytes().len() as u64;
                }
                let before = tables.iter().chain(&tables_now).find(|(before, _)| *before == table);
                let at = match before {
                    Some((_, at)) => *at,
                    None => blobs.add(&table_bytes(&table))?,
                };
                tables_now.push((table, at));
            }
            let mut state = (snapshot.planes.len() as u32).to_le_bytes().to_vec();
            tables_now.iter().for_each(|(_, at)| state.extend(at.to_le_bytes()));
            state.extend(&snapshot.about);
            Ok(state)
        })?;
        (self.known, self.tables, self.live) = (now, tables_now, live);
        Ok(())
    }

    /// True if most of the journal is of the past, and it is time to begin another.
    pub fn is_stale(&self) -> bool {
        self.journal.length() > SMALL + 3 * self.live
    }
}

fn add_tile<S: Write>(blobs: &mut Blobs<'_, S>, tile: &[u8]) -> io::Result<u64> {
    match tile.split_first_chunk::<4>() {
        Some((pixel, rest)) if rest.chunks(4).all(|other| other == pixel) => {
            let mut blob = vec![FLAT];
            blob.extend((tile.len() as u32).to_le_bytes());
            blob.extend(pixel);
            blobs.add(&blob)
        }
        _ => blobs.add(&[&[RAW], tile].concat()),
    }
}

fn table_bytes(table: &Table) -> Vec<u8> {
    let place = |(x, y, at): &(i32, i32, u64)| {
        let bytes = [x.to_le_bytes(), y.to_le_bytes()].concat();
        [bytes, at.to_le_bytes().to_vec()].concat()
    };
    table.iter().flat_map(place).collect()
}

/// The newest state of a journal, whole; `None` if there is none.
pub fn load(pages: &mut Pages) -> Option<Recovered> {
    pages.newest(|pages, state| {
        let (offsets, about) = split(state)?;
        let planes = offsets.into_iter().map(|at| plane(pages, at)).collect::<io::Result<_>>()?;
        Ok(Recovered { about: about.to_vec(), planes })
    })
}

/// What the newest state tells about itself, without its pixels being looked at.
pub fn about(pages: &mut Pages) -> Option<Vec<u8>> {
    pages.newest(|_, state| split(state).map(|(_, about)| about.to_vec()))
}

fn split(state: &[u8]) -> io::Result<(Vec<u64>, &[u8])> {
    let (count, mut rest) = state.split_first_chunk::<4>().ok_or_else(damaged)?;
    let mut offsets = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (offset, after) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        offsets.push(u64::from_le_bytes(*offset));
        rest = after;
    }
    Ok((offsets, rest))
}

fn plane(pages: &mut Pages, at: u64) -> io::Result<Vec<(i32, i32, Vec<u8>)>> {
    let table = pages.blob(at)?;
    let place = |bytes: &[u8]| {
        let (x, rest) = bytes.split_first_chunk::<4>()?;
        let (y, rest) = rest.split_first_chunk::<4>()?;
        Some((i32::from_le_bytes(*x), i32::from_le_bytes(*y), u64::from_le_bytes(*rest.first_chunk()?)))
    };
    let tile = |bytes: &[u8]| {
        let (x, y, at) = place(bytes).ok_or_else(damaged)?;
        Ok((x, y, tile(pages, at)?))
    };
    table.chunks(16).map(tile).collect()
}

fn tile(pages: &mut Pages, at: u64) -> io::Result<Vec<u8>> {
    let mut blob = pages.blob(at)?;
    match blob.as_slice() {
        [RAW, ..] => {
            blob.remove(0);
            Ok(blob)
        }
        [FLAT, a, b, c, d, pixel @ ..] if pixel.len() == 4 => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            if length > LARGEST {
                return Err(damaged());
            }
            Ok(pixel.iter().copied().cycle().take(length as usize).collect())
        }
        _ => Err(damaged()),
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::InvalidData, "a part of the snapshot makes no sense")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::fs::File;
    use std::path::Path;

    /// A tile of 4,096 bytes that differ.
    pub fn tile(seed: u8) -> Arc<dyn Bytes> {
        Arc::new((0..4096u32).map(|i| (i * 7) as u8 ^ seed).collect::<Vec<u8>>())
    }

    pub fn placed(tiles: &[Arc<dyn Bytes>]) -> Vec<Placed> {
        tiles.iter().zip(-1..).map(|(tile, x)| Placed { x, y: 5, tile: tile.clone() }).collect()
    }

    pub fn expected(snapshot: &Snapshot) -> Recovered {
        let bytes = |p: &Placed| (p.x, p.y, p.tile.bytes().to_vec());
        let planes = snapshot.planes.iter().map(|plane| plane.iter().map(bytes).collect()).collect();
        Recovered { about: snapshot.about.clone(), planes }
    }

    fn read(path: &Path) -> Option<Recovered> {
        load(&mut Pages::open(path).unwrap())
    }

    #[test]
    fn only_what_is_new_is_written_and_all_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1");
        let mut safe = Safe::begin(File::create(&path).unwrap()).unwrap();
        let mut tiles: Vec<_> = (0..64).map(tile).collect();
        let mask = placed(&[Arc::new([7u8, 8, 9, 255].repeat(1024)), Arc::new(vec![1, 2, 3]), Arc::new(vec![])]);
        let snapshot = |tiles: &[_], about: &str| Snapshot {
            about: about.into(),
            planes: vec![placed(tiles), mask.clone(), placed(tiles), vec![]],
        };
        let first = snapshot(&tiles, "山");
        safe.save(&first).unwrap();
        let whole = safe.journal.length();
        assert!((64 * 4096..64 * 4096 + 8192).contains(&whole), "{whole}");
        assert_eq!(read(&path), Some(expected(&first)));
        tiles[9] = tile(200);
        let second = snapshot(&tiles, "水");
        safe.save(&second).unwrap();
        let added = safe.journal.length() - whole;
        assert!(added < 4096 + 1500, "{added}");
        assert_eq!(read(&path), Some(expected(&second)));
        safe.save(&second).unwrap();
        assert!(safe.journal.length() - whole - added < 100);
        assert_eq!(about(&mut Pages::open(&path).unwrap()), Some("水".into()));
        assert!(!safe.is_stale());
    }

    #[test]
    fn cut_anywhere_it_is_the_last_whole_snapshot_or_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1");
        let mut safe = Safe::begin(File::create(&path).unwrap()).unwrap();
        let mut tiles: Vec<_> = (0..3).map(tile).collect();
        let mut kept = Vec::new();
        for k in 0..5u8 {
            tiles[usize::from(k) % 3] = tile(100 + k);
            let snapshot = Snapshot { about: vec![k], planes: vec![placed(&tiles)] };
            safe.save(&snapshot).unwrap();
            kept.push((safe.journal.length(), expected(&snapshot)));
        }
        let bytes = std::fs::read(&path).unwrap();
        for length in
            (0..bytes.len()).step_by(97).chain(kept.iter().flat_map(|(end, _)| [*end as usize, *end as usize - 1]))
        {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let last = kept.iter().rev().find(|(end, _)| *end <= length as u64).map(|(_, snapshot)| snapshot.clone());
            assert_eq!(read(&path), last, "cut to {length}");
        }
        // Rot in a tile of the last snapshot leaves the one before.
        let mut rotten = bytes.clone();
        rotten[kept[3].0 as usize + 100] ^= 1;
        std::fs::write(&path, rotten).unwrap();
        assert_eq!(read(&path), Some(kept[3].1.clone()));
    }

    #[test]
    fn a_full_disk_does_not_make_it_believe_that_a_tile_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1");
        let full =
            super::super::journal::tests::Full { file: File::create(&path).unwrap(), room: 10_000, stuck: false };
        let mut safe = Safe::begin(full).unwrap();
        let (a, b, c) = (tile(1), tile(2), tile(3));
        let first = Snapshot { about: vec![1], planes: vec![placed(std::slice::from_ref(&a))] };
        safe.save(&first).unwrap();
        let second = Snapshot { about: vec![2], planes: vec![placed(&[a.clone(), b.clone(), c.clone()])] };
        assert!(safe.save(&second).is_err());
        assert_eq!(read(&path), Some(expected(&first)));
        let third = Snapshot { about: vec![3], planes: vec![placed(&[b])] };
        safe.save(&third).unwrap();
        assert_eq!(read(&path), Some(expected(&third)));
    }
}
