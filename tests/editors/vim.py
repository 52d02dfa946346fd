"""A mission from a code action in a real Vim with ALE, with the vimrc that docs/editors.md shows: it reaches its seal, and the
files that it changed are there when they are opened."""

import os
from pathlib import Path

from journey import GOAL, MAIN, PROJECT, Terminal, block, cli, folder_with, mission, sealed, wait

packages = Path(os.environ["EDITORS_TOOLS"])
# What a plugin manager does, and nothing of the person who runs the test.
settings = folder_with(vimrc=f"set nocompatible packpath={packages},$VIMRUNTIME\nfiletype plugin on\n" + block("Vim, ALE", "vim"))
with Terminal(["vim", "-u", str(settings / "vimrc"), "-i", "NONE", "-n", "src/lib.rs"], {}) as editor:
    editor.wait("the file", "lib.rs")
    editor.send(f":$put ='// /task {GOAL}'\r")
    editor.wait("the line", f"\n// /task {GOAL}")
    editor.again(":ALECodeAction\r", "1) Run /task", back="\r")
    editor.send("1\r")
    wait("the mission", mission, editor.shown)

    def told(shown):
        # ALE asks once for each of the line's servers; the other one's question is left unanswered.
        if "empty cancels" in shown and "1) Run /task" not in shown:
            editor.send("\r")
        return "Mission sealed" in shown

    editor.wait("the message", told)
    sealed()
    editor.send("\r:split src/main.rs\r")
    editor.wait("what was accepted", "options.case")
    assert "options.case" in MAIN.read_text()
    editor.send(":qall!\r")
print("passed")
