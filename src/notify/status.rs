//! The status of a commit as each forge wants it. Pure: the request in parts; nothing is sent here.

use serde_json::{Value, json};
use url::Url;

use super::body::StatusState;
use super::fate::Refusal;
use super::http::Post;
use crate::domain::revision::Sha;
use crate::domain::spec::{CommitStatus, Forge};

const GITHUB: &str = "https://api.github.com";
const GITLAB: &str = "https://gitlab.com/api/v4";

/// What to say of a commit.
pub(super) struct Status<'a> {
    pub(super) sha: &'a Sha,
    pub(super) state: StatusState,
    pub(super) context: &'a str,
    pub(super) description: &'a str,
}

/// The request. `api` and `token` are filled in.
pub(super) fn request(
    channel: &CommitStatus,
    api: Option<&str>,
    token: &str,
    status: &Status<'_>,
) -> Result<Post, Refusal> {
    let state = word(channel.forge, status.state);
    let (description, context, sha) = (status.description, status.context, status.sha.as_str());
    let named = json!({ "state": state, "context": context, "description": description });
    let (url, headers, json): (String, Vec<(&'static str, String)>, Value) = match channel.forge {
        Forge::Github => {
            let headers = vec![
                ("authorization", format!("Bearer {token}")),
                ("accept", "application/vnd.github+json".to_owned()),
                ("x-github-api-version", "2022-11-28".to_owned()),
            ];
            let parts = in_repo(&channel.repo, sha);
            (address(api.unwrap_or(GITHUB), "", &parts)?, headers, named)
        }
        Forge::Gitea => {
            let headers = vec![("authorization", format!("token {token}"))];
            let api = api.ok_or_else(|| Refusal::Never("gitea needs an `api`".to_owned()))?;
            (address(api, "/api/v1", &in_repo(&channel.repo, sha))?, headers, named)
        }
        Forge::Gitlab => {
            let headers = vec![("private-token", token.to_owned())];
            let parts = ["projects", &channel.repo, "statuses", sha];
            let url = address(api.unwrap_or(GITLAB), "/api/v4", &parts)?;
            let json = json!({ "state": state, "name": context, "description": description });
            (url, headers, json)
        }
    };
    Ok(Post { url, headers, body: json.to_string().into_bytes() })
}

/// Whether a refusal says that the commit has this very status already: GitLab takes no state twice.
pub(super) fn is_so_already(forge: Forge, refusal: &Refusal) -> bool {
    match (forge, refusal) {
        (Forge::Gitlab, Refusal::Answered { status: 400, excerpt, .. }) => {
            excerpt.contains("Cannot transition status")
        }
        (Forge::Github | Forge::Gitlab | Forge::Gitea, _) => false,
    }
}

/// The forge's word for a state.
fn word(forge: Forge, state: StatusState) -> &'static str {
    match (forge, state) {
        (_, StatusState::Pending) => "pending",
        (_, StatusState::Success) => "success",
        (Forge::Gitlab, StatusState::Failure | StatusState::Error) => "failed",
        (Forge::Gitlab, StatusState::Cancelled) => "canceled",
        (Forge::Github | Forge::Gitea, StatusState::Failure) => "failure",
        (Forge::Github | Forge::Gitea, StatusState::Error | StatusState::Cancelled) => "error",
    }
}

fn in_repo<'a>(repo: &'a str, sha: &'a str) -> Vec<&'a str> {
    let mut parts = vec!["repos"];
    parts.extend(repo.split('/'));
    parts.extend(["statuses", sha]);
    parts
}

/// An address under an API whose root may be given with or without the path that all have.
fn address(api: &str, root: &str, parts: &[&str]) -> Result<String, Refusal> {
    let unusable = |why: String| Refusal::Never(format!("`api` cannot be used: {why}"));
    let mut url = Url::parse(api).map_err(|fault| unusable(fault.to_string()))?;
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with(root) {
        url.set_path(&format!("{path}{root}"));
    }
    url.path_segments_mut()
        .map_err(|()| unusable("it has no host".to_owned()))?
        .pop_if_empty()
        .extend(parts);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::template::Template;

    fn post(forge: Forge, api: Option<&str>, repo: &str, state: StatusState) -> (Post, Value) {
        let channel =
            CommitStatus { forge, repo: repo.to_owned(), token: Template::literal("t"), api: None };
        let sha = Sha::parse("4f1c2aa000000000000000000000000000000001").unwrap();
        let status = Status { sha: &sha, state, context: "andon/chat", description: "d" };
        let post = request(&channel, api, "tok", &status).unwrap();
        let json = serde_json::from_slice(&post.body).unwrap();
        (post, json)
    }

    #[test]
    fn each_forge_gets_its_own_request() {
        const SHA: &str = "4f1c2aa000000000000000000000000000000001";
        let (github, json) = post(Forge::Github, None, "acme/chat", StatusState::Failure);
        assert_eq!(github.url, format!("https://api.github.com/repos/acme/chat/statuses/{SHA}"));
        assert!(github.headers.contains(&("authorization", "Bearer tok".to_owned())));
        assert_eq!(
            json,
            json!({ "state": "failure", "context": "andon/chat", "description": "d" })
        );

        let (gitlab, json) = post(Forge::Gitlab, None, "acme/web/chat", StatusState::Cancelled);
        let project = "https://gitlab.com/api/v4/projects/acme%2Fweb%2Fchat/statuses";
        assert_eq!(gitlab.url, format!("{project}/{SHA}"));
        assert_eq!(gitlab.headers, [("private-token", "tok".to_owned())]);
        assert_eq!(json, json!({ "state": "canceled", "name": "andon/chat", "description": "d" }));

        for api in ["https://git.example.com/x", "https://git.example.com/x/api/v1/"] {
            let (gitea, json) = post(Forge::Gitea, Some(api), "acme/chat", StatusState::Error);
            let expected = "https://git.example.com/x/api/v1/repos/acme/chat/statuses";
            assert_eq!(gitea.url, format!("{expected}/{SHA}"));
            assert_eq!(json["state"], "error");
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let (post, _) = post(Forge::Github, None, "../a?b/#c", StatusState::Pending);
        assert!(!post.url.contains(['?', '#']), "{}", post.url);
        assert!(post.url.starts_with("https://api.github.com/repos/"), "{}", post.url);
    }

    #[test]
    fn a_state_that_gitlab_has_already_is_no_failure() {
        let refusal = Refusal::Answered {
            status: 400,
            retry_after: None,
            excerpt: r#"{"message":"Cannot transition status via :run from :running"}"#.to_owned(),
        };
        assert!(is_so_already(Forge::Gitlab, &refusal));
        assert!(!is_so_already(Forge::Github, &refusal));
    }
}
