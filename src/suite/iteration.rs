//! One run through the steps of a case: what it captured, its cookies, its open sockets, what it saw.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::env::RunEnv;
use super::http_step::{HttpDone, HttpStep, perform};
use super::lookup::{Captured, Captures, EnvLookup, is_sensitive, shown_name};
use super::seal::{mask_events, mask_learnt, seal_failure};
use super::ws_step::Socket;
use super::{sse_step, ws_step};
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Blame, Failure};
use crate::domain::references::visit_step;
use crate::domain::spec::{Action, Step};
use crate::domain::template::text_of;
use crate::probe::{ConnectionUse, CookieJar, Deadline, repro_http, repro_sse};
use crate::verdict::{Finding, describe_duration};

/// How long sockets that are still open get to close in good order at the end.
const CLOSE_GRACE: Duration = Duration::from_secs(1);
/// How much longer than `eventually.within` a look may take that began within it.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// One run through the steps of a case.
pub(super) struct Iteration<'a> {
    pub(super) env: &'a RunEnv,
    setup: &'a Captures,
    index: u32,
    captures: Captures,
    pub(super) cookies: Mutex<CookieJar>,
    pub(super) sockets: HashMap<String, Socket>,
    pub(super) evidence: Evidence,
    /// Captured values that are probably credentials.
    learnt: Vec<String>,
}

impl<'a> Iteration<'a> {
    pub(super) fn new(env: &'a RunEnv, setup: &'a Captures, index: u32) -> Self {
        Self {
            env,
            setup,
            index,
            captures: Captures::new(),
            cookies: Mutex::default(),
            sockets: HashMap::new(),
            evidence: Evidence::default(),
            learnt: Vec::new(),
        }
    }

    /// Runs steps in order up to the first that does not hold.
    pub(super) async fn run(&mut self, steps: &[Step], deadline: Deadline) -> Result<(), Failure> {
        for step in steps {
            self.step(step, deadline).await?;
        }
        Ok(())
    }

    /// Runs one step, again and again where it says so.
    pub(super) async fn step(&mut self, step: &Step, deadline: Deadline) -> Result<(), Failure> {
        let started = Instant::now();
        let own = step.timeout.map(|timeout| Deadline::from(started, timeout));
        let deadline = own.map_or(deadline, |own| deadline.or_sooner(own));
        let Some(eventually) = step.eventually else { return self.attempt(step, deadline).await };
        let until = deadline.at.min(started + eventually.within);
        // The last look must be able to end, even if it begins just before the time is over.
        let last = Deadline { at: until + LAST_LOOK, limit: eventually.within };
        for tries in 1_u32.. {
            let failure = match self.attempt(step, deadline.or_sooner(last)).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let next = Instant::now() + eventually.every;
            if failure.blame == Blame::Measurement || next > until {
                return Err(after_tries(failure, tries, started.elapsed()));
            }
            sleep_until(next).await;
        }
        unreachable!("the time is over before the tries are")
    }

    /// Runs one step once.
    async fn attempt(&mut self, step: &Step, deadline: Deadline) -> Result<(), Failure> {
        self.log_in(step).await?;
        let env = self.env;
        let captures = std::mem::take(&mut self.captures);
        let lookup = EnvLookup::within(env, [Some(&captures), Some(self.setup)], self.index);
        if let Some(prompt) = &env.shared.prompt {
            prompt(step, &lookup);
        }
        let judged = match &step.action {
            Action::Http(request) => {
                let http = HttpStep {
                    name: &step.name,
                    request,
                    expect: &step.expect,
                    capture: &step.capture,
                    connection: ConnectionUse::Shared,
                    cookies: Some(&self.cookies),
                    deadline,
                };
                let HttpDone { exchanges, judgement, .. } = perform(env, http, &lookup).await;
                exchanges.into_iter().for_each(|exchange| self.evidence.record(exchange));
                judgement.map_err(|finding| {
                    let repro = repro_http(request, &lookup.for_repro());
                    (finding, Some(repro))
                })
            }
            Action::Sse(stream) => {
                sse_step::perform(self, step, &stream.request, deadline, &lookup).await.map_err(
                    |finding| {
                        let events = step.expect.events.as_ref();
                        let repro = repro_sse(&stream.request, events, &lookup.for_repro());
                        (finding, Some(repro))
                    },
                )
            }
            Action::Ws(ws) => ws_step::perform(self, step, ws, deadline, &lookup).await,
        };
        let sealed = judged.map_err(|(finding, repro)| {
            let repro = repro.filter(|_| finding.blame == Blame::Service);
            seal_failure(env, finding, &step.name, repro)
        });
        self.captures = captures;
        self.keep(&step.name, sealed?);
        Ok(())
    }

    /// Logins first: an identity that cannot be had is our failure, not the service's.
    async fn log_in(&self, step: &Step) -> Result<(), Failure> {
        let mut names = HashSet::new();
        visit_step(step, &mut |name| {
            names.insert(name.to_owned());
        });
        self.env.log_in(&names).await.map_err(|error| {
            let finding =
                Finding::measurement(error.class, "identity", "a token", error.to_string())
                    .saying(error.to_string());
            seal_failure(self.env, finding, &step.name, None)
        })
    }

    fn keep(&mut self, step: &str, captured: Vec<(String, Value)>) {
        for (name, value) in captured {
            let text = text_of(&value);
            if is_sensitive(&name) && text.len() >= 12 {
                self.learnt.push(text);
            }
            let step = shown_name(self.env, step);
            self.captures.insert(name, Captured { value, step });
        }
    }

    /// Closes what is open; gives the result, the evidence and what was captured.
    pub(super) async fn finish(mut self, mut result: Result<(), Failure>) -> Finished {
        let deadline = Instant::now() + CLOSE_GRACE;
        let closing = self.sockets.drain().map(|(_, socket)| socket.leave(deadline));
        futures_util::future::join_all(closing).await;
        mask_events(&mut self.evidence, &self.env.evidencer().masker());
        mask_learnt(&mut result, &mut self.evidence, &self.learnt);
        let Self { evidence, captures, learnt, .. } = self;
        Finished { result, evidence, captures, learnt }
    }
}

/// What an iteration leaves behind.
pub(super) struct Finished {
    pub(super) result: Result<(), Failure>,
    pub(super) evidence: Evidence,
    pub(super) captures: Captures,
    /// Captured values that are probably credentials.
    pub(super) learnt: Vec<String>,
}

fn after_tries(failure: Failure, tries: u32, took: Duration) -> Failure {
    if tries < 2 {
        return failure;
    }
    let message =
        format!("{} (tried {tries} times in {})", failure.message, describe_duration(took));
    Failure { message, ..failure }
}
