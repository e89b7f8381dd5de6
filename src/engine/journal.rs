//! The pen: the only way in which a running cycle gets new events.
//!
//! An append costs a transaction, and most of them a wait for the disk. What is only a consequence of
//! what was appended, or is followed at once by more, is noted: it is part of the state from then on,
//! and written with whatever comes next. Whoever does something outside of us settles what is noted
//! first, so a crash in between is a crash before the append.

use std::sync::Arc;

use jiff::{Timestamp, TimestampRound, Unit};

use super::Relief;
use super::clock::Clock;
use super::error::EngineError;
use super::observer::{Observer, Progress};
use crate::cycle;
use crate::domain::event::{Event, Recorded};
use crate::domain::state::CycleState;
use crate::store::{Append, CycleKey, Lease, Projection, Store, StoreError};

/// A cycle's events and state, for whoever holds its environment.
pub struct Journal {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    key: CycleKey,
    state: CycleState,
    lease: Option<Lease>,
    relief: Option<Relief>,
    /// What is part of the state and not written yet.
    noted: Option<Append>,
}

impl Journal {
    /// A journal that goes on after `state`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        key: CycleKey,
        state: CycleState,
        lease: Option<Lease>,
    ) -> Self {
        Self { store, clock, observer, key, state, lease, relief: None, noted: None }
    }

    /// The same journal, which waits for room on a full disk when somebody makes it.
    #[must_use]
    pub(super) fn with_relief(self, relief: Option<Relief>) -> Self {
        Self { relief, ..self }
    }

    /// The state as of the last append, with what was noted since.
    pub fn state(&self) -> &CycleState {
        &self.state
    }

    /// The state as of the last append, when nothing more is to be appended.
    pub fn into_state(self) -> CycleState {
        self.state
    }

    /// Which cycle.
    pub fn key(&self) -> &CycleKey {
        &self.key
    }

    /// The instant now.
    pub fn now(&self) -> Timestamp {
        // The ledger keeps microseconds; the state must be what it would be after a restart.
        let now = self.clock.now();
        now.round(TimestampRound::new().smallest(Unit::Microsecond)).unwrap_or(now)
    }

    /// Whoever watches.
    pub fn observer(&self) -> &Arc<dyn Observer> {
        &self.observer
    }

    /// Where it is written.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Notes events: they are written with what comes next, at the latest by [`Journal::settle`].
    ///
    /// # Errors
    /// When one does not fit. What was noted must not be written then: the state is spoilt.
    pub fn note(&mut self, events: Vec<Event>) -> Result<(), EngineError> {
        self.note_with(events, Projection::default())
    }

    /// Notes events together with rows worked out from them.
    ///
    /// # Errors
    /// As [`Journal::note`].
    pub fn note_with(
        &mut self,
        events: Vec<Event>,
        projection: Projection,
    ) -> Result<(), EngineError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut noted = match self.noted.take() {
            Some(noted) => noted,
            None => self.empty_append(),
        };
        // Applied first: what does not fit never reaches the ledger. Should the ledger refuse what
        // fits, our hold on the cycle is over and this state with it.
        for event in &events {
            let recorded = Recorded { seq: self.state.seq + 1, at: noted.at, event: event.clone() };
            cycle::apply(&mut self.state, recorded)?;
        }
        noted.events.extend(events);
        noted.projection.extend(projection);
        self.noted = Some(noted);
        Ok(())
    }

    /// Writes what was noted; it is durable when this returns.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn settle(&mut self) -> Result<(), EngineError> {
        let Some(append) = self.noted.take() else { return Ok(()) };
        for recorded in &self.write(append).await? {
            self.observer.on(Progress::Recorded { recorded, state: &self.state });
        }
        Ok(())
    }

    /// Appends events, after those that were noted; they are durable when this returns.
    ///
    /// # Errors
    /// When one does not fit (nothing is then written), or the store refuses.
    pub async fn append(&mut self, events: Vec<Event>) -> Result<(), EngineError> {
        self.append_with(events, Projection::default()).await
    }

    /// Appends events together with rows worked out from them.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_with(
        &mut self,
        events: Vec<Event>,
        projection: Projection,
    ) -> Result<(), EngineError> {
        self.note_with(events, projection)?;
        self.settle().await
    }

    /// An append that begins here and now.
    fn empty_append(&self) -> Append {
        Append {
            cycle: self.key.clone(),
            expected_seq: self.state.seq,
            lease: self.lease.clone(),
            events: Vec::new(),
            at: self.now(),
            projection: Projection::default(),
        }
    }

    /// A full disk is a pause where somebody makes room: what was seen is not lost for it.
    async fn write(&self, append: Append) -> Result<Vec<Recorded>, StoreError> {
        let Some(relief) = &self.relief else { return self.store.append(append).await };
        loop {
            match self.store.append(append.clone()).await {
                Err(fault) if fault.is_lack_of_room() => {
                    if !relief().await {
                        return Err(fault);
                    }
                }
                done => return done,
            }
        }
    }
}
