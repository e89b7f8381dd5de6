//! `schema`, `completions`, `man`: what the program can say about itself.

use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs, SchemaArgs, SchemaOf};
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use crate::{pipeline, report};

/// `andon schema`
pub fn schema(context: &Context, args: &SchemaArgs) -> CliResult {
    let schema = match args.of {
        SchemaOf::Pipeline => pipeline::schema(pipeline::Kind::Pipeline),
        SchemaOf::Suite => pipeline::schema(pipeline::Kind::Suite),
        SchemaOf::Daemon => pipeline::schema(pipeline::Kind::Daemon),
        SchemaOf::Cycle => report::json::schema(),
    };
    context.out().json(&schema).map_err(printing)?;
    Ok(Status::Green)
}

/// `andon completions`
pub fn completions(context: &Context, args: &CompletionsArgs) -> CliResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut offered(), "andon", &mut script);
    context.out().raw(&script).map_err(printing)?;
    Ok(Status::Green)
}

/// The program as it is offered to people: without the commands that only the program itself uses.
fn offered() -> clap::Command {
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned();
    clap::Command::new("andon")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(shown)
}

/// `andon man`: the page of the program, followed by one section a command.
pub fn man(context: &Context) -> CliResult {
    let program = offered().about(about()).after_help("");
    let page = clap_mangen::Man::new(program.clone());
    let mut text = rendered(|out| page.render_title(out))?;
    text += &rendered(|out| page.render_name_section(out))?;
    text += &rendered(|out| page.render_synopsis_section(out))?;
    text += &rendered(|out| page.render_description_section(out))?;
    text += &rendered(|out| page.render_options_section(out))?;
    for sub in program.get_subcommands() {
        text += &section(&format!("ANDON {}", sub.get_name().to_uppercase()), sub)?;
        for nested in sub.get_subcommands() {
            let name = format!("ANDON {} {}", sub.get_name(), nested.get_name()).to_uppercase();
            text += &section(
                &name,
                &nested.clone().bin_name(format!("andon {} {}", sub.get_name(), nested.get_name())),
            )?;
        }
    }
    text += ".SH EXIT CODES AND FIRST STEPS\n";
    text +=
        &literally(&Cli::command().get_after_help().map(ToString::to_string).unwrap_or_default());
    context.out().raw(text.as_bytes()).map_err(printing)?;
    Ok(Status::Green)
}

fn about() -> String {
    let command = Cli::command();
    command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default()
}

/// One command under a heading of its own: its synopsis, what it does, options, examples.
fn section(heading: &str, command: &clap::Command) -> Result<String, CliError> {
    let bin_name = command
        .get_bin_name()
        .map_or_else(|| format!("andon {}", command.get_name()), ToOwned::to_owned);
    let page = clap_mangen::Man::new(command.clone().bin_name(bin_name));
    let synopsis = rendered(|out| page.render_synopsis_section(out))?;
    let description = rendered(|out| page.render_description_section(out))?;
    let options = rendered(|out| page.render_options_section(out))?;
    let mut text = synopsis.replacen(".SH SYNOPSIS", &format!(".SH \"{heading}\""), 1);
    text += &description.replacen(".SH DESCRIPTION", ".PP", 1);
    text += &options.replace(".SH OPTIONS", ".PP");
    if let Some(help) = command.get_after_help() {
        text += &literally(&help.to_string());
    }
    Ok(text)
}

/// Lines as they are written.
fn literally(lines: &str) -> String {
    let mut text = String::from(".PP\n.nf\n");
    for line in lines.lines() {
        // A zero-width mark keeps a dot or a quote at the beginning from being a request.
        text.push_str("\\&");
        text.push_str(&line.replace('\\', "\\\\").replace('-', "\\-"));
        text.push('\n');
    }
    text + ".fi\n"
}

fn rendered(
    render: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    render(&mut bytes).map_err(CliError::defect)?;
    String::from_utf8(bytes).map_err(CliError::defect)
}
