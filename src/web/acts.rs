//! Who had what done: in the store, for the page and the list of it. What is done is done whether or not this can be
//! written; then it stands in the log alone.

use super::site::Site;
use crate::domain::names::PipelineName;
use crate::store::{Act, ActKind};

/// What somebody did.
pub(super) struct Done<'a> {
    pub(super) kind: ActKind,
    /// To what, as far as it was to something: its pipeline, and what of that.
    pub(super) to: Option<(&'a PipelineName, String)>,
    /// What was asked for, in words.
    pub(super) detail: String,
}

impl Done<'_> {
    /// Remembers that this person did it.
    pub(super) async fn by(self, site: &Site, person: String) {
        let (pipeline, subject) = self.to.unzip();
        let act = Act {
            at: site.now(),
            person,
            kind: self.kind,
            pipeline: pipeline.cloned(),
            subject,
            detail: self.detail,
        };
        if let Err(fault) = site.store().put_act(act.clone()).await {
            tracing::warn!(%fault, "who did it is only in this log: {act:?}");
        }
    }
}
