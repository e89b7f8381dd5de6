//! One HTTP request, WebSocket or server-sent stream, and everything that was seen of it.
//!
//! Requests go over a dialer of our own, so that the evidence can say where the time went, which
//! address answered and what its certificate says, the same for every protocol. Nothing here
//! judges: what an answer means is for `verdict`. Every wait ends at the caller's deadline, every
//! buffer has a cap.

mod answer;
mod client;
mod cookies;
mod deadline;
mod dial;
mod fault;
mod pool;
mod redirect;
mod render;
mod repro;
mod request;
mod sse;
mod stand_in;
mod stream;
mod target;
mod tls;
mod trace;
mod transport;
mod turns;
mod ws;

pub use answer::{HttpAnswer, MAX_BODY_BYTES};
pub use client::{Call, Client, ConnectionUse, HttpResult, WallClock};
pub use cookies::CookieJar;
pub use deadline::Deadline;
pub use fault::{Fault, FaultKind};
pub use render::{render_request, render_ws_message, render_ws_open};
pub use repro::{address_variable, repro_http, repro_sse, repro_ws, variable};
pub use request::{Request, WsRequest};
pub use sse::{SseEvent, SseParser};
pub use stand_in::StandIn;
pub use stream::{OnEvent, StreamEnd, StreamResult};
pub use target::HostRules;
pub use tls::crypto_provider;
pub use trace::Evidencer;
pub use ws::{AfterMessage, WsEnd, WsOpening, WsSession};
