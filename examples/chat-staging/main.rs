//! Starts the staging service of the demo: `cargo run --example chat-staging -- --listen 127.0.0.1:7171`.
//!
//! All it does is in `service.rs`, which the library includes as well; nothing belongs here.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.

#[path = "service.rs"]
pub mod service;

fn main() -> std::process::ExitCode {
    service::main_with_args(std::env::args_os().skip(1))
}
