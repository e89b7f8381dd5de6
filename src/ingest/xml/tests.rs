//! XML as tools write it, token by token.

use super::*;

/// What comes of a text, one word or two a token.
fn tokens(text: &str, capacity: usize) -> Vec<String> {
    let mut input = io::BufReader::with_capacity(capacity, text.as_bytes());
    let mut tokens = Tokens::new(&mut input);
    tokens.want(Wanted::Texts);
    let mut all: Vec<String> = Vec::new();
    let mut text_before = false;
    while let Some(token) = tokens.next().expect("memory can be read") {
        let (shown, is_text) = match token {
            Token::Start(tag) => {
                let mut shown = format!("<{}", String::from_utf8_lossy(tag.name()));
                for (name, value) in tag.attributes() {
                    shown += &format!(" {}={}", String::from_utf8_lossy(name), value.lines());
                }
                (shown + if tag.empty { "/>" } else { ">" }, false)
            }
            Token::End(name) => (format!("</{}>", String::from_utf8_lossy(name)), false),
            Token::Text(text) => (text.to_owned(), true),
            Token::Declaration => ("<?xml?>".to_owned(), false),
        };
        match all.last_mut() {
            Some(last) if is_text && text_before => last.push_str(&shown),
            Some(_) | None => all.push(shown),
        }
        text_before = is_text;
    }
    if let Some(what) = tokens.unfinished() {
        all.push(format!("ends in {what}"));
    }
    all
}

#[track_caller]
fn assert_tokens(text: &str, expected: &[&str]) {
    assert_eq!(tokens(text, 8192), expected, "{text}");
}

#[test]
fn plain_xml() {
    assert_tokens(
        "<?xml version=\"1.0\"?>\n<a b='1' c=\"x &lt; y\"><n:d n:e = '2'/>text &amp; &#x41;</a >",
        &["<?xml?>", "\n", "<a b=1 c=x < y>", "<d e=2/>", "text & A", "</a>"],
    );
    assert_tokens(
        "<a><!-- <b> --><![CDATA[<c>&amp;]]]]><![CDATA[>]]></a>",
        &["<a>", "<c>&amp;]]>", "</a>"],
    );
    assert_tokens("<a><?php echo '<b>' ?></a>", &["<a>", "</a>"]);
}

#[test]
fn what_is_no_tag_is_text() {
    assert_tokens("<a>1 < 2 <3 ]]> & &nope; </a>", &["<a>", "1 < 2 <3 ]]> & &nope; ", "</a>"]);
    assert_tokens("a\u{7}b &#0;", &["a\u{fffd}b \u{fffd}"]);
}

#[test]
fn attributes_of_careless_writers() {
    assert_tokens("<a time=\"<<computed>>\" b='<i>'/>", &["<a time=<<computed>> b=<i>/>"]);
    assert_tokens(
        "<a name=\"test \"quoted\" name\" time=\"0\" >",
        &["<a name=test \"quoted\" name time=0>"],
    );
    assert_tokens("<a name=\"say \"a=b\" now\">", &["<a name=say \"a=b\" now>"]);
    assert_tokens("<a b=\"1\"c=\"2\">", &["<a b=1 c=2>"]);
    assert_tokens("<a b=1 c>", &["<a b=1>"]);
    assert_tokens("<a b=\"x > y\">", &["<a b=x > y>"]);
}

#[test]
fn a_tag_that_is_never_closed_ends_where_the_next_begins() {
    assert_tokens("<a b=\"1\" <c>", &["<a b=1>", "<c>"]);
    assert_tokens("<a b=\"1 <testcase c='2'/>", &["<a b=1 >", "<testcase c=2/>"]);
    assert_tokens("</a <b>", &["</a>", "<b>"]);
}

#[test]
fn the_end_in_the_middle_of_something_is_told() {
    for (text, what) in [
        ("<a b=\"1\"", "a tag"),
        ("<", "a tag"),
        ("</a", "a tag"),
        ("<!-- a", "a comment"),
        ("<![CDATA[ a", "a CDATA section"),
        ("<!DOCTYPE a [", "a document type"),
        ("<?xml ", "a processing instruction"),
    ] {
        assert_eq!(tokens(text, 1).last(), Some(&format!("ends in {what}")), "{text}");
    }
}

#[test]
fn a_document_type_means_nothing() {
    assert_tokens(
        "<!DOCTYPE a [ <!-- don't --> <!ENTITY x \"> ]\"> <!ENTITY % y SYSTEM 'file:///z'> %y; ]><a>&x;</a>",
        &["<a>", "&x;", "</a>"],
    );
    assert_tokens("<!DOCTYPE a [ <!ENTITY x \"<a>&x;</a>", &["<a>", "&x;", "</a>"]);
}

#[test]
fn the_size_of_the_pieces_that_come_changes_nothing() {
    let text = "<?xml version=\"1.0\"?><a b=\"é &quot;x&quot; <y\"><![CDATA[日本]]></a><!-- z -->🛒 &amp;<c/>";
    for capacity in 1..40 {
        assert_eq!(tokens(text, capacity), tokens(text, 8192), "{capacity}");
    }
}

#[test]
fn a_tag_beyond_the_cap_is_cut_and_what_follows_it_is_read() {
    let long = "x".repeat(LONGEST_TAG * 4);
    let text = format!("<a b=\"1\" c=\"{long}\" d='>'/><e/>");
    let found = tokens(&text, 8192);
    assert!(found[0].starts_with("<a b=1 c=xxx"), "{}", &found[0][..40]);
    assert!(found[0].len() < long.len());
    assert_eq!(found[1..], ["</a>", "<e/>"]);
}

#[test]
fn output_is_passed_over_whatever_it_holds() {
    for output in ["<testcase>", "a < b &", "<![CDATA[ </out> ]]>", "</other>", "<!-- "] {
        let text = format!("<out>{output}</out><b/>");
        let mut input = io::BufReader::with_capacity(3, text.as_bytes());
        let mut tokens = Tokens::new(&mut input);
        assert!(matches!(tokens.next(), Ok(Some(Token::Start(_)))));
        tokens.skip_output("out").expect("memory can be read");
        assert!(matches!(tokens.next(), Ok(Some(Token::End(b"out")))), "{output}");
        assert!(matches!(tokens.next(), Ok(Some(Token::Start(tag))) if tag.name() == b"b"));
    }
}

#[test]
fn around_a_document_only_its_root_is_a_tag() {
    let text = "$ run it's \"<b\n<testsuite a=\"1\"/> </testsuite> <testsuites>";
    let mut input = text.as_bytes();
    let mut tokens = Tokens::new(&mut input);
    tokens.want(Wanted::Only(&["testsuite", "testsuites"]));
    assert!(matches!(tokens.next(), Ok(Some(Token::Start(tag))) if tag.name() == b"testsuite"));
    assert_eq!(tokens.line(), 2);
    assert!(matches!(tokens.next(), Ok(Some(Token::Start(tag))) if tag.name() == b"testsuites"));
    assert!(matches!(tokens.next(), Ok(None)));
}
