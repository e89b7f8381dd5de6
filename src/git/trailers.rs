//! Trailers of commit messages: `Fixes: INV-0003` at the end of one.

use git2::{Oid, Repository, Sort};

use crate::domain::revision::{Revision, Sha};

use super::error::Error;
use super::revision::{author_of, find_commit, oid_of, sha_of, subject_of, time_of};

/// The most commits that are looked at, the newest.
const MAX_COMMITS: usize = 2_000;
/// The longest message that is looked at: a longer one is no message.
const MAX_MESSAGE: usize = 64 * 1024;
/// The most commits with such a trailer, and the most values of one.
const MAX_FOUND: usize = 200;
const MAX_VALUES: usize = 20;

/// A commit whose message has a trailer that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailered {
    /// The commit.
    pub commit: Revision,
    /// The values of the trailer, in order.
    pub values: Vec<String>,
}

/// The commits that `to` has and `from` has not, oldest first, whose message has this trailer. Where
/// `from` is unknown to the repository, the newest commits before `to` are looked at.
pub(super) fn trailered(
    repo: &Repository,
    from: Option<&Sha>,
    to: &Sha,
    key: &str,
    repository: &str,
) -> Result<Vec<Trailered>, Error> {
    let to = oid_of(to);
    find_commit(repo, to, repository)?;
    let from = from.map(oid_of).filter(|oid| repo.find_commit(*oid).is_ok());
    let mut found = walk(repo, from, to, key).map_err(Error::mirror(repository))?;
    found.reverse();
    Ok(found)
}

fn walk(
    repo: &Repository,
    from: Option<Oid>,
    to: Oid,
    key: &str,
) -> Result<Vec<Trailered>, git2::Error> {
    let mut walk = repo.revwalk()?;
    // Without anything hidden the order is by time alone, which needs no look at the whole history.
    walk.set_sorting(if from.is_some() { Sort::TOPOLOGICAL | Sort::TIME } else { Sort::TIME })?;
    walk.push(to)?;
    if let Some(from) = from {
        walk.hide(from)?;
    }
    let mut found = Vec::new();
    for oid in walk.take(MAX_COMMITS) {
        let commit = repo.find_commit(oid?)?;
        let values = values(commit.message_bytes(), key);
        if let Some(sha) = sha_of(commit.id()).filter(|_| !values.is_empty()) {
            let (subject, author) = (subject_of(&commit), author_of(&commit));
            let commit = Revision { sha, subject, author, branch: None, time: time_of(&commit) };
            found.push(Trailered { commit, values });
        }
        if found.len() == MAX_FOUND {
            break;
        }
    }
    Ok(found)
}

/// The values of a trailer as git reads them: in the last paragraph, its key in any case.
fn values(message: &[u8], key: &str) -> Vec<String> {
    // Most messages do not have it; git's parser makes a copy.
    let may_have = message.len() <= MAX_MESSAGE
        && message.windows(key.len()).any(|part| part.eq_ignore_ascii_case(key.as_bytes()));
    if !may_have {
        return Vec::new();
    }
    let Ok(trailers) = git2::message_trailers_bytes(message) else { return Vec::new() };
    let named = trailers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key.as_bytes()));
    named.take(MAX_VALUES).map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_stands_in_the_last_paragraph() {
        for (message, expected) in [
            ("Repair the cart\n\nFixes: INV-0003\n", &["INV-0003"][..]),
            (
                "Repair\n\nWhy.\n\nfixes: INV-1\nFIXES: INV-2, INV-3\nSigned-off-by: a\n",
                &["INV-1", "INV-2, INV-3"],
            ),
            ("Fixes: INV-0003\n", &[]),
            ("Repair\n\nFixes: INV-0003\n\nand more words\n", &[]),
            ("Repair\n\nIt fixes: nothing\nat all, as far as we know\nso far\nand so on\n", &[]),
            ("Repair\n\nPrefixes: INV-0003\n", &[]),
            ("", &[]),
        ] {
            assert_eq!(values(message.as_bytes(), "Fixes"), expected, "{message:?}");
        }
        assert_eq!(values(b"Repair\n\nFixes: INV-\xff\0\n", "Fixes"), Vec::<String>::new());
        let long = format!("Repair {}\n\nFixes: INV-1\n", "x".repeat(MAX_MESSAGE));
        assert!(values(long.as_bytes(), "Fixes").is_empty());
    }
}
