//! Runs that were started for a command which the pipeline no longer has, or of which only the records are
//! left: they are ended, since nobody knows any more what they were to show.

use tokio_util::sync::CancellationToken;

use super::running::unread;
use crate::deploy::{self, TakenUp};
use crate::domain::event::Event;
use crate::engine::world::World;
use crate::engine::world::deploy::never_began;
use crate::engine::{EngineError, Journal, Progress};

impl World {
    /// Ends every run that is open by the records. What it left is not read. The suite cannot end before.
    pub(in crate::engine::world) async fn end_forgotten_runs(
        &self,
        journal: &mut Journal,
    ) -> Result<(), EngineError> {
        let open = journal.state().commands.iter().filter(|record| record.ended.is_none());
        let open: Vec<_> = open.map(|record| record.started.clone()).collect();
        let ends_now = CancellationToken::new();
        ends_now.cancel();
        for started in open {
            let (observer, step) = (journal.observer(), &*started.run.command);
            let on_output = |bytes: &[u8]| observer.on(Progress::Output { step, bytes });
            let run_dir = self.folder_of(&started).supervised();
            let end = match deploy::take_up(&run_dir, on_output, &ends_now).await {
                TakenUp::Ended(end) => end,
                TakenUp::NeverStarted => never_began(),
            };
            let ended = Event::CommandEnded(Box::new(unread(started.run, end)));
            journal.append(vec![ended]).await?;
        }
        Ok(())
    }
}
