//! Branches that move: cursor, commits and trigger become true together.

use andon::domain::commit::Echo;
use andon::domain::event::{Event, Held};
use andon::domain::outcome::{Trigger, TriggerKind, Verdict};
use andon::domain::revision::Sha;
use andon::store::{
    CommitFate, Cursor, CycleStanding, Heard, Movement, NewMessage, NewTrigger, PutTrigger,
    SeenCommit, Store, TriggerId, WaitingMark, WaitingTrigger, WaitsNow,
};

use crate::Backend;
use crate::sample::{append, at, environment, finished, pipeline, queued, resolved, sha};
use crate::triggers::{start, trigger};

fn commit(digit: char) -> SeenCommit {
    SeenCommit {
        sha: sha(digit),
        subject: format!("commit {digit}"),
        author: "Ada".to_owned(),
        skipped_by: None,
        echo: Echo::No,
    }
}

fn skipped(digit: char, rule: &str) -> SeenCommit {
    SeenCommit { skipped_by: Some(rule.to_owned()), ..commit(digit) }
}

/// A movement of `main` that runs for its last commit, five seconds after `second`.
fn moved(from: Option<char>, to: Option<char>, digits: &str, second: i64) -> Movement {
    Movement {
        pipeline: pipeline("chat"),
        environment: environment("staging"),
        branch: "main".to_owned(),
        from: from.map(sha),
        to: to.map(sha),
        commits: digits.chars().map(commit).collect(),
        run: to.map(|digit| (sha(digit), cause(digit))),
        not_before: at(second + 5),
        at: at(second),
    }
}

fn cause(digit: char) -> Trigger {
    Trigger { kind: TriggerKind::Commit, detail: format!("main moved to {}", sha(digit).short()) }
}

fn shas(digits: &str) -> Vec<Sha> {
    digits.chars().map(sha).collect()
}

async fn take(store: &dyn Store, movement: Movement) {
    assert!(store.put_movement(movement.clone()).await.unwrap(), "refused: {movement:?}");
}

async fn only_waiting(store: &dyn Store) -> WaitingTrigger {
    let mut waiting = store.waiting_triggers().await.unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    waiting.remove(0)
}

/// The fates of the commits on `chat`, newest first.
async fn fates(store: &dyn Store) -> Vec<(char, CommitFate)> {
    let rows = store.list_commits(&pipeline("chat"), 99).await.unwrap();
    rows.into_iter().map(|row| (row.sha.as_str().chars().next().unwrap(), row.fate)).collect()
}

fn tested(cycle: u32) -> CommitFate {
    CommitFate::Tested { cycle, verdict: None, held: false }
}

fn together(cycle: u32) -> CommitFate {
    CommitFate::TakenTogether { cycle, verdict: None, held: false }
}

fn by(rule: &str) -> CommitFate {
    CommitFate::Skipped { rule: rule.to_owned() }
}

pub async fn the_first_sight_is_a_cursor_only<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    assert_eq!(store.cursors(&pipeline("chat")).await.unwrap(), []);
    take(&*store, Movement { run: None, ..moved(None, Some('a'), "", 1) }).await;
    take(
        &*store,
        Movement { run: None, branch: "beta".to_owned(), ..moved(None, Some('b'), "", 2) },
    )
    .await;
    store.close().await;
    let store = backend.open().await;
    let cursor = |branch: &str, digit, second| Cursor {
        branch: branch.to_owned(),
        sha: Some(sha(digit)),
        since: at(second),
    };
    let cursors = store.cursors(&pipeline("chat")).await.unwrap();
    assert_eq!(cursors, [cursor("beta", 'b', 2), cursor("main", 'a', 1)]);
    assert_eq!(store.waiting_triggers().await.unwrap(), []);
    assert_eq!(fates(&*store).await, []);
    assert_eq!(store.cursors(&pipeline("web")).await.unwrap(), []);
}

pub async fn a_movement_is_taken_once<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, Movement { run: None, ..moved(None, Some('a'), "", 1) }).await;
    take(&*store, moved(Some('a'), Some('b'), "b", 2)).await;
    let before = only_waiting(&*store).await;
    store.close().await;
    // A process that died after the commit and before it heard of it does it again.
    let store = backend.open().await;
    assert!(!store.put_movement(moved(Some('a'), Some('b'), "b", 9)).await.unwrap());
    assert!(!store.put_movement(moved(None, Some('c'), "c", 9)).await.unwrap());
    assert_eq!(only_waiting(&*store).await, before);
    assert_eq!(fates(&*store).await, [('b', CommitFate::Waiting)]);
    assert_eq!(store.cursors(&pipeline("chat")).await.unwrap()[0].since, at(2));
}

pub async fn of_two_movements_one_wins<B: Backend>() {
    let backend = B::create();
    let stores = [backend.open().await, backend.open().await];
    take(&*stores[0], Movement { run: None, ..moved(None, Some('0'), "", 1) }).await;
    let races: Vec<_> = "123456"
        .chars()
        .zip([0, 1].into_iter().cycle())
        .map(|(digit, place)| {
            let store = stores[place].clone();
            let movement = moved(Some('0'), Some(digit), &digit.to_string(), 2);
            tokio::spawn(
                async move { store.put_movement(movement).await.unwrap().then_some(digit) },
            )
        })
        .collect();
    let mut winners = Vec::new();
    for race in races {
        winners.extend(race.await.unwrap());
    }
    let [winner] = winners[..] else { panic!("{winners:?}") };
    let trigger = only_waiting(&*stores[1]).await;
    assert_eq!(
        (trigger.requested.as_deref(), trigger.taken_together),
        (Some(sha(winner).as_str()), vec![])
    );
    assert_eq!(fates(&*stores[1]).await, [(winner, CommitFate::Waiting)]);
}

pub async fn commits_coalesce_into_the_trigger_that_waits<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('b'), "ab", 1)).await;
    let first = only_waiting(&*store).await;
    assert_eq!((first.branch.as_deref(), &first.cause), (Some("main"), &cause('b')));
    assert_eq!((first.created_at, first.not_before), (at(1), at(6)));
    assert_eq!(first.requested.as_deref(), Some(sha('b').as_str()));
    assert_eq!((&first.taken_together, first.options.deploy), (&shas("a"), true));

    let mut movement = moved(Some('b'), Some('d'), "cd", 3);
    movement.run.as_mut().unwrap().1.kind = TriggerKind::Webhook;
    movement.environment = environment("preview");
    take(&*store, movement).await;
    let second = only_waiting(&*store).await;
    assert_eq!((second.id, second.created_at, second.not_before), (first.id, at(1), at(8)));
    assert_eq!(second.requested.as_deref(), Some(sha('d').as_str()));
    assert_eq!(second.cause, Trigger { kind: TriggerKind::Webhook, ..cause('d') });
    assert_eq!((second.taken_together, second.environment), (shas("abc"), environment("preview")));
    assert!(fates(&*store).await.iter().all(|(_, fate)| *fate == CommitFate::Waiting));
}

pub async fn a_cycle_takes_what_the_branch_moved_to_meanwhile<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    let seen = only_waiting(&*store).await;
    take(&*store, moved(Some('a'), Some('b'), "b", 2)).await;
    // The caller still believes that it starts the cycle of `a`.
    let cycle = start(&*store, "chat", seen.id).await.unwrap();
    let events = store.load_events(&cycle, 0).await.unwrap();
    let andon::domain::event::Event::Queued(queued) = &events[0].event else {
        panic!("{events:?}")
    };
    assert_eq!(queued.requested.as_deref(), Some(sha('b').as_str()));
    assert_eq!((&queued.taken_together, &queued.trigger), (&shas("a"), &cause('b')));
    assert_eq!(fates(&*store).await, [('b', tested(1)), ('a', together(1))]);
}

pub async fn a_movement_after_the_start_waits_anew<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    let first = only_waiting(&*store).await.id;
    start(&*store, "chat", first).await.unwrap();
    take(&*store, moved(Some('a'), Some('b'), "b", 50)).await;
    let second = only_waiting(&*store).await;
    assert!(second.id > first);
    assert_eq!((second.created_at, second.taken_together), (at(50), vec![]));
    assert_eq!(fates(&*store).await, [('b', CommitFate::Waiting), ('a', tested(1))]);
}

pub async fn branches_and_pipelines_do_not_coalesce<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    take(&*store, Movement { branch: "beta".to_owned(), ..moved(None, Some('a'), "a", 2) }).await;
    take(&*store, Movement { pipeline: pipeline("web"), ..moved(None, Some('a'), "a", 3) }).await;
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 3);
    assert_eq!(store.list_commits(&pipeline("chat"), 9).await.unwrap().len(), 2);
    let newest = store.list_commits(&pipeline("chat"), 1).await.unwrap();
    assert_eq!((newest.len(), newest[0].branch.as_str(), newest[0].seen_at), (1, "beta", at(2)));
    assert_eq!((newest[0].subject.as_str(), newest[0].author.as_str()), ("commit a", "Ada"));
}

pub async fn what_does_not_count_leaves_the_trigger_alone<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    let before = only_waiting(&*store).await;
    let commits = vec![skipped('b', "[skip andon]"), commit('c')];
    take(&*store, Movement { run: None, commits, ..moved(Some('a'), Some('c'), "", 2) }).await;
    assert_eq!(only_waiting(&*store).await, before);
    // One that counts and is run for by nobody is accounted for as well.
    let expected =
        [('c', by("nothing to run for")), ('b', by("[skip andon]")), ('a', CommitFate::Waiting)];
    assert_eq!(fates(&*store).await, expected);
    // Commits that are passed over within a movement that counts are not taken together.
    let commits = vec![skipped('d', "touches only docs/**"), commit('e')];
    take(&*store, Movement { commits, ..moved(Some('c'), Some('e'), "", 3) }).await;
    assert_eq!(only_waiting(&*store).await.taken_together, shas("a"));
    assert_eq!(fates(&*store).await[1], ('d', by("touches only docs/**")));
}

pub async fn a_deleted_branch_drops_what_waits_and_may_return<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    let other = Movement { branch: "beta".to_owned(), ..moved(None, Some('e'), "e", 1) };
    take(&*store, other).await;
    let dropped = store.waiting_triggers().await.unwrap()[0].id;
    take(&*store, moved(Some('a'), None, "", 2)).await;
    assert_eq!(only_waiting(&*store).await.branch.as_deref(), Some("beta"));
    let gone = Cursor { branch: "main".to_owned(), sha: None, since: at(2) };
    assert_eq!(store.cursors(&pipeline("chat")).await.unwrap()[1], gone);
    let why = CommitFate::Dropped { why: "branch main was deleted".to_owned() };
    assert_eq!(fates(&*store).await[1], ('a', why));
    assert_eq!(start(&*store, "chat", dropped).await, None);

    // It is gone already; then it returns with the same commit, which waits again.
    assert!(!store.put_movement(moved(Some('a'), None, "", 3)).await.unwrap());
    take(&*store, moved(None, Some('a'), "a", 4)).await;
    let back = &store.waiting_triggers().await.unwrap()[1];
    assert!(back.id > dropped);
    assert_eq!((back.created_at, back.taken_together.len()), (at(4), 0));
    assert_eq!(fates(&*store).await[0], ('a', CommitFate::Waiting));
}

pub async fn a_commit_keeps_its_fate_unless_it_was_passed_over<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let commits = vec![skipped('a', "touches only docs/**"), commit('b')];
    take(&*store, Movement { commits, ..moved(None, Some('b'), "", 1) }).await;
    start(&*store, "chat", only_waiting(&*store).await.id).await.unwrap();
    // The rule is gone, and the branch was rewritten with the same commits in it.
    take(&*store, moved(Some('b'), Some('c'), "abc", 60)).await;
    let waits = CommitFate::Waiting;
    let expected = [('c', waits.clone()), ('a', waits.clone()), ('b', tested(1))];
    assert_eq!(fates(&*store).await, expected);
    let trigger = only_waiting(&*store).await;
    assert_eq!(trigger.taken_together, shas("a"), "`b` has its cycle");
    // What waits is not skipped afterwards; what was dropped may be.
    let again = vec![skipped('a', "[skip andon]"), skipped('b', "[skip andon]")];
    let back = Movement { run: None, commits: again, ..moved(Some('c'), Some('a'), "", 61) };
    take(&*store, back.clone()).await;
    assert_eq!(fates(&*store).await, expected);
    store.drop_trigger(trigger.id, "not wanted", at(62)).await.unwrap();
    take(&*store, Movement { from: Some(sha('a')), ..back }).await;
    let expected = [
        ('a', by("[skip andon]")),
        ('c', CommitFate::Dropped { why: "not wanted".to_owned() }),
        ('b', tested(1)),
    ];
    assert_eq!(fates(&*store).await, expected);
}

/// Somebody asked by hand for the commit that waits. One cycle answers both, unless the branch moves on
/// before that cycle begins: the new commit must not count as tested.
pub async fn a_commit_that_was_asked_for_by_hand_is_tested_once<B: Backend>() {
    for moves_on in [false, true] {
        let backend = B::create();
        let store = backend.open().await;
        take(&*store, moved(None, Some('a'), "a", 1)).await;
        let waiting = only_waiting(&*store).await;
        let by_hand = NewTrigger {
            requested: waiting.requested.clone(),
            options: waiting.options.clone(),
            ..trigger("chat", None)
        };
        let PutTrigger::New(hand) = store.put_trigger(by_hand, at(3)).await.unwrap() else {
            panic!("it has no key")
        };
        if moves_on {
            take(&*store, moved(Some('a'), Some('b'), "b", 4)).await;
        }
        let joined = [waiting.id];
        let started = store.start_cycle(hand, &joined, queued("chat", "staging"), at(40)).await;
        assert_eq!(started.unwrap().unwrap().0.cycle, 1);
        let left: Vec<TriggerId> =
            store.waiting_triggers().await.unwrap().iter().map(|waiting| waiting.id).collect();
        if moves_on {
            assert_eq!(left, [waiting.id]);
            let waits = CommitFate::Waiting;
            assert_eq!(fates(&*store).await, [('b', waits.clone()), ('a', waits)]);
        } else {
            assert_eq!(left, []);
            assert_eq!(fates(&*store).await, [('a', tested(1))]);
        }
    }
}

pub async fn a_branch_that_goes_back_runs_again<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    take(&*store, moved(Some('a'), Some('b'), "b", 2)).await;
    take(&*store, moved(Some('b'), Some('a'), "", 3)).await;
    let trigger = only_waiting(&*store).await;
    assert_eq!(trigger.requested.as_deref(), Some(sha('a').as_str()));
    assert_eq!(trigger.taken_together, shas("b"));
    start(&*store, "chat", trigger.id).await.unwrap();
    assert_eq!(fates(&*store).await, [('b', together(1)), ('a', tested(1))]);
    // Back to what has its cycle: it runs, and is taken together with what comes next.
    take(&*store, moved(Some('a'), Some('b'), "", 60)).await;
    take(&*store, moved(Some('b'), Some('c'), "c", 61)).await;
    let trigger = only_waiting(&*store).await;
    assert_eq!(trigger.taken_together, shas("b"));
    start(&*store, "chat", trigger.id).await.unwrap();
    assert_eq!(fates(&*store).await, [('c', tested(2)), ('b', together(1)), ('a', tested(1))]);
}

pub async fn the_fate_follows_the_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('b'), "ab", 1)).await;
    let cycle = start(&*store, "chat", only_waiting(&*store).await.id).await.unwrap();
    assert_eq!(fates(&*store).await, [('b', tested(1)), ('a', together(1))]);
    store.append(append(&cycle, 1, vec![finished(Verdict::Red)])).await.unwrap();
    let verdict = Some(Verdict::Red);
    let expected = [
        ('b', CommitFate::Tested { cycle: 1, verdict, held: false }),
        ('a', CommitFate::TakenTogether { cycle: 1, verdict, held: false }),
    ];
    assert_eq!(fates(&*store).await, expected);
    // A loop runs the same commit again: the newest answer counts, and none that is no answer.
    for (digit, end) in [('b', Verdict::Green), ('b', Verdict::Void)] {
        let (again, _) = store.create_cycle(queued("chat", "staging"), at(50)).await.unwrap();
        let events = vec![resolved(digit), finished(end)];
        store.append(append(&again, 1, events)).await.unwrap();
    }
    let mended = CommitFate::Tested { cycle: 2, verdict: Some(Verdict::Green), held: false };
    let expected =
        [('b', mended), ('a', CommitFate::TakenTogether { cycle: 1, verdict, held: false })];
    assert_eq!(fates(&*store).await, expected);
}

/// The first cycle of a pipeline, those of a person, of a schedule, and of a commit that a rule passes over.
pub async fn what_was_tested_and_never_seen_to_arrive_is_answered_for<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let run = async |digit, end: Option<Verdict>, second| {
        let (cycle, _) = store.create_cycle(queued("chat", "staging"), at(second)).await.unwrap();
        let events = [Some(resolved(digit)), end.map(finished)].into_iter().flatten().collect();
        store.append(append(&cycle, 1, events)).await.unwrap();
        cycle
    };
    run('a', Some(Verdict::Green), 1).await;
    run('a', Some(Verdict::DeployFailed), 2).await;
    let answered =
        |cycle, verdict| CommitFate::Tested { cycle, verdict: Some(verdict), held: false };
    assert_eq!(fates(&*store).await, [('a', answered(1, Verdict::Green))]);
    let first = store.list_commits(&pipeline("chat"), 9).await.unwrap().remove(0);
    assert_eq!((first.branch.as_str(), first.subject.as_str()), ("main", "commit a"));
    assert_eq!(first.seen_at, at(1));

    // It arrives, a rule passes it over, and it is tested by hand.
    let mut movement = Movement { run: None, ..moved(Some('a'), Some('b'), "", 3) };
    movement.from = None;
    movement.commits = vec![skipped('b', "[skip andon]")];
    take(&*store, movement).await;
    let passed_over = ('b', by("[skip andon]"));
    assert_eq!(fates(&*store).await, [passed_over, ('a', answered(1, Verdict::Green))]);
    run('b', Some(Verdict::Red), 4).await;
    // One waits for a person.
    let held = run('c', None, 5).await;
    let asks = Event::Held(Held { reason: "nobody saw the end".to_owned() });
    store.append(append(&held, 2, vec![asks])).await.unwrap();
    let expected = [
        ('c', CommitFate::Tested { cycle: 4, verdict: None, held: true }),
        ('b', answered(3, Verdict::Red)),
        ('a', answered(1, Verdict::Green)),
    ];
    assert_eq!(fates(&*store).await, expected);
    let newest = store.list_commits(&pipeline("chat"), 2).await.unwrap();
    assert_eq!(newest.iter().map(|row| row.sha.clone()).collect::<Vec<_>>(), shas("cb"));
}

/// However many came since, on every branch, and those that nobody saw arrive, too.
pub async fn commits_are_found_by_the_beginnings_of_their_names<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let (cycle, _) = store.create_cycle(queued("chat", "staging"), at(1)).await.unwrap();
    let events = vec![resolved('a'), finished(Verdict::Green)];
    store.append(append(&cycle, 1, events)).await.unwrap();
    take(&*store, moved(None, Some('c'), "bc", 2)).await;
    let start_it = only_waiting(&*store).await.id;
    start(&*store, "chat", start_it).await.unwrap();
    let side = Movement { branch: "side".to_owned(), ..moved(None, Some('b'), "b", 3) };
    take(&*store, Movement { run: None, ..side }).await;
    let gone = Movement { branch: "side".to_owned(), ..moved(Some('b'), None, "", 4) };
    take(&*store, gone).await;
    take(&*store, moved(Some('c'), Some('d'), "d", 5)).await;
    let named = async |names: &str| {
        let short = names.chars().map(|digit| sha(digit).short().to_owned()).collect();
        let rows = store.commits_named(&pipeline("chat"), short).await.unwrap();
        let of = |row: andon::store::CommitRow| {
            (row.sha.as_str().chars().next().unwrap(), row.branch, row.fate)
        };
        rows.into_iter().map(of).collect::<Vec<_>>()
    };
    let main = || "main".to_owned();
    let green = CommitFate::Tested { cycle: 1, verdict: Some(Verdict::Green), held: false };
    assert_eq!(
        named("bae").await,
        [
            ('b', "side".to_owned(), by("nothing to run for")),
            ('b', main(), together(2)),
            ('a', main(), green)
        ]
    );
    assert_eq!(named("d").await, [('d', main(), CommitFate::Waiting)]);
    assert_eq!(named("").await, []);
    let elsewhere = vec![sha('b').short().to_owned()];
    assert_eq!(store.commits_named(&pipeline("shop"), elsewhere).await.unwrap(), []);
}

pub async fn commits_taken_together_are_capped_in_the_trigger_alone<B: Backend>() {
    const COMMITS: usize = 1_200;
    let backend = B::create();
    let store = backend.open().await;
    let commits: Vec<SeenCommit> = (0..COMMITS)
        .map(|number| SeenCommit {
            sha: Sha::parse(&format!("{number:040}")).unwrap(),
            ..commit('a')
        })
        .collect();
    let last = commits[COMMITS - 1].sha.clone();
    let movement = Movement {
        to: Some(last.clone()),
        run: Some((last, cause('f'))),
        commits,
        ..moved(None, None, "", 1)
    };
    take(&*store, movement).await;
    let trigger = only_waiting(&*store).await;
    let newest = Sha::parse(&format!("{:040}", COMMITS - 2)).unwrap();
    assert_eq!(
        (trigger.taken_together.len(), trigger.taken_together.last()),
        (1_000, Some(&newest))
    );
    assert_eq!(trigger.id, TriggerId(1));
    start(&*store, "chat", trigger.id).await.unwrap();
    let rows = store.list_commits(&pipeline("chat"), 9_999).await.unwrap();
    assert_eq!(rows.len(), COMMITS);
    assert_eq!((&rows[0].fate, &rows[COMMITS - 1].fate), (&tested(1), &together(1)));
}

/// RELIABILITY H13: what a circle of cycles is known by.
pub async fn commits_that_cycles_left_behind_are_remembered_as_such<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let echo = |digit, echo| SeenCommit { echo, ..commit(digit) };
    let first = Movement {
        commits: vec![commit('a'), echo('b', Echo::Yes)],
        ..moved(None, Some('b'), "", 1)
    };
    let first = Movement { run: Some((sha('b'), cause('b'))), ..first };
    assert!(store.put_movement(first).await.unwrap());
    let waiting = store.waiting_triggers().await.unwrap();
    let cycle = start(&*store, "chat", waiting[0].id).await.unwrap();
    let stopped = SeenCommit { echo: Echo::Stopped, ..skipped('c', "goes round") };
    let second =
        Movement { commits: vec![stopped], run: None, ..moved(Some('b'), Some('c'), "", 3) };
    assert!(store.put_movement(second).await.unwrap());
    let seen = store.seen_before(&pipeline("chat"), 10).await.unwrap();
    let rows: Vec<_> = seen.iter().map(|it| (it.sha.clone(), it.echo, it.cycle)).collect();
    assert_eq!(
        rows,
        [
            (sha('c'), Echo::Stopped, None),
            (sha('b'), Echo::Yes, Some(cycle.cycle)),
            (sha('a'), Echo::No, Some(cycle.cycle)),
        ]
    );
    assert_eq!(store.seen_before(&pipeline("chat"), 1).await.unwrap(), seen[..1]);
    assert_eq!(store.seen_before(&pipeline("other"), 9).await.unwrap(), []);
}

/// What is known of commits whose forge was told that they wait.
pub async fn whoever_was_told_to_wait_is_known_until_something_else_is_told<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    take(&*store, moved(None, Some('a'), "a", 1)).await;
    let trigger = only_waiting(&*store).await.id;
    let mark = |of, heard| vec![WaitingMark { trigger, sha: sha(of), heard }];
    let message = |key: &str| NewMessage {
        key: key.to_owned(),
        pipeline: pipeline("chat"),
        target: "forge".to_owned(),
        body: "{}".to_owned(),
        topic: None,
    };
    assert_eq!(store.told_waiting().await.unwrap(), []);
    store.mark_waiting(mark('a', Some(Heard::Waits)), vec![message("1")], at(2)).await.unwrap();
    assert!(store.knows_message("1").await.unwrap());
    let now = async || {
        let told = store.told_waiting().await.unwrap();
        assert_eq!((told.len(), told[0].trigger, &told[0].sha), (1, trigger, &sha('a')));
        told[0].now.clone()
    };
    assert_eq!(now().await, WaitsNow::For(sha('a')));
    take(&*store, moved(Some('a'), Some('b'), "b", 3)).await;
    assert_eq!(now().await, WaitsNow::For(sha('b')));
    store.mark_waiting(mark('a', Some(Heard::WithNewer)), vec![], at(4)).await.unwrap();
    store.mark_waiting(mark('b', Some(Heard::Waits)), vec![], at(4)).await.unwrap();
    let heard: Vec<_> =
        store.told_waiting().await.unwrap().into_iter().map(|one| (one.sha, one.heard)).collect();
    assert_eq!(heard, [(sha('a'), Heard::WithNewer), (sha('b'), Heard::Waits)]);
    let cycle = start(&*store, "chat", trigger).await.unwrap();
    store.mark_waiting(mark('b', None), vec![], at(5)).await.unwrap();
    let is = |number, revision, standing| WaitsNow::Cycle {
        asked_for: sha('b'),
        number,
        revision,
        standing,
    };
    let open = CycleStanding::Open { held: false };
    assert_eq!(now().await, is(cycle.cycle, None, open));
    let void = vec![resolved('b'), finished(Verdict::Void)];
    store.append(append(&cycle, 1, void)).await.unwrap();
    let over = CycleStanding::Over { verdict: Verdict::Void, ran: 0, planned: 0 };
    assert_eq!(now().await, is(cycle.cycle, Some(sha('b')), over));
    // It is run once again.
    let (again, _) = store.create_cycle(queued("chat", "staging"), at(5)).await.unwrap();
    store.append(append(&again, 1, vec![resolved('b')])).await.unwrap();
    assert_eq!(now().await, is(again.cycle, Some(sha('b')), open));
    let asks = Event::Held(Held { reason: "nobody saw the end".to_owned() });
    store.append(append(&again, 2, vec![asks])).await.unwrap();
    let held = CycleStanding::Open { held: true };
    assert_eq!(now().await, is(again.cycle, Some(sha('b')), held));
    store.mark_waiting(mark('a', None), vec![], at(5)).await.unwrap();
    assert_eq!(store.told_waiting().await.unwrap(), []);

    take(&*store, moved(Some('b'), Some('c'), "c", 6)).await;
    let trigger = only_waiting(&*store).await.id;
    let told = vec![WaitingMark { trigger, sha: sha('c'), heard: Some(Heard::Waits) }];
    store.mark_waiting(told, vec![], at(7)).await.unwrap();
    assert!(store.drop_trigger(trigger, "why", at(8)).await.unwrap());
    let told = store.told_waiting().await.unwrap();
    assert_eq!(told[0].now, WaitsNow::Dropped { why: "why".to_owned() });
}
