//! The command line: one module a command, each from typed arguments to a status.
//!
//! Commands print data on standard output and everything else on standard error. They decide
//! nothing about cycles: they ask the store, the engine and the report.

pub mod args;
mod backup;
mod cancel;
mod check;
mod commits;
mod compare;
pub mod console;
mod context;
mod culprit;
mod daemon;
mod demo;
mod diff;
mod doctor;
mod error;
mod history;
mod ingest;
mod logs;
mod output;
mod probe;
mod progress;
mod prove;
mod prune;
mod remote;
mod report;
mod results;
mod resume;
mod run;
mod schema;
pub mod settings;
mod show;
mod status;
mod suggest;
mod tell;
mod trigger;
mod whys;

pub use context::{Context, Host, HostEnv};
pub use demo::demo_service;
pub use error::{CliError, CliResult, Fault, Status};

use args::Command;

/// Runs a command and gives back the exit code of SPEC section 4.
pub async fn dispatch(context: &Context, command: &Command) -> u8 {
    match perform(context, command).await {
        Ok(status) => status.code(),
        Err(error) => {
            context.settings.console.fail(&error);
            error.fault.code()
        }
    }
}

async fn perform(context: &Context, command: &Command) -> CliResult {
    match command {
        Command::Run(args) => run::run(context, args).await,
        Command::Daemon(args) => daemon::daemon(context, args).await,
        Command::Status(args) => status::status(context, args).await,
        Command::Commits(args) => commits::commits(context, args).await,
        Command::Trigger(args) => trigger::trigger(context, args).await,
        Command::Cancel(args) => cancel::cancel(context, args).await,
        Command::Check(args) => check::check(context, args),
        Command::Prove(args) => prove::prove(context, args).await,
        Command::Show(args) => show::show(context, args).await,
        Command::Cycles(args) => history::cycles(context, args).await,
        Command::Case(args) => history::case(context, args).await,
        Command::Diff(args) => diff::diff(context, args).await,
        Command::Culprit(args) => culprit::culprit(context, args).await,
        Command::Report(args) => report::report(context, args).await,
        Command::List(args) => history::list(context, args).await,
        Command::Logs(args) => logs::logs(context, args).await,
        Command::Whys(args) => whys::whys(context, args).await,
        Command::Probe(args) => probe::probe(context, args).await,
        Command::Resume(args) => resume::resume(context, args).await,
        Command::Ingest(args) => ingest::ingest(context, args),
        Command::Compare(args) => compare::compare(context, args),
        Command::Schema(args) => schema::schema(context, args),
        Command::Backup(args) => backup::backup(context, args).await,
        Command::Prune(args) => prune::prune(context, args).await,
        Command::Doctor(args) => doctor::doctor(context, args).await,
        Command::Demo(args) => demo::demo(context, args).await,
        Command::Completions(args) => schema::completions(context, args),
        Command::Man => schema::man(context),
        Command::DemoService(_) => unreachable!("`app` runs the service before any runtime exists"),
    }
}
