//! What is kept of the output, and that no secret is.

use std::fs;
use std::path::Path;

use andon::process::OutputCaps;

use crate::support::{Place, until};

const MIB: u64 = 1 << 20;

/// D5, scaled: the command looks at the memory of its supervisor itself.
#[tokio::test]
async fn a_flood_is_cut_in_the_middle_in_little_memory() {
    let place = Place::new();
    let script = "echo first; head -c 67108864 /dev/zero | tr '\\0' x; echo
        grep VmHWM /proc/$PPID/status";
    let exit = place.run(&place.script(script)).await;
    assert!(exit.is_success());
    let output = exit.output;
    assert!(output.total_bytes > 64 * MIB);
    assert_eq!(output.cut_bytes, output.total_bytes - 2 * MIB);
    let text = String::from_utf8(place.output()).unwrap();
    assert_eq!(text.len() as u64, output.kept_bytes);
    assert!(text.starts_with("first\nxxx"));
    assert!(text.contains(&format!("\n… {} bytes in 0 lines cut …\n", output.cut_bytes)));
    let peak_kib: u64 = text.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    // The program's own pages, as they are mapped, count here, too: some 30 MiB unoptimised.
    assert!(peak_kib < 48 * 1024, "the supervisor took {peak_kib} KiB");
}

/// D6, scaled: one line of 8 MiB, with a secret right at its end.
#[tokio::test]
async fn one_endless_line_is_cut_and_masked_like_any_other() {
    let place = Place::new();
    let script = "head -c 8388608 /dev/zero | tr '\\0' x; echo $KEY";
    let spec = place.script(script).env("KEY", "open sesame").mask(["open sesame".to_owned()]);
    let exit = place.run(&spec).await;
    assert!(exit.output.kept_bytes < 2 * MIB + 100);
    assert!(place.output().ends_with(b"xxx***\n"));
}

/// D7
#[tokio::test]
async fn bytes_stay_bytes() {
    let place = Place::new();
    let script = r"printf 'a\000b\377\376\r\033[31m\033]0;title\007\n'";
    place.run(&place.script(script)).await;
    assert_eq!(place.output(), b"a\0b\xff\xfe\r\x1b[31m\x1b]0;title\x07\n");
}

#[tokio::test]
async fn both_streams_keep_their_order() {
    let place = Place::new();
    place.run(&place.script("echo 1; echo 2 >&2; echo 3; echo 4 >&2")).await;
    assert_eq!(place.lines(), ["1", "2", "3", "4"]);
}

/// D8
#[tokio::test]
async fn closed_output_is_no_end_and_input_is_empty() {
    let place = Place::new();
    let exit = place.run(&place.script("cat; echo $?; exec >&- 2>&-; sleep 0.2; exit 5")).await;
    assert_eq!(exit.end, andon::process::End::Exited { code: 5 });
    assert!(!exit.output.held_open);
    assert_eq!(place.lines(), ["0"]);
}

#[tokio::test]
async fn a_follower_gets_everything_once_and_while_it_runs() {
    let place = Place::new();
    let script = "echo early; while [ ! -e go ]; do sleep 0.02; done; echo late";
    let mut command = place.launch(&place.script(script)).await;
    let mut cursor = command.output();
    place.await_lines(1);
    let mut seen = Vec::new();
    cursor.read_new(&mut |bytes| seen.extend_from_slice(bytes));
    assert_eq!(seen, b"early\n");
    fs::write(place.path().join("go"), "").unwrap();
    assert!(command.wait().await.unwrap().is_success());
    cursor.read_new(&mut |bytes| seen.extend_from_slice(bytes));
    assert_eq!(seen, b"early\nlate\n");
}

/// A quiet step is followed and survives its supervisor whether it has secrets or not; a secret that comes
/// in two parts is masked all the same.
#[tokio::test]
async fn a_mask_holds_back_no_line_of_a_quiet_command() {
    let place = Place::new();
    let script = "echo $PPID; echo $$; echo early; printf 'key hunter2-'
        while [ ! -e go ]; do sleep 0.02; done; echo hunter2; echo late
        while :; do sleep 1; done";
    let spec = place.script(script).mask(["hunter2-hunter2".to_owned()]);
    let mut command = place.launch(&spec).await;
    let lines = place.await_lines(3);
    assert_eq!(lines[2], "early");
    fs::write(place.path().join("go"), "").unwrap();
    assert_eq!(place.await_lines(5)[3..], ["key ***", "late"]);
    crate::support::kill(&lines[0]);
    command.wait().await.unwrap_err();
    assert_eq!(place.lines()[3..], ["key ***", "late"]);
    crate::support::kill(&lines[1]);
    until(|| !crate::support::alive(&lines[1]));
}

#[tokio::test]
async fn caps_of_nothing_keep_nothing_but_the_count() {
    let place = Place::new();
    let spec = place.script("echo hello").output_caps(OutputCaps { head: 0, tail: 0 });
    let exit = place.run(&spec).await;
    assert_eq!((exit.output.total_bytes, exit.output.cut_bytes), (6, 6));
    assert_eq!(String::from_utf8(place.output()).unwrap(), "\n… 6 bytes in 1 lines cut …\n");
}

/// K5: a secret is in the command's environment, and nowhere else that can be looked at.
#[tokio::test]
async fn secrets_reach_the_command_and_nothing_else() {
    const SECRET: &str = "hunter2-hunter2";
    let place = Place::new();
    let script = "echo key is $KEY; printf %s $KEY | base64; echo $PPID
        while [ ! -e go ]; do sleep 0.02; done; [ $KEY = hunter2'-'hunter2 ]";
    let spec = place.script(script).env("KEY", SECRET).mask([SECRET.to_owned()]);
    let mut command = place.launch(&spec).await;
    // Output could be held back by the mask, so the supervisor is found by its folder.
    until(|| supervisor_of(&place.run_dir()).is_some());
    let supervisor = supervisor_of(&place.run_dir()).unwrap();
    until(|| place.run_dir().join("started.json").exists());
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(Path::new("/proc").join(&supervisor).join(file)).unwrap();
        assert!(!contains(&bytes, SECRET), "{file}");
    }
    assert_no_file_contains(&place.run_dir(), SECRET);
    fs::write(place.path().join("go"), "").unwrap();
    assert!(command.wait().await.unwrap().is_success(), "the command itself had it");
    assert_no_file_contains(&place.run_dir(), SECRET);
    assert_eq!(place.lines()[..2], ["key is ***", "***"]);
    assert_private(&place.run_dir());
}

fn supervisor_of(run_dir: &Path) -> Option<String> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let cmdline = fs::read(entry.path().join("cmdline")).ok()?;
        contains(&cmdline, run_dir.to_str().unwrap())
            .then(|| entry.file_name().into_string().unwrap())
    })
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn assert_no_file_contains(dir: &Path, text: &str) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        assert!(!contains(&bytes, text), "{:?}", entry.path());
    }
}

fn assert_private(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir), 0o700);
    for entry in fs::read_dir(dir).unwrap().flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
    }
}
