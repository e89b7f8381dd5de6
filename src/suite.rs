//! Runs native cases: steps, captures, sessions, identities, retries, and the order between cases.
//!
//! What an answer means is judged by `verdict`, what is asked is sent by `probe`; here is what lies
//! between them: values for references, deadlines, the evidence of an attempt, and which case comes
//! next. Attempts are handed out as they become final; nothing here stores anything.

mod attempt;
mod check;
mod env;
mod http_step;
mod identity;
mod iteration;
mod jwt;
mod lookup;
mod runner;
mod schedule;
mod seal;
mod secrets;
mod setup;
mod sse_step;
mod ws_step;

pub use check::{Checked, check_request};
pub use env::{EnvError, EnvParts, Facts, HostEnv, Prompt, RunEnv};
pub use identity::IdentityError;
pub use lookup::{EnvLookup, shown_name};
pub use runner::{Selection, SuiteEnd, SuiteNews, SuitePlan, run_suite};
pub use secrets::{LoadedSecrets, SecretError, load_secrets};
