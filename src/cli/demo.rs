//! `demo`: the whole loop on a bundled staging service, from nothing, with the code of `andon run`.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::args::{DemoArgs, DemoServiceArgs, RunArgs};
use super::context::{Context, HostEnv, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{bold, dim};
use super::run;
use super::settings::Settings;
use crate::demo::{self, Commit, DemoError, Layout, chat_staging};
use crate::engine::{Clock as _, SystemClock};

/// `andon demo-service`: what the demo's deploy script starts. Has a runtime of its own.
pub fn demo_service(args: &DemoServiceArgs) -> ExitCode {
    chat_staging::main_with_args(args.args.iter().cloned())
}

/// `andon demo`
pub async fn demo(context: &Context, args: &DemoArgs) -> CliResult {
    let history = demo::history().map_err(CliError::defect)?;
    let listen = free_address()?;
    let control = Control::start().await?;
    let layout = lay_out(context, args, &listen, &control.address)?;
    context.note(&format!(
        "The demo lives in {}. It makes commits, and after each it runs the loop.\n",
        layout.dir().display()
    ));
    let told = tell_story(context, &layout, &history).await;
    stop_service(&layout.pid_file());
    control.stop().await;
    match told? {
        Status::Cancelled => Ok(Status::Cancelled),
        Status::Green | Status::NotGreen | Status::NotDeployed => summarise(context, &layout),
    }
}

fn lay_out(
    context: &Context,
    args: &DemoArgs,
    listen: &str,
    control: &str,
) -> Result<Layout, CliError> {
    demo::create(&args.dir, &context.host.program, listen, control).map_err(|fault| match fault {
        DemoError::NotEmpty(_) => {
            CliError::usage(fault).hint("name another folder: `andon demo DIR`")
        }
        DemoError::Write { .. } => CliError::usage(fault),
        DemoError::Git(_) | DemoError::History(_) => CliError::defect(fault),
    })
}

/// Commits one story after another, and runs a cycle where the history says so.
async fn tell_story(context: &Context, layout: &Layout, history: &[Commit]) -> CliResult {
    std::env::set_current_dir(layout.dir())
        .context("cannot enter the demo's folder")
        .map_err(CliError::usage)?;
    let inner = Context {
        settings: Settings {
            state: layout.dir().join(".andon"),
            database: None,
            ..context.settings.clone()
        },
        host: context.host.clone(),
    };
    let host = with_variables(layout, &context.host.env);
    let first_at = SystemClock.now().as_second() - 3600 * history.len() as i64;
    for (position, commit) in (0..).zip(history) {
        layout.commit(commit, first_at + 3600 * position).map_err(CliError::usage)?;
        context.note(&format!(
            "{} {} {}",
            dim("   commit"),
            bold(&commit.subject),
            dim(&format!("({})", commit.author))
        ));
        if !commit.cycle {
            continue;
        }
        let args = RunArgs {
            pipeline: layout.pipeline(),
            revision: None,
            cycles: 1,
            no_deploy: false,
            only: None,
            json: false,
        };
        let pipeline = inner.load(&args.pipeline)?;
        let status = run::run_with(&inner, &args, pipeline, Arc::clone(&host)).await?;
        if status == Status::Cancelled {
            return Ok(status);
        }
        context.note("");
    }
    Ok(Status::Green)
}

fn with_variables(layout: &Layout, outer: &HostEnv) -> HostEnv {
    let own: Vec<(&'static str, String)> = layout.environment().to_vec();
    let outer = Arc::clone(outer);
    Arc::new(move |name: &str| {
        let ours = own.iter().find(|(known, _)| *known == name);
        ours.map(|(_, value)| value.clone()).or_else(|| outer(name))
    })
}

fn summarise(context: &Context, layout: &Layout) -> CliResult {
    let dir = layout.dir().display();
    let mut out = context.out();
    for line in [
        format!("reports: {dir}/reports/chat-staging/README.md"),
        format!("first:   {dir}/reports/chat-staging/cycle-0002.md: authentication broke"),
        format!("again:   change {dir}/chat, commit, then {dir}/again.sh; its service serves on"),
        format!("stop:    {dir}/stop.sh ends that service; the one of this demo has ended"),
    ] {
        out.line(line).map_err(printing)?;
    }
    Ok(Status::Green)
}

/// A free address of this machine. It is free again once this returns; the service takes it soon.
fn free_address() -> Result<String, CliError> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .context("no free port on this machine")
        .map_err(CliError::usage)?;
    let address =
        listener.local_addr().context("no free port on this machine").map_err(CliError::usage)?;
    Ok(address.to_string())
}

/// Another server on this machine, which no deploy touches: the control of the demo's pipeline.
struct Control {
    address: String,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

impl Control {
    async fn start() -> Result<Self, CliError> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot listen on this machine")
            .map_err(CliError::usage)?;
        let address = listener
            .local_addr()
            .context("cannot listen on this machine")
            .map_err(CliError::usage)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            // Whoever drops the sender wants the end too.
            let _ = stopped.await;
        };
        let task =
            tokio::spawn(chat_staging::serve(listener, chat_staging::Config::default(), shutdown));
        Ok(Self { address: address.to_string(), stop, task })
    }

    async fn stop(self) {
        // A server that ended before is stopped all the same.
        let _ = self.stop.send(());
        match tokio::time::timeout(std::time::Duration::from_secs(5), self.task).await {
            Ok(Ok(Ok(()))) => {}
            other => tracing::warn!(?other, "the control server did not end well"),
        }
    }
}

/// Ends the staging service that the last deploy left running.
fn stop_service(pid_file: &Path) {
    let pid = std::fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse().ok());
    let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { return };
    if let Err(fault) = rustix::process::kill_process(pid, rustix::process::Signal::TERM) {
        tracing::warn!(%fault, "cannot end the staging service");
    }
}
