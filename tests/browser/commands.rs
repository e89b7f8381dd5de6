//! The tests of another tool turn on the page of their cycle while the tool runs, as far as it writes them down.

use serde_json::Value;

use crate::browser::{Browser, Script};
use crate::checks;
use crate::support::{Place, until};

const PIPELINE: &str = r#"version: 1
name: parts
environment: parts
vars: { stage: "${env.STAGE_DIR}" }
watch: { repo: ../repo, poll: off }
suite:
  name: P1
  retries: 0
  commands:
    - { name: unit, run: ./tool.sh tests, list: ./tool.sh list, timeout: 60s, area: Parts }
"#;
/// It has told of two tests when it waits.
const TOOL: &str = r#"#!/bin/sh
set -eu
[ "$1" = list ] && { printf 'adds\npays\nends\n'; exit; }
printf 'TAP version 13\n1..3\nok 1 - adds\nnot ok 2 - pays\n' >"$ANDON_RESULTS/r.tap"
while [ ! -e "$ANDON_VAR_STAGE/go-on" ]; do sleep 0.02; done
printf 'not ok 3 - ends\n' >>"$ANDON_RESULTS/r.tap"
exit 1
"#;

#[tokio::test(flavor = "multi_thread")]
async fn tests_of_a_command_turn_while_it_runs() {
    let mut place = Place::new();
    place.write("pipelines/parts.yaml", PIPELINE);
    place.commit("First version", &vec![("tool.sh".to_owned(), TOOL.to_owned(), true)]);
    let _daemon = place.start(&["daemon", "--listen", "127.0.0.1:0"]);
    until("the daemon answers", || place.file(".andon/daemon.json").exists());
    let told: Value = serde_json::from_str(&place.read(".andon/daemon.json")).unwrap();
    let browser = Browser::open(told["url"].as_str().unwrap(), Script::On).await;
    browser.visit("/pipelines/parts").await;
    browser.until_shown("[data-connection]", "live").await;
    place.andon(&["trigger", "parts"]).expect_code(0);
    browser.until_shown("#now", "cycle 1, suite").await;
    browser.visit("/pipelines/parts/cycles/1").await;
    browser.until_shown("#cases", "ends").await;
    checks::watch(&browser).await;
    let rows = |wanted: &str| {
        format!(
            "return [...document.querySelectorAll('#cases tbody tr')].map((row) => `${{row.dataset.case}} ${{row.cells[2].innerText}}`).join() === '{wanted}'"
        )
    };
    let halfway = rows("adds passed,pays failed,ends –");
    browser.until("what is written down is shown", &halfway).await;
    browser.until_shown("#phases", "2 of 3 cases · 1 failing").await;
    place.stage().open("go-on");
    browser.until_shown("#head", "red").await;
    browser.until("the end", &rows("adds passed,pays failed,ends failed")).await;
    checks::stood_still(&browser).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}
