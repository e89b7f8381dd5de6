//! Temporary repositories, and mirrors of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use andon::domain::revision::{Revision, Sha};
use andon::git::{
    Auth, Checkout, CheckoutLimits, Error, Fetched, Mirror, MirrorOptions, RepoUrl, RevisionSpec,
    UrlSource,
};
use git2::{Commit, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

/// Long enough for a busy machine; no test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A source repository, a cache and a place for checkouts, all temporary.
pub struct World {
    pub dir: TempDir,
    pub repo: Repository,
    clock: std::cell::Cell<i64>,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        let repo = Repository::init_opts(dir.path().join("source.git"), &options).unwrap();
        Self { dir, repo, clock: std::cell::Cell::new(1_700_000_000) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A commit on top of `branch` with these files as the whole tree.
    pub fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> Sha {
        let tip = self.repo.find_reference(&format!("refs/heads/{branch}")).ok();
        let parents: Vec<Oid> = tip.iter().filter_map(git2::Reference::target).collect();
        let sha = self.commit_tree(self.tree(files), &parents, message);
        self.set(&format!("refs/heads/{branch}"), &sha);
        sha
    }

    /// A commit that no reference names yet.
    pub fn commit_tree(&self, tree: Oid, parents: &[Oid], message: &str) -> Sha {
        let now = self.clock.get() + 60;
        self.clock.set(now);
        let who = Signature::new("Ada", "ada@example.com", &Time::new(now, 0)).unwrap();
        let parents: Vec<Commit<'_>> =
            parents.iter().map(|oid| self.repo.find_commit(*oid).unwrap()).collect();
        let tree = self.repo.find_tree(tree).unwrap();
        let oid = self
            .repo
            .commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>())
            .unwrap();
        Sha::parse(&oid.to_string()).unwrap()
    }

    /// A tree of plain files; folders come from slashes.
    pub fn tree(&self, files: &[(&str, &str)]) -> Oid {
        let mut index = git2::Index::new().unwrap();
        for (path, content) in files {
            let id = self.repo.blob(content.as_bytes()).unwrap();
            index.add(&entry(path, id)).unwrap();
        }
        index.write_tree_to(&self.repo).unwrap()
    }

    /// A tree of whatever entries, also such as git itself refuses to make.
    pub fn raw_tree(&self, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend([mode.as_bytes(), b" ", *name, b"\0", id.as_bytes()].concat());
        }
        self.repo.odb().unwrap().write(ObjectType::Tree, &bytes).unwrap()
    }

    pub fn blob(&self, content: &str) -> Oid {
        self.repo.blob(content.as_bytes()).unwrap()
    }

    pub fn set(&self, reference: &str, sha: &Sha) {
        self.repo.reference(reference, oid(sha), true, "").unwrap();
    }

    pub fn delete(&self, reference: &str) {
        self.repo.find_reference(reference).unwrap().delete().unwrap();
    }

    /// A mirror of the source by its path.
    pub async fn mirror(&self) -> Mirror {
        let url =
            RepoUrl::parse("source.git", UrlSource::Operator { base: self.dir.path() }).unwrap();
        self.mirror_of(url, Auth::None).await
    }

    pub async fn mirror_of(&self, url: RepoUrl, auth: Auth) -> Mirror {
        Mirror::open(&self.path("cache"), url, auth, MirrorOptions::default()).await.unwrap()
    }

    /// The mirror's bare repository.
    pub fn mirror_dir(&self, mirror: &Mirror) -> PathBuf {
        self.path("cache").join(format!("{}.git", mirror.url().cache_key()))
    }

    /// A mirror that has been fetched.
    pub async fn fetched(&self) -> Mirror {
        let mirror = self.mirror().await;
        fetch(&mirror).await;
        mirror
    }

    pub async fn checkout(&self, mirror: &Mirror, sha: &Sha) -> Result<Checkout, Error> {
        mirror.checkout(sha, &self.path("out/tree"), CheckoutLimits::default()).await
    }
}

pub async fn fetch(mirror: &Mirror) -> Fetched {
    mirror.fetch(PATIENCE).await.unwrap()
}

pub async fn resolve(mirror: &Mirror, text: &str) -> Result<Revision, Error> {
    mirror.resolve(RevisionSpec::parse(text).unwrap()).await
}

pub async fn branches(mirror: &Mirror) -> Vec<(String, String)> {
    let tips = mirror.branches().await.unwrap();
    tips.into_iter().map(|tip| (tip.name, tip.sha.to_string())).collect()
}

pub fn oid(sha: &Sha) -> Oid {
    Oid::from_str(sha.as_str()).unwrap()
}

fn entry(path: &str, id: Oid) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

/// Runs git without anybody's configuration.
pub fn git(dir: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes an executable script. Another process writes it: a file that this one has open for
/// writing while another test forks could not be executed ("text file busy").
pub fn script(path: &Path, text: &str) {
    let written = Command::new("sh")
        .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#, "sh"])
        .arg(path)
        .arg(text)
        .status()
        .unwrap();
    assert!(written.success());
}

/// All paths below a folder, relative and sorted.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(dir).unwrap().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
