//! Reads a scenario's folder, plays its story with the real program, and compares what came of it with
//! what stands in the folder.

mod events;
mod expect;
mod play;
mod story;

pub(crate) use play::play;
