//! A case with less patience: what it waits for is the same, but nobody has to wait long to see that it
//! does not come.

use std::time::Duration;

use crate::domain::spec::{Case, DurationBound, Ordering, Shape, Step};

/// How much patience a case is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As much as it asks for: the ideal service answers at once. Limits on time are not looked at, as
    /// they would measure this machine.
    Ideal,
    /// Little for what does not come: the service is wrong in what it says, and waiting would not help.
    /// Not for the case as a whole, so that a slow machine does not look like a case that noticed.
    Hasty,
    /// Little for everything: nothing is ever answered.
    Silence,
    /// As much as it asks for in all, but its limits on time are short, so that to exceed them is quick.
    Limits,
}

/// The timeout of a case that is answered, however slow this machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// The timeout of a case that is never answered.
const UNANSWERED: Duration = Duration::from_secs(1);
/// The time for events that do not come, and for a close.
const EVENTS: Duration = Duration::from_secs(2);
/// The time for what must not come: it passes in full.
const QUIET: Duration = Duration::from_millis(200);
/// The time for trying again, and between two tries.
const EVENTUALLY: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(50));
/// What a limit on time is under `Limits`; a slow service takes longer.
const LIMIT: Duration = Duration::from_millis(100);
/// So often a case is repeated: each time the same would happen.
const TIMES: u32 = 3;
/// The longest pause between two repetitions.
const PAUSE: Duration = Duration::from_millis(10);

impl Pace {
    /// How long a slow service takes for each answer.
    pub const SLOW: Duration = Duration::from_millis(300);
}

/// A case with other patience. Runs side by side become one: all of them meet the same service.
pub fn hastened(case: &Case, pace: Pace) -> Case {
    let shape = match case.shape {
        Shape::Once | Shape::Parallel { .. } => Shape::Once,
        Shape::Repeat { times, every } => {
            Shape::Repeat { times: times.min(TIMES), every: every.min(PAUSE) }
        }
    };
    let timeout = match pace {
        Pace::Silence => UNANSWERED,
        Pace::Ideal | Pace::Hasty | Pace::Limits => PATIENCE,
    };
    Case {
        shape,
        timeout,
        needs: Vec::new(),
        latency: case.latency.iter().filter_map(|(p, b)| Some((*p, limit(*b, pace)?))).collect(),
        steps: case.steps.iter().map(|step| hastened_step(step, pace)).collect(),
        ..case.clone()
    }
}

/// A step with other patience.
pub fn hastened_step(step: &Step, pace: Pace) -> Step {
    let mut step = step.clone();
    step.expect.latency = step.expect.latency.and_then(|bound| limit(bound, pace));
    step.expect.first_byte = step.expect.first_byte.and_then(|bound| limit(bound, pace));
    step.timeout = step.timeout.and_then(|timeout| match pace {
        Pace::Ideal | Pace::Hasty | Pace::Silence => None,
        Pace::Limits => Some(timeout.min(LIMIT)),
    });
    if let Some(eventually) = &mut step.eventually {
        eventually.within = eventually.within.min(EVENTUALLY.0);
        eventually.every = eventually.every.min(EVENTUALLY.1);
    }
    if let Some(events) = &mut step.expect.events {
        events.within = match pace {
            _ if events.all.is_empty() => events.within.min(QUIET),
            Pace::Ideal => PATIENCE,
            Pace::Hasty | Pace::Silence => EVENTS,
            Pace::Limits => events.within.min(LIMIT),
        };
    }
    if let Some(close) = &mut step.expect.close {
        close.within = EVENTS;
    }
    step
}

/// A limit under this pace. One from below is the service's to keep, whoever it is.
fn limit(bound: DurationBound, pace: Pace) -> Option<DurationBound> {
    let short = match bound.ordering {
        Ordering::Greater | Ordering::AtLeast => return Some(bound),
        Ordering::Less | Ordering::AtMost => bound.limit.min(LIMIT),
    };
    match pace {
        Pace::Limits => Some(DurationBound { limit: short, ..bound }),
        Pace::Ideal | Pace::Hasty | Pace::Silence => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_from_above_is_short_where_it_is_tried_and_gone_where_it_is_not() {
        let bound = |ordering| DurationBound { ordering, limit: Duration::from_secs(2) };
        let short = Some(DurationBound { limit: LIMIT, ..bound(Ordering::Less) });
        assert_eq!(limit(bound(Ordering::Less), Pace::Limits), short);
        assert!(LIMIT < Pace::SLOW);
        for pace in [Pace::Ideal, Pace::Hasty, Pace::Silence] {
            assert_eq!(limit(bound(Ordering::AtMost), pace), None);
            assert!(limit(bound(Ordering::Greater), pace).is_some());
        }
    }
}
