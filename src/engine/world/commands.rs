//! The commands of the suite: one after another, the shards of one side by side.
//!
//! What comes next, and what an end means, is decided by [`crate::command`] from the records. The order
//! is that of a deploy step: the start is durable, then the command runs, then what it reported goes
//! into the ledger, and its end after that. After a crash a run that has no end is taken up: its files
//! are read again, and what was recorded of it is left as it is.

mod forgotten;
mod known;
mod list;
mod live;
mod outcome;
mod running;
mod so_far;

pub(super) use outcome::not_run;

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::live::LiveCount;
use super::World;
use super::suite::WATCH_EVERY;
use crate::command::{self, Conclusion, Growth, Next, NextRun, RunFolder};
use crate::domain::event::{
    CommandPart, CommandRun, CommandStarted, Event, NotRunReason, StoppedBy,
};
use crate::domain::names::CaseId;
use crate::domain::spec::{Suite, SuiteCommand};
use crate::domain::state::{CommandRecord, CycleState};
use crate::engine::{EngineError, Journal, Progress, StatePaths};
use crate::observe::Proxy;
use crate::verdict::selects;

/// The commands of a suite in one cycle.
pub(super) struct Commands<'a> {
    pub suite: &'a Suite,
    /// The deadline of the suite.
    pub deadline_at: Timestamp,
    pub cancel: &'a CancellationToken,
}

impl Commands<'_> {
    /// Why nothing new may begin, if so.
    fn stopped_by(&self, journal: &Journal) -> Option<StoppedBy> {
        if journal.state().cancelled.is_some() || self.cancel.is_cancelled() {
            return Some(StoppedBy::Cancelled);
        }
        (journal.now() >= self.deadline_at).then_some(StoppedBy::Timeout)
    }

    /// Why a command was cut short, if one was.
    pub(super) fn cut_short_by(&self, journal: &Journal) -> Option<StoppedBy> {
        let mut whole = self.selected(journal.state()).into_iter().map(|command| {
            command::conclude(journal.state(), command, self.deadline_at, self.stopped_by(journal))
        });
        let cut = whole.any(|conclusion| {
            matches!(
                conclusion,
                Conclusion::NotRun(NotRunReason::Timeout { .. } | NotRunReason::Cancelled)
            )
        });
        cut.then(|| self.stopped_by(journal)).flatten()
    }

    /// The commands that this cycle runs: all, or with `--only` those that are named, and where a glob
    /// names neither a native case nor a command, all of which only the cases that match are taken.
    fn selected(&self, state: &CycleState) -> Vec<&SuiteCommand> {
        let Some(only) = state.queued.options.only.as_deref() else {
            return self.suite.commands.iter().collect();
        };
        let is_known = |glob: &str| {
            self.suite.cases().any(|case| selects(glob, case.id.as_str()))
                || self.suite.commands.iter().any(|command| is_named(command, glob))
        };
        let names_reported = !only.lines().all(is_known);
        let is_wanted = |command: &&SuiteCommand| names_reported || is_named(command, only);
        self.suite.commands.iter().filter(is_wanted).collect()
    }
}

fn is_named(command: &SuiteCommand, only: &str) -> bool {
    let whole = CaseId::of_command(&command.name);
    selects(only, &command.name) || selects(only, whole.as_str())
}

/// The glob over the cases of a command, where not all of them are wanted.
fn only_of<'a>(state: &'a CycleState, command: &SuiteCommand) -> Option<&'a str> {
    state.queued.options.only.as_deref().filter(|only| !is_named(command, only))
}

impl World {
    /// Runs the commands to their end; gives back why failing cases were not run again, where the
    /// outage rule forbade it.
    pub(super) async fn run_commands(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
    ) -> Result<Option<String>, EngineError> {
        let mut withheld = None;
        let selected: Vec<&SuiteCommand> = commands.selected(journal.state());
        for command in selected {
            let why = self.run_one(journal, commands, command).await?;
            withheld = withheld.or(why);
            self.conclude(journal, commands, command).await?;
            self.mask_what_is_left(journal, command).await;
        }
        Ok(withheld)
    }

    /// Nobody reads the folders of a command any more: no secret stays in them.
    async fn mask_what_is_left(&self, journal: &Journal, command: &SuiteCommand) {
        if self.secrets.is_empty() {
            return;
        }
        let folders: Vec<RunFolder> = journal
            .state()
            .runs_of(&command.name)
            .map(|record| self.folder_of(&record.started))
            .collect();
        let masker = self.masker.clone();
        let masking = tokio::task::spawn_blocking(move || {
            for folder in folders {
                if let Err(fault) = folder.mask(&masker) {
                    tracing::error!(%fault, "what a suite command left behind cannot be masked");
                }
            }
        });
        if masking.await.is_err() {
            tracing::error!("what a suite command left behind was not masked");
        }
    }

    async fn run_one(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
    ) -> Result<Option<String>, EngineError> {
        loop {
            let stopped_by = commands.stopped_by(journal);
            let retries = commands.suite.retries;
            match command::next(journal.state(), command, retries, stopped_by) {
                Next::Done { retries_withheld } => return Ok(retries_withheld),
                Next::Run(runs) => self.run_side_by_side(journal, commands, command, runs).await?,
            }
        }
    }

    async fn run_side_by_side(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
        runs: Vec<NextRun>,
    ) -> Result<(), EngineError> {
        let mut proxies = self.record_starts(journal, commands, command, &runs).await?;
        let mut running = FuturesUnordered::new();
        for next in &runs {
            let record = record_of(journal.state(), &next.run)?.clone();
            let proxy = match record.started.proxy_port.filter(|_| next.recorded) {
                Some(port) => self.proxy(journal, command, (next.run.part, Some(port))).await?,
                None => proxies.remove(&next.run),
            };
            let how = (next.recorded, proxy);
            running.push(self.execution(journal, command, &record, how, commands.cancel)?);
        }
        let mut counting = self.counting(journal, &runs)?;
        let of = how_many(journal.state(), command, &runs);
        let mut watch = tokio::time::interval(WATCH_EVERY);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        watch.tick().await;
        loop {
            tokio::select! {
                ended = running.next() => match ended {
                    Some(ended) => self.record_end(journal, commands, command, ended).await?,
                    None => return Ok(()),
                },
                _ = watch.tick() => self.watch_surfaces(journal).await?,
                (cases, bytes) = counting.next() => {
                    let counted = Progress::Counted { command: &command.name, cases, of };
                    journal.observer().on(counted);
                    // Nobody depends on what is seen before the end.
                    if let Err(fault) = self.tell_so_far(journal, command, &runs, bytes).await {
                        tracing::debug!(%fault, "what a run has written so far is not read");
                    }
                }
            }
        }
    }

    /// Counts what these runs report while they run.
    fn counting(&self, journal: &Journal, runs: &[NextRun]) -> Result<LiveCount, EngineError> {
        let tests = runs.iter().filter(|next| next.run.part != CommandPart::List);
        let growth = tests.map(|next| {
            let record = record_of(journal.state(), &next.run)?;
            Ok(Growth::of(&self.folder_of(&record.started)))
        });
        Ok(LiveCount::of(growth.collect::<Result<_, EngineError>>()?))
    }

    /// Makes the folders and proxies of new runs, and then their starts durable.
    async fn record_starts(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
        runs: &[NextRun],
    ) -> Result<BTreeMap<CommandRun, Proxy>, EngineError> {
        let mut proxies = BTreeMap::new();
        let fresh: Vec<&NextRun> = runs.iter().filter(|next| !next.recorded).collect();
        let shards = self.shards(journal, command, &fresh).await?;
        let mut events = Vec::with_capacity(fresh.len());
        for (place, next) in fresh.into_iter().enumerate() {
            let state = journal.state();
            let (pipeline, cycle) = (&state.queued.pipeline, state.queued.cycle);
            let dir =
                StatePaths::command_run(pipeline, cycle, index_of(commands, command), &next.run);
            let dir = dir.to_string_lossy().into_owned();
            let folder = RunFolder::at(self.absolute(&dir));
            let again = self.spelled(journal, command, next).await?;
            let prepared = folder.prepare().and_then(|()| {
                RunFolder::write_ids(&folder.rerun(), again.iter().map(String::as_str))?;
                let shard = shards.get(place).map_or(&[][..], Vec::as_slice);
                RunFolder::write_ids(&folder.shard(), shard.iter().map(String::as_str))
            });
            prepared.map_err(|fault| EngineError::Internal {
                what: format!("the folder of command {} cannot be made: {fault}", command.name),
            })?;
            let proxy = self.proxy(journal, command, (next.run.part, None)).await?;
            let timeout = SignedDuration::try_from(command.timeout).unwrap_or(SignedDuration::MAX);
            let own = journal.now().saturating_add(timeout).unwrap_or(Timestamp::MAX);
            events.push(Event::CommandStarted(CommandStarted {
                run: next.run.clone(),
                deadline_at: own.min(commands.deadline_at),
                dir,
                proxy_port: proxy.as_ref().map(|proxy| proxy.address().port()),
                again: next.again.clone(),
            }));
            proxies.extend(proxy.map(|proxy| (next.run.clone(), proxy)));
        }
        journal.append(events).await?;
        Ok(proxies)
    }

    fn folder_of(&self, started: &CommandStarted) -> RunFolder {
        RunFolder::at(self.absolute(&started.dir))
    }
}

fn record_of<'a>(
    state: &'a CycleState,
    run: &CommandRun,
) -> Result<&'a CommandRecord, EngineError> {
    let record = state.commands.iter().find(|record| record.started.run == *run);
    record.ok_or_else(|| EngineError::Internal { what: format!("{} was not started", run.command) })
}

/// How many cases these runs are expected to report; 0 where nobody knows.
fn how_many(state: &CycleState, command: &SuiteCommand, runs: &[NextRun]) -> u32 {
    let again: usize = runs.iter().map(|next| next.again.len()).sum();
    let rerun = runs.iter().any(|next| next.run.part == CommandPart::Rerun);
    count(if rerun { again } else { command::cases_of(state, command).count() })
}

fn index_of(commands: &Commands<'_>, command: &SuiteCommand) -> usize {
    commands.suite.commands.iter().position(|other| other.name == command.name).unwrap_or(0)
}

fn today(journal: &Journal) -> jiff::civil::Date {
    jiff::tz::TimeZone::UTC.to_datetime(journal.now()).date()
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}
