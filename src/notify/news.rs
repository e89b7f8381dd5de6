//! What is news. Pure: from the state of a cycle and the verdicts of those before it.
//!
//! People are told of changes: the first failure, another one, the recovery; and once of what keeps
//! a cycle from an answer, until that changes. A commit is told of every cycle, because one that was
//! told "pending" must hear how it ended. A cycle of selected cases, or one of a culprit search, says
//! nothing about the pipeline and is told to nobody.

use std::collections::BTreeSet;

use super::body::{Body, StatusState, Stored};
use super::channel::{publish_target_of, target_of};
use super::message::{Notice, description};
use super::webhook::cycle_body;
use crate::domain::event::{Held, Queued};
use crate::domain::findings::{CaseFinding, Findings};
use crate::domain::names::CaseId;
use crate::domain::outcome::{Change, Verdict, VoidReason};
use crate::domain::revision::Sha;
use crate::domain::spec::{NewsKind, Notify, NotifyChannel, Pipeline};
use crate::domain::state::CycleState;
use crate::report;
use crate::store::NewMessage;

/// Of commits that were taken together, the pull requests of so many hear of their cycle, the newest ones.
const MAX_COVERED: usize = 20;

/// A cycle that was over before: how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it was void.
    pub void_reason: Option<VoidReason>,
    /// Whether it ran selected cases only.
    pub only_some: bool,
}

/// What keeps a cycle from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    DeployFailed,
    NotReady,
    Void(Option<VoidReason>),
    Incomplete,
    Held,
}

/// Where the pipeline stood after a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Green,
    Red,
    Kept(Obstacle),
}

/// What changed, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headline {
    /// Failing that was not, or for another reason.
    Regressed,
    /// Less is failing than before, and nothing new.
    PartlyFixed,
    /// Green after something else.
    Recovered,
    /// What kept cycles from an answer is over; what was failing before still is.
    Cleared(Obstacle),
    /// No answer, for a reason that was not told yet.
    Kept(Obstacle),
}

impl Headline {
    /// The word in keys and in the header of a webhook.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::PartlyFixed | Self::Recovered | Self::Cleared(_) => "fixed",
            Self::Kept(Obstacle::DeployFailed) => "deploy_failed",
            Self::Kept(Obstacle::NotReady) => "not_ready",
            Self::Kept(Obstacle::Void(_)) => "void",
            Self::Kept(Obstacle::Incomplete) => "incomplete",
            Self::Kept(Obstacle::Held) => "held",
        }
    }

    fn kind(self) -> NewsKind {
        match self {
            Self::Regressed => NewsKind::Regressed,
            Self::PartlyFixed | Self::Recovered | Self::Cleared(_) => NewsKind::Fixed,
            Self::Kept(Obstacle::DeployFailed) => NewsKind::DeployFailed,
            Self::Kept(Obstacle::NotReady) => NewsKind::NotReady,
            // Both say too little about the revision.
            Self::Kept(Obstacle::Void(_) | Obstacle::Incomplete) => NewsKind::Void,
            Self::Kept(Obstacle::Held) => NewsKind::Held,
        }
    }
}

/// What a finished cycle changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub(super) headline: Headline,
    /// Cases that are failing anew or for another reason, and decide the verdict.
    pub(super) anew: Vec<CaseId>,
    /// Cases that were fixed.
    pub(super) fixed: Vec<CaseId>,
}

impl News {
    fn kinds(&self) -> Vec<NewsKind> {
        let mut kinds = vec![self.headline.kind()];
        if !self.fixed.is_empty() && !kinds.contains(&NewsKind::Fixed) {
            kinds.push(NewsKind::Fixed);
        }
        kinds
    }
}

/// The messages of a cycle whose report is written: news for each channel that wants them, the end of
/// its commit's status, and the report itself for the branch that reports are pushed to. `earlier` are the finished cycles before it, newest first.
pub fn finished(pipeline: &Pipeline, state: &CycleState, earlier: &[Earlier]) -> Vec<NewMessage> {
    let queued = &state.queued;
    let mut out = Messages::of(pipeline).about(queued.cycle);
    out.publish(state);
    if !is_told(queued) {
        return out.messages;
    }
    let findings = state.findings.as_ref().map(|stamped| stamped.what.as_ref());
    let verdict = findings.map_or(Verdict::Cancelled, |findings| findings.verdict);
    let news = findings.and_then(|findings| what_changed(state, findings, earlier));
    if let Some(news) = &news {
        let key = format!("{}/{}/{}", queued.pipeline, queued.cycle, news.headline.word());
        let notice = Notice::of_cycle(state, news);
        out.tell(&news.kinds(), &key, &notice, || cycle_body(state));
    }
    if let Some(search) = findings.and_then(|findings| findings.search.as_ref()) {
        let key = format!("{}/{}/culprit", queued.pipeline, queued.cycle);
        out.tell(&[NewsKind::Culprit], &key, &Notice::searched(state, search), || {
            cycle_body(state)
        });
    }
    if let Some(sha) = sha_of(state) {
        let text = description(state, verdict);
        out.status(&end_key(queued), &sha, StatusState::of(verdict), &text);
        if findings.is_some() {
            out.comments(state, &sha, news.as_ref().map(News::kinds).as_deref());
        }
    }
    out.messages
}

/// The messages of a cycle that begins for a commit: it is pending.
pub fn started(pipeline: &Pipeline, queued: &Queued, sha: &Sha) -> Vec<NewMessage> {
    let mut out = Messages::of(pipeline).about(queued.cycle);
    if is_told(queued) {
        let keys = pending_keys(queued);
        let text = format!("cycle {} runs: {}", queued.cycle, queued.trigger.detail);
        out.status(keys.trim_end_matches('/'), sha, StatusState::Pending, &text);
    }
    out.messages
}

/// The end of a commit's status for each channel that was told "pending" of a cycle, made of what was told
/// under [`pending_keys`] alone: the pipeline is gone. Where an end is stored already, these have its key.
pub fn ends_of_pending(state: &CycleState, told: Vec<NewMessage>) -> Vec<NewMessage> {
    let findings = state.findings.as_ref().map(|stamped| stamped.what.as_ref());
    let verdict = findings.map_or(Verdict::Cancelled, |findings| findings.verdict);
    let text =
        super::message::one_line(&description(state, verdict), super::message::MAX_DESCRIPTION);
    let end_of = |one: NewMessage| {
        let Ok(Body::Status { sha, context, .. }) = serde_json::from_str(&one.body) else {
            return None;
        };
        let description = text.clone();
        let body = Body::Status { sha, state: StatusState::of(verdict), context, description };
        let key = format!("{}/{}", end_key(&state.queued), one.target);
        let stored = Stored { body, about_cycle: Some(state.queued.cycle) };
        Some(NewMessage { key, body: stored.text(), ..one })
    };
    told.into_iter().filter_map(end_of).collect()
}

/// How the keys begin under which commits were told that this cycle is pending.
pub fn pending_keys(queued: &Queued) -> String {
    format!("{}/{}/status/pending/", queued.pipeline, queued.cycle)
}

fn end_key(queued: &Queued) -> String {
    format!("{}/{}/status/end", queued.pipeline, queued.cycle)
}

/// The messages of a cycle that waits for a person from now on. `state` is as it was before.
pub fn held(pipeline: &Pipeline, state: &CycleState, held: &Held) -> Vec<NewMessage> {
    let queued = &state.queued;
    let mut out = Messages::of(pipeline).about(queued.cycle);
    if !is_told(queued) {
        return Vec::new();
    }
    // A cycle can be held again after a person had it run the deploy once more.
    let key = format!("{}/{}/held-{}", queued.pipeline, queued.cycle, state.all_steps().count());
    out.tell(&[NewsKind::Held], &key, &Notice::held(state, held), || cycle_body(state));
    if let Some(sha) = sha_of(state) {
        let text = format!("held, a person must decide: {}", held.reason);
        out.status(&format!("{key}/status"), &sha, StatusState::Error, &text);
    }
    out.messages
}

/// Whether anybody is told of such a cycle.
fn is_told(queued: &Queued) -> bool {
    queued.options.only.is_none()
}

/// The commit of a cycle; where it was never resolved, the one that was asked for by its full id.
fn sha_of(state: &CycleState) -> Option<Sha> {
    if let Some(resolved) = &state.resolved {
        return Some(resolved.revision.sha.clone());
    }
    Sha::parse(state.queued.requested.as_deref()?).ok()
}

/// What a cycle changed, if anything that people want to know.
fn what_changed(state: &CycleState, findings: &Findings, earlier: &[Earlier]) -> Option<News> {
    let now = standing(findings.verdict, findings.void_reason)?;
    let told: Vec<Standing> = earlier.iter().filter_map(standing_of).collect();
    let was_held = state.was_held().then_some(Standing::Kept(Obstacle::Held));
    let before = was_held.or_else(|| told.first().copied());
    // What the suite last said, whatever kept later cycles from an answer.
    let suite_before = told.iter().find(|s| matches!(s, Standing::Green | Standing::Red)).copied();
    let anew = deciding(state, &findings.cases, is_anew);
    let fixed = deciding(state, &findings.cases, |change| change == Change::Fixed);
    let headline = match now {
        Standing::Kept(obstacle) if before == Some(Standing::Kept(obstacle)) => return None,
        Standing::Kept(obstacle) => Headline::Kept(obstacle),
        Standing::Green if before.is_none_or(|b| b == Standing::Green) => return None,
        Standing::Green => Headline::Recovered,
        Standing::Red if !anew.is_empty() || suite_before != Some(Standing::Red) => {
            Headline::Regressed
        }
        Standing::Red => match before {
            Some(Standing::Kept(obstacle)) => Headline::Cleared(obstacle),
            Some(Standing::Green | Standing::Red) | None if fixed.is_empty() => return None,
            Some(Standing::Green | Standing::Red) | None => Headline::PartlyFixed,
        },
    };
    Some(News { headline, anew, fixed })
}

/// Where a verdict leaves a pipeline; one that a person or a newer commit ended leaves it as it was.
fn standing(verdict: Verdict, void_reason: Option<VoidReason>) -> Option<Standing> {
    Some(match verdict {
        Verdict::Green => Standing::Green,
        Verdict::Red => Standing::Red,
        Verdict::Incomplete => Standing::Kept(Obstacle::Incomplete),
        Verdict::Void => Standing::Kept(Obstacle::Void(void_reason)),
        Verdict::DeployFailed => Standing::Kept(Obstacle::DeployFailed),
        Verdict::NotReady => Standing::Kept(Obstacle::NotReady),
        Verdict::Superseded | Verdict::Cancelled => return None,
    })
}

fn standing_of(earlier: &Earlier) -> Option<Standing> {
    if !earlier.only_some { standing(earlier.verdict, earlier.void_reason) } else { None }
}

fn is_anew(change: Change) -> bool {
    match change {
        Change::Regressed | Change::NewFailing | Change::ChangedFailure => true,
        Change::StillFailing
        | Change::Fixed
        | Change::NotRun
        | Change::Skipped
        | Change::Removed
        | Change::NewPassing
        | Change::StillPassing => false,
    }
}

/// Cases with such a change, those in quarantine left out: they are reported, but decide nothing.
fn deciding(
    state: &CycleState,
    findings: &[CaseFinding],
    wanted: impl Fn(Change) -> bool,
) -> Vec<CaseId> {
    let planned = state.planned().iter();
    let quarantined: BTreeSet<&CaseId> =
        planned.filter(|case| !case.decides()).map(|case| &case.id).collect();
    let found = findings.iter().filter(|finding| finding.change.is_some_and(&wanted));
    found.map(|finding| &finding.case).filter(|id| !quarantined.contains(id)).cloned().collect()
}

/// Collects messages for the channels of a pipeline.
pub(super) struct Messages<'a> {
    pipeline: &'a Pipeline,
    about_cycle: Option<u32>,
    pub(super) messages: Vec<NewMessage>,
}

impl<'a> Messages<'a> {
    pub(super) fn of(pipeline: &'a Pipeline) -> Self {
        Self { pipeline, about_cycle: None, messages: Vec::new() }
    }

    /// The messages are about that cycle: its page tells the whole.
    pub(super) fn about(self, cycle: u32) -> Self {
        Self { about_cycle: Some(cycle), ..self }
    }

    /// News of these kinds, for each channel that wants one of them. `json` is made once, and only
    /// when some channel takes it.
    pub(super) fn tell(
        &mut self,
        kinds: &[NewsKind],
        key: &str,
        notice: &Notice,
        json: impl Fn() -> serde_json::Value,
    ) {
        let mut made = None;
        for Notify { channel, on } in &self.pipeline.notify {
            if !on.is_empty() && !on.iter().any(|kind| kinds.contains(kind)) {
                continue;
            }
            let body = match channel {
                NotifyChannel::Slack(_) => Body::Slack { payload: notice.slack() },
                NotifyChannel::Email(_) => {
                    Body::Email { subject: notice.subject(), text: notice.text() }
                }
                NotifyChannel::Webhook(_) => {
                    let json = made.get_or_insert_with(&json).clone();
                    Body::Webhook { event: notice.event.to_owned(), json }
                }
                NotifyChannel::CommitStatus(_) | NotifyChannel::PullRequestComment(_) => continue,
            };
            self.push(channel, key, &body, None);
        }
    }

    /// A status of a commit, for each channel that shows them; what they are filtered by does not
    /// count, or a commit would stay pending.
    pub(super) fn status(&mut self, key: &str, sha: &Sha, state: StatusState, text: &str) {
        let context = format!("andon/{}", self.pipeline.name);
        for Notify { channel, .. } in &self.pipeline.notify {
            if let NotifyChannel::CommitStatus(_) = channel {
                let body = Body::Status {
                    sha: sha.clone(),
                    state,
                    context: context.clone(),
                    description: super::message::one_line(text, super::message::MAX_DESCRIPTION),
                };
                self.push(channel, key, &body, Some(format!("{sha} {context}")));
            }
        }
    }

    /// A comment on the pull requests that brought a cycle's commits, for each channel that makes them. The one
    /// that is there is kept up to date, so by default every cycle is told.
    fn comments(&mut self, state: &CycleState, sha: &Sha, kinds: Option<&[NewsKind]>) {
        let queued = &state.queued;
        let mut text = None;
        for Notify { channel, on } in &self.pipeline.notify {
            let NotifyChannel::PullRequestComment(_) = channel else { continue };
            let is_wanted = |kind| kinds.is_some_and(|kinds| kinds.contains(kind));
            if !on.is_empty() && !on.iter().any(is_wanted) {
                continue;
            }
            let text: &String = text.get_or_insert_with(|| report::comment(state));
            let taken = queued.taken_together.iter().rev().filter(|taken| *taken != sha);
            for sha in std::iter::once(sha).chain(taken.take(MAX_COVERED)) {
                let body = Body::Comment {
                    sha: sha.clone(),
                    of: queued.pipeline.clone(),
                    text: text.clone(),
                    report: state.report.as_ref().map(|report| report.path.clone()),
                };
                let key = format!("{}/{}/comment/{sha}", queued.pipeline, queued.cycle);
                self.push(channel, &key, &body, Some(format!("{sha} comment")));
            }
        }
    }

    /// The report, for the branch that reports are pushed to. One push carries all that is there, so a
    /// later one takes the place of one that waits.
    fn publish(&mut self, state: &CycleState) {
        let (Some(publish), true) = (&self.pipeline.report.publish, state.report.is_some()) else {
            return;
        };
        let (queued, target) = (&state.queued, publish_target_of(publish));
        let report_dir = queued.definition.report_dir.clone();
        let body = Body::Publish { report_dir, cycle: queued.cycle };
        let key = format!("{}/{}/publish", queued.pipeline, queued.cycle);
        self.push_to(target, &key, &body, Some("reports".to_owned()));
    }

    fn push(&mut self, channel: &NotifyChannel, key: &str, body: &Body, topic: Option<String>) {
        self.push_to(target_of(channel), key, body, topic);
    }

    fn push_to(&mut self, target: String, key: &str, body: &Body, topic: Option<String>) {
        let key = format!("{key}/{target}");
        // The same channel named twice, perhaps with two filters, is told once.
        if self.messages.iter().all(|message| message.key != key) {
            let pipeline = self.pipeline.name.clone();
            let stored = Stored { body: body.clone(), about_cycle: self.about_cycle };
            let body = stored.text();
            self.messages.push(NewMessage { key, pipeline, target, body, topic });
        }
    }
}

#[cfg(test)]
mod tests;
