//! Reports pushed to a branch: over every transport, beside others who push, and never over what they wrote.

use std::fs;

use andon::domain::redact::Secret;
use andon::git::{
    Auth, Error, ErrorKind, Keeps, Mirror, Publication, Published, PublishedFile, RepoUrl,
    UrlSource, enclosing,
};
use jiff::Timestamp;

use super::http::{Manner, Server};
use super::ssh::{RUN_HERE, mirror_over};
use super::support::{PATIENCE, World, git, script};

/// The files that lie in the world's folder `out`, with what each is.
fn publication(world: &World, files: &[(&str, &str, Keeps)]) -> Publication {
    let file = |(path, content, keeps): &(&str, &str, Keeps)| {
        let source = world.path("out").join(path);
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, content).unwrap();
        PublishedFile { path: format!("reports/{path}"), source, keeps: *keeps }
    };
    Publication {
        branch: "andon-reports".to_owned(),
        files: files.iter().map(file).collect(),
        subject: "Reports of chat up to cycle 7".to_owned(),
        trailer: ("Andon-Report", "chat 7".to_owned()),
        at: Timestamp::from_second(1_780_000_000).unwrap(),
    }
}

async fn publish(mirror: &Mirror, publication: Publication) -> Result<Published, Error> {
    mirror.publish(publication, PATIENCE).await
}

/// A file on the branch, as git shows it.
fn on_branch(world: &World, path: &str) -> Option<String> {
    let tip = world.repo.find_reference("refs/heads/andon-reports").ok()?.peel_to_tree().unwrap();
    let entry = tip.get_path(std::path::Path::new(path)).ok()?;
    let blob = world.repo.find_blob(entry.id()).unwrap();
    Some(String::from_utf8(blob.content().to_vec()).unwrap())
}

fn commits(world: &World) -> usize {
    let mut walk = world.repo.revwalk().unwrap();
    walk.push_ref("refs/heads/andon-reports").unwrap();
    walk.count()
}

const REPORT: (&str, &str, Keeps) = ("chat/cycle-0007.md", "seven", Keeps::AsItIs);

/// RELIABILITY A10: a push that is made again makes no second commit.
#[tokio::test]
async fn a_branch_is_made_then_moved_and_left_alone_when_nothing_is_new() {
    let world = World::new();
    let mirror = world.mirror().await;
    let first = publish(&mirror, publication(&world, &[REPORT])).await.unwrap();
    let tip = world.repo.find_reference("refs/heads/andon-reports").unwrap();
    let commit = tip.peel_to_commit().unwrap();
    assert_eq!(first.commit.unwrap().as_str(), commit.id().to_string());
    assert_eq!(
        commit.message().unwrap(),
        "Reports of chat up to cycle 7\n\nAndon-Report: chat 7\n"
    );
    assert_eq!(on_branch(&world, "reports/chat/cycle-0007.md").as_deref(), Some("seven"));

    let again = publish(&mirror, publication(&world, &[REPORT])).await.unwrap();
    assert_eq!(again, Published::default());
    let index = ("README.md", "two cycles", Keeps::Edits);
    let next = publication(&world, &[REPORT, ("chat/cycle-0008.md", "8", Keeps::AsItIs), index]);
    publish(&mirror, next).await.unwrap();
    assert_eq!(commits(&world), 2);
    assert_eq!(on_branch(&world, "reports/README.md").as_deref(), Some("two cycles"));
    assert_eq!(on_branch(&world, "reports/chat/cycle-0007.md").as_deref(), Some("seven"));
}

/// The same over http with a login, and over ssh.
#[tokio::test]
async fn every_transport_pushes() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::Login("ci", "s3cret")).await;
    let auth = Auth::Basic { username: "ci".to_owned(), password: Secret::new("s3cret") };
    let over_http = world.mirror_of(server.url("source.git"), auth).await;
    publish(&over_http, publication(&world, &[REPORT])).await.unwrap();
    assert_eq!(on_branch(&world, "reports/chat/cycle-0007.md").as_deref(), Some("seven"));

    let path = world.path("source.git");
    let over_ssh = mirror_over(&world, RUN_HERE, path.to_str().unwrap()).await;
    let more = publication(&world, &[("chat/cycle-0008.md", "eight", Keeps::AsItIs)]);
    publish(&over_ssh, more).await.unwrap();
    let asked = fs::read_to_string(world.path("ssh.log")).unwrap();
    assert!(asked.contains("\n--\ngit.example.com\ngit-receive-pack '"), "{asked}");
    assert_eq!(commits(&world), 2);
    assert_eq!(on_branch(&world, "reports/chat/cycle-0007.md").as_deref(), Some("seven"));
    assert_eq!(on_branch(&world, "reports/chat/cycle-0008.md").as_deref(), Some("eight"));
}

/// RELIABILITY H13: who pushes at the same time.
/// Five that publish at once, over two transports: every file of every one arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_pushes_at_the_same_time_loses_nothing() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::Git).await;
    let mut tasks = tokio::task::JoinSet::new();
    let names: Vec<String> = (0..5).map(|n| format!("p{n}/cycle-0001.md")).collect();
    for (n, name) in names.iter().enumerate() {
        let mirror = match n % 2 {
            0 => world.mirror().await,
            _ => world.mirror_of(server.url("source.git"), Auth::None).await,
        };
        let publication = publication(&world, &[(name, name, Keeps::AsItIs)]);
        tasks.spawn(async move { publish(&mirror, publication).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    for name in &names {
        assert!(on_branch(&world, &format!("reports/{name}")).is_some(), "{name}");
    }
    assert_eq!(commits(&world), names.len());
}

#[tokio::test]
async fn what_people_write_on_the_branch_stays() {
    let world = World::new();
    let mirror = world.mirror().await;
    let path = "chat/investigations/INV-0001-x.md";
    let with = |text| publication(&world, &[(path, text, Keeps::Edits), REPORT]);
    publish(&mirror, with("asked")).await.unwrap();
    publish(&mirror, with("asked, seen twice")).await.unwrap();
    let on = format!("reports/{path}");
    assert_eq!(on_branch(&world, &on).as_deref(), Some("asked, seen twice"));

    let files = [(on.as_str(), "asked, and answered by Ada"), ("other", "theirs")];
    world.commit("andon-reports", "Answer", &files);
    let later = with("asked, seen three times");
    let done = publish(&mirror, later.clone()).await.unwrap();
    assert_eq!(done.kept, std::slice::from_ref(&on));
    assert_eq!(on_branch(&world, &on).as_deref(), Some("asked, and answered by Ada"));
    assert_eq!(on_branch(&world, "other").as_deref(), Some("theirs"));
    assert_eq!(on_branch(&world, "reports/chat/cycle-0007.md").as_deref(), Some("seven"));
    // Ours is the newest commit now, and their text is still theirs.
    let done = publish(&mirror, later).await.unwrap();
    assert_eq!(on_branch(&world, &on).as_deref(), Some("asked, and answered by Ada"), "{done:?}");
}

/// The project's own README, a report that is not ours, and a squash merge that gathered our trailer.
#[tokio::test]
async fn what_somebody_else_put_there_is_never_written_over() {
    let world = World::new();
    let mirror = world.mirror().await;
    let foreign = [("reports/README.md", "# Project"), ("reports/chat/cycle-0007.md", "their own")];
    world.commit("andon-reports", "First", &foreign);
    let index = ("README.md", "# Reports", Keeps::Edits);
    let page = ("chat/README.md", "one", Keeps::Edits);
    let done = publish(&mirror, publication(&world, &[REPORT, index, page])).await.unwrap();
    assert_eq!(done.kept, ["reports/chat/cycle-0007.md", "reports/README.md"]);
    for (path, text) in foreign {
        assert_eq!(on_branch(&world, path).as_deref(), Some(text));
    }
    let edited = [foreign[0], foreign[1], ("reports/chat/README.md", "theirs")];
    world.commit("andon-reports", "Squash\n\nAndon-Report: chat 7\n", &edited);
    let done = publish(&mirror, publication(&world, &[page])).await.unwrap();
    assert_eq!(done.kept, ["reports/chat/README.md"]);
    assert_eq!(on_branch(&world, "reports/chat/README.md").as_deref(), Some("theirs"));
}

/// `repo: "."` in `pipelines/x.yaml` is the project around it; a folder in none stays what it is.
#[tokio::test]
async fn a_folder_within_a_repository_means_that_repository() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let source = world.path("source.git");
    git(world.dir.path(), &["clone", "-q", "-b", "main", source.to_str().unwrap(), "work"]);
    fs::create_dir(world.path("work/pipelines")).unwrap();
    let parse = |text: &str, base: &str| {
        RepoUrl::parse(text, UrlSource::Operator { base: &world.path(base) }).unwrap()
    };
    let found = enclosing(parse(".", "work/pipelines"));
    assert_eq!(found, enclosing(parse("..", "work/pipelines")));
    assert_eq!(found, enclosing(parse("work", "")));
    let mirror = world.mirror_of(found, Auth::None).await;
    publish(&mirror, publication(&world, &[REPORT])).await.unwrap();
    git(&world.path("work"), &["rev-parse", "--verify", "-q", "andon-reports"]);
    let nowhere = parse("no-such", "");
    assert_eq!(enclosing(nowhere.clone()), nowhere);
    let mirror = world.mirror_of(nowhere, Auth::None).await;
    let error = publish(&mirror, publication(&world, &[REPORT])).await.unwrap_err();
    assert!(error.hint_for_publishing().contains("report.publish.git.repo"), "{error}");
}

#[tokio::test]
async fn a_branch_that_somebody_works_on_is_not_pulled_away() {
    let world = World::new();
    world.commit("andon-reports", "First", &[("a", "1")]);
    let clone = world.path("work");
    let source = world.path("source.git");
    git(
        world.dir.path(),
        &["clone", "-q", "-b", "andon-reports", source.to_str().unwrap(), "work"],
    );
    let url = RepoUrl::parse("work", UrlSource::Operator { base: world.dir.path() }).unwrap();
    let mirror = world.mirror_of(url, Auth::None).await;
    let error = publish(&mirror, publication(&world, &[REPORT])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("branch andon-reports is checked out in "), "{error}");
    git(&clone, &["checkout", "-q", "-b", "mine"]);
    git(&clone, &["worktree", "add", "-q", "../beside", "andon-reports"]);
    let error = publish(&mirror, publication(&world, &[REPORT])).await.unwrap_err();
    let text = error.to_string();
    assert!(text.trim_end_matches('/').ends_with("/beside"), "the worktree is named: {text}");
    git(&clone, &["worktree", "remove", "../beside"]);
    publish(&mirror, publication(&world, &[REPORT])).await.unwrap();
}

/// A hook of the remote that pushes to the branch itself, before ours arrives, as long as that is asked for:
/// `busy` holds how often.
fn somebody_pushes_first(world: &World, times: u32) {
    let hook = world.path("source.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(world.path("busy"), times.to_string()).unwrap();
    fs::write(world.path("asked"), "").unwrap();
    let folder = world.dir.path().display();
    script(
        &hook,
        &format!(
            "echo >> {folder}/asked
             left=$(cat {folder}/busy)
             test \"$left\" -gt 0 || exit 0
             echo $((left - 1)) > {folder}/busy
             unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
             tip=$(git rev-parse refs/heads/andon-reports)
             new=$(echo Theirs | git -c user.name=Ada -c user.email=a@example.com commit-tree -p $tip \"$tip^{{tree}}\")
             git update-ref refs/heads/andon-reports $new $tip"
        ),
    );
}

/// How often the remote was asked to take something.
fn asked(world: &World) -> usize {
    fs::read_to_string(world.path("asked")).unwrap().lines().count()
}

/// RELIABILITY H13: somebody pushes between our look and our push; their commit and ours are both there.
#[tokio::test]
async fn h13_a_push_in_between_is_built_upon() {
    let world = World::new();
    world.commit("andon-reports", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
    somebody_pushes_first(&world, 2);
    publish(&mirror, publication(&world, &[REPORT])).await.unwrap();
    assert_eq!(asked(&world), 3);
    assert_eq!(commits(&world), 4, "the first, two of theirs, and ours");
    assert_eq!(on_branch(&world, "reports/chat/cycle-0007.md").as_deref(), Some("seven"));
    assert_eq!(on_branch(&world, "a").as_deref(), Some("1"));
}

/// RELIABILITY H13: a branch that never rests is tried six times, and then left for later.
#[tokio::test]
async fn h13_there_are_at_most_five_retries() {
    let world = World::new();
    world.commit("andon-reports", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
    somebody_pushes_first(&world, 100);
    let error = publish(&mirror, publication(&world, &[REPORT])).await.unwrap_err();
    assert_eq!(asked(&world), 6);
    assert_eq!(error.kind(), ErrorKind::Network, "it is worth another attempt later");
    assert!(error.to_string().contains("moved again and again"), "{error}");
    assert_eq!(commits(&world), 7, "all of theirs are there");
    assert_eq!(fs::read_to_string(world.path("out/chat/cycle-0007.md")).unwrap(), "seven");
}

/// RELIABILITY H13: a branch that is protected.
#[tokio::test]
async fn a_refusal_of_the_remote_is_told_in_its_words() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let hook = world.path("source.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    script(&hook, "echo no >&2; exit 1");
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
    let error = publish(&mirror, publication(&world, &[REPORT])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "trying again at once cannot help");
    assert!(error.to_string().contains("pre-receive hook declined"), "{error}");
    assert!(error.hint_for_publishing().contains("no rule protects the branch"), "{error}");
    assert_eq!(fs::read_to_string(world.path("out/chat/cycle-0007.md")).unwrap(), "seven");
    assert!(on_branch(&world, "reports/chat/cycle-0007.md").is_none());

    let mut odd = publication(&world, &[REPORT]);
    odd.branch = "no..branch".to_owned();
    assert_eq!(publish(&mirror, odd).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn no_link_is_followed() {
    let world = World::new();
    let mirror = world.mirror().await;
    let publication = publication(&world, &[("README.md", "x", Keeps::Edits)]);
    let source = world.path("out/README.md");
    fs::remove_file(&source).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &source).unwrap();
    let error = publish(&mirror, publication).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(on_branch(&world, "reports/README.md").is_none());
}
