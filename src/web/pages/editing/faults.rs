//! Why an edit is not saved, in words and as a status, and what can be done.

use http::StatusCode;

use crate::engine::EditError;
use crate::web::problem::Problem;

pub(super) fn status_of(fault: &EditError) -> StatusCode {
    match fault {
        EditError::Absent(_) => StatusCode::NOT_FOUND,
        EditError::TooLong | EditError::NotText | EditError::Emptied => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        EditError::Left { .. } | EditError::Forgotten | EditError::Busy | EditError::Closed(_) => {
            StatusCode::CONFLICT
        }
        EditError::Io(_) | EditError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What can be done.
fn help_of(fault: &EditError) -> &'static str {
    match fault {
        EditError::Absent(_) => "the next cycle that sees the failure writes it again",
        EditError::Closed(_) => "it reopens by itself when its failure comes back",
        EditError::Left { .. } | EditError::TooLong => {
            "`andon whys edit` opens it in an editor of yours"
        }
        EditError::NotText => "remove that character",
        EditError::Emptied => {
            "to take words back delete those; `andon whys close` ends an investigation"
        }
        EditError::Forgotten => "open the page anew",
        EditError::Busy => "save once more",
        EditError::Io(_) | EditError::Store(_) => {
            "save once more; the log of the daemon says what is wrong"
        }
    }
}

fn told(fault: &EditError) -> String {
    if status_of(fault).is_server_error() {
        tracing::error!("an edit is not saved: {}", crate::domain::errors::chain(fault));
    }
    fault.to_string()
}

pub(super) fn refusal(fault: &EditError) -> String {
    format!("Nothing is saved: {}; {}.", told(fault), help_of(fault))
}

pub(super) fn problem(fault: &EditError) -> Problem {
    Problem::new(status_of(fault), told(fault)).help(help_of(fault))
}
