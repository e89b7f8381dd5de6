//! One round of questions: every surface and every check at the same time.

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::Instant;

use crate::domain::event::{ControlReading, SurfaceReading};
use crate::domain::revision::Sha;
use crate::domain::spec::{Control, Expect, Surface};
use crate::domain::template::text_of;
use crate::probe::ConnectionUse;
use crate::suite::{Checked, RunEnv, check_request, shown_name};
use crate::verdict::{Answer, extract_from_answer};

/// A revision as a surface says it is kept up to so many characters.
const MAX_SERVED_CHARS: usize = 100;
/// So many of the last answers of a surface are remembered.
const MEMORY: usize = 10;

/// What one round showed.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) surfaces: Vec<SurfaceReading>,
    pub(super) checks: Vec<ControlReading>,
}

impl Round {
    /// Whether every surface serves what it should and every check holds.
    pub(super) fn holds(&self) -> bool {
        let good =
            |reading: &SurfaceReading| reading.error.is_none() && reading.matches.unwrap_or(true);
        self.surfaces.iter().all(good) && self.checks.iter().all(|check| check.failure.is_none())
    }
}

/// Asks surfaces again and again, and remembers what they said.
pub(super) struct Asker<'a> {
    env: &'a RunEnv,
    surfaces: &'a [Surface],
    wanted: Option<&'a Sha>,
    began: Instant,
    before: Duration,
    memory: Vec<Memory>,
}

/// What one surface said so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    reads: u32,
    after_ms: Option<u64>,
    /// The last answers, oldest first.
    pub(super) last: Vec<String>,
}

impl<'a> Asker<'a> {
    /// `before` is how long the phase had been running already.
    pub(super) fn new(
        env: &'a RunEnv,
        surfaces: &'a [Surface],
        wanted: Option<&'a Sha>,
        before: Duration,
    ) -> Self {
        let memory = surfaces.iter().map(|_| Memory::default()).collect();
        Self { env, surfaces, wanted, began: Instant::now(), before, memory }
    }

    pub(super) fn memory(&self) -> &[Memory] {
        &self.memory
    }

    /// Asks everything at the same time, each on a fresh connection.
    pub(super) async fn ask(&mut self, checks: &[Control], timeout: Duration) -> Round {
        let asked = self.surfaces.iter().map(|surface| ask_surface(self.env, surface, timeout));
        let (answers, checks) =
            join(join_all(asked), ask_controls(self.env, checks, timeout)).await;
        let after = self.before + self.began.elapsed();
        let surfaces = self.surfaces.iter().zip(answers).zip(&mut self.memory);
        let surfaces = surfaces
            .map(|((surface, served), memory)| memory.take(surface, served, self.wanted, after))
            .collect();
        Round { surfaces, checks }
    }
}

impl Memory {
    fn take(
        &mut self,
        surface: &Surface,
        answer: Served,
        wanted: Option<&Sha>,
        after: Duration,
    ) -> SurfaceReading {
        let matches = wanted.map(|wanted| {
            answer.served.as_deref().is_some_and(|served| wanted.is_served_as(served))
        });
        self.reads += 1;
        if matches == Some(true) {
            let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            self.after_ms.get_or_insert(after);
        }
        if let Some(served) = &answer.served {
            if self.last.len() == MEMORY {
                self.last.remove(0);
            }
            self.last.push(served.clone());
        }
        SurfaceReading {
            surface: surface.name.clone(),
            served: answer.served,
            matches,
            reads: self.reads,
            after_ms: self.after_ms,
            remote: answer.remote,
            error: answer.error,
        }
    }
}

/// What one surface answered.
struct Served {
    served: Option<String>,
    remote: Option<String>,
    error: Option<String>,
}

async fn ask_surface(env: &RunEnv, surface: &Surface, timeout: Duration) -> Served {
    let (name, request) = (&surface.name, &surface.request);
    let expect = Expect::default();
    let checked = check_request(env, name, request, &expect, ConnectionUse::Fresh, timeout).await;
    let remote = remote_of(&checked);
    let failed =
        |error: String| Served { served: None, remote: remote.clone(), error: Some(error) };
    if let Some(failure) = checked.failure {
        return failed(failure.message);
    }
    let Some(answer) = checked.answer else { return failed("no answer".to_owned()) };
    let seen = Answer::new(answer.status, &answer.headers, &answer.body);
    match extract_from_answer(&seen, &surface.value) {
        Ok(value) => {
            let served = env.evidencer().mask(text_of(&value).trim());
            let served = served.chars().take(MAX_SERVED_CHARS).collect();
            Served { served: Some(served), remote, error: None }
        }
        Err(fault) => failed(format!("it answered, but says no revision: {fault}")),
    }
}

/// Asks checks or controls at the same time, each on a fresh connection.
pub(super) async fn ask_controls(
    env: &RunEnv,
    controls: &[Control],
    timeout: Duration,
) -> Vec<ControlReading> {
    let asked = controls.iter().map(|control| async move {
        let Control { name, request, expect } = control;
        let fresh = ConnectionUse::Fresh;
        let checked = check_request(env, name, request, expect, fresh, timeout).await;
        let remote = remote_of(&checked);
        let failure = checked.failure.map(|failure| failure.message);
        ControlReading { name: shown_name(env, name), failure, remote }
    });
    join_all(asked).await
}

fn remote_of(checked: &Checked) -> Option<String> {
    checked.exchanges.last().and_then(|exchange| exchange.remote.clone())
}
