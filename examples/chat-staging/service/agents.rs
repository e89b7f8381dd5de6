//! Agents: they think, run one tool on the message, and answer with what it found. HTTP surface of their lifecycle.

use super::app::{App, Shared, now};
use super::auth::{Anyone, User};
use super::config::Agents;
use super::distortion::FIVE_EVENTS;
use super::error::{Body, Params, Problem};
use super::runs::{AgentEvent, Begun, RunState};
use super::tools::Tool;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

const AGENTS: [(&str, Tool); 3] = [
    ("triage", Tool::TextStatistics),
    ("data", Tool::TextStatistics),
    ("optimization", Tool::LongestWord),
];
const MAX_MESSAGE: usize = 8_192;
const CANNED: &str = "Your request was processed successfully.";

/// What an agent is asked.
pub(super) struct Order {
    agent: &'static str,
    otherwise: Tool,
    pub(super) message: String,
    pub(super) user: Option<String>,
    /// Repeated in every event, so that a client knows what it belongs to.
    pub(super) correlation: Value,
}

impl Order {
    /// An order to the agent called `agent`; refused when there is no such agent or nothing is asked.
    pub(super) fn new(agent: &str, message: &str, user: Option<String>) -> Result<Self, Problem> {
        let (agent, otherwise) = AGENTS
            .into_iter()
            .find(|(name, _)| *name == agent)
            .ok_or_else(|| Problem::unprocessable("no such agent"))?;
        if message.trim().is_empty() || message.len() > MAX_MESSAGE {
            return Err(Problem::unprocessable("message must have 1 to 8192 bytes"));
        }
        Ok(Self { agent, otherwise, message: message.to_owned(), user, correlation: Value::Null })
    }
}

/// Begins a run for `order`.
pub(super) fn begin(app: &App, order: &Order) -> Begun {
    app.runs.begin(order.agent, order.user.clone(), &app.stop)
}

/// Carries a run out and tells `events` about it. The answer, or `None` when it was cancelled.
pub(super) async fn perform(
    app: &App,
    run: &Begun,
    order: &Order,
    events: Option<&mpsc::Sender<AgentEvent>>,
) -> Option<String> {
    let answer = tokio::select! {
        answer = work(app, run, order, events) => Some(answer),
        () = run.cancel.cancelled() => None,
    };
    let state = match &answer {
        Some(response) => RunState::Completed { response: response.clone() },
        None => RunState::Cancelled,
    };
    app.runs.end(&run.id, state);
    if let Some(answer) = &answer {
        let data = json!({ "result": answer, "final_response": answer });
        emit(run, order, events, "agent_completed", data).await;
    }
    answer
}

async fn work(
    app: &App,
    run: &Begun,
    order: &Order,
    events: Option<&mpsc::Sender<AgentEvent>>,
) -> String {
    let pause = Duration::from_millis(app.config.agent_step_ms);
    let tool = Tool::for_message(&order.message, order.otherwise);
    emit(run, order, events, "agent_started", json!({})).await;
    tokio::time::sleep(pause).await;
    let reasoning = format!("The message calls for {}.", tool.name());
    emit(run, order, events, "agent_thinking", json!({ "reasoning": reasoning })).await;
    tokio::time::sleep(pause).await;
    let asked = json!({ "tool_name": tool.name(), "parameters": { "text": order.message } });
    emit(run, order, events, "tool_executing", asked).await;
    tokio::time::sleep(pause + Duration::from_secs(tool.duration_s(&order.message))).await;
    let (result, sentence) = tool.run(&order.message);
    let found = json!({ "tool_name": tool.name(), "result": result });
    emit(run, order, events, "tool_completed", found).await;
    format!("You asked: \"{}\". {sentence}", order.message)
}

async fn emit(
    run: &Begun,
    order: &Order,
    events: Option<&mpsc::Sender<AgentEvent>>,
    name: &'static str,
    mut data: Value,
) {
    let Some(events) = events else { return };
    data["run_id"] = json!(run.id);
    data["agent_name"] = json!(order.agent);
    data["user_id"] = json!(order.user);
    data["timestamp"] = json!(now());
    // A closed channel means that the reader has gone; the run goes on without it.
    let _ = events.send(AgentEvent { name, data, correlation: order.correlation.clone() }).await;
}

/// The five events as a timer sends them when `agent_events.faked` is set: no agent, no tool, no run.
pub(super) async fn fake(app: &App, run_id: &str, events: &mpsc::Sender<AgentEvent>) {
    for name in FIVE_EVENTS {
        let data = json!({ "run_id": run_id, "result": CANNED, "final_response": CANNED });
        if events.send(AgentEvent { name, data, correlation: Value::Null }).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(app.config.agent_step_ms)).await;
    }
}

#[derive(Deserialize)]
pub(super) struct Execute {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

/// `POST /api/agents/execute`.
pub(super) async fn post_execute(
    State(app): State<Shared>,
    Anyone(user): Anyone,
    Body(request): Body<Execute>,
) -> Result<Json<Value>, Problem> {
    execute(&app, &request.kind, &request.message, user).await
}

#[derive(Deserialize)]
pub(super) struct Ask {
    message: String,
}

/// `POST /api/agents/triage` and so on, a path for each agent.
pub(super) async fn post_agent(
    State(app): State<Shared>,
    agent: &'static str,
    Anyone(user): Anyone,
    Body(request): Body<Ask>,
) -> Result<Json<Value>, Problem> {
    execute(&app, agent, &request.message, user).await
}

async fn execute(
    app: &App,
    agent: &str,
    message: &str,
    user: Option<String>,
) -> Result<Json<Value>, Problem> {
    let order = Order::new(agent, message, user)?;
    match app.config.agents {
        Agents::Honest => {}
        Agents::Canned => {
            let id = super::app::new_id();
            return Ok(Json(json!({ "status": "success", "run_id": id, "response": CANNED })));
        }
        Agents::Degraded => {
            let text = "The agent service is not available; this is a fallback answer.";
            return Ok(Json(json!({ "status": "degraded", "fallback": true, "response": text })));
        }
    }
    let run = begin(app, &order);
    match perform(app, &run, &order, None).await {
        Some(response) => Ok(Json(json!({
            "status": "success",
            "agent": order.agent,
            "run_id": run.id,
            "response": response,
        }))),
        None => Ok(Json(json!({ "status": "cancelled", "run_id": run.id }))),
    }
}

#[derive(Deserialize)]
pub(super) struct Start {
    #[serde(default = "triage")]
    agent: String,
    message: String,
}

fn triage() -> String {
    "triage".into()
}

/// `POST /api/agents/start`: answers at once; the run goes on.
pub(super) async fn post_start(
    State(app): State<Shared>,
    Anyone(user): Anyone,
    Body(request): Body<Start>,
) -> Result<Json<Value>, Problem> {
    let order = Order::new(&request.agent, &request.message, user)?;
    let run = begin(&app, &order);
    let answer = json!({ "run_id": run.id, "agent": order.agent, "status": "running" });
    let tasks = app.tasks.clone();
    tasks.spawn(async move { perform(&app, &run, &order, None).await });
    Ok(Json(answer))
}

#[derive(Deserialize)]
pub(super) struct WhichRun {
    run_id: String,
}

/// `POST /api/agents/cancel` and `/stop`.
pub(super) async fn post_cancel(
    State(app): State<Shared>,
    Anyone(user): Anyone,
    Body(request): Body<WhichRun>,
) -> Result<Json<Value>, Problem> {
    let run = app.runs.cancel(&request.run_id, user.as_deref());
    run.map(Json).ok_or_else(|| Problem::not_found("no such run"))
}

#[derive(Deserialize)]
pub(super) struct MaybeRun {
    run_id: Option<String>,
}

/// `GET /api/agents/status`: of one run, or of all agents.
pub(super) async fn get_status(
    State(app): State<Shared>,
    Anyone(user): Anyone,
    Params(query): Params<MaybeRun>,
) -> Result<Json<Value>, Problem> {
    if let Some(id) = query.run_id {
        let run = app.runs.view(&id, user.as_deref());
        return run.map(Json).ok_or_else(|| Problem::not_found("no such run"));
    }
    Ok(Json(json!({
        "status": "operational",
        "agents": agent_names(),
        "active_runs": app.runs.active(),
    })))
}

pub(super) fn agent_names() -> Vec<&'static str> {
    AGENTS.iter().map(|(name, _)| *name).collect()
}

#[derive(Deserialize)]
pub(super) struct UseTool {
    tool: String,
    parameters: ToolParameters,
}

#[derive(Deserialize)]
struct ToolParameters {
    text: String,
}

/// `POST /api/tools/execute`: one tool, without an agent. The timer is for agents, which can be cancelled.
pub(super) async fn post_tool(
    User(_): User,
    Body(request): Body<UseTool>,
) -> Result<Json<Value>, Problem> {
    let tool = Tool::by_name(&request.tool)
        .filter(|tool| *tool != Tool::Timer)
        .ok_or_else(|| Problem::unprocessable("no such tool"))?;
    let (result, _) = tool.run(&request.parameters.text);
    Ok(Json(json!({ "tool": tool.name(), "status": "success", "result": result })))
}
