//! The recipes of `docs/recipes`, with the real tools: the fragment that stands on the page is what runs.
//!
//! Each has a project under `tests/data/recipes`: `first` is committed and run, then `second` over it, in which
//! one case regresses and one is fixed. A tool that is missing is an error; `scripts/test` installs them all.
//! Where a tool is too large for that, `stand-in` has a program of its name that gives what the tool itself gave
//! over this project once, and the page says that the recipe is recorded, not tried.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, dead_code)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use support::{CommitFiles, Place};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where `scripts/tools/install` puts the tools of Python and Node.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools");

/// A staging that serves what was committed, and tools beside the checkout as an install step leaves them.
const PIPELINE: &str = r#"version: 1
name: shop
environment: staging
vars:
  stage: "${env.STAGE_DIR}"
  tools: "${env.NODE_TOOLS}"
  base_url: "http://${env.STAGE_ADDRESS}"
watch: { repo: repo, poll: off }
deploy:
  steps:
    - { name: Install, run: '[ ! -f package.json ] || ln -s "$ANDON_VAR_TOOLS" node_modules', timeout: 10s }
    - { name: Roll out, run: ./deploy.sh, timeout: 30s }
ready:
  timeout: 30s
  every: 20ms
  successes: 2
  revision:
    - { surface: api, http: { url: "${base_url}/version" }, value: json $.revision }
suite:
  name: P1
  timeout: 80s
  retries: 1
  commands:
"#;

/// What the run of a recipe has to show.
struct Recipe {
    /// Its heading on the page.
    heading: &'static str,
    /// The folder of its project.
    project: &'static str,
    /// The programs it cannot do without.
    tools: &'static [&'static str],
    /// The ids that are expected to regress in the second cycle.
    regressed: &'static [&'static str],
    /// The ids that are expected to be fixed in it.
    fixed: &'static [&'static str],
    /// How many cases it has.
    cases: u64,
    /// What runs, in that order.
    parts: &'static [&'static str],
}

impl Recipe {
    fn play(&self) {
        let mut place = Place::new();
        place.set_env("PATH", &self.path());
        place.set_env("NODE_TOOLS", &format!("{TOOLS}/npm/node_modules"));
        place.write("pipeline.yaml", &format!("{PIPELINE}{}", fragment(&self.title())));
        place.commit("First version", &self.files("first"));
        let before = self.run(&place);
        assert_eq!(before["suite"]["passed"], self.cases - self.fixed.len() as u64, "{before:#}");
        place.commit("Breaks one, mends another", &self.files("second"));
        let cycle = self.run(&place);
        assert_eq!(cycle["changes"]["regressed"], json!(self.regressed), "{cycle:#}");
        assert_eq!(cycle["changes"]["fixed"], json!(self.fixed), "{cycle:#}");
    }

    /// One cycle, of which the command's tests say all there is to say.
    fn run(&self, place: &Place) -> serde_json::Value {
        let cycle = place.andon(&["run", "pipeline.yaml", "--json"]).expect_code(1).cycle();
        assert_eq!(cycle["suite"]["planned"], self.cases, "{cycle:#}");
        let ids = cycle["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str());
        let whole: Vec<_> = ids.flatten().filter(|id| id.starts_with("command ")).collect();
        assert!(whole.is_empty(), "{whole:?} of {cycle:#}");
        let parts = cycle["commands"].as_array().unwrap().iter();
        let parts: Vec<_> = parts.map(|command| command["part"].as_str().unwrap()).collect();
        assert_eq!(parts, self.parts, "{cycle:#}");
        let through_proxy = fragment(&self.title()).contains("observe: proxy");
        if through_proxy && self.stand_in().is_none() {
            let hosts = cycle["commands"][0]["hosts"].as_array().unwrap();
            let hosts: Vec<_> = hosts.iter().map(|host| &host["host"]).collect();
            assert_eq!(hosts, [&json!(place.stage().address())], "{cycle:#}");
        }
        cycle
    }

    fn folder(&self) -> PathBuf {
        Path::new(ROOT).join("tests/data/recipes").join(self.project)
    }

    /// Where the programs are that stand for the tool, if it is too large to be installed.
    fn stand_in(&self) -> Option<PathBuf> {
        Some(self.folder().join("stand-in")).filter(|folder| folder.is_dir())
    }

    /// The line over the recipe on the page.
    fn title(&self) -> String {
        let mark = self.stand_in().map_or("tried", |_| "recorded");
        format!("{} — *{mark}*", self.heading)
    }

    /// A `PATH` on which its tools are, those of `target/tools` and this toolchain first.
    fn path(&self) -> String {
        let installed = Path::new(TOOLS);
        let mut folders: Vec<PathBuf> = self.stand_in().into_iter().collect();
        folders.extend(["python/bin", "npm/node_modules/.bin"].map(|path| installed.join(path)));
        folders.extend(std::env::var_os("CARGO").and_then(|cargo| {
            // The toolchain itself: the home in which rustup looks for one is not that of the test.
            PathBuf::from(cargo).parent().map(Path::to_owned)
        }));
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        for tool in self.tools {
            let there = folders.iter().any(|folder| folder.join(tool).is_file());
            assert!(
                there,
                "{tool} is neither under target/tools nor on PATH: scripts/test installs it"
            );
        }
        std::env::join_paths(folders).unwrap().into_string().unwrap()
    }

    /// The files of a revision, and what the staging needs.
    fn files(&self, revision: &str) -> CommitFiles {
        let folder = self.folder().join(revision);
        let mut files = vec![
            ("deploy.sh".to_owned(), include_str!("scenarios/deploy.sh").to_owned(), true),
            ("stage.yaml".to_owned(), "routes: {}\n".to_owned(), false),
        ];
        let mut folders = vec![folder.clone()];
        while let Some(within) = folders.pop() {
            for entry in fs::read_dir(&within).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let relative = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                    files.push((relative, fs::read_to_string(&path).unwrap(), false));
                }
            }
        }
        files
    }
}

fn page() -> String {
    fs::read_to_string(Path::new(ROOT).join("docs/recipes/README.md")).unwrap()
}

fn sections(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n## ").skip(1)
}

/// The line over a section that says that its recipe is tried, or recorded.
fn marked(section: &str) -> Option<&str> {
    section.lines().next().filter(|line| line.contains(" — *"))
}

/// The fragment under that line of the page, as it stands under `suite.commands`.
fn fragment(title: &str) -> String {
    let page = page();
    let under = sections(&page).find(|section| marked(section) == Some(title));
    let under = under.unwrap_or_else(|| panic!("no recipe under {title}"));
    let (_, yaml) = under.split_once("```yaml\n").unwrap();
    let (yaml, _) = yaml.split_once("```").unwrap();
    yaml.lines().map(|line| format!("    {line}\n")).collect()
}

macro_rules! recipes {
    ($($test:ident => $recipe:expr,)*) => {
        $(#[test]
        fn $test() {
            $recipe.play();
        })*

        /// A recipe that says that it is tried, and is not, would be a lie.
        #[test]
        fn every_recipe_that_is_said_to_be_tried_or_recorded_is() {
            let page = page();
            let said: Vec<_> = sections(&page).filter_map(marked).collect();
            assert_eq!(said, [$($recipe.title()),*]);
        }
    };
}

recipes! {
    pytest => Recipe {
        heading: "pytest",
        project: "pytest",
        tools: &["pytest"],
        regressed: &["tests.test_cart.TestTotal::test_adds"],
        fixed: &["tests.test_cart::test_slug[Caf\\xe9 au lait-caf\\xe9-au-lait]"],
        cases: 6,
        parts: &["list", "tests", "rerun"],
    },
    playwright => Recipe {
        heading: "Playwright",
        project: "playwright",
        tools: &["npx", "playwright"],
        regressed: &["cart.spec.js::total::adds"],
        fixed: &["cart.spec.js::slug"],
        cases: 3,
        parts: &["tests"],
    },
    jest => Recipe {
        heading: "Jest",
        project: "jest",
        tools: &["npx", "jest"],
        regressed: &["cart.test.js > total::adds"],
        fixed: &["cart.test.js::slug"],
        cases: 3,
        parts: &["tests"],
    },
    vitest => Recipe {
        heading: "Vitest",
        project: "vitest",
        tools: &["npx", "vitest"],
        regressed: &["cart.test.js::total > adds"],
        fixed: &["cart.test.js::slug"],
        cases: 3,
        parts: &["tests"],
    },
    go_test => Recipe {
        heading: "go test",
        project: "go",
        tools: &["go"],
        regressed: &["example.com/cart::TestTotal", "example.com/cart::TestTotal/adds"],
        fixed: &["example.com/cart::TestSlug"],
        cases: 4,
        parts: &["tests"],
    },
    cargo_nextest => Recipe {
        heading: "cargo nextest",
        project: "nextest",
        tools: &["cargo", "cargo-nextest"],
        regressed: &["cart::cart::total_adds"],
        fixed: &["cart::cart::slugs"],
        cases: 3,
        parts: &["tests"],
    },
    maven => Recipe {
        heading: "Maven (Surefire)",
        project: "maven",
        tools: &["mvn", "javac"],
        regressed: &["com.example.CartTest::totalAdds"],
        fixed: &["com.example.CartTest::slug"],
        cases: 3,
        parts: &["tests"],
    },
    robot_framework => Recipe {
        heading: "Robot Framework",
        project: "robot",
        tools: &["robot"],
        regressed: &["Cart > Tests.Cart::Total Adds"],
        fixed: &["Cart > Tests.Cart::Slug"],
        cases: 3,
        parts: &["tests"],
    },
    bats => Recipe {
        heading: "bats",
        project: "bats",
        tools: &["bats"],
        regressed: &["total adds"],
        fixed: &["slug"],
        cases: 3,
        parts: &["tests"],
    },
    newman => Recipe {
        heading: "Newman",
        project: "newman",
        tools: &["npx", "newman"],
        regressed: &["total / of a cart > TotalOfACart::adds"],
        fixed: &["slug > Slug::has no space"],
        cases: 3,
        parts: &["tests"],
    },
    hurl => Recipe {
        heading: "Hurl",
        project: "hurl",
        tools: &["hurl"],
        regressed: &["tests/total.hurl"],
        fixed: &["tests/slug.hurl"],
        cases: 3,
        parts: &["list", "tests", "rerun"],
    },
    artillery => Recipe {
        heading: "Artillery",
        project: "artillery",
        tools: &["npx"],
        regressed: &["http.response_time.p95 < 200"],
        fixed: &["vusers.failed < 1"],
        cases: 3,
        parts: &["tests"],
    },
}
