//! What the service is told: who it is, and which faults it shall show.
//!
//! Written in YAML (`service.yaml`), strict, every field optional. The default is a healthy, honest service. Each
//! fault was met in a real staging; the names say what a client sees. Decides nothing itself.

use serde::Deserialize;

/// Settings and fault knobs of the staging service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The commit that was deployed. `--revision` overrides it.
    pub revision: String,
    /// The name of the environment, as the welcome states it.
    pub environment: String,
    /// Signs and verifies tokens (HS256). Empty: taken from `CHAT_JWT_KEY`; without either, every token is refused.
    pub jwt_key: String,
    /// What `X-E2E-Bypass-Key` must be at the token mint. Empty: taken from `CHAT_BYPASS_KEY`; without either, the
    /// mint refuses everybody.
    pub bypass_key: String,
    /// Pause between accepting a socket and judging its token.
    pub settle_ms: u64,
    /// Pause between two events of an agent run.
    pub agent_step_ms: u64,
    /// Pause between two chunks of a streamed answer.
    pub chunk_ms: u64,
    /// Pause between two ticks of `/api/events/stream`.
    pub event_tick_ms: u64,
    /// After so many ticks `/api/events/stream` ends by itself.
    pub event_ticks: u64,
    /// Seconds between two `ping` messages of the server on a socket.
    pub heartbeat_s: u64,
    /// How many sockets one user may hold open.
    pub connection_cap: usize,
    /// Which requests are limited, and how.
    pub rate_limit: RateLimit,

    /// Fault: all surfaces report this revision instead of the true one (a deploy that lies).
    pub reported_revision: Option<String>,
    /// Fault: after some requests another revision serves (somebody deployed in the middle of a run).
    pub swap_revision: Option<RevisionSwap>,
    /// Fault: the auth surface is behind the others.
    pub auth_lagging: Option<Lag>,
    /// Fault: for so long after the start everything answers 503.
    pub ready_after_ms: u64,
    /// Fault: what `/health` says.
    pub health: Health,
    /// Fault: every request answers 500.
    pub all_status_500: bool,
    /// Fault: these paths answer 404. A path that ends in `*` stands for all that begin so.
    pub missing_endpoints: Vec<String>,
    /// Fault: every answer is late by so much.
    pub latency_ms: u64,
    /// Fault: what happens to somebody who opens a socket.
    pub websocket_auth: WebsocketAuth,
    /// Fault: `false` leaves out the `connection_established` message.
    pub welcome: bool,
    /// Fault: a closed socket still counts against the cap of its user.
    pub leak_sessions: bool,
    /// Fault: what becomes of the five events of an agent run on a socket.
    pub agent_events: AgentEvents,
    /// Fault: how agents answer over HTTP.
    pub agents: Agents,
    /// Fault: streams send on and never end.
    pub endless_sse: bool,
    /// Fault: the token mint refuses the right bypass key.
    pub bypass_key_rejected: bool,
    /// Fault: tokens are refused so many seconds after they were issued, whatever they say. Also the lifetime of
    /// minted tokens (15 minutes when absent).
    pub token_lifetime_s: Option<i64>,
    /// Fault: who sees whose messages.
    pub isolation: Isolation,
    /// Fault: what becomes of messages in a thread.
    pub message_order: MessageOrder,
    /// Fault: sessions forget their id and count at every call.
    pub forget_sessions: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            revision: "0000000000000000000000000000000000000000".into(),
            environment: "staging".into(),
            jwt_key: String::new(),
            bypass_key: String::new(),
            settle_ms: 20,
            agent_step_ms: 10,
            chunk_ms: 5,
            event_tick_ms: 200,
            event_ticks: 600,
            heartbeat_s: 25,
            connection_cap: 3,
            rate_limit: RateLimit::default(),
            reported_revision: None,
            swap_revision: None,
            auth_lagging: None,
            ready_after_ms: 0,
            health: Health::Healthy,
            all_status_500: false,
            missing_endpoints: Vec::new(),
            latency_ms: 0,
            websocket_auth: WebsocketAuth::Ok,
            welcome: true,
            leak_sessions: false,
            agent_events: AgentEvents::default(),
            agents: Agents::Honest,
            endless_sse: false,
            bypass_key_rejected: false,
            token_lifetime_s: None,
            isolation: Isolation::Kept,
            message_order: MessageOrder::Kept,
            forget_sessions: false,
        }
    }
}

/// After `after_requests` requests to `/api` and `/ws` (readiness questions do not count), `revision` serves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionSwap {
    /// How many requests the first revision answers.
    pub after_requests: u64,
    /// The revision that serves from then on.
    pub revision: String,
}

/// What a lagging surface reports.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// The old revision that the surface still reports.
    pub revision: String,
    /// How long after the start it does so; forever when absent.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// A burst, then a pause in which requests answer 429 with `Retry-After`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Which requests count.
    pub scope: LimitScope,
    /// So many requests of one user are answered within `window_ms`.
    pub burst: u32,
    /// The time in which `burst` requests are allowed.
    pub window_ms: u64,
    /// How long a user who went over the burst has to wait.
    pub pause_ms: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { scope: LimitScope::Search, burst: 20, window_ms: 5_000, pause_ms: 500 }
    }
}

/// Which requests a rate limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// The search, which is expensive. The honest default.
    Search,
    /// Every request: ordinary use soon answers 429.
    Everything,
    /// Nothing is limited.
    Off,
}

/// What `/health` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// 200, `healthy`.
    Healthy,
    /// 200, `degraded`.
    Degraded,
    /// 503, `unhealthy`, `startup_failed`.
    Unhealthy,
}

/// What happens to somebody who opens a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebsocketAuth {
    /// Good tokens are welcome, bad ones are told so and closed with 1008.
    Ok,
    /// Good tokens are refused like bad ones.
    #[serde(rename = "refuse_1008")]
    Refuse1008,
    /// The handshake of everybody answers 403, as a gateway does.
    #[serde(rename = "refuse_403")]
    Refuse403,
    /// The server fails after its first message and closes with 1011.
    #[serde(rename = "close_1011_after_first")]
    Close1011AfterFirst,
    /// Everybody is let in and closed with 1000 at once.
    #[serde(rename = "close_1000_at_once")]
    Close1000AtOnce,
    /// The handshake is never answered.
    Stall,
    /// Nobody is asked for a token.
    AcceptAnyone,
}

/// What becomes of the events of an agent run on a socket. The run itself is honest, except when `faked`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentEvents {
    /// These events are not sent.
    pub missing: Vec<String>,
    /// `tool_completed` comes before `tool_executing`.
    pub reordered: bool,
    /// Each event comes twice.
    pub duplicated: bool,
    /// The events name another run than the one that was started.
    pub from_another_run: bool,
    /// Heartbeats come instead of events.
    pub none: bool,
    /// No agent runs; a timer sends the five events.
    pub faked: bool,
}

/// How agents answer over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agents {
    /// They do what they were asked.
    Honest,
    /// 200, `success`, and the same text for every question.
    Canned,
    /// 200, `degraded`, a fallback text: the agent service is missing and nobody says so.
    Degraded,
}

/// Who sees whose messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Everybody sees their own.
    Kept,
    /// Everybody sees everything.
    Leaks,
    /// Whoever sends `X-User-ID` is taken for that user.
    TrustsHeader,
}

/// What becomes of messages in a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageOrder {
    /// Stored once each, read in order.
    Kept,
    /// Read in reverse.
    Reversed,
    /// Stored twice.
    Duplicated,
    /// Every third message is confirmed and lost.
    Lossy,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn knobs_are_read_by_their_documented_names() {
        let text = "
revision: 4f1c2aa
websocket_auth: close_1011_after_first
agent_events: { missing: [tool_completed], reordered: true }
rate_limit: { scope: everything, burst: 2 }
swap_revision: { after_requests: 5, revision: abc }
missing_endpoints: [/api/mcp/servers]
";
        let config: Config = serde_yaml::from_str(text).unwrap();
        assert_eq!(config.websocket_auth, WebsocketAuth::Close1011AfterFirst);
        assert_eq!(config.agent_events.missing, ["tool_completed"]);
        assert_eq!((config.rate_limit.burst, config.rate_limit.pause_ms), (2, 500));
        assert_eq!(config.swap_revision.map(|swap| swap.after_requests), Some(5));
    }

    #[test]
    fn an_unknown_knob_is_refused() {
        let error = serde_yaml::from_str::<Config>("websocket_aut: ok\n").unwrap_err().to_string();
        assert!(error.contains("websocket_aut"), "{error}");
    }
}
