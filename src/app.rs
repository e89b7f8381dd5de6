//! Puts everything together: the host, logging, signals, the runtime, the exit code.
//!
//! The environment of the process is read here and nowhere else.

mod flood;
mod log;
mod own_pages;
mod signals;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{Cli, Command};
use crate::cli::settings::{self, Detail, Settings};
use crate::cli::{self, CliError, Context, Host};

/// By then a daemon has started and looked at everything once.
const STARTED: Duration = Duration::from_secs(10);
/// So often it lets go of what it needed only for a moment since.
const LET_GO_EVERY: Duration = Duration::from_secs(60);

/// Runs the program: what `main` returns.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // A supervisor is single-threaded and must not wait for anything else of ours.
    if let Some(code) = crate::process::supervisor_entry(args.iter().cloned()) {
        return exit_code(code);
    }
    set_up_memory();
    install_panic_hook();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(fault) => return usage(&fault),
    };
    if let Command::DemoService(service) = &cli.command {
        return crate::cli::demo_service(service);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(fault) => return defect(&format!("cannot start the runtime: {fault}")),
    };
    let host = host();
    // Before anything is read: whoever sends a signal need not know how far we are.
    let voice = signals::Voice::default();
    signals::watch(&runtime, &host, &cli.command, &voice);
    let console = settings::first_console(&cli.global);
    let settings = match settings_of(&cli) {
        Ok(settings) => settings,
        Err(error) => {
            console.fail(&error);
            return ExitCode::from(error.fault.code());
        }
    };
    log::start(&settings, &cli.command);
    if settings.detail > Detail::Quiet {
        let _ = voice.set(settings.console);
    }
    let code = runtime.block_on(async {
        let context = Context { settings, host };
        if matches!(cli.command, Command::Daemon(_)) {
            tokio::spawn(let_go_of_pages());
        }
        cli::dispatch(&context, &cli.command).await
    });
    // Blocking work of a cancelled command must not hold up the exit.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// A daemon waits most of the time: it keeps no memory that only its start needed, or a pass over the
/// past now and then.
async fn let_go_of_pages() {
    let mut wait = STARTED;
    loop {
        tokio::time::sleep(wait).await;
        if let Err(fault) = own_pages::let_go() {
            tracing::debug!(%fault, "pages of the program stay mapped");
            return;
        }
        wait = LET_GO_EVERY;
    }
}

fn settings_of(cli: &Cli) -> Result<Settings, CliError> {
    if cli.command.reads_settings() {
        Settings::with_file(&cli.global)
    } else {
        Settings::without_file(&cli.global)
    }
}

/// Sets the allocator of the C library up. Called before there is a second thread; other programs
/// than `andon` that use this library for large suites may call it too.
///
/// Two pools of memory for all threads: there would be one for each thread, and what one thread frees
/// is of no use to the others. And buffers of a MiB and more are always the system's own pages, given
/// back as soon as they are freed: the bound would move up to 32 MiB with the first large buffer, and
/// what is freed between small things stays with us. Together a fifth of a large run's memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)] // There is no safe way to ask for it.
pub fn set_up_memory() {
    // SAFETY: sets numbers of the allocator, before there is a second thread.
    let _are_set = unsafe {
        (libc::mallopt(libc::M_ARENA_MAX, 2), libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20))
    };
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn set_up_memory() {}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(70))
}

/// `--help` and `--version` are no faults; all else is wrong usage.
fn usage(fault: &clap::Error) -> ExitCode {
    // Printing can only fail when nobody reads.
    let _ = fault.print();
    if fault.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

#[allow(clippy::disallowed_methods)] // This is the door to the environment.
fn host() -> Host {
    Host {
        env: Arc::new(|name: &str| std::env::var(name).ok()),
        program: std::env::current_exe().unwrap_or_else(|_| "andon".into()),
        stderr_is_terminal: io::stderr().is_terminal(),
        columns: columns(),
        cancel: CancellationToken::new(),
        hangup: Arc::default(),
    }
}

/// The width of the terminal that standard output is; a terminal that does not say has 80 columns.
fn columns() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let width = rustix::termios::tcgetwinsize(out).map_or(0, |size| usize::from(size.ws_col));
    Some(if width == 0 { 80 } else { width })
}

/// A panic is a defect of ours: it says so, and nothing else.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        use std::io::Write as _;
        let place = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
        let message = panic
            .payload()
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let _ = writeln!(
            io::stderr(),
            "error: a defect in Andon{place}: {message}\n  \
             help: please report this; what was recorded is safe"
        );
        std::process::exit(70);
    }));
}

fn defect(text: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(io::stderr(), "error: {text}");
    ExitCode::from(70)
}
