//! Pipeline files: those that must load without a word, and those whose faults must be told just so.
//!
//! `UPDATE_EXPECTED=1` writes the expected texts of `tests/pipelines/invalid` anew; read the difference then.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use andon::pipeline::{self, Kind, Loaded, MemoryFiles, Severity, Style};
use proptest::prelude::*;

fn folder(name: &str) -> PathBuf {
    Path::new("tests/pipelines").join(name)
}

fn read(path: &Path, _limit: u64) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

fn load(path: &Path) -> Loaded {
    pipeline::load(&read, path)
}

/// The YAML files of a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .collect();
    files.sort();
    files
}

fn rendered(loaded: &Loaded) -> String {
    let texts: Vec<String> =
        loaded.diagnostics.iter().map(|fault| fault.render(Style::Plain)).collect();
    texts.join("\n\n") + "\n"
}

#[test]
fn valid_files_load_without_a_word() {
    for file in files(&folder("valid")) {
        let loaded = load(&file);
        assert!(loaded.diagnostics.is_empty(), "{}", rendered(&loaded));
        assert!(loaded.pipeline.is_some(), "{}", file.display());
    }
}

/// RELIABILITY C7 is `cron.yaml` among them.
#[test]
fn invalid_files_tell_all_their_faults() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let files = files(&folder("invalid"));
    assert!(files.len() >= 40);
    let mut wrong = Vec::new();
    for file in files {
        let loaded = load(&file);
        assert!(!loaded.diagnostics.is_empty(), "{} is taken", file.display());
        let has_errors = loaded.diagnostics.iter().any(|d| d.severity == Severity::Error);
        assert_eq!(loaded.pipeline.is_none(), has_errors, "{}", file.display());
        let (got, expected) = (rendered(&loaded), file.with_extension("txt"));
        if update {
            std::fs::write(&expected, &got).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_ref() != Some(&got) {
            wrong.push(format!("{}:\n{got}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_stands_in_the_line_that_it_shows() {
    for file in files(&folder("invalid")) {
        for fault in load(&file).diagnostics {
            let (Some(line), Some(column)) = (fault.line, fault.column) else { continue };
            let bytes = std::fs::read(&fault.file).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let shown = text.lines().nth(line as usize - 1).unwrap_or_default();
            assert!(column as usize <= shown.chars().count() + 1, "{fault:?}");
            let place = format!("{}:{line}:{column}", fault.file.display());
            assert!(fault.render(Style::Plain).contains(&place), "{place}");
        }
    }
}

#[test]
fn faults_are_data_too() {
    let loaded = load(&folder("invalid").join("unknown-key.yaml"));
    let json = serde_json::to_value(&loaded.diagnostics).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "severity": "error",
            "file": "tests/pipelines/invalid/unknown-key.yaml",
            "line": 4,
            "column": 3,
            "message": "unknown key `pol`",
            "help": [
                "did you mean `poll`?",
                "`watch` takes: repo, branches, paths, ignore_paths, poll, settle, skip_marker, auth"
            ]
        }])
    );
}

/// The files that the contract shows, as JSON values.
fn as_json(path: &Path) -> serde_json::Value {
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn valid_files_fit_the_published_schema() {
    let schemas = [(Kind::Pipeline, "valid"), (Kind::Suite, "valid/suites")];
    for (kind, name) in schemas {
        let validator = jsonschema::validator_for(&pipeline::schema(kind)).unwrap();
        for file in files(&folder(name)) {
            let faults: Vec<String> = validator
                .iter_errors(&as_json(&file))
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{}: {faults:#?}", file.display());
        }
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&pipeline::schema(Kind::Pipeline)).unwrap();
    for name in ["unknown-key", "wrong-type", "missing-keys", "no-steps", "many-faults"] {
        let file = folder("invalid").join(name).with_extension("yaml");
        assert!(!validator.is_valid(&as_json(&file)), "{name}");
    }
}

/// Loads texts as if they were the contract's example and its suite.
fn load_texts(pipeline: &str, suite: &str) -> Loaded {
    let schema = std::fs::read(folder("valid/suites/schemas/message.json")).unwrap();
    let files = MemoryFiles::new()
        .with("p/spec.yaml", pipeline)
        .with("p/suites/spec-suite.yaml", suite)
        .with("p/suites/schemas/message.json", schema);
    pipeline::load(&files, Path::new("p/spec.yaml"))
}

fn examples() -> (String, String) {
    let read = |name: &str| std::fs::read_to_string(folder(name)).unwrap();
    (read("valid/spec.yaml"), read("valid/suites/spec-suite.yaml"))
}

/// What may happen to a file while it is edited.
fn mutate(text: &str, kind: u8, at: usize, more: usize) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = at % lines.len();
    match kind {
        0 => text.chars().take(at % text.len()).collect(),
        1 => {
            let copy = lines[line].clone();
            lines.insert(more % lines.len(), copy);
            lines.join("\n")
        }
        2 => {
            lines.remove(line);
            lines.join("\n")
        }
        3 => {
            lines[line] = format!("{}{}", " ".repeat(more % 9), lines[line]);
            lines.join("\n")
        }
        4 => {
            let c = ['"', '{', '[', ':', '&', '*', '!', '\t', '-', '$', '\u{1f600}'][more % 11];
            text.chars()
                .enumerate()
                .flat_map(|(i, old)| if i == at % 7_000 { vec![c, old] } else { vec![old] })
                .collect()
        }
        _ => {
            let other = more % lines.len();
            lines.swap(line, other);
            lines.join("\n")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_never_make_it_panic(
        edits in prop::collection::vec((0_u8..6, 0_usize..100_000, 0_usize..100_000, any::<bool>()), 1..4),
    ) {
        let (mut pipeline, mut suite) = examples();
        for (kind, at, more, in_suite) in edits {
            let text = if in_suite { &mut suite } else { &mut pipeline };
            if text.lines().next().is_some() {
                *text = mutate(text, kind, at, more);
            }
        }
        let loaded = load_texts(&pipeline, &suite);
        let has_errors = loaded.diagnostics.iter().any(|d| d.severity == Severity::Error);
        prop_assert_eq!(loaded.pipeline.is_none(), has_errors);
        for fault in &loaded.diagnostics {
            fault.render(Style::Plain);
        }
    }
}

#[test]
fn the_bundled_pipelines_load_without_a_word() {
    let files = files(Path::new("pipelines"));
    assert!(!files.is_empty());
    for file in files {
        let loaded = load(&file);
        assert!(loaded.diagnostics.is_empty(), "{}", rendered(&loaded));
        let pipeline = loaded.pipeline.unwrap();
        assert_eq!(pipeline.suite.unwrap().cases().count(), 25);
    }
}

#[test]
fn what_the_contract_shows_means_what_it_says() {
    let pipeline = load(&folder("valid/spec.yaml")).pipeline.unwrap();
    let got = serde_json::to_string_pretty(&pipeline).unwrap() + "\n";
    let expected = folder("valid/spec.json");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&expected, &got).unwrap();
    }
    assert!(std::fs::read_to_string(&expected).unwrap() == got, "{got}");
}

/// Every place of a JSON value, as pointers.
fn pointers(value: &serde_json::Value, at: &str, into: &mut Vec<String>) {
    if let Some(map) = value.as_object() {
        for (key, inner) in map {
            let escaped = key.replace('~', "~0").replace('/', "~1");
            into.push(format!("{at}/{escaped}"));
            pointers(inner, &format!("{at}/{escaped}"), into);
        }
    }
    if let Some(list) = value.as_array() {
        for (number, inner) in list.iter().enumerate() {
            pointers(inner, &format!("{at}/{number}"), into);
        }
    }
}

/// Places where any value is right.
fn is_free(pointer: &str) -> bool {
    let any_value =
        ["/vars/", "/claims", "/expect/schema", "/where/", "/equals", "/send/json", "/http/json"];
    any_value.iter().any(|part| pointer.contains(part))
        || (pointer.contains("/expect/json/") && !pointer.ends_with(">="))
}

/// JSON is YAML, so the contract's examples can be changed at every place and read again: a key whose wrong
/// value nobody minds is a key that nobody reads.
#[test]
fn every_key_is_read() {
    let pipeline = as_json(&folder("valid/spec.yaml"));
    let suite = as_json(&folder("valid/suites/spec-suite.yaml"));
    let mut places = Vec::new();
    pointers(&pipeline, "", &mut places);
    let in_pipeline = places.len();
    pointers(&suite, "", &mut places);
    let mut unread = Vec::new();
    for (number, place) in places.iter().enumerate().filter(|(_, place)| !is_free(place)) {
        let (mut pipeline, mut suite) = (pipeline.clone(), suite.clone());
        let changed = if number < in_pipeline { &mut pipeline } else { &mut suite };
        *changed.pointer_mut(place).unwrap() = serde_json::json!({ "no such key": [[]] });
        if load_texts(&pipeline.to_string(), &suite.to_string()).pipeline.is_some() {
            unread.push(place);
        }
    }
    assert!(places.len() > 200 && unread.is_empty(), "{unread:#?}");
}
