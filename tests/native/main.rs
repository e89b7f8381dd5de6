//! Native suites end to end: YAML in, attempts out, against a server in this process that can do
//! everything wrong that a real one was seen to do.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.

mod addresses;
mod faults;
mod features;
mod identities;
mod kit;
mod order;
mod readiness;
mod server;
mod sockets;
mod streams;
mod tls;
