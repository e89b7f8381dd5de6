//! What pages name, and have a page for, is a link.

use andon::domain::commit::Echo;
use andon::domain::names::EnvironmentName;
use andon::domain::revision::Sha;
use andon::store::{Movement, SeenCommit};
use jiff::Timestamp;

use crate::client::get;
use crate::editing::{HERE, fresh};
use crate::house::{House, house};

/// A document of which a cycle filled the parts.
fn seen() -> String {
    let (commits, occurrences) = ("<!-- andon:end commits -->", "<!-- andon:end occurrences -->");
    fresh()
        .replace("Expected 200, got 500.", "| | |\n|---|---|\n| First bad | cycle 2, `56fa266` |")
        .replace(commits, &format!("\n- `6b6e2f6` Bump the client (Bot, now): `a`\n{commits}"))
        .replace(
            occurrences,
            &format!(
                "## Occurrences\n\n| Cycle | Revision | Decided | Cases | Verdict |\n|---|---|---|---|---|\n\
                 | 2 | `56fa266` | 2026-11-27 17:27:23 UTC | 6 | red |\n{occurrences}"
            ),
        )
}

async fn page_of(house: &House, path: &str) -> String {
    house.ask(get(path)).await.page(200).html()
}

#[tokio::test(flavor = "multi_thread")]
async fn cycles_and_commits_that_an_investigation_names_are_links() {
    let house = house(&[]).await.with_document(&seen()).await;
    let page = page_of(&house, HERE).await;
    let cycle = "<a href=\"/pipelines/chat/cycles/2\" rel=\"noopener noreferrer nofollow\">";
    for link in [
        format!("<td>{cycle}cycle 2</a>, <code>56fa266</code></td>"),
        format!("<td>{cycle}2</a></td>"),
        format!("<code>a</code> — came with {cycle}cycle 2</a>"),
    ] {
        assert!(page.contains(&link), "{link} in {page}");
    }
    // What is edited, and what is read as Markdown, is the document as it is.
    assert_eq!(house.ask(get(&format!("{HERE}/document.md"))).await.text(), seen());
    assert_eq!(house.open().await.text, seen());
}

/// So many commits came since that the page of the pipeline lists this one no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_commit_is_told_however_many_came_since() {
    let house = house(&[]).await.with_document(&seen()).await;
    let commit = |sha: String| SeenCommit {
        sha: Sha::parse(&sha).unwrap(),
        subject: "Bump the client".to_owned(),
        author: "Bot".to_owned(),
        skipped_by: Some("touches only docs/**".to_owned()),
        echo: Echo::No,
    };
    let movement = |from: Option<&SeenCommit>, commits: Vec<SeenCommit>| Movement {
        pipeline: house.name("chat"),
        environment: EnvironmentName::parse("chat-staging").unwrap(),
        branch: "main".to_owned(),
        from: from.map(|commit| commit.sha.clone()),
        to: commits.last().map(|commit| commit.sha.clone()),
        commits,
        run: None,
        not_before: Timestamp::UNIX_EPOCH,
        at: Timestamp::UNIX_EPOCH,
    };
    let bump = commit(format!("6b6e2f6{}", "0".repeat(33)));
    assert!(house.store.put_movement(movement(None, vec![bump.clone()])).await.unwrap());
    let link = "<a href=\"/pipelines/chat#commit-6b6e2f6\"";
    let page = page_of(&house, HERE).await;
    assert!(page.contains(link) && page.contains("<code>a</code> — skipped"), "{page}");
    let more = (0..60).map(|number| commit(format!("{number:040}"))).collect();
    assert!(house.store.put_movement(movement(Some(&bump), more)).await.unwrap());
    let page = page_of(&house, HERE).await;
    assert!(!page.contains(link) && page.contains("<code>a</code> — skipped"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_open_investigation_of_a_pipeline_is_a_link() {
    let house = house(&[]).await.with_document(&seen()).await;
    let page = page_of(&house, "/pipelines/chat").await.replace("&#x2f;", "/");
    assert!(page.contains(&format!(" <a href=\"{HERE}\">INV-0001</a></dd>")), "{page}");
}
