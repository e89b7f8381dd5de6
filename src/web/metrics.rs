//! Figures in the text format of Prometheus. Cycles are counted over all time: those before this process
//! by the store, once. Other counters begin with the process; gauges are asked for when they are read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use axum::response::IntoResponse as _;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

use super::api::pipelines::Now;
use super::call::{Answer, Call};
use super::forms::PipelineForm;
use super::site::Site;
use crate::domain::errors::chain;
use crate::domain::event::Event;
use crate::domain::outcome::Verdict;
use crate::store::{CycleKey, Tally, Which};

/// Counts of cycles, ever, and of all else since the process began.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default, Clone)]
struct Counts {
    /// By pipeline and verdict.
    cycles: BTreeMap<(String, &'static str), u64>,
    /// By kind and result: both are words of ours.
    hooks: BTreeMap<(&'static str, &'static str), u64>,
    refused_tokens: u64,
}

impl Counters {
    fn edit(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn hook(&self, forge: &'static str, result: &'static str) {
        self.edit(|counts| *counts.hooks.entry((forge, result)).or_default() += 1);
    }

    pub(super) fn refused_token(&self) {
        self.edit(|counts| counts.refused_tokens += 1);
    }

    fn cycles(&self, pipeline: &str, verdict: Verdict, more: u64) {
        let key = (pipeline.to_owned(), verdict.as_str());
        self.edit(|counts| *counts.cycles.entry(key).or_default() += more);
    }
}

/// Counts the cycles that ended before, and those that end while the daemon is served.
pub(super) async fn count_cycles(site: Site) {
    let mut live = site.handle().subscribe();
    let before = match site.store().tally_cycles().await {
        Ok(before) => before,
        Err(fault) => {
            tracing::warn!("cycles are counted from now on only: {}", chain(&fault));
            Tally::default()
        }
    };
    for (pipeline, verdict, cycles) in &before.ended {
        site.counters().cycles(pipeline.as_str(), *verdict, *cycles);
    }
    loop {
        let received = tokio::select! {
            () = site.closing().cancelled() => return,
            received = live.recv() => received,
        };
        match received {
            Ok(event) => {
                // An end may have come to the store's ears and to ours.
                if let Event::Finished(finished) = &event.recorded.event
                    && !before.has(&event.cycle)
                    && !is_question(&site, &event.cycle).await
                {
                    site.counters().cycles(event.cycle.pipeline.as_str(), finished.verdict, 1);
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events were not counted"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Whether the cycle is a step of a search, whose verdict says nothing of the branch.
async fn is_question(site: &Site, cycle: &CycleKey) -> bool {
    let row = site.store().find_cycle(&cycle.pipeline, Which::Number(cycle.cycle)).await;
    row.is_ok_and(|row| row.is_some_and(|row| row.is_question()))
}

/// `GET /metrics`
pub(super) async fn serve(call: Call) -> Answer {
    let site = &call.site;
    let pipelines = Now::look(site).await?.all();
    let outbox = site.store().outbox_counts().await?;
    let size = site.store().database_size().await?;
    let counts = site.counters().counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut page = Page::default();
    of_daemon(&mut page, site, outbox, size);
    of_counts(&mut page, &counts);
    of_pipelines(&mut page, &pipelines);
    of_looks(&mut page, &pipelines, site.now());
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], page.text).into_response())
}

fn of_daemon(page: &mut Page, site: &Site, (waiting, given_up): (u32, u32), size: u64) {
    page.head("andon_info", "gauge", "The version that runs.");
    page.value("andon_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.head("andon_start_time_seconds", "gauge", "When the daemon began to serve.");
    page.value("andon_start_time_seconds", &[], site.started_at().as_second());
    page.head("andon_running_cycles", "gauge", "Cycles that run now.");
    page.value("andon_running_cycles", &[], site.handle().running().len());
    let no_room = u8::from(site.handle().no_room().is_some());
    page.head("andon_no_room", "gauge", "1 while no cycle begins because the disk has no room.");
    page.value("andon_no_room", &[], no_room);
    if let Some(free) = site.handle().disk_free() {
        page.head(
            "andon_disk_free_bytes",
            "gauge",
            "What is free on the disk of the state folder.",
        );
        page.value("andon_disk_free_bytes", &[], free);
    }
    let refused = site.handle().unserved().len();
    page.head(
        "andon_pipeline_files_refused",
        "gauge",
        "Files among the pipelines that are broken and give none.",
    );
    page.value("andon_pipeline_files_refused", &[], refused);
    page.head("andon_news_waiting", "gauge", "News that wait for delivery.");
    page.value("andon_news_waiting", &[], waiting);
    page.head("andon_news_given_up", "gauge", "News that could not be delivered, ever.");
    page.value("andon_news_given_up", &[], given_up);
    page.head("andon_database_bytes", "gauge", "What the store takes up.");
    page.value("andon_database_bytes", &[], size);
}

fn of_counts(page: &mut Page, counts: &Counts) {
    page.head(
        "andon_cycles_total",
        "counter",
        "Cycles that ever ended, without the steps of searches, by verdict.",
    );
    for ((pipeline, verdict), count) in &counts.cycles {
        page.value("andon_cycles_total", &[("pipeline", pipeline), ("verdict", verdict)], count);
    }
    page.head("andon_hooks_total", "counter", "Webhooks that came in, by what became of them.");
    for ((forge, result), count) in &counts.hooks {
        page.value("andon_hooks_total", &[("kind", forge), ("result", result)], count);
    }
    page.head("andon_refused_tokens_total", "counter", "Requests with a token that is not known.");
    page.value("andon_refused_tokens_total", &[], counts.refused_tokens);
}

fn of_pipelines(page: &mut Page, pipelines: &[PipelineForm]) {
    page.head("andon_waiting_triggers", "gauge", "Triggers that wait for their turn.");
    for form in pipelines {
        page.value("andon_waiting_triggers", &[("pipeline", &form.pipeline)], form.waiting.len());
    }
    page.head("andon_pipeline_state", "gauge", "1 for what the pipeline does now.");
    for form in pipelines {
        let labels = [("pipeline", form.pipeline.as_str()), ("state", form.state.as_str())];
        page.value("andon_pipeline_state", &labels, 1);
    }
    page.head(
        "andon_pipeline_stale",
        "gauge",
        "1 while a file is broken and the one before is served.",
    );
    for form in pipelines {
        let stale = u8::from(form.stale.is_some());
        page.value("andon_pipeline_stale", &[("pipeline", &form.pipeline)], stale);
    }
    page.head("andon_latest_cycle", "gauge", "The number of the newest cycle.");
    of_latest(page, "andon_latest_cycle", pipelines, |latest| Some(i64::from(latest.cycle)));
    page.head(
        "andon_latest_decided_seconds",
        "gauge",
        "When the newest cycle's verdict was decided.",
    );
    of_latest(page, "andon_latest_decided_seconds", pipelines, |latest| {
        let decided: Timestamp = latest.finished_at.as_deref()?.parse().ok()?;
        Some(decided.as_second())
    });
    page.head("andon_latest_verdict", "gauge", "1 for the verdict of the newest cycle.");
    for form in pipelines {
        let verdict = form.latest.as_ref().and_then(|latest| latest.verdict.as_deref());
        if let Some(verdict) = verdict {
            let labels = [("pipeline", form.pipeline.as_str()), ("verdict", verdict)];
            page.value("andon_latest_verdict", &labels, 1);
        }
    }
}

/// A watcher that stopped looking is seen by nothing else.
fn of_looks(page: &mut Page, pipelines: &[PipelineForm], now: Timestamp) {
    let name = "andon_last_good_look_age_seconds";
    page.head(name, "gauge", "How long ago a look at the repository went well.");
    for form in pipelines {
        let good = form.watching.as_ref().and_then(|watching| watching.last_good_at.as_deref());
        if let Some(at) = good.and_then(|at| at.parse::<Timestamp>().ok()) {
            let age = now.duration_since(at).as_secs().max(0);
            page.value(name, &[("pipeline", &form.pipeline)], age);
        }
    }
    page.head("andon_looks_failing", "gauge", "1 while looks at the repository fail.");
    for form in pipelines {
        if let Some(watching) = &form.watching {
            let fails = u8::from(watching.failing_since.is_some());
            page.value("andon_looks_failing", &[("pipeline", &form.pipeline)], fails);
        }
    }
}

fn of_latest(
    page: &mut Page,
    name: &str,
    pipelines: &[PipelineForm],
    figure: impl Fn(&super::forms::CycleRowForm) -> Option<i64>,
) {
    for form in pipelines {
        if let Some(value) = form.latest.as_ref().and_then(&figure) {
            page.value(name, &[("pipeline", &form.pipeline)], value);
        }
    }
}

/// The text that is being written.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // A String takes everything.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (position, (label, text)) in labels.iter().enumerate() {
            let before = if position == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_a_line() {
        let mut page = Page::default();
        page.value("andon_x", &[("a", "q\"b\\c\nd"), ("b", "")], 3);
        page.value("andon_y", &[], 0.5);
        assert_eq!(page.text, "andon_x{a=\"q\\\"b\\\\c\\nd\",b=\"\"} 3\nandon_y 0.5\n");
    }
}
