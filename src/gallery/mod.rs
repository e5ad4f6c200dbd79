//! The pictures that were made: an index over the picture files of one folder.
//!
//! The files are the truth. The index (SQLite) can be thrown away at any time and is built again from them; what the
//! files cannot say, which of them are favourites, lies in a text file beside them. One thread, the
//! [`librarian::Librarian`]'s, owns the index; everybody else sends requests and reads reports.

mod entry;
mod favourites;
mod librarian;
mod query;
mod scan;
mod schema;
mod store;
mod thumbnails;
mod trash;

pub use entry::{Details, Entry, EntryId, Facts, Stamp};
pub use librarian::{Librarian, Place, Report, Request};
pub use query::{Query, Sort};
pub use scan::{Progress, Scan, Step, Summary};
pub use store::{Deletion, Store, Token};
pub use thumbnails::{THUMBNAIL, Thumbnail};
pub use trash::{Bin, Resting};
