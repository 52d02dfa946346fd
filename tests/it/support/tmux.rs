//! A program in a real terminal: a tmux of its own on a socket of its own, whose screen is read and whose keys are pressed.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::client::DEADLINE;
use super::ended::succeeds;
use super::project::Project;
use super::tools;

/// Runs a program, notes its id and how it ended, and leaves its last screen.
const RUN: &str = r#"folder=$1
shift
sh -c 'echo $$ >"$0/process.new"; mv "$0/process.new" "$0/process"; exec "$@"' "$folder" "$@"
echo $? >"$folder/ended.new"
mv "$folder/ended.new" "$folder/ended"
read -r _
"#;

/// A terminal with one program in it. Dropping it ends its tmux, and with it the program.
pub struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Runs the binary with `arguments` in a terminal of that size.
    pub fn running(project: &Project, arguments: &[&str], (width, height): (u16, u16)) -> Terminal {
        let terminal = Terminal { folder: tempfile::tempdir().unwrap() };
        // No line of the screen is tmux's own, and a key alone is not waited upon.
        terminal.write("tmux.conf", "set -g status off\nset -sg escape-time 0\n");
        terminal.write("run.sh", RUN);
        let mut tmux = terminal.tmux(&["new-session", "-d"]);
        tmux.args(["-x", &width.to_string(), "-y", &height.to_string()]);
        tmux.arg("-c").arg(project.root());
        for (name, value) in project.environment() {
            tmux.args(["-e", &format!("{name}={value}")]);
        }
        let words = std::iter::once(&env!("CARGO_BIN_EXE_orchestrator")).chain(arguments);
        let words = words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let folder = terminal.folder.path().display();
        succeeds(tmux.arg(format!("exec sh '{folder}/run.sh' '{folder}' {words}")));
        terminal
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// What the script has noted, once it has.
    fn noted(&self, name: &str) -> i32 {
        let end = Instant::now() + DEADLINE;
        loop {
            let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            if let Ok(number) = text.trim().parse() {
                return number;
            }
            assert!(Instant::now() < end, "there is no {name}:\n{}", self.screen());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tools::tmux());
        let folder: &Path = self.folder.path();
        command.arg("-u").arg("-S").arg(folder.join("socket"));
        command.arg("-f").arg(folder.join("tmux.conf")).args(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORCHESTRATOR_")) {
            command.env_remove(name);
        }
        for name in ["TMUX", "VISUAL", "EDITOR", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        succeeds(&mut self.tmux(&["capture-pane", "-p"]))
    }

    /// The same with the escapes of colours and styles.
    pub fn styled(&self) -> String {
        succeeds(&mut self.tmux(&["capture-pane", "-p", "-e"]))
    }

    /// Presses keys, one after the other.
    pub fn press(&self, keys: &[&str]) {
        succeeds(self.tmux(&["send-keys"]).args(keys));
    }

    /// Waits until the screen shows all of that, and answers with it.
    pub fn until_shows(&self, texts: &[&str]) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            assert!(Instant::now() < end, "{texts:?} did not come:\n{screen}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn ask(&self, what: &str) -> String {
        succeeds(&mut self.tmux(&["display-message", "-p", what])).trim().to_owned()
    }

    /// The id of the program's process.
    pub fn process(&self) -> i32 {
        self.noted("process")
    }

    /// The id of tmux's own.
    fn server(&self) -> Option<i32> {
        let output = self.tmux(&["display-message", "-p", "#{pid}"]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    }

    /// Whether the program has the other screen of the terminal.
    pub fn is_on_other_screen(&self) -> bool {
        self.ask("#{alternate_on}") == "1"
    }

    /// Waits until the program has ended; its exit code, or 128 and the number of the signal.
    pub fn until_ended(&self) -> i32 {
        self.noted("ended")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(server) = self.server() {
            let server = nix::unistd::Pid::from_raw(server);
            let _ = nix::sys::signal::kill(server, nix::sys::signal::Signal::SIGTERM);
        }
    }
}
