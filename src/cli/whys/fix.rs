//! `whys fix`: claims that a commit is the fix of a failure. Whether it is, the next cycle that has the
//! commit decides.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::{file, find, keep, lock, root};
use crate::cli::args::WhysFix;
use crate::cli::context::{
    Context, is_path, load_file, load_state, printing, read_text, write_file,
};
use crate::cli::error::{CliError, CliResult, Status};
use crate::cli::output::clean;
use crate::domain::claim::{ClaimSource, FixClaim};
use crate::domain::findings::InvestigationState;
use crate::domain::names::InvestigationId;
use crate::domain::revision::Revision;
use crate::domain::spec::Pipeline;
use crate::engine::{Clock as _, Resolved, Setup, SystemClock, World};
use crate::investigation::claims::{self, Before, Sighting};
use crate::investigation::{self};
use crate::process::Launcher;
use crate::store::{InvestigationRow, NewFixClaim, Store, Which};

/// `andon whys fix`
pub async fn fix(context: &Context, args: &WhysFix, as_json: bool) -> CliResult {
    let store = context.store_with_cycles().await?;
    let row = find(context, store.as_ref(), &args.id).await?;
    let document = Document::of(store.as_ref(), &row).await?;
    let before = document.state().unwrap_or(row.state);
    if before == InvestigationState::Closed {
        return Err(CliError::usage_text(format_args!("{} is closed", row.id))
            .hint("it reopens by itself when its failure comes back; then a fix can be claimed"));
    }
    let commit = resolve(context, store.as_ref(), &row, args).await?;
    let known = claims::merge(&recorded(store.as_ref(), &row).await?, &document.claims());
    if let Some(claim) = known.iter().find(|claim| claim.commit == commit.sha) {
        return claimed_before(context, &row, claim, as_json);
    }
    let (by, at) = (context.host.user(), SystemClock.now());
    let claim = FixClaim::new(commit.sha, &commit.subject, &by, at, ClaimSource::Command);
    let all = claims::merge(&known, std::slice::from_ref(&claim));
    let was = Before { state: before, is_gone: false, is_answered: false };
    let state = claims::state_after(was, Sighting::Undecided, &all, row.last_seen);
    let (pipeline, id) = (row.pipeline.clone(), row.id.clone());
    store.add_fix_claim(NewFixClaim { pipeline, id, claim: claim.clone(), state }).await?;
    let lock = match &document {
        Document::Here { root, .. } => Some(lock(root, &row)?),
        Document::Elsewhere => None,
    };
    let text = document.record(context, &row.id, &all, state)?;
    drop(lock);
    if let Some(text) = text {
        keep(store.as_ref(), &row, &text).await;
    }
    if as_json {
        let row = InvestigationRow { state, ..row };
        let path = document.path();
        let value = json!({ "investigation": row, "claim": claim, "path": path });
        context.out().json(&value).map_err(printing)?;
        return Ok(Status::Green);
    }
    context.note(&format!(
        "{}: {} ({}) is claimed as its fix; the next cycle whose revision contains it decides",
        row.id,
        claim.commit.short(),
        clean(&claim.subject),
    ));
    Ok(Status::Green)
}

async fn recorded(store: &dyn Store, row: &InvestigationRow) -> Result<Vec<FixClaim>, CliError> {
    let all = store.fix_claims(&row.pipeline).await?;
    Ok(all.into_iter().find(|of| of.id == row.id).map_or_else(Vec::new, |of| of.claims))
}

/// Once more the same commit: one that failed cannot be tried again, all else is said already.
fn claimed_before(
    context: &Context,
    row: &InvestigationRow,
    claim: &FixClaim,
    as_json: bool,
) -> CliResult {
    let (short, result) = (claim.commit.short(), claim.result);
    let is_decided = !result.is_pending();
    if is_decided && !matches!(result, crate::domain::claim::ClaimResult::Verified { .. }) {
        let text = format!("{short} was claimed as the fix of {} and {result}", row.id);
        return Err(CliError::usage_text(text).hint("name the commit that really repairs it"));
    }
    if as_json {
        let value = json!({ "investigation": row, "claim": claim, "path": null });
        context.out().json(&value).map_err(printing)?;
        return Ok(Status::Green);
    }
    context.note(&format!("{}: {short} is claimed already by {} ({result})", row.id, claim.by));
    Ok(Status::Green)
}

/// The commit that was named, in the repository of the pipeline.
async fn resolve(
    context: &Context,
    store: &dyn Store,
    row: &InvestigationRow,
    args: &WhysFix,
) -> Result<Revision, CliError> {
    let pipeline = Arc::new(pipeline_of(context, store, row, args).await?);
    let setup = Setup {
        pipeline,
        paths: context.paths(),
        working_dir: std::env::current_dir().map_err(CliError::usage)?,
        host: Arc::clone(&context.host.env),
        launcher: Launcher::new(context.host.program.clone()),
    };
    let (world, _) = World::open(setup).await.map_err(|faults| {
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        CliError::usage_text(text.join("; "))
            .hint("the repository may need them; see `secrets` in the pipeline")
    })?;
    match world.resolve(Some(&args.commit)).await {
        Resolved::Commit(revision) => Ok(revision),
        Resolved::Refused(fault) | Resolved::Unreadable(fault) => {
            let hint = fault.hint();
            Err(CliError::usage(anyhow::Error::new(fault)).hint(hint))
        }
    }
}

/// The pipeline whose file was named, or that ran the newest cycle.
async fn pipeline_of(
    context: &Context,
    store: &dyn Store,
    row: &InvestigationRow,
    args: &WhysFix,
) -> Result<Pipeline, CliError> {
    // A name says whose investigation it is; that was found in the records, as for the other actions.
    if let Some(named) = args.id.pipeline.as_deref().filter(|named| is_path(named)) {
        return context.load(Path::new(named));
    }
    if let Some(newest) = store.find_cycle(&row.pipeline, Which::Latest).await? {
        let state = load_state(store, &newest).await?;
        let loaded = load_file(Path::new(&state.queued.definition.file)).ok();
        let found = loaded.and_then(|loaded| loaded.pipeline);
        if let Some(pipeline) = found.filter(|pipeline| pipeline.name == row.pipeline) {
            return Ok(pipeline);
        }
    }
    context.load(Path::new(row.pipeline.as_str()))
}

/// The document of an investigation, where it is.
enum Document {
    Here { root: PathBuf, path: PathBuf, text: String },
    Elsewhere,
}

impl Document {
    /// A claim does not need the document: the records keep it until the next cycle writes it there.
    async fn of(store: &dyn Store, row: &InvestigationRow) -> Result<Self, CliError> {
        let Ok(root) = root(store, row).await else { return Ok(Self::Elsewhere) };
        let Ok(path) = file(&root, row) else { return Ok(Self::Elsewhere) };
        let text = read_text(&path)?;
        Ok(Self::Here { root, path, text })
    }

    fn state(&self) -> Option<InvestigationState> {
        match self {
            Self::Here { text, .. } => investigation::meta_of(text).map(|meta| meta.state),
            Self::Elsewhere => None,
        }
    }

    fn claims(&self) -> Vec<FixClaim> {
        match self {
            Self::Here { text, .. } => investigation::claims_in(text),
            Self::Elsewhere => Vec::new(),
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Here { path, .. } => Some(path),
            Self::Elsewhere => None,
        }
    }

    /// Gives back what it says then, where it is here.
    fn record(
        &self,
        context: &Context,
        id: &InvestigationId,
        claims: &[FixClaim],
        state: InvestigationState,
    ) -> Result<Option<String>, CliError> {
        let text = match self {
            Self::Here { path, .. } => {
                // Somebody may have written in it since it was read.
                let text = read_text(path)?;
                if let Some(told) = investigation::record(&text, claims, state, None) {
                    write_file(path, |out| out.write_all(told.as_bytes()))?;
                    return Ok(Some(told));
                }
                Some(text)
            }
            Self::Elsewhere => None,
        };
        context.note(&format!(
            "the document of {id} could not be written here; its failure's next cycle does it"
        ));
        Ok(text)
    }
}
