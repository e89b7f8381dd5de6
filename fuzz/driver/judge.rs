//! Judges inputs: what a check says of one, its time and its memory. One that fails is saved.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::body;
use crate::memory::peak_of;
use crate::seeds::Target;

/// More time of the processor for one input is a hang; inputs have less than 1 MiB.
const SLOW: Duration = Duration::from_secs(1);
/// An input that is still read after so long is given up, and the driver ends.
const HUNG: Duration = Duration::from_secs(30);
/// What a reader may need whatever it reads, and for each byte: a long token is held as a whole, decoded, a few times.
const MEMORY: usize = 4 << 20;
const MEMORY_PER_BYTE: usize = 32;

pub struct Judge {
    target: Target,
    worst: Worst,
    running: Arc<Running>,
}

/// The input that is read just now, and since when.
type Running = Mutex<Option<(Instant, Vec<u8>)>>;

/// What the worst inputs took.
#[derive(Default, Clone, Copy)]
pub struct Worst {
    time: Duration,
    memory: usize,
}

impl Judge {
    pub fn new(target: &Target) -> Self {
        let running = Arc::default();
        let watched = Arc::downgrade(&running);
        let name = target.name;
        thread::spawn(move || watch(name, &watched));
        Self { target: *target, worst: Worst::default(), running }
    }

    pub fn worst(&self) -> Worst {
        self.worst
    }

    /// Reads one input; a failure says what does not hold, and where the input is.
    pub fn judge(&mut self, bytes: &[u8]) -> Result<(), String> {
        *self.running.lock().unwrap() = Some((Instant::now(), bytes.to_vec()));
        let (took, memory, checked) = self.measure(bytes);
        *self.running.lock().unwrap() = None;
        self.worst.time = self.worst.time.max(took);
        self.worst.memory = self.worst.memory.max(memory);
        let most = MEMORY + bytes.len() * MEMORY_PER_BYTE;
        let fault = match checked {
            Err(fault) => fault,
            Ok(()) if took > SLOW => format!("takes {took:?} for {} bytes", bytes.len()),
            Ok(()) if memory > most => format!("needs {memory} bytes for {}", bytes.len()),
            Ok(()) => return Ok(()),
        };
        Err(format!("{fault}: {}", save(self.target.name, bytes).display()))
    }

    fn measure(&self, bytes: &[u8]) -> (Duration, usize, Result<(), String>) {
        let before = processor_time();
        let check = AssertUnwindSafe(|| body::check(self.target.format, bytes));
        let (checked, memory) = peak_of(|| catch_unwind(check));
        let took = processor_time().saturating_sub(before);
        let checked = checked.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic").to_owned()
        });
        (took, memory, checked)
    }
}

/// Ends the driver where an input is never done.
fn watch(target: &str, watched: &Weak<Running>) {
    while let Some(running) = watched.upgrade() {
        let hung = running.lock().unwrap().take_if(|(since, _)| since.elapsed() > HUNG);
        if let Some((_, bytes)) = hung {
            println!("{target:<10} FAILED: hangs: {}", save(target, &bytes).display());
            std::process::exit(1);
        }
        drop(running);
        thread::sleep(Duration::from_millis(500));
    }
}

/// The time of this thread only: a busy machine makes no input slow.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
}

/// Puts an input where it can be read again.
fn save(target: &str, bytes: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/artifacts").join(target);
    let file = folder.join(format!("crash-{:016x}", hasher.finish()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&file, bytes).unwrap();
    file
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} ms, {} KiB", self.time.as_millis(), self.memory >> 10)
    }
}
