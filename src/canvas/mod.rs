//! The document: layers of pixels, and the files it is kept in.

pub mod openraster;
