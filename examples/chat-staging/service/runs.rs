//! Agent runs: which run, whose, how far, and how to end it early. Bounded; knows nothing of how agents work.

use super::app::{lock, new_id};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

const MAX_RUNS: usize = 2_000;

/// Something that happened in a run, as users see it.
#[derive(Debug, Clone)]
pub(super) struct AgentEvent {
    pub(super) name: &'static str,
    pub(super) data: Value,
    pub(super) correlation: Value,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunState {
    Running,
    Completed { response: String },
    Cancelled,
}

impl RunState {
    fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed { .. } => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

struct Run {
    id: String,
    agent: &'static str,
    user: Option<String>,
    state: RunState,
    cancel: CancellationToken,
}

impl Run {
    /// Runs that nobody owns are everybody's.
    fn is_visible_to(&self, user: Option<&str>) -> bool {
        self.user.is_none() || self.user.as_deref() == user
    }

    fn view(&self) -> Value {
        let response = match &self.state {
            RunState::Completed { response } => Some(response),
            RunState::Running | RunState::Cancelled => None,
        };
        json!({
            "run_id": self.id,
            "agent": self.agent,
            "status": self.state.name(),
            "response": response,
        })
    }
}

/// A run that was just begun.
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) cancel: CancellationToken,
}

/// All runs that are remembered.
#[derive(Default)]
pub(super) struct Runs {
    list: Mutex<VecDeque<Run>>,
}

impl Runs {
    /// Registers a run; it ends early when `stop` is cancelled.
    pub(super) fn begin(
        &self,
        agent: &'static str,
        user: Option<String>,
        stop: &CancellationToken,
    ) -> Begun {
        let begun = Begun { id: new_id(), cancel: stop.child_token() };
        let mut list = lock(&self.list);
        if list.len() >= MAX_RUNS
            && let Some(oldest) = list.pop_front()
        {
            oldest.cancel.cancel();
        }
        list.push_back(Run {
            id: begun.id.clone(),
            agent,
            user,
            state: RunState::Running,
            cancel: begun.cancel.clone(),
        });
        begun
    }

    pub(super) fn end(&self, id: &str, state: RunState) {
        if let Some(run) = lock(&self.list).iter_mut().find(|run| run.id == id) {
            run.state = state;
        }
    }

    /// Asks the run to end; what it is like right now.
    pub(super) fn cancel(&self, id: &str, user: Option<&str>) -> Option<Value> {
        let list = lock(&self.list);
        let run = list.iter().find(|run| run.id == id && run.is_visible_to(user))?;
        run.cancel.cancel();
        Some(run.view())
    }

    pub(super) fn view(&self, id: &str, user: Option<&str>) -> Option<Value> {
        let list = lock(&self.list);
        list.iter().find(|run| run.id == id && run.is_visible_to(user)).map(Run::view)
    }

    pub(super) fn active(&self) -> usize {
        lock(&self.list).iter().filter(|run| run.state == RunState::Running).count()
    }
}
