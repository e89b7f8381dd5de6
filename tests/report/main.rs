//! The report and the five-whys documents, told as stories and compared with files that a person has
//! read (`tests/golden/`). `UPDATE_EXPECTED=1` writes those files anew.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bundled;
mod cycles;
mod events;
mod figures;
mod golden;
mod hostile;
mod investigation;
mod linked;
mod mutated;
mod rendered;
mod said;
mod stories;
