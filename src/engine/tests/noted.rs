//! What is written together, what is written before a deploy begins, and a death between any two
//! transactions.

use super::*;

/// Whoever looks on sees each event once it is written, with the state as of its transaction.
#[derive(Default)]
struct Transactions {
    seen: Mutex<Vec<Vec<&'static str>>>,
    begun: Mutex<Vec<&'static str>>,
    /// The process dies when so many are written.
    last: Option<usize>,
}

impl Observer for Transactions {
    fn on(&self, progress: Progress<'_>) {
        let Progress::Recorded { recorded, state } = progress else { return };
        let mut begun = self.begun.lock().unwrap();
        begun.push(recorded.event.kind());
        if recorded.seq == state.seq {
            let mut seen = self.seen.lock().unwrap();
            seen.push(std::mem::take(&mut begun));
            let is_last = self.last == Some(seen.len());
            drop((begun, seen));
            assert!(!is_last, "dies here, as the test wants it");
        }
    }
}

impl Bench {
    fn watched_by(&self, transactions: &Arc<Transactions>) -> Engine {
        let clock = Arc::new(Ticking(AtomicI64::new(0)));
        Engine::new(Arc::clone(&self.store), clock, Arc::clone(transactions) as _)
    }

    /// The hold of a task that died; that of a process would be found out by its number.
    async fn let_go(&self) {
        let environment = queued().environment;
        let holder = self.store.environment_holder(&environment).await.unwrap().unwrap();
        let lease = Lease { environment, fence: holder.fence };
        self.store.release_environment(&lease).await.unwrap();
    }
}

#[tokio::test]
async fn what_follows_at_once_is_written_together() {
    let bench = bench().await;
    let transactions = Arc::new(Transactions::default());
    let engine = bench.watched_by(&transactions);
    let world = Scripted { notes: true, ..Scripted::default() };
    engine.run(queued(), &pipeline(), &world, &CancellationToken::new()).await.unwrap();
    let seen: Vec<String> =
        transactions.seen.lock().unwrap().iter().map(|kinds| kinds.join(" ")).collect();
    let expected = [
        "queued",
        "phase_started",
        "revision_resolved phase_ended phase_started step_started",
        "step_ended phase_ended phase_started",
        "surfaces_read phase_ended phase_started",
        "suite_planned attempt_finished suite_ended surfaces_read phase_ended phase_started",
        "analysed phase_ended phase_started",
        "phase_ended phase_started phase_ended finished",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_death_between_any_two_transactions_is_only_a_pause() {
    for last in 1.. {
        let bench = bench().await;
        let dying = Arc::new(Scripted { notes: true, ..Scripted::default() });
        let transactions = Arc::new(Transactions { last: Some(last), ..Transactions::default() });
        let (engine, world) = (bench.watched_by(&transactions), Arc::clone(&dying));
        let run = tokio::spawn(async move {
            engine.run(queued(), &pipeline(), world.as_ref(), &CancellationToken::new()).await
        });
        if run.await.is_ok() {
            assert_eq!(last, 9, "one more than a cycle has transactions");
            return;
        }
        let is_over = bench.store.open_cycles(None).await.unwrap().is_empty();
        if last > 1 {
            bench.let_go().await;
        }
        let next = Scripted { notes: true, ..Scripted::default() };
        if !is_over {
            let ended = bench.take_up(&next).await.unwrap();
            assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::Green);
        }
        let stored = cycle::fold(bench.events().await).unwrap();
        assert!(stored.finished.is_some(), "after {last} transactions");
        let starts = dying.deploys_started.lock().unwrap().len()
            + next.deploys_started.lock().unwrap().len();
        assert!(starts <= 1, "after {last} transactions: {starts} deploys were started");
    }
}
