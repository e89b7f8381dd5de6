//! `doctor`: is this machine fit, and is the state sound?

mod state;

use serde::Serialize;

use super::args::DoctorArgs;
use super::context::{Context, load_state, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{self, bold, clean, counted};
use crate::store::{CycleRow, Store, StoreError};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    sound: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// `andon doctor`
pub async fn doctor(context: &Context, args: &DoctorArgs) -> CliResult {
    let mut findings = vec![version(), programs(context), clock_and_zones(), roots()];
    findings.extend(state::look(&context.settings));
    findings.extend(store(context).await);
    let sound = findings.iter().all(|finding| finding.sound);
    let mut out = context.out();
    if args.json {
        out.json(&findings).map_err(printing)?;
    } else {
        for finding in &findings {
            let word = if finding.sound { "ok     " } else { "trouble" };
            out.line(format!("{} {}: {}", bold(word), finding.what, clean(&finding.detail)))
                .map_err(printing)?;
            if let Some(help) = finding.help.as_ref().filter(|_| !finding.sound) {
                out.line(format!("        help: {help}")).map_err(printing)?;
            }
        }
    }
    Ok(if sound { Status::Green } else { Status::NotGreen })
}

fn finding(what: &'static str, detail: impl Into<String>) -> Finding {
    Finding { what, sound: true, detail: detail.into(), help: None }
}

fn trouble(what: &'static str, detail: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding { what, sound: false, detail: detail.into(), help: Some(help.into()) }
}

fn version() -> Finding {
    finding("andon", env!("CARGO_PKG_VERSION"))
}

fn programs(context: &Context) -> Finding {
    let path = (context.host.env)("PATH").unwrap_or_default();
    let has = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let missing: Vec<&str> = ["sh", "ssh", "git"].into_iter().filter(|name| !has(name)).collect();
    if !has("sh") {
        return trouble(
            "programs",
            "there is no `sh` on the PATH",
            "deploy steps given as a text need it",
        );
    }
    if missing.is_empty() {
        return finding("programs", "sh, ssh and git are there");
    }
    let detail = format!(
        "{} missing: only needed for ssh repositories and credential helpers",
        missing.join(" and ")
    );
    finding("programs", detail)
}

fn clock_and_zones() -> Finding {
    use crate::engine::{Clock as _, SystemClock};
    let now = SystemClock.now();
    let year = jiff::tz::TimeZone::UTC.to_datetime(now).year();
    if (2025..2100).contains(&year) {
        return finding("clock", now.to_string());
    }
    trouble(
        "clock",
        format!("it says {now}"),
        "set the clock: certificates and schedules depend on it",
    )
}

fn roots() -> Finding {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return trouble(
            "certificates",
            "no root certificates were found",
            "install the ca-certificates package, or name a CA file in the steps",
        );
    }
    finding("certificates", format!("{} roots", found.certs.len()))
}

async fn store(context: &Context) -> Vec<Finding> {
    let store = match context.store().await {
        Ok(store) => store,
        Err(error) if is_missing(&error.error) => {
            return vec![finding("database", "there is none yet")];
        }
        Err(error) => {
            let help = error.hints.join("; ");
            return vec![trouble("database", format!("{:#}", error.error), help)];
        }
    };
    let limits = context.settings.daemon.retention;
    vec![
        integrity(store.as_ref()).await,
        ledger(store.as_ref()).await,
        deploy_records(store.as_ref()).await,
        state::retention(store.as_ref(), &limits).await,
    ]
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<StoreError>(), Some(StoreError::Missing { .. }))
}

async fn integrity(store: &dyn Store) -> Finding {
    let size = store.database_size().await.unwrap_or(0);
    match store.integrity_check().await {
        Ok(faults) if faults.is_empty() => {
            finding("database", format!("sound, {}", output::size(size)))
        }
        Ok(faults) => {
            trouble("database", faults.join("; "), "restore a backup; the reports are not affected")
        }
        Err(fault) => trouble("database", fault.to_string(), fault.hint().unwrap_or_default()),
    }
}

/// Every cycle whose records are there.
async fn every_cycle(store: &dyn Store) -> Result<Vec<CycleRow>, StoreError> {
    let mut rows = Vec::new();
    for pipeline in store.list_pipelines().await? {
        let cycles = store.list_cycles(&pipeline.pipeline, u32::MAX).await?;
        // Of those that expired there is nothing left to read.
        rows.extend(cycles.into_iter().filter(|row| row.expired_at.is_none()));
    }
    Ok(rows)
}

/// Folds every cycle, newest first: so an event that cannot be read, and a ledger that contradicts itself,
/// are found.
async fn ledger(store: &dyn Store) -> Finding {
    let rows = match every_cycle(store).await {
        Ok(rows) => rows,
        Err(fault) => {
            return trouble("ledger", fault.to_string(), fault.hint().unwrap_or_default());
        }
    };
    let mut held = Vec::new();
    for row in &rows {
        match load_state(store, row).await {
            Ok(_) => held.extend(row.held.then(|| row.key().to_string())),
            Err(CliError { error, hints, .. }) => {
                let help = if hints.is_empty() { "please report this" } else { &hints.join("; ") };
                return trouble("ledger", format!("{}: {error:#}", row.key()), help);
            }
        }
    }
    held.dedup();
    if held.is_empty() {
        return finding("ledger", format!("{} looked at", counted(rows.len(), "cycle")));
    }
    trouble(
        "ledger",
        format!("{} waits for a person", held.join(", ")),
        "say what became of the deploy: `andon resume PIPELINE CYCLE --as deployed|failed|rerun`",
    )
}

/// Walks over the links of every deploy record.
async fn deploy_records(store: &dyn Store) -> Finding {
    const WHAT: &str = "deploy records";
    let chains = match store.check_deploy_records().await {
        Ok(chains) => chains,
        Err(fault) => return trouble(WHAT, fault.to_string(), fault.hint().unwrap_or_default()),
    };
    if chains.broken.is_empty() {
        return match chains.links {
            1 => finding(WHAT, "1 link holds"),
            links => finding(WHAT, format!("{links} links hold")),
        };
    }
    let places =
        chains.broken.iter().map(|(environment, broken)| format!("{environment}: {broken}"));
    trouble(
        WHAT,
        places.collect::<Vec<_>>().join("; "),
        "somebody changed the database by hand, or it is damaged: what stands before the place that is named holds; compare the rest with a backup (`andon backup`) and with the reports, and restore the backup if they disagree",
    )
}
