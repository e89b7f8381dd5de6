//! What the tests that run the real program share: a place with a repository and a staging, the
//! program itself, and text without what varies. Nothing here decides what is right.

#![allow(unused_imports)] // Each test binary uses a part of it.

mod place;
mod program;
mod stable;
mod stage;

pub(crate) use place::{CANARY, CommitFiles, Place};
pub(crate) use program::{Done, Running, alive, kill, until};
pub(crate) use stable::Stable;
pub(crate) use stage::{Behaviour, Stage};
