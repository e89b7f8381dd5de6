//! Secrets, and a mask for every form in which one could show.
//!
//! A mask protects against accidents: a token echoed by a script, a key in an error message. It is
//! no barrier against code that means to leak (`docs/security.md`).

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, Input, MatchKind};
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
    // Not the quickest to search but to build, in a tenth of the memory: a suite learns a token
    // every few steps, and what is searched is short.
    automaton: NFA,
    longest: usize,
}

impl Forms {
    fn new(forms: &[Vec<u8>]) -> Option<Self> {
        let longest = forms.iter().map(Vec::len).max()?;
        let automaton = NFA::builder().match_kind(MatchKind::LeftmostLongest).build(forms).ok()?;
        Some(Self { automaton, longest })
    }

    /// The first match that lies in the input.
    fn find(&self, input: &Input<'_>) -> Option<Range<usize>> {
        // Only an anchored search is refused by some automata, and none of ours is anchored.
        let found = self.automaton.try_find(input).ok().flatten();
        found.map(|found| found.range())
    }

    /// Where the longest end of the bytes begins with which a form could go on: their length where
    /// none could. What begins before it is decided, whatever follows.
    fn undecided_from(&self, bytes: &[u8]) -> usize {
        let earliest = bytes.len().saturating_sub(self.longest - 1);
        (earliest..bytes.len()).find(|from| self.may_go_on(&bytes[*from..])).unwrap_or(bytes.len())
    }

    /// Whether a form begins with these bytes and is longer.
    fn may_go_on(&self, bytes: &[u8]) -> bool {
        let step = |state, byte: u8| {
            let next = self.automaton.next_state(Anchored::Yes, state, byte);
            (!self.automaton.is_dead(next)).then_some(next)
        };
        let Ok(start) = self.automaton.start_state(Anchored::Yes) else { return true };
        let end = bytes.iter().try_fold(start, |state, byte| step(state, *byte));
        end.is_some_and(|end| (0..=u8::MAX).any(|byte| step(end, byte).is_some()))
    }
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
        Self { forms: Forms::new(&forms).map(Arc::new) }
    }

    /// The text with every secret masked.
    pub fn mask(&self, text: &str) -> String {
        match &self.forms {
            None => text.to_owned(),
            Some(forms)
                if !seen::may_hide(text.as_bytes()) && forms.find(&Input::new(text)).is_none() =>
            {
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
    /// until the next chunk decides, however long that takes, for a secret may come in two parts with
    /// a pause between them. All else is passed on at once.
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
    if !seen::may_hide(bytes) {
        let certain = match end {
            End::Reached => bytes.len(),
            End::Open => forms.undecided_from(bytes),
        };
        let mut from = 0;
        let found = std::iter::from_fn(|| {
            let found = forms.find(&Input::new(bytes).range(from..))?;
            from = found.end;
            Some(found)
        });
        return replace_up_to(found, bytes, certain, out);
    }
    let views = Taken::ALL.map(|taken| Seen::of(bytes, taken));
    let certain = match end {
        End::Reached => bytes.len(),
        End::Open => {
            let undecided =
                views.iter().map(|view| view.place_of(forms.undecided_from(&view.bytes)));
            let most = forms.longest - 1 + MAX_HIDDEN;
            undecided.min().unwrap_or(0).max(bytes.len().saturating_sub(most))
        }
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
    let found = forms.find(&Input::new(&view.bytes).range(index..))?;
    Some(view.places[found.start]..view.places[found.end - 1] + 1)
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
mod tests;
