//! Sends one message over its channel: fills in the secrets, which are held no longer than that.

use jiff::Timestamp;
use serde_json::Value;

use super::body::Body;
use super::fate::Refusal;
use super::forge::ForgeApi;
use super::http::{Http, Request, Verb};
use super::{comment, mail, message, status, webhook};
use crate::domain::address::render_address;
use crate::domain::redact::Secret;
use crate::domain::spec::{ForgeRepo, NotifyChannel, Pipeline, SecretSpec};
use crate::domain::template::{JsonTemplate, Lookup, Origin, Piece, Template, text_of};
use crate::suite::HostEnv;

/// What the templates of a channel know: variables, secrets, our own environment.
pub(super) struct Settings<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) secrets: &'a [(String, Secret)],
    pub(super) host: &'a HostEnv,
    /// The page that tells the whole, where people reach one.
    pub(super) page: Option<&'a str>,
}

impl Settings<'_> {
    /// The value of a name, where variables are known up to that position: one may refer to earlier
    /// ones only, so no chain of them is endless.
    fn value(&self, name: &str, before: usize) -> Option<Value> {
        let vars = &self.pipeline.vars[..before];
        if let Some(position) = vars.iter().position(|(var, _)| var == name) {
            return vars[position].1.render(&Before { settings: self, position }).ok();
        }
        if let Some(name) = name.strip_prefix("secret.") {
            let found = self.secrets.iter().find(|(secret, _)| secret == name);
            return found.map(|(_, secret)| Value::from(secret.expose()));
        }
        match name {
            "pipeline" => Some(Value::from(self.pipeline.name.as_str())),
            "environment" => Some(Value::from(self.pipeline.environment.as_str())),
            _ => (self.host)(name.strip_prefix("env.")?).map(Value::from),
        }
    }

    /// The same as text, told apart by who made it.
    fn made_of(&self, name: &str, before: usize) -> Option<Vec<Piece>> {
        let position = self.pipeline.vars[..before].iter().position(|(var, _)| var == name);
        if let Some(position) = position
            && let JsonTemplate::Text(template) = &self.pipeline.vars[position].1
        {
            return template.pieces(&Before { settings: self, position }).ok();
        }
        let origin = match name.starts_with("secret.") {
            true => Origin::Secret(name.to_owned()),
            false => Origin::Written,
        };
        Some(vec![Piece { text: text_of(&self.value(name, before)?), origin }])
    }

    /// An address, in which secrets are encoded as what they are there.
    fn address(&self, template: &Template) -> Result<String, Refusal> {
        render_address(template, self).map_err(|fault| Refusal::Later(fault.to_string()))
    }

    fn forge<'f>(&self, at: &'f ForgeRepo) -> Result<ForgeApi<'f>, Refusal> {
        let api = at.api.as_ref().map(|api| self.address(api)).transpose()?;
        Ok(ForgeApi { at, api, token: self.fill(&at.token)? })
    }

    fn fill(&self, template: &Template) -> Result<String, Refusal> {
        template.render(self).map_err(|fault| Refusal::Later(fault.to_string()))
    }
}

impl Lookup for Settings<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.value(name, self.pipeline.vars.len())
    }

    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        self.made_of(name, self.pipeline.vars.len())
    }
}

/// What a variable at a position may refer to.
struct Before<'a> {
    settings: &'a Settings<'a>,
    position: usize,
}

impl Lookup for Before<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.settings.value(name, self.position)
    }

    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        self.settings.made_of(name, self.position)
    }
}

/// The secrets that a channel uses, also by way of variables. Others need not be there.
pub(super) fn secrets_of(pipeline: &Pipeline, channel: &NotifyChannel) -> Vec<SecretSpec> {
    let templates: Vec<&Template> = match channel {
        NotifyChannel::Slack(slack) => vec![&slack.url],
        NotifyChannel::Webhook(webhook) => {
            [Some(&webhook.url), webhook.secret.as_ref()].into_iter().flatten().collect()
        }
        NotifyChannel::Email(email) => vec![&email.smtp],
        NotifyChannel::CommitStatus(at) | NotifyChannel::PullRequestComment(at) => {
            [Some(&at.token), at.api.as_ref()].into_iter().flatten().collect()
        }
    };
    let mut wanted: Vec<String> =
        templates.iter().flat_map(|template| template.references()).map(str::to_owned).collect();
    // Variables refer to earlier ones, so one pass from the last to the first finds all.
    for (name, template) in pipeline.vars.iter().rev() {
        if wanted.contains(name) {
            template.for_each_reference(&mut |reference| wanted.push(reference.to_owned()));
        }
    }
    let is_wanted =
        |spec: &&SecretSpec| wanted.iter().any(|name| *name == format!("secret.{}", spec.name));
    pipeline.secrets.iter().filter(is_wanted).cloned().collect()
}

/// Sends a message.
pub(super) async fn send(
    http: &Http,
    settings: &Settings<'_>,
    channel: &NotifyChannel,
    body: &Body,
    key: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    match (channel, body) {
        (NotifyChannel::Slack(slack), Body::Slack { payload }) => {
            let body = message::with_page(payload, settings.page).to_string().into_bytes();
            let url = settings.address(&slack.url)?;
            http.send(Request { verb: Verb::Post, url, headers: vec![], body }, now).await
        }
        (NotifyChannel::Webhook(webhook), Body::Webhook { event, json }) => {
            let body = json.to_string().into_bytes();
            let mut headers =
                vec![("x-andon-event", event.clone()), ("x-andon-delivery", key.to_owned())];
            if let Some(secret) = &webhook.secret {
                let secret = settings.fill(secret)?;
                headers.push(("x-andon-signature", webhook::signature(&secret, &body)));
            }
            let url = settings.address(&webhook.url)?;
            http.send(Request { verb: Verb::Post, url, headers, body }, now).await
        }
        (NotifyChannel::Email(email), Body::Email { subject, text }) => {
            let page = settings.page.map_or_else(String::new, |page| format!("Page: {page}\n"));
            let text = format!("{text}{page}");
            mail::send(email, &settings.address(&email.smtp)?, subject, &text, key).await
        }
        (
            NotifyChannel::CommitStatus(channel),
            Body::Status { sha, state, context, description },
        ) => {
            let page = settings.page;
            let status = status::Status { sha, state: *state, context, description, page };
            let request = status::request(&settings.forge(channel)?, &status)?;
            match http.send(request, now).await {
                Err(refusal) if status::is_so_already(channel.forge, &refusal) => Ok(()),
                done => done,
            }
        }
        (NotifyChannel::PullRequestComment(channel), Body::Comment { sha, of, text, report }) => {
            let (page, report) = (settings.page, report.as_deref());
            let comment = comment::Comment { of, text, page, report };
            comment::send(http, &settings.forge(channel)?, sha, &comment, now).await
        }
        (
            NotifyChannel::Slack(_)
            | NotifyChannel::Webhook(_)
            | NotifyChannel::Email(_)
            | NotifyChannel::PullRequestComment(_)
            | NotifyChannel::CommitStatus(_),
            _,
        ) => Err(Refusal::Never("it was made for another kind of channel".to_owned())),
    }
}
