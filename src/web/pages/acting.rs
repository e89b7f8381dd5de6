//! What the forms of pages have done. Each does what the API does, and leads on to a page that says so.

use super::cycle::{failing, other_since};
use super::login::done;
use crate::web::api::acting::By;
use crate::web::api::cycles::state_of;
use crate::web::call::{Answer, Call};
use crate::web::forms::{CancelForm, ResumeForm, StartForm};
use crate::web::problem::Problem;

/// `POST /pipelines/{pipeline}/trigger`
pub(in crate::web) async fn start(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let by = By::of(&call);
    let form = call.form().await?;
    let field = |name| form.field(name).map(str::to_owned);
    let wanted = StartForm {
        revision: field("revision"),
        deploy: form.field("deploy").is_some(),
        only: field("only"),
        by: field("by"),
    };
    by.start(name.clone(), wanted, field("once")).await?;
    Ok(done(&format!("/pipelines/{name}"), "started", ""))
}

/// `POST /pipelines/{pipeline}/cycles/{cycle}/rerun`
pub(in crate::web) async fn rerun(call: Call) -> Answer {
    let row = call.cycle().await?;
    if let Some(later) = other_since(&call, &row).await? {
        let why = format!("cycle {later} came after {} with another revision", row.key());
        return Err(Problem::conflict(why)
            .help("what serves now need not be what this cycle tested: start a cycle instead"));
    }
    let state = state_of(&call.site, &row).await?;
    let by = By::of(&call);
    let form = call.form().await?;
    let only = failing(&state)
        .ok_or_else(|| Problem::conflict(format!("no case of {} is failing", row.key())))?;
    let wanted = StartForm {
        revision: row.summary.revision.as_ref().map(|revision| revision.sha.to_string()),
        deploy: false,
        only: Some(only),
        by: form.field("by").map(str::to_owned),
    };
    let name = row.pipeline;
    by.start(name.clone(), wanted, form.field("once").map(str::to_owned)).await?;
    Ok(done(&format!("/pipelines/{name}"), "started", ""))
}

/// `POST /pipelines/{pipeline}/cycles/{cycle}/cancel`
pub(in crate::web) async fn cancel(call: Call) -> Answer {
    let row = call.cycle().await?;
    let by = By::of(&call);
    let form = call.form().await?;
    by.cancel_cycle(&row, CancelForm { by: form.field("by").map(str::to_owned) }).await?;
    let (name, cycle) = (&row.pipeline, row.summary.cycle);
    Ok(done(&format!("/pipelines/{name}/cycles/{cycle}"), "cancelled", ""))
}

/// `POST /pipelines/{pipeline}/cycles/{cycle}/resume`
pub(in crate::web) async fn resume(call: Call) -> Answer {
    let row = call.cycle().await?;
    let by = By::of(&call);
    let form = call.form().await?;
    let decision = form.field("decision").unwrap_or_default().to_owned();
    by.resume(&row, ResumeForm { decision, by: form.field("by").map(str::to_owned) }).await?;
    let (name, cycle) = (&row.pipeline, row.summary.cycle);
    Ok(done(&format!("/pipelines/{name}/cycles/{cycle}"), "resumed", ""))
}

/// `POST /pipelines/{pipeline}/triggers/{trigger}/cancel`
pub(in crate::web) async fn drop_trigger(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let given = call.parameter("trigger").to_owned();
    let by = By::of(&call);
    let form = call.form().await?;
    let form = CancelForm { by: form.field("by").map(str::to_owned) };
    by.cancel_trigger(&name, &given, form).await?;
    Ok(done(&format!("/pipelines/{name}"), "dropped", ""))
}
