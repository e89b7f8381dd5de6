//! Signals: which of them ask for an end, which for another look at files, and what is said then.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Host;
use crate::cli::args::Command;
use crate::cli::console::Console;

/// The voice of the process, once it is known.
pub(super) type Voice = Arc<OnceLock<Console>>;

/// The first signal asks for an orderly end, and says what that is; the second ends the process at once:
/// whatever it was doing is taken up by the next one, or ended behind it. A terminal that hangs up asks once,
/// however often it does: a shell and the kernel both tell. A daemon reads its files again then. All of them
/// count from the moment that this returns.
pub(super) fn watch(runtime: &Runtime, host: &Host, command: &Command, voice: &Voice) {
    let _within = runtime.enter();
    // A file that grows beyond `ulimit -f` is an error of the write, which says which file it is. Handled,
    // not ignored: what is ignored stays so in the programs that a deploy starts.
    drop(listen_for(SignalKind::from_raw(libc::SIGXFSZ)));
    let is_daemon = matches!(command, Command::Daemon(_));
    if is_daemon && let Some(mut signals) = listen_for(SignalKind::hangup()) {
        let hangup = Arc::clone(&host.hangup);
        runtime.spawn(async move {
            while signals.recv().await.is_some() {
                hangup.notify_one();
            }
        });
    }
    let word = command.word_at_the_end();
    let mut asks = vec![(SignalKind::interrupt(), true), (SignalKind::terminate(), true)];
    // Whoever started us with `nohup` wants no end for a terminal that closes; what has nothing to bring to
    // an end goes with its terminal.
    if !is_daemon && word.is_some() && !is_ignored(SignalKind::hangup()) {
        asks.push((SignalKind::hangup(), false));
    }
    // Whether a person, or whoever manages us, asked before: a terminal that closes is no asking twice.
    let was_asked = Arc::new(AtomicBool::new(false));
    for (kind, insists) in asks {
        let Some(mut signals) = listen_for(kind) else { continue };
        let (cancel, voice) = (host.cancel.clone(), Arc::clone(voice));
        let was_asked = Arc::clone(&was_asked);
        runtime.spawn(async move {
            while signals.recv().await.is_some() {
                if insists && was_asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(4);
                }
                if cancel.is_cancelled() {
                    continue;
                }
                cancel.cancel();
                // Beside: whoever reads it may not read on, and that holds up no end and no second signal.
                let voice = Arc::clone(&voice);
                drop(tokio::task::spawn_blocking(move || {
                    if let (Some(word), Some(console)) = (word, voice.get()) {
                        console.say_of("ending", word);
                    }
                }));
            }
        });
    }
}

/// Whether whoever started this process had it ignore a signal.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, kind.as_raw_value())
}

/// By `SigIgn` of a process's status, a mask in which the lowest bit is signal 1.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// From now on the signal does not end the process.
fn listen_for(kind: SignalKind) -> Option<Signal> {
    use std::io::Write as _;
    let listening = signal(kind);
    if let Err(fault) = &listening {
        // The log does not stand yet.
        let number = kind.as_raw_value();
        let _ =
            writeln!(io::stderr(), "warning: signal {number} ends this process at once: {fault}");
    }
    listening.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_says_what_is_ignored() {
        let status = "Name:\tandon\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        let ignored: Vec<i32> = (1..=15).filter(|signal| ignores(status, *signal)).collect();
        assert_eq!(ignored, [1, 13]);
        assert!(!ignores("", 1));
    }
}
