//! Collects faults while files are read, so that all of them can be told at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Excerpt, Related, Severity};

/// Faults of one file that are told; the rest is counted.
pub(crate) const MAX_SHOWN_PER_FILE: usize = 100;
/// Faults of one file that are kept to choose the first from.
const MAX_KEPT_PER_FILE: usize = 1_000;

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) file: u16,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// The part between two bytes of a file. Files are far smaller than 4 GiB.
    pub(crate) fn new(file: u16, start: usize, end: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: narrow(start), end: narrow(end.max(start)) }
    }
}

/// One file whose faults are told.
#[derive(Debug)]
struct SourceText {
    path: PathBuf,
    text: Arc<str>,
    line_starts: Vec<u32>,
    faults: usize,
}

/// One fault, before it is put into words for a reader.
#[derive(Debug)]
pub(crate) struct Fault {
    severity: Severity,
    /// `None` is a fault of the whole file.
    at: Option<Span>,
    file: u16,
    message: String,
    label: Option<String>,
    help: Vec<String>,
    related: Option<(Span, String)>,
}

impl Fault {
    /// Adds what to do about it.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help.push(help.into());
        self
    }

    /// Sets the words under the marked text.
    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Adds another place that has to do with it.
    pub(crate) fn related(&mut self, at: Span, label: impl Into<String>) -> &mut Self {
        self.related = Some((at, label.into()));
        self
    }
}

/// The files that were read and the faults found in them.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    files: Vec<SourceText>,
    list: Vec<Fault>,
    errors: usize,
    /// Takes the faults that are too many to keep, so that callers need not care.
    overflow: Option<Fault>,
}

impl Faults {
    /// Makes a file known; its number goes into spans. `None` when there are too many files.
    pub(crate) fn add_file(&mut self, path: &Path, text: Arc<str>) -> Option<u16> {
        let id = u16::try_from(self.files.len()).ok()?;
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = breaks.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
        let line_starts = std::iter::once(0).chain(starts).collect();
        self.files.push(SourceText { path: path.to_owned(), text, line_starts, faults: 0 });
        Some(id)
    }

    /// The path of a file.
    pub(crate) fn path(&self, file: u16) -> &Path {
        &self.files[usize::from(file)].path
    }

    /// The paths of all files, in the order in which they were read.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// The text that a span covers.
    pub(crate) fn text(&self, span: Span) -> &str {
        let text = &self.files[usize::from(span.file)].text;
        text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Whether a file has so many faults that reading on tells nobody anything.
    pub(crate) fn is_hopeless(&self, file: u16) -> bool {
        self.files[usize::from(file)].faults > MAX_KEPT_PER_FILE
    }

    /// Whether there is an error among the faults.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Notes an error.
    pub(crate) fn error(&mut self, at: Span, message: impl Into<String>) -> &mut Fault {
        self.push(Severity::Error, at.file, Some(at), message.into())
    }

    /// Notes a warning.
    pub(crate) fn warning(&mut self, at: Span, message: impl Into<String>) -> &mut Fault {
        self.push(Severity::Warning, at.file, Some(at), message.into())
    }

    /// Notes an error of a whole file.
    pub(crate) fn file_error(&mut self, file: u16, message: impl Into<String>) -> &mut Fault {
        self.push(Severity::Error, file, None, message.into())
    }

    fn push(
        &mut self,
        severity: Severity,
        file: u16,
        at: Option<Span>,
        message: String,
    ) -> &mut Fault {
        let fault =
            Fault { severity, at, file, message, label: None, help: Vec::new(), related: None };
        let source = &mut self.files[usize::from(file)];
        source.faults += 1;
        self.errors += usize::from(severity == Severity::Error);
        if source.faults > MAX_KEPT_PER_FILE {
            return self.overflow.insert(fault);
        }
        self.list.push(fault);
        self.list.last_mut().expect("a fault was just pushed")
    }

    /// All faults in the order of files and lines.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|fault| (fault.file, fault.at.map(|at| (at.start, at.end))));
        let mut shown = vec![0_usize; self.files.len()];
        let mut diagnostics = Vec::new();
        for fault in &self.list {
            let count = &mut shown[usize::from(fault.file)];
            *count += 1;
            if *count <= MAX_SHOWN_PER_FILE {
                diagnostics.push(self.put_into_words(fault));
            }
        }
        let cut = self.files.iter().filter(|file| file.faults > MAX_SHOWN_PER_FILE);
        diagnostics.extend(cut.map(|file| {
            let more = file.faults.min(MAX_KEPT_PER_FILE) - MAX_SHOWN_PER_FILE;
            let at_least = if file.faults > MAX_KEPT_PER_FILE { "at least " } else { "" };
            let message = format!("{at_least}{more} more faults in this file are not shown");
            whole_file(&file.path, message)
        }));
        diagnostics
    }

    fn put_into_words(&self, fault: &Fault) -> Diagnostic {
        let mut diagnostic =
            whole_file(&self.files[usize::from(fault.file)].path, fault.message.clone());
        diagnostic.severity = fault.severity;
        diagnostic.help.clone_from(&fault.help);
        diagnostic.label.clone_from(&fault.label);
        if let Some(at) = fault.at {
            let (line, column, excerpt) = self.locate(at);
            diagnostic.line = Some(line);
            diagnostic.column = Some(column);
            diagnostic.excerpt = Some(excerpt);
        }
        diagnostic.related = fault.related.as_ref().map(|(at, label)| {
            let (line, _, excerpt) = self.locate(*at);
            let file = self.files[usize::from(at.file)].path.clone();
            Related { file, line, label: label.clone(), excerpt }
        });
        diagnostic
    }

    fn locate(&self, at: Span) -> (u32, u32, Excerpt) {
        let source = &self.files[usize::from(at.file)];
        let line = source.line_starts.partition_point(|start| *start <= at.start);
        let line_start = source.line_starts[line - 1] as usize;
        let before = source.text.get(line_start..at.start as usize).unwrap_or("");
        let column = u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX);
        let excerpt = Excerpt::cut(&source.text, at.start as usize, at.end as usize);
        (u32::try_from(line).unwrap_or(u32::MAX), column, excerpt)
    }
}

fn whole_file(path: &Path, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        file: path.to_owned(),
        line: None,
        column: None,
        message,
        help: Vec::new(),
        label: None,
        excerpt: None,
        related: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_faults_are_counted() {
        let mut faults = Faults::default();
        let file = faults.add_file(Path::new("a.yaml"), "a\nb\n".into()).expect("one file");
        for _ in 0..5_000 {
            faults.error(Span::new(file, 2, 3), "wrong").help("do it right");
        }
        let told = faults.into_diagnostics();
        assert_eq!(told.len(), MAX_SHOWN_PER_FILE + 1);
        assert_eq!((told[0].line, told[0].column), (Some(2), Some(1)));
        assert_eq!(told[100].message, "at least 900 more faults in this file are not shown");
    }

    #[test]
    fn faults_come_in_the_order_of_lines() {
        let mut faults = Faults::default();
        let file = faults.add_file(Path::new("a.yaml"), "a\nb\n".into()).expect("one file");
        faults.error(Span::new(file, 2, 3), "second");
        faults.warning(Span::new(file, 0, 1), "first");
        let told = faults.into_diagnostics();
        assert_eq!(
            told.iter().map(|d| d.message.as_str()).collect::<Vec<_>>(),
            ["first", "second"]
        );
    }
}
