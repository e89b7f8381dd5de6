//! What a run left in its folder, case by case: under its id, in the words of a cycle.

use jiff::Timestamp;

use super::folder::RunFolder;
use super::listed::Listed;
use super::names::{Named, Names};
use super::reported::Reported;
use super::results::{Pattern, Results, collect};
use crate::domain::event::Left;
use crate::domain::names::CaseId;
use crate::domain::redact::Masker;
use crate::domain::spec::SuiteCommand;
use crate::ingest::ReportedOutcome;

/// A run that ended, and by what its results are read.
pub struct Reading<'a> {
    /// The command.
    pub command: &'a SuiteCommand,
    /// Where it left them.
    pub folder: &'a RunFolder,
    /// When it began: what is older was not written by it.
    pub since: Timestamp,
    /// Under which ids its cases are known.
    pub names: &'a Names,
    /// What was listed.
    pub listed: &'a Listed<'a>,
    /// Hides secrets.
    pub masker: &'a Masker,
}

/// A case as it stands in the results.
pub struct Found<'a> {
    /// Its id, its tool's id for it, and how it was listed.
    pub named: &'a Named<'a>,
    /// Its name.
    pub name: &'a str,
    /// Its file, where the tool says so.
    pub file: Option<&'a str>,
}

impl Reading<'_> {
    /// Reads the results. Blocking. `note` is asked of each case how its tool is told to run it again, and what
    /// else there is to keep of it.
    pub fn read<T>(
        &self,
        mut note: impl FnMut(&Found<'_>) -> (String, T),
    ) -> (Vec<(Reported, T)>, Left) {
        let Self { command, names, listed, masker, .. } = self;
        let results = self.collect();
        let run = &results.run;
        let (mut left, mut cases) = (results.left, Vec::new());
        let named = names.of_reported(run, listed);
        for (entry, named) in run.entries().iter().zip(named) {
            let (name, file) = (run.name_of(entry), run.file_of(entry));
            let (spelled, more) = note(&Found { named: &named, name, file });
            let case = Reported::of((named.id, name, file), entry, (command, &spelled), masker);
            left.cases += 1;
            left.failing += u32::from(case.is_failing());
            cases.push((case, more));
        }
        (cases, left)
    }

    /// What the results say of each case so far, and how many milliseconds it took. Blocking.
    pub fn outcomes(&self) -> Vec<(CaseId, ReportedOutcome, u32)> {
        let run = self.collect().run;
        let named = self.names.of_reported(&run, self.listed);
        let cases = run.entries().iter().zip(named);
        cases
            .map(|(entry, named)| (named.id, entry.outcome, entry.duration_ms.unwrap_or(0)))
            .collect()
    }

    fn collect(&self) -> Results {
        let patterns = Pattern::of(&self.command.results);
        collect(&self.folder.results(), &patterns, self.since, self.masker)
    }
}
