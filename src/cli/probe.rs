//! `probe`: one step by hand, with everything it saw. It runs the code of a suite.

mod request;
mod show;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::args::ProbeArgs;
use super::context::{Context, no_such_file, place_of, printing, read_file};
use super::error::{CliError, CliResult, Status};
use crate::domain::attempt::Attempt;
use crate::domain::outcome::Outcome;
use crate::domain::spec::{CaseGroup, FlakyPolicy, Suite, SuspiciousPolicy};
use crate::engine::{Clock as _, SystemClock};
use crate::pipeline::{self, Style};
use crate::probe::WallClock;
use crate::suite::{EnvParts, Facts, RunEnv, Selection, SuiteNews, SuitePlan, run_suite};
use crate::verdict::judge_case;

/// `andon probe`
pub async fn probe(context: &Context, args: &ProbeArgs) -> CliResult {
    let group = if request::is_address(&args.target)? {
        request::group_of(args)?
    } else {
        request::refuse_flags_beside_a_file(args)?;
        read_cases(context, Path::new(&args.target))?
    };
    let attempts = run(context, group).await?;
    let passed =
        attempts.iter().all(|attempt| judge_case(std::slice::from_ref(attempt)) == Outcome::Passed);
    let mut out = context.out();
    if args.json {
        out.json(&attempts).map_err(printing)?;
    } else {
        attempts
            .iter()
            .try_for_each(|attempt| show::attempt(&mut out, attempt))
            .map_err(printing)?;
    }
    Ok(if passed && !attempts.is_empty() { Status::Green } else { Status::NotGreen })
}

/// The cases of a suite file; what only a pipeline can give has no value.
fn read_cases(context: &Context, file: &Path) -> Result<CaseGroup, CliError> {
    if !file.is_file() {
        return Err(no_such_file(file, &[])
            .hint("an address begins with http://, https://, ws:// or wss://"));
    }
    let loaded = pipeline::load_suite(&read_file, &place_of(file)?);
    for diagnostic in &loaded.diagnostics {
        context.note(&diagnostic.render(Style::Coloured));
    }
    loaded.suite.map(|(_, group)| group).ok_or_else(|| {
        CliError::usage_text(format_args!("{} is not a valid suite file", file.display()))
            .hint("`andon schema suite` prints what may stand there")
    })
}

async fn run(context: &Context, group: CaseGroup) -> Result<Vec<Attempt>, CliError> {
    let env = RunEnv::new(EnvParts {
        facts: Facts {
            pipeline: "probe".to_owned(),
            environment: "probe".to_owned(),
            cycle: 0,
            revision: None,
        },
        vars: &[],
        secrets: vec![],
        identities: &[],
        hosts: None,
        host_env: Arc::clone(&context.host.env),
        clock: WallClock::new(|| SystemClock.now()),
    })
    .map_err(CliError::usage)?;
    let suite = Suite {
        name: "probe".to_owned(),
        timeout: Duration::MAX,
        concurrency: 1,
        retries: 0,
        flaky: FlakyPolicy::Pass,
        suspicious: SuspiciousPolicy::Warn,
        expected_cases: None,
        groups: vec![group],
        commands: vec![],
        quarantine: vec![],
        digest: String::new(),
    };
    let deadline_at = SystemClock
        .now()
        .saturating_add(SignedDuration::from_hours(24))
        .unwrap_or(jiff::Timestamp::MAX);
    let plan = SuitePlan {
        suite: Arc::new(suite),
        env,
        selection: Selection::All,
        finished: vec![],
        deadline_at,
    };
    collect(plan, context.host.cancel.clone()).await
}

async fn collect(plan: SuitePlan, cancel: CancellationToken) -> Result<Vec<Attempt>, CliError> {
    let (news, mut receiver) = mpsc::channel(64);
    let running = tokio::spawn(async move { run_suite(plan, &news, &cancel).await });
    let mut attempts = Vec::new();
    while let Some(news) = receiver.recv().await {
        if let SuiteNews::AttemptFinished(attempt) = news {
            attempts.push(*attempt);
        }
    }
    running.await.map_err(CliError::defect)?;
    Ok(attempts)
}
