//! Pack files of a mirror: written, and merged before they become many.
//!
//! Every fetch adds a pack. Hundreds of them make each look-up slow and use up file handles, so the
//! small ones are merged into one now and then. Large packs stay as they are: the work is bounded.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use git2::{Odb, PackBuilder, Repository};

use super::deadline::Deadline;
use super::error::Error;
use super::text::clip;

/// From so many small packs on, they are merged.
const MERGE_FROM: usize = 32;
/// A pack of more bytes is large.
const SMALL: u64 = 16 << 20;

/// Streams a prepared pack into the mirror.
pub(super) fn write_pack(
    pack: &mut PackBuilder<'_>,
    mirror: &Repository,
    deadline: Deadline,
    repository: &str,
) -> Result<(), Error> {
    let damaged = Error::mirror(repository);
    let folder = pack_folder(mirror);
    let odb = mirror.odb().map_err(&damaged)?;
    let mut writer = odb.packwriter().map_err(&damaged)?;
    let mut disk = None;
    let built = pack.foreach(|chunk| match writer.write_all(chunk) {
        Ok(()) => !deadline.has_passed(),
        Err(error) => {
            disk = Some(error);
            false
        }
    });
    match (built, disk) {
        (_, Some(error)) => Err(Error::io("write a pack into", &folder)(error)),
        (Err(_), None) if deadline.has_passed() => {
            Err(deadline.timeout(repository, "copying objects"))
        }
        (Err(error), None) => Err(Error::Network {
            repository: repository.to_owned(),
            reason: clip(error.message(), 300),
        }),
        (Ok(()), None) => writer
            .commit()
            .map(drop)
            .map_err(|error| Error::io("write a pack into", &folder)(io::Error::other(error))),
    }
}

/// Merges the small packs when there are many. Only for the holder of the mirror's lock.
pub(super) fn merge_small_packs(
    mirror: &Repository,
    deadline: Deadline,
    repository: &str,
) -> Result<(), Error> {
    let folder = pack_folder(mirror);
    let small = packs(&folder, SMALL)?;
    if small.len() < MERGE_FROM {
        return Ok(());
    }
    let damaged = Error::mirror(repository);
    let before = packs(&folder, u64::MAX)?;
    let mut merged = mirror.packbuilder().map_err(&damaged)?;
    insert_all(&small, &mut merged, &folder, repository)?;
    write_pack(&mut merged, mirror, deadline, repository)?;
    // Without a new file, the merged pack is one of those that were there.
    if packs(&folder, u64::MAX)?.is_subset(&before) {
        return Ok(());
    }
    for pack in small {
        // The index goes last: git looks for packs by their index.
        for extension in ["pack", "idx"] {
            let path = pack.with_extension(extension);
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Inserts the objects of exactly these packs, seen through a folder that links to them alone.
fn insert_all(
    small: &BTreeSet<PathBuf>,
    merged: &mut PackBuilder<'_>,
    folder: &Path,
    repository: &str,
) -> Result<(), Error> {
    let damaged = Error::mirror(repository);
    let view = tempfile::Builder::new()
        .prefix("tmp_merge-")
        .tempdir_in(folder)
        .map_err(Error::io("create a folder in", folder))?;
    let linked = view.path().join("pack");
    fs::create_dir(&linked).map_err(Error::io("create", &linked))?;
    for pack in small {
        for path in [pack.with_extension("pack"), pack.with_extension("idx")] {
            let name = path.file_name().unwrap_or_default();
            fs::hard_link(&path, linked.join(name)).map_err(Error::io("link", &path))?;
        }
    }
    let odb = Odb::new().map_err(&damaged)?;
    odb.add_disk_alternate(&view.path().to_string_lossy()).map_err(&damaged)?;
    let mut failure = None;
    odb.foreach(|oid| {
        failure = merged.insert_object(*oid, None).err();
        failure.is_none()
    })
    .map_err(|error| damaged(failure.unwrap_or(error)))
}

fn pack_folder(mirror: &Repository) -> PathBuf {
    mirror.path().join("objects/pack")
}

/// Packs below a size, by the path of their index.
fn packs(folder: &Path, below: u64) -> Result<BTreeSet<PathBuf>, Error> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))?.flatten() {
        let path = entry.path();
        let is_index = path.extension().is_some_and(|extension| extension == "idx");
        if is_index
            && fs::metadata(path.with_extension("pack")).is_ok_and(|meta| meta.len() < below)
        {
            found.insert(path);
        }
    }
    Ok(found)
}
