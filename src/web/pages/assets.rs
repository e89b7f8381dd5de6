//! The style, the script and the icon of the pages: within the binary, kept by browsers for as long as
//! they like, because their address changes with their content.

use std::sync::OnceLock;

use axum::response::IntoResponse as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};

use crate::web::call::{Answer, Call};
use crate::web::problem::Problem;

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 5] = [
    Asset { name: "style.css", kind: "text/css", text: include_str!("assets/style.css") },
    Asset { name: "andon.js", kind: "text/javascript", text: include_str!("assets/andon.js") },
    Asset { name: "grid.js", kind: "text/javascript", text: include_str!("assets/grid.js") },
    Asset { name: "log.js", kind: "text/javascript", text: include_str!("assets/log.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", text: include_str!("assets/icon.svg") },
];

/// `GET /assets/{file}`
pub(in crate::web) async fn serve(call: Call) -> Answer {
    let given = call.parameter("file");
    let asset = ASSETS.iter().find(|asset| asset.name == given);
    let asset = asset.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let kind = format!("{}; charset=utf-8", asset.kind);
    // Without the digest in its address it may be another one tomorrow.
    let is_certain = call.parts.uri.query() == address(asset.name).split_once('?').map(|it| it.1);
    let keep = if is_certain { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, kind.as_str()), (CACHE_CONTROL, keep)], asset.text).into_response())
}

/// Where it is, with what it holds.
pub(super) fn address(name: &str) -> String {
    static DIGESTS: OnceLock<Vec<(&str, String)>> = OnceLock::new();
    let digests = DIGESTS.get_or_init(|| {
        let digest = |asset: &Asset| hex::encode(&Sha256::digest(asset.text)[..6]);
        ASSETS.iter().map(|asset| (asset.name, digest(asset))).collect()
    });
    let digest = digests.iter().find(|(known, _)| *known == name);
    let digest = digest.expect("templates name what there is");
    format!("/assets/{name}?{}", digest.1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::ASSETS;

    /// What looks like a button is no text with a line under it.
    #[test]
    fn a_link_in_a_box_of_its_own_is_not_underlined() {
        let style = ASSETS.iter().find(|asset| asset.name == "style.css").unwrap().text;
        let (_, rest) = style.split_once("text-underline-offset").unwrap();
        let (_, rest) = rest.split_once(":is(").unwrap();
        let (plain, _) = rest.split_once("):not(:hover) { text-decoration: none").unwrap();
        let plain: Vec<&str> = plain.split(", ").collect();
        let rules = style.split('}').filter_map(|rule| rule.split_once('{'));
        let mut boxes = 0;
        for (selector, says) in rules {
            let selector = selector.trim();
            let is_link = selector.starts_with("a.") || selector.ends_with(" a");
            if !is_link
                || !(says.contains("border: 1px") || says.contains("background: var(--ground)"))
            {
                continue;
            }
            boxes += 1;
            let is_plain = plain.contains(&selector) || says.contains("text-decoration: none");
            assert!(is_plain, "{selector} is underlined");
        }
        assert!(boxes > 1, "none was looked at");
    }
}
