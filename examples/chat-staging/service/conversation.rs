//! What is said on an open socket: client messages and their answers, agent events, heartbeats.

use super::agents::{Order, begin, fake, perform};
use super::app::{Shared, new_id};
use super::chat;
use super::distortion::Distortion;
use super::frames::{Incoming, MAX_MESSAGE, error_frame, event_frame, frame};
use super::runs::AgentEvent;
use super::socket::{Gone, send};
use super::streams::chunks_of;
use super::upgrade::Socket;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

const MAX_ERRORS: u32 = 5;
const MAX_PER_MINUTE: u32 = 100;
const MINUTE: Duration = Duration::from_secs(60);
const EVENT_QUEUE: usize = 16;

/// How a conversation ends: close code and reason.
type End = (u16, &'static str);

/// One user on one socket.
pub(super) struct Conversation {
    app: Shared,
    user: String,
    events: mpsc::Sender<AgentEvent>,
    waiting: mpsc::Receiver<AgentEvent>,
    distortion: Distortion,
    errors: u32,
    minute_began: Instant,
    said: u32,
}

impl Conversation {
    pub(super) fn new(app: Shared, user: String) -> Self {
        let (events, waiting) = mpsc::channel(EVENT_QUEUE);
        let distortion = Distortion::new(app.config.agent_events.clone());
        let minute_began = Instant::now();
        Self { app, user, events, waiting, distortion, errors: 0, minute_began, said: 0 }
    }

    /// Talks until one side ends it.
    pub(super) async fn hold(mut self, socket: &mut Socket) -> Result<End, Gone> {
        let beat = Duration::from_secs(self.app.config.heartbeat_s.max(1));
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + beat, beat);
        let stop = self.app.stop.clone();
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(message)) => {
                        if let Some(end) = self.hear(socket, message).await? {
                            return Ok(end);
                        }
                    }
                    Some(Err(_)) | None => return Err(Gone),
                },
                Some(event) = self.waiting.recv() => {
                    for event in self.distortion.pass(event) {
                        send(socket, event_frame(&self.app, event)).await?;
                    }
                }
                _ = heartbeat.tick() => {
                    send(socket, frame(&self.app, "ping", json!({}), &Value::Null)).await?;
                }
                () = stop.cancelled() => return Ok((1001, "going away")),
            }
        }
    }

    /// Answers one message; `Some` when that was the last.
    async fn hear(&mut self, socket: &mut Socket, message: Message) -> Result<Option<End>, Gone> {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => "",
            Message::Close(_) => return Ok(Some((1000, "bye"))),
            // Pings are answered by the library; it hands out no raw frames when reading.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(None),
        };
        if text.len() > MAX_MESSAGE {
            return Ok(None);
        }
        if self.talks_too_much() {
            let error = error_frame("RATE_LIMITED", "100 messages a minute", &Value::Null);
            send(socket, error).await?;
            return Ok(None);
        }
        let answer = match Incoming::parse(text) {
            Some(incoming) => self.answer(&incoming),
            None => {
                Err(error_frame("FORMAT_ERROR", "expected a JSON object with a type", &Value::Null))
            }
        };
        let (Ok(message) | Err(message)) = &answer;
        send(socket, message.clone()).await?;
        if answer.is_err() {
            self.errors += 1;
        }
        Ok((self.errors >= MAX_ERRORS).then_some((1011, "too many errors")))
    }

    fn talks_too_much(&mut self) -> bool {
        if self.minute_began.elapsed() >= MINUTE {
            self.minute_began = Instant::now();
            self.said = 0;
        }
        self.said += 1;
        self.said > MAX_PER_MINUTE
    }

    /// The first answer to a message; more may follow as events. `Err` holds an error message.
    fn answer(&mut self, incoming: &Incoming) -> Result<Message, Message> {
        match incoming.kind.as_str() {
            "ping" => Ok(self.reply("pong", json!({}), incoming)),
            "heartbeat" => Ok(self.reply("heartbeat_ack", json!({}), incoming)),
            "message" | "user_message" => self.store(incoming).map(|(_, stored)| stored),
            "chat" | "chat_message" => {
                let (id, stored) = self.store(incoming)?;
                self.reply_to_chat(id, incoming)?;
                Ok(stored)
            }
            "start_agent" | "agent_request" | "execute_agent" => self.start_agent(incoming),
            "stream_request" => self.start_stream(incoming),
            other => {
                let data = json!({ "received_type": other, "status": "ignored" });
                Ok(self.reply("ack", data, incoming))
            }
        }
    }

    fn reply(&self, kind: &str, data: Value, incoming: &Incoming) -> Message {
        frame(&self.app, kind, data, &incoming.id)
    }

    fn store(&self, incoming: &Incoming) -> Result<(String, Message), Message> {
        let thread = incoming.text("thread_id");
        let message = chat::write(&self.app, &self.user, thread, incoming.said())
            .map_err(|problem| error_frame("VALIDATION_ERROR", problem.message(), &incoming.id))?;
        let data = json!({
            "message_id": message.id,
            "thread_id": message.thread_id,
            "content": message.content,
        });
        Ok((message.id, self.reply("message_stored", data, incoming)))
    }

    fn order(&self, incoming: &Incoming) -> Result<Order, Message> {
        let agent = incoming.text("agent").unwrap_or("triage");
        let mut order = Order::new(agent, incoming.said(), Some(self.user.clone()))
            .map_err(|problem| error_frame("VALIDATION_ERROR", problem.message(), &incoming.id))?;
        order.correlation = incoming.id.clone();
        Ok(order)
    }

    fn reply_to_chat(&self, message_id: String, incoming: &Incoming) -> Result<(), Message> {
        let order = self.order(incoming)?;
        let (app, events) = (self.app.clone(), self.events.clone());
        let run = begin(&app, &order);
        self.app.tasks.spawn(async move {
            if let Some(answer) = perform(&app, &run, &order, None).await {
                let data = json!({ "message_id": message_id, "run_id": run.id, "content": answer });
                let reply = AgentEvent { name: "chat_reply", data, correlation: order.correlation };
                // The socket may have been closed meanwhile.
                let _ = events.send(reply).await;
            }
        });
        Ok(())
    }

    fn start_agent(&self, incoming: &Incoming) -> Result<Message, Message> {
        let order = self.order(incoming)?;
        let (app, events) = (self.app.clone(), self.events.clone());
        let run_id = if app.config.agent_events.faked {
            let id = new_id();
            let fake_id = id.clone();
            self.app.tasks.spawn(async move { fake(&app, &fake_id, &events).await });
            id
        } else {
            let run = begin(&app, &order);
            let id = run.id.clone();
            self.app.tasks.spawn(async move { perform(&app, &run, &order, Some(&events)).await });
            id
        };
        let data =
            json!({ "received_type": incoming.kind, "status": "accepted", "run_id": run_id });
        Ok(self.reply("ack", data, incoming))
    }

    fn start_stream(&self, incoming: &Incoming) -> Result<Message, Message> {
        let order = self.order(incoming)?;
        let (app, events) = (self.app.clone(), self.events.clone());
        let run = begin(&app, &order);
        let data =
            json!({ "received_type": incoming.kind, "status": "accepted", "run_id": run.id });
        self.app.tasks.spawn(async move {
            let Some(answer) = perform(&app, &run, &order, None).await else { return };
            let chunks = chunks_of(&answer);
            let end = json!({ "run_id": run.id, "chunks": chunks.len() });
            let parts = chunks.into_iter().enumerate().map(|(index, text)| {
                ("stream_chunk", json!({ "run_id": run.id, "index": index, "text": text }))
            });
            for (name, data) in parts.chain([("stream_end", end)]) {
                let event = AgentEvent { name, data, correlation: order.correlation.clone() };
                if events.send(event).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(app.config.chunk_ms)).await;
            }
        });
        Ok(self.reply("ack", data, incoming))
    }
}
