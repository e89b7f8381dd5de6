//! `backup`: a copy of the state in one file, while everything goes on.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::BackupArgs;
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{counted, size};
use crate::engine::{Clock as _, SystemClock};
use crate::store::sqlite::Mode;
use crate::upkeep::Backup;

/// `andon backup`
pub async fn backup(context: &Context, args: &BackupArgs) -> CliResult {
    let file = file(&args.target)?;
    let store = context.store_on_full_disk(Mode::ReadOnly).await?;
    let backup = Backup { store: std::sync::Arc::clone(&store), paths: context.paths() };
    let written = backup.write(&file).await;
    store.close().await;
    let done = written?;
    let mut out = context.out();
    let shown = file.display();
    if args.json {
        let value = json!({
            "file": shown.to_string(), "bytes": done.bytes, "cycles": done.cycles, "open": done.open,
        });
        out.json(&value).map_err(printing)?;
    } else {
        let (cycles, bytes) = (counted(done.cycles, "cycle"), size(done.bytes));
        out.line(format!("{shown}: {cycles}, {bytes}")).map_err(printing)?;
    }
    Ok(Status::Green)
}

/// The file to write: in a folder, one that is named by the time.
fn file(target: &Path) -> Result<PathBuf, CliError> {
    // A copy is put in place when it is whole, which a stream cannot be.
    if target == Path::new("-") {
        let text = "a copy goes into a file, and `-` is none";
        return Err(CliError::usage_text(text).hint("name a file, or a folder for it"));
    }
    if target.is_dir() {
        let name = SystemClock.now().strftime("andon-%Y%m%dT%H%M%SZ.tar").to_string();
        return Ok(target.join(name));
    }
    if target.symlink_metadata().is_ok() {
        let text = format!("{} is there already", target.display());
        return Err(CliError::usage_text(text)
            .hint("a copy is never written over; give another name, or a folder"));
    }
    Ok(target.to_owned())
}
