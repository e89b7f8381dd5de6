//! What is particular to the embedded store: the file, who may touch it, and what happens when it
//! is not what it should be.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::unwrap_used)]

#[path = "store_contract/sample.rs"]
#[allow(dead_code)]
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon::domain::event::{Event, PlannedCase, RunOptions};
use andon::domain::outcome::{Outcome, Verdict};
use andon::store::sqlite::{Mode, SqliteStore};
use andon::store::{
    Act, ActKind, ActStore, Append, NewMessage, NewTrigger, OutboxStore, Projection, PutTrigger,
    Store, StoreError, TriggerStore, UpkeepStore, Which, definitions_of,
};
use sample::{
    append, at, case, case_row, ended_cycle, environment, finished, new_cycle, pipeline, planned,
    planned_case, queued, resolved,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("state/andon.db")
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.database(), Mode::ReadWrite).await.unwrap()
    }

    /// A database with one finished cycle, closed.
    async fn filled() -> Self {
        let place = Self::new();
        let store = place.open().await;
        ended_cycle(&store, "chat", "staging", Verdict::Green).await;
        store.close().await;
        place
    }

    /// The file as any other program sees it.
    async fn sqlite(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.database());
        options.create_if_missing(true).connect().await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        let mut connection = self.sqlite().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn refused(&self, mode: Mode) -> StoreError {
        match SqliteStore::open(&self.database(), mode).await {
            Ok(_) => panic!("{mode:?} was allowed"),
            Err(error) => error,
        }
    }
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

#[tokio::test]
async fn reading_creates_nothing() {
    let place = Place::new();
    let error = place.refused(Mode::ReadOnly).await;
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(error.hint().unwrap().contains("andon run"));
    assert_eq!(fs::read_dir(place.dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn reading_refuses_to_write_and_sees_what_is_there() {
    let place = Place::filled().await;
    let before = fs::read(place.database()).unwrap();
    let store = SqliteStore::open(&place.database(), Mode::ReadOnly).await.unwrap();
    let row = store.find_cycle(&pipeline("chat"), Which::LatestFinished).await.unwrap().unwrap();
    let refused = store.append(append(&row.key(), row.last_seq, vec![resolved('b')])).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
    assert_eq!(store.load_events(&row.key(), 0).await.unwrap().len(), 3);
    store.close().await;
    assert_eq!(fs::read(place.database()).unwrap(), before);
}

#[tokio::test]
async fn the_state_is_ours_alone() {
    let place = Place::new();
    let store = place.open().await;
    new_cycle(&store, "chat", "staging").await;
    let database = place.database();
    assert_eq!(mode_of(database.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode_of(&beside(&database, suffix)), 0o600, "andon.db{suffix}");
    }
}

/// RELIABILITY O2.
#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::filled().await;
    place.execute("PRAGMA user_version = 9999").await;
    let before = fs::read(place.database()).unwrap();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let error = place.refused(mode).await;
        assert!(matches!(error, StoreError::TooNew { found: 9999, .. }), "{mode:?}: {error}");
    }
    assert_eq!(fs::read(place.database()).unwrap(), before);
}

#[tokio::test]
async fn an_older_schema_is_not_brought_up_to_date_by_reading() {
    let place = Place::filled().await;
    place.execute("PRAGMA user_version = 0").await;
    let error = place.refused(Mode::ReadOnly).await;
    assert!(matches!(error, StoreError::Outdated { found: 0, .. }), "{error}");
}

#[tokio::test]
async fn files_of_other_programs_are_left_alone() {
    let foreign = Place::new();
    fs::create_dir(foreign.database().parent().unwrap()).unwrap();
    foreign.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").await;
    let text = Place::new();
    fs::create_dir(text.database().parent().unwrap()).unwrap();
    fs::write(text.database(), "not a database, but long enough to be read as one ".repeat(99))
        .unwrap();
    for place in [foreign, text] {
        let before = fs::read(place.database()).unwrap();
        for mode in [Mode::ReadWrite, Mode::ReadOnly] {
            let error = place.refused(mode).await;
            assert!(matches!(error, StoreError::NotOurs { .. }), "{mode:?}: {error:?}");
        }
        assert_eq!(fs::read(place.database()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    fs::write(place.dir.path().join("state"), "a file, where a folder should be").unwrap();
    let error = place.refused(Mode::ReadWrite).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("state"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_create_the_file_together_all_get_it() {
    let place = Arc::new(Place::new());
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                let store = place.open().await;
                new_cycle(&store, "chat", "staging").await.cycle
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in opening {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

/// The one lock for which SQLite does not wait by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_waits_for_another_process_that_creates() {
    let place = Arc::new(Place::new());
    fs::create_dir(place.database().parent().unwrap()).unwrap();
    let mut foreign = place.sqlite().await;
    let lock = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let opening = tokio::spawn({
        let place = Arc::clone(&place);
        async move { place.open().await }
    });
    // Long enough to be refused once; that it was cannot be seen from here.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!opening.is_finished());
    lock.rollback().await.unwrap();
    let store = opening.await.unwrap();
    assert_eq!(new_cycle(&store, "chat", "staging").await.cycle, 1);
}

/// RELIABILITY F1: a foreign process holds the write lock for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_waits_for_a_foreign_lock_and_reads_do_not() {
    let place = Place::new();
    let store = Arc::new(place.open().await);
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let mut foreign = place.sqlite().await;
    let lock = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let writing = tokio::spawn({
        let (store, cycle) = (Arc::clone(&store), cycle.clone());
        async move { store.append(append(&cycle, 1, vec![resolved('a')])).await }
    });
    assert_eq!(store.load_events(&cycle, 0).await.unwrap().len(), 1);
    assert!(!writing.is_finished());
    lock.rollback().await.unwrap();
    assert_eq!(writing.await.unwrap().unwrap()[0].seq, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_never_released_is_an_error_that_heals() {
    let place = Place::new();
    let patience = Duration::from_millis(1);
    let store = SqliteStore::open_with(&place.database(), Mode::ReadWrite, patience).await.unwrap();
    let cycle = new_cycle(&store, "chat", "staging").await;
    let mut foreign = place.sqlite().await;
    let lock = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.append(append(&cycle, 1, vec![resolved('a')])).await;
    assert!(matches!(refused, Err(StoreError::Locked)), "{refused:?}");
    lock.rollback().await.unwrap();
    store.append(append(&cycle, 1, vec![resolved('a')])).await.unwrap();
}

/// RELIABILITY F4: a backup was put in place of the open file.
#[tokio::test]
async fn a_replaced_file_is_noticed_before_anything_is_written() {
    let place = Place::filled().await;
    let copy = beside(&place.database(), ".backup");
    fs::copy(place.database(), &copy).unwrap();
    let store = place.open().await;
    let cycle = new_cycle(&store, "chat", "staging").await;
    fs::rename(&copy, place.database()).unwrap();
    let refused = store.append(append(&cycle, 1, vec![resolved('a')])).await;
    assert!(matches!(refused, Err(StoreError::Replaced { .. })), "{refused:?}");
    fs::remove_file(place.database()).unwrap();
    let refused = store.append(append(&cycle, 1, vec![resolved('a')])).await;
    assert!(matches!(refused, Err(StoreError::Gone { .. })), "{refused:?}");
}

/// What a kill leaves behind: the file, and a log that was never folded in.
#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_for_readers_and_writers() {
    let place = Place::new();
    let store = place.open().await;
    let cycle = ended_cycle(&store, "chat", "staging", Verdict::Red).await;
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let after = Place::new();
        fs::create_dir(after.database().parent().unwrap()).unwrap();
        for suffix in ["", "-wal"] {
            let (from, to) = (place.database(), after.database());
            fs::copy(beside(&from, suffix), beside(&to, suffix)).unwrap();
        }
        let survivor = SqliteStore::open(&after.database(), mode).await.unwrap();
        let events = survivor.load_events(&cycle, 0).await.unwrap();
        assert_eq!(events, store.load_events(&cycle, 0).await.unwrap(), "{mode:?}");
        assert_eq!(events.len(), 3);
        survivor.close().await;
        // A reader leaves the log to the next writer.
        let is_folded = fs::read(after.database()).unwrap() != fs::read(place.database()).unwrap();
        assert_eq!(is_folded, mode == Mode::ReadWrite, "{mode:?}");
    }
}

#[tokio::test]
async fn an_event_that_no_version_wrote_is_named_with_its_place() {
    let place = Place::filled().await;
    place
        .execute("INSERT INTO event VALUES (1, 4, 0, 'teleported', 7, '{}'); UPDATE cycle SET last_seq = 4")
        .await;
    let store = place.open().await;
    let cycle = store.find_cycle(&pipeline("chat"), Which::Number(1)).await.unwrap().unwrap();
    let error = store.load_events(&cycle.key(), 0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "event 4 of cycle 1 of chat (kind teleported, version 7) cannot be read: \
         this version of Andon reads versions up to 1"
    );
    assert_eq!(store.load_events(&cycle.key(), 4).await.unwrap(), []);
}

/// What is wrong with the plan of one cycle leaves the definitions of all others told.
#[tokio::test]
async fn a_damaged_plan_makes_the_definition_of_its_cycle_unknown_and_no_more() {
    let place = Place::new();
    let store = place.open().await;
    for (suite, digest) in [("s1", "d1"), ("s2", "d1"), ("s3", "d2"), ("s4", "d2")] {
        let key = new_cycle(&store, "chat", "staging").await;
        let mut plan = planned(suite);
        let Event::SuitePlanned(made) = &mut plan else { unreachable!() };
        // What follows the case does not matter, however much it is; what belongs to it does.
        let long = "x".repeat(if digest == "d1" { 9 } else { 40_000 });
        let last = PlannedCase { impact: Some(long.clone()), ..planned_case("z", "z1", None) };
        let wanted = PlannedCase { impact: Some(long), ..planned_case("login", digest, None) };
        made.cases = vec![planned_case("a \"{\"id\":\"login\"", "a1", None), wanted, last];
        let cases = vec![case_row("login", Outcome::Passed)];
        let projection = Projection { cases, ..Projection::default() };
        let events = vec![resolved('a'), plan, finished(Verdict::Green)];
        store.append(Append { projection, ..append(&key, 1, events) }).await.unwrap();
    }
    let told = async |store: &SqliteStore| {
        let (chat, login) = (pipeline("chat"), case("login"));
        let rows = store.case_history(&chat, &login, 9).await.unwrap();
        let found = definitions_of(store, &chat, &login, &rows).await.unwrap();
        (found.changes(), found.unreadable)
    };
    assert_eq!(told(&store).await, (BTreeMap::from([(3, 2)]), BTreeSet::new()));
    store.close().await;
    for broken in
        ["replace(payload, '\"digest\":\"d2\"', '\"digest\":2')", "substr(payload, 1, 900)"]
    {
        let mut db = place.sqlite().await;
        let sql = format!(
            "DROP TRIGGER IF EXISTS event_is_never_changed;
             UPDATE event SET payload = {broken} WHERE cycle_id = 3 AND kind = 'suite_planned'"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        let store = place.open().await;
        let expected = (BTreeMap::from([(4, 2)]), BTreeSet::from([3]));
        assert_eq!(told(&store).await, expected, "{broken}");
        store.close().await;
    }
}

/// RELIABILITY L8.
#[tokio::test]
async fn an_event_is_never_changed() {
    let place = Place::filled().await;
    let mut connection = place.sqlite().await;
    let changed = sqlx::query("UPDATE event SET payload = '{}'").execute(&mut connection).await;
    assert!(changed.unwrap_err().to_string().contains("an event is never changed"));
}

/// RELIABILITY L8: `andon doctor` asks this.
#[tokio::test]
async fn a_missing_event_is_found_by_the_check() {
    let place = Place::filled().await;
    let store = place.open().await;
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
    place.execute("DELETE FROM event WHERE seq = 2").await;
    let problems = store.integrity_check().await.unwrap();
    assert_eq!(problems, ["cycle 1 of chat has lost or gained events"]);
    assert!(store.database_size().await.unwrap() > 0);
}

/// Three cycles with all kinds of events in two environments, closed, as nobody would record them: the store
/// does not judge that.
async fn deployed() -> Place {
    const SAMPLES: &str = include_str!("data/events-v1.jsonl");
    let place = Place::new();
    let store = place.open().await;
    let events = SAMPLES.lines().map(|line| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        let (kind, mut event) = (value["kind"].take(), value["payload"].take());
        event["kind"] = kind;
        serde_json::from_value::<Event>(event).unwrap()
    });
    let events: Vec<Event> = events.filter(|event| !matches!(event, Event::Queued(_))).collect();
    for environment in ["staging", "preview", "staging"] {
        let cycle = new_cycle(&store, "chat", environment).await;
        let half = events.len() / 2;
        store.append(append(&cycle, 1, events[..half].to_vec())).await.unwrap();
        let seq = 1 + half as u64;
        store.append(append(&cycle, seq, events[half..].to_vec())).await.unwrap();
    }
    store.close().await;
    place
}

/// What the check says of the database after somebody worked on it, each with its environment.
async fn after(meddling: &str) -> Vec<String> {
    let place = deployed().await;
    let all = "DROP TRIGGER event_is_never_changed; DROP TRIGGER deploy_link_is_never_changed;
               DROP TRIGGER deploy_link_is_never_deleted; ";
    place.execute(&format!("{all}{meddling}")).await;
    let chains = place.open().await.check_deploy_records().await.unwrap();
    let broken = chains.broken.iter();
    broken.map(|(environment, broken)| format!("{environment}: {broken}")).collect()
}

const FIRST_STEP: &str = "(SELECT MIN(seq) FROM event WHERE kind = 'step_started')";

/// RELIABILITY L8: `andon doctor` asks this.
#[tokio::test]
async fn l8_the_first_deploy_record_that_does_not_hold_is_named() {
    let place = deployed().await;
    let chains = place.open().await.check_deploy_records().await.unwrap();
    assert_eq!(chains.broken, []);
    assert!(chains.links > 15 && chains.links % 3 == 0, "{}", chains.links);
    let mut connection = place.sqlite().await;
    let seq: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT {FIRST_STEP}")))
        .fetch_one(&mut connection)
        .await
        .unwrap();

    let altered =
        format!("UPDATE event SET payload = payload || ' ' WHERE seq = {seq} AND cycle_id >= 2");
    let expected = |cycle: u32, what: &str| format!("event {seq} of cycle {cycle} of chat {what}");
    let (changed, gone) = ("is not what was recorded", "is gone");
    let no_link = "has no link: it was added, or its link is gone";
    let (preview, staging) = (|what| format!("preview: {what}"), |what| format!("staging: {what}"));
    assert_eq!(
        after(&altered).await,
        [preview(expected(2, changed)), staging(expected(3, changed))]
    );
    let deleted = format!("DELETE FROM event WHERE seq = {seq} AND cycle_id = 1");
    assert_eq!(after(&deleted).await, [staging(expected(1, gone))]);
    let whole = "DELETE FROM event WHERE cycle_id = 1; DELETE FROM cycle WHERE id = 1";
    assert_eq!(after(whole).await.len(), 1);
    let added = "INSERT INTO event SELECT cycle_id, 99, at_us, kind, version, payload FROM event
                 WHERE cycle_id = 3 AND kind = 'step_ended' LIMIT 1";
    let told = format!("staging: event 99 of cycle 3 of chat {no_link}");
    assert_eq!(after(added).await, [told]);
    let no_links = "DELETE FROM deploy_link WHERE cycle = 2";
    let told = after(no_links).await;
    assert!(
        told.len() == 1 && told[0].starts_with("preview: event ") && told[0].ends_with(no_link),
        "{told:?}"
    );
    let one_link = "DELETE FROM deploy_link WHERE environment = 'staging' AND position = 2";
    let told = after(one_link).await;
    assert!(
        told.len() == 1 && told[0].starts_with("staging: link 2 is gone, before that of event "),
        "{told:?}"
    );
}

/// Every kind of record that gets a link is also missed when its link, the last one, is gone.
#[tokio::test]
async fn l8_each_kind_of_deploy_record_is_looked_for() {
    let place = deployed().await;
    let mut connection = place.sqlite().await;
    let linked = "SELECT count(*) FROM deploy_link WHERE environment = 'preview'";
    let links: i64 = sqlx::query_scalar(linked).fetch_one(&mut connection).await.unwrap();
    for position in 1..=links {
        let taken = format!(
            "DELETE FROM deploy_link WHERE environment = 'preview' AND position >= {position}"
        );
        let seq: i64 = sqlx::query_scalar(
            "SELECT seq FROM deploy_link WHERE environment = 'preview' AND position = ?",
        )
        .bind(position)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        let told = after(&taken).await;
        assert!(
            told[0].starts_with(&format!("preview: event {seq} of cycle 2 of chat has no link")),
            "{told:?}"
        );
    }
}

/// RELIABILITY L8: what expires takes its events along, and no link.
#[tokio::test]
async fn l8_the_chain_outlives_the_records_of_a_cycle_that_expired() {
    let place = deployed().await;
    let store = place.open().await;
    let before = store.check_deploy_records().await.unwrap();
    let row = store.find_cycle(&pipeline("chat"), Which::Number(1)).await.unwrap().unwrap();
    assert_eq!(store.expire_cycles(&[row.key()], at(99)).await.unwrap(), 1);
    assert!(!store.delete_expired(&row.key(), 3).await.unwrap());
    assert_eq!(store.check_deploy_records().await.unwrap(), before);
    assert!(store.delete_expired(&row.key(), 999).await.unwrap());
    assert_eq!(store.check_deploy_records().await.unwrap(), before);
    store.close().await;
    place.execute("DROP TRIGGER deploy_link_is_never_changed; UPDATE deploy_link SET content = digest WHERE cycle = 1").await;
    assert_eq!(place.open().await.check_deploy_records().await.unwrap().broken.len(), 1);
}

#[tokio::test]
async fn links_are_never_changed_and_never_deleted() {
    let place = deployed().await;
    let mut connection = place.sqlite().await;
    for meddling in ["UPDATE deploy_link SET seq = 1", "DELETE FROM deploy_link"] {
        let refused = sqlx::query(meddling).execute(&mut connection).await.unwrap_err().to_string();
        assert!(refused.contains("a link of the deploy records is never"), "{refused}");
    }
}

/// The highest number may expire; whoever still holds it must not meet another trigger or message.
#[tokio::test]
async fn numbers_of_triggers_and_messages_are_never_used_again() {
    let place = Place::new();
    let store = place.open().await;
    let mut last = (0, 0);
    for round in 0..3 {
        let trigger = NewTrigger {
            pipeline: pipeline("chat"),
            environment: environment("staging"),
            cause: queued("chat", "staging").trigger,
            requested: None,
            options: RunOptions { deploy: true, only: None, search_of: None },
            key: None,
            not_before: at(1),
        };
        let PutTrigger::New(id) = store.put_trigger(trigger, at(1)).await.unwrap() else {
            panic!("a trigger without a key is new");
        };
        let message = NewMessage {
            key: format!("message {round}"),
            pipeline: pipeline("chat"),
            target: "mail".to_owned(),
            body: "{}".to_owned(),
            topic: None,
        };
        store.put_messages(vec![message], at(1)).await.unwrap();
        let message = store.next_messages().await.unwrap()[0].id;
        assert!(id.0 > last.0 && message > last.1, "{id:?} and {message} after {last:?}");
        last = (id.0, message);
        place.execute("DELETE FROM trigger; DELETE FROM outbox").await;
    }
}

/// What is looked up at every turn of the daemon must not read what is long over.
#[tokio::test]
async fn what_is_open_is_found_by_its_own_index() {
    const QUERIES: &[(&str, &str)] = &[
        (
            "SELECT id FROM trigger t WHERE t.cycle IS NULL AND t.dropped IS NULL ORDER BY t.id",
            "trigger_waiting",
        ),
        (
            "SELECT id FROM trigger WHERE pipeline_id = 1 AND branch = 'main' AND cycle IS NULL
                 AND dropped IS NULL",
            "trigger_waiting_branch",
        ),
        ("SELECT pipeline_id FROM look l WHERE l.wanted > l.done", "look_wanted"),
        (
            "SELECT MIN(id) FROM outbox WHERE state = 'waiting'
                 AND id NOT IN (SELECT value FROM json_each('[1, 2]')) GROUP BY pipeline_id, target",
            "outbox_waiting",
        ),
        ("SELECT count(*) FROM outbox WHERE state = 'given_up'", "outbox_given_up"),
        (
            "SELECT bytes FROM cycle WHERE pipeline_id = 1 AND expired_at_us IS NULL ORDER BY number",
            "cycle_kept",
        ),
        ("SELECT count(*) FROM cycle WHERE pipeline_id = 1 AND expired_at_us > 5", "cycle_expired"),
        (
            "SELECT c.id FROM cycle c WHERE c.expired_at_us IS NULL AND c.bytes IS NULL
                 AND c.finished_at_us IS NOT NULL ORDER BY c.id LIMIT 9",
            "cycle_unmeasured",
        ),
        (
            "SELECT id FROM outbox WHERE ended_at_us < 5 ORDER BY ended_at_us LIMIT 9",
            "outbox_ended",
        ),
        (
            "SELECT t.id FROM trigger t WHERE t.ended_at_us < 5
                 AND (t.key IS NULL OR t.cycle IS NOT NULL) AND NOT EXISTS
                     (SELECT 1 FROM seen_commit s WHERE s.trigger_id = t.id)
             ORDER BY t.ended_at_us LIMIT 9",
            "trigger_ended",
        ),
    ];
    let place = Place::filled().await;
    let mut connection = place.sqlite().await;
    for (query, index) in QUERIES {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let is_used = plan.iter().any(|(.., step)| {
            step.split_whitespace().any(|word| word == *index) && !step.contains("TEMP B-TREE")
        });
        assert!(is_used, "{query}: {plan:?}");
    }
}

/// Tables that grow with the number of cycles must say how they shrink again; the others why they
/// need not.
#[tokio::test]
async fn every_table_expires_or_is_exempt() {
    // Goes when its cycle expires, or has expired.
    const EXPIRES: &[&str] = &["event", "case_page", "expiring"];
    // Goes by its age when it is over: a trigger that became a cycle and that no commit names, a
    // message once it was delivered, given up or superseded. What a commit was told, once it heard the end.
    const EXPIRES_WHEN_OVER: &[&str] = &["trigger", "told_commit", "outbox"];
    const EXEMPT: &[(&str, &str)] = &[
        ("cycle", "answers for its commits, a few hundred bytes each"),
        ("seen_commit", "`andon commits` answers for every commit ever seen"),
        ("act", "who did what outlives what it was done to; the newest ten thousand are kept"),
        ("last_write", "one row"),
        ("head_page", "one short record a case, in place of the one before"),
        ("pipeline", "its counters must outlive its cycles, and there are few"),
        ("environment_lease", "its fences must only grow, and there are few"),
        ("fingerprint", "one short row a distinct failure tells what was tried before"),
        ("investigation", "people wrote into it"),
        (
            "fix_claim",
            "a person or a commit made it, and what became of it is asked for years later",
        ),
        ("document_text", "at most a hundred a document that people write in"),
        ("document_edit", "who wrote what about a failure is asked for years later"),
        ("branch_cursor", "a branch that returns must be told from a new one, and there are few"),
        ("schedule_cursor", "one row a schedule"),
        ("look", "one row a pipeline"),
        ("deploy_link", "some hundred bytes a deploy, and without it those after it say nothing"),
        ("_sqlx_migrations", "one row a schema"),
    ];
    let place = Place::filled().await;
    let mut connection = place.sqlite().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.len() >= 9, "{tables:?}");
    let expires: Vec<&str> = EXPIRES.iter().chain(EXPIRES_WHEN_OVER).copied().collect();
    let is_listed =
        |name: &str| expires.contains(&name) || EXEMPT.iter().any(|(exempt, _)| *exempt == name);
    for table in &tables {
        assert!(is_listed(table), "table {table} neither expires nor is exempt");
    }
    let listed = expires.iter().copied().chain(EXEMPT.iter().map(|(name, _)| *name));
    for name in listed {
        assert!(tables.iter().any(|table| table == name), "there is no table {name}");
    }
}

/// Sessions push out nothing that was done.
#[tokio::test]
async fn of_who_did_what_the_newest_ten_thousand_are_kept_and_fewer_sessions() {
    let place = Place::filled().await;
    let many = |from: u32, to: u32, kind: &str| {
        format!(
            "INSERT INTO act (id, at_us, person, kind, detail)
             WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
             SELECT i, 1, 'ada', '{kind}', '' FROM n;"
        )
    };
    place.execute(&many(1, 10_000, "start")).await;
    place.execute(&many(10_001, 11_000, "log_in")).await;
    let store = place.open().await;
    let newest = store.list_acts(None, 1).await.unwrap()[0].act.clone();
    store.put_act(newest.clone()).await.unwrap();
    let ids = || async {
        let all = store.list_acts(None, 20_000).await.unwrap();
        all.iter().map(|row| row.id).collect::<Vec<i64>>()
    };
    let kept = ids().await;
    assert_eq!((kept.len(), kept[0], kept[999], kept[1_000]), (11_000, 11_001, 10_002, 10_000));
    assert_eq!(kept.last(), Some(&1), "no deed goes for a session");
    store.put_act(Act { kind: ActKind::Cancel, ..newest }).await.unwrap();
    let kept = ids().await;
    assert_eq!((kept.len(), kept.last()), (11_000, Some(&2)));
    store.close().await;
}
