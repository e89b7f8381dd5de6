//! The name of a channel: the same wherever it stands in the file, another when it leads elsewhere.

use sha2::{Digest as _, Sha256};

use crate::domain::spec::{Forge, ForgeRepo, NotifyChannel, Pipeline, PublishGit};

/// So many bytes of the digest tell the channels of a pipeline apart.
const DIGEST_BYTES: usize = 4;

/// The name under which reports for a branch wait.
pub(super) fn publish_target_of(publish: &PublishGit) -> String {
    let place = [publish.repo.as_str(), publish.branch.as_str(), publish.path.as_str()];
    format!("publish {} {}", publish.branch, digest_of(place))
}

/// The name under which messages for a channel wait. What it is filtered by is not part of it, and
/// its address only as a digest: an address may be a secret.
pub fn target_of(channel: &NotifyChannel) -> String {
    let (kind, parts) = match channel {
        NotifyChannel::Slack(slack) => ("slack".to_owned(), vec![slack.url.source()]),
        NotifyChannel::Webhook(webhook) => ("webhook".to_owned(), vec![webhook.url.source()]),
        NotifyChannel::Email(email) => {
            let mut parts = vec![email.smtp.source(), email.from.as_str()];
            parts.extend(email.to.iter().map(String::as_str));
            ("email".to_owned(), parts)
        }
        NotifyChannel::CommitStatus(repo) => on_forge("commit_status", repo),
        NotifyChannel::PullRequestComment(repo) => on_forge("pull_request_comment", repo),
    };
    format!("{kind} {}", digest_of(parts))
}

fn on_forge<'a>(what: &str, at: &'a ForgeRepo) -> (String, Vec<&'a str>) {
    let forge = match at.forge {
        Forge::Github => "github",
        Forge::Gitlab => "gitlab",
        Forge::Gitea => "gitea",
    };
    let api = at.api.as_ref().map_or("", |api| api.source());
    (format!("{what} {forge} {}", at.repo), vec![api])
}

fn digest_of<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    hex::encode(&digest[..DIGEST_BYTES])
}

/// The channel of that name, if the pipeline still has it.
pub(super) fn find<'a>(pipeline: &'a Pipeline, target: &str) -> Option<&'a NotifyChannel> {
    let mut channels = pipeline.notify.iter().map(|notify| &notify.channel);
    channels.find(|channel| target_of(channel) == target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::{SlackNotify, WebhookNotify};
    use crate::domain::template::Template;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn a_name_tells_channels_apart_and_no_address() {
        let slack = |url| NotifyChannel::Slack(SlackNotify { url: template(url) });
        let hook = |url| NotifyChannel::Webhook(WebhookNotify { url: template(url), secret: None });
        let one = target_of(&slack("https://hooks.example.com/T0/secret"));
        assert_eq!(one, target_of(&slack("https://hooks.example.com/T0/secret")));
        assert_ne!(one, target_of(&slack("https://hooks.example.com/T1/secret")));
        assert_ne!(one, target_of(&hook("https://hooks.example.com/T0/secret")));
        assert!(one.starts_with("slack ") && !one.contains("example"), "{one}");
    }
}
