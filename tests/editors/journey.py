"""What the journeys through real editors share: the configuration as docs/editors.md shows it, an editor in a terminal of its
own, and the mission as the command line tells it.

`EDITORS_PAGE` names the page, `ORCHESTRATOR_SERVER` the program. Each wait ends by its condition, or fails at `LIMIT`."""

import codecs
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import pyte

LIMIT = float(os.environ.get("EDITORS_LIMIT", 120))  # seconds; a busy machine is no defect
GOAL = "Add --ignore-case, and sort words of equal count by name"
SERVER = os.environ["ORCHESTRATOR_SERVER"]
PROJECT = Path.cwd()
MAIN = PROJECT / "src" / "main.rs"


def block(heading, language, holding=""):
    """The fenced block of that language under that heading, the first one that holds a text."""
    page = Path(os.environ["EDITORS_PAGE"]).read_text()
    section = re.split(r"(?m)^## ", page.split(f"\n## {heading}\n", 1)[1], maxsplit=1)[0]
    blocks = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", section)
    return next(text for text in blocks if holding in text)


def wait(what, condition, seen=lambda: ""):
    end = time.monotonic() + LIMIT
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come\n{seen()}")
        time.sleep(0.05)
    return value


def cli(*arguments):
    ran = subprocess.run([SERVER, *arguments], capture_output=True, text=True, timeout=LIMIT)
    assert ran.returncode == 0, f"{arguments}: {ran.stderr}"
    return ran.stdout


def mission():
    """The newest mission, once there is one."""
    if not (PROJECT / ".opencode" / "journal.db").exists():
        return None
    views = json.loads(cli("status", "--json") or "[]")
    return views[0] if views else None


def sealed():
    """Waits for the mission's end, which must be its seal."""
    view = wait("the mission's end", lambda: (v := mission()) and v["end"] and v, lambda: mission())
    assert view["end"]["end"] == "sealed", view["end"]
    cli("verify")
    return view


def folder_with(**files):
    """A temporary folder for an editor's configuration."""
    folder = Path(tempfile.mkdtemp(dir=PROJECT.parent))
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class Terminal:
    """A program in a terminal of its own. Its end is its context's, also after a failure."""

    SIZE = (60, 120)

    def __init__(self, command, environment):
        self.screen = pyte.Screen(self.SIZE[1], self.SIZE[0])
        self.stream = pyte.Stream(self.screen)
        self.lock = threading.Lock()
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.environ.update(environment, TERM="xterm-256color", COLORTERM="truecolor")
            os.execvp(command[0], command)
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", *self.SIZE, 0, 0))
        self.status = None
        threading.Thread(target=self.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, why, trace):
        if self.status is None and kind is None:
            self.ended()
        if self.status is None:
            print(self.shown(), file=sys.stderr)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def read(self):
        text = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                read = os.read(self.end, 65536)
            except OSError:
                return
            if not read:
                return
            # What a terminal would answer, and what this one cannot read: private modes, styled underlines.
            if re.search(rb"\x1b\[0?c", read):
                os.write(self.end, b"\x1b[?62;c")
            read = re.sub(rb"\x1b\[[<>=?][0-9;:$]*[A-Zac-gi-km-z]|\x1b\[[0-9;]*:[0-9;:]*m", b"", read)
            read = re.sub(rb"\x1b[P_\]].*?(\x07|\x1b\\)", b"", read, flags=re.S)
            with self.lock:
                self.stream.feed(text.decode(read))

    def send(self, keys):
        os.write(self.end, keys.encode())

    def shown(self):
        with self.lock:
            return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, what, holds):
        """Waits for a text on the screen, or for a condition on it."""
        there = holds if callable(holds) else lambda shown: holds in shown
        wait(what, lambda: there(self.shown()), self.shown)

    def again(self, keys, text, back="\x1b"):
        """Sends keys until the screen shows the text; `back` undoes what they led to before they are sent again."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            self.send(keys)
            once = time.monotonic() + 3
            while time.monotonic() < once:
                if text in self.shown():
                    return
                time.sleep(0.05)
            self.send(back)
            time.sleep(0.2)  # else a terminal reads one key with Alt
        raise AssertionError(f"{text} did not come\n{self.shown()}")

    def ended(self):
        """Waits for the program's end; its code."""

        def over():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            return pid

        wait("the editor's end", over, self.shown)
        return self.status
