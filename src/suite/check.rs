//! One request outside any case, judged like a step of one: readiness checks, controls, surfaces,
//! requests of a deploy.

use std::collections::HashSet;
use std::time::Duration;

use super::env::RunEnv;
use super::http_step::{HttpDone, HttpStep, perform};
use super::lookup::EnvLookup;
use super::seal::seal_failure;
use crate::domain::evidence::Exchange;
use crate::domain::failure::{Blame, Failure};
use crate::domain::references::{visit_expect, visit_request};
use crate::domain::spec::{Expect, HttpRequest};
use crate::probe::{ConnectionUse, Deadline, HttpAnswer, repro_http};
use crate::verdict::Finding;

/// What came of a request outside any case.
#[derive(Debug)]
pub struct Checked {
    /// Why it did not hold; `None` when it did.
    pub failure: Option<Failure>,
    /// The answer, where one came.
    pub answer: Option<HttpAnswer>,
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
}

/// Makes a request and judges its answer, all within `timeout`.
pub async fn check_request(
    env: &RunEnv,
    name: &str,
    request: &HttpRequest,
    expect: &Expect,
    connection: ConnectionUse,
    timeout: Duration,
) -> Checked {
    let mut names = HashSet::new();
    visit_request(request, &mut |name| {
        names.insert(name.to_owned());
    });
    visit_expect(expect, &mut |name| {
        names.insert(name.to_owned());
    });
    if let Err(error) = env.log_in(&names).await {
        let finding = Finding::measurement(error.class, "identity", "a token", error.to_string())
            .saying(error.to_string());
        let failure = Some(seal_failure(env, finding, name, None));
        return Checked { failure, answer: None, exchanges: Vec::new() };
    }
    let lookup = EnvLookup::of(env);
    let deadline = Deadline::after(timeout);
    let step =
        HttpStep { name, request, expect, capture: &[], connection, cookies: None, deadline };
    let HttpDone { exchanges, answer, judgement } = perform(env, step, &lookup).await;
    let failure = judgement.err().map(|finding| {
        let repro =
            (finding.blame == Blame::Service).then(|| repro_http(request, &lookup.for_repro()));
        seal_failure(env, finding, name, repro)
    });
    Checked { failure, answer, exchanges }
}
