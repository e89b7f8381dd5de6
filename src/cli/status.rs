//! `status`: what the daemon and every pipeline do now.

use super::args::StatusArgs;
use super::context::{Context, printing};
use super::error::{CliResult, Status};
use super::output::{self, Out, Table, clean, dim, shortened};
use super::remote::{Remote, of_pipeline};
use crate::domain::outcome::{TriggerKind, Verdict};
use crate::web::forms::{
    CycleRowForm, PipelineForm, PipelineState, StatusForm, TriggerForm, UnservedForm,
};

/// `andon status`
pub async fn status(context: &Context, args: &StatusArgs) -> CliResult {
    let remote = Remote::find(context, &args.remote)?;
    let mut out = context.out();
    if let Some(given) = &args.pipeline {
        let name = context.pipeline_name(given)?;
        let form: PipelineForm = remote.get(&of_pipeline(name.as_str(), &[])).await?;
        if args.json {
            out.json(&form).map_err(printing)?;
        } else {
            table(&mut out, std::slice::from_ref(&form)).map_err(printing)?;
        }
        return Ok(Status::Green);
    }
    let form: StatusForm = remote.get(&["api", "v1", "status"]).await?;
    if args.json {
        out.json(&form).map_err(printing)?;
        return Ok(Status::Green);
    }
    if form.draining {
        context.note("the daemon is about to end and starts nothing new");
    }
    if let Some(no_room) = &form.no_room {
        let (why, since) = (clean(&no_room.why), clean(&no_room.since));
        context.note(&format!(
            "no cycle begins: {why}, since {since}; free some space, it goes on by itself"
        ));
    }
    if form.pipelines.is_empty() {
        context.note("the daemon serves no pipeline");
    } else {
        table(&mut out, &form.pipelines).map_err(printing)?;
    }
    not_served(&mut out, &form.unserved).map_err(printing)?;
    Ok(Status::Green)
}

fn not_served(out: &mut Out, files: &[UnservedForm]) -> std::io::Result<()> {
    for unserved in files {
        let (file, why) = (clean(&unserved.file), clean(&shortened(&unserved.why, 300)));
        out.line(format!("{file} is broken and not served: {why}"))?;
    }
    Ok(())
}

fn table(out: &mut Out, pipelines: &[PipelineForm]) -> std::io::Result<()> {
    let mut table =
        Table::new(&["pipeline", "now", "waiting", "newest", "next"]).giving_way(&[1, 3]);
    for form in pipelines {
        table.row([
            clean(&form.pipeline),
            now(form),
            if form.waiting.is_empty() { "–".to_owned() } else { form.waiting.len().to_string() },
            newest(form),
            form.next.as_ref().map_or_else(|| "–".to_owned(), |next| clean(&next.at)),
        ]);
    }
    table.print(out)?;
    for form in pipelines {
        let name = clean(&form.pipeline);
        if let Some(why) = &form.why {
            out.line(format!("{name}: {}: {}", form.state.as_str(), clean(why)))?;
        }
        if let Some(search) = &form.search {
            out.line(format!("{name}: searches: {}", clean(&search.says)))?;
        }
        if let Some(gave_up) = &form.gave_up {
            let (cycle, why) = (gave_up.cycle, clean(&gave_up.why));
            out.line(format!(
                "{name}: its loop ended with cycle {cycle}, {why}; a new commit, a schedule or `andon trigger {name}` begins it anew"
            ))?;
        }
        if let Some(stale) = &form.stale {
            out.line(format!(
                "{name}: its file is broken, the one before is served: {}",
                clean(stale)
            ))?;
        }
        if let Some(error) = form.watching.as_ref().and_then(|watching| watching.error.as_ref()) {
            out.line(format!("{name}: its repository cannot be looked at: {}", clean(error)))?;
        }
        // A step that waits is told above.
        let is_told = |trigger: &&TriggerForm| {
            form.search.is_none() || trigger.trigger.kind != TriggerKind::Culprit.as_str()
        };
        for trigger in form.waiting.iter().filter(is_told) {
            let detail = clean(&shortened(&trigger.trigger.detail, 100));
            out.line(dim(&format!(
                "{name}: waits: {} {detail} (trigger {})",
                trigger.trigger.kind, trigger.id
            )))?;
        }
    }
    Ok(())
}

fn now(form: &PipelineForm) -> String {
    let Some(running) = form.running.as_ref().filter(|_| form.state == PipelineState::Running)
    else {
        return form.state.as_str().to_owned();
    };
    let progress = running.progress.as_ref();
    let progress = progress.map(|p| format!(" {} of {}", p.done, p.planned)).unwrap_or_default();
    let end = if running.cancelled_by.is_some() { ", being cancelled" } else { "" };
    format!("cycle {} {}{progress}{end}", running.cycle, clean(&running.phase))
}

/// The newest cycle; where it went back, its own revision is not what is deployed.
fn newest(form: &PipelineForm) -> String {
    let Some(row) = &form.latest else { return "–".to_owned() };
    let back = form.deployed.as_ref().map(|deployed| clean(&deployed.revision.short));
    let back = back.map(|to| format!(", back to {to}")).unwrap_or_default();
    format!("{}{back}", cycle(row))
}

fn cycle(row: &CycleRowForm) -> String {
    let verdict = row.verdict.as_deref().and_then(Verdict::parse);
    let revision = row.revision.as_ref().map_or("", |revision| &revision.short);
    let word = if verdict.is_some() { output::verdict(verdict) } else { clean(&row.phase) };
    format!("{} {word} {}", row.cycle, clean(revision)).trim_end().to_owned()
}
