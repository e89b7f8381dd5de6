//! What is masked, in which forms, however it comes.

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
        let secret: String = (0..length).map(|_| letters[dice(&mut seed, letters.len())]).collect();
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
    for shown in ["env%20s&cr%3Ct%2299/x", "env%20s%26cr%3Ct%2299/x", "env+s%26cr%3Ct%2299%2Fx"] {
        assert_eq!(masker.mask(&format!("/echo?x={shown}&y")), "/echo?x=***&y");
    }
}

#[test]
fn a_secret_address_is_masked_as_clients_write_it() {
    let masker = Masker::new(["HTTPS://Ci:p%40ss+word@Hooks.Example:443/T0/B0/x y#z".to_owned()]);
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

/// What has come out of the stream after each chunk.
fn passed_on(masker: &Masker, chunks: &[&str]) -> Vec<String> {
    let (mut out, mut stream) = (Vec::new(), masker.stream());
    let mut shown = |chunk: &&str| {
        stream.push(chunk.as_bytes(), &mut out);
        String::from_utf8(out.clone()).unwrap()
    };
    chunks.iter().map(&mut shown).collect()
}

#[test]
fn only_what_could_begin_a_secret_is_held_back() {
    let many_lines = "-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----\n";
    let masker = Masker::new(["Tr0ub4dor-Zq9x".to_owned(), many_lines.to_owned()]);
    let shown = passed_on(&masker, &["one\n", "\u{1b}[32mtwo ü\u{1b}[0m\n", "50 %\r", "three …"]);
    let all = ["one\n", "\u{1b}[32mtwo ü\u{1b}[0m\n", "50 %\r", "three …"].concat();
    assert_eq!(shown.last(), Some(&all));
    assert_eq!(shown[0], "one\n");
    assert_eq!(shown[1], "one\n\u{1b}[32mtwo ü\u{1b}[0m\n");

    let split = passed_on(&masker, &["see Tr0ub4", "dor-Zq9x", " and Tr0ub4", "x\n"]);
    assert_eq!(split, ["see ", "see ***", "see *** and ", "see *** and Tr0ub4x\n"]);
    let hidden = passed_on(&masker, &["see Tr0\u{1b}[1m", "ub4dor-Zq9x", "\n"]);
    assert_eq!(hidden, ["see ", "see ***", "see ***\n"]);
    let key = passed_on(&masker, &["-----BEGIN KEY-----\n", "abcdefgh\n", "other\n"]);
    assert_eq!(key, ["", "", "***\n***\nother\n"]);
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
