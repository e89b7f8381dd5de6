//! How a supervised command moves from running to over: a pure decision, taken again after
//! everything that happens.

use std::time::Duration;

use super::spec::Leftovers;

/// How long output is read after the end, when a process left behind still holds it.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(2);
/// How long KILL is repeated before what still lives is counted and reported.
pub(super) const KILL_TIME: Duration = Duration::from_secs(10);

/// Instants are times since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The command runs.
    Running,
    /// All were asked to end.
    Terminating { kill_at: Duration },
    /// Those that did not are killed, again and again.
    Killing { give_up_at: Duration },
    /// All is ended that should be; the rest of the output is read.
    Draining { until: Duration },
    /// Nothing is left to wait for.
    Over,
}

/// Who brought about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The command itself.
    Itself,
    /// Its deadline.
    Deadline,
    /// Somebody who asked for it.
    Cancel,
}

/// What was true when the decision is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) now: Duration,
    pub(super) ended: bool,
    pub(super) childless: bool,
    pub(super) output_open: bool,
    pub(super) cancelled: bool,
}

/// The rules that hold for one command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) deadline: Duration,
    pub(super) grace: Duration,
    pub(super) leftovers: Leftovers,
}

/// Where a command stands, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) stage: Stage,
    pub(super) cause: Cause,
}

impl Course {
    pub(super) const START: Self = Self { stage: Stage::Running, cause: Cause::Itself };

    /// The next stage, or the same. A command that ended in time ended by itself, even when the
    /// deadline or a cancel is seen in the same moment.
    pub(super) fn next(self, facts: &Facts, rules: &Rules) -> Self {
        let now = facts.now;
        let drain = Stage::Draining { until: now.saturating_add(DRAIN_TIME) };
        let terminate = Stage::Terminating { kill_at: now.saturating_add(rules.grace) };
        let to = |stage| Self { stage, ..self };
        match self.stage {
            Stage::Running if facts.ended => match rules.leftovers {
                Leftovers::End if !facts.childless => to(terminate),
                Leftovers::End | Leftovers::Keep => to(drain),
            },
            Stage::Running if facts.cancelled => Self { stage: terminate, cause: Cause::Cancel },
            Stage::Running if now >= rules.deadline => {
                Self { stage: terminate, cause: Cause::Deadline }
            }
            Stage::Terminating { .. } | Stage::Killing { .. } if facts.childless => to(drain),
            Stage::Terminating { kill_at } if now >= kill_at => {
                to(Stage::Killing { give_up_at: now.saturating_add(KILL_TIME) })
            }
            Stage::Killing { give_up_at } if now >= give_up_at => to(drain),
            Stage::Draining { until } if !facts.output_open || now >= until => to(Stage::Over),
            Stage::Running
            | Stage::Terminating { .. }
            | Stage::Killing { .. }
            | Stage::Draining { .. }
            | Stage::Over => self,
        }
    }

    /// The instant at which this stage ends by the clock alone.
    pub(super) fn wake_at(self, rules: &Rules) -> Duration {
        match self.stage {
            Stage::Running => rules.deadline,
            Stage::Terminating { kill_at: at }
            | Stage::Killing { give_up_at: at }
            | Stage::Draining { until: at } => at,
            Stage::Over => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const RULES: Rules = Rules { deadline: at(100), grace: at(5), leftovers: Leftovers::Keep };
    const QUIET: Facts =
        Facts { now: at(50), ended: false, childless: false, output_open: true, cancelled: false };

    fn course(stage: Stage, cause: Cause) -> Course {
        Course { stage, cause }
    }

    #[test]
    fn nothing_happens_while_nothing_happened() {
        assert_eq!(Course::START.next(&QUIET, &RULES), Course::START);
    }

    #[test]
    fn an_end_in_time_is_the_commands_own() {
        let facts = Facts { now: at(200), ended: true, cancelled: true, ..QUIET };
        let draining = course(Stage::Draining { until: at(202) }, Cause::Itself);
        assert_eq!(Course::START.next(&facts, &RULES), draining);
    }

    #[test]
    fn deadline_then_grace_then_kill_then_giving_up() {
        let mut now = course(Stage::Running, Cause::Itself);
        let expected = [
            (100, Stage::Terminating { kill_at: at(105) }),
            (104, Stage::Terminating { kill_at: at(105) }),
            (105, Stage::Killing { give_up_at: at(115) }),
            (114, Stage::Killing { give_up_at: at(115) }),
            (115, Stage::Draining { until: at(117) }),
            (117, Stage::Over),
            (900, Stage::Over),
        ];
        for (seconds, stage) in expected {
            now = now.next(&Facts { now: at(seconds), ..QUIET }, &RULES);
            assert_eq!(now, course(stage, Cause::Deadline), "at {seconds} s");
        }
    }

    #[test]
    fn the_leaders_end_alone_does_not_stop_the_killing() {
        let killing = course(Stage::Killing { give_up_at: at(60) }, Cause::Cancel);
        let leader_gone = Facts { ended: true, ..QUIET };
        assert_eq!(killing.next(&leader_gone, &RULES), killing);
        let all_gone = Facts { childless: true, ..leader_gone };
        assert_eq!(killing.next(&all_gone, &RULES).stage, Stage::Draining { until: at(52) });
    }

    #[test]
    fn leftovers_are_ended_only_where_the_rules_say_so() {
        let ended = Facts { ended: true, ..QUIET };
        let ending = Rules { leftovers: Leftovers::End, ..RULES };
        let after = Course::START.next(&ended, &ending);
        assert_eq!(after, course(Stage::Terminating { kill_at: at(55) }, Cause::Itself));
        let kept = Course::START.next(&ended, &RULES);
        assert_eq!(kept.stage, Stage::Draining { until: at(52) });
        let alone = Facts { childless: true, ..ended };
        assert_eq!(Course::START.next(&alone, &ending).stage, Stage::Draining { until: at(52) });
    }

    #[test]
    fn closed_output_ends_the_draining_at_once() {
        let draining = course(Stage::Draining { until: at(52) }, Cause::Itself);
        assert_eq!(draining.next(&QUIET, &RULES), draining);
        let closed = Facts { output_open: false, ..QUIET };
        assert_eq!(draining.next(&closed, &RULES).stage, Stage::Over);
    }
}
