//! A proof for people: the matrix, the share, and what there is to say of cases and commands.

use crate::cli::output::{Out, Table, bold, clean, counted, dim};
use crate::prove::{CaseProof, CommandProof, Fault, Proof, Shown};

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
        "{} of {} faults detected{}",
        proof.detected(),
        proof.applicable(),
        share(proof)
    ))?;
    for case in proof.cases.iter().filter(|case| case.missed().next().is_some()) {
        print_missed(out, case)?;
    }
    let cases = proof.cases.iter().filter(|case| !is_told_with_its_command(proof, case));
    for case in cases {
        if let Some(why) = &case.not_tried {
            let id = clean(case.id.as_str());
            out.line(format!("{id} was not tried: {}", clean(why)))?;
        }
    }
    for command in &proof.commands {
        print_command(out, command)?;
    }
    if proof.cases.is_empty() {
        out.line("no case: nothing was tried")?;
    }
    Ok(())
}

/// Whether a case was not tried for what hinders its whole command, which is said once.
fn is_told_with_its_command(proof: &Proof, case: &CaseProof) -> bool {
    let mut reasons = proof.commands.iter().filter_map(|command| command.not_tried.as_ref());
    reasons.any(|why| case.not_tried.as_ref() == Some(why))
}

fn print_command(out: &mut Out, command: &CommandProof) -> std::io::Result<()> {
    let name = clean(&command.name);
    if let Some(why) = &command.not_tried {
        let cases = match command.cases {
            0 => String::new(),
            cases => format!(" with its {}", counted(cases, "case")),
        };
        return out.line(format!("command {name} was not tried{cases}: {}", clean(why)));
    }
    // Faults with one reason are told together.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (fault, why) in &command.not_applicable {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, faults)) => faults.push(fault.name()),
            None => reasons.push((why, vec![fault.name()])),
        }
    }
    for (why, faults) in reasons {
        out.line(format!("command {name}: {} not tried: {}", faults.join(", "), clean(why)))?;
    }
    Ok(())
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
