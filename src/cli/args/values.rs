//! What single values of the command line look like, with words for those that do not.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;

/// A header, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name, in small letters.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The number of a cycle.
pub(super) fn cycle(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a cycle is a number, such as 7".to_owned())
}

/// A cycle, by its number or by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleName {
    /// The one with that number.
    Number(u32),
    /// The newest, also while it runs.
    Latest,
    /// The newest that is over.
    Finished,
}

/// A cycle, in the words that the API takes, too.
pub(super) fn cycle_name(text: &str) -> Result<CycleName, String> {
    match text {
        "latest" => Ok(CycleName::Latest),
        "finished" => Ok(CycleName::Finished),
        number => cycle(number).map(CycleName::Number).map_err(|fault| {
            format!("{fault}, or `latest`, or `finished` for the newest that is over")
        }),
    }
}

/// An address to listen on.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let address = text.replace("localhost:", "127.0.0.1:").parse();
    address.map_err(|_| "write an IP address and a port, as in 127.0.0.1:7070".to_owned())
}

/// A length of time that is not nothing.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    parsed
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "write a duration as 500ms, 30s or 5m".to_owned())
}

/// A header as `Name: value`.
pub(super) fn header(text: &str) -> Result<Header, String> {
    let (name, value) =
        text.split_once(':').ok_or_else(|| "write a header as `Name: value`".to_owned())?;
    let name = name.trim().to_ascii_lowercase();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("{name:?} cannot be the name of a header"));
    }
    Ok(Header { name, value: value.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_in_words() {
        assert_eq!(cycle("7"), Ok(7));
        for text in ["0", "x", "-1", "4294967296", ""] {
            assert!(cycle(text).is_err(), "{text}");
        }
        for (text, name) in [
            ("7", CycleName::Number(7)),
            ("latest", CycleName::Latest),
            ("finished", CycleName::Finished),
        ] {
            assert_eq!(cycle_name(text), Ok(name));
        }
        assert!(cycle_name("Latest").is_err_and(|fault| fault.contains("`latest`")));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["0s", "soon", "-5s", "5"] {
            assert!(duration(text).is_err(), "{text}");
        }
        let header = |text| super::header(text).map(|header| (header.name, header.value));
        assert_eq!(header("X-A:  b: c "), Ok(("x-a".to_owned(), "b: c".to_owned())));
        assert!(header("no colon").is_err());
        assert!(header("a b: c").is_err());
    }
}
