//! Which numbers in a text are statuses or codes, and so say what a failure is.

/// HTTP statuses that stand for themselves even where only `expected` or `got` precedes them.
const COMMON_STATUSES: &[u16] = &[
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408,
    409, 410, 412, 413, 415, 422, 423, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505,
    507, 511,
];

/// What the words before a number say about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CodeContext {
    /// Nothing: it is a number like any other.
    #[default]
    None,
    /// It may be a status, if it is a common one.
    Compared,
    /// It may be an HTTP status (100–599) or a close code (1000–4999, RFC 6455 section 7.4).
    Status,
    /// It may be an exit code or a signal (0–255).
    Exit,
}

impl CodeContext {
    /// Takes the next word, in lower case, into account.
    pub(super) fn word(&mut self, lower: &str) {
        *self = match (lower, *self) {
            (
                "exit" | "exited" | "exitcode" | "exit_code" | "returncode" | "signal" | "errno",
                _,
            ) => Self::Exit,
            (
                "status" | "statuscode" | "status_code" | "code" | "http" | "close" | "closed"
                | "answered" | "responded" | "response",
                Self::None | Self::Compared | Self::Status,
            ) => Self::Status,
            ("status" | "code", Self::Exit) => Self::Exit,
            (
                "expected" | "expect" | "assert" | "got" | "received" | "actual" | "returned",
                Self::None,
            ) => Self::Compared,
            (
                "expected" | "expect" | "assert" | "got" | "received" | "actual" | "returned"
                | "but" | "not" | "instead" | "equal" | "equals" | "to" | "be" | "with" | "is"
                | "was" | "of" | "a" | "an" | "the" | "and" | "or" | "error",
                kept,
            ) => kept,
            _ => Self::None,
        };
    }

    /// Whether a number stays as it is.
    pub(super) fn keeps(self, digits: &str) -> bool {
        let written_plainly = digits == "0" || !digits.starts_with('0');
        let Some(number) = digits.parse::<u16>().ok().filter(|_| written_plainly) else {
            return false;
        };
        match self {
            Self::None => false,
            Self::Compared => COMMON_STATUSES.contains(&number),
            Self::Status => matches!(number, 100..=599 | 1000..=4999),
            Self::Exit => number <= 255,
        }
    }
}
