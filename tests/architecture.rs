//! Keeps `ARCHITECTURE.md`'s module map true: imports go downwards only, and only where the map
//! says; decisions (L0, L1) touch no clock, file, socket or runtime.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules each module may import. A module is a top-level name under `src/`.
const MAP: &[(&str, &[&str])] = &[
    // L0
    ("domain", &[]),
    // L1: decisions
    ("pipeline", &["domain"]),
    ("cycle", &["domain"]),
    ("verdict", &["domain"]),
    ("diff", &["domain"]),
    ("cluster", &["domain"]),
    ("investigation", &["domain"]),
    ("ingest", &["domain"]),
    ("compare", &["domain"]),
    ("report", &["domain"]),
    ("watch", &["domain"]),
    ("culprit", &["domain"]),
    ("prove", &["domain", "verdict"]),
    ("queue", &["domain"]),
    ("retention", &["domain"]),
    ("room", &[]),
    // L2: adapters
    ("store", &["domain"]),
    ("trust", &[]),
    ("git", &["domain", "trust"]),
    ("process", &["domain"]),
    ("probe", &["domain", "verdict"]),
    ("observe", &["domain"]),
    ("impair", &["domain", "observe", "prove", "trust"]),
    ("suite", &["domain", "probe", "verdict"]),
    ("rehearsal", &["domain", "probe", "prove", "suite"]),
    ("deploy", &["domain", "process", "probe", "suite", "verdict"]),
    ("readiness", &["domain", "probe", "suite", "verdict"]),
    ("command", &["domain", "ingest", "verdict"]),
    ("trigger", &["domain", "pipeline", "watch", "store", "git"]),
    ("notify", &["domain", "report", "store", "suite", "trust"]),
    // L3
    (
        "engine",
        &[
            "domain",
            "cycle",
            "verdict",
            "diff",
            "cluster",
            "culprit",
            "investigation",
            "queue",
            "report",
            "store",
            "git",
            "process",
            "probe",
            "suite",
            "deploy",
            "readiness",
            "ingest",
            "command",
            "observe",
            "notify",
        ],
    ),
    (
        "trial",
        &["domain", "prove", "verdict", "probe", "suite", "process", "deploy", "command", "impair"],
    ),
    ("upkeep", &["domain", "retention", "store", "engine"]),
    (
        "daemon",
        &[
            "upkeep",
            "retention",
            "room",
            "domain",
            "pipeline",
            "queue",
            "report",
            "store",
            "git",
            "process",
            "suite",
            "engine",
            "trigger",
            "notify",
            "cycle",
            "verdict",
        ],
    ),
    // L4
    (
        "web",
        &[
            "domain",
            "pipeline",
            "cycle",
            "diff",
            "verdict",
            "investigation",
            "report",
            "store",
            "engine",
            "daemon",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "pipeline",
            "cycle",
            "diff",
            "investigation",
            "report",
            "store",
            "git",
            "process",
            "probe",
            "suite",
            "engine",
            "notify",
            "demo",
            "verdict",
            "daemon",
            "retention",
            "room",
            "upkeep",
            "web",
            "trust",
            "ingest",
            "compare",
            "cluster",
            "culprit",
            "prove",
            "rehearsal",
            "trial",
        ],
    ),
    ("demo", &["domain", "pipeline"]),
    // L5
    ("app", &["cli", "domain", "engine", "process"]),
];

/// What decisions must not mention, each with the reason.
const EFFECTS: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::env",
    "std::thread",
    "tokio::",
    "reqwest::",
    "sqlx::",
    "git2::",
    "Timestamp::now",
    "Instant::now",
    "SystemTime",
];

fn sources() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let relative = path.strip_prefix(&root).expect("it is under src");
                let first = relative.components().next().expect("it has a name");
                let name = Path::new(first.as_os_str()).file_stem().expect("it has a name");
                let text = fs::read_to_string(&path).expect("a source is text");
                modules.entry(name.to_string_lossy().into_owned()).or_default().push((path, text));
            }
        }
    }
    modules
}

/// The code without its tests: by convention they stand at the end, under `#[cfg(test)]`.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn imported(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split('}').next().unwrap_or_default();
            found.extend(group.split(',').map(|item| item.trim().to_owned()));
        } else {
            found.push(rest.to_owned());
        }
    }
    let name = |text: &String| {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    found.iter().map(name).filter(|n| !n.is_empty()).collect()
}

#[test]
fn imports_go_downwards_only() {
    let map: BTreeMap<&str, &[&str]> = MAP.iter().copied().collect();
    let mut faults = Vec::new();
    for (module, files) in sources() {
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(allowed) = map.get(module.as_str()) else {
            faults.push(format!("module {module} is not in the map"));
            continue;
        };
        // By convention files of these names are nothing but tests and what they share.
        let is_shipped = |path: &Path| !path.ends_with("tests.rs") && !path.ends_with("testing.rs");
        for (path, text) in files.into_iter().filter(|(path, _)| is_shipped(path)) {
            for import in imported(shipped(&text)) {
                if import != module && !allowed.contains(&import.as_str()) {
                    faults.push(format!("{} imports {import}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn decisions_have_no_effects() {
    let decisions = [
        "domain",
        "pipeline",
        "cycle",
        "verdict",
        "diff",
        "cluster",
        "investigation",
        "ingest",
        "compare",
        "report",
        "watch",
        "culprit",
        "prove",
        "queue",
    ];
    let mut faults = Vec::new();
    for (module, files) in sources() {
        if !decisions.contains(&module.as_str()) {
            continue;
        }
        for (path, text) in files {
            for line in shipped(&text).lines().filter(|l| !l.trim_start().starts_with("//")) {
                for effect in EFFECTS {
                    if line.contains(effect) {
                        faults.push(format!("{}: {effect}: {}", path.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources().into_values().flatten() {
        let opens = text.lines().find(|l| !l.starts_with("#!["));
        assert!(opens.is_some_and(|l| l.starts_with("//!")), "{} has no header", path.display());
    }
}

#[test]
fn the_map_in_architecture_md_is_this_map() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md is there");
    for (module, imports) in MAP {
        let prefix = format!("| `{module}` |");
        let row = text.lines().find(|line| line.starts_with(&prefix));
        let row = row.unwrap_or_else(|| panic!("no row for {module}"));
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        let mut written: Vec<&str> =
            cell.split(", ").map(|m| m.trim_matches('`')).filter(|m| *m != "–").collect();
        let mut meant = imports.to_vec();
        written.sort_unstable();
        meant.sort_unstable();
        assert_eq!(written, meant, "imports of {module}");
    }
}

/// The rows that a page for reviewers must account for: those of each commit's tests, of the groups that
/// this version is about.
const ROWS: &[(&str, &[u8])] = &[
    ("A", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]),
    ("B", &[1, 2, 3, 5, 6, 7, 8, 9, 10]),
    ("C", &[1, 2, 4, 5, 6, 7]),
    ("D", &[1, 2, 4, 6, 7, 8, 9, 10, 11, 12]),
    ("E", &[1, 2]),
    ("H", &[1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13]),
    ("I", &[1, 2, 3, 4, 5, 6, 8, 9, 10, 11]),
    ("K", &[1, 4, 5, 6]),
    ("L", &[1, 2, 3, 4, 5, 7, 8]),
];

/// `docs/reliability.md` names tests that are there, and each names its row.
#[test]
fn what_is_said_to_be_shown_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reliability.md")).expect("the page is there");
    let rows: BTreeMap<&str, &str> = page.lines().filter_map(row_of_page).collect();
    let mut faults = Vec::new();
    for (group, numbers) in ROWS {
        for row in numbers.iter().map(|number| format!("{group}{number}")) {
            if !rows.contains_key(row.as_str()) {
                faults.push(format!("{row} is missing"));
            }
        }
    }
    for (row, shown_by) in rows {
        let named: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !shown_by.starts_with("no test: ") {
            faults.push(format!("{row} names no test and no reason"));
        }
        faults.extend(named.iter().filter_map(|test| fault_of_test(root, row, test)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The number and the last cell of a line of a table, if its first cell is a number of the matrix.
fn row_of_page(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let (row, shown_by) = (line.split(" | ").next()?, line.rsplit(" | ").next()?);
    let digits = row.strip_prefix(|first: char| first.is_ascii_uppercase())?;
    digits.parse::<u8>().is_ok().then_some((row, shown_by))
}

/// What is wrong with a test that is said to show a row.
fn fault_of_test(root: &Path, row: &str, test: &str) -> Option<String> {
    let (path, function) = test.split_once("::").unwrap_or((test, ""));
    let Ok(text) = fs::read_to_string(root.join(path)) else {
        return Some(format!("{row}: there is no file {path}"));
    };
    let Some(about) = what_is_said_about(&text, function) else {
        return Some(format!("{row}: there is no {test}"));
    };
    let mut words = about.split(|c: char| !c.is_ascii_alphanumeric());
    let is_named = words.any(|word| word.eq_ignore_ascii_case(row));
    (!is_named).then(|| format!("{row}: {test} does not name it"))
}

/// A test with its name, the comments above it and within, and what its file opens with; all of a file
/// that is one story.
fn what_is_said_about(text: &str, function: &str) -> Option<String> {
    if function.is_empty() {
        return Some(text.to_owned());
    }
    let is_here = |(at, found): &(usize, &str)| {
        let behind = text[at + found.len()..].chars().next();
        behind.is_some_and(|c| !c.is_ascii_alphanumeric() && c != '_')
    };
    let named = format!("fn {function}");
    let (at, _) = text.match_indices(&named).find(is_here)?;
    let body = text[at..].split("#[test]").next()?.split("#[tokio::test").next()?;
    let is_above = |line: &&str| line.trim_start().starts_with(['/', '#']);
    let above: Vec<&str> = text[..at].lines().rev().skip(1).take_while(is_above).collect();
    let opening: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    // What stands above the next test is not said about this one.
    let body: Vec<&str> = body.lines().collect();
    let end = body.iter().rposition(|line| !is_above(line)).unwrap_or(0);
    Some([above, opening, body[..=end].to_vec()].concat().join("\n"))
}
