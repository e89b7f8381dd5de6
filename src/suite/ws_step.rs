//! A step on a WebSocket: open or go on, send, read until the answer is certain, close.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::http_step::{from_fault, seen};
use super::iteration::Iteration;
use super::lookup::EnvLookup;
use crate::domain::evidence::Exchange;
use crate::domain::failure::FailureClass;
use crate::domain::references::visit_action;
use crate::domain::spec::{Action, Expect, Step, WsOpen, WsStep};
use crate::probe::{
    AfterMessage, Call, ConnectionUse, Deadline, Fault, WsEnd, WsSession, render_ws_message,
    render_ws_open, repro_ws,
};
use crate::verdict::{
    Answer, EventsEnd, Finding, Handshake, Message, MessageFold, Progress, judge_close,
    judge_handshake,
};

/// An open socket, and how it was opened.
pub(super) struct Socket {
    session: Box<WsSession>,
    open: WsOpen,
}

impl Socket {
    /// Closes it in good order if that does not take long; nobody looks at how.
    pub(super) async fn leave(mut self, deadline: Instant) {
        let mut unseen = self.session.next_exchange("");
        self.session.close(1000, "", deadline, &mut unseen).await;
    }
}

/// A finding, and the command that repeats it.
type Fail = (Finding, Option<String>);

/// Performs a step on a socket; what it saw goes into the evidence of the iteration.
pub(super) async fn perform(
    iteration: &mut Iteration<'_>,
    step: &Step,
    ws: &WsStep,
    deadline: Deadline,
    lookup: &EnvLookup<'_>,
) -> Result<Vec<(String, Value)>, Fail> {
    let started = Instant::now();
    let (mut socket, mut exchange, must_close) = match &ws.open {
        Some(open) => match open_socket(iteration, step, ws, open, deadline, lookup).await? {
            Some(opened) => opened,
            None => return Ok(Vec::new()),
        },
        None => {
            let socket = take_socket(iteration, ws).map_err(|finding| (finding, None))?;
            let exchange = socket.session.next_exchange(&step.name);
            (socket, exchange, step.expect.close.is_some())
        }
    };
    let mut talk = Talk {
        step,
        ws,
        lookup,
        started,
        deadline,
        session: &mut socket.session,
        exchange: &mut exchange,
    };
    let outcome = talk.run(must_close, &mut iteration.evidence.events).await;
    let step_took = started.elapsed().as_micros();
    if exchange.timings.total_us == 0 {
        exchange.timings.total_us = u64::try_from(step_took).unwrap_or(u64::MAX);
    }
    let repro = outcome.is_err().then(|| repro(&socket.open, ws, &step.expect, lookup));
    iteration.evidence.record(exchange);
    match (&ws.session, ws.close.is_some()) {
        (Some(name), false) => {
            iteration.sockets.insert(name.clone(), socket);
        }
        (None, false) => socket.leave(deadline.at).await,
        (_, true) => {}
    }
    outcome.map_err(|finding| (finding, repro))
}

fn repro(open: &WsOpen, ws: &WsStep, expect: &Expect, lookup: &EnvLookup<'_>) -> String {
    repro_ws(open, &ws.send, expect.events.as_ref(), &lookup.for_repro())
}

fn take_socket(iteration: &mut Iteration<'_>, ws: &WsStep) -> Result<Socket, Finding> {
    let name = ws.session.as_deref().unwrap_or_default();
    iteration.sockets.remove(name).ok_or_else(|| {
        let message =
            format!("no socket is open under the name `{name}`: a step must open it first");
        Finding::measurement(FailureClass::Setup, "session", name, "no open socket").saying(message)
    })
}

/// Opens a socket; `None` when the handshake was refused as expected, and the step is over.
async fn open_socket(
    iteration: &mut Iteration<'_>,
    step: &Step,
    ws: &WsStep,
    open: &WsOpen,
    deadline: Deadline,
    lookup: &EnvLookup<'_>,
) -> Result<Option<(Socket, Exchange, bool)>, Fail> {
    let fail = |finding| (finding, Some(repro(open, ws, &step.expect, lookup)));
    let request = render_ws_open(open, lookup).map_err(|fault| fail(from_fault(&fault)))?;
    let call = Call {
        step: &step.name,
        deadline,
        connection: ConnectionUse::Fresh,
        cookies: Some(&iteration.cookies),
    };
    let opening = iteration.env.client().open_ws(request, call).await;
    let (answer, session) = match opening.outcome {
        Ok(outcome) => outcome,
        Err(fault) => {
            let finding = refused_unfinished(&fault, &opening.exchange, step, lookup);
            iteration.evidence.record(opening.exchange);
            return Err(fail(finding));
        }
    };
    let mut seen = seen(&answer);
    seen.with_identity = acts_as_identity(iteration, step);
    match (judge_handshake(&seen, &step.expect, lookup), session) {
        (Ok(handshake), Some(session)) => {
            let socket = Socket { session, open: open.clone() };
            Ok(Some((socket, opening.exchange, handshake == Handshake::MustClose)))
        }
        (Ok(_), None) => {
            iteration.evidence.record(opening.exchange);
            Ok(None)
        }
        (Err(finding), session) => {
            iteration.evidence.record(opening.exchange);
            if let Some(session) = session {
                Socket { session, open: open.clone() }.leave(deadline.at).await;
            }
            Err(fail(finding))
        }
    }
}

/// A handshake without a whole answer: a refusal stays one, even if not all of its body came.
fn refused_unfinished(
    fault: &Fault,
    exchange: &Exchange,
    step: &Step,
    lookup: &EnvLookup<'_>,
) -> Finding {
    let Some(status) = exchange.status.filter(|status| *status != 101) else {
        return from_fault(fault);
    };
    match judge_handshake(&Answer::new(status, &[], b""), &step.expect, lookup) {
        Ok(_) => from_fault(fault),
        Err(finding) => {
            let finding_says = finding.clone().into_failure().message;
            finding.saying(format!("{finding_says}; {fault}"))
        }
    }
}

fn acts_as_identity(iteration: &Iteration<'_>, step: &Step) -> bool {
    let mut names = std::collections::HashSet::new();
    debug_assert!(matches!(step.action, Action::Ws(_)), "only sockets come here");
    visit_action(&step.action, &mut |name| {
        names.insert(name.to_owned());
    });
    !iteration.env.identities_in(&names).is_empty()
}

/// One step's talk on an open socket.
struct Talk<'t, 'l> {
    step: &'t Step,
    ws: &'t WsStep,
    lookup: &'t EnvLookup<'l>,
    started: Instant,
    deadline: Deadline,
    session: &'t mut WsSession,
    exchange: &'t mut Exchange,
}

impl Talk<'_, '_> {
    async fn run(
        &mut self,
        must_close: bool,
        events: &mut Vec<crate::domain::evidence::EventsSeen>,
    ) -> Result<Vec<(String, Value)>, Finding> {
        let expect = &self.step.expect;
        let mut fold = MessageFold::new(expect, &self.step.capture, self.lookup)?;
        let sent = self.send_all().await;
        let end = match (&sent, fold.wants_messages()) {
            (Ok(()), false) => EventsEnd::Satisfied,
            (Ok(()), true) => self.read(&mut fold, self.read_deadline()).await,
            // The message could not be sent; why the socket ended stands in what came last.
            (Err(_), _) => {
                self.read(&mut fold, Deadline { at: self.deadline.at.min(soon()), ..self.deadline })
                    .await
            }
        };
        let folded = fold.finish(&self.step.name, &end);
        events.extend(folded.events);
        if let (Err(fault), EventsEnd::Satisfied | EventsEnd::Deadline { .. }) = (&sent, &end) {
            return Err(from_fault(fault));
        }
        if !(must_close && matches!(end, EventsEnd::Closed { .. })) {
            folded.judgement?;
        }
        if sent.is_err() && !must_close {
            return Err(closed_before_sending(&end));
        }
        if must_close {
            self.await_close(end).await?;
        }
        if let Some(close) = &self.ws.close {
            let reason = close.reason.as_ref().map(|reason| reason.render(self.lookup));
            let reason = reason.transpose().map_err(|unknown| from_fault(&Fault::from(unknown)))?;
            let reason = reason.unwrap_or_default();
            self.session.close(close.code, &reason, self.deadline.at, self.exchange).await;
        }
        Ok(folded.captured)
    }

    async fn send_all(&mut self) -> Result<(), Fault> {
        for message in &self.ws.send {
            let text = render_ws_message(message, self.lookup)?;
            self.session.send(&text, self.deadline.at, self.exchange).await?;
        }
        Ok(())
    }

    fn read_deadline(&self) -> Deadline {
        let events = self.step.expect.events.as_ref();
        let within = events.map(|events| Deadline::from(self.started, events.within));
        within.map_or(self.deadline, |within| self.deadline.or_sooner(within))
    }

    async fn read(&mut self, fold: &mut MessageFold<'_>, until: Deadline) -> EventsEnd {
        let lookup = self.lookup;
        let mut take = |text: &str, at_ms: u64| {
            let message = Message::new(at_ms, text, None);
            let event = fold.name_of(&message);
            let stop = fold.push(&message, lookup) != Progress::NeedMore;
            AfterMessage { event, stop }
        };
        let end = self.session.read(until.at, self.exchange, &mut take).await;
        self.ended(end, until.limit)
    }

    /// Reads on, whatever comes, until the server closes the socket as it must.
    async fn await_close(&mut self, end: EventsEnd) -> Result<(), Finding> {
        let Some(close) = &self.step.expect.close else { return Ok(()) };
        let end = match end {
            EventsEnd::Closed { .. } | EventsEnd::Cut(_) => end,
            EventsEnd::Satisfied | EventsEnd::Deadline { .. } | EventsEnd::StreamEnded => {
                let until = self.deadline.at.min(Instant::now() + close.within);
                let mut ignore = |_: &str, _: u64| AfterMessage::default();
                let end = self.session.read(until, self.exchange, &mut ignore).await;
                self.ended(end, close.within)
            }
        };
        judge_close(&end, &self.step.expect, self.lookup)
    }

    fn ended(&self, end: WsEnd, limit: Duration) -> EventsEnd {
        match end {
            WsEnd::Stopped => EventsEnd::Satisfied,
            WsEnd::Deadline => EventsEnd::Deadline { limit, waited: self.started.elapsed() },
            WsEnd::Closed { code, reason } => EventsEnd::Closed { code, reason },
            WsEnd::Cut(fault) => EventsEnd::Cut(fault.message),
        }
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(200)
}

fn closed_before_sending(end: &EventsEnd) -> Finding {
    let (class, actual) = match end {
        EventsEnd::Closed { code, reason } if reason.is_empty() => {
            (FailureClass::WsClose, format!("close {code}"))
        }
        EventsEnd::Closed { code, reason } => {
            (FailureClass::WsClose, format!("close {code} ({reason})"))
        }
        EventsEnd::Cut(fault) => (FailureClass::Connection, fault.clone()),
        EventsEnd::Satisfied | EventsEnd::Deadline { .. } | EventsEnd::StreamEnded => {
            (FailureClass::Connection, "a socket that takes no message".to_owned())
        }
    };
    let wanted = "an open socket to send on";
    let message = format!("expected {wanted}, got {actual}");
    Finding::service(class, "close code", wanted, actual).saying(message)
}
