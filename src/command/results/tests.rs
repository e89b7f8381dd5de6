//! What lies in a folder of results never holds, misleads or multiplies whoever reads it.

#![allow(clippy::unwrap_used)]
use super::*;
use std::os::unix::fs::symlink;

const ONE: &str = "<testsuite><testcase name='one'/></testsuite>";

fn collected(dir: &Path) -> Results {
    let patterns = Pattern::of(&[("auto".to_owned(), "**/*".to_owned())]);
    collect(dir, &patterns, Timestamp::UNIX_EPOCH, &Masker::new(Vec::new()))
}

/// Each file: its path, and why nothing was taken from it.
fn told(results: &Results) -> Vec<(&str, Option<&str>)> {
    results.left.files.iter().map(|file| (&*file.path, file.refused.as_deref())).collect()
}

fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn links_and_pipes_are_named_and_nobody_waits_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("b.xml"), ONE).unwrap();
    pipe(&at("pipe.xml"));
    let harmless = collected(dir.path());
    assert_eq!(told(&harmless), [("b.xml", None), ("pipe.xml", Some("is no file"))]);
    assert!(harmless.left.complete, "a pipe holds no results");

    symlink(".", at("loop")).unwrap();
    symlink("b.xml", at("link.xml")).unwrap();
    let linked = collected(dir.path());
    assert_eq!(linked.run.entries().len(), 1);
    let why = "is a link: only what the command itself left here is read";
    assert_eq!(told(&linked)[1], ("link.xml", Some(why)));
    assert!(!linked.left.complete, "nobody knows what the link would have said");
}

#[test]
fn more_files_than_are_looked_at_are_no_whole_run() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..=MAX_ENTRIES {
        fs::File::create(dir.path().join(format!("{number}.txt"))).unwrap();
    }
    let results = collected(dir.path());
    let [(".", Some(why))] = *told(&results) else { panic!("{:?}", told(&results)) };
    assert!(why.contains("more than 20000 files"), "{why}");
    assert!(!results.left.complete);
}

#[test]
fn what_is_older_than_the_run_is_refused_where_it_is_a_result() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("old.xml"), ONE).unwrap();
    fs::write(dir.path().join("old.png"), b"\x89PNG").unwrap();
    let patterns = Pattern::of(&[("auto".to_owned(), "**/*".to_owned())]);
    let later = Timestamp::from_second(4_000_000_000).unwrap();
    let results = collect(dir.path(), &patterns, later, &Masker::new(Vec::new()));
    assert_eq!(told(&results).len(), 1);
    assert!(told(&results)[0].1.unwrap().contains("before this run began"));
    assert!(!results.left.complete && results.run.entries().is_empty());
}

/// The folder that a command wrote its list into is the command's, too.
#[test]
fn a_pipe_in_the_place_of_a_list_lists_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = crate::command::RunFolder::at(dir.path().to_path_buf());
    pipe(&folder.list());
    assert_eq!(folder.listed().text, "");
    fs::remove_file(folder.list()).unwrap();
    fs::write(dir.path().join("elsewhere"), "a").unwrap();
    symlink("elsewhere", folder.list()).unwrap();
    assert_eq!(folder.listed().text, "");
}
