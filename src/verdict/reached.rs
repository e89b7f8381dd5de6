//! What a proxy saw, told apart by case; and passes of a suite command that look too good.
//!
//! A tool that says when each case ran lets connections be told apart where only one case ran at the
//! time. What cannot be told apart is left so: an absence is claimed only where everything was seen.
//!
//! What it must not do: make a doubt a failure. Not every client goes through a proxy.

use jiff::{SignedDuration, Timestamp};

use crate::domain::findings::Suspicious;
use crate::domain::hosts::HostList;
use crate::domain::names::CaseId;
use crate::domain::observed::{ConnectionSeen, Observed, Span};

mod intervals;

use intervals::{Cover, Running};

/// Clocks and buffers blur a case's ends by so much.
const BLUR: SignedDuration = SignedDuration::from_millis(100);

/// Fewer cases than this may well take as long as the last time.
const FEW: usize = 5;

/// When so many of a hundred durations are those of the last run, the results are.
const SAME_PERCENT: usize = 90;

/// A case as a suite command reported it.
#[derive(Debug, Clone, Copy)]
pub struct ReportedRun<'a> {
    /// The case.
    pub case: &'a CaseId,
    /// Whether it passed.
    pub passed: bool,
    /// When it began, where the tool says so.
    pub began_at: Option<Timestamp>,
    /// How long it took, in milliseconds with their fraction, where the tool says so.
    pub took_ms: Option<f64>,
    /// How long it took in the run before.
    pub took_ms_before: Option<f64>,
}

impl ReportedRun<'_> {
    /// From its beginning to its end, where both are known.
    fn span(&self) -> Option<Span> {
        let (from, took) = (self.began_at?, self.took_ms?);
        let took = SignedDuration::try_from_secs_f64(took / 1e3).ok()?;
        Some(Span { from, to: from.checked_add(took).ok()? })
    }
}

/// What one case is known to have used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseTraffic<'a> {
    /// The case.
    pub case: &'a CaseId,
    /// Connections that moved bytes while it ran and no other case did. A connection that is kept for
    /// several cases counts for each.
    pub connections: u32,
    /// Bytes to the hosts over connections that no other case used.
    pub bytes_sent: u64,
    /// Bytes from them.
    pub bytes_received: u64,
}

/// Which case used which connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attribution<'a> {
    /// The cases that connections could be given to, in the order of the cases.
    pub cases: Vec<CaseTraffic<'a>>,
    /// Connections that could not be given to any case.
    pub unattributed: u64,
}

/// Gives connections to the cases that alone can have used them.
pub fn attribute<'a>(cases: &[ReportedRun<'a>], observed: &Observed) -> Attribution<'a> {
    let blur = blur(cases);
    let running =
        Running::new(cases.iter().map(|case| case.span().map(|span| widened(span, blur))));
    let mut traffic: Vec<CaseTraffic<'a>> = cases
        .iter()
        .map(|case| CaseTraffic {
            case: case.case,
            connections: 0,
            bytes_sent: 0,
            bytes_received: 0,
        })
        .collect();
    let mut unattributed = observed.more_connections;
    for connection in &observed.connections {
        let used_by: Vec<Option<usize>> =
            spans(connection).map(|span| running.only_one_at(span)).collect();
        let mut known: Vec<usize> = used_by.iter().copied().flatten().collect();
        known.sort_unstable();
        known.dedup();
        match known.as_slice() {
            [] => unattributed += 1,
            [only] if used_by.iter().all(Option::is_some) => {
                traffic[*only].bytes_sent += connection.bytes_sent;
                traffic[*only].bytes_received += connection.bytes_received;
            }
            _ => {}
        }
        known.into_iter().for_each(|at| traffic[at].connections += 1);
    }
    traffic.retain(|case| case.connections > 0);
    Attribution { cases: traffic, unattributed }
}

/// The passes of a command that look too good. `environment` are the hosts of what is tested; `None`:
/// any. Without `observed`, only durations speak.
pub fn doubt_passes(
    cases: &[ReportedRun<'_>],
    observed: Option<&Observed>,
    environment: Option<&HostList>,
) -> Vec<Suspicious> {
    let absence = observed.map(|observed| Absence::new(cases, observed, environment));
    let repeated = Repeated::new(cases);
    let doubt = |case: &ReportedRun<'_>| {
        let took = case.took_ms;
        let unreached = absence.as_ref().and_then(|absence| absence.of(case));
        let why = match (unreached, took) {
            (Some(what), Some(took)) => format!("passed in {} ms with {what}", shown(took)),
            (Some(what), None) => format!("passed with {what}"),
            (None, Some(0.0)) => "passed in 0 ms".to_owned(),
            (None, _) => repeated.of(case)?,
        };
        Some(Suspicious { case: case.case.clone(), why })
    };
    cases.iter().filter(|case| case.passed).filter_map(doubt).collect()
}

/// Where no connection to the environment was.
struct Absence {
    /// Nothing of the whole run reached it.
    whole: bool,
    /// When something did; `None` where not all of it is known.
    cover: Option<Cover>,
    blur: SignedDuration,
}

impl Absence {
    fn new(cases: &[ReportedRun<'_>], observed: &Observed, environment: Option<&HostList>) -> Self {
        let counts = |host: &str| environment.is_none_or(|list| allows(list, host));
        let reached =
            observed.hosts.iter().any(|host| host.totals.connections > 0 && counts(&host.host));
        let whole = !reached && observed.other_hosts.connections == 0;
        let connections = || observed.connections.iter().filter(|seen| counts(&seen.host));
        let complete = observed.more_connections == 0;
        let cover = complete.then(|| Cover::new(connections().flat_map(spans)));
        Self { whole, cover, blur: blur(cases) }
    }

    fn of(&self, case: &ReportedRun<'_>) -> Option<&'static str> {
        if self.whole {
            return Some("no connection of the command to the environment");
        }
        let span = widened(case.span()?, self.blur);
        let cover = self.cover.as_ref()?;
        (!cover.meets(span)).then_some("no connection to the environment while it ran")
    }
}

/// When something of a connection happened: that it was asked for, and that bytes moved.
fn spans(connection: &ConnectionSeen) -> impl Iterator<Item = Span> {
    let asked = Span { from: connection.began_at, to: connection.began_at };
    std::iter::once(asked).chain(connection.active.iter().copied())
}

fn allows(list: &HostList, host: &str) -> bool {
    let Some((name, port)) = host.rsplit_once(':') else { return false };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    port.parse().is_ok_and(|port| list.allows(name, port))
}

/// Some tools give whole seconds: then a case may have begun up to one before or after.
fn blur(cases: &[ReportedRun<'_>]) -> SignedDuration {
    let mut begun = cases.iter().filter_map(|case| case.began_at).peekable();
    let whole = begun.peek().is_some() && begun.all(|at| at.subsec_nanosecond() == 0);
    if whole { SignedDuration::from_secs(1) } else { BLUR }
}

fn widened(span: Span, by: SignedDuration) -> Span {
    Span {
        from: span.from.checked_sub(by).unwrap_or(span.from),
        to: span.to.checked_add(by).unwrap_or(span.to),
    }
}

/// Whether the durations are those of the run before: two runs never take equally long to the last
/// digit, but a file that was left behind does.
struct Repeated {
    same: usize,
    compared: usize,
}

impl Repeated {
    fn new(cases: &[ReportedRun<'_>]) -> Self {
        let pairs = cases.iter().filter_map(Self::pair);
        let (mut same, mut compared) = (0, 0);
        for (now, before) in pairs {
            compared += 1;
            same += usize::from(now == before);
        }
        Self { same, compared }
    }

    /// Durations that tell something: tools round short ones to the same few values.
    fn pair(case: &ReportedRun<'_>) -> Option<(f64, f64)> {
        let tells = |ms: &f64| *ms >= 10.0;
        Some((case.took_ms.filter(tells)?, case.took_ms_before.filter(tells)?))
    }

    fn of(&self, case: &ReportedRun<'_>) -> Option<String> {
        let (now, before) = Self::pair(case)?;
        let Self { same, compared } = *self;
        let many = compared >= FEW && same * 100 >= compared * SAME_PERCENT;
        (many && now == before).then(|| {
            let took = shown(now);
            format!("took {took} ms as in the last run, and so did {same} of {compared} cases")
        })
    }
}

/// Milliseconds, with a fraction where there is one.
fn shown(ms: f64) -> String {
    let text = format!("{ms:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
