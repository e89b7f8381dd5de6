//! Whether a webhook comes from who holds the secret: the signature is checked over the raw bytes,
//! as they come, in constant time, against every live secret. Pure.
//!
//! How each forge signs is in its own documentation: GitHub `X-Hub-Signature-256`, Gitea
//! `X-Gitea-Signature` (Forgejo `X-Forgejo-Signature`), Bitbucket `X-Hub-Signature`, GitLab
//! `X-Gitlab-Token` or, with a signing token, `webhook-signature` of Standard Webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::HeaderMap;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::domain::redact::Secret;
use crate::web::problem::Problem;

/// Who sends a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forge {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
    /// Bitbucket.
    Bitbucket,
    /// Any program of yours.
    Generic,
}

impl Forge {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Github, Self::Gitlab, Self::Gitea, Self::Bitbucket, Self::Generic];

    /// The word in its address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
            Self::Bitbucket => "bitbucket",
            Self::Generic => "generic",
        }
    }

    /// The kind with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|forge| forge.as_str() == word)
    }

    /// Whether it only asks if somebody is there.
    pub(super) fn is_ping(self, headers: &HeaderMap) -> bool {
        let says = |name: &str, word: &str| headers.get(name).is_some_and(|value| value == word);
        match self {
            Self::Github => says("x-github-event", "ping"),
            Self::Bitbucket => says("x-event-key", "diagnostics:ping"),
            Self::Gitlab | Self::Gitea | Self::Generic => false,
        }
    }

    /// The headers that may carry a signature in hexadecimal.
    fn signature_headers(self) -> &'static [&'static str] {
        match self {
            Self::Github => &["x-hub-signature-256"],
            Self::Gitea => &["x-forgejo-signature", "x-gitea-signature"],
            Self::Bitbucket => &["x-hub-signature"],
            Self::Generic => &["x-andon-signature"],
            Self::Gitlab => &[],
        }
    }
}

impl std::fmt::Display for Forge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It has no signature that we could check.
    #[error("the webhook is not signed, or not as its kind should be")]
    Unsigned,
    /// Its signature is that of no live secret.
    #[error("the signature of the webhook does not fit")]
    Wrong,
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::new(http::StatusCode::UNAUTHORIZED, rejected.to_string())
    }
}

/// A check under way.
pub struct Check {
    /// One for each live secret.
    signed: Vec<Signed>,
    expected: Vec<[u8; 32]>,
    /// For a token in a header there is nothing to compute.
    token_fits: Option<Choice>,
}

type Signed = Hmac<Sha256>;

impl Check {
    /// Begins to check a webhook, before any of its body is read.
    ///
    /// # Errors
    /// When it is not signed as its kind should be, or its token is wrong.
    pub fn begin(forge: Forge, headers: &HeaderMap, secrets: &[Secret]) -> Result<Self, Rejected> {
        if forge == Forge::Gitlab {
            return Self::begin_gitlab(headers, secrets);
        }
        let found = forge.signature_headers().iter().find_map(|name| headers.get(*name));
        let value = found.and_then(|value| value.to_str().ok()).ok_or(Rejected::Unsigned)?;
        // Gitea's has no prefix; a prefix of another algorithm is no signature to us.
        let digits = value
            .trim()
            .strip_prefix("sha256=")
            .or_else(|| (forge == Forge::Gitea).then_some(value.trim()));
        let mut expected = [0; 32];
        hex::decode_to_slice(digits.ok_or(Rejected::Unsigned)?, &mut expected)
            .map_err(|_| Rejected::Unsigned)?;
        let signed = secrets.iter().map(|secret| keyed(secret.expose().as_bytes())).collect();
        Ok(Self { signed, expected: vec![expected], token_fits: None })
    }

    fn begin_gitlab(headers: &HeaderMap, secrets: &[Secret]) -> Result<Self, Rejected> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(signatures) = text("webhook-signature") {
            let (id, at) = (text("webhook-id"), text("webhook-timestamp"));
            let (id, at) = id.zip(at).ok_or(Rejected::Unsigned)?;
            return Self::begin_standard(signatures, id, at, secrets);
        }
        let token = headers.get("x-gitlab-token").ok_or(Rejected::Unsigned)?;
        let given = Sha256::digest(token.as_bytes());
        let mut fits = Choice::from(0);
        for secret in secrets {
            fits |= Sha256::digest(secret.expose().as_bytes()).ct_eq(&given);
        }
        if !bool::from(fits) {
            return Err(Rejected::Wrong);
        }
        Ok(Self { signed: Vec::new(), expected: Vec::new(), token_fits: Some(fits) })
    }

    /// Standard Webhooks: `v1,BASE64` over `ID.TIMESTAMP.BODY`, with what `whsec_…` holds as the
    /// key. The time is not looked at: a hook that is repeated only has us look again.
    fn begin_standard(
        signatures: &str,
        id: &str,
        at: &str,
        secrets: &[Secret],
    ) -> Result<Self, Rejected> {
        const MAX_SIGNATURES: usize = 10;
        let decode = |part: &str| STANDARD.decode(part.strip_prefix("v1,")?).ok()?.try_into().ok();
        let parts = signatures.split(' ').take(MAX_SIGNATURES);
        let expected: Vec<[u8; 32]> = parts.filter_map(decode).collect();
        let key = |secret: &Secret| STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok();
        let mut signed: Vec<Signed> =
            secrets.iter().filter_map(key).map(|key| keyed(&key)).collect();
        if expected.is_empty() || signed.is_empty() {
            return Err(Rejected::Unsigned);
        }
        for signed in &mut signed {
            for part in [id, ".", at, "."] {
                signed.update(part.as_bytes());
            }
        }
        Ok(Self { signed, expected, token_fits: None })
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        for signed in &mut self.signed {
            signed.update(chunk);
        }
    }

    /// The body is complete.
    ///
    /// # Errors
    /// When no live secret gives that signature.
    pub fn finish(self) -> Result<(), Rejected> {
        let mut fits = self.token_fits.unwrap_or(Choice::from(0));
        for signed in self.signed {
            let computed = signed.finalize().into_bytes();
            for expected in &self.expected {
                fits |= computed.as_slice().ct_eq(expected.as_slice());
            }
        }
        if bool::from(fits) { Ok(()) } else { Err(Rejected::Wrong) }
    }
}

fn keyed(key: &[u8]) -> Signed {
    Signed::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;

    fn hex_of(key: &str, body: &[u8]) -> String {
        let mut signed = keyed(key.as_bytes());
        signed.update(body);
        hex::encode(signed.finalize().into_bytes())
    }

    fn verdict(forge: Forge, headers: &[(&'static str, String)]) -> Result<(), Rejected> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let secrets = [Secret::new("the-new-secret"), Secret::new("the-old-secret")];
        let mut check = Check::begin(forge, &headers, &secrets)?;
        let (first, second) = BODY.split_at(7);
        check.update(first);
        check.update(second);
        check.finish()
    }

    #[test]
    fn github_s_own_example_fits() {
        // From its documentation on validating deliveries.
        let secret = [Secret::new("It's a Secret to Everybody")];
        let value = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let headers: HeaderMap = [("x-hub-signature-256".parse().unwrap(), value.parse().unwrap())]
            .into_iter()
            .collect();
        let mut check = Check::begin(Forge::Github, &headers, &secret).unwrap();
        check.update(b"Hello, World!");
        assert_eq!(check.finish(), Ok(()));
    }

    #[test]
    fn both_live_secrets_count_and_no_other() {
        let kinds = [
            (Forge::Github, "x-hub-signature-256", "sha256="),
            (Forge::Gitea, "x-gitea-signature", ""),
            (Forge::Gitea, "x-forgejo-signature", ""),
            (Forge::Bitbucket, "x-hub-signature", "sha256="),
            (Forge::Generic, "x-andon-signature", "sha256="),
        ];
        for (forge, header, prefix) in kinds {
            let with = |value: String| verdict(forge, &[(header, format!("{prefix}{value}"))]);
            for key in ["the-new-secret", "the-old-secret"] {
                assert_eq!(with(hex_of(key, BODY)), Ok(()), "{forge} {header}");
            }
            let good = hex_of("the-new-secret", BODY);
            assert_eq!(with(hex_of("another-secret", BODY)), Err(Rejected::Wrong));
            assert_eq!(with(hex_of("the-new-secret", b"{}")), Err(Rejected::Wrong));
            let mut flipped = good.clone().into_bytes();
            flipped[63] ^= 1;
            let flipped = String::from_utf8(flipped).unwrap();
            assert_ne!(with(flipped), Ok(()), "one bit");
            for cut in ["", "00", &good[..62], &good[..63], &format!("{good}00"), &"zz".repeat(32)]
            {
                assert_eq!(with(cut.to_owned()), Err(Rejected::Unsigned), "{cut}");
            }
            assert_eq!(verdict(forge, &[]), Err(Rejected::Unsigned));
        }
    }

    #[test]
    fn a_weaker_signature_is_none() {
        let sha1 = "sha1=25af6174a0fcecc4d346680a72b7ce644b9a88e8".to_owned();
        assert_eq!(
            verdict(Forge::Github, &[("x-hub-signature", sha1.clone())]),
            Err(Rejected::Unsigned)
        );
        assert_eq!(
            verdict(Forge::Bitbucket, &[("x-hub-signature", sha1)]),
            Err(Rejected::Unsigned)
        );
        let bare = hex_of("the-new-secret", BODY);
        assert_eq!(
            verdict(Forge::Github, &[("x-hub-signature-256", bare)]),
            Err(Rejected::Unsigned)
        );
    }

    #[test]
    fn gitlab_s_token_is_the_secret_itself() {
        let with = |token: &str| verdict(Forge::Gitlab, &[("x-gitlab-token", token.to_owned())]);
        assert_eq!((with("the-new-secret"), with("the-old-secret")), (Ok(()), Ok(())));
        for token in ["", "the-new-secre", "the-new-secret1", "THE-NEW-SECRET"] {
            assert_eq!(with(token), Err(Rejected::Wrong), "{token}");
        }
        assert_eq!(verdict(Forge::Gitlab, &[]), Err(Rejected::Unsigned));
    }

    #[test]
    fn gitlab_s_signing_token_signs_id_time_and_body() {
        let key = [7; 32];
        let secret = [Secret::new(format!("whsec_{}", STANDARD.encode(key)))];
        let mut signed = keyed(&key);
        signed.update(b"msg_1.1700000000.");
        signed.update(BODY);
        let signature = STANDARD.encode(signed.finalize().into_bytes());
        let verdict = |signatures: String, id: &str, body: &[u8]| {
            let headers: HeaderMap = [
                ("webhook-signature", signatures.as_str()),
                ("webhook-id", id),
                ("webhook-timestamp", "1700000000"),
                // A signature that is there is the one that counts.
                ("x-gitlab-token", secret[0].expose()),
            ]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
            let mut check = Check::begin(Forge::Gitlab, &headers, &secret)?;
            check.update(body);
            check.finish()
        };
        assert_eq!(verdict(format!("v1,{signature}"), "msg_1", BODY), Ok(()));
        let several = format!("v2,xx v1,{} v1,{signature}", STANDARD.encode([0; 32]));
        assert_eq!(verdict(several, "msg_1", BODY), Ok(()));
        assert_eq!(verdict(format!("v1,{signature}"), "msg_2", BODY), Err(Rejected::Wrong));
        assert_eq!(verdict(format!("v1,{signature}"), "msg_1", b"{}"), Err(Rejected::Wrong));
        assert_eq!(verdict(signature, "msg_1", BODY), Err(Rejected::Unsigned));
    }
}
