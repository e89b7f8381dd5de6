//! `docs/cli.md` names exactly the commands and flags that there are.

use std::collections::{BTreeMap, BTreeSet};

use andon::cli::args::Cli;
use clap::CommandFactory as _;

const PAGE: &str = include_str!("../../docs/cli.md");

/// Command → its flags, as the program has them; "" holds the global ones.
fn in_the_program() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    let command = Cli::command();
    all.insert(String::new(), flags(&command));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let nested = sub.get_subcommands().flat_map(flags);
        let own = flags(sub).into_iter().chain(nested).collect();
        all.insert(sub.get_name().to_owned(), own);
    }
    all
}

/// The flags that a command itself has.
fn flags(command: &clap::Command) -> BTreeSet<String> {
    command
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"))
        .collect()
}

/// The same as the page has it: a `## andon NAME` heading a command; flags in table rows.
fn on_the_page() -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = None;
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            current = match heading.strip_prefix("`andon ").and_then(|rest| rest.strip_suffix('`'))
            {
                Some(command) => Some(command.to_owned()),
                None if heading == "Global options" => Some(String::new()),
                None => None,
            };
            if let Some(command) = &current {
                all.entry(command.clone()).or_default();
            }
        }
        let Some(command) = &current else { continue };
        if let Some(row) = line.strip_prefix("| `") {
            let words = row.split(|c: char| c.is_whitespace() || c == '`' || c == ',');
            let flag = words.take_while(|word| *word != "|").find(|word| word.starts_with("--"));
            all.get_mut(command).unwrap().extend(flag.map(str::to_owned));
        }
    }
    all
}

#[test]
fn the_page_has_every_command_and_every_flag_and_no_other() {
    assert_eq!(on_the_page(), in_the_program());
}

#[test]
fn every_example_of_the_page_and_of_the_help_is_valid() {
    let mut lines: Vec<String> = PAGE
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap().lines().map(str::to_owned))
        .collect();
    for sub in Cli::command().get_subcommands() {
        let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        lines.extend(after.replace("\\\n", " ").lines().map(|line| line.trim().to_owned()));
    }
    let mut seen = 0;
    for line in lines {
        // What stands before the command are variables, what follows a pipe are other programs.
        let Some(start) = line.find("andon ").filter(|at| !line[..*at].contains('`')) else {
            continue;
        };
        if start > 0 && !line[..start].ends_with(' ') {
            continue;
        }
        let words = words_of(line[start..].split(" | ").next().unwrap());
        let words =
            words.split(|word| ["&&", ">"].contains(&word.as_str())).next().unwrap().to_vec();
        if let Err(fault) = Cli::command().try_get_matches_from(&words) {
            panic!("{line}: {fault}");
        }
        seen += 1;
    }
    assert!(seen > 30, "only {seen} examples were found");
}

/// The words of a line: quotes keep words together; two blanks begin a remark, as does `#`.
fn words_of(line: &str) -> Vec<String> {
    let line = line.split("   ").next().unwrap().split(" # ").next().unwrap();
    let mut words = vec![];
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) if word.is_empty() => {}
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words
}
