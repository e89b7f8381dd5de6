//! The status of a commit as each forge wants it. Pure: the request in parts; nothing is sent here.

use serde_json::json;

use super::body::StatusState;
use super::fate::Refusal;
use super::forge::ForgeApi;
use super::http::{Request, Verb};
use crate::domain::revision::Sha;
use crate::domain::spec::Forge;

/// What to say of a commit.
pub(super) struct Status<'a> {
    pub(super) sha: &'a Sha,
    pub(super) state: StatusState,
    pub(super) context: &'a str,
    pub(super) description: &'a str,
    /// The page that tells the whole.
    pub(super) page: Option<&'a str>,
}

/// The request.
pub(super) fn request(forge: &ForgeApi<'_>, status: &Status<'_>) -> Result<Request, Refusal> {
    let (state, sha) = (word(forge.at.forge, status.state), status.sha.as_str());
    let called = match forge.at.forge {
        Forge::Github | Forge::Gitea => "context",
        Forge::Gitlab => "name",
    };
    let mut json =
        json!({ "state": state, called: status.context, "description": status.description });
    if let Some(page) = status.page {
        json["target_url"] = json!(page);
    }
    Ok(forge.request(Verb::Post, &["statuses", sha])?.with(&json))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::Value;

    use super::*;
    use crate::domain::spec::ForgeRepo;
    use crate::domain::template::Template;

    fn post(forge: Forge, api: Option<&str>, repo: &str, state: StatusState) -> (Request, Value) {
        let at =
            ForgeRepo { forge, repo: repo.to_owned(), token: Template::literal("t"), api: None };
        let forge = ForgeApi { at: &at, api: api.map(str::to_owned), token: "tok".to_owned() };
        let sha = Sha::parse("4f1c2aa000000000000000000000000000000001").unwrap();
        let page = None;
        let status = Status { sha: &sha, state, context: "andon/chat", description: "d", page };
        let linked = Status { page: Some("https://andon.example.com/x"), ..status };
        let linked: Value =
            serde_json::from_slice(&request(&forge, &linked).unwrap().body).unwrap();
        assert_eq!(linked["target_url"], "https://andon.example.com/x");
        let post = request(&forge, &status).unwrap();
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
