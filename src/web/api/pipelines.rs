//! Pipelines: what each does now, and what is known of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::daemon::{Blocked, GaveUp, Running, Served, Watching};
use crate::domain::event::RollbackPlanned;
use crate::domain::login::masked_logins;
use crate::domain::names::{CaseId, PipelineName};
use crate::domain::outcome::Phase;
use crate::domain::spec::Pipeline;
use crate::engine::gone_back_to;
use crate::pipeline::crontab::{Crontab, Zones};
use crate::store::{
    CommitRow, CycleKey, CycleRow, Definitions, PipelineRow, WaitingTrigger, definitions_of,
};
use crate::web::call::{Answer, Call, ok};
use crate::web::forms::{
    CaseForm, CaseRowForm, CommitsForm, CycleRowForm, DeployedForm, GaveUpForm, InvestigationForm,
    InvestigationsForm, NextForm, NoRoomForm, PipelineForm, PipelineState, PipelinesForm,
    ProgressForm, RunningForm, SearchingForm, StatusForm, TriggerForm, UnservedForm, WatchingForm,
    time,
};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// The most entries of a list that one answer has.
const MAX_LIMIT: u32 = 1_000;

/// How much of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Limit {
    pub(super) limit: Option<i64>,
}

impl Limit {
    pub(in crate::web) fn or(&self, default: u32) -> Result<u32, Problem> {
        match self.limit {
            Some(..=0) => Err(Problem::bad_request("`limit` is at least 1")),
            Some(limit) => Ok(u32::try_from(limit).unwrap_or(MAX_LIMIT).min(MAX_LIMIT)),
            None => Ok(default),
        }
    }
}

/// `GET status`
pub(in crate::web) async fn status(call: Call) -> Answer {
    let site = &call.site;
    let (news_waiting, _) = site.store().outbox_counts().await?;
    ok(&StatusForm {
        andon: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: time(site.started_at()),
        draining: site.handle().draining().is_cancelled(),
        no_room: site
            .handle()
            .no_room()
            .map(|no_room| NoRoomForm { why: no_room.why, since: time(no_room.since) }),
        news_waiting,
        unserved: site.handle().unserved().iter().map(UnservedForm::from).collect(),
        pipelines: Now::look(site).await?.all(),
    })
}

/// `GET pipelines`
pub(in crate::web) async fn list(call: Call) -> Answer {
    ok(&PipelinesForm { pipelines: Now::look(&call.site).await?.all() })
}

/// `GET pipelines/{pipeline}`
pub(in crate::web) async fn one(call: Call) -> Answer {
    let name = call.pipeline().await?;
    ok(&Now::look(&call.site).await?.of(&name))
}

/// `GET pipelines/{pipeline}/commits`
pub(in crate::web) async fn commits(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let limit = call.query::<Limit>()?.or(100)?;
    let rows = call.site.store().list_commits(&name, limit).await?;
    ok(&CommitsForm { commits: rows_of(&rows) })
}

/// Commits as they are sent.
pub(in crate::web) fn rows_of(commits: &[CommitRow]) -> Vec<serde_json::Value> {
    let value = |row| serde_json::to_value(row).expect("a row is plain data");
    commits.iter().map(value).collect()
}

/// `GET pipelines/{pipeline}/investigations`
pub(in crate::web) async fn investigations(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let rows = call.site.store().list_investigations(Some(&name)).await?;
    let form = |row: &crate::store::InvestigationRow| InvestigationForm {
        id: row.id.to_string(),
        pipeline: row.pipeline.to_string(),
        fingerprint: row.fingerprint.to_string(),
        state: row.state.as_str().to_owned(),
        opened_in: row.opened_in,
        reopened_in: row.reopened_in,
        last_seen: row.last_seen,
        file: row.file(),
    };
    ok(&InvestigationsForm { investigations: rows.iter().map(form).collect() })
}

/// `GET pipelines/{pipeline}/cases/{case}`
pub(in crate::web) async fn case(call: Call) -> Answer {
    let limit = call.query::<Limit>()?.or(50)?;
    ok(&history_of_case(&call, limit).await?.0)
}

/// The history of the case that the path names, and what is known of its definitions.
pub(in crate::web) async fn history_of_case(
    call: &Call,
    limit: u32,
) -> Result<(CaseForm, Definitions), Problem> {
    let name = call.pipeline().await?;
    let given = call.parameter("case");
    let id = CaseId::parse(given).map_err(|fault| Problem::bad_request(fault.to_string()))?;
    let rows = call.site.store().case_history(&name, &id, limit).await?;
    if rows.is_empty() {
        return Err(Problem::not_found(format!("pipeline {name} has no case {given:?}"))
            .help("a case is known once it ran"));
    }
    let definitions = definitions_of(call.site.store(), &name, &id, &rows).await?;
    let cycles = CaseRowForm::list(&rows, &definitions);
    Ok((CaseForm { pipeline: name.to_string(), case: id.to_string(), cycles }, definitions))
}

/// Everything that is known about now, asked for once.
pub(in crate::web) struct Now {
    served: std::sync::Arc<BTreeMap<PipelineName, Served>>,
    running: BTreeMap<CycleKey, Running>,
    blocked: BTreeMap<PipelineName, Blocked>,
    watching: BTreeMap<PipelineName, Watching>,
    /// What is wrong is told of the disk, and of no repository.
    lacks_room: bool,
    waiting: Vec<WaitingTrigger>,
    open: Vec<CycleRow>,
    rows: BTreeMap<PipelineName, PipelineRow>,
    /// Where the newest cycle of a pipeline went back to.
    gone_back: BTreeMap<PipelineName, RollbackPlanned>,
    gave_up: BTreeMap<PipelineName, GaveUp>,
    at: Timestamp,
}

impl Now {
    pub(in crate::web) async fn look(site: &Site) -> Result<Self, Problem> {
        let store = site.store();
        let rows = store.list_pipelines().await?;
        let served = site.handle().pipelines();
        let mut gone_back = BTreeMap::new();
        for row in rows.iter().filter(|row| may_have_gone_back(row, &served)) {
            let Some(latest) = &row.latest else { continue };
            if let Some(to) = gone_back_to(store, latest).await? {
                gone_back.insert(row.pipeline.clone(), to);
            }
        }
        Ok(Self {
            served,
            gone_back,
            gave_up: site.handle().gave_up(),
            running: site.handle().running(),
            blocked: site.handle().blocked(),
            watching: site.handle().watching(),
            lacks_room: site.handle().no_room().is_some(),
            waiting: store.waiting_triggers().await?,
            open: store.open_cycles(None).await?,
            rows: rows.into_iter().map(|row| (row.pipeline.clone(), row)).collect(),
            at: site.now(),
        })
    }

    /// Those that are served.
    pub(in crate::web) fn all(&self) -> Vec<PipelineForm> {
        self.served.keys().map(|name| self.of(name)).collect()
    }

    pub(in crate::web) fn of(&self, name: &PipelineName) -> PipelineForm {
        let served = self.served.get(name);
        let pipeline = served.map(|served| served.pipeline.as_ref());
        let latest = self.rows.get(name).and_then(|row| row.latest.as_ref());
        let environment = pipeline
            .map(|pipeline| pipeline.environment.to_string())
            .or_else(|| latest.map(|row| row.environment.to_string()));
        let (state, why) = self.state(name);
        PipelineForm {
            pipeline: name.to_string(),
            description: pipeline.and_then(|pipeline| pipeline.description.clone()),
            environment: environment.unwrap_or_default(),
            served: served.is_some(),
            repo: pipeline
                .and_then(|p| p.watch.as_ref())
                .map(|watch| masked_logins(&watch.repo).into_owned()),
            state,
            why,
            stale: served.and_then(|served| served.stale.clone()),
            running: self.running_form(name),
            waiting: self.waiting_of(name).map(TriggerForm::from).collect(),
            search: self.searching(name),
            latest: latest.map(CycleRowForm::from),
            gave_up: self.gave_up.get(name).map(GaveUpForm::from),
            deployed: self.gone_back.get(name).map(DeployedForm::from),
            watching: self.watching.get(name).and_then(|it| watching_form(it, self.lacks_room)),
            next: pipeline.and_then(|pipeline| self.next_time(name, pipeline)),
        }
    }

    /// The first of the schedules' next times: as the scheduler has it, else worked out.
    fn next_time(&self, name: &PipelineName, pipeline: &Pipeline) -> Option<NextForm> {
        let due = self.watching.get(name).map_or(&[][..], |watching| &watching.next_due);
        let due = due.iter().map(|(schedule, at)| (*at, schedule.clone())).min();
        let (at, schedule) = due.or_else(|| next_time(pipeline, self.at))?;
        Some(NextForm { schedule, at: time(at) })
    }

    /// The step of a search that runs, else the one that waits.
    fn searching(&self, name: &PipelineName) -> Option<SearchingForm> {
        let runs = self.open.iter().filter(|row| row.pipeline == *name);
        let runs = runs.filter_map(|row| Some((row.search_of?, &row.cause.detail)));
        let waits =
            self.waiting_of(name).filter_map(|it| Some((it.options.search_of?, &it.cause.detail)));
        let (of, says) = runs.chain(waits).next()?;
        Some(SearchingForm { of, says: says.clone() })
    }

    fn waiting_of(&self, name: &PipelineName) -> impl Iterator<Item = &WaitingTrigger> {
        self.waiting.iter().filter(move |trigger| trigger.pipeline == *name)
    }

    fn state(&self, name: &PipelineName) -> (PipelineState, Option<String>) {
        let open = self.open.iter().filter(|row| row.pipeline == *name);
        if let Some(held) = open.clone().find(|row| row.held) {
            let cycle = held.summary.cycle;
            let rollout = if held.phase == Phase::Rollback { "rollback" } else { "deploy" };
            let why = format!(
                "nobody knows how the {rollout} of cycle {cycle} ended; find out, then \
                 `andon resume {name} {cycle} --as deployed|failed|rerun`"
            );
            return (PipelineState::Held, Some(why));
        }
        let runs = self.running.keys().any(|key| key.pipeline == *name) || open.count() > 0;
        let blocked = self.blocked.get(name);
        match (runs, blocked, self.waiting_of(name).next()) {
            (true, _, _) => (PipelineState::Running, None),
            (false, Some(blocked), _) => (PipelineState::Blocked, Some(blocked.why.clone())),
            (false, None, Some(_)) => (PipelineState::Waiting, self.circle(name)),
            (false, None, None) => (PipelineState::Idle, self.circle(name)),
        }
    }

    /// Why commits that came start nothing.
    fn circle(&self, name: &PipelineName) -> Option<String> {
        let health = self.watching.get(name)?.health.as_ref()?;
        health.circle.as_ref().map(|circle| circle.told())
    }

    fn running_form(&self, name: &PipelineName) -> Option<RunningForm> {
        if let Some((key, running)) = self.running.iter().find(|(key, _)| key.pipeline == *name) {
            let progress = running.progress.map(|(done, planned)| ProgressForm { done, planned });
            return Some(RunningForm {
                cycle: key.cycle,
                phase: running.phase.to_string(),
                since: time(running.since),
                progress,
                cancelled_by: running.cancelled_by.clone(),
                here: true,
            });
        }
        let open = |row: &&CycleRow| row.pipeline == *name && row.phase != Phase::Finished;
        let row = self.open.iter().find(open)?;
        Some(RunningForm {
            cycle: row.summary.cycle,
            phase: row.phase.to_string(),
            since: time(row.summary.started_at),
            progress: None,
            cancelled_by: None,
            here: false,
        })
    }
}

/// Whether the pipeline says that a cycle with the newest one's verdict goes back.
fn may_have_gone_back(row: &PipelineRow, served: &BTreeMap<PipelineName, Served>) -> bool {
    let deploy = served.get(&row.pipeline).and_then(|served| served.pipeline.deploy.as_ref());
    let rollback = deploy.and_then(|deploy| deploy.rollback.as_ref());
    let verdict = row.latest.as_ref().and_then(|latest| latest.summary.verdict);
    rollback.zip(verdict).is_some_and(|(rollback, verdict)| rollback.when.contains(&verdict))
}

fn watching_form(watching: &Watching, lacks_room: bool) -> Option<WatchingForm> {
    let health = watching.health.as_ref()?;
    let no_room = health.no_room.as_ref().filter(|_| !lacks_room);
    let no_room = no_room.map(|why| format!("the disk has no room for what it found: {why}"));
    Some(WatchingForm {
        last_good_at: health.last_good_at.map(time),
        failing_since: health.failing_since.map(time),
        error: health.error.clone().or(no_room),
    })
}

fn next_time(pipeline: &Pipeline, now: Timestamp) -> Option<(Timestamp, String)> {
    let times = pipeline.schedules.iter().filter_map(|schedule| {
        let zone = Zones::get(&schedule.timezone)?;
        let at = Crontab::parse(&schedule.cron).ok()?.next_after(now, &zone)?;
        Some((at, schedule.name.clone()))
    });
    times.min()
}
