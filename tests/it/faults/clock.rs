//! A wall clock that jumps while a mission waits. The jump is real for the binary: a library that is loaded before the
//! system's own answers for the clock.

use std::process::Command;

use super::*;

/// The wall clock is ahead by `TEST_CLOCK_JUMP` seconds as soon as the file `TEST_CLOCK_JUMP_WHEN` is there.
const JUMP: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *when = getenv("TEST_CLOCK_JUMP_WHEN");
    if (clock == CLOCK_REALTIME && when && access(when, F_OK) == 0) now->tv_sec += atol(getenv("TEST_CLOCK_JUMP"));
    return result;
}
"#;

fn jumping_clock(folder: &std::path::Path) -> std::path::PathBuf {
    let (source, library) = (folder.join("jump.c"), folder.join("jump.so"));
    std::fs::write(&source, JUMP).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "cc builds the clock");
    library
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_changes_no_wait_and_ends_no_mission() {
    let folder = tempfile::tempdir().unwrap();
    let library = jumping_clock(folder.path());
    for days in [-3i64, 3] {
        let format = Format::OpenAi;
        // The date is the server's own: by the clock that jumps it would be days away, or long past.
        let date =
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
        let when = folder.path().join(format!("now{days}"));
        let jump = when.clone();
        let plan: Plan = Arc::new(move |at, _| match at {
            0 => {
                std::fs::write(&jump, "").unwrap();
                status(503, date, "")
            }
            _ => good(format),
        });
        let server = RawServer::start(plan).await;
        let project = project(&format!("[model]\n{}", model(format, &server.url)))
            .with("LD_PRELOAD", &library)
            .with("TEST_CLOCK_JUMP", (days * 86_400).to_string())
            .with("TEST_CLOCK_JUMP_WHEN", &when);
        let (view, _) = task(project).await;
        let ended = Ended { view, requests: server.requests.lock().unwrap().clone() };
        assert!(ended.is_heard(), "{days}: {ended:#?}");
        assert!(ended.says("asking again in 1.0 s"), "{days}: {ended:#?}");
        let stamps = [&ended.view["started_at"], &ended.view["now"]].map(|at| at.as_u64().unwrap());
        assert!(stamps[1] - stamps[0] < 3_600_000, "{days}: the mission's time does not jump");
    }
}
