//! The client of the daemon: where it is, what is sent along, and what its refusals mean here.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use http::Method;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::RootCertStore;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::args::RemoteArgs;
use super::context::Context;
use super::error::{CliError, Fault};
use crate::domain::errors::chain;
use crate::trust::{client_config, machine_roots};
use crate::web::ProblemForm;

/// The file in the state folder that says where its daemon is.
const FILE: &str = "daemon.json";
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For everything but logs, which come in pieces.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// No answer that a command reads whole is longer.
const MAX_ANSWER: usize = 64 << 20;

/// Where a daemon is, as it writes it into its state folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Its address.
    pub url: String,
    /// Its process.
    pub pid: u32,
}

impl Whereabouts {
    /// The file in a state folder.
    pub fn file(state: &Path) -> std::path::PathBuf {
        state.join(FILE)
    }

    fn read(state: &Path) -> Option<Self> {
        let text = std::fs::read(Self::file(state)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// A daemon.
pub struct Remote {
    client: Client,
    url: Url,
    token: Option<String>,
}

impl Remote {
    /// The daemon that the arguments name, else the one on the state folder.
    pub fn find(context: &Context, args: &RemoteArgs) -> Result<Self, CliError> {
        let found = match &args.url {
            Some(url) => url.clone(),
            None => Self::on_state(context)?,
        };
        let url = parse(&found)?;
        let token = (context.host.env)("ANDON_TOKEN").filter(|token| !token.is_empty());
        let client = client(&url).map_err(CliError::usage_text)?;
        Ok(Self { client, url, token })
    }

    fn on_state(context: &Context) -> Result<String, CliError> {
        let state = &context.settings.state;
        let found = Whereabouts::read(state).ok_or_else(|| {
            let text = format!("no daemon runs on the state folder {}", state.display());
            unreachable(anyhow::anyhow!(text))
                .hint("start one with `andon daemon`, or name it with `--url URL` or ANDON_URL")
        })?;
        Ok(found.url)
    }

    /// A daemon that answers: the one named, else the one on the state folder, if there is one.
    pub async fn if_running(
        context: &Context,
        args: &RemoteArgs,
    ) -> Result<Option<Self>, CliError> {
        if args.url.is_none() && Whereabouts::read(&context.settings.state).is_none() {
            return Ok(None);
        }
        let remote = Self::find(context, args)?;
        let answers = remote.send(remote.request(Method::GET, &["healthz"])).await;
        match answers {
            Ok(_) => Ok(Some(remote)),
            Err(_) if args.url.is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CliError> {
        read(self.send(self.request(Method::GET, path)).await?).await
    }

    /// Has something done.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<T, CliError> {
        let mut request = self.request(Method::POST, path).json_body(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        read(self.send(request).await?).await
    }

    /// What there is of a log from `offset` on; `None` when there is nothing new.
    pub async fn log(&self, path: &[&str], offset: u64) -> Result<Option<Response>, CliError> {
        let request = self.request(Method::GET, path).header("range", format!("bytes={offset}-"));
        let response = self.answer(request).await?;
        match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK if offset > 0 => Ok(None),
            _ => check(response).await.map(Some),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.url.clone();
        url.path_segments_mut().expect("http has a path").pop_if_empty().extend(path);
        let request = self.client.request(method, url).timeout(ANSWER_TIME);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        check(self.answer(request).await?).await
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, CliError> {
        request.send().await.map_err(|fault| {
            let cause = anyhow::anyhow!(chain(&fault.without_url()));
            let text = format!("the daemon at {} cannot be reached", self.url);
            unreachable(cause.context(text))
                .hint("is it running? `andon daemon` starts it; `--url URL` names another")
        })
    }
}

/// Segments that name something of a pipeline.
pub fn of_pipeline<'a>(name: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let mut path = vec!["api", "v1", "pipelines", name];
    path.extend(rest);
    path
}

trait JsonBody {
    fn json_body(self, body: &impl Serialize) -> Self;
}

impl JsonBody for RequestBuilder {
    fn json_body(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what is sent is plain data");
        self.header("content-type", "application/json").body(body)
    }
}

fn unreachable(error: anyhow::Error) -> CliError {
    CliError { fault: Fault::Unreachable, error, hints: Vec::new() }
}

/// Gives a refusal in the words of the daemon.
async fn check(response: Response) -> Result<Response, CliError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem: Option<ProblemForm> = read(response).await.ok();
    let told = problem.as_ref().map_or_else(
        || format!("it answered {status}, which is no answer of a daemon of Andon"),
        |problem| problem.detail.clone(),
    );
    let fault = if status.is_server_error() { Fault::Unreachable } else { Fault::Usage };
    let error = anyhow::anyhow!(told).context(format!("the daemon did not do it ({status})"));
    let help = problem.and_then(|problem| problem.help);
    let of_token = (status == StatusCode::UNAUTHORIZED)
        .then(|| "put a token of that daemon into ANDON_TOKEN".to_owned());
    let hints = help.or(of_token).into_iter().collect();
    Err(CliError { fault, error, hints })
}

async fn read<T: DeserializeOwned>(mut response: Response) -> Result<T, CliError> {
    let not_ours = |cause: anyhow::Error| {
        unreachable(cause.context("the answer is none of a daemon of this version"))
    };
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|fault| not_ours(anyhow::anyhow!(chain(&fault.without_url()))))?
    {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(not_ours(anyhow::anyhow!("it has more than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|fault| not_ours(fault.into()))
}

fn parse(text: &str) -> Result<Url, CliError> {
    let parsed = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.query().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    parsed.ok_or_else(|| {
        CliError::usage_text(format_args!("{text:?} is not the address of a daemon"))
            .hint("write it as http://127.0.0.1:7070; a token goes into ANDON_TOKEN")
    })
}

fn client(url: &Url) -> Result<Client, String> {
    // Reading the machine's roots takes a while, and a daemon is mostly near.
    let roots = match url.scheme() {
        "https" => machine_roots()?,
        _ => RootCertStore::empty(),
    };
    let mut builder = Client::builder()
        .tls_backend_preconfigured(client_config(roots)?)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIME)
        .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")));
    if is_this_machine(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|fault| chain(&fault))
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_holds_no_secret_and_is_http() {
        assert!(
            parse("http://127.0.0.1:7070").is_ok() && parse("https://a.example/andon/").is_ok()
        );
        for text in ["127.0.0.1:7070", "ftp://x", "http://u:p@x", "http://x?token=y", "", "http://"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_escaped_and_a_path_in_front_stays() {
        let url = parse("https://a.example/andon/").unwrap();
        let remote = Remote { client: client(&url).unwrap(), url, token: None };
        let path = of_pipeline("chat", &["cases", "a/b?c"]);
        let request = remote.request(Method::GET, &path).build().unwrap();
        let wanted = "https://a.example/andon/api/v1/pipelines/chat/cases/a%2Fb%3Fc";
        assert_eq!(request.url().as_str(), wanted);
    }
}
