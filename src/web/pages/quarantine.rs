//! What to commit so that a case decides no verdict for a while: an entry of `quarantine`, made of what a person says.
//! Nothing is stored; the file in the repository decides. Pure.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::names::CaseId;
use crate::domain::spec::Quarantine;
use crate::verdict::in_quarantine;

/// So many days are proposed: long enough for a repair, short enough to be remembered.
const PROPOSED_DAYS: i64 = 14;
/// A person, or a reason, has at most so many characters.
const MAX_TEXT: usize = 300;

/// What a person says of the quarantine that they want.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    owner: Option<String>,
    reason: Option<String>,
    until: Option<String>,
}

/// The form, and the entry once it is filled in.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Proposal {
    owner: String,
    reason: String,
    until: String,
    /// Whether somebody sent the form.
    is_asked: bool,
    /// What is wrong with it.
    refused: Option<&'static str>,
    yaml: Option<String>,
    /// The entry that holds now.
    holds: Option<Holds>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Holds {
    owner: String,
    reason: String,
    until: String,
}

/// The proposal for a case, on that day.
pub(super) fn proposal(
    case: &CaseId,
    asked: &Asked,
    entries: &[Quarantine],
    today: Date,
) -> Proposal {
    let text = |given: &Option<String>| -> String {
        let given = given.as_deref().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
        given.chars().take(MAX_TEXT).collect()
    };
    let (owner, reason) = (text(&asked.owner), text(&asked.reason));
    let proposed = || today.saturating_add(jiff::Span::new().days(PROPOSED_DAYS));
    let until = asked.until.as_deref().map_or_else(|| Ok(proposed()), str::parse::<Date>);
    let is_asked = asked.owner.is_some() || asked.reason.is_some();
    let refused = match &until {
        _ if !is_asked => None,
        _ if owner.is_empty() => {
            Some("Say who sees to it: a quarantine that nobody owns never ends.")
        }
        _ if reason.is_empty() => Some("Say why: the report shows it beside the case."),
        Err(_) => Some("Say until which day, as in 2026-12-31."),
        Ok(until) if *until < today => {
            Some("That day is over: the case would decide again at once.")
        }
        Ok(_) => None,
    };
    let yaml = until.as_ref().ok().filter(|_| is_asked && refused.is_none()).map(|until| {
        format!(
            "suite:\n  quarantine:\n    - case: {}\n      owner: {}\n      reason: {}\n      until: {until}\n",
            quoted(case.as_str()),
            quoted(&owner),
            quoted(&reason)
        )
    });
    let holds = in_quarantine(entries, case, today).map(|entry| Holds {
        owner: entry.owner.clone(),
        reason: entry.reason.clone(),
        until: entry.until.to_string(),
    });
    let until = until.map_or_else(|_| text(&asked.until), |until| until.to_string());
    Proposal { owner, reason, until, is_asked, refused, yaml, holds }
}

/// A text as YAML reads it back, whatever it holds: JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pipeline::{MemoryFiles, load};

    const TODAY: &str = "2026-11-27";
    const PIPELINE: &str = "version: 1
name: shop
environment: staging
watch: { repo: https://git.example.com/shop.git, branches: [main] }
suite:
  name: P1
  commands: [{ name: tests, run: make test, timeout: 5m }]
";

    fn asked(owner: &str, reason: &str, until: &str) -> Asked {
        let some = |text: &str| Some(text.to_owned());
        Asked { owner: some(owner), reason: some(reason), until: some(until) }
    }

    fn proposed(id: &str, asked: &Asked) -> Proposal {
        proposal(&CaseId::parse(id).unwrap(), asked, &[], TODAY.parse().unwrap())
    }

    #[test]
    fn what_is_proposed_is_what_the_pipeline_reads() {
        let (id, reason) = ("e2e::cart \"two\": [x]", "the limiter: replaced # soon, \\ 'really'");
        let yaml = proposed(id, &asked("ada", reason, "2026-12-31")).yaml.unwrap();
        let file = format!("{PIPELINE}{}", yaml.strip_prefix("suite:\n").unwrap());
        let loaded = load(&MemoryFiles::new().with("shop.yaml", file), "shop.yaml".as_ref());
        let suite =
            loaded.pipeline.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).suite.unwrap();
        let read = &suite.quarantine;
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].case.as_str(), read[0].owner.as_str()), (id, "ada"));
        assert_eq!(
            (read[0].reason.as_str(), read[0].until.to_string().as_str()),
            (reason, "2026-12-31")
        );
    }

    #[test]
    fn a_quarantine_has_an_owner_a_reason_and_an_end() {
        assert_eq!(proposed("a", &Asked::default()).until, "2026-12-11", "two weeks are offered");
        assert_eq!(proposed("a", &Asked::default()).refused, None);
        for (asked, wrong) in [
            (asked(" ", "why", "2026-12-31"), "who sees to it"),
            (asked("ada", "", "2026-12-31"), "Say why"),
            (asked("ada", "why", "soon"), "which day"),
            (asked("ada", "why", "2026-11-26"), "over"),
        ] {
            let proposal = proposed("a", &asked);
            assert!(proposal.refused.unwrap().contains(wrong), "{proposal:?}");
            assert_eq!(proposal.yaml, None);
        }
    }
}
