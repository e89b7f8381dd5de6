//! Any bytes, in the format that their content shows; `body.rs` says what must hold.

#![no_main]

#[path = "../body.rs"]
mod body;


libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::check(None, bytes));
