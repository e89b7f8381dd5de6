//! Secrets, and a mask for every form in which one could show.
//!
//! A mask protects against accidents: a token echoed by a script, a key in an error message. It is
//! no barrier against code that means to leak (`docs/security.md`).

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::{Position, Url};

mod seen;

use seen::{Seen, Taken};

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Shorter values would mask half of every text, so they are refused as secrets.
pub const MIN_SECRET_BYTES: usize = 6;

/// A value that cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The value itself: only for the place that must send or sign with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Replaces every known form of every known secret by [`MASK`].
#[derive(Clone, Default)]
pub struct Masker {
    forms: Option<Arc<Forms>>,
}

struct Forms {
    automaton: AhoCorasick,
    longest: usize,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").field("armed", &self.forms.is_some()).finish()
    }
}

impl Masker {
    /// A mask for these values. Values shorter than [`MIN_SECRET_BYTES`] are left out; whoever
    /// loads secrets refuses those.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<Vec<u8>> = values.into_iter().flat_map(|v| forms_of(&v)).collect();
        forms.sort_unstable();
        forms.dedup();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        // Not the quickest to search but to build, in a tenth of the memory: a suite learns a token
        // every few steps, and what is searched is short.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(&forms)
            .ok();
        let armed = automaton.filter(|_| longest > 0);
        Self { forms: armed.map(|automaton| Arc::new(Forms { automaton, longest })) }
    }

    /// The text with every secret masked.
    pub fn mask(&self, text: &str) -> String {
        match &self.forms {
            None => text.to_owned(),
            Some(forms) if !seen::may_hide(text.as_bytes()) && !forms.automaton.is_match(text) => {
                text.to_owned()
            }
            Some(_) => String::from_utf8_lossy(&self.mask_bytes(text.as_bytes())).into_owned(),
        }
    }

    /// The bytes with every secret masked.
    pub fn mask_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut stream = self.stream();
        stream.push(bytes, &mut out);
        stream.finish(&mut out);
        out
    }

    /// A mask for bytes that come in chunks: what could be the beginning of a secret is held back
    /// until the next chunk decides.
    pub fn stream(&self) -> MaskStream {
        MaskStream { forms: self.forms.clone(), held: Vec::new() }
    }
}

/// The running state of [`Masker::stream`].
pub struct MaskStream {
    forms: Option<Arc<Forms>>,
    held: Vec<u8>,
}

impl MaskStream {
    /// Takes a chunk and appends to `out` what is certain by now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let Some(forms) = self.forms.clone() else {
            out.extend_from_slice(chunk);
            return;
        };
        self.held.extend_from_slice(chunk);
        let done = replace(&forms, &self.held, End::Open, out);
        self.held.drain(..done);
    }

    /// Appends to `out` what was still held back.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        if let Some(forms) = self.forms.take() {
            replace(&forms, &self.held, End::Reached, out);
        }
    }
}

/// At most so many bytes that cannot be seen are held back beside what could begin a secret.
const MAX_HIDDEN: usize = 16 * 1024;

/// Whether more bytes follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Reached,
}

/// Writes `bytes` with every match replaced that is certain by now, also where a secret only reads
/// as one once what cannot be seen is taken out; returns how much was used up.
fn replace(forms: &Forms, bytes: &[u8], end: End, out: &mut Vec<u8>) -> usize {
    // What begins before the last bytes that could begin a secret ends within what we hold.
    let undecided = forms.longest - 1;
    let plain = bytes.len().saturating_sub(undecided);
    if !seen::may_hide(bytes) {
        let certain = if end == End::Reached { bytes.len() } else { plain };
        let found = forms.automaton.find_iter(bytes).map(|found| found.range());
        return replace_up_to(found, bytes, certain, out);
    }
    let views = Taken::ALL.map(|taken| Seen::of(bytes, taken));
    let decided = views.iter().map(|view| view.place_before_last(undecided)).min().unwrap_or(plain);
    let certain = match end {
        End::Reached => bytes.len(),
        End::Open => decided.max(plain.saturating_sub(MAX_HIDDEN)),
    };
    let mut search = Search { forms, views: &views, found: [const { None }; 3], from: 0 };
    let found = std::iter::from_fn(|| search.next());
    replace_up_to(found, bytes, certain, out)
}

/// The matches in all views of the same bytes, in order and none within another.
struct Search<'a> {
    forms: &'a Forms,
    views: &'a [Seen; 3],
    /// The next match of each view: not looked for yet, or none any more.
    found: [Option<Option<Range<usize>>>; 3],
    from: usize,
}

impl Search<'_> {
    fn next(&mut self) -> Option<Range<usize>> {
        for (view, found) in self.views.iter().zip(&mut self.found) {
            let is_over =
                |found: &Option<Range<usize>>| found.as_ref().is_some_and(|f| f.start < self.from);
            if found.as_ref().is_none_or(is_over) {
                *found = Some(first_match(self.forms, view, self.from));
            }
        }
        let all = self.found.iter().flatten().flatten();
        let first = all.min_by_key(|found| (found.start, Reverse(found.end)))?.clone();
        self.from = first.end;
        Some(first)
    }
}

/// The first match of a view from a place of the bytes on, as the place of it.
fn first_match(forms: &Forms, view: &Seen, from: usize) -> Option<Range<usize>> {
    let index = view.places.partition_point(|place| *place < from);
    let found = forms.automaton.find(Input::new(&view.bytes).range(index..))?;
    Some(view.places[found.start()]..view.places[found.end() - 1] + 1)
}

/// Writes `bytes` with matches that begin before `certain` replaced; returns how much was used up.
fn replace_up_to(
    matches: impl Iterator<Item = Range<usize>>,
    bytes: &[u8],
    certain: usize,
    out: &mut Vec<u8>,
) -> usize {
    let mut done = 0;
    for found in matches {
        if found.start >= certain {
            break;
        }
        out.extend_from_slice(&bytes[done..found.start]);
        out.extend_from_slice(MASK.as_bytes());
        done = found.end;
    }
    if done < certain {
        out.extend_from_slice(&bytes[done..certain]);
        done = certain;
    }
    done
}

/// Every form of one secret that we know tools to print.
fn forms_of(value: &str) -> Vec<Vec<u8>> {
    let mut texts = vec![value.to_owned(), value.trim().to_owned()];
    texts.extend(value.lines().map(|line| line.trim().to_owned()));
    texts.extend(as_address(value.trim()));
    texts.extend(
        [Taken::Characters, Taken::Sequences].map(|taken| seen::without(value.trim(), taken)),
    );
    let mut forms = Vec::new();
    for text in texts {
        if text.len() < MIN_SECRET_BYTES {
            continue;
        }
        forms.extend(base64_forms(text.as_bytes()));
        forms.extend(base64_forms(STANDARD.encode(&text).as_bytes()));
        forms.extend(wrapped_forms(text.as_bytes()));
        forms.push(hex::encode(&text).into_bytes());
        forms.push(hex::encode_upper(&text).into_bytes());
        forms.extend(quoted_forms(&text).into_iter().map(String::into_bytes));
        forms.extend(each_character_encoded(&text).into_iter().map(String::into_bytes));
        forms.push(text.replace('\'', r"'\''").into_bytes());
        forms.push(text.replace('\'', r#"'"'"'"#).into_bytes());
    }
    forms.retain(|form| form.len() >= MIN_SECRET_BYTES);
    forms
}

/// A shorter path is a word of many texts.
const MIN_PATH_BYTES: usize = 12;

/// What clients show of a secret that is an address or the name of a host, which they rewrite: names
/// of hosts in lower case, no default port, the user and the fragment left out.
fn as_address(value: &str) -> Vec<String> {
    let of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    if value.chars().all(of_host) {
        return vec![value.to_ascii_lowercase()];
    }
    let Ok(mut url) = Url::parse(value) else { return Vec::new() };
    if !url.has_host() {
        return Vec::new();
    }
    url.set_fragment(None);
    let mut texts = vec![url.to_string()];
    let path = &url[Position::BeforePath..];
    texts.extend((path.len() >= MIN_PATH_BYTES).then(|| path.to_owned()));
    let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
    texts.extend(password.iter().map(|password| percent_decoded(password)));
    let credentials = format!("{user}:{}", password.unwrap_or_default());
    if credentials.len() > 1 {
        texts.push(percent_decoded(&credentials));
        texts.push(credentials);
    }
    // An address with a host can be without a user.
    if url.set_username("").is_ok() && url.set_password(None).is_ok() {
        texts.push(url.to_string());
    }
    texts
}

fn percent_decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The part of a base64 text that depends on the secret alone, for the three places at which a
/// secret can begin within a larger encoded text, in both alphabets.
fn base64_forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for shift in 0..3usize {
        let mut padded = vec![0_u8; shift];
        padded.extend_from_slice(bytes);
        let first_own_digit = [0, 2, 3][shift];
        let whole_digits = padded.len() / 3 * 4 + [0, 1, 2][padded.len() % 3];
        if whole_digits <= first_own_digit {
            continue;
        }
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(text.as_bytes()[first_own_digit..whole_digits].to_vec());
            // Where nothing follows the secret, its last digits are its own too.
            forms.push(text.as_bytes()[first_own_digit..].to_vec());
        }
        forms.push(STANDARD.encode(&padded).as_bytes()[first_own_digit..].to_vec());
    }
    forms
}

/// The whole lines of an encoded secret that is too long for one, as `base64` (76 digits), PEM (64)
/// and `xxd -p` (60) break them.
fn wrapped_forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let encoded = STANDARD_NO_PAD.encode(bytes).into_bytes();
    // Only digits that hold nothing but the secret: what follows it decides the last one.
    let base64 = &encoded[..bytes.len() * 8 / 6];
    let hex = hex::encode(bytes).into_bytes();
    let lines = [(base64, 76), (base64, 64), (&hex[..], 60)];
    let broken = lines.into_iter().filter(|(digits, width)| digits.len() > *width);
    broken.flat_map(|(digits, width)| digits.chunks(width).map(<[u8]>::to_vec)).collect()
}

/// What the common encoders of addresses leave as it is, beside letters, digits, `-`, `.` and `_`.
const URL_SAFE_SETS: [&str; 8] = [
    "*",                          // a form, and our own `query` (WHATWG)
    "~",                          // RFC 3986, a component
    "~/",                         // Python's `quote`
    "~!*'()",                     // `encodeURIComponent`
    "~!*'();,/?:@&=+$#",          // `encodeURI`
    "~!$%&'()*+,/:;=?@[\\]^`{|}", // the query of an address as browsers and we write it (WHATWG)
    "~!$%&()*+,/:;=?@[\\]^`{|}",  // the same of an http address
    "~!$%&'()*+,/:;=@[\\]|",      // its path
];

/// The text percent-encoded, with upper-case and lower-case digits, and as forms write a space.
fn percent_encoded(text: &str, kept: &str) -> [String; 3] {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') || kept.contains(c);
    let encode = |digits: fn(u8) -> String| -> String {
        let one = |byte: u8| match plain(char::from(byte)) {
            true => char::from(byte).to_string(),
            false => digits(byte),
        };
        text.bytes().map(one).collect()
    };
    let upper = encode(|byte| format!("%{byte:02X}"));
    let form = upper.replace("%20", "+");
    [upper, encode(|byte| format!("%{byte:02x}")), form]
}

/// The text as it stands within quotes of some language, and that once more within JSON: a message
/// that quotes an answer quotes what was quoted there before.
fn quoted_forms(text: &str) -> Vec<String> {
    let mut once = vec![text.to_owned()];
    once.extend(json_escaped(text));
    once.extend(html_escaped(text));
    // As Python's `repr` writes it.
    once.push(text.replace('\\', r"\\").replace('\'', r"\'"));
    once.push(percent_encoded(&percent_encoded(text, "~")[0], "~")[0].clone());
    for kept in URL_SAFE_SETS {
        once.extend(percent_encoded(text, kept));
    }
    let mut forms: Vec<String> = once.iter().flat_map(|form| json_escaped(form)).collect();
    forms.append(&mut once);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// Longer secrets are left out of what few programs write: it is up to six times as long.
const MAX_EACH_ENCODED: usize = 256;

/// The text with every character encoded, also those that need not be.
fn each_character_encoded(text: &str) -> Vec<String> {
    if text.len() > MAX_EACH_ENCODED {
        return Vec::new();
    }
    let upper: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let entities: String = text.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    vec![upper.to_lowercase(), upper, units, entities]
}

/// The inside of a JSON text: plain, with `\/`, and as encoders write it that keep HTML or ASCII safe.
fn json_escaped(text: &str) -> [String; 5] {
    let quoted = serde_json::Value::from(text).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let slashed = plain.replace('/', r"\/");
    let html_safe = ['<', '>', '&', '\'']
        .iter()
        .fold(plain.clone(), |text, c| text.replace(*c, &format!("\\u{:04x}", u32::from(*c))));
    // As Go writes it, which leaves the apostrophe alone.
    let go = ['<', '>', '&']
        .iter()
        .fold(plain.clone(), |text, c| text.replace(*c, &format!("\\u{:04x}", u32::from(*c))));
    let mut units = [0_u16; 2];
    let ascii = plain.chars().fold(String::new(), |mut out, c| {
        match c.is_ascii() {
            true => out.push(c),
            false => out.extend(c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04x}"))),
        }
        out
    });
    [plain, slashed, html_safe, go, ascii]
}

/// The text as HTML writes it, with the usual spellings of quotes.
fn html_escaped(text: &str) -> [String; 3] {
    let most = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let named = most.replace('"', "&quot;");
    let numbered = most.replace('"', "&#34;").replace('\'', "&#39;");
    [named.replace('\'', "&#39;"), named.replace('\'', "&#x27;"), numbered]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "hunter2/ü+'\"=%x";

    #[test]
    fn every_form_is_masked_wherever_it_is_cut() {
        let masker = Masker::new([SECRET.to_owned()]);
        let b64 = |prefix: &str| STANDARD.encode(format!("{prefix}{SECRET}tail"));
        let shown = [
            SECRET.to_owned(),
            hex::encode(SECRET),
            r#"hunter2\/ü+'\"=%x"#.to_owned(),
            r#"hunter2/\u00fc+'\"=%x"#.to_owned(),
            r#"hunter2/ü+\u0027\"=%x"#.to_owned(),
            "hunter2%2F%C3%BC%2B%27%22%3D%25x".to_owned(),
            "hunter2/%c3%bc%2b%27%22%3d%25x".to_owned(),
            "hunter2/%C3%BC+'%22=%x".to_owned(),
            "hunter2/%C3%BC+%27%22=%x".to_owned(),
            "hunter2/ü+&#39;&quot;=%x".to_owned(),
            STANDARD.encode(STANDARD.encode(SECRET)),
            format!("'{}'", SECRET.replace('\'', r"'\''")),
        ];
        for text in shown {
            let noisy = format!("before {text} after").into_bytes();
            for cut in 0..=noisy.len() {
                let (mut out, mut stream) = (Vec::new(), masker.stream());
                stream.push(&noisy[..cut], &mut out);
                stream.push(&noisy[cut..], &mut out);
                stream.finish(&mut out);
                let out = String::from_utf8_lossy(&out).into_owned();
                assert!(!out.contains(&text), "{text} shows when cut at {cut}: {out}");
                assert!(out.starts_with("before ") && out.ends_with(" after"), "{out}");
                assert!(out.contains(MASK), "{out}");
            }
        }
        for prefix in ["", "a", "ab"] {
            assert!(masker.mask(&b64(prefix)).contains(MASK), "base64 after {prefix:?}");
        }
    }

    /// Small, and the same on every machine.
    fn dice(seed: &mut u64, below: usize) -> usize {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        usize::try_from(*seed % below as u64).unwrap()
    }

    /// The part of a base64 text that stands for the secret alone, whatever stands around it.
    fn core_of(encoded: &str, before: usize, secret: usize) -> String {
        encoded[(before * 8).div_ceil(6)..(before + secret) * 8 / 6].to_owned()
    }

    /// What must not show of a secret, and the text in which it stands, by form.
    fn forms_of(secret: &str) -> Vec<(String, String)> {
        let whole = |text: String| (text.clone(), text);
        let mut forms = vec![
            whole(secret.to_owned()),
            whole(hex::encode(secret)),
            whole(hex::encode_upper(secret)),
            whole(crate::domain::address::encode_component(secret)),
            whole(serde_json::to_string(secret).unwrap().trim_matches('"').to_owned()),
            whole(secret.replace('\'', r"'\''")),
            whole(STANDARD_NO_PAD.encode(STANDARD.encode(secret))),
        ];
        for before in 0..3 {
            for after in 0..3 {
                let text = format!("{}{secret}{}", &"xy"[..before], &"zz"[..after]);
                for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    forms.push((core_of(&encoded, before, secret.len()), encoded));
                }
            }
        }
        forms
    }

    /// RELIABILITY K1: a hundred thousand ways to cut the output in two, over random secrets.
    #[test]
    fn k1_no_form_shows_however_the_output_is_cut() {
        const LETTERS: &str = "abcXYZ0189-_.~!*'()&?=#/%+\"\\ <>;:@$,[]{}|^`äß€";
        let letters: Vec<char> = LETTERS.chars().collect();
        let (mut seed, mut cuts) = (0x9E37_79B9_7F4A_7C15, 0);
        while cuts < 100_000 {
            let length = 8 + dice(&mut seed, 24);
            let secret: String =
                (0..length).map(|_| letters[dice(&mut seed, letters.len())]).collect();
            let secret = format!("k{}k", secret.trim());
            let masker = Masker::new([secret.clone()]);
            for (core, text) in forms_of(&secret) {
                let noisy = format!("<{text}>").into_bytes();
                for cut in 0..=noisy.len() {
                    let (mut out, mut stream) = (Vec::new(), masker.stream());
                    stream.push(&noisy[..cut], &mut out);
                    stream.push(&noisy[cut..], &mut out);
                    stream.finish(&mut out);
                    let out = String::from_utf8_lossy(&out);
                    assert!(!out.contains(&core), "{secret:?}: {core} in {out}, cut at {cut}");
                    assert!(out.contains(MASK), "{secret:?}: {text} → {out}, cut at {cut}");
                    cuts += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_quoted_within_quotes_is_masked() {
        let secret = r#"pass"wo\rd'1&2<3"#;
        let masker = Masker::new([secret.to_owned()]);
        let json = serde_json::Value::from(secret).to_string();
        let go = json.replace('&', "\\u0026").replace('<', "\\u003c");
        let shown = [
            format!("{:?}", format!("{{\"x\": {json}}}")),
            serde_json::Value::from(go.clone()).to_string(),
            go,
            "pass&#34;wo\\rd&#39;1&amp;2&lt;3".to_owned(),
            r#"'pass"wo\\rd\'1&2<3'"#.to_owned(),
            secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
            "pass%2522wo%255Crd%25271%25262%253C3".to_owned(),
        ];
        for text in shown {
            let out = masker.mask(&text);
            assert!(out.contains(MASK) && !out.contains("wo"), "{text} → {out}");
        }
    }

    #[test]
    fn base64_is_masked_to_its_last_digit() {
        let masker = Masker::new([SECRET.to_owned()]);
        for prefix in ["", "a", "ab"] {
            let shown = masker.mask(&STANDARD.encode(format!("{prefix}{SECRET}")));
            assert!(shown.ends_with(MASK), "{shown}");
        }
    }

    #[test]
    fn a_secret_of_many_lines_is_masked_line_by_line() {
        let masker = Masker::new(["-----BEGIN-----\nabcdefgh\n".to_owned()]);
        assert_eq!(masker.mask("x abcdefgh y"), "x *** y");
    }

    #[test]
    fn a_long_secret_is_masked_though_its_encoding_is_broken_into_lines() {
        let secret = "0123456789abcdefghij".repeat(5);
        let masker = Masker::new([secret.clone()]);
        let base64 = STANDARD.encode(format!("{secret}\n"));
        let broken = format!("{}\n{}\n", &base64[..76], &base64[76..]);
        assert_eq!(masker.mask(&broken), "***\n***MK\n".replace("MK", &base64[133..]));
        let hex = hex::encode(&secret);
        assert_eq!(masker.mask(&format!("{}\n{}", &hex[..60], &hex[60..120])), "***\n***");
    }

    #[test]
    fn an_address_masks_the_secret_it_carries_however_it_was_encoded() {
        let masker = Masker::new(["env s&cr<t\"99/x".to_owned()]);
        for shown in ["env%20s&cr%3Ct%2299/x", "env%20s%26cr%3Ct%2299/x", "env+s%26cr%3Ct%2299%2Fx"]
        {
            assert_eq!(masker.mask(&format!("/echo?x={shown}&y")), "/echo?x=***&y");
        }
    }

    #[test]
    fn a_secret_address_is_masked_as_clients_write_it() {
        let masker =
            Masker::new(["HTTPS://Ci:p%40ss+word@Hooks.Example:443/T0/B0/x y#z".to_owned()]);
        let basic = STANDARD.encode("Ci:p@ss+word");
        for shown in [
            "https://hooks.example/T0/B0/x%20y",
            "https://Ci:p%40ss+word@hooks.example/T0/B0/x%20y",
            "/T0/B0/x%20y",
            "p@ss+word",
            basic.as_str(),
        ] {
            assert_eq!(masker.mask(&format!("<{shown}>")), "<***>", "{shown}");
        }
        assert_eq!(Masker::new(["Db.Internal".to_owned()]).mask("at db.internal:1"), "at ***:1");
    }

    #[test]
    fn a_secret_with_what_cannot_be_seen_in_it_is_masked_wherever_it_is_cut() {
        let masker = Masker::new(["Tr0ub4dor-Zq9x".to_owned()]);
        for between in [
            "\u{1b}[31m",
            "\u{1b}[01;31m\u{1b}[K",
            "\u{9b}1m",
            "\0",
            "\u{8}",
            "\u{200b}",
            "\u{1b}]8;;http://x\u{1b}\\",
            "\u{1b}]0;title\u{7}",
            "\u{1b}(B",
            "\u{1b}",
        ] {
            let text = format!("see {between}Tr0ub4{between}dor-Zq9x{between} it, ü{between}\n");
            let wanted = format!("see {between}***{between} it, ü{between}\n");
            assert_eq!(masker.mask(&text), wanted);
            for cut in 0..=text.len() {
                let (mut out, mut stream) = (Vec::new(), masker.stream());
                stream.push(&text.as_bytes()[..cut], &mut out);
                stream.push(&text.as_bytes()[cut..], &mut out);
                stream.finish(&mut out);
                assert_eq!(String::from_utf8(out).unwrap(), wanted, "cut at {cut}");
            }
        }
        let each: String = "Tr0ub4dor-Zq9x".chars().flat_map(|c| [c, '\0']).collect();
        assert_eq!(masker.mask(&each), "***\0");
        let hidden = Masker::new(["Tr0ub4\u{200b}dor-Zq9x".to_owned()]);
        assert_eq!(hidden.mask("Tr0ub4dor-Zq9x Tr0ub4\u{200b}dor-Zq9x"), "*** ***");
    }

    #[test]
    fn what_is_held_back_has_an_end() {
        let masker = Masker::new(["Tr0ub4dor-Zq9x".to_owned()]);
        let (mut out, mut stream) = (Vec::new(), masker.stream());
        for _ in 0..64 {
            stream.push(&[0; 4_096], &mut out);
            assert!(stream.held.len() < 2 * MAX_HIDDEN, "{}", stream.held.len());
        }
        stream.finish(&mut out);
        assert_eq!(out, vec![0; 64 * 4_096]);
    }

    #[test]
    fn nothing_is_masked_without_secrets() {
        assert_eq!(Masker::default().mask("plain"), "plain");
        assert_eq!(Masker::new(["short".to_owned()]).mask("short"), "short");
    }

    #[test]
    fn a_secret_cannot_be_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2hunter2")), "Secret(***)");
    }

    proptest! {
        /// What an address holds of a secret is masked whole, whichever characters it has.
        #[test]
        fn a_component_of_an_address_is_masked_whole(secret in "[ -~äß€\n]{6,24}") {
            prop_assume!(secret.trim().len() >= MIN_SECRET_BYTES);
            let masker = Masker::new([secret.clone()]);
            let encoded = crate::domain::address::encode_component(&secret);
            let mut url = Url::parse(&format!("http://h/a{encoded}/b?c={encoded}")).unwrap();
            url.query_pairs_mut().append_pair("d", &secret);
            prop_assert_eq!(masker.mask(url.as_str()), "http://h/a***/b?c=***&d=***");
        }

        #[test]
        fn chunks_change_nothing(text in "[a-h]{0,60}", cuts in prop::collection::vec(0usize..60, 0..5)) {
            let masker = Masker::new(["abcdef".to_owned(), "cdefgh".to_owned(), "aabbccdd".to_owned()]);
            let whole = masker.mask(&text);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let (mut out, mut stream, mut from) = (Vec::new(), masker.stream(), 0);
            for cut in cuts {
                stream.push(&text.as_bytes()[from..cut], &mut out);
                from = cut;
            }
            stream.push(&text.as_bytes()[from..], &mut out);
            stream.finish(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), whole);
        }
    }
}
