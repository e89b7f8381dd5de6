//! Plays a story. After every run it also checks what must hold whatever the story is about: reports of
//! earlier cycles never change, reports agree with the records, no secret is anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::events;
use super::expect;
use super::story::{Andon, Commit, Edit, FileCheck, Run, Step, Story};
use crate::support::{CANARY, Done, Place, Running, Stable, alive};
use base64::Engine as _;

/// The deploy script of scenarios that bring none.
const DEPLOY: &str = include_str!("../deploy.sh");
/// The deploy script of those whose staging is the bundled service.
const DEPLOY_SERVICE: &str = include_str!("../../../examples/chat-staging/deploy/staging.sh");

/// Plays the scenario in this folder of `tests/scenarios`.
pub(crate) fn play(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    let text = fs::read_to_string(folder.join("story.yaml")).unwrap();
    let story: Story =
        serde_yaml::from_str(&text).unwrap_or_else(|fault| panic!("{name}/story.yaml: {fault}"));
    let mut player = Player {
        place: Place::new(),
        told: vec![format!("{} (rows {:?})", story.title, story.origin)],
        reports: BTreeMap::new(),
        last: None,
    };
    player.lay_out(&folder);
    for (number, step) in story.steps.iter().enumerate() {
        player.step(&format!("step {}", number + 1), step);
    }
    player.finish(&folder, story.report_of);
}

struct Player {
    place: Place,
    /// The lines of `events.txt`.
    told: Vec<String>,
    /// The bytes of every report that was ever written.
    reports: BTreeMap<PathBuf, Vec<u8>>,
    /// Pipeline and cycle of the last run.
    last: Option<(String, u64)>,
}

impl Player {
    /// The scenario's pipelines and suites, and what else it brings, into the working directory.
    fn lay_out(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && !["story.yaml", "events.txt", "report.md"].contains(&name.as_str())
            {
                self.place.write(&name, &fs::read_to_string(&path).unwrap());
            }
        }
    }

    fn step(&mut self, what: &str, step: &Step) {
        match step {
            Step::Commit(commit) => self.commit(commit),
            Step::Run(run) => self.run(what, run),
            Step::Together(runs) => self.together(what, runs),
            Step::Andon(andon) => self.andon(what, andon),
            Step::Edit(edit) => self.edit(edit),
            Step::File(check) => self.check_file(what, check),
            Step::Absent(paths) => {
                for path in paths {
                    assert!(!self.place.file(path).exists(), "{what}: {path} is there");
                }
            }
            Step::Gone(path) => {
                for pid in self.place.read(path).lines() {
                    assert!(!alive(pid.parse().unwrap()), "{what}: process {pid} lives");
                }
            }
            Step::Requests(wanted) => {
                for (path, wanted) in wanted {
                    assert_eq!(self.place.stage().requests(path), *wanted, "{what}: {path}");
                }
            }
            Step::Env(variables) => {
                for (name, value) in variables {
                    self.place.set_env(name, value);
                }
            }
        }
    }

    fn commit(&mut self, commit: &Commit) {
        let first = self.place.commits().is_empty();
        let mut files = Vec::new();
        for (path, text) in &commit.files {
            files.push((path.clone(), text.clone(), path.ends_with(".sh")));
        }
        let stage = commit.stage.clone().or_else(|| first.then(Default::default));
        if let Some(stage) = stage {
            files.push(("stage.yaml".to_owned(), serde_json::to_string(&stage).unwrap(), false));
        }
        if let Some(service) = &commit.service {
            files.push(("service.yaml".to_owned(), service.to_string(), false));
        }
        let usual = match (&commit.deploy, first, &commit.service) {
            (Some(script), _, _) => Some(script.as_str()),
            (None, true, Some(_)) => Some(DEPLOY_SERVICE),
            (None, true, None) => Some(DEPLOY),
            (None, false, _) => None,
        };
        files.extend(usual.map(|script| ("deploy.sh".to_owned(), script.to_owned(), true)));
        let subject = format!("{}\n", commit.subject);
        files.push(("CHANGES".to_owned(), subject, false));
        self.place.commit(&commit.subject, &files);
    }

    fn run(&mut self, what: &str, run: &Run) {
        let done = self.place.andon(&self.args_of(run));
        self.judge(what, run, done);
    }

    fn together(&mut self, what: &str, runs: &[Run]) {
        let running: Vec<_> = runs.iter().map(|run| self.place.start(&self.args_of(run))).collect();
        let done: Vec<Done> = running.into_iter().map(Running::wait).collect();
        self.told.push(String::new());
        self.told.push(format!("$ {} runs at once", runs.len()));
        for (run, done) in runs.iter().zip(done) {
            let done = done.expect_code(run.exit);
            self.check_cycle(what, run, &done);
        }
    }

    fn args_of<'a>(&'a self, run: &'a Run) -> Vec<&'a str> {
        let own = run.args.iter().map(|arg| match arg.as_str() {
            "@first" => self.place.commits()[0].as_str(),
            other => other,
        });
        ["run", run.pipeline.as_str(), "--json"].into_iter().chain(own).collect()
    }

    fn judge(&mut self, what: &str, run: &Run, done: Done) {
        let done = done.expect_code(run.exit);
        self.told.push(String::new());
        self.told.push(format!("$ {} → {}", self.args_of(run).join(" "), run.exit));
        expect::says(&done.stderr, &run.stderr, &format!("{what}: standard error"));
        if done.stdout.is_empty() {
            let said = done.stderr.lines().map(|line| format!("stderr: {line}"));
            self.told.extend(said);
            assert!(run.verdict.is_none() && run.json.is_empty(), "{what}: no cycle was printed");
            return;
        }
        self.told.extend(events::lines(&done.events()));
        self.check_cycle(what, run, &done);
    }

    fn check_cycle(&mut self, what: &str, run: &Run, done: &Done) {
        let cycle = done.cycle();
        let verdict = cycle["verdict"].as_str().map(str::to_owned);
        assert_eq!(verdict, run.verdict, "{what}: verdict; {}", done.stderr);
        expect::json(&cycle, &run.json, what);
        let (pipeline, number) =
            (cycle["pipeline"].as_str().unwrap().to_owned(), cycle["cycle"].as_u64().unwrap());
        if cycle["report"].is_string() {
            let report = self.place.read(&report_path(&pipeline, number));
            expect::says(&report, &run.report, &format!("{what}: the report"));
            let shown = self.place.andon(&["show", &pipeline, &number.to_string(), "--json"]);
            assert_eq!(shown.expect_code(0).json(), cycle, "{what}: show --json");
        }
        self.last = Some((pipeline, number));
        self.check_what_always_holds(what);
    }

    fn check_what_always_holds(&mut self, what: &str) {
        self.check_reports(what);
        self.check_secrets(what);
    }

    /// A report is never changed after its cycle ended; and it says what the records say.
    fn check_reports(&mut self, what: &str) {
        for path in self.place.files_under("reports") {
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.starts_with("cycle-") {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let before = self.reports.entry(path.clone()).or_insert_with(|| bytes.clone());
            assert!(*before == bytes, "{what}: {} was changed", path.display());
        }
    }

    /// The secret stands nowhere: not in the state, not in reports, not in what was printed.
    fn check_secrets(&self, what: &str) {
        let raw = CANARY.as_bytes();
        let base64 = base64::engine::general_purpose::STANDARD.encode(raw);
        let percent: String = url::form_urlencoded::byte_serialize(raw).collect();
        let forms = [
            raw.to_vec(),
            hex::encode(raw).into_bytes(),
            base64.into_bytes(),
            percent.into_bytes(),
        ];
        for folder in [".andon", "reports", "logs"] {
            for path in self.place.files_under(folder) {
                let bytes = fs::read(&path).unwrap_or_default();
                for form in &forms {
                    let found = bytes.windows(form.len()).any(|window| window == form.as_slice());
                    assert!(!found, "{what}: a secret stands in {}", path.display());
                }
            }
        }
    }

    fn andon(&mut self, what: &str, andon: &Andon) {
        let args: Vec<&str> = andon.args.iter().map(String::as_str).collect();
        let done = self.place.andon(&args).expect_code(andon.exit);
        expect::says(&done.stdout, &andon.out, &format!("{what}: standard output"));
        expect::says(&done.stderr, &andon.stderr, &format!("{what}: standard error"));
        if !andon.json.is_empty() {
            expect::json(&done.json(), &andon.json, what);
        }
    }

    fn edit(&mut self, edit: &Edit) {
        let file = self.place.find(&edit.file);
        let text = match &edit.replace {
            None => edit.with.clone(),
            Some(piece) => {
                let before = self.place.read(&file);
                assert!(before.contains(piece), "{} lacks {piece:?}", edit.file);
                before.replacen(piece, &edit.with, 1)
            }
        };
        self.place.write(&file, &text);
    }

    fn check_file(&self, what: &str, check: &FileCheck) {
        let text = self.place.read(&self.place.find(&check.path));
        for piece in &check.has {
            assert!(text.contains(piece), "{what}: {} lacks {piece:?}:\n{text}", check.path);
        }
        for piece in &check.lacks {
            assert!(!text.contains(piece), "{what}: {} has {piece:?}:\n{text}", check.path);
        }
        if let Some(lines) = check.lines {
            assert_eq!(text.lines().count(), lines, "{what}: {}:\n{text}", check.path);
        }
    }

    fn finish(&self, folder: &Path, report_of: Option<u32>) {
        let stable = Stable::new(&self.place.path().display().to_string(), self.place.commits());
        let told = stable.text(&self.told.join("\n"));
        expect::same_as_file(&folder.join("events.txt"), &format!("{told}\n"), "events");
        let Some((pipeline, last)) = &self.last else { return };
        let cycle = report_of.map_or(*last, u64::from);
        let report = stable.text(&self.place.read(&report_path(pipeline, cycle)));
        expect::same_as_file(&folder.join("report.md"), &report, "report");
        // Written again from the records, not one byte differs; and a recount finds nothing.
        let rebuilt = self.place.andon(&["report", pipeline, "--rebuild", "--json"]).expect_code(0);
        assert_eq!(rebuilt.json()["written"], 0, "a rebuild changed reports");
        let cycle = cycle.to_string();
        self.place.andon(&["report", pipeline, &cycle, "--verify"]).expect_code(0);
        self.place.andon(&["doctor"]).expect_code(0);
    }
}

fn report_path(pipeline: &str, cycle: u64) -> String {
    format!("reports/{pipeline}/cycle-{cycle:04}.md")
}
