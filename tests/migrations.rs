//! Every migration comes with data, and is applied over the data of those before it: a migration
//! that works on an empty database alone has not been tried.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use andon::domain::claim::ClaimResult;
use andon::domain::commit::Echo;
use andon::domain::findings::InvestigationState;
use andon::domain::names::{CaseId, EnvironmentName, Fingerprint, InvestigationId, PipelineName};
use andon::domain::outcome::{Outcome, Phase, TriggerKind, Verdict};
use andon::store::sqlite::{Mode, SqliteStore};
use andon::store::{
    ActKind, ActStore, CommitFate, DocumentKey, EditStore, Heard, OutboxStore, Store, TriggerStore,
    UpkeepStore, WaitsNow, Which,
};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The numbers of all migrations, in order.
fn versions() -> Vec<i64> {
    let mut versions: Vec<i64> = fs::read_dir(root().join("migrations/sqlite"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split('_').next().unwrap().parse().unwrap())
        .collect();
    versions.sort_unstable();
    versions
}

fn data_of(version: i64) -> PathBuf {
    root().join(format!("tests/data/migrations/{version:04}.sql"))
}

/// A database as the version of Andon with schema `last` would have left it, with data that each
/// schema on the way added.
async fn database_of(path: &Path, last: i64) {
    let mut connection =
        SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await.unwrap();
    let migrator = Migrator::new(root().join("migrations/sqlite").as_path()).await.unwrap();
    for version in versions().into_iter().filter(|version| *version <= last) {
        migrator.run_to(version, &mut connection).await.unwrap();
        let data = fs::read_to_string(data_of(version)).unwrap();
        sqlx::raw_sql(AssertSqlSafe(data)).execute(&mut connection).await.unwrap();
        assert_eq!(user_version(&mut connection).await, version, "migration {version} sets it");
    }
    connection.close().await.unwrap();
}

async fn user_version(connection: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await.unwrap()
}

#[test]
fn migrations_are_numbered_without_gaps_and_have_data() {
    let versions = versions();
    let last = i64::try_from(versions.len()).unwrap();
    assert_eq!(versions, (1..=last).collect::<Vec<_>>());
    for version in versions {
        let data = data_of(version);
        assert!(data.is_file(), "migration {version} has no data: write {}", data.display());
    }
}

#[tokio::test]
async fn every_schema_with_data_becomes_the_present_one() {
    for version in versions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("andon.db");
        database_of(&path, version).await;
        let store = SqliteStore::open(&path, Mode::ReadWrite).await.unwrap();
        assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
        assert_eq!(store.check_deploy_records().await.unwrap().broken, []);
        the_data_of_schema_1_is_there(&store).await;
        if version >= 2 {
            the_data_of_schema_2_is_there(&store).await;
        }
        if version >= 3 {
            the_data_of_schema_3_is_there(&store).await;
        }
        if version >= 4 {
            the_data_of_schema_4_is_there(&store).await;
        }
        if version >= 5 {
            the_data_of_schema_5_is_there(&store).await;
        }
        if version >= 6 {
            the_data_of_schema_6_is_there(&store).await;
        }
        if version >= 7 {
            the_data_of_schema_7_is_there(&store).await;
        }
        if version >= 8 {
            the_data_of_schema_8_is_there(&store).await;
        }
        if version >= 9 {
            the_data_of_schema_9_is_there(&store).await;
        }
        if version >= 10 {
            the_data_of_schema_10_is_there(&store).await;
        }
        if version >= 11 {
            the_data_of_schema_11_is_there(&store).await;
        }
        store.close().await;
        SqliteStore::open(&path, Mode::ReadOnly).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_new_database_has_the_newest_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("andon.db");
    SqliteStore::open(&path, Mode::ReadWrite).await.unwrap().close().await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    assert_eq!(Some(user_version(&mut connection).await), versions().last().copied());
}

async fn the_data_of_schema_11_is_there(store: &SqliteStore) {
    let acts = store.list_acts(None, 10).await.unwrap();
    let told: Vec<_> = acts.iter().map(|row| (row.id, row.act.kind)).collect();
    assert_eq!(told, [(2, ActKind::Start), (1, ActKind::LogIn)]);
    assert_eq!(acts[0].act.subject.as_deref(), Some("trigger 7"));
}

async fn the_data_of_schema_10_is_there(store: &SqliteStore) {
    let pipeline = PipelineName::parse("chat-staging").unwrap();
    let of = DocumentKey { pipeline, id: InvestigationId::from_number(3) };
    let edits = store.list_edits(&of, None, 10).await.unwrap();
    let told: Vec<_> = edits.iter().map(|edit| (edit.position, edit.is_written)).collect();
    assert_eq!(told, [(2, false), (1, true)]);
    assert_eq!(edits[1].by, "ada (token ops)");
    assert_eq!(store.kept_text(&of, "bb").await.unwrap().as_deref(), Some("after"));
}

async fn the_data_of_schema_8_is_there(store: &SqliteStore) {
    let chains = store.check_deploy_records().await.unwrap();
    assert_eq!((chains.links, chains.broken), (3, Vec::new()));
}

async fn the_data_of_schema_9_is_there(store: &SqliteStore) {
    let told = store.told_waiting().await.unwrap();
    let heard: Vec<Heard> = told.iter().map(|one| one.heard).collect();
    assert_eq!(heard, [Heard::Waits, Heard::WithNewer]);
    assert_eq!(told[1].now, WaitsNow::For(told[0].sha.clone()));
}

async fn the_data_of_schema_7_is_there(store: &SqliteStore) {
    let told = store.told_waiting().await.unwrap();
    let one = told.first().unwrap();
    assert_eq!((&one.now, one.heard), (&WaitsNow::For(one.sha.clone()), Heard::Waits));
    assert_eq!(one.pipeline.as_str(), "chat-staging");
}

async fn the_data_of_schema_6_is_there(store: &SqliteStore) {
    let pipeline = |name| PipelineName::parse(name).unwrap();
    let stopped = store.seen_before(&pipeline("web"), 100).await.unwrap();
    assert_eq!((stopped[0].sha.short(), stopped[0].echo), ("6e7f8a9", Echo::Stopped));
    let before = store.seen_before(&pipeline("chat-staging"), 100).await.unwrap();
    assert!(before.len() > 1 && before.iter().all(|it| it.echo == Echo::No), "{before:?}");
}

async fn the_data_of_schema_5_is_there(store: &SqliteStore) {
    let chat = PipelineName::parse("chat-staging").unwrap();
    let claims = store.fix_claims(&chat).await.unwrap();
    let [of] = &claims[..] else { panic!("{claims:?}") };
    let results: Vec<_> = of.claims.iter().map(|claim| claim.result).collect();
    assert_eq!(results, [ClaimResult::Failed { cycle: 6 }, ClaimResult::Open]);
    let cases = store.investigated_cases(&chat, &of.id).await.unwrap();
    assert_eq!(cases, [CaseId::parse("test_001").unwrap()]);
}

async fn the_data_of_schema_4_is_there(store: &SqliteStore) {
    let chat = PipelineName::parse("chat-staging").unwrap();
    let steps = store.cycles_of_search(&chat, 3).await.unwrap();
    assert_eq!(steps.iter().map(|row| row.summary.cycle).collect::<Vec<_>>(), [5]);
    let waiting = store.waiting_triggers().await.unwrap();
    assert!(waiting.iter().any(|trigger| trigger.options.search_of == Some(3)));
    let failure = Fingerprint::parse("v1-8f3a11c09d2e").unwrap();
    let seen = store.fingerprints(&chat, std::slice::from_ref(&failure)).await.unwrap();
    assert_eq!(seen[0].culprit.as_ref().unwrap().short(), "4f1c2aa");
}

async fn the_data_of_schema_3_is_there(store: &SqliteStore) {
    let chat = PipelineName::parse("chat-staging").unwrap();
    let expired = store.find_cycle(&chat, Which::Number(2)).await.unwrap().unwrap();
    assert_eq!(expired.summary.verdict, Some(Verdict::Green));
    assert_eq!(expired.expired_at.unwrap().as_second(), 1_795_680_000);
    assert_eq!(store.expiring_cycles(9).await.unwrap(), [expired.key()]);
    let fault = store.load_events(&expired.key(), 0).await.unwrap_err().to_string();
    assert!(fault.ends_with("its report is at reports/chat-staging/cycle-0002.md"), "{fault}");
    assert!(!store.delete_expired(&expired.key(), 1).await.unwrap(), "an event was left of it");
    let histories = store.retention_histories(expired.expired_at.unwrap()).await.unwrap();
    let kept: Vec<_> = histories[0].kept.iter().map(|c| (c.cycle, c.bytes)).collect();
    assert!(kept.ends_with(&[(6, None), (7, None)]), "{kept:?}");
}

async fn the_data_of_schema_1_is_there(store: &SqliteStore) {
    let chat = PipelineName::parse("chat-staging").unwrap();
    let staging = EnvironmentName::parse("staging").unwrap();
    let ended = store.find_cycle(&chat, Which::LatestFinished).await.unwrap().unwrap();
    assert_eq!((ended.summary.cycle, ended.summary.verdict), (6, Some(Verdict::Red)));
    assert_eq!(ended.summary.revision.as_ref().unwrap().subject, "Refuse expired tokens");
    assert_eq!(store.load_events(&ended.key(), 0).await.unwrap().len(), 2);

    let running = store.find_cycle(&chat, Which::Latest).await.unwrap().unwrap();
    assert_eq!((running.phase, running.held), (Phase::Deploy, true));
    let holder = store.environment_holder(&staging).await.unwrap().unwrap();
    assert_eq!((holder.fence, holder.cycle), (41, Some(running.key())));
    let preview = EnvironmentName::parse("preview").unwrap();
    assert_eq!(store.environment_holder(&preview).await.unwrap(), None);

    let case = CaseId::parse("test_001").unwrap();
    let heads = store.case_heads(&chat, &staging).await.unwrap();
    let head = heads.iter().find(|head| head.case == case).unwrap();
    assert_eq!((head.planned_in, head.recent.len()), (6, 2));
    assert_eq!(head.known.as_ref().unwrap().outcome, Outcome::Failed);
    let history = store.case_history(&chat, &case, 9).await.unwrap();
    assert_eq!(history[0].result.outcome, Some(Outcome::Failed));

    let failure = Fingerprint::parse("v1-8f3a11c09d2e").unwrap();
    let seen = store.fingerprints(&chat, std::slice::from_ref(&failure)).await.unwrap();
    assert_eq!((seen[0].first_cycle, seen[0].times), (3, 2));
    let investigation = store.investigation_for(&chat, &failure).await.unwrap().unwrap();
    assert_eq!(investigation.state, InvestigationState::Reopened);
    let pipelines = store.list_pipelines().await.unwrap();
    assert_eq!((pipelines.len(), pipelines[0].cycles), (1, 7), "`web` had no cycle");
}

async fn the_data_of_schema_2_is_there(store: &SqliteStore) {
    let chat = PipelineName::parse("chat-staging").unwrap();
    let waiting = store.waiting_triggers().await.unwrap();
    let [webhook, manual, ..] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!(
        (webhook.cause.kind, webhook.branch.as_deref()),
        (TriggerKind::Webhook, Some("main"))
    );
    assert_eq!((manual.options.deploy, manual.options.only.as_deref()), (false, Some("test_0*")));
    assert_eq!((manual.pipeline.as_str(), &manual.requested), ("web", &None));

    let cursors = store.cursors(&chat).await.unwrap();
    let seen: Vec<_> = cursors.iter().map(|c| (c.branch.as_str(), c.sha.is_some())).collect();
    assert_eq!(seen, [("main", true), ("topic", false)]);
    let commits = store.list_commits(&chat, 9).await.unwrap();
    let fates: Vec<_> = commits.into_iter().map(|row| row.fate).collect();
    let verdict = Some(Verdict::Red);
    let expected = [
        CommitFate::Waiting,
        CommitFate::Skipped { rule: "touches only docs/**".to_owned() },
        CommitFate::Dropped { why: "branch topic was deleted".to_owned() },
        CommitFate::Tested { cycle: 6, verdict, held: false },
        CommitFate::TakenTogether { cycle: 6, verdict, held: false },
    ];
    assert_eq!(fates, expected);

    let due = store.schedule_cursor(&chat, "nightly").await.unwrap().unwrap();
    assert_eq!(due.as_second(), 1_795_660_200);
    assert_eq!(store.wanted_looks().await.unwrap(), [(chat, 4)]);
    let news = store.next_messages().await.unwrap();
    assert_eq!((news.len(), news[0].key.as_str()), (1, "chat-staging/7/status"));
    assert_eq!((news[0].attempts, store.outbox_counts().await.unwrap()), (2, (1, 1)));
}
