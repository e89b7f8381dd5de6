//! What forms of pages lead to, and what stays of it.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Ask, get, post, send};
use crate::house::{House, TRIGGER, all_tokens, house};
use crate::pages::{field, log_in};

/// An address is handed on and loaded again: what a form did is told to the browser that sent it, and once.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_form_did_is_said_once_and_only_to_who_sent_it() {
    let house = house(&all_tokens()).await;
    let session = log_in(&house, TRIGGER).await;
    let within = |ask: Ask| ask.with("cookie", &session);
    let page = house.ask(within(get("/pipelines/shop"))).await.page(200).html();
    let (key, once) = (field(&page, "form_key"), field(&page, "once"));
    let fields = [("form_key", key), ("once", once)];
    let to = house.ask(within(send("/pipelines/shop/trigger", &fields))).await.is(303);
    let (marker, rest) = to.header("set-cookie").split_once("; Path=/pipelines/shop; ").unwrap();
    assert_eq!(rest, "HttpOnly; SameSite=Lax; Max-Age=60");
    let there = || within(get(to.header("location")));
    let told = house.ask(there().with("cookie", marker)).await.page(200);
    assert!(told.html().contains("role=\"status\">A cycle was asked for"), "{}", told.html());
    let ended = "andon_done=; Path=/pipelines/shop; HttpOnly; SameSite=Lax; Max-Age=0";
    assert_eq!(told.header("set-cookie"), ended);
    for other in ["", "andon_done=", "andon_done=saved", "andon_done=<b>evil"] {
        let told = house.ask(there().with("cookie", other)).await.page(200);
        assert!(!told.html().contains("class=\"said\""), "{other}: {}", told.html());
        assert_eq!(told.header("set-cookie"), "");
    }
    // Nor by a login, whatever address it leads to.
    for next in ["/pipelines/shop?done=cancelled", "/pipelines/shop?done=a;Domain=example.com"] {
        let sent = house.ask(send("/login", &[("token", TRIGGER), ("next", next)])).await.is(303);
        let set = sent.headers.iter().filter(|(name, _)| name == "set-cookie");
        let set: Vec<&String> = set.map(|(_, value)| value).collect();
        assert!(set.len() == 1 && set[0].starts_with("andon_session="), "{next}: {set:?}");
    }
    let hostile = within(get("/pipelines/shop?done=evil")).with("cookie", "andon_done=evil");
    assert!(!house.ask(hostile).await.page(200).html().contains("evil"));
}

/// Sends a request and hangs up, while nothing can be written: until the server has let go of the connection it has
/// done nothing yet.
async fn hang_up(house: &House, ask: &Ask) {
    let options = SqliteConnectOptions::new().filename(house.folder.path().join("andon.db"));
    let mut other: SqliteConnection = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(&ask.bytes(house.address)).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

/// What somebody asked for is done, and stands among the acts, whether or not they wait for the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_recorded_although_its_client_hung_up() {
    let house = house(&all_tokens()).await;
    let session = log_in(&house, TRIGGER).await;
    let page = house.ask(get("/pipelines/shop").with("cookie", &session)).await.html();
    let fields = [("form_key", field(&page, "form_key")), ("once", field(&page, "once"))];
    hang_up(&house, &send("/pipelines/shop/trigger", &fields).with("cookie", &session)).await;
    hang_up(&house, &post("/api/v1/pipelines/chat/trigger", "{}").token(TRIGGER)).await;
    // It ends in order: what was begun is done by then.
    let house = house.started_anew().await;
    let acts = house.ask(get("/api/v1/acts")).await.is(200).json();
    let mut told: Vec<(&str, &str, &str)> = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| ["kind", "person", "pipeline"].map(|name| act[name].as_str().unwrap_or("")))
        .map(|[kind, person, pipeline]| (kind, person, pipeline))
        .collect();
    told.sort_unstable();
    let (log_in, start) = (("log_in", "token trig", ""), "start");
    assert_eq!(told, [log_in, (start, "token trig", "chat"), (start, "token trig", "shop")]);
    let page = house.ask(get("/audit")).await.page(200).html();
    assert!(page.contains("href=\"/pipelines/shop\">shop · trigger"), "{page}");
    assert_eq!((house.waits_for("shop").await.len(), house.waits_for("chat").await.len()), (1, 1));
}
