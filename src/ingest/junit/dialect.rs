//! Which tool wrote a file, by what it shows of itself. Only Playwright's matters to how it is read.
//!
//! What it must not do: change what an element means by a guess.

use std::borrow::Cow;

use crate::ingest::xml::Tag;

/// What was seen of the signs of a tool.
#[derive(Debug, Default)]
pub(super) struct Signs {
    found: Option<&'static str>,
    playwright: bool,
    suites: u64,
    cases: u64,
}

/// Names of `testsuites` elements that only one tool writes.
const ROOT_NAMES: &[(&str, &str)] = &[
    ("pytest tests", "pytest"),
    ("jest tests", "jest-junit"),
    ("vitest tests", "vitest"),
    ("Mocha Tests", "mocha-junit-reporter"),
    ("AllTests", "gtest"),
    ("bun test", "bun"),
    ("CUnit Tests", "cunit"),
    ("ginkgo", "ginkgo"),
];

/// Names of the first `testsuite` element that only one tool writes.
const SUITE_NAMES: &[(&str, &str)] = &[
    ("pytest", "pytest"),
    ("rspec", "rspec"),
    ("nosetests", "nose"),
    ("nose2-junit", "nose2"),
    ("Root Suite", "mocha-junit-reporter"),
    ("Mocha Tests", "mocha-xunit"),
    ("xunitest", "xunit"),
];

/// Properties of suites that only one tool writes.
const PROPERTIES: &[(&str, &str)] = &[
    ("go.version", "go"),
    ("surefire.test.class.path", "surefire"),
    ("surefire.real.class.path", "surefire"),
    ("browser.launcher", "web-test-runner"),
];

impl Signs {
    /// A root.
    pub(super) fn root(&mut self, tag: &Tag<'_>) {
        if self.suites > 0 || self.found.is_some() {
            return;
        }
        let name = tag.attribute("name").map(|name| name.text()).unwrap_or_default();
        let attributes = || tag.attributes().map(|(name, _)| name);
        let playwright = ["id", "name", "tests", "failures", "skipped", "errors", "time"];
        self.playwright = attributes().eq(playwright.iter().map(|name| name.as_bytes()));
        self.found = if self.playwright {
            Some("playwright")
        } else if attributes().any(|name| name == b"uuid") {
            Some("nextest")
        } else {
            by_name(ROOT_NAMES, &name)
        };
    }

    /// A suite.
    pub(super) fn suite(&mut self, tag: &Tag<'_>) {
        self.suites += 1;
        if self.suites > 1 || self.found.is_some() {
            return;
        }
        let name = tag.attribute("name").map(|name| name.text()).unwrap_or_default();
        let schema = tag.attribute("noNamespaceSchemaLocation");
        self.found = if schema.is_some_and(|schema| schema.raw().contains("surefire")) {
            Some("surefire")
        } else if name.ends_with(".bats") {
            Some("bats")
        } else {
            by_name(SUITE_NAMES, &name)
        };
    }

    /// A case.
    pub(super) fn case(&mut self, tag: &Tag<'_>) {
        self.cases += 1;
        if self.cases > 1 || self.found.is_some() {
            return;
        }
        let has = |name| tag.attribute(name).is_some();
        self.found = if has("class") && has("assertions") {
            Some("phpunit")
        } else if has("result") && has("status") {
            Some("gtest")
        } else {
            None
        };
    }

    /// A property of a suite.
    pub(super) fn property(&mut self, tag: &Tag<'_>) {
        if self.found.is_none()
            && let Some(name) = tag.attribute("name")
        {
            self.found = by_name(PROPERTIES, name.raw());
        }
    }

    /// The project that a suite belongs to. Playwright writes it where others write the machine.
    pub(super) fn project<'a>(&self, tag: &Tag<'a>) -> Option<Cow<'a, str>> {
        let name = tag.attribute("hostname").filter(|_| self.playwright)?.text();
        (!name.is_empty()).then_some(name)
    }

    /// The tool, or the format where nothing shows it.
    pub(super) fn dialect(&self) -> &'static str {
        self.found.unwrap_or("junit")
    }
}

fn by_name(names: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
}
