//! Any bytes, read as playwright; `body.rs` says what must hold.

#![no_main]

#[path = "../body.rs"]
mod body;

use andon::ingest::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::check(Some(Format::Playwright), bytes));
