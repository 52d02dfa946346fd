"""A mission from a code action in a real Helix, with the languages.toml that docs/editors.md shows: it reaches its seal, the
open buffer gets what was accepted, and each acceptance is undone by one `u`."""

from journey import GOAL, MAIN, PROJECT, Terminal, block, folder_with, mission, sealed, wait


def written(editor, holds):
    """What the buffer holds, once `:w` has put it on the disk."""
    editor.send(":w!\r")
    wait("the written buffer", lambda: holds(MAIN.read_text()), editor.shown)
    return MAIN.read_text()


settings = folder_with(helix__languages_dot_toml=block("Helix", "toml"))
original = MAIN.read_text()
line = f"// /task {GOAL}\n"
with Terminal(["hx", "src/main.rs"], {"XDG_CONFIG_HOME": str(settings), "XDG_CACHE_HOME": str(settings)}) as editor:
    editor.wait("the file", "prints the most frequent words")
    editor.send("geo")
    editor.wait("insert mode", "INS")
    editor.send(line.strip() + "\x1b")
    editor.wait("normal mode", "NOR")
    editor.again(" a", "Run /task")
    # The menu stands below the line; a second language server may have offered something before.
    shown = editor.shown().splitlines()
    place = lambda text: next(row for row, seen in enumerate(shown) if text in seen)
    editor.send("\x1b[B" * (place("Run /task") - place(line.strip()) - 1) + "\r")
    wait("the mission", mission, editor.shown)
    sealed()
    assert MAIN.read_text() == original, "an open file is the editor's to save"
    assert "--ignore-case" in (PROJECT / "README.md").read_text(), "a closed file changes on the disk"
    texts = [written(editor, lambda text: "options.case" in text)]
    while texts[-1] != original + line:
        editor.send("u")
        texts.append(written(editor, lambda text: text != texts[-1]))
    assert len(texts) == 3, f"two change-sets touch the buffer, {len(texts) - 1} came"
    editor.send(":q\r")
print("passed")
