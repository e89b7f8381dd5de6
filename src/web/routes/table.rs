//! The table itself.

use futures_util::future::BoxFuture;

use super::{Audience, Content, Method, Parameter, Place, Route};
use crate::pipeline::Role;
use crate::report::CycleJson;
use crate::web::access::Need;
use crate::web::api::{acting, acts, cycles, logs, pipelines};
use crate::web::call::{Answer, Call};
use crate::web::forms::{
    ActsForm, CancelForm, CaseForm, CommitsForm, CyclesForm, DoneForm, EventsForm, HookForm,
    InvestigationsForm, LogsForm, PipelineForm, PipelinesForm, ResumeForm, StartForm, StartedForm,
    StatusForm,
};
use crate::web::{badge, health, hooks, live, metrics, openapi, pages};

const LIMIT: Parameter = Parameter {
    name: "limit",
    place: Place::Query,
    kind: "integer",
    says: "at most so many, newest first (at most 1000)",
};
const AFTER: Parameter = Parameter {
    name: "after",
    place: Place::Query,
    kind: "integer",
    says: "only events with a greater `seq`",
};
const OF_PIPELINE: Parameter = Parameter {
    name: "pipeline",
    place: Place::Query,
    kind: "string",
    says: "only events of this pipeline",
};
const OF_CYCLE: Parameter = Parameter {
    name: "cycle",
    place: Place::Query,
    kind: "integer",
    says: "only events of this cycle of the pipeline: first those in the ledger, then live, to its end",
};
const LAST_EVENT_ID: Parameter = Parameter {
    name: "Last-Event-ID",
    place: Place::Header,
    kind: "string",
    says: "the `id` of the last event that was received: the rest of its cycle is repeated first",
};
const BEFORE: Parameter = Parameter {
    name: "before",
    place: Place::Query,
    kind: "integer",
    says: "only those with a smaller `id`",
};
const RANGE: Parameter = Parameter {
    name: "Range",
    place: Place::Header,
    kind: "string",
    says: "`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`",
};
const KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    place: Place::Header,
    kind: "string",
    says: "a request with the same key starts nothing again and gets the first one's answer",
};
const STREAM: &[Parameter] = &[OF_PIPELINE, OF_CYCLE, AFTER, LAST_EVENT_ID];

/// A route that looks and answers JSON.
const fn look(
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answer: Content,
    handler: fn(Call) -> BoxFuture<'static, Answer>,
) -> Route {
    Route {
        method: Method::Get,
        path,
        audience: Audience::Programs,
        need: Need::Role(Role::Read),
        operation,
        summary,
        parameters,
        request: Content::Nothing,
        status: 200,
        answer,
        handler,
    }
}

/// A route that changes something.
const fn act(
    role: Role,
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    forms: (Content, Content),
    handler: fn(Call) -> BoxFuture<'static, Answer>,
) -> Route {
    Route {
        method: Method::Post,
        path,
        audience: Audience::Programs,
        need: Need::Role(role),
        operation,
        summary,
        parameters: &[],
        request: forms.0,
        status: 202,
        answer: forms.1,
        handler,
    }
}

/// A hook of a forge.
const fn hook(
    path: &'static str,
    operation: &'static str,
    handler: fn(Call) -> BoxFuture<'static, Answer>,
) -> Route {
    Route {
        method: Method::Post,
        path,
        audience: Audience::Programs,
        need: Need::Signature,
        operation,
        summary: "Look at the remote now; the body is signed with a secret of `webhooks`",
        parameters: &[],
        request: Content::Other("application/json"),
        status: 202,
        answer: Content::Json(|schemas| schemas.subschema_for::<HookForm>()),
        handler,
    }
}

/// A route that tells nothing worth a guard.
const fn open(
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    kind: &'static str,
    handler: fn(Call) -> BoxFuture<'static, Answer>,
) -> Route {
    Route {
        need: Need::Nothing,
        ..look(path, operation, summary, &[], Content::Other(kind), handler)
    }
}

/// A page.
const fn page(
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    handler: fn(Call) -> BoxFuture<'static, Answer>,
) -> Route {
    Route {
        audience: Audience::People,
        ..look(path, operation, summary, &[], Content::Other("text/html"), handler)
    }
}

/// What a form of a page sends; it answers with the page to go on with.
const fn sent(
    need: Need,
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    handler: fn(Call) -> BoxFuture<'static, Answer>,
) -> Route {
    Route {
        method: Method::Post,
        path,
        audience: Audience::People,
        need,
        operation,
        summary,
        parameters: &[],
        request: Content::Other("application/x-www-form-urlencoded"),
        status: 303,
        answer: Content::Nothing,
        handler,
    }
}

macro_rules! form {
    ($form:ty) => {
        Content::Json(|schemas| schemas.subschema_for::<$form>())
    };
}

macro_rules! to {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

pub(super) static ROUTES: &[Route] = &[
    page("/", "pageOfAll", "Every pipeline at a glance", to!(pages::overview::page)),
    page(
        "/pipelines/{pipeline}",
        "pageOfPipeline",
        "A pipeline: what it does now, its cases by cycle, cycles, investigations, commits",
        to!(pages::pipeline::page),
    ),
    Route {
        answer: Content::Other("application/json"),
        ..page(
            "/pipelines/{pipeline}/grid.json",
            "gridOfPipeline",
            "Cases by cycle, for the script of the pipeline's page",
            to!(pages::grid::data),
        )
    },
    page(
        "/pipelines/{pipeline}/cycles/{cycle}",
        "pageOfCycle",
        "A cycle, live while it runs",
        to!(pages::cycle::page),
    ),
    page(
        "/pipelines/{pipeline}/cycles/{cycle}/rows",
        "rowsOfCycle",
        "The cases of a cycle that turned while a page shows it, for its script",
        to!(pages::cases::turned),
    ),
    page(
        "/pipelines/{pipeline}/cycles/{cycle}/report",
        "pageOfReport",
        "The report of a cycle, rendered",
        to!(pages::report::page),
    ),
    Route {
        answer: Content::Other("text/markdown"),
        ..page(
            "/pipelines/{pipeline}/cycles/{cycle}/report.md",
            "markdownOfReport",
            "The report of a cycle as Markdown",
            to!(pages::report::markdown),
        )
    },
    Route {
        answer: Content::Other("image/svg+xml"),
        ..page(
            "/pipelines/{pipeline}/cycles/{cycle}/trend.svg",
            "trendOfReport",
            "The trend up to a cycle, as a picture",
            to!(pages::report::picture),
        )
    },
    page(
        "/pipelines/{pipeline}/investigations/{investigation}",
        "pageOfInvestigation",
        "Five whys, rendered, with who edited them here",
        to!(pages::investigation::page),
    ),
    Route {
        answer: Content::Other("text/markdown"),
        ..page(
            "/pipelines/{pipeline}/investigations/{investigation}/document.md",
            "markdownOfInvestigation",
            "Five whys as Markdown",
            to!(pages::investigation::markdown),
        )
    },
    Route {
        need: Need::Role(Role::Trigger),
        ..page(
            "/pipelines/{pipeline}/investigations/{investigation}/edit",
            "pageOfEdit",
            "Five whys, to be edited",
            to!(pages::editing::page),
        )
    },
    page(
        "/pipelines/{pipeline}/cycles/{cycle}/logs/{log}",
        "pageOfLog",
        "A log, followed while it is written",
        to!(pages::log::page),
    ),
    page(
        "/pipelines/{pipeline}/cycles/{cycle}/cases/{*case}",
        "pageOfEvidence",
        "What each attempt of a case saw in a cycle: requests, answers, frames and events",
        to!(pages::evidence::page),
    ),
    page(
        "/pipelines/{pipeline}/cases/{*case}",
        "pageOfCase",
        "The history of a case",
        to!(pages::case::page),
    ),
    Route {
        need: Need::Role(Role::Admin),
        ..page("/audit", "pageOfActs", "Who had what done, newest first", to!(pages::audit::page))
    },
    open(
        "/assets/{file}",
        "asset",
        "What the pages are dressed with",
        "text/css",
        to!(pages::assets::serve),
    ),
    Route {
        need: Need::Login,
        ..page("/login", "pageOfLogin", "Asks for a token", to!(pages::login::page))
    },
    sent(Need::Login, "/login", "login", "Opens a session with a token", to!(pages::login::login)),
    sent(
        Need::Role(Role::Read),
        "/logout",
        "logout",
        "Ends the session",
        to!(pages::login::logout),
    ),
    sent(
        Need::Role(Role::Trigger),
        "/pipelines/{pipeline}/trigger",
        "sendStart",
        "Asks for a cycle",
        to!(pages::acting::start),
    ),
    sent(
        Need::Role(Role::Trigger),
        "/pipelines/{pipeline}/cycles/{cycle}/rerun",
        "sendRerun",
        "Asks for the failing cases of a cycle again, without a deploy",
        to!(pages::acting::rerun),
    ),
    sent(
        Need::Role(Role::Trigger),
        "/pipelines/{pipeline}/investigations/{investigation}/edit",
        "sendEdit",
        "Saves an edit of five whys, with what others changed meanwhile",
        to!(pages::editing::send),
    ),
    sent(
        Need::Role(Role::Trigger),
        "/pipelines/{pipeline}/investigations/{investigation}/merge",
        "sendMerge",
        "Saves what a person decided where two edits clash",
        to!(pages::editing::decide),
    ),
    sent(
        Need::Role(Role::Trigger),
        "/pipelines/{pipeline}/investigations/{investigation}/close",
        "sendClose",
        "Closes an investigation, in the words of a person",
        to!(pages::editing::close),
    ),
    sent(
        Need::Role(Role::Admin),
        "/pipelines/{pipeline}/cycles/{cycle}/cancel",
        "sendCancel",
        "Ends a cycle",
        to!(pages::acting::cancel),
    ),
    sent(
        Need::Role(Role::Admin),
        "/pipelines/{pipeline}/cycles/{cycle}/resume",
        "sendResume",
        "Says how a held cycle goes on",
        to!(pages::acting::resume),
    ),
    sent(
        Need::Role(Role::Admin),
        "/pipelines/{pipeline}/triggers/{trigger}/cancel",
        "sendDrop",
        "Has a trigger that waits start nothing",
        to!(pages::acting::drop_trigger),
    ),
    open("/healthz", "healthz", "Whether the process answers", "text/plain", to!(health::healthz)),
    open("/readyz", "readyz", "Whether it can do its work", "text/plain", to!(health::readyz)),
    open(
        "/badge/{file}",
        "badge",
        "The newest verdict, as a picture",
        "image/svg+xml",
        to!(badge::badge),
    ),
    open(
        "/api/v1/openapi.json",
        "openapi",
        "This document",
        "application/json",
        to!(openapi::serve),
    ),
    look(
        "/metrics",
        "metrics",
        "Figures for Prometheus",
        &[],
        Content::Other("text/plain"),
        to!(metrics::serve),
    ),
    look(
        "/api/v1/status",
        "getStatus",
        "What the daemon and every pipeline do now",
        &[],
        form!(StatusForm),
        to!(pipelines::status),
    ),
    Route {
        need: Need::Role(Role::Admin),
        ..look(
            "/api/v1/acts",
            "listActs",
            "Who had the daemon do what",
            &[BEFORE, LIMIT],
            form!(ActsForm),
            to!(acts::list),
        )
    },
    look(
        "/api/v1/events",
        "streamEvents",
        "Events of cycles as they become durable, as server-sent events",
        STREAM,
        Content::Other("text/event-stream"),
        to!(live::events),
    ),
    Route {
        status: 101,
        ..look(
            "/api/v1/events/ws",
            "socketEvents",
            "The same over a WebSocket, an object a message",
            STREAM,
            Content::Nothing,
            to!(live::socket),
        )
    },
    look(
        "/api/v1/pipelines",
        "listPipelines",
        "Every pipeline that is served",
        &[],
        form!(PipelinesForm),
        to!(pipelines::list),
    ),
    look(
        "/api/v1/pipelines/{pipeline}",
        "getPipeline",
        "A pipeline, and what it does now",
        &[],
        form!(PipelineForm),
        to!(pipelines::one),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/cycles",
        "listCycles",
        "Its cycles",
        &[LIMIT],
        form!(CyclesForm),
        to!(cycles::list),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/cycles/{cycle}",
        "getCycle",
        "A cycle: a number, `latest`, or `finished` for the newest that is over",
        &[],
        form!(CycleJson<'static>),
        to!(cycles::one),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/cycles/{cycle}/events",
        "listEvents",
        "Its events, from the ledger",
        &[AFTER, LIMIT],
        form!(EventsForm),
        to!(cycles::events),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/cycles/{cycle}/logs",
        "listLogs",
        "What its deploy steps wrote",
        &[],
        form!(LogsForm),
        to!(logs::list),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/cycles/{cycle}/logs/{log}",
        "getLog",
        "A log, whole or in ranges, while it is written too",
        &[RANGE],
        Content::Other("text/plain"),
        to!(logs::one),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/cases/{*case}",
        "getCase",
        "The history of a case",
        &[LIMIT],
        form!(CaseForm),
        to!(pipelines::case),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/commits",
        "listCommits",
        "Every commit seen, and what became of it",
        &[LIMIT],
        form!(CommitsForm),
        to!(pipelines::commits),
    ),
    look(
        "/api/v1/pipelines/{pipeline}/investigations",
        "listInvestigations",
        "Its investigations",
        &[],
        form!(InvestigationsForm),
        to!(pipelines::investigations),
    ),
    Route {
        parameters: &[KEY],
        ..act(
            Role::Trigger,
            "/api/v1/pipelines/{pipeline}/trigger",
            "startCycle",
            "Ask for a cycle; answered once the trigger is durable",
            (form!(StartForm), form!(StartedForm)),
            to!(acting::start),
        )
    },
    act(
        Role::Admin,
        "/api/v1/pipelines/{pipeline}/triggers/{trigger}/cancel",
        "cancelTrigger",
        "Have a trigger that waits start nothing",
        (form!(CancelForm), form!(DoneForm)),
        to!(acting::cancel_trigger),
    ),
    act(
        Role::Admin,
        "/api/v1/pipelines/{pipeline}/cycles/{cycle}/cancel",
        "cancelCycle",
        "Have a running cycle come to a safe point and end",
        (form!(CancelForm), form!(DoneForm)),
        to!(acting::cancel_cycle),
    ),
    act(
        Role::Admin,
        "/api/v1/pipelines/{pipeline}/cycles/{cycle}/resume",
        "resumeCycle",
        "Say how a held cycle goes on",
        (form!(ResumeForm), form!(DoneForm)),
        to!(acting::resume),
    ),
    hook("/hooks/{forge}", "hook", to!(hooks::receive)),
    hook("/hooks/{forge}/{pipeline}", "hookOfPipeline", to!(hooks::receive)),
];
