//! A proof for people: the matrix, the share, and what there is to say of cases and commands.

use std::collections::HashMap;

use crate::cli::output::{Out, Table, bold, clean, counted, dim};
use crate::prove::{CaseProof, CommandProof, Fault, Partly, Proof, Shown};

/// The heading of a column.
fn heading(fault: Fault) -> &'static str {
    match fault {
        Fault::Status500 => "500",
        Fault::Status404 => "404",
        Fault::EmptyJson => "{}",
        Fault::Refused => "refused",
        Fault::NoAnswer => "silent",
        Fault::WsClose1011 => "1011",
        Fault::EventsMissing => "missing",
        Fault::EventsReordered => "order",
        Fault::EventsForeign => "foreign",
        Fault::Slow => "slow",
        Fault::Stale => "stale",
    }
}

fn cell(shown: &Shown) -> String {
    match shown {
        Shown::Detected => "yes".to_owned(),
        Shown::Missed => bold("MISSED"),
        Shown::NotApplicable(_) => dim("·"),
    }
}

/// Prints it.
pub(super) fn print(out: &mut Out, proof: &Proof) -> std::io::Result<()> {
    if !proof.cases.is_empty() {
        let mut headings = vec!["case"];
        headings.extend(Fault::ALL.map(heading));
        let mut table = Table::new(&headings);
        for case in &proof.cases {
            let id = clean(case.id.as_str());
            table.row(std::iter::once(id).chain(case.shown.iter().map(|(_, shown)| cell(shown))));
        }
        table.print(out)?;
        out.line("")?;
    }
    out.line(format!(
        "{} of {} faults detected{}{}",
        proof.detected(),
        proof.applicable(),
        share(proof),
        left_out(proof),
    ))?;
    for case in proof.cases.iter().filter(|case| case.missed().next().is_some()) {
        print_missed(out, case)?;
    }
    print_not_tried(out, proof)?;
    print_commands_not_tried(out, proof)?;
    print_commands(out, proof)?;
    if proof.cases.is_empty() {
        out.line("no case: nothing was tried")?;
    }
    Ok(())
}

/// What the share says nothing of.
fn left_out(proof: &Proof) -> String {
    let of = |count: usize, all: usize, what: &str| match count {
        0 => String::new(),
        1 => format!("; 1 of {} was not tried", counted(all, what)),
        count => format!("; {count} of {} were not tried", counted(all, what)),
    };
    let commands = proof.commands.iter().filter(|command| command.not_tried.is_some()).count();
    let cases = proof.cases.iter().filter(|case| case.not_tried.is_some()).count();
    let (commands, cases) =
        (of(commands, proof.commands.len(), "command"), of(cases, proof.cases.len(), "case"));
    format!("{commands}{cases}")
}

/// What has one reason, in the order of the reasons.
fn by_reason<'a, T>(all: impl Iterator<Item = (&'a str, T)>) -> Vec<(&'a str, Vec<T>)> {
    let mut reasons: Vec<(&str, Vec<T>)> = Vec::new();
    let mut places = HashMap::new();
    for (why, one) in all {
        let place = *places.entry(why).or_insert(reasons.len());
        match reasons.get_mut(place) {
            Some((_, known)) => known.push(one),
            None => reasons.push((why, vec![one])),
        }
    }
    reasons
}

/// So many names are told where there are more.
const NAMED: usize = 5;

fn names(all: &[&str]) -> String {
    let more = all.len().saturating_sub(NAMED);
    let shown = if more > 1 { NAMED } else { all.len() };
    let named: Vec<String> = all.iter().take(shown).map(|name| clean(name)).collect();
    let more = if more > 1 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

fn print_not_tried(out: &mut Out, proof: &Proof) -> std::io::Result<()> {
    let cases = proof.cases.iter().filter(|case| !is_told_with_its_command(proof, case));
    let cases = cases.filter_map(|case| Some((case.not_tried.as_deref()?, case.id.as_str())));
    for (why, ids) in by_reason(cases) {
        let why = clean(why);
        match ids.as_slice() {
            [id] => out.line(format!("{} was not tried: {why}", clean(id)))?,
            ids => {
                out.line(format!("{} cases were not tried: {why} ({})", ids.len(), names(ids)))?
            }
        }
    }
    Ok(())
}

/// Whether a case was not tried for what hinders its whole command, which is said once.
fn is_told_with_its_command(proof: &Proof, case: &CaseProof) -> bool {
    let mut reasons = proof.commands.iter().filter_map(|command| command.not_tried.as_ref());
    reasons.any(|why| case.not_tried.as_ref() == Some(why))
}

fn print_commands_not_tried(out: &mut Out, proof: &Proof) -> std::io::Result<()> {
    let commands = proof.commands.iter();
    let commands = commands.filter_map(|command| Some((command.not_tried.as_deref()?, command)));
    for (why, commands) in by_reason(commands) {
        let with = match commands.iter().map(|command| command.cases).sum() {
            0 => String::new(),
            cases if commands.len() == 1 => format!(" with its {}", counted(cases, "case")),
            cases => format!(" with their {}", counted(cases, "case")),
        };
        let all: Vec<&str> = commands.iter().map(|command| command.name.as_str()).collect();
        let (what, were) = match all.as_slice() {
            [_] => ("command", "was"),
            _ => ("commands", "were"),
        };
        out.line(format!("{what} {} {were} not tried{with}: {}", names(&all), clean(why)))?;
    }
    Ok(())
}

/// What is to be said of commands: once, where it is the same of several.
fn print_commands(out: &mut Out, proof: &Proof) -> std::io::Result<()> {
    let said: Vec<(String, &str)> = proof
        .commands
        .iter()
        .flat_map(|command| said_of(command).into_iter().map(|text| (text, command.name.as_str())))
        .collect();
    for (text, commands) in by_reason(said.iter().map(|(text, name)| (text.as_str(), *name))) {
        let what = if commands.len() == 1 { "command" } else { "commands" };
        out.line(format!("{what} {}: {text}", names(&commands)))?;
    }
    Ok(())
}

/// What could not be tried of a command that was, and by what it may go past the proxy.
fn said_of(command: &CommandProof) -> Vec<String> {
    let whole = command.not_applicable.iter().map(|(fault, why)| (why.as_str(), fault.name()));
    let mut said: Vec<String> = by_reason(whole)
        .into_iter()
        .map(|(why, faults)| format!("{} not tried: {}", faults.join(", "), clean(why)))
        .collect();
    let all = counted(command.cases, "case");
    let on =
        |partly: &Partly| format!("not tried on {} of {all}: {}", partly.cases, clean(&partly.why));
    let partly: Vec<(String, &str)> =
        command.partly.iter().map(|partly| (on(partly), partly.fault.name())).collect();
    let partly = by_reason(partly.iter().map(|(text, fault)| (text.as_str(), *fault)));
    said.extend(partly.into_iter().map(|(text, faults)| format!("{} {text}", faults.join(", "))));
    let not_led = command.not_led.iter();
    said.extend(not_led.map(|not_led| format!("{} {}", clean(&not_led.variable), not_led.why)));
    said
}

fn share(proof: &Proof) -> String {
    match proof.applicable() {
        0 => String::new(),
        // Rounded down: 100 % is all of them.
        applicable => format!(" ({} %)", proof.detected() * 100 / applicable),
    }
}

fn print_missed(out: &mut Out, case: &CaseProof) -> std::io::Result<()> {
    let missed: Vec<String> = case.missed().map(|fault| missed_at(case, fault)).collect();
    let vacuous = if case.is_vacuous() { ": it is vacuous" } else { "" };
    let id = clean(case.id.as_str());
    out.line(format!("{} passes under {}{vacuous}", bold(&id), missed.join(", ")))
}

/// A fault that was missed, and by which steps.
fn missed_at(case: &CaseProof, fault: Fault) -> String {
    let steps: Vec<String> =
        case.unnoticed_at(fault).iter().map(|step| format!("`{}`", clean(step))).collect();
    match steps.is_empty() {
        true => fault.name().to_owned(),
        false => format!("{} at {}", fault.name(), steps.join(", ")),
    }
}
