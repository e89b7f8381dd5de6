//! What the made-up service knows while a case runs: the step that comes, and which sockets are open.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::domain::spec::Step;
use crate::domain::template::Lookup;
use crate::prove::{Aim, Fault, Fresh, Injection, OwnNames, Script, inject};

/// What one socket does next.
#[derive(Debug)]
pub(super) struct Cue {
    pub(super) frames: Vec<String>,
    pub(super) close: Option<u16>,
}

/// The name of a step by its place in the case, where a fault strikes one step alone.
pub(super) fn name_of(place: usize) -> String {
    format!("step {place}")
}

/// The service's side of one run of a case.
pub(super) struct Stage {
    own: OwnNames,
    fault: Option<Fault>,
    aim: Aim,
    /// Fires when the run is over: whatever still waits ends.
    pub(super) over: CancellationToken,
    /// Fires when the service goes away: connections that setup opened end too.
    pub(super) gone: CancellationToken,
    scene: Mutex<Scene>,
}

struct Scene {
    fresh: Fresh,
    /// Steps of setup that are still to come: nothing is wrong with the service before the case.
    setup_left: usize,
    /// Whether the case has begun.
    in_case: bool,
    /// What to answer to the next request.
    script: Option<Script>,
    /// Why there is no answer to it.
    no_example: Option<String>,
    sockets: HashMap<String, UnboundedSender<Cue>>,
}

impl Stage {
    pub(super) fn new(own: OwnNames, fault: Option<Fault>, aim: Aim, setup_steps: usize) -> Self {
        let scene = Scene {
            fresh: Fresh::default(),
            setup_left: setup_steps,
            in_case: false,
            script: None,
            no_example: None,
            sockets: HashMap::new(),
        };
        let over = CancellationToken::new();
        let gone = over.child_token();
        Self { own, fault, aim, over, gone, scene: Mutex::new(scene) }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns which step comes, and what names mean to it.
    pub(super) fn next_step(&self, step: &Step, lookup: &dyn Lookup) {
        let mut scene = self.scene();
        scene.in_case = scene.setup_left == 0;
        scene.setup_left = scene.setup_left.saturating_sub(1);
        let is_aimed_at = match self.aim {
            Aim::Everywhere => true,
            Aim::Step(place) => step.name == name_of(place),
        };
        let fault = self.fault.filter(|_| scene.in_case && is_aimed_at);
        if fault == Some(Fault::Refused) {
            self.gone.cancel();
        }
        let fresh = &mut scene.fresh;
        let made = inject(step, lookup, Injection { fault, own: &self.own, fresh });
        scene.script = None;
        match made {
            Ok(Script::Socket { open: None, session, frames, close }) => {
                let socket = scene.sockets.get(session.as_deref().unwrap_or_default());
                // Where it is closed already there is nobody to tell.
                let _closed = socket.map(|socket| socket.send(Cue { frames, close }));
            }
            Ok(script) => scene.script = Some(script),
            Err(why) => {
                scene.no_example.get_or_insert(format!("step `{}`: {why}", step.name));
            }
        }
    }

    /// What is wrong now.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.filter(|_| self.scene().in_case)
    }

    /// What to answer now.
    pub(super) fn script(&self) -> Option<Script> {
        self.scene().script.clone()
    }

    /// Why the ideal service had no answer at some step.
    pub(super) fn no_example(&self) -> Option<String> {
        self.scene().no_example.clone()
    }

    /// Takes a new socket, whose cues come out here.
    pub(super) fn open(&self, session: Option<String>, first: Cue) -> UnboundedReceiver<Cue> {
        let (sender, receiver) = unbounded_channel();
        let _receiver_is_here = sender.send(first);
        self.scene().sockets.insert(session.unwrap_or_default(), sender);
        receiver
    }
}
