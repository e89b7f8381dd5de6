//! Requests to a repository's API on a forge: addresses and headers. Pure; nothing is sent here.

use serde_json::Value;
use url::Url;

use super::fate::Refusal;
use super::http::{Request, Verb};
use crate::domain::spec::{Forge, ForgeRepo};

const GITHUB: &str = "https://api.github.com";
const GITLAB: &str = "https://gitlab.com/api/v4";

/// A repository's API, with its address and token filled in.
pub(super) struct ForgeApi<'a> {
    pub(super) at: &'a ForgeRepo,
    pub(super) api: Option<String>,
    pub(super) token: String,
}

impl ForgeApi<'_> {
    /// A request below the repository.
    pub(super) fn request(&self, verb: Verb, path: &[&str]) -> Result<Request, Refusal> {
        let (forge, repo, token) = (self.at.forge, &self.at.repo, &self.token);
        let (api, root, headers) = match forge {
            Forge::Github => {
                let headers = vec![
                    ("authorization", format!("Bearer {token}")),
                    ("accept", "application/vnd.github+json".to_owned()),
                    ("x-github-api-version", "2022-11-28".to_owned()),
                ];
                (self.api.as_deref().unwrap_or(GITHUB), "", headers)
            }
            Forge::Gitea => {
                let needed = || Refusal::Never("gitea needs an `api`".to_owned());
                let api = self.api.as_deref().ok_or_else(needed)?;
                (api, "/api/v1", vec![("authorization", format!("token {token}"))])
            }
            Forge::Gitlab => {
                let api = self.api.as_deref().unwrap_or(GITLAB);
                (api, "/api/v4", vec![("private-token", token.clone())])
            }
        };
        let mut parts: Vec<&str> = match forge {
            // A project is one part, its slashes escaped.
            Forge::Gitlab => vec!["projects", repo],
            Forge::Github | Forge::Gitea => {
                std::iter::once("repos").chain(repo.split('/')).collect()
            }
        };
        parts.extend(path);
        Ok(Request { verb, url: address(api, root, &parts)?, headers, body: Vec::new() })
    }
}

impl Request {
    /// The request with such a body.
    pub(super) fn with(self, json: &Value) -> Self {
        Self { body: json.to_string().into_bytes(), ..self }
    }

    /// The request with such a question behind its address.
    pub(super) fn asking(mut self, query: &str) -> Self {
        self.url.push('?');
        self.url.push_str(query);
        self
    }
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
