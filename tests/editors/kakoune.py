"""A mission in a real Kakoune with the kakrc that docs/editors.md shows for one without kak-lsp: `:task` starts it, it reaches
its seal, which is told, and the open buffer shows what was accepted. Of the kakrc for kak-lsp, which no package client has, only
what it sets is looked at."""

import tomllib

from journey import GOAL, MAIN, Terminal, block, folder_with, mission, sealed, wait

# The option is kak-lsp's to declare.
settings = folder_with(
    kakrc="declare-option str lsp_servers\n" + block("Kakoune", "kak", "lsp_servers") + block("Kakoune", "kak", "define-command")
)
servers = settings / "servers.toml"
with Terminal(["kak", "src/main.rs"], {"KAKOUNE_CONFIG_DIR": str(settings)}) as editor:
    editor.wait("the file", "prints the most frequent words")
    editor.send(f":echo -to-file {servers} %opt{{lsp_servers}}\r")
    wait("the servers", lambda: servers.exists() and servers.read_text(), editor.shown)
    named = tomllib.loads(servers.read_text())
    assert named["orchestrator"]["args"] == ["lsp"], named

    editor.send(f":task {GOAL}\r")
    wait("the mission", mission, editor.shown)
    sealed()
    editor.wait("the message", "mission sealed")
    editor.wait("what was accepted", "options.case")
    assert "options.case" in MAIN.read_text()
    editor.send(":quit\r")
print("passed")
