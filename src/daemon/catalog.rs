//! The pipelines of a folder, as they are served: a file that breaks while the daemon runs leaves
//! the pipeline as it was, and says so.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::handle::{Served, Unserved};
use crate::domain::names::PipelineName;
use crate::pipeline::{self, Diagnostic, Severity, SourceFiles};

/// What a folder holds now.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The pipelines to serve, by name.
    pub pipelines: BTreeMap<PipelineName, Served>,
    /// Files that give no pipeline, with all their faults.
    pub faulty: Vec<Faulty>,
}

/// A file that gives no pipeline.
#[derive(Debug)]
pub struct Faulty {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in one sentence.
    pub why: String,
    /// Each fault, with its line.
    pub diagnostics: Vec<Diagnostic>,
}

impl Catalog {
    /// The files of which nothing is served, not even what they said before.
    pub fn unserved(&self) -> Vec<Unserved> {
        let stays = |file: &Path| self.pipelines.values().any(|s| s.pipeline.file == file);
        let left_out = self.faulty.iter().filter(|faulty| !stays(&faulty.file));
        left_out
            .map(|faulty| Unserved { file: faulty.file.clone(), why: faulty.why.clone() })
            .collect()
    }

    /// Loads every pipeline file directly in `folder` (absolute). What was served `before` stays
    /// where its file is broken now; where its file is gone, the pipeline is gone.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn load(
        folder: &Path,
        source: &dyn SourceFiles,
        before: &BTreeMap<PipelineName, Served>,
    ) -> io::Result<Self> {
        let mut catalog = Self::default();
        for file in yaml_files(folder)? {
            catalog.take(file, source, before);
        }
        Ok(catalog)
    }

    fn take(
        &mut self,
        file: PathBuf,
        source: &dyn SourceFiles,
        before: &BTreeMap<PipelineName, Served>,
    ) {
        let loaded = pipeline::load(source, &file);
        let Some(pipeline) = loaded.pipeline else {
            let why = in_short(&file, &loaded.diagnostics);
            let served = before.values().find(|served| served.pipeline.file == file);
            if let Some(served) = served {
                let stays = Served { stale: Some(why.clone()), ..served.clone() };
                self.pipelines.entry(served.pipeline.name.clone()).or_insert(stays);
            }
            self.faulty.push(Faulty { file, why, diagnostics: loaded.diagnostics });
            return;
        };
        if let Some(other) = self.pipelines.get(&pipeline.name) {
            let other = other.pipeline.file.display();
            let why = format!("the name {} is taken by {other}", pipeline.name);
            self.faulty.push(Faulty { file, why, diagnostics: loaded.diagnostics });
            return;
        }
        let served = Served { pipeline: Arc::new(pipeline), stale: None };
        self.pipelines.insert(served.pipeline.name.clone(), served);
    }
}

/// The YAML files directly in a folder, in the order of their names.
pub fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// `3 errors, first: line 7: unknown key "depoy"`.
fn in_short(file: &Path, diagnostics: &[Diagnostic]) -> String {
    let errors: Vec<&Diagnostic> =
        diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    let Some(error) = errors.first() else { return "it cannot be read".to_owned() };
    // The fault may be one of a suite file that the pipeline includes.
    let other = error.file.file_name().filter(|name| Some(*name) != file.file_name());
    let place = match (other.map(|name| name.to_string_lossy()), error.line) {
        (None, None) => String::new(),
        (None, Some(line)) => format!("line {line}: "),
        (Some(name), None) => format!("{name}: "),
        (Some(name), Some(line)) => format!("{name}, line {line}: "),
    };
    let first = format!("{place}{}", error.message);
    match errors.len() {
        1 => first,
        count => format!("{count} errors, first: {first}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;
    use std::fs;

    fn read(path: &Path, _limit: u64) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    const GOOD: &str = "version: 1\nsuite:\n  name: P1\n  cases:\n    - id: a\n      steps: [{ http: { url: 'http://127.0.0.1/' } }]\n";

    fn names(catalog: &Catalog) -> Vec<(&str, bool)> {
        let served = catalog.pipelines.iter();
        served.map(|(name, served)| (name.as_str(), served.stale.is_some())).collect()
    }

    #[test]
    fn a_file_that_breaks_leaves_its_pipeline_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("shop.yaml", GOOD);
        put("chat.yaml", &format!("name: talk\n{GOOD}"));
        put("twin.yaml", &format!("name: talk\n{GOOD}"));
        put("notes.txt", "no pipeline");
        let nothing = BTreeMap::new();
        let first = Catalog::load(folder.path(), &read, &nothing).unwrap();
        assert_eq!(names(&first), [("shop", false), ("talk", false)]);
        assert!(first.faulty[0].why.starts_with("the name talk is taken by"), "{:?}", first.faulty);

        put("shop.yaml", "version: 1\nsuit: {}\n");
        fs::remove_file(folder.path().join("chat.yaml")).unwrap();
        fs::remove_file(folder.path().join("twin.yaml")).unwrap();
        let second = Catalog::load(folder.path(), &read, &first.pipelines).unwrap();
        assert_eq!(names(&second), [("shop", true)]);
        assert!(second.unserved().is_empty(), "what it said before is served");
        let kept = &second.pipelines.values().next().unwrap().pipeline;
        assert_eq!(kept.suite.as_ref().unwrap().name, "P1", "as it was");

        put("new.yaml", "version: 1\nsuit: {}\n");
        let broken = Catalog::load(folder.path(), &read, &second.pipelines).unwrap();
        let [unserved] = &broken.unserved()[..] else { panic!("{:?}", broken.faulty) };
        let shown = unserved.to_string();
        assert!(
            shown.starts_with("new.yaml is not served: ") && shown.contains("line 2: "),
            "{shown}"
        );
        assert!(unserved.is_named("new") && !unserved.is_named("shop"));
        fs::remove_file(folder.path().join("new.yaml")).unwrap();

        put("shop.yaml", GOOD);
        let third = Catalog::load(folder.path(), &read, &second.pipelines).unwrap();
        assert_eq!((names(&third), third.faulty.len()), (vec![("shop", false)], 0));
    }
}
