//! `prove`: what the commands of a suite show behind faults, with the program itself as their client.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::stage::{Stage, did, start, until};

/// What every script begins with: `check ID ARGUMENTS…` is a test that asks the service, `report` writes what
/// came of all.
const TOOLS: &str = r#"
count=0 code=0
tap="$ANDON_RESULTS/r.tap"
ask() { "$ANDON_VAR_ANDON" probe "$@" >/dev/null 2>&1; }
say() { count=$((count + 1)); echo "$1 $count - $2" >>"$tap"; }
check() { id=$1; shift; if ask "$@"; then say ok "$id"; else say "not ok" "$id"; code=1; fi; }
report() { echo "1..$count" >>"$tap"; exit $code; }
"#;

const CAREFUL: &str = r#"
check health "$ANDON_VAR_BASE_URL/health" --timeout 2s
check agents "$ANDON_VAR_BASE_URL/agents.json" --timeout 2s
report
"#;

/// A dialogue of two messages, alone in its command: what it sees is known to be its own.
const DIALOGUE: &str = r#"
check dialogue "$ANDON_VAR_WS_URL/ws" --timeout 2s -d '{"type":"again"}' --expect-event hello --expect-event again
report
"#;

const CARELESS: &str = r#"
ask "$ANDON_VAR_BASE_URL/health" --timeout 1s; say ok whatever
if ask "$ANDON_VAR_BASE_URL/health" --timeout 1s; then say ok shy; else say ok "shy # SKIP no service"; fi
if ask "$ANDON_VAR_BASE_URL/health" --timeout 1s; then say ok vanishing; fi
check red "$ANDON_VAR_BASE_URL/absent" --timeout 2s
code=0
report
"#;

/// The address stands in the file, and the client honours no proxy.
const PAST: &str = "check past http://ADDRESS/health\nreport\n";

const PIPELINE: &str = r#"version: 1
name: tools
environment: staging
vars: { base_url: "http://ADDRESS", ws_url: "ws://ADDRESS", andon: "PROGRAM" }
watch: { repo: ../chat, poll: off }
suite:
  name: P1
  timeout: 2m
  cases:
    - id: native
      steps: [{ http: { url: "${base_url}/health" } }]
  commands:
COMMANDS
"#;

fn with_commands(commands: &str, scripts: &[(&str, &str)]) -> Stage {
    let stage = Stage::empty();
    for (name, text) in [("health", "ok"), ("agents.json", "{\"a\":1}")] {
        fs::write(stage.path().join("www").join(name), text).unwrap();
    }
    let files: Vec<(String, String)> = scripts
        .iter()
        .map(|(name, text)| {
            (format!("{name}.sh"), format!("{TOOLS}{text}").replace("ADDRESS", stage.address()))
        })
        .collect();
    let files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(name, text)| (name.as_str(), Some(text.as_str()))).collect();
    stage.commit("Tests", &files);
    let text = PIPELINE.replace("COMMANDS", commands);
    stage.write_pipeline("tools", &text.replace("PROGRAM", env!("CARGO_BIN_EXE_andon")));
    stage
}

fn faults(proof: &Value, id: &str, what: &str) -> Vec<String> {
    let cases = proof["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["id"] == id);
    let faults = case.unwrap_or_else(|| panic!("no {id} in {proof:#}"))["faults"].as_object();
    let told = faults.unwrap().iter().filter(|(_, shown)| *shown == what);
    told.map(|(fault, _)| fault.clone()).collect()
}

fn reason(proof: &Value, id: &str) -> String {
    let not_tried = proof["not_tried"].as_array().unwrap();
    let found = not_tried.iter().find(|case| case["id"] == id);
    found.map(|case| case["reason"].as_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn what_a_command_notices_of_faults_is_told_of_each_of_its_cases() {
    let commands = "    - { name: careful, run: sh careful.sh }\n    - { name: dialogue, run: sh dialogue.sh }";
    let stage = with_commands(commands, &[("careful", CAREFUL), ("dialogue", DIALOGUE)]);
    let did = stage.andon(&["prove", "tools", "--json"]).ends(0);
    let proof = did.json();
    assert_eq!((&proof["vacuous"], &proof["commands_not_tried"]), (&json!([]), &json!([])));
    for id in ["health", "agents"] {
        let detected = ["status_500", "status_404", "refused", "no_answer"];
        assert_eq!(faults(&proof, id, "detected"), detected);
        assert_eq!(faults(&proof, id, "missed"), ["empty_json"], "it asks for a status alone");
    }
    // Its messages are JSON, so that those that are `{}` are a fault.
    let detected = [
        "status_500",
        "status_404",
        "empty_json",
        "refused",
        "no_answer",
        "ws_close_1011",
        "events_missing",
    ];
    assert_eq!(faults(&proof, "dialogue", "detected"), detected);
    assert_eq!(faults(&proof, "dialogue", "missed"), [""; 0]);
    let why = proof["commands"][0]["not_applicable"]["events_missing"].as_str().unwrap();
    assert!(why.contains("no event came"), "{why}");
    assert_eq!(proof["commands"][1]["cases"], 1);
    // Standard error says that the real service is asked, and standard output stays data.
    assert!(did.err.contains("runs against staging as it is"), "{}", did.err);
}

#[test]
fn a_command_that_takes_anything_is_vacuous() {
    let stage =
        with_commands("    - { name: careless, run: sh careless.sh }", &[("careless", CARELESS)]);
    let proof = stage.andon(&["prove", "tools", "--json"]).ends(1).json();
    let whole = ["status_500", "status_404", "refused", "no_answer"];
    // One case that asks for what is not there fails in every run, so its command does.
    for (id, missed) in [("whatever", &whole[..]), ("shy", &[]), ("vanishing", &[])] {
        assert_eq!(faults(&proof, id, "missed"), missed, "{id}");
    }
    assert!(reason(&proof, "red").contains("it fails with the real service"));
    assert_eq!(proof["vacuous"], json!(["whatever"]));
    stage
        .andon(&["prove", "tools"])
        .ends(1)
        .prints(&[
            "whatever passes under status_500, status_404, refused, no_answer: it is vacuous",
        ])
        .prints(&["red was not tried: it fails with the real service"]);

    // Without it the command passes although two of its cases do not: nobody would miss them.
    let alone: String =
        CARELESS.lines().filter(|line| !line.starts_with("check")).collect::<Vec<_>>().join("\n");
    let stage =
        with_commands("    - { name: careless, run: sh careless.sh }", &[("careless", &alone)]);
    let proof = stage.andon(&["prove", "tools", "--json"]).ends(1).json();
    assert_eq!(proof["vacuous"], json!(["whatever", "shy", "vanishing"]));
}

#[test]
fn nothing_is_claimed_of_a_command_that_cannot_be_tried() {
    let commands =
        "    - { name: past, run: sh past.sh }\n    - { name: broken, run: ./absent.sh }";
    let stage = with_commands(commands, &[("past", PAST)]);
    let did = stage.andon(&["prove", "tools", "--json"]).ends(0);
    let proof = did.json();
    assert_eq!(proof["commands_not_tried"], json!(["past", "broken"]));
    assert_eq!(faults(&proof, "past", "not_applicable").len(), 11);
    assert!(reason(&proof, "past").contains("honours neither HTTP_PROXY nor ANDON_VAR_BASE_URL"));
    let why = proof["commands"][1]["not_tried"].as_str().unwrap();
    assert!(why.contains("code 127") && why.contains("absent.sh"), "{why}");
    stage
        .andon(&["prove", "tools"])
        .ends(0)
        .prints(&["command past was not tried with its 1 case: it passed without one connection"]);
    let did = stage.andon(&["prove", "tools", "--no-commands"]).ends(0);
    did.prints(&["commands past, broken were not tried: `--no-commands` was given"]);
    stage.andon(&["prove", "tools", "--revision", "nowhere"]).ends(2).says(&["nowhere"]);
}

/// Whoever wonders why a command is not tried behind faults learns which of its variables go past the proxy, and
/// why nobody was reached; never what stands in them.
#[test]
fn what_does_not_lead_to_the_proxy_is_told_by_name() {
    let commands = "    - name: past\n      run: sh past.sh\n      \
                    env: { API: \"http://me:hunter2@ADDRESS/\", HOST: ADDRESS }";
    let stage = with_commands(commands, &[("past", PAST)]);
    let did = stage.andon(&["prove", "tools", "--json"]);
    let proof = did.ends(0).json();
    let not_led = proof["commands"][0]["not_led"].as_array().unwrap();
    let names: Vec<&str> = not_led.iter().map(|told| told["variable"].as_str().unwrap()).collect();
    assert_eq!(names, ["API", "HOST"]);
    let did = stage.andon(&["prove", "tools"]);
    let did = did.ends(0).prints(&[
        "command past: API is an address of the service with a login in it",
        "command past: HOST is the service's host without a scheme",
    ]);
    let did = did.prints(&["; 1 of 1 command was not tried; 1 of 2 cases was not tried"]);
    assert!(!did.out.contains("hunter2") && !did.err.contains("hunter2"), "{}{}", did.out, did.err);
}

#[test]
fn why_nobody_was_reached_is_told() {
    let astray = "ask \"$ANDON_VAR_BASE_URL/health\" --timeout 2s; say ok astray\nreport\n";
    let stage = with_commands("    - { name: astray, run: sh astray.sh }", &[("astray", astray)]);
    let pipeline = stage.path().join("pipelines/tools.yaml");
    let text = fs::read_to_string(&pipeline).unwrap();
    let base = format!("base_url: \"http://{}\"", stage.address());
    // Nobody listens there without being root.
    fs::write(&pipeline, text.replace(&base, "base_url: \"http://127.0.0.1:1\"")).unwrap();
    let proof = stage.andon(&["prove", "tools", "--json"]).ends(0).json();
    let why = reason(&proof, "astray");
    assert!(
        why.ends_with("reached nobody: no connection to 127.0.0.1:1: connection refused"),
        "{why}"
    );
}

const WRONG: &str = r#"
check absent "$ANDON_VAR_BASE_URL/absent" --expect-status 404 --timeout 2s
report
"#;

/// A right answer that is an error is no sign that its case takes anything.
#[test]
fn a_status_that_the_service_gave_already_is_no_fault() {
    let commands = "    - { name: wrong, run: sh wrong.sh }";
    let stage = with_commands(commands, &[("wrong", WRONG)]);
    let proof = stage.andon(&["prove", "tools", "--json"]).ends(0).json();
    assert_eq!(faults(&proof, "absent", "detected"), ["status_500", "refused", "no_answer"]);
    assert_eq!(faults(&proof, "absent", "missed"), [""; 0]);
    let why = proof["commands"][0]["not_applicable"]["status_404"].as_str().unwrap();
    assert!(why.contains("was a 404 already"), "{why}");
    let why = proof["commands"][0]["not_applicable"]["events_missing"].as_str().unwrap();
    assert!(why.contains("no event came"), "{why}");
}

/// What has one reason is said once.
#[test]
fn many_cases_that_are_not_tried_are_one_line() {
    let skips = "ask \"$ANDON_VAR_BASE_URL/health\"\nfor n in 1 2 3 4 5 6 7 8; do say ok \"s$n # SKIP later\"; done\n\
                 check health \"$ANDON_VAR_BASE_URL/health\" --timeout 2s\nreport\n";
    let stage = with_commands("    - { name: skips, run: sh skips.sh }", &[("skips", skips)]);
    let did = stage.andon(&["prove", "tools"]).ends(0);
    let line = "8 cases were not tried: it is skipped with the real service (s1, s2, s3, s4, s5 and 3 more)";
    did.prints(&[line, "; 8 of 10 cases were not tried"]);
    let commands = "    - { name: one, run: sh skips.sh }\n    - { name: two, run: sh skips.sh }";
    let stage = with_commands(commands, &[("skips", skips)]);
    let did = stage.andon(&["prove", "tools", "--no-commands"]).ends(0);
    did.prints(&["commands one, two were not tried: `--no-commands` was given"]);
}

/// A client without a deadline of its own waits for ever: the run is ended, and its case did not pass.
#[test]
fn a_run_that_is_ended_at_its_deadline_noticed() {
    let patient = "check patient \"$ANDON_VAR_BASE_URL/health\" --timeout 1h\nreport\n";
    let commands = "    - { name: patient, run: sh patient.sh, timeout: 4s }";
    let stage = with_commands(commands, &[("patient", patient)]);
    let proof = stage.andon(&["prove", "tools", "--json"]).ends(0).json();
    assert!(faults(&proof, "patient", "detected").contains(&"no_answer".to_owned()));
}

/// A trial whose command runs for ten minutes, in a place for temporary files that is its own.
struct Endless {
    stage: Stage,
    andon: Child,
    command: Pid,
}

impl Endless {
    fn begun() -> Self {
        let endless =
            "ask \"$ANDON_VAR_BASE_URL/health\"; echo $$ >\"$ANDON_VAR_PIDS/pid\"; sleep 600\n";
        let commands = "    - { name: endless, run: sh endless.sh }";
        let stage = with_commands(commands, &[("endless", endless), ("careful", CAREFUL)]);
        let pipeline = stage.path().join("pipelines/tools.yaml");
        let www = stage.path().join("www");
        fs::create_dir(stage.path().join("temporary")).unwrap();
        let text = fs::read_to_string(&pipeline).unwrap();
        let vars = format!("vars: {{ pids: \"{}\", ", www.display());
        fs::write(&pipeline, text.replace("vars: { ", &vars)).unwrap();
        let andon = start(Self::prove(&stage));
        let written = || fs::read_to_string(www.join("pid")).ok().filter(|pid| pid.ends_with('\n'));
        until("the command runs", || written().is_some());
        let command = Pid::from_raw(written().unwrap().trim().parse().unwrap()).unwrap();
        Self { stage, andon, command }
    }

    /// Whoever runs these tests may have had them ignore a signal, as `nohup` does; this process takes all.
    fn prove(stage: &Stage) -> Command {
        let plain = stage.command();
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").arg(plain.get_program()).args(["prove", "tools"]);
        command.current_dir(plain.get_current_dir().unwrap()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TMPDIR", stage.path().join("temporary"));
        command
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.andon), signal).unwrap();
    }

    fn command_lives(&self) -> bool {
        test_kill_process(self.command).is_ok()
    }

    fn folders(&self) -> usize {
        fs::read_dir(self.stage.path().join("temporary")).unwrap().count()
    }

    /// The exit code, and what standard error said.
    fn ended(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.andon.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.andon.wait().unwrap().code(), said)
    }
}

/// Nothing of it is left behind: neither a process nor a folder. And whoever waits knows for what.
#[test]
fn a_signal_ends_the_command_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut endless = Endless::begun();
        endless.signal(signal);
        let (code, said) = endless.ended();
        assert_eq!(code, Some(4), "{signal:?}");
        assert!(!endless.command_lives(), "{signal:?}: it still runs");
        assert_eq!(endless.folders(), 0);
        let word =
            "the command that runs is ended with all its processes; a second signal (Ctrl-C)";
        assert_eq!(said.matches(word).count(), 1, "{said}");
    }
}

#[test]
fn a_command_ends_behind_a_trial_that_is_killed_and_its_folder_goes_with_the_next() {
    let mut endless = Endless::begun();
    endless.signal(Signal::KILL);
    assert_eq!(endless.ended().0, None);
    until("the command ends with whoever tried it", || !endless.command_lives());
    assert_eq!(endless.folders(), 1);
    let pipeline = endless.stage.path().join("pipelines/tools.yaml");
    let text = fs::read_to_string(&pipeline).unwrap();
    fs::write(&pipeline, text.replace("endless", "careful")).unwrap();
    until("its supervisor has ended, too", || {
        did(Endless::prove(&endless.stage)).ends(0);
        endless.folders() == 0
    });
}
