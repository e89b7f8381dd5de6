//! The `andon` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    andon::app::main()
}
