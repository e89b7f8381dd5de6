//! What CTRF looks like, and its way from the stream to the run.
//!
//! What it must not do: judge a test.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::json::{Few, Loose, Lossy};
use super::Run;

/// One element of `tests`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Test {
    pub(super) name: Option<Lossy>,
    pub(super) status: Option<Lossy>,
    pub(super) raw_status: Option<Lossy>,
    pub(super) duration: Loose,
    pub(super) start: Loose,
    pub(super) suite: Suites,
    pub(super) file_path: Option<Lossy>,
    pub(super) browser: Option<Lossy>,
    pub(super) retries: Loose,
    pub(super) flaky: Loose,
    pub(super) message: Option<Lossy>,
    pub(super) trace: Option<Lossy>,
    pub(super) retry_attempts: Few<Attempt>,
}

/// One element of `retryAttempts`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Attempt {
    pub(super) status: Option<Lossy>,
    pub(super) message: Option<Lossy>,
    pub(super) trace: Option<Lossy>,
}

/// What the file says of itself.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) tests: Loose,
    pub(super) failed: Loose,
    pub(super) skipped: Loose,
    pub(super) pending: Loose,
}

/// How many suites around a case are kept.
const DEEPEST: usize = 100;

/// `suite`: a list of names, or one.
#[derive(Default)]
pub(super) struct Suites(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Suites {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Suites;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Suites, E> {
                Ok(Suites(vec![name.to_owned()]))
            }

            fn visit_unit<E: Error>(self) -> Result<Suites, E> {
                Ok(Suites::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Suites, A::Error> {
                let mut names = Vec::new();
                while let Some(Lossy(name)) = seq.next_element()? {
                    if names.len() < DEEPEST {
                        names.push(name);
                    }
                }
                Ok(Suites(names))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// The document.
pub(super) struct Root<'r, 'a>(pub(super) &'r mut Run<'a>);

/// The object under `results`.
struct Results<'r, 'a>(&'r mut Run<'a>);

/// The list under `tests`.
struct Tests<'r, 'a>(&'r mut Run<'a>);

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CTRF report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Lossy(key)) = map.next_key()? {
            match key.as_str() {
                "results" => map.next_value_seed(Results(&mut *self.0))?,
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Results<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Results<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the results of a run")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Lossy(key)) = map.next_key()? {
            match key.as_str() {
                "summary" => {
                    let summary: Summary = map.next_value()?;
                    self.0.summary(&summary);
                }
                "tests" => map.next_value_seed(Tests(&mut *self.0))?,
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Tests<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Tests<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.listed = true;
        while let Some(test) = seq.next_element::<Test>()? {
            self.0.test(&test);
        }
        Ok(())
    }
}
