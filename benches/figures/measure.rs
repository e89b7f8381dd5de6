//! One process, measured from its start to its exit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// What one process cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From its start to its exit.
    pub wall: Duration,
    /// Time on a processor, its own and that of children it waited for: what a busy machine changes
    /// least.
    pub cpu: Duration,
    /// The peak of its memory, or of the largest child it waited for.
    pub peak_kib: u64,
}

/// Starts a program, waits for it, and gives back its cost and what it printed.
///
/// The exit code must be one of `expected`: a run that failed early would be quick for no reason.
pub fn run(
    program: &Path,
    args: &[&str],
    dir: &Path,
    env: &[(&str, &str)],
    expected: &[i32],
) -> Result<(Cost, String)> {
    let printed = dir.join("printed.txt");
    let stdout = std::fs::File::create(&printed)?;
    let stderr = std::fs::File::create(dir.join("complained.txt"))?;
    #[allow(clippy::disallowed_methods)] // The harness is no part of Andon.
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    command.envs(env.iter().copied());
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let (status, usage) = wait(child.id())?;
    let wall = started.elapsed();
    if !status.is_some_and(|code| expected.contains(&code)) {
        let complained = std::fs::read_to_string(dir.join("complained.txt"))?;
        let end = complained.lines().rev().take(12).collect::<Vec<_>>();
        let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
        bail!("{} {} ended with {status:?}:\n{end}", program.display(), args.join(" "));
    }
    let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
    let peak_kib = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    Ok((Cost { wall, cpu, peak_kib }, std::fs::read_to_string(&printed)?))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

/// Waits for a child; its exit code unless a signal ended it, and what it cost.
///
/// The standard library waits without asking what the child cost.
#[allow(unsafe_code)]
fn wait(pid: u32) -> Result<(Option<i32>, libc::rusage)> {
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which zeroes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = libc::pid_t::try_from(pid).context("a pid is positive")?;
    // SAFETY: both pointers are to locals that outlive the call. Nobody else waits for this child:
    // its handle is dropped unused.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    if waited != pid {
        bail!("cannot wait for {pid}: {}", std::io::Error::last_os_error());
    }
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    Ok((code, usage))
}
