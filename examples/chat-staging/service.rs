//! The bundled staging service: a small chat product that a P1 suite can be run against, and broken on purpose.
//!
//! It has the shape of a real one: HS256 tokens, WebSocket sessions with a welcome and agent events, threads and
//! messages, agents with tools, streams, limits. By default it is honest: agents compute, what is posted is kept,
//! streams stream. Everything manufactured, wrong or broken stands behind a field of [`Config`].
//!
//! It knows nothing of Andon: it stands on its own files only, because it is built both as an example and into the
//! library. State lives in memory, is bounded, and ends with the process.

#![allow(clippy::disallowed_methods)] // A staging service reads the clock and the environment like any other.

#[path = "service/agents.rs"]
mod agents;
#[path = "service/app.rs"]
mod app;
#[path = "service/auth.rs"]
mod auth;
#[path = "service/bench.rs"]
mod bench;
#[path = "service/chat.rs"]
mod chat;
#[path = "service/command_line.rs"]
mod command_line;
#[path = "service/config.rs"]
mod config;
#[path = "service/conversation.rs"]
mod conversation;
#[path = "service/distortion.rs"]
mod distortion;
#[path = "service/error.rs"]
mod error;
#[path = "service/frames.rs"]
mod frames;
#[path = "service/gate.rs"]
mod gate;
#[path = "service/limiter.rs"]
mod limiter;
#[path = "service/pages.rs"]
mod pages;
#[path = "service/routes.rs"]
mod routes;
#[path = "service/runs.rs"]
mod runs;
#[path = "service/server.rs"]
mod server;
#[path = "service/session.rs"]
mod session;
#[path = "service/socket.rs"]
mod socket;
#[path = "service/store.rs"]
mod store;
#[path = "service/streams.rs"]
mod streams;
#[path = "service/tools.rs"]
mod tools;
#[path = "service/upgrade.rs"]
mod upgrade;

pub use command_line::main_with_args;
pub use config::{
    AgentEvents, Agents, Config, Health, Isolation, Lag, LimitScope, MessageOrder, RateLimit,
    RevisionSwap, WebsocketAuth,
};
pub use server::serve;
