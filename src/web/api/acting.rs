//! What changes something: start, cancel, resume. Each answers once what it did is durable, or
//! cannot be lost, and is in the log with the name of the token.

use http::StatusCode;

use crate::daemon::Cancelled;
use crate::domain::escape::is_hidden;
use crate::domain::event::{ResumeAs, RunOptions};
use crate::domain::names::PipelineName;
use crate::domain::outcome::{Trigger, TriggerKind};
use crate::domain::spec::Pipeline;
use crate::engine::{Resume, ResumeError, may_select, resume as resume_cycle};
use crate::store::{ActKind, CycleRow, NewTrigger, PutTrigger, TriggerId};
use crate::web::access::Caller;
use crate::web::acts::Done;
use crate::web::call::{Answer, Call, json};
use crate::web::forms::{CancelForm, DoneForm, ResumeForm, StartForm, StartedForm};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// Of a name, a revision or a key that a request brings along.
const MAX_TEXT: usize = 200;
/// Of globs, one a line.
const MAX_ONLY: usize = 20_000;

/// `POST pipelines/{pipeline}/trigger`
pub(in crate::web) async fn start(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let key = idempotency_key(&call)?;
    let by = By::of(&call);
    let form: StartForm = call.json().await?;
    json(StatusCode::ACCEPTED, &by.start(name, form, key).await?)
}

/// `POST pipelines/{pipeline}/cycles/{cycle}/cancel`
pub(in crate::web) async fn cancel_cycle(call: Call) -> Answer {
    let row = call.cycle().await?;
    let by = By::of(&call);
    let form: CancelForm = call.json().await?;
    json(StatusCode::ACCEPTED, &by.cancel_cycle(&row, form).await?)
}

/// `POST pipelines/{pipeline}/triggers/{trigger}/cancel`
pub(in crate::web) async fn cancel_trigger(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let given = call.parameter("trigger").to_owned();
    let by = By::of(&call);
    let form: CancelForm = call.json().await?;
    json(StatusCode::ACCEPTED, &by.cancel_trigger(&name, &given, form).await?)
}

/// `POST pipelines/{pipeline}/cycles/{cycle}/resume`
pub(in crate::web) async fn resume(call: Call) -> Answer {
    let row = call.cycle().await?;
    let by = By::of(&call);
    let form: ResumeForm = call.json().await?;
    json(StatusCode::ACCEPTED, &by.resume(&row, form).await?)
}

/// Somebody who has something done: by the API, or by a form of a page.
pub(in crate::web) struct By {
    site: Site,
    caller: Option<Caller>,
}

impl By {
    /// Who calls.
    pub(in crate::web) fn of(call: &Call) -> Self {
        Self { site: call.site.clone(), caller: call.caller.clone() }
    }

    /// Somebody who says who they are just now.
    pub(in crate::web) fn caller(site: Site, caller: Caller) -> Self {
        Self { site, caller: Some(caller) }
    }

    /// Who it is, for the records.
    pub(in crate::web) fn person(&self, named: Option<&str>) -> String {
        person(self.caller.as_ref(), named)
    }

    /// Remembers that they did it.
    pub(in crate::web) async fn did(&self, named: Option<&str>, done: Done<'_>) {
        done.by(&self.site, self.person(named)).await;
    }

    /// Asks for a cycle.
    pub(in crate::web) async fn start(
        &self,
        name: PipelineName,
        form: StartForm,
        key: Option<String>,
    ) -> Result<StartedForm, Problem> {
        let pipelines = self.site.handle().pipelines();
        let served = pipelines.get(&name).ok_or_else(|| {
            Problem::conflict(format!("pipeline {name} is not served any more"))
                .help("its file is not in the folder of the pipelines")
        })?;
        check(&form, &served.pipeline)?;
        if let Some(revision) = &form.revision
            && let Some(why) = self.site.handle().lacks_revision(&name, revision).await
        {
            return Err(Problem::unprocessable(format!("nothing is started: {why}"))
                .help("`revision` is a branch, a tag or a commit of the watched repository"));
        }
        let detail = format!("by {}", self.person(form.by.as_deref()));
        let (wish, by) = (wish(&form), form.by);
        let trigger = NewTrigger {
            pipeline: name.clone(),
            environment: served.pipeline.environment.clone(),
            cause: Trigger { kind: TriggerKind::Manual, detail },
            requested: form.revision,
            options: RunOptions { deploy: form.deploy, only: form.only, search_of: None },
            key: key.map(|key| format!("request {key}")),
            not_before: self.site.now(),
        };
        let cause = trigger.cause.detail.clone();
        let (id, cycle) = match self.site.store().put_trigger(trigger, self.site.now()).await? {
            PutTrigger::New(id) => {
                tracing::info!("a cycle of {name} was asked for {cause}");
                let to = Some((&name, format!("trigger {}", id.0)));
                let done = Done { kind: ActKind::Start, to, detail: wish };
                self.did(by.as_deref(), done).await;
                (id, None)
            }
            PutTrigger::Known { id, cycle, asks_the_same: true } => (id, cycle),
            PutTrigger::Known { id, asks_the_same: false, .. } => {
                let what = format!(
                    "trigger {} of {name} was asked for with this key, and is another",
                    id.0
                );
                return Err(Problem::unprocessable(what).help(
                    "an `Idempotency-Key` is for repetitions of one request: use a new one",
                ));
            }
        };
        self.site.handle().wake();
        Ok(StartedForm { pipeline: name.to_string(), trigger: id.0, cycle })
    }

    /// Has a running cycle end.
    pub(in crate::web) async fn cancel_cycle(
        &self,
        row: &CycleRow,
        form: CancelForm,
    ) -> Result<DoneForm, Problem> {
        let who = self.person(form.by.as_deref());
        let key = row.key();
        match self.site.handle().cancel(&key, &who) {
            Cancelled::Asked => {
                tracing::info!("{key} is cancelled by {who}");
                self.did(form.by.as_deref(), on(row, ActKind::Cancel, String::new())).await;
                Ok(DoneForm { done: format!("{key} comes to a safe point and ends") })
            }
            Cancelled::NotRunning => Err(not_running(row)),
        }
    }

    /// Has what waits start nothing.
    pub(in crate::web) async fn cancel_trigger(
        &self,
        name: &PipelineName,
        given: &str,
        form: CancelForm,
    ) -> Result<DoneForm, Problem> {
        let absent = || {
            Problem::not_found(format!("no trigger {given} of {name} waits"))
                .help("it may have become a cycle by now")
        };
        let id = TriggerId(given.parse().map_err(|_| absent())?);
        let who = self.person(form.by.as_deref());
        let store = self.site.store();
        let waiting = store.waiting_triggers().await?;
        let is_ours = waiting.iter().any(|trigger| trigger.id == id && trigger.pipeline == *name);
        let why = format!("cancelled by {who}");
        if !is_ours || !store.drop_trigger(id, &why, self.site.now()).await? {
            return Err(absent());
        }
        tracing::info!("trigger {given} of {name} is {why}");
        let to = Some((name, format!("trigger {given}")));
        let done = Done { kind: ActKind::Drop, to, detail: String::new() };
        self.did(form.by.as_deref(), done).await;
        self.site.handle().wake();
        Ok(DoneForm { done: format!("trigger {given} of {name} starts no cycle") })
    }

    /// Says how a held cycle goes on.
    pub(in crate::web) async fn resume(
        &self,
        row: &CycleRow,
        form: ResumeForm,
    ) -> Result<DoneForm, Problem> {
        let decision = ResumeAs::parse(&form.decision).ok_or_else(|| {
            Problem::unprocessable(format!("a cycle cannot go on as {:?}", form.decision))
                .help("say `deployed`, `failed` or `rerun`")
        })?;
        let who = self.person(form.by.as_deref());
        let resumed = Resume { decision, by: who.clone(), at: self.site.now() };
        resume_cycle(self.site.store(), row, resumed).await.map_err(|fault| match fault {
            ResumeError::NotHeld(cycle) => Problem::conflict(format!("{cycle} is not held")),
            ResumeError::Store(fault) => fault.into(),
            ResumeError::Records(_) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, fault.to_string())
            }
        })?;
        tracing::info!("{} goes on as {decision}, says {who}", row.key());
        let detail = format!("as {decision}");
        self.did(form.by.as_deref(), on(row, ActKind::Resume, detail)).await;
        self.site.handle().wake();
        Ok(DoneForm { done: format!("{} goes on as {decision}", row.key()) })
    }
}

fn on(row: &CycleRow, kind: ActKind, detail: String) -> Done<'_> {
    Done { kind, to: Some((&row.pipeline, format!("cycle {}", row.summary.cycle))), detail }
}

/// What a cycle is asked for of, in words.
fn wish(form: &StartForm) -> String {
    let mut words = vec![form.revision.clone().unwrap_or_else(|| "the newest commit".to_owned())];
    if !form.deploy {
        words.push("without a deploy".to_owned());
    }
    if let Some(only) = &form.only {
        let mut globs = only.lines();
        let first: String = globs.next().unwrap_or("").chars().take(MAX_TEXT).collect();
        let more = globs.count();
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        words.push(format!("only {first}{rest}"));
    }
    words.join(", ")
}

fn not_running(row: &CycleRow) -> Problem {
    let key = row.key();
    if row.finished_at.is_some() {
        return Problem::conflict(format!("{key} is over"));
    }
    if row.held {
        return Problem::conflict(format!("{key} is held; nothing runs that could be ended"))
            .help("resume it with `failed`: it ends then");
    }
    Problem::conflict(format!("{key} does not run in this daemon")).help(format!(
        "where another process runs it, end that one with Ctrl-C; where none does, \
         `andon cancel {} {}` beside the state folder ends it",
        row.pipeline, key.cycle
    ))
}

fn check(form: &StartForm, pipeline: &Pipeline) -> Result<(), Problem> {
    if let Some(revision) = &form.revision {
        let fits = !revision.trim().is_empty()
            && revision.len() <= MAX_TEXT
            && !revision.starts_with('-')
            && !revision.chars().any(is_hidden);
        if !fits {
            return Err(Problem::unprocessable("`revision` is no branch, tag or commit"));
        }
    }
    let Some(only) = &form.only else { return Ok(()) };
    if only.len() > MAX_ONLY {
        let detail = format!("`only` has more than {MAX_ONLY} bytes: start a whole cycle");
        return Err(Problem::unprocessable(detail));
    }
    let selects = |suite| may_select(suite, only);
    if pipeline.suite.as_deref().is_some_and(selects) {
        return Ok(());
    }
    Err(no_case(&pipeline.name, only))
}

fn no_case(name: &PipelineName, only: &str) -> Problem {
    let shown: String = only.chars().take(80).collect();
    Problem::unprocessable(format!("no case of {name} matches {shown:?}"))
        .help("`only` is a glob over the ids of cases, such as `test_01*`")
}

fn idempotency_key(call: &Call) -> Result<Option<String>, Problem> {
    let Some(key) = call.parts.headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().map(str::trim);
    let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_TEXT);
    match key {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(Problem::bad_request("`Idempotency-Key` is 1 to 200 visible ASCII characters")),
    }
}

/// Who asks, for the records. What a request calls itself is told beside the token, never instead.
fn person(caller: Option<&Caller>, named: Option<&str>) -> String {
    let named: Option<String> =
        named.map(|name| name.trim().chars().filter(|c| !is_hidden(*c)).take(80).collect());
    let named = named.filter(|name| !name.is_empty());
    match (named, caller.and_then(|caller| caller.token.as_deref())) {
        (Some(name), Some(token)) => format!("{name} (token {token})"),
        (Some(name), None) => name,
        (None, Some(token)) => format!("token {token}"),
        (None, None) => "somebody on this machine".to_owned(),
    }
}
