//! Loading as callers see it: suites and settings on their own, digests, parts not acted on, hostile files.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use andon::domain::retention::Limits;
use andon::domain::spec::{Pipeline, SecretSource};
use andon::pipeline::{self, Diagnostic, LogFormat, MemoryFiles, Role, RunBy};

const HEAD: &str = "version: 1\nname: demo\n";

fn load(files: &MemoryFiles) -> pipeline::Loaded {
    pipeline::load(files, Path::new("p/demo.yaml"))
}

fn pipeline(text: &str) -> Pipeline {
    let loaded = load(&MemoryFiles::new().with("p/demo.yaml", format!("{HEAD}{text}")));
    assert!(loaded.pipeline.is_some(), "{:#?}", loaded.diagnostics);
    loaded.pipeline.unwrap()
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|fault| fault.message.as_str()).collect()
}

const CASE: &str =
    "suite:\n  cases:\n    - { id: a, steps: [{ http: \"https://example.com/\" }] }\n";

#[test]
fn what_is_left_out_has_its_default() {
    let pipeline = pipeline(CASE);
    assert_eq!(pipeline.environment.as_str(), "demo");
    let suite = pipeline.suite.unwrap();
    assert_eq!((suite.concurrency, suite.retries), (64, 1));
    assert_eq!(suite.timeout.as_secs(), 20 * 60);
    let case = suite.cases().next().unwrap();
    assert_eq!((case.name.as_str(), case.timeout.as_secs()), ("a", 30));
    assert_eq!(case.steps[0].name, "step 1 (http)");
    let ready = pipeline.ready;
    let seconds = (ready.timeout.as_secs(), ready.every.as_secs());
    assert_eq!((seconds, ready.successes), ((300, 2), 3));
    assert_eq!(pipeline.report.dir, None);
}

#[test]
fn the_name_is_that_of_the_file_where_none_is_given() {
    let files = MemoryFiles::new().with("p/chat-1.yaml", format!("version: 1\n{CASE}"));
    let loaded = pipeline::load(&files, Path::new("p/chat-1.yaml"));
    assert_eq!(loaded.pipeline.unwrap().name.as_str(), "chat-1");
}

#[test]
fn a_file_that_is_not_there_is_one_fault() {
    let loaded = load(&MemoryFiles::new());
    assert_eq!(messages(&loaded.diagnostics), ["cannot read p/demo.yaml: entity not found"]);
    assert!(loaded.pipeline.is_none());
}

#[test]
fn digests_tell_definitions_apart_and_nothing_else() {
    let digests = |text: &str| {
        let pipeline = pipeline(text);
        let suite = pipeline.suite.unwrap();
        let case = suite.cases().next().unwrap().digest.clone();
        (pipeline.config_digest, suite.digest.clone(), case)
    };
    let base = digests(CASE);
    assert_eq!(base, digests(&format!("description: x\n{CASE}")));
    let renamed = CASE.replace("id: a", "id: a, name: other, owner: ada");
    assert_eq!(base, digests(&renamed), "who owns a case does not change it");
    let other_step = digests(&CASE.replace("com/", "com/x"));
    assert_eq!(base.0, other_step.0);
    assert!(base.1 != other_step.1 && base.2 != other_step.2);
    let other_id = digests(&CASE.replace("id: a", "id: b"));
    assert_eq!(base.2, other_id.2);
    assert_ne!(base.1, other_id.1);
    let other_var = digests(&format!("vars: {{ a: 1 }}\n{CASE}"));
    assert_ne!(base.0, other_var.0);
    assert_eq!(base.1, other_var.1);
}

#[test]
fn a_place_has_one_name_however_it_is_written() {
    let repo = |written: &str| {
        let text = format!("{HEAD}watch: {{ repo: {written}, poll: off }}\n{CASE}");
        let files = MemoryFiles::new().with("/work/pipelines/demo.yaml", text);
        let loaded = pipeline::load(&files, Path::new("/work/pipelines/demo.yaml"));
        loaded.pipeline.unwrap().watch.unwrap().repo
    };
    assert_eq!(repo("../chat"), "/work/chat");
    assert_eq!(repo("./../other/../chat/."), repo("../chat"));
    let twice = format!("{HEAD}suite: {{ include: [a.yaml, x/../a.yaml] }}\n");
    let case = "cases: [{ id: a, steps: [{ http: \"https://example.com/\" }] }]\n";
    let files = MemoryFiles::new().with("p/demo.yaml", twice).with("p/a.yaml", case);
    assert_eq!(messages(&load(&files).diagnostics), ["this file is included twice"]);
}

#[test]
fn digests_do_not_depend_on_where_the_files_lie() {
    let text = format!(
        "{HEAD}suite:\n  cases:\n    - {{ id: a, steps: [{{ http: {{ url: \"https://example.com/\", file: body.bin }} }}] }}\n"
    );
    let digest = |path: &str| {
        let files = MemoryFiles::new().with(path, text.as_bytes());
        let pipeline = pipeline::load(&files, Path::new(path)).pipeline.unwrap();
        pipeline.suite.unwrap().cases().next().unwrap().digest.clone()
    };
    assert_eq!(digest("/one/p.yaml"), digest("/another/place/p.yaml"));
}

#[test]
fn parts_that_a_run_does_not_act_on_are_named() {
    let quiet = pipeline(CASE);
    assert!(pipeline::parts_not_acted_on(&quiet, RunBy::Hand).is_empty());
    let off = pipeline(&format!("watch: {{ repo: ., poll: off }}\n{CASE}"));
    assert!(pipeline::parts_not_acted_on(&off, RunBy::Hand).is_empty());
    let unsaid = pipeline(&format!("watch: {{ repo: . }}\n{CASE}"));
    assert!(pipeline::parts_not_acted_on(&unsaid, RunBy::Hand).is_empty(), "nobody wrote `poll`");
    let all = pipeline(&format!(
        "watch: {{ repo: ., poll: 30s }}\nschedule: {{ cron: \"@daily\", deploy: false }}\ncycles: {{ until: green }}\n\
         alarm: {{ silent_for: 1d }}\nnotify: {{ slack: {{ url: \"https://example.com/\" }} }}\n\
         report: {{ publish: {{ git: {{ repo: ., branch: reports }} }} }}\nculprit: {{}}\n\
         deploy: {{ steps: [{{ run: x }}], rollback: {{}} }}\n{CASE}  commands: [{{ name: x, run: x }}]\n"
    ));
    let parts: Vec<&str> =
        pipeline::parts_not_acted_on(&all, RunBy::Hand).iter().map(|part| part.part).collect();
    assert_eq!(parts, ["watch.poll", "schedule", "cycles.until", "alarm"]);
    let left_out = pipeline::parts_not_acted_on(&all, RunBy::Daemon);
    let by_the_daemon: Vec<&str> = left_out.iter().map(|part| part.part).collect();
    for done in ["watch.poll", "schedule", "cycles.until"] {
        assert!(!by_the_daemon.contains(&done), "the daemon does {done}");
    }
}

#[test]
fn a_port_behind_a_user_is_no_password() {
    for repo in ["ssh://git@git.example.com:2222/acme/x.git", "https://git.example.com:8443/x.git"]
    {
        let watched = pipeline(&format!("watch: {{ repo: \"{repo}\" }}\n{CASE}"));
        assert_eq!(watched.watch.unwrap().repo, repo);
    }
}

#[test]
fn a_suite_can_be_read_without_its_pipeline() {
    let suite = "suite: P1\ncases:\n  - { id: a, steps: [{ http: \"${base_url}/${identity.bob.token}\" }] }\n";
    let load = |text: String| {
        let files = MemoryFiles::new().with("s.yaml", text);
        pipeline::load_suite(&files, Path::new("s.yaml"))
    };
    let loaded = load(suite.to_owned());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let (name, group) = loaded.suite.unwrap();
    assert_eq!((name.as_deref(), group.cases.len()), (Some("P1"), 1));
    let loaded = load(suite.replace("base_url", "revision.shrt"));
    assert_eq!(messages(&loaded.diagnostics), ["unknown name `revision.shrt`"]);
    let loaded = load(suite.replace("id: a,", "id: a, needs: b,"));
    assert_eq!(messages(&loaded.diagnostics), ["no case has the id `b`"]);
}

#[test]
fn settings_of_the_daemon() {
    let load = |text: &str| {
        let files = MemoryFiles::new().with("etc/andon.yaml", text);
        pipeline::load_daemon(&files, Path::new("etc/andon.yaml"))
    };
    let loaded = load(
        "listen: 0.0.0.0:7070\npipelines: pipelines\nmax_cycles: 2\nlog_format: json\n\
         tokens: [{ name: ci, role: trigger, token: { env: CI_TOKEN } }]\n\
         webhooks: { github: [{ env: NEW }, { env: OLD }] }\n",
    );
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.pipelines.as_deref(), Some(Path::new("etc/pipelines")));
    assert_eq!(settings.log_format, Some(LogFormat::Json));
    assert_eq!(settings.tokens[0].role, Role::Trigger);
    assert!(matches!(&settings.tokens[0].token, SecretSource::Env(name) if name == "CI_TOKEN"));
    assert_eq!(settings.webhooks[0].secrets.len(), 2);

    let loaded = load("retention: { days: 30, cycles: off, bytes: 500MB }\nballast: off\n");
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let settings = loaded.settings.unwrap();
    let limits = Limits { days: Some(30), cycles: None, bytes: Some(500_000_000) };
    assert_eq!((settings.retention, settings.ballast), (limits, None));
    let settings = load("retention: { cycles: 7 }\n").settings.unwrap();
    assert_eq!(settings.retention, Limits { cycles: Some(7), ..Limits::default() });
    assert_eq!(settings.ballast, Some(16 << 20));
    let loaded = load("retention: { days: 0, bytes: 5 }\nballast: 1KiB\n");
    assert_eq!(
        messages(&loaded.diagnostics),
        [
            "expected a whole number from 1 to 36500, found the number `0`",
            "expected a size, found the number `5`",
            "`1KiB` is not between 1MiB and 1TiB"
        ]
    );

    let loaded = load("listen: 0.0.0.0:7070\n");
    assert_eq!(
        messages(&loaded.diagnostics),
        ["this address can be reached from outside, and there are no `tokens`"]
    );
    assert!(load("listen: localhost:80\n").settings.is_some());
    let loaded = load("port: 80\nlisten: here\ntokens: [{ name: a, role: root }]\n");
    assert_eq!(
        messages(&loaded.diagnostics),
        [
            "unknown key `port`",
            "`here` is not an address to listen on",
            "`token` is missing",
            "`root` is not one of `read`, `trigger` or `admin`"
        ]
    );
}

/// Each of these once took long, or much memory, in some reader of YAML.
#[test]
fn hostile_files_end_in_one_fault() {
    let bomb: String = (0..9)
        .map(|n| format!(" {0}{n}: &{0}{n} [*a{1},*a{1},*a{1},*a{1}]\n", "a", n - 1))
        .collect();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (vec![b'a'; 10 * 1024 * 1024], "the file is larger than 1 MiB"),
        (format!("vars: {}", "[".repeat(100_000)).into(), "nested more than 64 levels deep"),
        (format!("vars: {}", "{a: ".repeat(100_000)).into(), "nested more than 64 levels deep"),
        ("- ".repeat(200_000).into(), "nested more than 64 levels deep"),
        (
            format!("vars:\n a-1: &a-1 [{}]\n{bomb}", "x,".repeat(100)).into(),
            "aliases repeat more than 20000 values",
        ),
        (
            format!("vars: [{}]", "a,".repeat(160_000)).into(),
            "the pipeline and its files have more than 150000 values",
        ),
        ("a: \u{0}".into(), "the file holds a NUL byte, so it is not a text"),
    ];
    for (bytes, message) in table {
        let loaded = load(&MemoryFiles::new().with("p/demo.yaml", bytes));
        assert_eq!(messages(&loaded.diagnostics), [message]);
    }
}

#[test]
fn a_variable_that_doubles_itself_is_refused() {
    let doubling: String =
        (1..60).map(|n| format!("  a{n}: \"${{a{0}}}${{a{0}}}\"\n", n - 1)).collect();
    let text = format!("{HEAD}vars:\n  a0: xxxxxxxxxx\n{doubling}{CASE}");
    let loaded = load(&MemoryFiles::new().with("p/demo.yaml", text));
    assert_eq!(loaded.diagnostics[0].message, "`a16` would be longer than 1 MiB");
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let url = format!("https://example.com/{}", "${cycle}".repeat(50_000));
    let loaded = load(
        &MemoryFiles::new()
            .with("p/demo.yaml", format!("{HEAD}{}", CASE.replace("https://example.com/", &url))),
    );
    assert_eq!(messages(&loaded.diagnostics), ["a text of more than 64 KiB"]);
}

#[test]
fn many_slips_are_counted_and_not_listed() {
    let keys: String = (0..30_000).map(|n| format!("k{n}: 1\n")).collect();
    let loaded = load(&MemoryFiles::new().with("p/demo.yaml", format!("{HEAD}{keys}")));
    assert_eq!(loaded.diagnostics.len(), 101);
    let last = &loaded.diagnostics[100];
    assert_eq!(last.message, "at least 900 more faults in this file are not shown");
}
