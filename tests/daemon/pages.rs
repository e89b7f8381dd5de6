//! The pages: what they show, to whom, and what their forms do. What their script adds is not tried here.

use andon::domain::names::CaseId;
use andon::domain::outcome::Outcome;
use andon::pipeline::Role;
use andon::store::{Append, CaseRow, Projection};

use crate::client::{Ask, Reply, get, post, send};
use crate::house::{ADMIN, House, READ, TRIGGER, all_tokens, event, house, into_deploy};

async fn with_a_cycle(tokens: &[(&str, Role)]) -> House {
    let house = house(tokens).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    house
}

/// The value of a hidden field of a page's forms.
pub(crate) fn field<'a>(html: &'a str, name: &str) -> &'a str {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).expect("there is one");
    rest.split('"').next().unwrap()
}

/// The cookie that a login gave.
fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

pub(crate) async fn log_in(house: &House, token: &str) -> String {
    let to =
        house.ask(send("/login", &[("token", token), ("next", "/pipelines/chat")])).await.is(303);
    assert_eq!(to.header("location"), "/pipelines/chat");
    cookie(&to)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_there_is() {
    let house = with_a_cycle(&[]).await;
    let all = house.ask(get("/")).await.page(200).html();
    for name in ["chat", "shop", "twin"] {
        assert!(all.contains(&format!("<a href=\"/pipelines/{name}\">{name}</a>")), "{all}");
    }
    assert!(all.contains("/pipelines/chat/cycles/1\">cycle 1</a> · deploy"), "{all}");
    assert!(house.ask(get("/?wall")).await.page(200).html().contains("class=\"wall\""));
    let chat = house.ask(get("/pipelines/chat")).await.page(200).html();
    assert!(chat.contains("chat-staging") && chat.contains("nightly"), "{chat}");
    let cycle = house.ask(get("/pipelines/chat/cycles/1")).await.page(200).html();
    assert!(
        cycle.contains("title=\"4f1c2aad5b1e0a3c9d8e7f60718293a4b5c6d7e8\">4f1c2aa<"),
        "{cycle}"
    );
    assert!(cycle.contains("by Ada Brandt"), "{cycle}");
    assert!(
        cycle.contains("data-events=\"/api/v1/events?pipeline=chat&amp;cycle=1&amp;after="),
        "{cycle}"
    );
    // What is not there is a page, too.
    for path in [
        "/pipelines/nothing",
        "/pipelines/chat/cycles/9",
        "/pipelines/chat/cycles/1/report",
        "/pipelines/chat/cases/none",
        "/pipelines/chat/investigations/INV-0001",
        "/pipelines/chat/cycles/1/logs/9",
    ] {
        let text = house.ask(get(path)).await.page(404).html();
        assert!(text.contains("All pipelines"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_others_is_text() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    let hostile = "</script><img src=x onerror=alert(1)>\"'`{{ 7919*7907 }}";
    let revision = serde_json::json!({
        "sha": "4f1c2aad5b1e0a3c9d8e7f60718293a4b5c6d7e8", "subject": hostile,
        "author": hostile, "time": "2026-05-28T20:26:40Z",
    });
    let events = [
        serde_json::json!({ "kind": "phase_started", "phase": "checkout" }),
        serde_json::json!({ "kind": "revision_resolved", "revision": revision }),
    ];
    house.append(&key, 1, events.into_iter().map(event).collect()).await;
    for path in ["/", "/pipelines/chat", "/pipelines/chat/cycles/1"] {
        let html = house.ask(get(path)).await.page(200).html();
        assert!(!html.contains("<img") && !html.contains("62615533"), "{html}");
    }
    let html = house.ask(get("/pipelines/chat/cycles/1")).await.html();
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_session_is_asked_for_a_token_and_comes_back() {
    let house = with_a_cycle(&all_tokens()).await;
    let asked = house.ask(get("/pipelines/chat?cycles=3")).await.page(401).html();
    assert!(asked.contains("name=\"next\" value=\"/pipelines/chat?cycles=3\""), "{asked}");
    assert!(!asked.contains("4f1c2aa"), "nothing is told before: {asked}");
    let wrong = house.ask(send("/login", &[("token", "wrong-token"), ("next", "/")])).await;
    assert!(wrong.page(401).html().contains("not known here"));
    let elsewhere = [("token", READ), ("next", "//evil.example/x")];
    assert_eq!(house.ask(send("/login", &elsewhere)).await.is(303).header("location"), "/");
    // A page of others may not log anybody in.
    let foreign = send("/login", &[("token", READ)]).with("origin", "http://evil.example");
    house.ask(foreign).await.page(403);

    let session = log_in(&house, READ).await;
    let within = |ask: Ask| ask.with("cookie", &session);
    let page = house.ask(within(get("/pipelines/chat"))).await.page(200).html();
    assert!(page.contains("read") && !page.contains("Start a cycle"), "{page}");
    // What the page's script asks for is opened, too; what changes something is not.
    house.ask(within(get("/api/v1/status"))).await.is(200);
    house.ask(within(post("/api/v1/pipelines/chat/trigger", "{}"))).await.is(401);
    let key = field(&page, "form_key").to_owned();
    house.ask(within(send("/pipelines/chat/trigger", &[("form_key", &key)]))).await.page(403);
    house.ask(within(send("/logout", &[("form_key", "another")]))).await.page(403);
    house.ask(within(send("/logout", &[("form_key", &key)]))).await.is(303);
    house.ask(within(get("/"))).await.page(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_starts_one_cycle_and_only_a_page_of_ours_can_send_it() {
    let house = with_a_cycle(&all_tokens()).await;
    let session = log_in(&house, TRIGGER).await;
    let within = |ask: Ask| ask.with("cookie", &session);
    let page = house.ask(within(get("/pipelines/shop"))).await.page(200).html();
    let (key, once) = (field(&page, "form_key"), field(&page, "once"));
    let other = log_in(&house, TRIGGER).await;
    let of_other = house.ask(get("/pipelines/shop").with("cookie", &other)).await.html();
    let fields =
        |key| vec![("form_key", key), ("once", once), ("deploy", "yes"), ("by", "ada, to try")];
    for wrong in ["", "guessed", field(&of_other, "form_key")] {
        house.ask(within(send("/pipelines/shop/trigger", &fields(wrong)))).await.page(403);
    }
    assert!(house.waits_for("shop").await.is_empty());
    for _ in 0..2 {
        let to = house.ask(within(send("/pipelines/shop/trigger", &fields(key)))).await.is(303);
        assert_eq!(to.header("location"), "/pipelines/shop?done=started");
    }
    let waiting = house.waits_for("shop").await;
    assert_eq!(waiting, ["by ada, to try (token trig)"], "sent twice, asked once");
    let page = house.ask(within(get("/pipelines/shop?done=started"))).await.page(200).html();
    assert!(!page.contains("Drop it"), "that takes another role: {page}");

    let admin = log_in(&house, ADMIN).await;
    let page = house.ask(get("/pipelines/shop").with("cookie", &admin)).await.html();
    let (_, rest) = page.split_once("action=\"/pipelines/shop/triggers/").unwrap();
    let path = format!("/pipelines/shop/triggers/{}", rest.split('"').next().unwrap());
    let dropped = send(&path, &[("form_key", field(&page, "form_key"))]).with("cookie", &admin);
    house.ask(dropped).await.is(303);
    assert!(house.waits_for("shop").await.is_empty());
}

/// What a person asked for stands under the name of their token, whatever a request calls itself.
#[tokio::test(flavor = "multi_thread")]
async fn who_had_what_done_is_for_an_admin_to_see() {
    let house = with_a_cycle(&all_tokens()).await;
    let session = log_in(&house, TRIGGER).await;
    let page = house.ask(get("/pipelines/shop").with("cookie", &session)).await.html();
    let (key, once) = (field(&page, "form_key"), field(&page, "once"));
    let only = "only\" ><img src=x onerror=alert(1)>*";
    let hostile = [("form_key", key), ("once", once), ("by", "<img src=x>"), ("only", only)];
    let refused = send("/pipelines/shop/trigger", &hostile).with("cookie", &session);
    house.ask(refused).await.page(422);
    let fields = [("form_key", key), ("once", once), ("by", "<img src=x>")];
    house.ask(send("/pipelines/shop/trigger", &fields).with("cookie", &session)).await.is(303);
    house.ask(get("/audit").with("cookie", &session)).await.page(403);
    house.ask(get("/api/v1/acts").with("cookie", &session)).await.is(403);
    house.ask(send("/logout", &[("form_key", key)]).with("cookie", &session)).await.is(303);

    let admin = log_in(&house, ADMIN).await;
    let page = house.ask(get("/pipelines/shop").with("cookie", &admin)).await.html();
    assert!(page.contains("href=\"/audit\""), "{page}");
    let acts = house.ask(get("/api/v1/acts?limit=3").with("cookie", &admin)).await.is(200).json();
    let told: Vec<(&str, &str)> = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (act["kind"].as_str().unwrap(), act["person"].as_str().unwrap()))
        .collect();
    let expected = [
        ("log_in", "token admi"),
        ("log_out", "token trig"),
        ("start", "<img src=x> (token trig)"),
    ];
    assert_eq!(told, expected, "what was refused is not done");
    assert_eq!(acts["acts"][2]["detail"], "the newest commit, without a deploy");
    let older = format!("/audit?before={}", acts["older"]);
    let page = house.ask(get(&older).with("cookie", &admin)).await.page(200).html();
    assert!(page.contains("token trig") && !page.contains("log out"), "the login alone: {page}");
    let page = house.ask(get("/audit").with("cookie", &admin)).await.page(200).html();
    assert!(!page.contains("<img"), "{page}");
    assert!(page.contains("href=\"/pipelines/shop\">shop · trigger 1</a>"), "{page}");
}

/// After a login that a form needed, its page comes again; an address that is none is told as a page to a browser.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_needs_a_login_leads_back_to_its_page() {
    let house = with_a_cycle(&all_tokens()).await;
    let asked = house.ask(send("/pipelines/chat/cycles/1/cancel", &[])).await.page(401).html();
    assert!(asked.contains("name=\"next\" value=\"/pipelines/chat/cycles/1\""), "{asked}");
    let nowhere = house.ask(get("/nowhere").with("accept", "text/html,*/*")).await.page(404);
    assert!(nowhere.html().contains("nothing at this address"));
    house.ask(get("/nowhere")).await.is(404).json();
}

/// A log of any length: its end, the part around a line that somebody points at, and the lines that hold a text.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_long_log_is_found_and_pointed_at() {
    let house = with_a_cycle(&[]).await;
    let folder = house.folder.path().join("runs/chat/0001/deploy-01-1");
    std::fs::create_dir_all(&folder).unwrap();
    let line = |number: u32| format!("line {number} of <b>\u{1b}[31mmany\u{1b}[0m\n");
    let text: String = (1..=60_000).map(line).collect();
    std::fs::write(folder.join("output.log"), &text).unwrap();
    let path = "/pipelines/chat/cycles/1/logs/1";
    let end = house.ask(get(path)).await.page(200).html();
    assert!(
        end.contains("data-n=\"60000\">line 60000 of &lt;b&gt;<span class=\"a-31\">many"),
        "{end:.3000}"
    );
    assert!(!end.contains("line 40000 "), "the end alone");
    let found = house.ask(get(&format!("{path}?find=LINE+3000"))).await.page(200).html();
    let at = text.find("line 3000 of").unwrap();
    let link = format!("<a href=\"{path}?at={at}#b{at}\">3000</a> <code>line 3000 of");
    assert!(found.contains(&link), "{found:.3000}");
    let around = house.ask(get(&format!("{path}?at={at}"))).await.page(200).html();
    let wanted = format!("id=\"b{at}\" data-n=\"3000\">line 3000 of");
    assert!(around.contains(&wanted), "{around:.3000}");
    assert!(around.contains("data-log-over=\"yes\""), "the middle of a log is not followed");
    let many = house.ask(get(&format!("{path}?find=many%3Cno"))).await.page(200).html();
    assert!(many.contains("No line holds “many&lt;no”"), "{many:.3000}");
    let many = house.ask(get(&format!("{path}?find=of+%3Cb"))).await.page(200).html();
    let (_, next) = many.split_once("rel=\"next\" href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let more = house.ask(get(&next)).await.page(200).html();
    assert!(more.contains(">201</a> <code>line 201 of"), "{more:.3000}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_are_dressed_with_is_kept_by_browsers_until_it_changes() {
    let house = house(&all_tokens()).await;
    let page = house.ask(get("/")).await.page(401).html();
    for (name, kind) in
        [("style.css", "text/css"), ("andon.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let (_, rest) = page.split_once(&format!("\"/assets/{name}?")).unwrap();
        let digest = rest.split('"').next().unwrap();
        let kept = house.ask(get(&format!("/assets/{name}?{digest}"))).await.is(200);
        assert!(kept.header("content-type").starts_with(kind));
        assert!(kept.header("cache-control").contains("immutable"));
        let unsure = house.ask(get(&format!("/assets/{name}?old"))).await.is(200);
        assert_eq!(unsure.header("cache-control"), "no-cache");
    }
    house.ask(get("/assets/other")).await.is(404);
}

/// A cycle whose one case was closed in the face.
fn closed_with_1008(text: &str) -> Vec<andon::domain::event::Event> {
    let exchange = serde_json::json!({
        "step": "agent run", "protocol": "ws", "method": "GET", "url": "wss://chat.example.com/ws",
        "remote": "203.0.113.7:443", "status": 101, "bytes_sent": 310, "bytes_received": 2048,
        "timings": { "connect_us": 1200, "first_byte_us": 8000, "total_us": 512_000 },
        "frames": [
            { "at_ms": 12, "direction": "sent", "kind": "text", "payload": { "text": text, "bytes": 9, "cut": false } },
            { "at_ms": 40, "direction": "received", "kind": "text", "event": "agent_started",
              "payload": { "text": "{}", "bytes": 2, "cut": false } },
        ],
        "frames_total": 7, "close": { "code": 1008, "reason": text, "at_ms": 512 },
    });
    let seen = serde_json::json!({
        "step": "agent run", "expected": ["agent_started", "agent_completed"], "ordered": true,
        "seen": [["agent_started", 40]], "missing": ["agent_completed"], "forbidden": [], "out_of_order": false,
    });
    let suite = [
        serde_json::json!({
            "kind": "suite_planned", "name": "P1", "digest": "0123456789ab", "flaky": "pass",
            "suspicious": "warn", "deadline_at": "2026-05-28T20:36:40Z",
            "cases": [{ "id": "agents/test 1", "name": "An agent answers", "priority": "P1", "digest": "d1" }],
        }),
        serde_json::json!({
            "kind": "attempt_finished", "case": "agents/test 1", "number": 1,
            "started_at": "2026-05-28T20:26:40Z", "duration_ms": 512,
            "failure": {
                "class": "ws_close", "blame": "service", "message": "closed with 1008", "step": "agent run",
                "expected": "agent_completed", "actual": "close 1008", "repro": "andon probe wss://chat.example.com/ws",
            },
            "evidence": { "exchanges": [exchange], "exchanges_total": 3, "connections": 1, "bytes_sent": 310,
                          "bytes_received": 2048, "events": [seen] },
        }),
    ];
    into_suite().into_iter().chain(suite.map(event)).collect()
}

/// From the beginning of a cycle into its suite.
pub(crate) fn into_suite() -> Vec<andon::domain::event::Event> {
    let passed = |phase: &str| {
        let over = serde_json::json!({ "kind": "phase_ended", "phase": phase, "outcome": "passed", "duration_ms": 5 });
        [serde_json::json!({ "kind": "phase_started", "phase": phase }), over]
    };
    let before = ["deploy", "ready"].map(passed).concat();
    let suite = serde_json::json!({ "kind": "phase_started", "phase": "suite" });
    let checked_out = into_deploy().into_iter().take(3);
    checked_out.chain(before.into_iter().chain([suite]).map(event)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_suite_is_read_page_by_page_and_filtered_by_the_server() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    let areas = ["Login", "Basket", "Search"];
    let cases: Vec<serde_json::Value> = (0..1_200)
        .map(|n| {
            serde_json::json!({
                "id": format!("c{n:04}"), "name": "a case", "area": areas[n % 3], "priority": "P1", "digest": "d1",
            })
        })
        .collect();
    let planned = serde_json::json!({
        "kind": "suite_planned", "name": "P1", "digest": "0123456789ab", "flaky": "pass",
        "suspicious": "warn", "deadline_at": "2026-05-28T20:36:40Z", "cases": cases,
    });
    let failed = serde_json::json!({
        "kind": "attempt_finished", "case": "c1100", "number": 1,
        "started_at": "2026-05-28T20:26:40Z", "duration_ms": 512,
        "failure": { "class": "http_status", "blame": "service", "message": "got 500" }, "evidence": {},
    });
    let events = into_suite().into_iter().chain([planned, failed].map(event)).collect();
    house.append(&key, 1, events).await;
    for (query, rows, next) in [
        ("", 500, Some("?from=500#cases")),
        ("?from=1000", 200, None),
        ("?area=Basket", 400, None),
        ("?find=C1&from=0", 200, None),
        ("?show=failing", 1, None),
        ("?area=Nowhere", 500, Some("?from=500#cases")),
        ("?find=zzz", 0, None),
    ] {
        let html =
            house.ask(get(&format!("/pipelines/chat/cycles/1{query}"))).await.page(200).html();
        assert_eq!(html.matches("<tr data-case=").count(), rows, "{query}");
        assert!(html.contains("data-by-server"), "no script can filter what is not there");
        assert_eq!(html.contains("The next cases"), next.is_some(), "{query}");
        assert!(next.is_none_or(|next| html.contains(next)), "{query}");
    }
    // How it failed is known while the suite runs.
    let html = house.ask(get("/pipelines/chat/cycles/1?show=failing")).await.html();
    assert!(html.contains("data-case=\"c1100\" data-kind=\"failing\"") && html.contains("got 500"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_saw_is_shown_frame_by_frame() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, closed_with_1008("<b title=x>no</b>")).await;
    let cycle = house.ask(get("/pipelines/chat/cycles/1")).await.page(200).html();
    let path = "/pipelines/chat/cycles/1/cases/agents/test%201";
    assert!(cycle.contains(&format!("<a href=\"{path}\">")), "{cycle}");
    let html = house.ask(get(path)).await.page(200).html();
    for told in [
        "An agent answers",
        "closed with 1008",
        "andon probe wss://chat.example.com/ws",
        "agent run: 1 of 2 events came",
        "<td class=\"m-came\">40 ms</td><td class=\"m-missing\">never</td>",
        "aria-label=\"1 sent, 1 received within 512 ms, then closed\"",
        "&lt;b title=x&gt;no&lt;/b&gt;",
        "5 more were only counted",
        "2 more exchanges were only counted",
        "connect 1.2 ms",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    assert!(!html.contains("<b title"), "{html}");
    house.ask(get("/pipelines/chat/cycles/1/cases/agents/another")).await.page(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_comes_compressed_to_those_who_take_it_so() {
    let house = with_a_cycle(&[]).await;
    let packed = |path: &str| get(path).with("accept-encoding", "gzip");
    for path in ["/", "/pipelines/chat/cycles/1", "/api/v1/openapi.json", "/assets/style.css"] {
        let plain = house.ask(get(path)).await.is(200);
        assert_eq!(plain.header("content-encoding"), "");
        let reply = house.ask(packed(path)).await.is(200);
        assert_eq!(reply.header("content-encoding"), "gzip", "{path}");
        assert!(reply.body.len() * 2 < plain.body.len(), "{path}");
    }
    // What is short, and what is read in ranges, stays as it is.
    for path in ["/healthz", "/metrics"] {
        assert_eq!(house.ask(packed(path)).await.header("content-encoding"), "", "{path}");
    }
}

/// Where a case began to expect something else, its page and its API form say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_says_where_its_definition_changed() {
    let house = house(&[]).await;
    for (suite, case, outcome) in
        [("s1", "d1", "passed"), ("s2", "d1", "passed"), ("s3", "d2", "failed")]
    {
        let key = house.begin_cycle("chat").await;
        let suite = serde_json::json!({
            "kind": "suite_planned", "name": "P1", "digest": suite, "flaky": "pass",
            "suspicious": "warn", "deadline_at": "2026-05-28T20:36:40Z",
            "cases": [{ "id": "agents/test 1", "name": "An agent answers", "priority": "P1", "digest": case }],
        });
        let row = CaseRow {
            case: CaseId::parse("agents/test 1").unwrap(),
            outcome: Outcome::parse(outcome),
            change: None,
            duration_ms: 512,
            attempts: 1,
            fingerprint: None,
        };
        let mut events: Vec<_> = into_deploy().into_iter().take(3).collect();
        events.push(event(suite));
        let projection = Projection { cases: vec![row], ..Projection::default() };
        let at = "2026-05-28T20:26:40Z".parse().unwrap();
        let append = Append { cycle: key, expected_seq: 1, lease: None, events, at, projection };
        house.store.append(append).await.unwrap();
    }
    let html = house.ask(get("/pipelines/chat/cases/agents/test%201")).await.page(200).html();
    let mark = "title=\"Another definition than in cycle 2: what changed here may be what is expected\">definition changed</span>";
    assert_eq!(html.matches(mark).count(), 1, "{html}");
    for told in [
        "; its definition changed in cycle 3\"",
        "<title>definition changed in cycle 3</title>",
        "<title>cycle 3: failed, 512 ms, definition changed, 4f1c2aa Chat answers</title>",
        "<title>cycle 2: passed, 512 ms, 4f1c2aa Chat answers</title>",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    let form = house.ask(get("/api/v1/pipelines/chat/cases/agents/test%201")).await.is(200).json();
    let told: Vec<Option<bool>> = form["cycles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["definition_changed"].as_bool())
        .collect();
    assert_eq!(told, [Some(true), Some(false), None], "of the first nothing is known: {form}");
}
