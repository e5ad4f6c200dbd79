//! The open document is kept safe while it is painted: whatever ends the program, at most the stroke in hand is lost.
//!
//! [`Keeper`] is handed a [`Snapshot`] after each edit (tiles are shared, so that one costs next to nothing) and writes
//! what is new in it, on a thread of its own, into the [`journal`] of this session. A session that ends well takes its
//! journal away; [`find`] gives those of sessions that did not.

pub mod document;
pub mod journal;
mod keeper;
mod safe;
mod session;

pub use keeper::{Keeper, News};
pub use session::{Found, find};

use std::fmt;
use std::sync::Arc;

/// Something whose bytes are kept; it does not change while it is shared.
pub trait Bytes: Send + Sync {
    fn bytes(&self) -> &[u8];
}

impl Bytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A tile at its place, in tiles from the origin.
#[derive(Clone)]
pub struct Placed {
    pub x: i32,
    pub y: i32,
    pub tile: Arc<dyn Bytes>,
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placed({}, {}, {} bytes)", self.x, self.y, self.tile.bytes().len())
    }
}

/// A document at an instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Everything but pixels, in a form that the giver can read again; at most 64 MiB.
    pub about: Vec<u8>,
    /// The pixels of layers and masks. Tiles that are shared with the snapshot before are not written again.
    pub planes: Vec<Vec<Placed>>,
}

/// A document as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub about: Vec<u8>,
    /// For each plane its tiles: column, row, bytes.
    pub planes: Vec<Vec<(i32, i32, Vec<u8>)>>,
}
