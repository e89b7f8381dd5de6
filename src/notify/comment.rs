//! The comment on the pull requests that brought a commit: one for each pipeline, kept up to date.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::fate::Refusal;
use super::forge::ForgeApi;
use super::http::{Http, Request, Verb};
use super::webhook;
use crate::domain::names::PipelineName;
use crate::domain::revision::Sha;
use crate::domain::spec::Forge;

/// A commit is brought by one pull request, and seldom by more.
const MAX_REQUESTS: usize = 5;
/// Comments that are asked for at once, and how often: ours comes soon after the merge.
const PAGE: usize = 50;
const MAX_PAGES: usize = 60;

/// What to say, and where it is told in whole.
pub(super) struct Comment<'a> {
    pub(super) of: &'a PipelineName,
    pub(super) text: &'a str,
    pub(super) page: Option<&'a str>,
    pub(super) report: Option<&'a str>,
}

impl Comment<'_> {
    /// Its Markdown: known by its first line, ending in what leads to the whole.
    fn body(&self, mark: &str) -> String {
        let whole = match (self.page, self.report) {
            (Some(page), _) => format!("\n[The whole cycle]({page})\n"),
            (None, Some(report)) => format!("\nThe whole report: `{}`\n", report.replace('`', "'")),
            (None, None) => String::new(),
        };
        format!("{mark}\n{}\n{whole}", self.text.trim_end())
    }

    /// The first line of our comment on a request. Nobody else can know it before it is there, so the first
    /// comment with it is ours: one that a stranger wrote ahead of us is never taken for it.
    fn mark(&self, forge: &ForgeApi<'_>, number: u64) -> String {
        let about = format!("{} {} {number}", self.of, forge.at.repo);
        let signed = webhook::signature(&forge.token, about.as_bytes());
        let digest = signed.trim_start_matches("sha256=");
        format!("<!-- andon:comment {} {} -->", self.of, &digest[..16])
    }
}

/// Says it on each pull request that brought the commit; where none did, nobody is told.
pub(super) async fn send(
    http: &Http,
    forge: &ForgeApi<'_>,
    sha: &Sha,
    comment: &Comment<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let requests = brought_by(http, forge, sha, now).await?;
    if requests.is_empty() {
        tracing::info!("{}: no pull request brought {}", comment.of, sha.short());
    }
    for number in requests {
        match say(http, forge, number, comment, now).await {
            // It is locked, or gone: that is its own matter, and no other waits for it.
            Err(
                refusal @ Refusal::Answered {
                    status: 403 | 404 | 410 | 422, retry_after: None, ..
                },
            ) => {
                tracing::warn!("{}: pull request {number} takes no comment: {refusal}", comment.of);
            }
            done => done?,
        }
    }
    Ok(())
}

/// Brings the comment on one request up to date.
async fn say(
    http: &Http,
    forge: &ForgeApi<'_>,
    number: u64,
    comment: &Comment<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let comments = comments(forge.at.forge, number);
    let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
    let mark = comment.mark(forge, number);
    let request = match ours(http, forge, &comments, &mark, now).await? {
        Some(id) => edit(forge, &comments, id)?,
        None => forge.request(Verb::Post, &comments)?,
    };
    http.send(request.with(&json!({ "body": comment.body(&mark) })), now).await
}

/// The numbers of the pull requests that brought a commit.
async fn brought_by(
    http: &Http,
    forge: &ForgeApi<'_>,
    sha: &Sha,
    now: Timestamp,
) -> Result<Vec<u64>, Refusal> {
    let path: &[&str] = match forge.at.forge {
        Forge::Github => &["commits", sha.as_str(), "pulls"],
        Forge::Gitlab => &["repository", "commits", sha.as_str(), "merge_requests"],
        Forge::Gitea => &["commits", sha.as_str(), "pull"],
    };
    match http.ask(forge.request(Verb::Get, path)?, now).await {
        Ok(answer) => Ok(numbers(forge.at.forge, &answer)),
        // GitHub knows the repository, but not the commit.
        Err(Refusal::Answered { status: 422, .. }) => Ok(Vec::new()),
        // The others say so of a commit that no request brought, too.
        Err(Refusal::Answered { status: 404, .. }) if forge.at.forge != Forge::Github => {
            Ok(Vec::new())
        }
        Err(refusal) => Err(refusal),
    }
}

fn numbers(forge: Forge, answer: &Value) -> Vec<u64> {
    let name = match forge {
        Forge::Github | Forge::Gitea => "number",
        Forge::Gitlab => "iid",
    };
    let all = answer.as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
    all.iter().filter_map(|one| one[name].as_u64()).take(MAX_REQUESTS).collect()
}

/// Where the comments of a pull request are.
fn comments(forge: Forge, number: u64) -> [String; 3] {
    let (of, what) = match forge {
        Forge::Github | Forge::Gitea => ("issues", "comments"),
        Forge::Gitlab => ("merge_requests", "notes"),
    };
    [of.to_owned(), number.to_string(), what.to_owned()]
}

fn edit(forge: &ForgeApi<'_>, comments: &[&str], id: u64) -> Result<Request, Refusal> {
    let id = id.to_string();
    match forge.at.forge {
        Forge::Github | Forge::Gitea => forge.request(Verb::Patch, &["issues", "comments", &id]),
        Forge::Gitlab => forge.request(Verb::Put, &[comments, &[&*id]].concat()),
    }
}

/// The comment that was made before.
async fn ours(
    http: &Http,
    forge: &ForgeApi<'_>,
    comments: &[&str],
    mark: &str,
    now: Timestamp,
) -> Result<Option<u64>, Refusal> {
    for page in 1..=MAX_PAGES {
        let query = match forge.at.forge {
            Forge::Github => format!("per_page={PAGE}&page={page}"),
            Forge::Gitlab => format!("per_page={PAGE}&page={page}&sort=asc&order_by=created_at"),
            Forge::Gitea => format!("limit={PAGE}&page={page}"),
        };
        let asked = forge.request(Verb::Get, comments)?.asking(&query);
        let answer = http.ask(asked, now).await?;
        let some = answer.as_array().map_or(&[][..], Vec::as_slice);
        let is_ours =
            |one: &&Value| one["body"].as_str().is_some_and(|body| body.starts_with(mark));
        if let Some(found) = some.iter().find(is_ours) {
            return Ok(found["id"].as_u64());
        }
        if some.len() < PAGE {
            break;
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_found_in_what_each_forge_answers() {
        let table = [
            (Forge::Github, json!([{ "number": 7 }, { "number": 9 }]), vec![7, 9]),
            (Forge::Gitlab, json!([{ "iid": 3, "number": 8 }]), vec![3]),
            (Forge::Gitea, json!({ "number": 5 }), vec![5]),
            (Forge::Github, json!([]), vec![]),
            (Forge::Github, json!("nonsense"), vec![]),
        ];
        for (forge, answer, expected) in table {
            assert_eq!(numbers(forge, &answer), expected, "{answer}");
        }
        let many: Vec<Value> = (0..50).map(|number| json!({ "number": number })).collect();
        assert_eq!(numbers(Forge::Github, &json!(many)).len(), MAX_REQUESTS);
    }

    #[test]
    fn a_comment_is_known_by_its_first_line_and_ends_in_the_whole() {
        let of = PipelineName::parse("chat").unwrap();
        let page = Some("https://andon.example.com/pipelines/chat/cycles/7");
        let comment =
            Comment { of: &of, text: "### CYCLE 7\n", page, report: Some("reports/7.md") };
        assert_eq!(
            comment.body("<!-- ours -->"),
            "<!-- ours -->\n### CYCLE 7\n\n[The whole cycle](https://andon.example.com/pipelines/chat/cycles/7)\n"
        );
        let told = Comment { page: None, ..comment }.body("<!-- ours -->");
        assert!(told.ends_with("\nThe whole report: `reports/7.md`\n"), "{told}");
    }
}
