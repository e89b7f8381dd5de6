//! The next request after a redirect. Pure, so that every rule has its row in a table.

use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use url::Url;

use super::fault::{Fault, FaultKind};
use super::request::{Request, RequestBody};

/// Never more, whatever the step says.
const MAX_HOPS: u32 = 10;

/// The request that follows an answer, or `None` when it is the answer: no redirect, or the step
/// wants to see it.
pub(super) fn next_request(
    request: &Request,
    hops: u32,
    status: u16,
    location: Option<&str>,
) -> Result<Option<Request>, Fault> {
    let is_redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
    let Some(location) = location.filter(|_| is_redirect && request.follow > 0) else {
        return Ok(None);
    };
    let limit = request.follow.min(MAX_HOPS);
    if hops >= limit {
        return Err(refused(format!("more than {limit} redirects, the last to {location}")));
    }
    let url = destination(&request.url, location)?;
    let mut next = request.clone();
    if becomes_get(status, &request.method) {
        next.method = Method::GET;
        next.body = RequestBody::Empty;
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    if request.url.origin() != url.origin() {
        strip_credentials(&mut next);
    }
    next.url = url;
    Ok(Some(next))
}

fn refused(reason: String) -> Fault {
    Fault::new(FaultKind::Redirect, reason)
}

/// Where a redirect leads, if it may.
fn destination(from: &Url, location: &str) -> Result<Url, Fault> {
    let mut url = from
        .join(location)
        .map_err(|fault| refused(format!("a redirect to {location:?}, no address: {fault}")))?;
    match url.scheme() {
        "https" => {}
        "http" if from.scheme() == "http" => {}
        "http" => return Err(refused(format!("a redirect from https to {location}"))),
        scheme => return Err(refused(format!("a redirect to {scheme}: ({location})"))),
    }
    url.set_fragment(None);
    // Credentials in a redirect's address are not ours to send.
    let _never_fails = url.set_username("").and_then(|()| url.set_password(None));
    Ok(url)
}

/// Keys in headers of their own are credentials too: only what every client sends goes to another
/// origin.
fn strip_credentials(request: &mut Request) {
    let plain = ["user-agent", "accept", "accept-encoding", "accept-language", "content-type"];
    let foreign = request.headers.keys().filter(|name| !plain.contains(&name.as_str()));
    for name in foreign.cloned().collect::<Vec<HeaderName>>() {
        request.headers.remove(name);
    }
}

fn becomes_get(status: u16, method: &Method) -> bool {
    match status {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::header::HeaderValue;

    fn request(method: Method, url: &str, follow: u32) -> Request {
        let mut request = Request::get(Url::parse(url).unwrap());
        request.method = method;
        request.follow = follow;
        request.body = RequestBody::Bytes("x".into());
        for name in ["authorization", "x-api-key", "cookie"] {
            request.headers.insert(name, HeaderValue::from_static("secret"));
        }
        request
    }

    fn next(request: &Request, status: u16, location: &str) -> Result<Option<Request>, Fault> {
        next_request(request, 0, status, Some(location))
    }

    #[test]
    fn where_redirects_may_lead() {
        let https = request(Method::GET, "https://a.example/x/y", 5);
        let url = |location| next(&https, 302, location).unwrap().unwrap().url.to_string();
        assert_eq!(url("/z"), "https://a.example/z");
        assert_eq!(url("z?q#f"), "https://a.example/x/z?q");
        assert_eq!(url("//b.example/"), "https://b.example/");
        assert_eq!(url("https://u:p@a.example/"), "https://a.example/");
        for bad in ["http://a.example/", "file:///etc/passwd", "ftp://a.example/", "https://"] {
            let fault = next(&https, 302, bad).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Redirect, "{bad}");
        }
        let http = request(Method::GET, "http://a.example/", 5);
        assert!(next(&http, 302, "https://a.example/").unwrap().is_some());
    }

    #[test]
    fn credentials_stay_at_home() {
        let from = request(Method::GET, "https://a.example/", 5);
        let kept = next(&from, 307, "/other").unwrap().unwrap();
        assert!(kept.headers.contains_key("authorization"));
        assert!(kept.headers.contains_key("x-api-key"));
        for location in ["https://b.example/", "https://a.example:444/"] {
            let stripped = next(&from, 307, location).unwrap().unwrap();
            for name in ["authorization", "x-api-key", "cookie"] {
                assert!(!stripped.headers.contains_key(name), "{name} went to {location}");
            }
            assert!(stripped.headers.contains_key("user-agent"));
        }
    }

    #[test]
    fn methods_change_as_the_standard_says() {
        let table = [
            (301, Method::POST, Method::GET),
            (302, Method::POST, Method::GET),
            (302, Method::PUT, Method::PUT),
            (303, Method::PUT, Method::GET),
            (303, Method::HEAD, Method::HEAD),
            (307, Method::POST, Method::POST),
            (308, Method::POST, Method::POST),
        ];
        for (status, from, to) in table {
            let from = request(from, "http://a.example/", 1);
            let next = next(&from, status, "/").unwrap().unwrap();
            assert_eq!(next.method, to, "{status} after {}", from.method);
            let kept = !matches!(next.body, RequestBody::Empty);
            assert_eq!(kept, next.method == from.method, "{status} after {}", from.method);
        }
    }

    #[test]
    fn hops_are_counted() {
        let endless = request(Method::GET, "http://a.example/", 99);
        assert!(next_request(&endless, 9, 302, Some("/")).unwrap().is_some());
        assert!(next_request(&endless, 10, 302, Some("/")).is_err());
        let none = request(Method::GET, "http://a.example/", 0);
        assert!(next_request(&none, 0, 302, Some("/")).unwrap().is_none());
        let one = request(Method::GET, "http://a.example/", 1);
        assert!(next_request(&one, 0, 200, Some("/")).unwrap().is_none());
        assert!(next_request(&one, 0, 302, None).unwrap().is_none());
        assert!(next_request(&one, 1, 302, Some("/")).is_err());
    }
}
