//! Who had the daemon do what.

use serde::Deserialize;

use super::pipelines::Limit;
use crate::store::ActRow;
use crate::web::call::{Answer, Call, ok};
use crate::web::forms::{ActForm, ActsForm, time};
use crate::web::problem::Problem;

/// So many at once, unless asked otherwise.
const LISTED: u32 = 100;

#[derive(Debug, Deserialize)]
struct Asked {
    before: Option<i64>,
    limit: Option<i64>,
}

/// `GET acts`
pub(in crate::web) async fn list(call: Call) -> Answer {
    ok(&asked(&call).await?)
}

/// The acts that the query asks for.
pub(in crate::web) async fn asked(call: &Call) -> Result<ActsForm, Problem> {
    let Asked { before, limit } = call.query()?;
    let limit = Limit { limit }.or(LISTED)?;
    let rows = call.site.store().list_acts(before, limit).await?;
    let is_whole = rows.len() < usize::try_from(limit).unwrap_or(usize::MAX);
    let older = rows.last().filter(|_| !is_whole).map(|row| row.id);
    Ok(ActsForm { acts: rows.into_iter().map(form).collect(), older })
}

fn form(ActRow { id, act }: ActRow) -> ActForm {
    ActForm {
        id,
        at: time(act.at),
        person: act.person,
        kind: act.kind.as_str().to_owned(),
        pipeline: act.pipeline.map(|name| name.to_string()),
        subject: act.subject,
        detail: act.detail,
    }
}
