//! What identifies a case that another tool reports, and the id made of it.
//!
//! The key is suite path, class name, name and project; the rule comes from pairs of runs of forty tools
//! (`docs/ingest.md`). The file is no part of it: some tools write it absolute. The id is made of the key alone,
//! so a case has the same id whatever else ran with it.
//!
//! What it must not do: match cases of two runs.

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The longest id, in bytes.
const LONGEST_ID: usize = 500;

/// How much of an id that is too long is kept before its digest.
const KEPT: usize = 440;

/// Suites that say nothing but which tool ran.
const TOOLS: &[&str] = &[
    "pytest",
    "rspec",
    "nose2-junit",
    "nosetests",
    "Root Suite",
    "Mocha Tests",
    "AllTests",
    "xunitest",
    "test",
];

/// Where a case stands: the key but for the name. Many cases share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The names of the suites around it, from the outermost.
    pub suite: Arc<[Box<str>]>,
    /// The class, module or package.
    pub classname: Option<Arc<str>>,
    /// The browser, target or project.
    pub project: Option<Arc<str>>,
}

impl Place {
    /// The id of the case of that name here: `class::name`, after its suites where they say more than the
    /// class, before its project in brackets. 1 to 500 bytes without control characters, as ids are.
    pub fn id_of(&self, name: &str) -> String {
        let mut id = String::new();
        let classname = self.classname.as_deref().unwrap_or_default();
        let alone = self.suite.len() == 1 && !classname.is_empty();
        for suite in self.suite.iter().map(Box::as_ref).filter(|suite| !suite.is_empty()) {
            if (alone && TOOLS.contains(&suite)) || says(classname, suite) {
                continue;
            }
            id.push_str(suite);
            id.push_str(if classname.is_empty() { "::" } else { " > " });
        }
        if !classname.is_empty() {
            id.push_str(classname);
            id.push_str("::");
        }
        id.push_str(if name.is_empty() { "(no name)" } else { name });
        if let Some(project) = self.project.as_deref() {
            id.push_str(&format!(" [{project}]"));
        }
        fit(id)
    }
}

/// The id of one of several cases that share a key: from the second on with its number.
pub fn numbered(id: &str, number: u32) -> String {
    if number < 2 { id.to_owned() } else { fit(format!("{id} #{number}")) }
}

/// The id that several cases share, of one of them: without its number. Whether what stands at its end is
/// one, its name tells: a test may well be called `adds #2`.
pub fn unnumbered<'a>(id: &'a str, name: &str) -> &'a str {
    let Some((shared, number)) = id.rsplit_once(" #") else { return id };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.strip_suffix(number).is_some_and(|rest| rest.ends_with(" #"));
    if is_number && !is_name { shared } else { id }
}

/// Whether a class name says what a suite does: it is the suite, or stands in it.
fn says(classname: &str, suite: &str) -> bool {
    classname
        .strip_prefix(suite)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '/', '\\', '$', ' ']))
}

/// A text without control characters, cut with a digest of the whole where it is too long: 500 bytes at most.
pub fn fit(id: String) -> String {
    let id = match id.contains(char::is_control) {
        true => id.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        false => id,
    };
    if id.len() <= LONGEST_ID {
        return id;
    }
    let digest = hex::encode(&Sha256::digest(id.as_bytes())[..8]);
    format!("{}…{digest}", &id[..id.floor_char_boundary(KEPT)])
}

/// A name without what tools put around it and what changes from run to run: a time at its end
/// (` in 12ms`), a number before it (`3 - `, `begin 3 `), addresses in memory. Parameters stay: `a[1]` and
/// `a[2]` are two cases.
pub fn normalised(name: &str) -> Cow<'_, str> {
    let name = without_time(without_number(name));
    without_addresses(name)
}

fn without_number(name: &str) -> &str {
    let (begins, rest) = match name.strip_prefix("begin ") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return name;
    }
    let behind = &rest[digits..];
    let bare = if begins { behind.strip_prefix(' ') } else { behind.strip_prefix(" - ") };
    bare.filter(|bare| !bare.is_empty()).unwrap_or(name)
}

fn without_time(name: &str) -> &str {
    let Some((bare, time)) = name.rsplit_once(" in ") else { return name };
    let number = time.strip_suffix("ms").or_else(|| time.strip_suffix('s')).map(str::trim_end);
    let is_time = number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    if is_time && !bare.is_empty() { bare } else { name }
}

fn without_addresses(name: &str) -> Cow<'_, str> {
    if !name.contains("0x") {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, behind)) = rest.split_once("0x") {
        let digits = behind.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(before);
        out.push_str("0x");
        // Shorter ones are numbers that somebody wrote.
        if digits < 6 {
            out.push_str(&behind[..digits]);
        }
        rest = &behind[digits..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::CaseId;

    fn place(suite: &[&str], classname: &str, project: &str) -> Place {
        let text = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
        Place {
            suite: suite.iter().map(|name| Box::from(*name)).collect(),
            classname: text(classname),
            project: text(project),
        }
    }

    #[test]
    fn ids_read_as_people_name_their_cases() {
        for (suite, classname, name, project, id) in [
            (
                &["pytest"][..],
                "tests.test_cart",
                "test_qty[-1]",
                "",
                "tests.test_cart::test_qty[-1]",
            ),
            (&["com.acme.CartTest"], "com.acme.CartTest", "total", "", "com.acme.CartTest::total"),
            (&["rsshop::it"], "rsshop::it", "a::b", "", "rsshop::it::a::b"),
            (&["a.spec.js"], "a.spec.js", "opens", "firefox", "a.spec.js::opens [firefox]"),
            (&["cart", "nested"], "", "adds", "", "cart::nested::adds"),
            (&["unit"], "Cart", "adds", "", "unit > Cart::adds"),
            (&["pytest"], "", "adds", "", "pytest::adds"),
            (&[], "", "adds", "", "adds"),
            (&[""], "", "", "", "(no name)"),
        ] {
            assert_eq!(place(suite, classname, project).id_of(name), id);
        }
        assert_eq!(numbered("a", 1), "a");
        assert_eq!(numbered("a", 2), "a #2");
    }

    #[test]
    fn every_id_is_one_that_the_records_take_and_long_ones_stay_apart() {
        let here = place(&["s\n"], "c\u{1b}", "");
        let long = "ü".repeat(600);
        let ids = [here.id_of("a\0b"), here.id_of(&long), here.id_of(&format!("{long}x"))];
        for id in &ids {
            assert!(CaseId::parse(id).is_ok(), "{id}");
            assert!(CaseId::parse(&numbered(id, u32::MAX)).is_ok());
        }
        assert_ne!(ids[1], ids[2]);
    }

    #[test]
    fn what_varies_is_no_part_of_a_normalised_name() {
        for (name, normal) in [
            ("slug trims in 16ms", "slug trims"),
            ("slug in 1.5 s", "slug"),
            ("3 - slug", "slug"),
            ("begin 12 slug", "slug"),
            ("repr <Cart at 0x7f3a2b4c>", "repr <Cart at 0x>"),
            ("mask 0xff", "mask 0xff"),
            ("test_qty[-1]", "test_qty[-1]"),
            ("12 monkeys", "12 monkeys"),
            ("believe in ms", "believe in ms"),
            (" in 5ms", " in 5ms"),
            ("3 - ", "3 - "),
        ] {
            assert_eq!(normalised(name), normal, "{name}");
        }
    }
}
