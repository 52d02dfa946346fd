//! `orchestrator completions` and `orchestrator man`: what a shell and `man` are told of the command line, made of it.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::watch::Output;
use super::{Cli, CliError, environment};

/// Where manual pages go.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// A folder for a page of each command; without it the main page is written to standard output.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn completions(shell: clap_complete::Shell, out: &Output) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orchestrator", &mut script);
    out.line(String::from_utf8_lossy(&script).trim_end());
    0
}

pub(super) fn man(args: &ManArgs, out: &Output) -> Result<u8, CliError> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(environment)?;
        out.line(String::from_utf8_lossy(&page).trim_end());
        return Ok(0);
    };
    let said = |error: std::io::Error| {
        environment(format!("failed to write {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(said)?;
    pages(&command, folder).map_err(said)?;
    out.say(&format!("the pages are in {}", folder.display()));
    Ok(0)
}

/// A page of the command, and of each below it: `orchestrator-todo-set.1`.
fn pages(command: &clap::Command, folder: &Path) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    std::fs::write(folder.join(format!("{name}.1")), page)?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| pages(below, folder))
}
