//! From what a step says to a request that can be sent: references filled in, headers checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::Url;
use url::form_urlencoded::Serializer;

use super::fault::{Fault, FaultKind};
use super::request::{Part, PartContent, Request, RequestBody, WsRequest, default_headers, header};
use crate::domain::address::render_address;
use crate::domain::spec::{Body, HttpRequest, MultipartPart, WsMessage, WsOpen};
use crate::domain::template::{Lookup, Template, UnknownName};

impl From<UnknownName> for Fault {
    fn from(error: UnknownName) -> Self {
        Self::new(FaultKind::BadRequest, error.to_string())
    }
}

/// Fills in a request.
///
/// # Errors
/// When a name has no value, or what comes out is no address or no header.
pub fn render_request(spec: &HttpRequest, lookup: &dyn Lookup) -> Result<Request, Fault> {
    let mut url = render_url(&spec.url, lookup)?;
    if !spec.query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &spec.query {
            pairs.append_pair(name, &value.render(lookup)?);
        }
    }
    let mut headers = default_headers();
    let body = match &spec.body {
        None => RequestBody::Empty,
        Some(body) => render_body(body, lookup, &mut headers)?,
    };
    if let Some(value) = credentials(&mut url, spec, lookup)? {
        headers.insert(AUTHORIZATION, value);
    }
    add_headers(&mut headers, &spec.headers, lookup)?;
    let method = spec.method.parse().map_err(|_| {
        Fault::new(FaultKind::BadRequest, format!("{:?} is not a method", spec.method))
    })?;
    let (follow, tls, http2) = (spec.follow, spec.tls.clone(), spec.http2);
    Ok(Request { method, url, headers, body, follow, tls, http2 })
}

/// Fills in a WebSocket handshake.
///
/// # Errors
/// When a name has no value, or what comes out is no address or no header.
pub fn render_ws_open(spec: &WsOpen, lookup: &dyn Lookup) -> Result<WsRequest, Fault> {
    let mut url = render_url(&spec.url, lookup)?;
    let mut headers = HeaderMap::new();
    headers.extend(default_headers());
    if let Some(value) = url_credentials(&mut url)? {
        headers.insert(AUTHORIZATION, value);
    }
    add_headers(&mut headers, &spec.headers, lookup)?;
    let subprotocols =
        spec.subprotocols.iter().map(|p| p.render(lookup)).collect::<Result<_, _>>()?;
    Ok(WsRequest { url, headers, subprotocols, tls: spec.tls.clone() })
}

/// Fills in a message.
///
/// # Errors
/// When a name has no value.
pub fn render_ws_message(spec: &WsMessage, lookup: &dyn Lookup) -> Result<String, UnknownName> {
    match spec {
        WsMessage::Json(json) => Ok(json.render(lookup)?.to_string()),
        WsMessage::Text(text) => text.render(lookup),
    }
}

fn render_url(template: &Template, lookup: &dyn Lookup) -> Result<Url, Fault> {
    let text = render_address(template, lookup)
        .map_err(|fault| Fault::new(FaultKind::BadRequest, fault.to_string()))?;
    let mut url = Url::parse(&text).map_err(|fault| {
        let message = format!("`{}` is not an address: {fault}", template.source());
        Fault::new(FaultKind::BadRequest, message)
    })?;
    url.set_fragment(None);
    Ok(url)
}

/// Headers of the step replace those that we add; a name given twice is sent twice.
fn add_headers(
    headers: &mut HeaderMap,
    specs: &[(String, Template)],
    lookup: &dyn Lookup,
) -> Result<(), Fault> {
    let mut own = HeaderMap::new();
    for (name, value) in specs {
        let (name, value) = header(name, &value.render(lookup)?)?;
        own.append(name, value);
    }
    for name in own.keys() {
        headers.remove(name);
    }
    for (name, value) in &own {
        headers.append(name, value.clone());
    }
    Ok(())
}

fn credentials(
    url: &mut Url,
    spec: &HttpRequest,
    lookup: &dyn Lookup,
) -> Result<Option<HeaderValue>, Fault> {
    let in_url = url_credentials(url)?;
    let text = if let Some(token) = &spec.bearer {
        format!("Bearer {}", token.render(lookup)?)
    } else if let Some(basic) = &spec.basic {
        basic_value(&basic.username.render(lookup)?, &basic.password.render(lookup)?)
    } else {
        return Ok(in_url);
    };
    header("authorization", &text).map(|(_, value)| Some(value))
}

/// User and password in an address become a header, as every client does it.
fn url_credentials(url: &mut Url) -> Result<Option<HeaderValue>, Fault> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| percent_decoded(text);
    let value = basic_value(&decode(url.username()), &decode(url.password().unwrap_or_default()));
    let cannot = |()| Fault::new(FaultKind::BadRequest, "the address cannot have a user");
    url.set_username("").map_err(cannot)?;
    url.set_password(None).map_err(cannot)?;
    header("authorization", &value).map(|(_, value)| Some(value))
}

fn percent_decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn basic_value(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn render_body(
    body: &Body,
    lookup: &dyn Lookup,
    headers: &mut HeaderMap,
) -> Result<RequestBody, Fault> {
    let mut kind = |text: &'static str| {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(text));
    };
    Ok(match body {
        Body::Json(json) => {
            kind("application/json");
            RequestBody::Bytes(Bytes::from(json.render(lookup)?.to_string()))
        }
        Body::Form(fields) => {
            kind("application/x-www-form-urlencoded");
            let mut form = Serializer::new(String::new());
            for (name, value) in fields {
                form.append_pair(name, &value.render(lookup)?);
            }
            RequestBody::Bytes(Bytes::from(form.finish()))
        }
        Body::Text(text) => {
            kind("text/plain; charset=utf-8");
            RequestBody::Bytes(Bytes::from(text.render(lookup)?))
        }
        Body::File(path) => {
            kind("application/octet-stream");
            RequestBody::File(path.clone())
        }
        Body::Multipart(specs) => {
            let boundary = format!("andon-{}", uuid::Uuid::new_v4().simple());
            let (_, value) =
                header("content-type", &format!("multipart/form-data; boundary={boundary}"))?;
            headers.insert(CONTENT_TYPE, value);
            let parts = specs.iter().map(|part| render_part(part, lookup));
            RequestBody::Multipart { boundary, parts: parts.collect::<Result<_, _>>()? }
        }
    })
}

fn render_part(spec: &MultipartPart, lookup: &dyn Lookup) -> Result<Part, Fault> {
    let content = match (&spec.text, &spec.file) {
        (_, Some(path)) => PartContent::File(path.clone()),
        (Some(text), None) => PartContent::Text(text.render(lookup)?),
        (None, None) => PartContent::Text(String::new()),
    };
    Ok(Part { name: spec.name.clone(), content, content_type: spec.content_type.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::TlsOptions;
    use serde_json::{Value, json};

    fn values(name: &str) -> Option<Value> {
        (name == "v").then(|| json!("a b&c"))
    }

    fn spec(url: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".to_owned(),
            url: Template::parse(url).unwrap(),
            headers: vec![],
            query: vec![],
            body: None,
            follow: 0,
            basic: None,
            bearer: None,
            tls: TlsOptions::default(),
            http2: false,
        }
    }

    #[test]
    fn query_values_are_encoded_and_appended() {
        let mut spec = spec("http://h.example/p?x=1#frag");
        spec.query = vec![("q".to_owned(), Template::parse("${v}").unwrap())];
        let request = render_request(&spec, &values).unwrap();
        assert_eq!(request.url.as_str(), "http://h.example/p?x=1&q=a+b%26c");
    }

    #[test]
    fn own_headers_replace_ours_and_may_repeat() {
        let mut spec = spec("http://h.example/");
        spec.body = Some(Body::Text(Template::literal("x")));
        let own = |name: &str, value: &str| (name.to_owned(), Template::literal(value));
        spec.headers = vec![own("content-type", "text/csv"), own("x-a", "1"), own("x-a", "2")];
        let headers = render_request(&spec, &values).unwrap().headers;
        assert_eq!(headers.get_all("x-a").iter().count(), 2);
        assert_eq!(headers.get_all("content-type").iter().collect::<Vec<_>>(), ["text/csv"]);
        assert_eq!(headers["accept-encoding"], "identity");
    }

    #[test]
    fn a_user_in_the_address_becomes_a_header() {
        let request = render_request(&spec("http://us%40er:p%20w@h.example/"), &values).unwrap();
        assert_eq!(request.url.as_str(), "http://h.example/");
        let wanted = format!("Basic {}", STANDARD.encode("us@er:p w"));
        assert_eq!(request.headers["authorization"].to_str().unwrap(), wanted);
    }

    #[test]
    fn what_cannot_be_filled_in_is_our_fault() {
        for bad in ["${nope}", "not an address", "http://"] {
            let fault = render_request(&spec(bad), &values).unwrap_err();
            assert_eq!(fault.kind, FaultKind::BadRequest, "{bad}");
        }
    }
}
