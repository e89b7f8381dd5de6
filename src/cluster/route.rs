//! Addresses without what varies: `https://host:8443/api/messages/17?page=2` has the shape
//! `/api/messages/{id}`.

use url::{Host, Url};

/// What stands for an id within a route.
const ID: &str = "{id}";
/// What stands for the path of a file.
pub(super) const FILE_PATH: &str = "{path}";
/// First parts of absolute paths that lead to files.
const FILE_ROOTS: &[&str] = &[
    "Users",
    "builds",
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "private",
    "proc",
    "root",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "workspace",
];
/// Endings of source files, which no route has.
const SOURCE_ENDINGS: &[&str] = &[
    "c", "cc", "cjs", "cpp", "cs", "go", "h", "java", "js", "jsx", "kt", "log", "mjs", "php", "py",
    "rb", "rs", "sh", "swift", "tmp", "ts", "tsx",
];
/// Parts of routes that have a digit and are no ids.
const WORDS_WITH_DIGITS: &[&str] = &["i18n", "k8s", "l10n", "mp3", "mp4", "oauth2", "s3"];
/// A part of a route longer than this is no word.
const MAX_WORD: usize = 40;

/// Whether a word, in lower case, is an HTTP method.
pub(super) fn is_method(lower: &str) -> bool {
    matches!(lower, "get" | "post" | "put" | "patch" | "delete" | "head" | "options")
}

/// The shape of a URL's path; of a text that is no URL, its own.
pub(super) fn url_shape(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "file" => FILE_PATH.to_owned(),
        Ok(parsed) => route_shape(parsed.path()),
        Err(_) => route_shape(url),
    }
}

/// The host of a URL where it has a name; addresses and ports vary.
pub(super) fn host_of(url: &str) -> Option<String> {
    match Url::parse(url).ok()?.host()? {
        Host::Domain(name) => Some(name.to_ascii_lowercase()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// The shape of a bare path in a text: of a route, unless it looks like a file.
pub(super) fn path_shape(path: &str, after_method: bool) -> String {
    let first = path.split('/').nth(1).unwrap_or("");
    let name = path.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or("");
    let is_source = name.rsplit_once('.').is_some_and(|(_, end)| SOURCE_ENDINGS.contains(&end));
    let is_file = is_source || FILE_ROOTS.contains(&first);
    if is_file && !after_method { FILE_PATH.to_owned() } else { route_shape(path) }
}

/// A route with its ids masked and its query left out.
fn route_shape(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or("");
    let parts: Vec<&str> =
        path.split('/').map(|part| if is_id(part) { ID } else { part }).collect();
    let shape = parts.join("/");
    let shape = shape.trim_end_matches('/');
    if shape.is_empty() { "/".to_owned() } else { shape.to_ascii_lowercase() }
}

/// Whether a part of a route names one thing of many.
fn is_id(part: &str) -> bool {
    let is_version = part
        .strip_prefix(['v', 'V'])
        .is_some_and(|n| (1..=2).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()));
    if part == ID || is_version || WORDS_WITH_DIGITS.contains(&part.to_ascii_lowercase().as_str()) {
        return false;
    }
    let is_hex = part.len() >= 7 && part.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex || part.len() > MAX_WORD || part.bytes().any(|b| b.is_ascii_digit())
}
