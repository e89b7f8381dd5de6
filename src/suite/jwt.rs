//! JSON Web Tokens signed with HMAC (RFC 7515, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::domain::spec::{JwtAlgorithm, JwtSpec};
use crate::domain::template::{Lookup, UnknownName};

/// Mints a token; `iat`, `exp` and `jti` are added where the claims do not have them.
pub(super) fn mint(
    spec: &JwtSpec,
    now: Timestamp,
    lookup: &dyn Lookup,
) -> Result<String, UnknownName> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), Value::from(algorithm_name(spec.algorithm)));
    header.insert("typ".to_owned(), Value::from("JWT"));
    for (name, value) in &spec.header {
        header.insert(name.clone(), value.render(lookup)?);
    }
    let issued = now.as_second();
    let mut claims = Map::new();
    for (name, value) in &spec.claims {
        claims.insert(name.clone(), value.render(lookup)?);
    }
    let mut default = |name: &str, value: Value| {
        claims.entry(name).or_insert(value);
    };
    default("iat", json!(issued));
    default("exp", json!(issued.saturating_add(spec.expires_in_ms.div_euclid(1_000))));
    default("jti", json!(uuid::Uuid::new_v4().to_string()));
    let encode = |map: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = spec.key.render(lookup)?;
    let signature = sign(spec.algorithm, key.as_bytes(), signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn algorithm_name(algorithm: JwtAlgorithm) -> &'static str {
    match algorithm {
        JwtAlgorithm::HS256 => "HS256",
        JwtAlgorithm::HS384 => "HS384",
        JwtAlgorithm::HS512 => "HS512",
    }
}

fn sign(algorithm: JwtAlgorithm, key: &[u8], text: &[u8]) -> Vec<u8> {
    macro_rules! signed {
        ($hash:ty) => {{
            let mut mac =
                Hmac::<$hash>::new_from_slice(key).expect("HMAC takes keys of every length");
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match algorithm {
        JwtAlgorithm::HS256 => signed!(Sha256),
        JwtAlgorithm::HS384 => signed!(Sha384),
        JwtAlgorithm::HS512 => signed!(Sha512),
    }
}

/// When a token says that it expires; it is read, not checked.
pub(super) fn expires_at(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::template::{JsonTemplate, Template};

    fn nothing(_: &str) -> Option<Value> {
        None
    }

    fn spec(algorithm: JwtAlgorithm) -> JwtSpec {
        let claim = |name: &str, value: Value| (name.to_owned(), JsonTemplate::Plain(value));
        JwtSpec {
            algorithm,
            key: Template::literal("your-256-bit-secret"),
            claims: vec![
                claim("sub", json!("1234567890")),
                claim("name", json!("John Doe")),
                claim("iat", json!(1_516_239_022)),
                claim("exp", json!(1_516_239_122)),
                claim("jti", json!("a")),
            ],
            header: vec![],
            expires_in_ms: 100_000,
        }
    }

    #[test]
    fn a_signature_is_the_one_that_the_standard_wants() {
        // RFC 7515, appendix A.1: the key and the exact bytes that are signed there.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = sign(JwtAlgorithm::HS256, &key, text.as_bytes());
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn claims_that_are_given_stay_and_others_are_added() {
        let now = Timestamp::from_second(1_000).unwrap();
        let token = mint(&spec(JwtAlgorithm::HS384), now, &nothing).unwrap();
        assert_eq!(expires_at(&token), Timestamp::from_second(1_516_239_122).ok());
        let mut bare = spec(JwtAlgorithm::HS512);
        bare.claims.clear();
        bare.expires_in_ms = -3_600_000;
        let token = mint(&bare, now, &nothing).unwrap();
        assert_eq!(expires_at(&token), Timestamp::from_second(1_000 - 3_600).ok());
        let header = token.split('.').next().unwrap();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        assert_eq!(String::from_utf8(header).unwrap(), r#"{"alg":"HS512","typ":"JWT"}"#);
        let lengths: Vec<usize> = [JwtAlgorithm::HS256, JwtAlgorithm::HS384, JwtAlgorithm::HS512]
            .map(|algorithm| sign(algorithm, b"k", b"t").len())
            .to_vec();
        assert_eq!(lengths, [32, 48, 64]);
    }

    #[test]
    fn what_is_no_token_expires_never() {
        for text in ["", "a.b", "opaque-token", "a.!!!.c"] {
            assert_eq!(expires_at(text), None, "{text}");
        }
    }
}
