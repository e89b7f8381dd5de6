//! Tells what a run stored as news, before it leaves.
//!
//! A run does not wait for anybody for long: what a channel does not take now stays in the store, for
//! the next run or for a daemon. Where a daemon serves the state, all of it is the daemon's.

use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, HostEnv};
use crate::daemon::is_served;
use crate::domain::errors::chain;
use crate::domain::spec::Pipeline;
use crate::engine::{Clock as _, Publisher, SystemClock};
use crate::notify::{Deliverer, Left, Pages, Parts, Served};
use crate::store::Store;

/// How long a run stays for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Delivers what is due of a pipeline and says what is left. Nothing here changes how the run ended.
pub async fn tell(
    context: &Context,
    pipeline: &Arc<Pipeline>,
    host: HostEnv,
    store: &Arc<dyn Store>,
) {
    let tells_nobody = pipeline.notify.is_empty() && pipeline.report.publish.is_none();
    if tells_nobody || is_served(context.paths().root()) {
        return;
    }
    let console = &context.settings.console;
    let working_dir = match std::env::current_dir() {
        Ok(folder) => folder,
        Err(fault) => {
            return console.say_of("warning", &format!("nobody was told: {}", chain(&fault)));
        }
    };
    let publisher = Publisher {
        paths: context.paths(),
        working_dir,
        host: Arc::clone(&host),
        clock: Arc::new(SystemClock),
    };
    let deliverer = Deliverer::new(Parts {
        store: Arc::clone(store),
        now: Arc::new(|| SystemClock.now()),
        host,
        served: Served::One(Arc::clone(pipeline)),
        publish: publisher.into_publish(),
        pages: context.settings.daemon.public_url.clone().map(Pages::at),
    });
    match deliverer.deliver_due(PATIENCE).await {
        Ok(left) => left.iter().for_each(|left| console.say_of("warning", &sentence(left))),
        Err(fault) => console.say_of("warning", &format!("nobody was told: {}", chain(&fault))),
    }
}

fn sentence(left: &Left) -> String {
    let why = left.error.as_deref().unwrap_or("there was no time");
    format!("{} is not told yet ({why}); the next run, or a daemon, tries again", left.target)
}
