//! Programs that tests run to their end: none of them is waited for without a limit, and none outlives its test.

use std::fs::File;
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

/// Longer than anything takes here on a busy machine. What has not ended by then never does.
pub const LIMIT: Duration = Duration::from_secs(1_500);

/// Runs a program to its end. One that goes on beyond [`LIMIT`] is killed with its children, and fails the test with all
/// that it said.
pub fn ended(command: &mut Command) -> Output {
    ended_within(command, LIMIT)
}

/// What a program printed that ends well; any other end fails the test with all that it said.
pub fn succeeds(command: &mut Command) -> String {
    let output = ended(command);
    let (said, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed:\n{said}\n{log}");
    said.into_owned()
}

/// The same as [`ended`] with a limit of its own.
pub fn ended_within(command: &mut Command, limit: Duration) -> Output {
    // Files: a pipe would be held open by any child that outlives the program.
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let status = wait(command, limit);
    let (stdout, stderr) = (std::fs::read(out).unwrap(), std::fs::read(err).unwrap());
    let Some(status) = status else {
        let (said, log) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        panic!("{command:?} did not end in {limit:?}:\n{said}\n{log}");
    };
    Output { status, stdout, stderr }
}

fn wait(command: &mut Command, limit: Duration) -> Option<ExitStatus> {
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} cannot be run: {e}"));
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    #[cfg(unix)]
    {
        let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Waits for a child whose output is piped.
pub fn finished(child: Child) -> Output {
    let id = child.id();
    let (done, end) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = end.recv_timeout(LIMIT) else {
        #[cfg(unix)]
        {
            let id = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL);
        }
        panic!("process {id} did not end in {LIMIT:?}");
    };
    waiter.join().unwrap().unwrap();
    output.unwrap()
}

#[test]
#[cfg(unix)]
fn a_program_that_does_not_end_fails_its_test_and_leaves_nobody() {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 600 & echo $!; wait"]);
    let limit = Duration::from_millis(300);
    let run = std::panic::AssertUnwindSafe(|| ended_within(&mut command, limit));
    let why = std::panic::catch_unwind(run).unwrap_err();
    let why = why.downcast_ref::<String>().unwrap();
    let child: i32 = why.lines().nth(1).unwrap().parse().unwrap();
    let child = nix::unistd::Pid::from_raw(child);
    let deadline = Instant::now() + Duration::from_secs(60);
    while nix::sys::signal::kill(child, None).is_ok() {
        assert!(Instant::now() < deadline, "the child lives on: {why}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
