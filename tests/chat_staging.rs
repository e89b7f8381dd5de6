//! The staging service over real sockets: it is honest by default, and each knob shows what it says.
//!
//! A simulator that nobody checks proves nothing about the suite that runs against it.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::unwrap_used, missing_docs)]

use andon::demo::chat_staging as service;

#[path = "chat_staging/client.rs"]
mod client;
#[path = "chat_staging/demo_history.rs"]
mod demo_history;
#[path = "chat_staging/deploy_script.rs"]
mod deploy_script;
#[path = "chat_staging/http_faults.rs"]
mod http_faults;
#[path = "chat_staging/http_surface.rs"]
mod http_surface;
#[path = "chat_staging/sockets.rs"]
mod sockets;
#[path = "chat_staging/streams.rs"]
mod streams;
