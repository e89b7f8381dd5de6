//! The `andon` binary: everything is in the library.

fn main() {}
