//! What the knobs do to the events of an agent run on their way to a socket. Pure: events in, events out.

use super::config::AgentEvents;
use super::runs::AgentEvent;
use serde_json::{Value, json};

/// What users see of an agent run, in this order.
pub(super) const FIVE_EVENTS: [&str; 5] =
    ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];

/// Distorts the events of one socket as configured; without faults it changes nothing.
pub(super) struct Distortion {
    faults: AgentEvents,
    held: Option<AgentEvent>,
}

impl Distortion {
    pub(super) fn new(faults: AgentEvents) -> Self {
        Self { faults, held: None }
    }

    /// What is sent when `event` happened.
    pub(super) fn pass(&mut self, event: AgentEvent) -> Vec<AgentEvent> {
        if !FIVE_EVENTS.contains(&event.name) {
            return vec![event];
        }
        if self.faults.none {
            return vec![AgentEvent { name: "heartbeat", data: json!({}), ..event }];
        }
        if self.faults.missing.iter().any(|name| name == event.name) {
            return Vec::new();
        }
        let event = if self.faults.from_another_run { foreign(event) } else { event };
        let events = if self.faults.reordered { self.reorder(event) } else { vec![event] };
        if self.faults.duplicated {
            return events.into_iter().flat_map(|event| [event.clone(), event]).collect();
        }
        events
    }

    /// Holds `tool_executing` back until the event after it has passed.
    fn reorder(&mut self, event: AgentEvent) -> Vec<AgentEvent> {
        if event.name == "tool_executing" {
            self.held = Some(event);
            return Vec::new();
        }
        let mut events = vec![event];
        events.extend(self.held.take());
        events
    }
}

fn foreign(mut event: AgentEvent) -> AgentEvent {
    if let Some(run) = event.data.get_mut("run_id") {
        *run = Value::from("00000000-0000-4000-8000-0000000000ff");
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(faults: AgentEvents) -> Vec<(&'static str, Value)> {
        let mut distortion = Distortion::new(faults);
        FIVE_EVENTS
            .into_iter()
            .map(|name| AgentEvent {
                name,
                data: json!({ "run_id": "r" }),
                correlation: Value::Null,
            })
            .flat_map(|event| distortion.pass(event))
            .map(|event| (event.name, event.data["run_id"].clone()))
            .collect()
    }

    fn only_names(faults: AgentEvents) -> Vec<&'static str> {
        names(faults).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn without_faults_nothing_changes() {
        let all = names(AgentEvents::default());
        assert_eq!(all.len(), 5);
        assert!(all.iter().all(|(_, run)| run == "r"));
    }

    #[test]
    fn each_fault_shows() {
        let missing = AgentEvents { missing: vec!["tool_completed".into()], ..Default::default() };
        assert_eq!(only_names(missing).len(), 4);
        let reordered = only_names(AgentEvents { reordered: true, ..Default::default() });
        assert_eq!(reordered[2..4], ["tool_completed", "tool_executing"]);
        let duplicated = only_names(AgentEvents { duplicated: true, ..Default::default() });
        assert_eq!(duplicated.len(), 10);
        let foreign = names(AgentEvents { from_another_run: true, ..Default::default() });
        assert!(foreign.iter().all(|(_, run)| run != "r"));
        let none = only_names(AgentEvents { none: true, ..Default::default() });
        assert_eq!(none, ["heartbeat"; 5]);
    }
}
