//! A pipeline's grid of a thousand cases by two hundred cycles: as much of it is drawn as is seen, whatever is looked at.

use andon::daemon::LiveEvent;
use andon::domain::event::{Event, Finished, RevisionResolved};
use andon::domain::names::CaseId;
use andon::domain::outcome::{Change, Outcome, Verdict};
use andon::domain::revision::{Revision, Sha};
use andon::engine::{Clock as _, SystemClock};
use andon::store::{Append, CaseRow, Projection};
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{Browser, Screen, Script};
use crate::checks::faults;
use crate::house::{House, event, house};

const CASES: u32 = 1_000;
const CYCLES: u32 = 200;
const AREAS: [&str; 4] = ["Login", "Basket", "Search", "Agent execution"];
/// So many elements are few: all cells would be two hundred thousand.
const FEW: u64 = 6_000;

/// What became of a case in a cycle: always the same.
fn outcome(case: u32, cycle: u32) -> Option<Outcome> {
    let mixed = case.wrapping_mul(2_654_435_761) ^ cycle.wrapping_mul(40_503);
    match (case, mixed % 97) {
        // Planned since cycle 100 only.
        (900.., _) if cycle < 100 => None,
        (7 | 300 | 301, _) if cycle > 180 => Some(Outcome::Failed),
        (_, 3) => Some(Outcome::Failed),
        (_, 5) => Some(Outcome::Flaky),
        (_, 7) if case.is_multiple_of(9) => Some(Outcome::NotRun),
        (_, 11) if case.is_multiple_of(9) => Some(Outcome::Skipped),
        (_, 13) if case.is_multiple_of(5) => Some(Outcome::Errored),
        _ => Some(Outcome::Passed),
    }
}

fn id(case: u32) -> String {
    format!("test_{case:04}_{}", ["opens", "pays/by card", "finds", "answers"][case as usize % 4])
}

fn row(case: u32, cycle: u32) -> Option<CaseRow> {
    let now = outcome(case, cycle)?;
    let was = outcome(case, cycle.saturating_sub(1).max(1));
    let change = match (was.is_some_and(Outcome::is_failing), now.is_failing()) {
        (false, true) => Change::Regressed,
        (true, true) => Change::StillFailing,
        (true, false) => Change::Fixed,
        (false, false) => Change::StillPassing,
    };
    Some(CaseRow {
        case: CaseId::parse(&id(case)).unwrap(),
        outcome: Some(now),
        change: Some(change),
        duration_ms: 40,
        attempts: 1,
        fingerprint: None,
    })
}

fn plan() -> Event {
    let cases: Vec<Value> = (0..CASES)
        .map(|case| {
            json!({
                "id": id(case), "name": id(case), "area": AREAS[case as usize % 4],
                "priority": format!("P{}", 1 + case % 3), "owner": "chat-team", "digest": "d1",
            })
        })
        .collect();
    event(json!({
        "kind": "suite_planned", "name": "P1", "digest": "d1", "cases": cases,
        "flaky": "pass", "suspicious": "warn", "deadline_at": "2026-11-27T12:00:00Z",
    }))
}

/// A daemon that has run all of it.
pub(crate) async fn long_lived() -> House {
    let house = house(&[]).await;
    for cycle in 1..=CYCLES {
        run(&house, cycle).await;
    }
    house
}

/// Runs one more cycle, and tells those who listen.
async fn run(house: &House, cycle: u32) {
    let key = house.begin_cycle("chat").await;
    let cases: Vec<CaseRow> = (0..CASES).filter_map(|case| row(case, cycle)).collect();
    let bad = cases.iter().any(|row| row.outcome.is_some_and(Outcome::is_failing));
    let verdict = if bad { Verdict::Red } else { Verdict::Green };
    let revision = Revision {
        sha: Sha::parse(&format!("{cycle:07x}").repeat(6)[..40]).unwrap(),
        subject: format!("Change {cycle} of the basket"),
        author: "Ada Brandt".to_owned(),
        branch: Some("main".to_owned()),
        time: SystemClock.now(),
    };
    let resolved = RevisionResolved { revision, checkout: None, left_out: Vec::new() };
    let mut events = vec![Event::RevisionResolved(resolved)];
    if cycle >= CYCLES {
        events.push(plan());
    }
    events.push(Event::Finished(Finished { verdict, void_reason: None }));
    let append = Append {
        cycle: key.clone(),
        expected_seq: 1,
        lease: None,
        events,
        at: SystemClock.now(),
        projection: Projection { cases, ..Projection::default() },
    };
    for recorded in house.store.append(append).await.unwrap() {
        house.handle.publish(LiveEvent { cycle: key.clone(), recorded });
    }
}

async fn open(house: &House, script: Script, path: &str) -> Browser {
    let browser = Browser::open(&format!("http://{}", house.address), script).await;
    browser.visit(path).await;
    browser
}

const DRAWN: &str = "return document.querySelectorAll('[role=gridcell]').length > 100";
/// The label of the cell that the focus is on.
const HELD: &str = "return document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent";

/// What the cell of a case in a cycle says, as far as it is drawn; and whether it can be seen.
fn says(case: u32, cycle: u32) -> String {
    let (id, begins) = (json!(id(case)), json!(format!("cycle {cycle}: ")));
    format!(
        "const row = [...document.querySelectorAll('[data-grid] [role=row]')].find((it) => !it.hidden && it.querySelector('[role=rowheader] a')?.textContent === {id});
         const cell = [...row?.querySelectorAll('[role=gridcell]') ?? []].filter((it) => !it.hidden).map((it) => it.getAttribute('aria-label') ? it : it.firstElementChild).find((it) => it.getAttribute('aria-label').startsWith({begins}));
         if (!cell) return null;
         const box = document.querySelector('[data-grid]').getBoundingClientRect(), place = cell.getBoundingClientRect();
         return place.left >= box.left && place.right <= box.right && place.bottom <= box.bottom ? cell.getAttribute('aria-label').slice({begins}.length) : 'unseen'"
    )
}

fn word(outcome: Option<Outcome>) -> String {
    outcome.map_or("not planned".to_owned(), |outcome| outcome.as_str().replace('_', " "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_cases_by_two_hundred_cycles_are_drawn_as_they_are_seen() {
    let house = long_lived().await;
    let browser = open(&house, Script::On, "/pipelines/chat").await;
    browser.until("the grid is drawn", DRAWN).await;
    let sizes = "const grid = document.querySelector('[role=grid]'); return [grid.ariaRowCount, grid.ariaColCount]";
    assert_eq!(browser.ask(sizes).await, json!(["1001", "201"]));
    // The newest cycle is seen first, and what fails now.
    assert!(browser.ask(&says(7, 200)).await.as_str().unwrap().starts_with("failed, "));
    // The far corner: the oldest cycle of the last case.
    let last = "return document.querySelector('[data-grid]').scrollTo(0, 1e6) ?? true";
    browser.ask(last).await;
    let corner = "const names = [...document.querySelectorAll('[role=row]:not([hidden]) [role=rowheader] a')]; return names.some((it) => it.closest('[role=row]').ariaRowIndex === '1001')";
    browser.until("the last row is drawn", corner).await;
    let name = "return [...document.querySelectorAll('[role=row]')].find((it) => it.ariaRowIndex === '1001').querySelector('a').textContent";
    let name = browser.ask(name).await.as_str().unwrap().to_owned();
    let case: u32 = name[5..9].parse().unwrap();
    for cycle in [1, 2, 3] {
        let said = browser.ask(&says(case, cycle)).await;
        let said = said.as_str().unwrap_or_else(|| panic!("{name} in {cycle}: {said}"));
        assert!(said.starts_with(&word(outcome(case, cycle))), "{name} in {cycle}: {said}");
        assert!(said.ends_with(&format!("Change {cycle} of the basket")), "{said}");
    }
    let few = "return document.querySelectorAll('[data-grid] *').length";
    let count = browser.ask(few).await.as_u64().unwrap();
    assert!(count < FEW, "{count} elements");
    // To and fro leaves no more of them.
    for (left, top) in [(5_000, 3_000), (0, 20_000), (1e6 as u32, 12_345), (2_500, 0)] {
        browser
            .ask(&format!(
                "document.querySelector('[data-grid]').scrollTo({left}, {top}); return true"
            ))
            .await;
        browser.ask_later("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)))").await;
    }
    assert!(browser.ask(few).await.as_u64().unwrap() < FEW);
    // A cycle that joins is seen by whoever looks at the newest ones.
    browser.until_shown("[data-connection]", "live").await;
    browser.ask("document.querySelector('[data-grid]').scrollTo(1e6, 0); return true").await;
    run(&house, CYCLES + 1).await;
    let joined =
        format!("return ((() => {{ {} }})() ?? '').startsWith('failed, ')", says(7, CYCLES + 1));
    browser.until("the new cycle is drawn", &joined).await;
    assert_eq!(browser.ask(sizes).await, json!(["1001", "201"]));
    assert_eq!(faults(&browser).await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_goes_through_the_grid_and_opens_a_case_in_a_cycle() {
    let house = long_lived().await;
    let browser = open(&house, Script::On, "/pipelines/chat").await;
    browser.until("the grid is drawn", DRAWN).await;
    // One stop of Tab for all of it.
    browser.ask("document.querySelector('select[name=change]').focus(); return true").await;
    browser.press(Key::Tab).await;
    assert!(browser.ask(HELD).await.as_str().unwrap().starts_with("cycle 200: failed"));
    browser.press(Key::Left).await;
    assert!(browser.ask(HELD).await.as_str().unwrap().starts_with("cycle 199: "));
    browser.until("its cycle, revision and outcome are shown", "return document.querySelector('.vtip').checkVisibility() && /cycle 199 .*\\n?.*Change 199/s.test(document.querySelector('.vtip').innerText)").await;
    browser.press(Key::Up).await;
    assert!(browser.ask(HELD).await.as_str().unwrap().starts_with("cycle 199: red"));
    browser.press(Key::Home).await;
    browser.press(Key::Down).await;
    browser.press(Key::PageDown).await;
    browser.press(Key::End).await;
    let held = browser.ask(HELD).await;
    assert!(held.as_str().unwrap().starts_with("cycle 200: "), "{held}");
    // Scrolled out of sight the focus stays with the grid, and arrows go on from where they were.
    browser.ask("document.querySelector('[data-grid]').scrollTo(0, 20000); return true").await;
    browser
        .until("the grid has the focus", "return document.activeElement.matches('[role=grid]')")
        .await;
    browser.press(Key::Left).await;
    assert!(browser.ask(HELD).await.as_str().unwrap().starts_with("cycle 199: "));
    let case = "return document.activeElement.closest('[role=row]').querySelector('[role=rowheader] a').textContent";
    let case = browser.ask(case).await.as_str().unwrap().to_owned();
    browser.press(Key::Enter).await;
    let encoded = case.replace(' ', "%20");
    browser
        .until(
            "the case is opened",
            &format!("return location.pathname === '/pipelines/chat/cycles/199/cases/{encoded}'"),
        )
        .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_for_stands_in_the_address() {
    let house = long_lived().await;
    let browser = open(&house, Script::On, "/pipelines/chat?area=Search&outcome=failing").await;
    browser.until_shown("[data-grid-count]", " of 1000 cases").await;
    let shown = "return +document.querySelector('[role=grid]').ariaRowCount - 1";
    let failing = (0..CASES).filter(|case| {
        let known =
            (1..=CYCLES).rev().filter_map(|cycle| outcome(*case, cycle)).find(|it| it.is_known());
        known.is_some_and(Outcome::is_failing)
    });
    let of_search = failing.clone().filter(|case| case % 4 == 2).count();
    assert_eq!(browser.ask(shown).await, of_search);
    browser.ask("const area = document.querySelector('select[name=area]'); area.value = ''; area.dispatchEvent(new Event('input', { bubbles: true })); return true").await;
    browser
        .until(
            "all areas are shown",
            &format!(
                "return +document.querySelector('[role=grid]').ariaRowCount - 1 === {}",
                failing.count()
            ),
        )
        .await;
    browser.fill("#grid input[name=find]", "test_0301").await;
    browser.until_shown("[data-grid-count]", "1 of 1000 cases").await;
    let address = browser.ask("return location.search").await;
    assert_eq!(address, "?outcome=failing&find=test_0301");
    browser.visit(&format!("/pipelines/chat{}", address.as_str().unwrap())).await;
    browser.until_shown("[data-grid-count]", "1 of 1000 cases").await;
    // What matches nothing is said as it was asked, and one click takes it back.
    browser.fill("#grid input[name=find]", "x").await;
    browser.until_shown("[data-none]", "No case matches “test_0301x”, outcome failing now.").await;
    browser.click("[data-clear]").await;
    browser.until_shown("[data-grid-count]", "1000 cases").await;
    assert_eq!(browser.ask("return location.search").await, "");
    let shown = "return document.querySelector('[data-none]').checkVisibility()";
    assert_eq!(browser.ask(shown).await, false);
    browser.visit("/pipelines/chat?area=Nowhere").await;
    browser.until_shown("[data-grid-count]", "1000 cases").await;
    browser.until_shown("[data-unknown]", "There is no area “Nowhere” here").await;
    browser.fill("#grid input[name=find]", "test_0301").await;
    browser.until_shown("[data-grid-count]", "1 of 1000 cases").await;
    assert_eq!(browser.ask("return document.querySelector('[data-unknown]')").await, Value::Null);
    assert_eq!(browser.ask("return location.search").await, "?find=test_0301");
    // Where there is no room for it, what all ids begin with is left out; it is said all the same.
    browser.on(Screen::Phone).await;
    browser.until_shown("[role=rowheader] a", "…0301_pays/by card").await;
    let said = "return [...document.querySelectorAll('[role=rowheader] a')].find((it) => it.textContent === '…0301_pays/by card').ariaLabel";
    assert_eq!(browser.ask(said).await, "test_0301_pays/by card");
    browser.close().await;

    // Without the script: the table of the newest cycles, and the same filters by a form.
    let browser = open(&house, Script::Off, "/pipelines/chat").await;
    let table = browser.text_of("#grid table").await;
    assert!(
        table.contains("200") && table.contains("171") && table.contains("test_0007_answers"),
        "{table:.400}"
    );
    assert_eq!(browser.ask("return document.querySelectorAll('#grid thead th').length").await, 31);
    assert_eq!(
        browser.ask("return document.querySelector('[data-grid]').checkVisibility()").await,
        false
    );
    browser.fill("#grid input[name=find]", "test_0301").await;
    browser.click("#grid form button").await;
    let one = "return document.querySelectorAll('#grid tbody tr').length === 1";
    browser.until("one row is left", one).await;
    browser.close().await;
}
