//! What Playwright's JSON looks like, and its way from the stream to the run.
//!
//! What it must not do: judge a test.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::draft::name;
use super::super::json::{Few, Loose, Lossy};
use super::Run;

/// One `test(…)` of a file, with a test for each project.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) title: Option<Lossy>,
    pub(super) file: Option<Lossy>,
    pub(super) tests: Vec<Test>,
}

/// A spec in a project.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Test {
    pub(super) project_id: Option<Lossy>,
    pub(super) project_name: Option<Lossy>,
    pub(super) status: Option<Lossy>,
    pub(super) results: Few<Attempt>,
}

/// One attempt.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attempt {
    pub(super) status: Option<Lossy>,
    pub(super) duration: Loose,
    pub(super) start_time: Option<Lossy>,
    error: Option<Fault>,
    errors: Few<Fault>,
}

impl Attempt {
    /// What went wrong first. `errors` says more than `error`, where both are there.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.errors.iter().next().or(self.error.as_ref())
    }
}

/// What went wrong.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Fault {
    message: Option<Lossy>,
    value: Option<Lossy>,
    stack: Option<Lossy>,
}

impl Fault {
    /// What it says, as far as it says something. What is thrown and is no error is a value.
    pub(super) fn message(&self) -> &str {
        let said = [&self.message, &self.value, &self.stack];
        said.into_iter()
            .flatten()
            .map(|text| text.0.as_str())
            .find(|text| !text.is_empty())
            .unwrap_or("")
    }
}

/// What the file says of itself.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Stats {
    pub(super) expected: Loose,
    pub(super) unexpected: Loose,
    pub(super) flaky: Loose,
    pub(super) skipped: Loose,
}

/// The document.
pub(super) struct Root<'r, 'a>(pub(super) &'r mut Run<'a>);

/// A list of suites.
struct Suites<'r, 'a>(&'r mut Run<'a>);

/// A suite.
struct Suite<'r, 'a>(&'r mut Run<'a>);

/// The specs of a suite.
struct Specs<'r, 'a>(&'r mut Run<'a>);

/// What went wrong outside of tests.
struct Faults<'r, 'a>(&'r mut Run<'a>);

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report of Playwright")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Lossy(key)) = map.next_key()? {
            match key.as_str() {
                "suites" => {
                    self.0.listed = true;
                    map.next_value_seed(Suites(&mut *self.0))?;
                }
                "errors" => map.next_value_seed(Faults(&mut *self.0))?,
                "stats" => {
                    let stats: Stats = map.next_value()?;
                    self.0.stats(&stats);
                }
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Suites<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Suites<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of suites")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Suite(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Suite<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Suite<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a suite")
    }

    /// The title comes first, as Playwright writes it: what stands before it is under no title.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.0.path.len();
        while let Some(Lossy(key)) = map.next_key()? {
            match key.as_str() {
                "title" => {
                    let title: Option<Lossy> = map.next_value()?;
                    self.0.path.truncate(depth);
                    self.0.path.extend(title.map(|title| name(&title.0).into_boxed_str()));
                }
                "specs" => map.next_value_seed(Specs(&mut *self.0))?,
                "suites" => map.next_value_seed(Suites(&mut *self.0))?,
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        self.0.path.truncate(depth);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Specs<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Specs<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of specs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let suite = Arc::from(self.0.path.as_slice());
        while let Some(spec) = seq.next_element::<Spec>()? {
            self.0.spec(&suite, &spec);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Faults<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Faults<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of errors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(fault) = seq.next_element::<Fault>()? {
            self.0.fault(&fault);
        }
        Ok(())
    }
}
