//! The body of a webhook, and its signature. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::domain::state::CycleState;
use crate::report::cycle_json;

/// A receiver need not take more.
const MAX_BYTES: usize = 1 << 20;
/// How many entries of each list stay when that is too much; then how many when it still is.
const STAY: [usize; 3] = [500, 50, 5];

/// The JSON of SPEC section 7. When it is too long its lists are cut, and `left_out` says how many
/// entries each lost.
pub(super) fn cycle_body(state: &CycleState) -> Value {
    let mut json = cycle_json(state);
    if length(&json) <= MAX_BYTES {
        return json;
    }
    let changed = |case: &Value| {
        !matches!(case["change"].as_str(), Some("still_passing" | "new_passing") | None)
    };
    let mut left_out = 0;
    if let Some(cases) = json["cases"].as_array_mut() {
        let all = cases.len();
        cases.retain(changed);
        left_out = all - cases.len();
    }
    note(&mut json, "cases", left_out);
    for max in STAY {
        if length(&json) <= MAX_BYTES {
            break;
        }
        shorten(&mut json, max);
    }
    json
}

/// Cuts the lists that grow with the suite.
fn shorten(json: &mut Value, max: usize) {
    for list in ["cases", "clusters", "suspicious", "renames"] {
        let cut = json.get_mut(list).map_or(0, |list| truncate(list, max));
        note(json, list, cut);
    }
    for cluster in json["clusters"].as_array_mut().into_iter().flatten() {
        for list in ["cases", "suspects"] {
            let cut = cluster.get_mut(list).map_or(0, |list| truncate(list, max));
            note(cluster, list, cut);
        }
    }
    if let Some(changes) = json.get_mut("changes") {
        let names: Vec<String> =
            changes.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        for list in names {
            let cut = changes.get_mut(&list).map_or(0, |list| truncate(list, max));
            note(changes, &list, cut);
        }
    }
}

fn truncate(list: &mut Value, max: usize) -> usize {
    let Some(list) = list.as_array_mut() else { return 0 };
    let cut = list.len().saturating_sub(max);
    list.truncate(max);
    cut
}

fn note(within: &mut Value, list: &str, cut: usize) {
    if cut > 0 {
        let before = within["left_out"][list].as_u64().unwrap_or(0);
        if !within["left_out"].is_object() {
            within["left_out"] = json!({});
        }
        within["left_out"][list] = json!(before + cut as u64);
    }
}

fn length(json: &Value) -> usize {
    serde_json::to_vec(json).map_or(usize::MAX, |bytes| bytes.len())
}

/// `sha256=` and the HMAC-SHA256 of the body in hex, as GitHub writes it.
///
/// # Panics
/// Never: HMAC takes keys of any length.
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_others_compute() {
        // The example in GitHub's documentation of webhook signatures.
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature("It's a Secret to Everybody", b"Hello, World!"), expected);
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let ids: Vec<String> = (0..2_000).map(|n| format!("case-{n:0500}")).collect();
        let mut json = json!({ "cycle": 7, "cases": ids, "changes": { "regressed": ids, "fixed": [] },
            "clusters": [{ "cases": ids, "suspects": [] }] });
        shorten(&mut json, 500);
        shorten(&mut json, 50);
        assert_eq!(json["cases"].as_array().map(Vec::len), Some(50));
        assert_eq!(json["left_out"], json!({ "cases": 1_950 }));
        assert_eq!(json["changes"]["left_out"], json!({ "regressed": 1_950 }));
        assert_eq!(json["clusters"][0]["left_out"], json!({ "cases": 1_950 }));
        assert!(length(&json) < MAX_BYTES);
    }
}
