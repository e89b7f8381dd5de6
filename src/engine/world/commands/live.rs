//! How far the runs of a command are, while they run: looked at each second on a thread that may block.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use crate::command::Growth;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Counts the results of runs that go on side by side.
pub(super) struct LiveCount {
    growth: Vec<Growth>,
    timer: Interval,
    /// A look that is under way has what grows with it.
    looking: Option<JoinHandle<(Vec<Growth>, u32)>>,
    last: u32,
}

impl LiveCount {
    /// Of these runs.
    pub(super) fn of(growth: Vec<Growth>) -> Self {
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { growth, timer, looking: None, last: 0 }
    }

    /// How many results there are, and in how many bytes, once that is another number than before. May be
    /// dropped and called again.
    pub(super) async fn next(&mut self) -> (u32, u64) {
        loop {
            if self.looking.is_none() {
                self.timer.tick().await;
            }
            let looking = self.looking.get_or_insert_with(|| {
                let growth = std::mem::take(&mut self.growth);
                tokio::task::spawn_blocking(move || look(growth))
            });
            let looked = looking.await;
            self.looking = None;
            // Nobody depends on the count: after a failed look there is none.
            let Ok((growth, cases)) = looked else { return std::future::pending().await };
            self.growth = growth;
            if std::mem::replace(&mut self.last, cases) != cases {
                return (cases, self.growth.iter().map(Growth::bytes).sum());
            }
        }
    }
}

fn look(mut growth: Vec<Growth>) -> (Vec<Growth>, u32) {
    let cases = growth.iter_mut().fold(0, |sum: u32, run| sum.saturating_add(run.look()));
    (growth, cases)
}
