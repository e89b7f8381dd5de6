//! Five-whys documents: one a failure, for good.

use andon::domain::claim::{ClaimResult, ClaimSource, FixClaim};
use andon::domain::findings::InvestigationState;
use andon::domain::names::InvestigationId;
use andon::domain::revision::Sha;
use andon::store::{
    Adopted, Append, DocumentKey, EditEnd, InvestigationSeen, KeptText, NewEdit, NewFixClaim,
    NewInvestigation, Projection,
};

use crate::Backend;
use crate::sample::{append, at, case, fingerprint, new_cycle, pipeline, resolved, wanted};

pub async fn a_failure_keeps_its_investigation<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    assert_eq!(store.investigation_for(&chat, &fingerprint("aa")).await.unwrap(), None);
    let opened = store.allocate_investigation(wanted(&chat, "aa", "close-1008", 3)).await.unwrap();
    assert_eq!(opened.file(), "INV-0001-close-1008.md");
    assert_eq!((opened.state, opened.opened_in), (InvestigationState::New, 3));
    store.close().await;
    let store = backend.open().await;
    let again = store.allocate_investigation(wanted(&chat, "aa", "other", 9)).await.unwrap();
    assert_eq!(again, opened);
    assert_eq!(store.investigation_for(&chat, &fingerprint("aa")).await.unwrap(), Some(opened));
}

pub async fn numbers_count_by_pipeline<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    for (name, failure) in [("chat", "aa"), ("chat", "bb"), ("web", "aa")] {
        store.allocate_investigation(wanted(&pipeline(name), failure, "slug", 1)).await.unwrap();
    }
    let all = store.list_investigations(None).await.unwrap();
    let seen: Vec<_> = all.iter().map(|row| (row.pipeline.as_str(), row.id.as_str())).collect();
    assert_eq!(seen, [("chat", "INV-0001"), ("chat", "INV-0002"), ("web", "INV-0001")]);
    let web = store.list_investigations(Some(&pipeline("web"))).await.unwrap();
    assert_eq!(web, all[2..]);
    // Cycles are numbered on their own.
    assert_eq!(new_cycle(&*store, "chat", "staging").await.cycle, 1);
}

pub async fn states_follow_the_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let opened = store.allocate_investigation(wanted(&chat, "aa", "slug", 1)).await.unwrap();
    let states =
        [InvestigationState::Verified, InvestigationState::Reopened, InvestigationState::Reopened];
    for state in states {
        let cycle = new_cycle(&*store, "chat", "staging").await;
        let (id, cases) = (opened.id.clone(), vec![case("a")]);
        let investigations = vec![InvestigationSeen { id, state, cases, claims: Vec::new() }];
        let projection = Projection { investigations, ..Projection::default() };
        let append = Append { projection, ..append(&cycle, 1, vec![resolved('a')]) };
        store.append(append).await.unwrap();
    }
    let row = store.investigation_for(&chat, &fingerprint("aa")).await.unwrap().unwrap();
    assert_eq!(row.state, InvestigationState::Reopened);
    assert_eq!((row.reopened_in, row.last_seen), (Some(2), 3));

    let closed = InvestigationState::Closed;
    assert!(store.set_investigation_state(&chat, &opened.id, closed, 3).await.unwrap());
    let row = store.investigation_for(&chat, &fingerprint("aa")).await.unwrap().unwrap();
    assert_eq!((row.state, row.reopened_in), (closed, Some(2)));
    let web = pipeline("web");
    assert!(!store.set_investigation_state(&web, &opened.id, closed, 3).await.unwrap());
}

/// Files that the store does not know may have taken numbers.
pub async fn a_new_number_is_no_less_than_was_asked_for<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let least = |failure, least| NewInvestigation { least, ..wanted(&chat, failure, "slug", 1) };
    let numbers = [("aa", 5), ("bb", 3), ("aa", 9), ("cc", 9)];
    let mut given = Vec::new();
    for (failure, number) in numbers {
        let row = store.allocate_investigation(least(failure, number)).await.unwrap();
        given.push(row.id.number());
    }
    assert_eq!(given, [5, 6, 5, 9]);
}

/// A document from before the state folder was deleted goes on under its number, unless that is taken.
pub async fn a_document_that_is_there_already_is_adopted<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let adopt = |failure, number| NewInvestigation {
        least: 9,
        adopts: Some(Adopted { number, slug: "older".to_owned(), opened_in: 2 }),
        ..wanted(&chat, failure, "slug", 5)
    };
    let mut given = Vec::new();
    for (failure, number) in [("aa", 3), ("bb", 1), ("cc", 3), ("aa", 7)] {
        let row = store.allocate_investigation(adopt(failure, number)).await.unwrap();
        given.push((row.id.number(), row.slug.clone(), row.opened_in, row.last_seen));
    }
    let adopted = |number| (number, "older".to_owned(), 2, 5);
    assert_eq!(given, [adopted(3), adopted(1), (9, "slug".to_owned(), 5, 5), adopted(3)]);
}

/// What was decided about a claim stays decided, and its cases add up.
pub async fn claimed_fixes_are_kept<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let opened = store.allocate_investigation(wanted(&chat, "aa", "slug", 1)).await.unwrap();
    let claim = |digit: char, result| {
        let commit = Sha::parse(&digit.to_string().repeat(40)).unwrap();
        let claim = FixClaim::new(commit, "it's | fixed", "ada", at(3), ClaimSource::Command);
        FixClaim { result, ..claim }
    };
    let claimed = |claim, id: &InvestigationId| NewFixClaim {
        pipeline: chat.clone(),
        id: id.clone(),
        claim,
        state: InvestigationState::FixClaimed,
    };
    let open = claim('a', ClaimResult::Open);
    assert!(store.add_fix_claim(claimed(open.clone(), &opened.id)).await.unwrap());
    let unknown = InvestigationId::from_number(77);
    assert!(!store.add_fix_claim(claimed(open.clone(), &unknown)).await.unwrap());
    let row = store.investigation_for(&chat, &fingerprint("aa")).await.unwrap().unwrap();
    assert_eq!((row.state, row.last_seen), (InvestigationState::FixClaimed, 1));

    let failed = claim('a', ClaimResult::Failed { cycle: 1 });
    let waits = claim('b', ClaimResult::Open);
    for cases in [vec![case("one"), case("two")], vec![case("two"), case("three")], vec![]] {
        let cycle = new_cycle(&*store, "chat", "staging").await;
        let (id, state) = (opened.id.clone(), InvestigationState::Reopened);
        let claims = vec![failed.clone(), waits.clone()];
        let investigations = vec![InvestigationSeen { id, state, cases, claims }];
        let projection = Projection { investigations, ..Projection::default() };
        store
            .append(Append { projection, ..append(&cycle, 1, vec![resolved('a')]) })
            .await
            .unwrap();
    }
    // Said once more, it is no more open than before.
    assert!(store.add_fix_claim(claimed(open, &opened.id)).await.unwrap());
    let claims = store.fix_claims(&chat).await.unwrap();
    assert_eq!((claims.len(), &claims[0].id), (1, &opened.id));
    assert_eq!(claims[0].claims, [failed, waits]);
    let cases = store.investigated_cases(&chat, &opened.id).await.unwrap();
    assert_eq!(cases, [case("one"), case("two"), case("three")]);
    assert_eq!(store.investigated_cases(&chat, &unknown).await.unwrap(), []);
    assert_eq!(store.fix_claims(&pipeline("web")).await.unwrap(), []);
}

/// Edits are remembered before and after they are written, with the texts that they are about.
pub async fn edits_are_remembered<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let opened = store.allocate_investigation(wanted(&chat, "aa", "slug", 1)).await.unwrap();
    let of = DocumentKey { pipeline: chat.clone(), id: opened.id };
    let unknown = DocumentKey { id: InvestigationId::from_number(77), ..of.clone() };
    let text = |name: &str| KeptText { digest: name.to_owned(), text: format!("the {name}") };
    assert!(!store.keep_text(&unknown, text("a"), at(1)).await.unwrap());
    for number in 0..120 {
        assert!(store.keep_text(&of, text(&number.to_string()), at(number)).await.unwrap());
    }
    // Kept once more, it is among the newest.
    assert!(store.keep_text(&of, text("25"), at(200)).await.unwrap());
    let edit = |by: &str, before: &str, after: &str| NewEdit {
        by: by.to_owned(),
        at: at(300),
        before: text(before),
        after: text(after),
        is_merged: by == "lin",
        added: 2,
        removed: 1,
        lines: "@Notes\n+more\n".to_owned(),
    };
    assert_eq!(store.begin_edit(&unknown, edit("ada", "a", "b")).await.unwrap(), None);
    for (position, by) in [(1, "ada"), (2, "lin"), (3, "gone")] {
        let begun = store.begin_edit(&of, edit(by, "before", by)).await.unwrap();
        assert_eq!(begun, Some(position));
    }
    store.end_edit(&of, 2, EditEnd::Written).await.unwrap();
    store.end_edit(&of, 3, EditEnd::Dropped).await.unwrap();
    store.end_edit(&of, 2, EditEnd::Dropped).await.unwrap();
    let store = backend.open().await;
    let edits = store.list_edits(&of, None, 10).await.unwrap();
    let told: Vec<_> =
        edits.iter().map(|it| (it.position, it.by.as_str(), it.is_merged, it.is_written)).collect();
    assert_eq!(told, [(2, "lin", true, true), (1, "ada", false, false)], "what is written stays");
    assert_eq!((edits[0].at, edits[0].added, edits[0].removed), (at(300), 2, 1));
    assert_eq!(store.list_edits(&of, Some(2), 10).await.unwrap(), edits[1..]);
    assert_eq!(store.list_edits(&of, None, 1).await.unwrap(), edits[..1]);
    let mut kept = Vec::new();
    for name in ["before", "ada", "lin", "25", "119", "26", "5"] {
        kept.push(store.kept_text(&of, name).await.unwrap());
    }
    let the = |name: &str| Some(format!("the {name}"));
    // A hundred: four of edits, the one kept again, and the newest of the others.
    assert_eq!(
        kept,
        [the("before"), the("ada"), the("lin"), the("25"), the("119"), the("26"), None]
    );
    assert_eq!(store.kept_text(&unknown, "ada").await.unwrap(), None);
}

/// The newest text is the one kept last: at the same time by the order, also where it was kept before.
pub async fn the_newest_text_is_the_one_kept_last<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let key = |id| DocumentKey { pipeline: chat.clone(), id };
    let first = store.allocate_investigation(wanted(&chat, "aa", "slug", 1)).await.unwrap();
    let second = store.allocate_investigation(wanted(&chat, "bb", "slug", 1)).await.unwrap();
    let (of, other) = (key(first.id), key(second.id));
    let unknown = key(InvestigationId::from_number(77));
    let text = |name: &str| KeptText { digest: name.to_owned(), text: format!("the {name}") };
    assert_eq!(store.newest_text(&of).await.unwrap(), None);
    let several = [(&of, "z"), (&unknown, "none"), (&other, "other"), (&of, "a")];
    let several = several.map(|(of, name)| (of.clone(), text(name)));
    store.keep_texts(several.into(), at(5)).await.unwrap();
    let newest = async |of: &DocumentKey| {
        let newest = store.newest_text(of).await.unwrap();
        newest.map_or_else(String::new, |newest| {
            assert_eq!(newest, text(&newest.digest));
            newest.digest
        })
    };
    assert_eq!([newest(&of).await, newest(&other).await], ["a", "other"]);
    assert_eq!(newest(&unknown).await, "");
    store.keep_text(&of, text("z"), at(5)).await.unwrap();
    assert_eq!(newest(&of).await, "z", "kept before, and now once more");
    store.keep_text(&of, text("earlier"), at(4)).await.unwrap();
    assert_eq!(newest(&of).await, "z");
    for (digest, blank) in [("empty", ""), ("blank", " \r\n\t\n")] {
        let blank = KeptText { digest: digest.to_owned(), text: blank.to_owned() };
        store.keep_text(&of, blank, at(6)).await.unwrap();
    }
    assert_eq!(newest(&of).await, "z", "a file that was emptied is no text");

    let edit = |before: &str, after: &str| NewEdit {
        by: "ada".to_owned(),
        at: at(9),
        before: text(before),
        after: text(after),
        is_merged: false,
        added: 1,
        removed: 1,
        lines: String::new(),
    };
    // An edit that goes back to what was kept before.
    let begun = store.begin_edit(&of, edit("now", "a")).await.unwrap().unwrap();
    assert_eq!(newest(&of).await, "a");
    store.end_edit(&of, begun, EditEnd::Written).await.unwrap();
    store.end_edit(&of, begun, EditEnd::Dropped).await.unwrap();
    assert_eq!(newest(&of).await, "a", "what is written stays");
    let begun = store.begin_edit(&of, edit("a", "never there")).await.unwrap().unwrap();
    assert_eq!(newest(&of).await, "never there");
    store.end_edit(&of, begun, EditEnd::Dropped).await.unwrap();
    let store = backend.open().await;
    assert_eq!(store.newest_text(&of).await.unwrap(), Some(text("a")), "it is not in the file");
}
