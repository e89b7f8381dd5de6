//! The commits of the demo's repository, as `examples/chat-staging/history/` tells them.

use serde::Deserialize;

use super::DemoError;

const INDEX: &str = include_str!("../../examples/chat-staging/history/index.yaml");
const DEPLOY_SCRIPT: &str = include_str!("../../examples/chat-staging/deploy/staging.sh");
const SERVICE_FILES: &[(&str, &str)] = &[
    ("1-good.yaml", include_str!("../../examples/chat-staging/history/1-good.yaml")),
    ("2-auth-broken.yaml", include_str!("../../examples/chat-staging/history/2-auth-broken.yaml")),
    ("3-half-fixed.yaml", include_str!("../../examples/chat-staging/history/3-half-fixed.yaml")),
    (
        "4-lying-deploy.yaml",
        include_str!("../../examples/chat-staging/history/4-lying-deploy.yaml"),
    ),
    ("5-fixed.yaml", include_str!("../../examples/chat-staging/history/5-fixed.yaml")),
];

/// One commit to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The first line of its message.
    pub subject: String,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub email: String,
    /// Files that it writes whole: path, content, whether it may be executed.
    pub writes: Vec<(String, String, bool)>,
    /// Files that get one more line.
    pub touches: Vec<String>,
    /// Whether the demo runs a cycle after it.
    pub cycle: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    commits: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    subject: String,
    author: String,
    service: Option<String>,
    touches: Vec<String>,
    #[serde(default)]
    cycle: bool,
}

/// The commits, oldest first.
///
/// # Errors
/// When the files built into this binary do not fit each other.
pub fn history() -> Result<Vec<Commit>, DemoError> {
    let index: Index =
        serde_yaml::from_str(INDEX).map_err(|fault| DemoError::History(fault.to_string()))?;
    (0..).zip(index.commits).map(|(position, entry)| commit_of(position, entry)).collect()
}

fn commit_of(position: usize, entry: Entry) -> Result<Commit, DemoError> {
    let fault = |what: &str| DemoError::History(format!("commit {position}: {what}"));
    let (author, email) = entry
        .author
        .split_once(" <")
        .and_then(|(name, rest)| Some((name, rest.strip_suffix('>')?)))
        .ok_or_else(|| fault("the author is not `Name <address>`"))?;
    let mut writes = Vec::new();
    if position == 0 {
        writes.push(("deploy/staging.sh".to_owned(), DEPLOY_SCRIPT.to_owned(), true));
    }
    if let Some(name) = &entry.service {
        let file = SERVICE_FILES.iter().find(|(file, _)| file == name);
        let (_, text) = file.ok_or_else(|| fault("its service file is not bundled"))?;
        writes.push(("service.yaml".to_owned(), (*text).to_owned(), false));
    }
    Ok(Commit {
        subject: entry.subject,
        author: author.to_owned(),
        email: email.to_owned(),
        writes,
        touches: entry.touches,
        cycle: entry.cycle,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_bundled_history_has_the_five_stories() {
        let commits = history().unwrap();
        assert_eq!(commits.iter().filter(|commit| commit.cycle).count(), 5);
        assert!(
            commits[0]
                .writes
                .iter()
                .any(|(path, _, executable)| path == "deploy/staging.sh" && *executable)
        );
        assert!(
            commits.iter().all(|commit| !commit.author.is_empty() && commit.email.contains('@'))
        );
    }
}
