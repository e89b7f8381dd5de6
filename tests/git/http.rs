//! git over http against a small server on loopback that runs `git upload-pack`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use andon::domain::redact::Secret;
use andon::git::{Auth, ErrorKind, Mirror, MirrorOptions, RepoUrl, UrlSource};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use base64::Engine as _;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::support::{PATIENCE, World, branches, fetch, resolve, script};

/// How the server answers.
#[derive(Clone)]
pub enum Manner {
    /// As git does.
    Git,
    /// Only with this login.
    Login(&'static str, &'static str),
    /// A redirect of the first request.
    Redirect(String),
    /// Within the host: from `/old/…` to `/source.git/…`.
    RedirectWithin,
    /// A web page instead of git.
    Page,
    /// A status and nothing else.
    Status(u16),
    /// Takes the request and never answers.
    Silent,
    /// Begins the answer and then never goes on.
    Stalls,
    /// One byte after another, for ever.
    Drips,
}

pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

#[derive(Clone)]
struct Site {
    root: PathBuf,
    manner: Manner,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Server {
    pub async fn start(world: &World, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let site = Site { root: world.dir.path().to_owned(), manner, seen: Arc::clone(&seen) };
        let app = Router::new().fallback(answer).with_state(site);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    pub fn url(&self, path: &str) -> RepoUrl {
        RepoUrl::parse(&format!("http://{}/{path}", self.address), UrlSource::Foreign).unwrap()
    }

    pub fn logins(&self) -> Vec<Option<String>> {
        let text = |headers: &HeaderMap| {
            headers.get(header::AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned())
        };
        self.seen.lock().unwrap().iter().map(text).collect()
    }
}

async fn answer(State(site): State<Site>, request: Request) -> Response<Body> {
    site.seen.lock().unwrap().push(request.headers().clone());
    let status = |code: u16| Response::builder().status(code);
    match &site.manner {
        Manner::Git => serve_git(&site, request).await,
        Manner::Login(user, password) => {
            let wanted = format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
            );
            if request
                .headers()
                .get(header::AUTHORIZATION)
                .is_some_and(|found| found == wanted.as_str())
            {
                return serve_git(&site, request).await;
            }
            status(401)
                .header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")
                .body(Body::empty())
                .unwrap()
        }
        Manner::Redirect(to) => {
            status(301).header(header::LOCATION, to).body(Body::empty()).unwrap()
        }
        Manner::RedirectWithin if request.uri().path().starts_with("/old/") => {
            let to = request.uri().to_string().replace("/old/", "/source.git/");
            status(302).header(header::LOCATION, to).body(Body::empty()).unwrap()
        }
        Manner::RedirectWithin => serve_git(&site, request).await,
        Manner::Page => status(200)
            .header(header::CONTENT_TYPE, "text/html")
            .body("<h1>Log in</h1>".into())
            .unwrap(),
        Manner::Status(code) => status(*code).body(Body::empty()).unwrap(),
        Manner::Silent => std::future::pending().await,
        Manner::Stalls => stream(|sent| (sent == 0).then_some(Duration::ZERO)),
        Manner::Drips => stream(|_| Some(Duration::from_millis(20))),
    }
}

/// A list of references that comes byte by byte; `None` as pause means never.
fn stream(pause: fn(usize) -> Option<Duration>) -> Response<Body> {
    const START: &[u8] = b"001e# service=git-upload-pack\n0000";
    let bytes = futures_util::stream::unfold(0, move |sent| async move {
        match pause(sent) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => std::future::pending().await,
        }
        let byte = START.get(sent).copied().unwrap_or(b'0');
        Some((Ok::<_, std::io::Error>(Bytes::copy_from_slice(&[byte])), sent + 1))
    });
    Response::builder()
        .header(header::CONTENT_TYPE, "application/x-git-upload-pack-advertisement")
        .body(Body::from_stream(bytes))
        .unwrap()
}

async fn serve_git(site: &Site, request: Request) -> Response<Body> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let pushes = request.uri().to_string().ends_with("git-receive-pack");
    let program = if pushes { "receive-pack" } else { "upload-pack" };
    let (repo, kind, options): (&str, &str, &[&str]) = match path.strip_suffix("/info/refs") {
        Some(repo) => (repo, "advertisement", &["--advertise-refs"]),
        None => {
            let repo = path.strip_suffix(&format!("/git-{program}"));
            (repo.unwrap_or_default(), "result", &[])
        }
    };
    let dir = site.root.join(repo);
    if repo.is_empty() || !dir.join("HEAD").exists() {
        return Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap();
    }
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mut child = tokio::process::Command::new("git")
        .args([program, "--stateless-rpc"])
        .args(options)
        .arg(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&body).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap().stdout;
    let service = format!("# service=git-{program}\n");
    let head = match kind {
        "advertisement" => format!("{:04x}{service}0000", service.len() + 4),
        _ => String::new(),
    };
    Response::builder()
        .header(header::CONTENT_TYPE, format!("application/x-git-{program}-{kind}"))
        .body(Body::from([head.as_bytes(), &output].concat()))
        .unwrap()
}

/// A TLS server with a certificate of its own authority; the authority is written to `ca.pem`.
async fn start_tls(world: &World) -> SocketAddr {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(world.path("ca.pem"), certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site =
        Site { root: world.dir.path().to_owned(), manner: Manner::Git, seen: Arc::default() };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, site) = (acceptor.clone(), site.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper::service::service_fn(
                    |request: hyper::Request<hyper::body::Incoming>| async {
                        Ok::<_, std::convert::Infallible>(
                            answer(State(site.clone()), request.map(Body::new)).await,
                        )
                    },
                );
                let io = hyper_util::rt::TokioIo::new(stream);
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
    address
}

fn login(password: &str) -> Auth {
    Auth::Basic { username: "ci".into(), password: Secret::new(password) }
}

#[tokio::test]
async fn a_repository_is_fetched_and_followed() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let side = world.commit("side", "Side", &[("a", "2")]);
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git/"), Auth::None).await;
    assert!(fetch(&mirror).await.rebuilt);
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap().branch.as_deref(), Some("main"));

    // Nothing new: one request, nothing downloaded.
    let requests = server.logins().len();
    assert!(!fetch(&mirror).await.changed);
    assert_eq!(server.logins().len(), requests + 1);

    let rewritten = world.commit_tree(world.tree(&[("z", "z")]), &[], "Rewritten");
    world.set("refs/heads/main", &rewritten);
    world.delete("refs/heads/side");
    assert!(fetch(&mirror).await.changed);
    assert_eq!(branches(&mirror).await, [("main".into(), rewritten.to_string())]);
    assert_eq!(resolve(&mirror, first.as_str()).await.unwrap().sha, first);
    assert_eq!(resolve(&mirror, side.as_str()).await.unwrap().sha, side);
    world.checkout(&mirror, &rewritten).await.unwrap();
}

#[tokio::test]
async fn an_empty_repository_over_http_is_no_error() {
    let world = World::new();
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
    fetch(&mirror).await;
    assert!(branches(&mirror).await.is_empty());
    let first = world.commit("main", "First", &[("a", "1")]);
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap().sha, first);
}

/// RELIABILITY H8: a refusal has a class of its own.
#[tokio::test]
async fn the_right_login_opens_and_a_wrong_or_missing_one_is_told_apart() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::Login("ci", "right-password")).await;
    let url = || server.url("source.git");

    let error = world.mirror_of(url(), Auth::None).await.fetch(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("wants a login"), "{error}");

    let error =
        world.mirror_of(url(), login("wrong-password")).await.fetch(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("password is wrong"), "{error}");
    assert!(!format!("{error:?} {error} {}", error.hint()).contains("wrong-password"));

    let mirror = world.mirror_of(url(), login("right-password")).await;
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, first);
    assert!(!format!("{mirror:?}").contains("right-password"));
    // Nothing of it is on the disk.
    for path in super::support::listing(&world.path("cache")) {
        let content = std::fs::read(world.path("cache").join(path)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&content).contains("right-password"));
    }
}

#[tokio::test]
async fn a_credential_helper_is_asked_only_after_the_host_wants_a_login() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let program = world.path("git");
    script(
        &program,
        "cat >/dev/null; touch \"$0.asked\"; echo username=ci; echo password=stored-password",
    );
    let options = MirrorOptions { git_program: program.into(), ..MirrorOptions::default() };
    let open = Server::start(&world, Manner::Git).await;
    let cache = world.path("cache");
    let mirror =
        Mirror::open(&cache, open.url("source.git"), Auth::Ambient, options.clone()).await.unwrap();
    fetch(&mirror).await;
    assert!(!world.path("git.asked").exists());

    let closed = Server::start(&world, Manner::Login("ci", "stored-password")).await;
    let mirror =
        Mirror::open(&cache, closed.url("source.git"), Auth::Ambient, options).await.unwrap();
    fetch(&mirror).await;
    assert!(world.path("git.asked").exists());
    assert_eq!(closed.logins()[0], None);
}

/// RELIABILITY H8: a repository that moved elsewhere.
#[tokio::test]
async fn another_host_gets_neither_a_request_nor_the_login() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let thief = Server::start(&world, Manner::Git).await;
    for target in [
        format!("http://{}/source.git/info/refs?service=git-upload-pack", thief.address),
        format!("//{}/source.git/info/refs?service=git-upload-pack", thief.address),
        "file:///etc/passwd".to_owned(),
    ] {
        let server = Server::start(&world, Manner::Redirect(target.clone())).await;
        let mirror = world.mirror_of(server.url("source.git"), login("a-password")).await;
        let error = mirror.fetch(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Moved, "{target}: {error}");
        assert!(server.logins()[0].is_some(), "the configured host gets the login");
    }
    assert!(thief.seen.lock().unwrap().is_empty(), "another host was asked");
}

#[tokio::test]
async fn redirects_within_the_host_are_followed_but_not_for_ever() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::RedirectWithin).await;
    let mirror = world.mirror_of(server.url("old"), login("a-password")).await;
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, first);
    assert!(server.logins().iter().all(Option::is_some));

    let circle = Manner::Redirect("/source.git/info/refs?service=git-upload-pack".into());
    let server = Server::start(&world, circle).await;
    let error = world
        .mirror_of(server.url("source.git"), Auth::None)
        .await
        .fetch(PATIENCE)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    assert!(server.logins().len() < 10);
}

#[tokio::test]
async fn what_is_no_git_server_says_what_it_is() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    for (manner, path, kind, part) in [
        (Manner::Git, "missing.git", ErrorKind::NotFound, "no repository"),
        (Manner::Page, "source.git", ErrorKind::Network, "text/html"),
        (Manner::Status(403), "source.git", ErrorKind::Auth, "403"),
        (Manner::Status(500), "source.git", ErrorKind::Network, "500"),
        (Manner::Status(429), "source.git", ErrorKind::Network, "429"),
    ] {
        let server = Server::start(&world, manner).await;
        let error =
            world.mirror_of(server.url(path), Auth::None).await.fetch(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    // Nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x.git", listener.local_addr().unwrap());
    drop(listener);
    let url = RepoUrl::parse(&url, UrlSource::Foreign).unwrap();
    let error = world.mirror_of(url, Auth::None).await.fetch(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn h7_a_server_that_does_not_go_on_is_left_at_the_deadline() {
    let world = World::new();
    for manner in [Manner::Silent, Manner::Stalls, Manner::Drips] {
        let server = Server::start(&world, manner).await;
        let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
        let error = mirror.fetch(Duration::from_millis(400)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains("400ms"), "{error}");
        assert_eq!(server.logins().len(), 1);
    }
    // Others are fetched: no place is taken by the ones before.
    let first = world.commit("main", "First", &[("a", "1")]);
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, first);
}

#[tokio::test]
async fn more_bytes_than_allowed_are_not_read() {
    let world = World::new();
    let noise: String =
        (0..20_000_u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    world.commit("main", "Large", &[("a", &noise)]);
    let server = Server::start(&world, Manner::Git).await;
    let options = MirrorOptions { max_bytes: 20_000, ..MirrorOptions::default() };
    let mirror = Mirror::open(&world.path("cache"), server.url("source.git"), Auth::None, options)
        .await
        .unwrap();
    let error = mirror.fetch(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[tokio::test]
async fn h11_rewriting_rules_of_a_git_configuration_do_not_apply() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let elsewhere = World::new();
    elsewhere.commit("main", "Elsewhere", &[("a", "evil")]);
    let server = Server::start(&world, Manner::Git).await;
    let mirror = world.mirror_of(server.url("source.git"), Auth::None).await;
    fetch(&mirror).await;
    let config = world.mirror_dir(&mirror).join("config");
    let original = std::fs::read_to_string(&config).unwrap();
    let evil = elsewhere.path("source.git");
    let rule =
        |from: &str| format!("{original}[url \"{}\"]\n\tinsteadOf = {from}\n", evil.display());

    std::fs::write(&config, rule(&server.url("source.git").to_string())).unwrap();
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, first);

    std::fs::write(&config, rule("andon-session://")).unwrap();
    let error = mirror.fetch(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("insteadOf"), "{error}");
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, first);
}

/// The trusted roots of a process are read once, from `SSL_CERT_FILE` where it is set. So this
/// test starts itself again: the inner run trusts the server's authority, the outer does not.
#[tokio::test(flavor = "multi_thread")]
async fn https_is_opened_with_a_trusted_certificate_only() {
    const ADDRESS: &str = "ANDON_TEST_TLS_ADDRESS";
    let world = World::new();
    if let Ok(address) = std::env::var(ADDRESS) {
        let url =
            RepoUrl::parse(&format!("https://{address}/source.git"), UrlSource::Foreign).unwrap();
        let mirror = world.mirror_of(url, Auth::None).await;
        fetch(&mirror).await;
        assert_eq!(resolve(&mirror, "HEAD").await.unwrap().subject, "Over TLS");
        return;
    }
    world.commit("main", "Over TLS", &[("a", "1")]);
    let address = format!("localhost:{}", start_tls(&world).await.port());

    let url = RepoUrl::parse(&format!("https://{address}/source.git"), UrlSource::Foreign).unwrap();
    let error = world.mirror_of(url, Auth::None).await.fetch(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("certificate"), "{error}");

    let inner = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "http::https_is_opened_with_a_trusted_certificate_only"])
        .env(ADDRESS, address)
        .env("SSL_CERT_FILE", world.path("ca.pem"))
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
}
