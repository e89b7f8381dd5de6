//! From the state to the JSON form.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{
    CarriedJson, CaseJson, ChangesJson, ClusterJson, CommandJson, CycleJson, CycleRefJson,
    EventsJson, EvidenceJson, FailureJson, FlakyRateJson, HeldJson, HostJson, PhaseJson,
    QuarantineJson, RenameJson, ResultFileJson, RevisionJson, RollbackJson, SearchJson,
    ServingJson, SlowerJson, SuiteJson, SuspiciousJson, Text, TriggerJson, fixes,
};
use crate::domain::event::ResultFile;
use crate::domain::evidence::Evidence;
use crate::domain::findings::{CaseFinding, Cluster};
use crate::domain::history::{CycleRef, CycleSummary};
use crate::domain::names::CaseId;
use crate::domain::observed::HostSeen;
use crate::domain::outcome::{Outcome, Phase, PhaseOutcome};
use crate::domain::revision::{Revision, Sha};
use crate::domain::state::{CommandRecord, CycleState, PhaseRecord};
use crate::report::rollback;
use crate::report::view::{CaseView, View};

impl<'a> CycleJson<'a> {
    /// The form of a cycle, at any point of its life.
    pub fn of(state: &'a CycleState) -> Self {
        Self::of_view(&View::of(state))
    }

    /// The form of a cycle that is arranged already.
    pub fn of_view(view: &View<'a>) -> Self {
        let form = arranged(view, view.cases.iter().map(|case| case_json(view, case)).collect());
        let written = view.state.phase_record(Phase::Report).and_then(|record| record.outcome);
        Self { report: form.report.filter(|_| written != Some(PhaseOutcome::Errored)), ..form }
    }
}

/// The form of a cycle for one writing: its cases are made one by one. A hundred thousand of them at
/// once would take more memory than all else.
pub(in crate::report) fn written<'v, 'a>(
    view: &'v View<'a>,
) -> CycleJson<'a, CasesOnTheWay<'v, 'a>> {
    arranged(view, CasesOnTheWay(view))
}

/// The cases of a cycle, made while they are written.
pub(in crate::report) struct CasesOnTheWay<'v, 'a>(&'v View<'a>);

impl Serialize for CasesOnTheWay<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view) = *self;
        serializer.collect_seq(view.cases.iter().map(|case| case_json(view, case)))
    }
}

fn arranged<'a, Cases>(view: &View<'a>, cases: Cases) -> CycleJson<'a, Cases> {
    let state = view.state;
    let queued = &state.queued;
    let definition = &queued.definition;
    CycleJson {
        pipeline: borrowed(queued.pipeline.as_str()),
        cycle: queued.cycle,
        environment: borrowed(queued.environment.as_str()),
        trigger: TriggerJson {
            kind: borrowed(queued.trigger.kind.as_str()),
            detail: borrowed(&queued.trigger.detail),
        },
        revision: view.revision().map(revision),
        taken_together: shas(&queued.taken_together),
        only: queued.options.only.as_deref().map(borrowed),
        phase: borrowed(shown_phase(view).as_str()),
        held: state.waiting_for().map(|held| HeldJson { reason: borrowed(&held.reason) }),
        verdict: view.verdict().map(|verdict| borrowed(verdict.as_str())),
        void_reason: view.void_reason().map(|reason| borrowed(reason.as_str())),
        reason: view.findings.map(|findings| borrowed(&findings.reason)),
        started_at: view.started_at().to_string(),
        finished_at: view.decided_at().map(|at| at.to_string()),
        duration_ms: view.duration_ms(),
        phases: view.phases().map(phase_json).collect(),
        serving: serving(view),
        rollback: way_back(state),
        commands: state.commands.iter().map(command).collect(),
        suite: suite(view),
        baseline: view.findings.and_then(|f| f.baseline.as_ref()).map(baseline),
        changes: changes(view),
        cases,
        clusters: view.clusters().iter().map(|of| cluster(view, of)).collect(),
        fixes: view.findings.iter().flat_map(|f| &f.fixes).map(fixes::progress).collect(),
        search: view.findings.and_then(|found| found.search.as_ref()).map(SearchJson::of),
        gave_up: view.findings.and_then(|found| found.gave_up.as_deref()).map(borrowed),
        suspicious: suspicious(view),
        renames: renames(view),
        left_out: left_out(view).iter().map(|entry| borrowed(entry)).collect(),
        not_acted_on: definition.not_acted_on.iter().map(|part| borrowed(part)).collect(),
        report: Some(report_path(view)),
        andon: borrowed(&definition.andon),
    }
}

/// The phase as the form says it. The file beside the report is written before the very end, so a
/// cycle with a verdict counts as over; but not while it still changes the environment.
fn shown_phase(view: &View<'_>) -> Phase {
    let goes_back = view.state.running() == Some(Phase::Rollback) && view.state.finished.is_none();
    if view.verdict().is_some() && !goes_back { Phase::Finished } else { view.state.phase() }
}

fn command(record: &CommandRecord) -> CommandJson<'_> {
    let (run, ended) = (&record.started.run, record.ended.as_ref());
    let left = ended.map(|ended| &ended.left);
    CommandJson {
        command: borrowed(&run.command),
        part: borrowed(run.part.as_str()),
        attempt: run.attempt,
        shard: run.shard,
        outcome: ended.map(|ended| borrowed(ended.outcome.as_str())),
        exit: ended.and_then(|ended| ended.exit),
        detail: ended.map(|ended| borrowed(&ended.detail)),
        duration_ms: ended.map(|ended| ended.duration_ms),
        cases: left.map_or(0, |left| left.cases),
        failing: left.map_or(0, |left| left.failing),
        complete: left.is_some_and(|left| left.complete),
        suite_errors: left.map_or_else(Vec::new, |left| texts(&left.suite_errors)),
        files: left.map_or_else(Vec::new, |left| left.files.iter().map(result_file).collect()),
        files_total: left.map_or(0, |left| left.files_total),
        hosts: ended
            .and_then(|ended| ended.observed.as_ref())
            .map(|observed| observed.hosts.iter().map(host).collect()),
    }
}

fn host(seen: &HostSeen) -> HostJson<'_> {
    let totals = &seen.totals;
    HostJson {
        host: borrowed(&seen.host),
        connections: totals.connections,
        requests: totals.requests,
        failed: totals.failed,
        refused: totals.refused,
        bytes_sent: totals.bytes_sent,
        bytes_received: totals.bytes_received,
    }
}

fn result_file(file: &ResultFile) -> ResultFileJson<'_> {
    ResultFileJson {
        path: borrowed(&file.path),
        dialect: file.dialect.as_deref().map(borrowed),
        cases: file.cases,
        warnings: texts(&file.warnings),
        refused: file.refused.as_deref().map(borrowed),
    }
}

fn texts(texts: &[String]) -> Vec<Text<'_>> {
    texts.iter().map(|text| borrowed(text)).collect()
}

fn way_back(state: &CycleState) -> Option<RollbackJson<'_>> {
    let phase = state.phase_record(Phase::Rollback)?;
    let planned = state.rollback.as_ref().map(|back| &back.planned);
    Some(RollbackJson {
        cycle: planned.map(|planned| planned.cycle),
        revision: planned.map(|planned| borrowed(planned.revision.sha.as_str())),
        outcome: phase.outcome.map(|outcome| borrowed(outcome.as_str())),
        summary: rollback::in_plain_words(state),
    })
}

fn borrowed(text: &str) -> Text<'_> {
    Cow::Borrowed(text)
}

fn optional(text: &Option<String>) -> Option<Text<'_>> {
    text.as_deref().map(Cow::Borrowed)
}

fn shas(commits: &[Sha]) -> Vec<Text<'_>> {
    commits.iter().map(|sha| borrowed(sha.as_str())).collect()
}

fn ids(cases: &[CaseId]) -> Vec<Text<'_>> {
    cases.iter().map(|id| borrowed(id.as_str())).collect()
}

fn revision(revision: &Revision) -> RevisionJson<'_> {
    RevisionJson {
        sha: borrowed(revision.sha.as_str()),
        short: borrowed(revision.sha.short()),
        subject: borrowed(&revision.subject),
        author: borrowed(&revision.author),
        branch: optional(&revision.branch),
        time: revision.time.to_string(),
    }
}

fn phase_json(record: &PhaseRecord) -> PhaseJson<'_> {
    PhaseJson {
        phase: borrowed(record.phase.as_str()),
        outcome: record.outcome.map(|outcome| borrowed(outcome.as_str())),
        started_at: record.started_at.to_string(),
        duration_ms: record.duration_ms,
        detail: optional(&record.detail),
    }
}

fn serving<'a>(view: &View<'a>) -> Vec<ServingJson<'a>> {
    let surfaces = view.surfaces();
    surfaces
        .into_iter()
        .map(|surface| ServingJson {
            surface: borrowed(surface.name),
            before: surface.before.and_then(|reading| optional(&reading.served)),
            after: surface.after.and_then(|reading| optional(&reading.served)),
        })
        .collect()
}

fn suite<'a>(view: &View<'a>) -> Option<SuiteJson<'a>> {
    let name = view.suite_name()?;
    let counts = view.counts();
    let ended = view.state.suite_ended.as_ref();
    Some(SuiteJson {
        name: borrowed(name),
        planned: counts.planned,
        completed: counts.ran(),
        passed: counts.passed,
        flaky: counts.flaky,
        failed: counts.failed,
        errored: counts.errored,
        skipped: counts.skipped,
        not_run: counts.not_run,
        stopped_by: ended.and_then(|e| e.stopped_by).map(|by| borrowed(by.as_str())),
        duration_ms: ended.map(|ended| ended.duration_ms),
        digest: borrowed(view.suite_digest().unwrap_or_default()),
    })
}

fn baseline(summary: &CycleSummary) -> CycleRefJson<'_> {
    let revision = summary.revision.as_ref().map(|revision| borrowed(revision.sha.as_str()));
    CycleRefJson { cycle: summary.cycle, revision }
}

fn cycle_ref(reference: &CycleRef) -> CycleRefJson<'_> {
    let revision = Some(borrowed(reference.revision.as_str()));
    CycleRefJson { cycle: reference.cycle, revision }
}

fn changes<'a>(view: &View<'a>) -> ChangesJson<'a> {
    let mut changes = ChangesJson::default();
    for case in &view.cases {
        if let Some(list) = case.change().and_then(|change| changes.of_mut(change)) {
            list.push(borrowed(case.id.as_str()));
        }
    }
    changes
}

fn case_json<'a>(view: &View<'a>, case: &CaseView<'a>) -> CaseJson<'a> {
    let finding: Option<&'a CaseFinding> = case.finding;
    let seen = u32::try_from(case.attempts.len()).unwrap_or(u32::MAX);
    let not_run = case.outcome() == Some(Outcome::NotRun);
    CaseJson {
        id: borrowed(case.id.as_str()),
        name: borrowed(case.name()),
        area: case.planned.and_then(|planned| optional(&planned.area)),
        priority: case.priority().map(|priority| priority.to_string()),
        owner: case.planned.and_then(|planned| optional(&planned.owner)),
        outcome: case.outcome().map(|outcome| borrowed(outcome.as_str())),
        change: case.change().map(|change| borrowed(change.as_str())),
        before: finding.and_then(|f| f.before).map(|outcome| borrowed(outcome.as_str())),
        duration_ms: finding.map_or(0, |finding| finding.duration_ms),
        attempts: finding.map_or(seen, |finding| finding.attempts),
        carried: finding.and_then(|f| f.carried.as_ref()).map(|carried| CarriedJson {
            cycle: carried.from.cycle,
            revision: borrowed(carried.from.revision.as_str()),
            outcome: borrowed(carried.outcome.as_str()),
        }),
        definition_changed: finding.is_some_and(|finding| finding.definition_changed),
        not_run_reason: not_run
            .then(|| view.not_run_reason(case.id).map(ToString::to_string))
            .flatten(),
        quarantine: quarantine(case),
        failure: failure(case),
        evidence: case.deciding().filter(|_| !not_run).map(|a| evidence(case, &a.evidence)),
        last_good: finding.and_then(|f| f.last_good.as_ref()).map(cycle_ref),
        first_failing: finding.and_then(|f| f.first_failing.as_ref()).map(cycle_ref),
        flaky_rate: finding
            .and_then(|finding| finding.flaky_rate)
            .map(|rate| FlakyRateJson { flaky: rate.flaky, of: rate.of }),
        slower: finding.and_then(|finding| finding.slower).map(|slower| SlowerJson {
            median_ms: slower.median_ms,
            max_ms: slower.max_ms,
            samples: slower.samples,
            runs: slower.p().map(|_| slower.runs),
            now_ms: slower.p().map(|_| slower.now_ms),
            p: slower.p(),
        }),
    }
}

fn quarantine<'a>(case: &CaseView<'a>) -> Option<QuarantineJson<'a>> {
    let quarantine = case.planned?.quarantine.as_ref()?;
    Some(QuarantineJson {
        owner: borrowed(&quarantine.owner),
        reason: borrowed(&quarantine.reason),
        until: quarantine.until.to_string(),
        expired: quarantine.expired,
    })
}

fn failure<'a>(case: &CaseView<'a>) -> Option<FailureJson<'a>> {
    let failure = case.failure()?;
    let fingerprint = case.finding.and_then(|finding| finding.fingerprint.as_ref());
    Some(FailureJson {
        class: borrowed(failure.class.as_str()),
        message: borrowed(&failure.message),
        step: optional(&failure.step),
        subject: optional(&failure.subject),
        expected: optional(&failure.expected),
        actual: optional(&failure.actual),
        fingerprint: fingerprint.map(|fingerprint| borrowed(fingerprint.as_str())),
        repro: optional(&failure.repro),
    })
}

fn evidence<'a>(case: &CaseView<'a>, evidence: &'a Evidence) -> EvidenceJson<'a> {
    let telling = case.telling_exchange();
    EvidenceJson {
        remote: telling.and_then(|exchange| optional(&exchange.remote)),
        status: telling.and_then(|exchange| exchange.status),
        close_code: telling.and_then(|exchange| exchange.close.as_ref()).map(|close| close.code),
        bytes: evidence.bytes_received,
        bytes_sent: evidence.bytes_sent,
        connections: evidence.connections,
        exchanges: evidence.exchanges_total,
        events: events(evidence),
    }
}

fn events(evidence: &Evidence) -> Option<EventsJson<'_>> {
    let steps = &evidence.events;
    if steps.is_empty() {
        return None;
    }
    let missing = steps.iter().flat_map(|step| &step.missing).map(|event| borrowed(event));
    let forbidden = steps.iter().flat_map(|step| &step.forbidden).map(|event| borrowed(event));
    Some(EventsJson {
        expected: steps.iter().map(|step| step.expected.len()).sum(),
        came: steps.iter().map(|step| step.came()).sum(),
        missing: missing.collect(),
        forbidden: forbidden.collect(),
        out_of_order: steps.iter().any(|step| step.out_of_order),
    })
}

fn cluster<'a>(view: &View<'a>, cluster: &'a Cluster) -> ClusterJson<'a> {
    let claims = view.investigation(cluster).map_or(&[][..], |seen| seen.claims.as_slice());
    ClusterJson {
        fingerprint: borrowed(cluster.fingerprint.as_str()),
        class: borrowed(cluster.class.as_str()),
        title: borrowed(&cluster.title),
        message: borrowed(&cluster.example.message),
        cases: ids(&cluster.cases),
        cause: borrowed(cluster.cause.as_str()),
        because: borrowed(&cluster.because),
        first_seen_cycle: cluster.first_seen_cycle,
        times_seen: cluster.times_seen,
        last_good: cluster.last_good.as_ref().map(cycle_ref),
        first_failing: cluster.first_failing.as_ref().map(cycle_ref),
        suspects: shas(&cluster.suspects),
        culprit: cluster.culprit.as_ref().map(|sha| borrowed(sha.as_str())),
        investigation: cluster.investigation.as_ref().map(|id| borrowed(id.as_str())),
        fixes: fixes::fixes(claims),
    }
}

fn suspicious<'a>(view: &View<'a>) -> Vec<SuspiciousJson<'a>> {
    let found = view.findings.map_or(&[][..], |findings| &findings.suspicious);
    let json = |one: &'a crate::domain::findings::Suspicious| SuspiciousJson {
        case: borrowed(one.case.as_str()),
        why: borrowed(&one.why),
    };
    found.iter().map(json).collect()
}

fn renames<'a>(view: &View<'a>) -> Vec<RenameJson<'a>> {
    let found = view.findings.map_or(&[][..], |findings| &findings.renames);
    let json = |one: &'a crate::domain::findings::ProbableRename| RenameJson {
        from: borrowed(one.from.as_str()),
        to: borrowed(one.to.as_str()),
    };
    found.iter().map(json).collect()
}

fn left_out<'a>(view: &View<'a>) -> &'a [String] {
    view.state.resolved.as_ref().map_or(&[], |resolved| &resolved.left_out)
}

/// Where the report stands: known before it is written, so that the file beside it can name it.
fn report_path(view: &View<'_>) -> String {
    let dir = view.state.queued.definition.report_dir.trim_end_matches('/');
    format!("{dir}/{}/{}.md", view.state.queued.pipeline, view.file_stem())
}
