//! How many connections to one address may be on their way at the same time.
//!
//! A server keeps connections that it has not taken up yet in a queue, often of 100 or 128. What does
//! not fit is dropped without a word and tried again by the system one second later: a thousand
//! sockets that open at once would measure that queue instead of the service. So connections take
//! turns until the server has taken them up; how many are open at the same time is not bounded here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections on their way to one address: less than the queues of common servers hold.
const AT_ONCE: usize = 100;
/// A server that has not answered by then is slow, not flooded; the next connection need not wait.
pub(super) const TAKEN_UP: Duration = Duration::from_millis(100);

/// The turns of all addresses.
#[derive(Debug, Default)]
pub(super) struct Turns {
    by_address: Mutex<HashMap<(String, u16), Arc<Semaphore>>>,
}

/// One turn, until dropped.
#[derive(Debug)]
pub(super) struct Turn(#[allow(dead_code)] OwnedSemaphorePermit);

impl Turns {
    /// Waits for a turn.
    pub(super) async fn take(&self, host: &str, port: u16) -> Turn {
        let turns = {
            let mut all = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(AT_ONCE));
            Arc::clone(all.entry((host.to_owned(), port)).or_insert_with(new))
        };
        Turn(turns.acquire_owned().await.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn one_address_has_so_many_turns_and_no_more() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(turns.take("a", 80).now_or_never().expect("there is room"));
        }
        assert!(turns.take("a", 80).now_or_never().is_none());
        assert!(turns.take("a", 81).now_or_never().is_some());
        held.pop();
        assert!(turns.take("a", 80).now_or_never().is_some());
    }
}
