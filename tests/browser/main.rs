//! The pages in a real browser: Debian's Chromium, driven over WebDriver. What a person sees while things happen, what
//! a keyboard reaches, what is left without JavaScript, and what axe-core says of each page in light and dark.
//!
//! A browser, its driver or axe-core that is missing is an error; `scripts/test` installs them all. What the pages say is
//! for `tests/daemon/pages.rs`; nothing here looks at bytes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, dead_code)]

mod browser;
mod checks;
mod chromedriver;
#[path = "../daemon/client.rs"]
mod client;
mod commands;
mod demo;
mod grid;
#[path = "../daemon/house.rs"]
mod house;
mod logs;
mod neighbours;
mod pages;
mod pictures;
mod reading;
mod shop;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod writing;
