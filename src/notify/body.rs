//! What is stored of a message: what is to be sent, without secrets. Old ones stay readable: a
//! message of an earlier version may wait when a new one starts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::names::PipelineName;
use crate::domain::outcome::{Verdict, words};
use crate::domain::revision::Sha;

/// What to send, by the channel that it was made for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// For a Slack-compatible incoming webhook.
    Slack {
        /// The whole request.
        payload: Value,
    },
    /// For a webhook.
    Webhook {
        /// What it is about, for its header.
        event: String,
        /// The whole request.
        json: Value,
    },
    /// For a mail.
    Email {
        /// Its subject, one line.
        subject: String,
        /// Its text.
        text: String,
    },
    /// For a commit's page.
    Status {
        /// The commit.
        sha: Sha,
        /// Where it stands.
        state: StatusState,
        /// Which of the commit's statuses.
        context: String,
        /// One line.
        description: String,
    },
    /// For the pull requests that brought a commit.
    Comment {
        /// The commit.
        sha: Sha,
        /// Whose comment it is: one of a pipeline is kept up to date.
        of: PipelineName,
        /// Its Markdown, without what leads to the whole.
        text: String,
        /// Where the report lies.
        report: Option<String>,
    },
    /// For the branch that reports are pushed to. The files are those that are there then.
    Publish {
        /// The report folder.
        report_dir: String,
        /// The cycle.
        cycle: u32,
    },
}

/// What is stored of a message: what to send, and which page tells the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(flatten)]
    pub(super) body: Body,
    /// The cycle that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) about_cycle: Option<u32>,
}

impl Stored {
    /// The text that is stored.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a body is plain data")
    }
}

/// Where a commit stands. Forges have other words for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    /// A cycle runs for it.
    Pending,
    /// It is good.
    Success,
    /// It is not.
    Failure,
    /// Its cycle ended without an answer.
    Error,
    /// Somebody, or something, ended its cycle.
    Cancelled,
}

words!(StatusState {
    Pending => "pending", Success => "success", Failure => "failure", Error => "error",
    Cancelled => "cancelled",
});

impl StatusState {
    /// What a verdict means for its commit. None leaves it pending.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Green => Self::Success,
            Verdict::Red | Verdict::DeployFailed | Verdict::NotReady => Self::Failure,
            Verdict::Incomplete | Verdict::Void => Self::Error,
            Verdict::Superseded | Verdict::Cancelled => Self::Cancelled,
        }
    }
}

impl Body {
    /// The text that is stored.
    ///
    /// # Panics
    /// Never: a body is plain data.
    pub(super) fn stored(&self) -> String {
        serde_json::to_string(self).expect("a body is plain data")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_stay_readable() {
        let stored = [
            json!({ "kind": "slack", "payload": { "text": "t" } }),
            json!({ "kind": "webhook", "event": "regressed", "json": { "cycle": 7 } }),
            json!({ "kind": "email", "subject": "s", "text": "t" }),
            json!({ "kind": "status", "sha": "4f1c2aa000000000000000000000000000000001",
                "state": "pending", "context": "andon/chat", "description": "d" }),
            json!({ "kind": "publish", "report_dir": "reports", "cycle": 7 }),
            json!({ "kind": "comment", "sha": "4f1c2aa000000000000000000000000000000001",
                "of": "chat", "text": "t", "report": "reports/chat/cycle-0007.md" }),
        ];
        for text in stored {
            let body: Body = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&body.stored()).unwrap(), text);
            let mut about = text.clone();
            about["about_cycle"] = json!(7);
            let stored: Stored = serde_json::from_value(about.clone()).unwrap();
            assert_eq!((&stored.body, stored.about_cycle), (&body, Some(7)));
            assert_eq!(serde_json::from_str::<Value>(&stored.text()).unwrap(), about);
        }
    }

    #[test]
    fn no_verdict_leaves_a_commit_pending() {
        for verdict in Verdict::ALL {
            assert_ne!(StatusState::of(*verdict), StatusState::Pending, "{verdict}");
        }
    }
}
