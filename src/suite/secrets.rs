//! Loads secrets from where the pipeline says they are. Their values go nowhere but into
//! [`Secret`]s; errors name the source, never the value.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::env::HostEnv;
use crate::domain::redact::{MIN_SECRET_BYTES, Secret};
use crate::domain::spec::{SecretSource, SecretSpec};

/// A longer value is no secret but a mistake.
const MAX_SECRET_BYTES: u64 = 64 * 1024;
/// How long a program that prints a secret may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The secrets of a pipeline, and what a person should know about them.
#[derive(Debug, Default)]
pub struct LoadedSecrets {
    /// Name and value, in the order written.
    pub secrets: Vec<(String, Secret)>,
    /// Sentences, as about a file that everybody may read.
    pub warnings: Vec<String>,
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("secret `{name}`: {reason}")]
pub struct SecretError {
    /// The secret's name.
    pub name: String,
    /// What is wrong with its source.
    pub reason: String,
}

/// Loads secrets; all that cannot be had are told at once.
///
/// # Errors
/// When one cannot be had, or is too short to be masked without masking half of every text.
pub async fn load_secrets(
    specs: &[SecretSpec],
    host: &HostEnv,
) -> Result<LoadedSecrets, Vec<SecretError>> {
    let (mut loaded, mut errors) = (LoadedSecrets::default(), Vec::new());
    for spec in specs {
        match load(&spec.source, host, &mut loaded.warnings).await {
            Ok(value) => loaded.secrets.push((spec.name.clone(), Secret::new(value))),
            Err(reason) => errors.push(SecretError { name: spec.name.clone(), reason }),
        }
    }
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

async fn load(
    source: &SecretSource,
    host: &HostEnv,
    warnings: &mut Vec<String>,
) -> Result<String, String> {
    let value = match source {
        SecretSource::Env(name) => {
            host(name).ok_or_else(|| format!("the environment variable {name} is not set"))?
        }
        SecretSource::File(path) => {
            warnings.extend(open_to_others(path).await);
            read_file(path).await?
        }
        SecretSource::Command(argv) => run(argv).await?,
    };
    let value = without_newline(value);
    if value.len() < MIN_SECRET_BYTES {
        return Err(format!(
            "its value has {} bytes, but fewer than {MIN_SECRET_BYTES} cannot be masked in reports",
            value.len()
        ));
    }
    Ok(value)
}

/// One newline at the end is an editor's, not the secret's.
fn without_newline(mut value: String) -> String {
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    value
}

async fn read_file(path: &Path) -> Result<String, String> {
    let failed = |fault: std::io::Error| format!("file {}: {fault}", path.display());
    let length = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if length > MAX_SECRET_BYTES {
        return Err(format!("file {} has {length} bytes, too many for a secret", path.display()));
    }
    tokio::fs::read_to_string(path).await.map_err(failed)
}

#[cfg(unix)]
async fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = tokio::fs::metadata(path).await.ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        format!(
            "the secret file {} can be read by others (mode {mode:03o}): `chmod 600` it",
            path.display()
        )
    })
}

#[cfg(not(unix))]
async fn open_to_others(_path: &Path) -> Option<String> {
    None
}

async fn run(argv: &[String]) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("the command is empty")?;
    let failed = |fault: std::io::Error| format!("command {program}: {fault}");
    // Not by `process`: this is a short look into a password store before any cycle exists, with
    // nothing to supervise, store or take up again.
    #[allow(clippy::disallowed_methods)]
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stdout = child.stdout.take().ok_or("the command has no output")?;
    let mut value = String::new();
    let reading = async {
        stdout.take(MAX_SECRET_BYTES + 1).read_to_string(&mut value).await?;
        child.wait().await
    };
    let status = timeout(COMMAND_TIMEOUT, reading)
        .await
        .map_err(|_| format!("command {program} printed nothing within {COMMAND_TIMEOUT:?}"))?
        .map_err(failed)?;
    if !status.success() {
        return Err(format!("command {program} failed ({status})"));
    }
    if value.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("command {program} printed too much for a secret"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;

    fn host() -> HostEnv {
        Arc::new(|name| match name {
            "GOOD" => Some("hunter2\n".to_owned()),
            "SHORT" => Some("abc".to_owned()),
            _ => None,
        })
    }

    async fn one(source: SecretSource) -> Result<LoadedSecrets, String> {
        let spec = SecretSpec { name: "key".to_owned(), source };
        load_secrets(&[spec], &host()).await.map_err(|errors| errors[0].to_string())
    }

    #[tokio::test]
    async fn secrets_come_from_variables_files_and_commands() {
        let loaded = one(SecretSource::Env("GOOD".to_owned())).await.unwrap();
        assert_eq!(loaded.secrets[0].1.expose(), "hunter2");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"line one\nline two\r\n").unwrap();
        let loaded = one(SecretSource::File(file.path().to_owned())).await.unwrap();
        assert_eq!(loaded.secrets[0].1.expose(), "line one\nline two");
        assert!(loaded.warnings.is_empty());
        let argv = ["printf", "%s", "from-a-command"].map(str::to_owned).to_vec();
        let loaded = one(SecretSource::Command(argv)).await.unwrap();
        assert_eq!(loaded.secrets[0].1.expose(), "from-a-command");
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_named_without_its_value() {
        let table = [
            (SecretSource::Env("GONE".to_owned()), "GONE is not set"),
            (SecretSource::Env("SHORT".to_owned()), "has 3 bytes"),
            (SecretSource::File("no-such-file".into()), "no-such-file"),
            (SecretSource::Command(vec!["false".to_owned()]), "failed"),
            (SecretSource::Command(vec!["no-such-program-here".to_owned()]), "no-such-program"),
        ];
        for (source, part) in table {
            let error = one(source).await.unwrap_err();
            assert!(error.starts_with("secret `key`: ") && error.contains(part), "{error}");
            assert!(!error.contains("abc"));
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_others_can_read_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret-value").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let loaded = one(SecretSource::File(file.path().to_owned())).await.unwrap();
        assert!(loaded.warnings[0].contains("mode 644"), "{:?}", loaded.warnings);
    }
}
