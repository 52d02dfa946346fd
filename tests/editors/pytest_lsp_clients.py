"""Missions with pytest-lsp, a client that knows nothing of this server: with the declarations of each editor that it ships, of
those in `CLIENT_PROFILES`, and with none. Everything that the server sends is held against what was declared.

The server is `ORCHESTRATOR_SERVER`; each test has a small project of its own, with a replayed model."""

import asyncio
import json
import os
from importlib import resources
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types
from lsprotocol.converters import get_converter
from pygls.protocol import default_converter
from pytest_lsp.client import register_lsp_features
from pytest_lsp.protocol import LanguageClientProtocol

from pytest_lsp_declared import ACTION, COMPLETION, DIAGNOSTIC, METHODS, PROVIDERS, Declared

LIMIT = 120  # seconds; a busy machine is no defect
GOAL = "Say hello to everybody"
BEFORE = "hello\nworld\n"
AFTER = "hello, everybody\nworld\n"
PLAN = f"""# Mission: {GOAL}

## M1: The words

### T1.1: Greet | agent:Worker
- [ ] S1.1.1: Everybody is greeted | size:S | file:first.st
- [ ] S1.1.2: Nobody is bad | size:XS | file:first.st
"""
#: A compiler for files of words: it does not like a bad one.
CHECK = r"""#!/bin/sh
grep -n bad *.st | sed 's/^\([^:]*:[0-9]*\):.*/\1:1: error: a bad word/'
! grep -q bad *.st
"""
TOOL = """
[[gate.languages.tools]]
name = "{name}"
command = ["sh", "{script}"]
output = "gnu"
purpose = "{name}"
covers = "everything"
version = []
"""


def edit(new):
    return {"op": "edit", "path": "first.st", "edits": [{"old": "hello\n", "new": new}]}


def turn(role, name, /, **arguments):
    return {"role": role, "calls": [{"name": name, "arguments": arguments}]}


REPLAY = [
    turn("commander", "triage", decision="plan", brief="One file holds the words."),
    turn("planner", "plan", todo=PLAN),
    turn("worker", "read", path="first.st"),
    turn("worker", "propose", changes=[edit("hello, bad\n")]),
    # The finding is there while the client makes up its mind.
    {**turn("worker", "ask", question="Who is greeted?", choices=["all", "some"]), "delay_ms": 400},
    {**turn("worker", "propose", changes=[edit("hello, everybody\n")]), "delay_ms": 400},
    turn("worker", "done", summary="everybody is greeted"),
    turn("reviewer", "verdict", **{"pass": True, "evidence": ["read first.st"]}),
    turn("reviewer", "verdict", **{"pass": True, "evidence": ["read first.st"]}),
]


def profiles():
    """Each editor's declarations by its name."""
    found = {"none": {}}
    shipped = [file for file in resources.files("pytest_lsp.clients").iterdir() if file.name.endswith(".json")]
    assert shipped, "pytest-lsp ships no clients"
    recorded = sorted(Path(os.environ["CLIENT_PROFILES"]).glob("*.json"))
    assert recorded, "no clients are recorded"
    for file in [*shipped, *recorded]:
        said = json.loads(file.read_text())
        found[file.name.removesuffix(".json")] = said.get("params", said)["capabilities"]
    return found


PROFILES = profiles()


class Protocol(LanguageClientProtocol):
    """Keeps everything that the server says, as it was said, and the method of each request."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard, self.asked, self.count = [], {}, 0

    def structure_message(self, data):
        if "jsonrpc" in data:
            self.heard.append(data)
        return super().structure_message(data)

    async def send_request_async(self, method, params=None, msg_id=None):
        self.count += 1
        msg_id = msg_id or f"{method} {self.count}"
        self.asked[msg_id] = method
        return await super().send_request_async(method, params, msg_id)

    async def answer(self, method, params):
        """The answer to a request, as it was said."""
        await self.send_request_async(method, params)
        last = list(self.asked)[-1]
        return next(m["result"] for m in reversed(self.heard) if m.get("id") == last and "method" not in m)


class Journey:
    """One client in its project."""

    def __init__(self, client, root):
        self.client, self.root = client, root
        self.open, self.asked_edits = {}, 0
        client.feature(types.WORKSPACE_APPLY_EDIT)(lambda params: self.apply_edit(params))
        client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)(lambda params: params.actions[0])
        for method in [
            types.CLIENT_REGISTER_CAPABILITY,
            types.WORKSPACE_CODE_LENS_REFRESH,
            types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH,
            "orchestrator/mission",
        ]:
            client.feature(method)(lambda params: None)

    def uri(self, path):
        return (self.root / path).as_uri()

    def opens(self, path, language="plaintext"):
        text = (self.root / path).read_text()
        self.open[self.uri(path)] = [1, text]
        item = types.TextDocumentItem(uri=self.uri(path), language_id=language, version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def changes(self, uri, text):
        document = self.open[uri]
        document[:] = [document[0] + 1, text]
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=uri, version=document[0]),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    def apply_edit(self, params):
        self.asked_edits += 1
        if params.edit.document_changes is not None:
            edits = {change.text_document.uri: change.edits for change in params.edit.document_changes}
        else:
            edits = params.edit.changes
        for uri, changes in edits.items():
            text = self.open[uri][1]
            # Every text here is ASCII: a column is a character in any encoding.
            starts = [0]
            for line in text.splitlines(keepends=True):
                starts.append(starts[-1] + len(line))
            place = lambda position: min(starts[position.line] + position.character, len(text))
            for each in sorted(changes, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
                text = text[: place(each.range.start)] + each.new_text + text[place(each.range.end) :]
            self.changes(uri, text)
        return types.ApplyWorkspaceEditResult(applied=True)

    async def command(self, name, *arguments):
        params = types.ExecuteCommandParams(command=name, arguments=list(arguments))
        return await self.client.protocol.answer("workspace/executeCommand", params)

    async def until(self, what, holds):
        async with asyncio.timeout(LIMIT):
            while not (found := await holds()):
                await asyncio.sleep(0.05)
        return found


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "stage.txt").write_text("")
    (root / "first.st").write_text(BEFORE)
    (root / "notes.st").write_text(f"words\n/task {GOAL}\n")
    (tmp_path / "check.sh").write_text(CHECK)
    tools = "".join(TOOL.format(name=name, script=tmp_path / "check.sh") for name in ["check", "test"])
    language = '[[gate.languages]]\nname = "words"\nextensions = ["st"]\nroots = ["stage.txt"]\n'
    (tmp_path / "config.toml").write_text(language + tools)
    (tmp_path / "replay.json").write_text(json.dumps(REPLAY))
    return root


@pytest.mark.asyncio
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_mission_with_nothing_that_was_not_declared(profile, project, recwarn):
    declarations = PROFILES[profile]
    environment = {
        **os.environ,
        "ORCHESTRATOR_CACHE_DIR": str(project.parent / "cache"),
        "ORCHESTRATOR_CONFIG": str(project.parent / "config.toml"),
        "ORCHESTRATOR_MODEL": f"replay:{project.parent / 'replay.json'}",
    }
    client = pytest_lsp.LanguageClient(protocol_cls=Protocol, converter_factory=default_converter)
    register_lsp_features(client)
    journey = Journey(client, project)
    await client.start_io(os.environ["ORCHESTRATOR_SERVER"], "lsp", env=environment, cwd=project)
    try:
        await mission(journey, declarations)
        await client.shutdown_session()
        assert client._server.returncode == 0
    finally:
        if client._server.returncode is None:
            client._server.kill()
        await client.stop()
    checked = Declared(declarations)
    for message in client.protocol.heard:
        checked.message(message, client.protocol.asked.get(message.get("id")))
    assert checked.undeclared == []
    assert client.error is None
    assert [str(w.message) for w in recwarn if issubclass(w.category, pytest_lsp.LspSpecificationWarning)] == []


async def mission(journey, declarations):
    client, ask = journey.client, journey.client.protocol.answer
    capabilities = get_converter().structure(declarations, types.ClientCapabilities)
    params = types.InitializeParams(
        capabilities=capabilities,
        root_uri=journey.root.as_uri(),
        workspace_folders=[types.WorkspaceFolder(uri=journey.root.as_uri(), name="project")],
    )
    server = (await client.initialize_session(params)).capabilities
    applies = Declared(declarations).has("workspace.applyEdit")
    journey.opens("notes.st")
    if applies:
        journey.opens("first.st")

    # The action at the line, executed as the client would.
    place = types.Range(types.Position(1, 0), types.Position(1, 0))
    document = types.TextDocumentIdentifier(journey.uri("notes.st"))
    context = types.CodeActionContext(diagnostics=[])
    actions = await ask("textDocument/codeAction", types.CodeActionParams(document, place, context))
    (action,) = [action for action in actions if "/task" in action["title"]]
    chosen = action if isinstance(action["command"], str) else action["command"]
    started = await journey.command(chosen["command"], *chosen["arguments"])

    async def ended():
        if server.diagnostic_provider and applies:
            params = types.DocumentDiagnosticParams(types.TextDocumentIdentifier(journey.uri("first.st")))
            pulled.extend((await ask("textDocument/diagnostic", params))["items"])
        view = (await journey.command("orchestrator.status"))["missions"][0]
        return view["end"] and view

    pulled = []
    view = await journey.until("the mission's end", ended)
    assert view["id"] == started["mission"]
    assert view["end"]["end"] == "sealed", view["story"]

    # The open file changed in the client, a closed one on the disk; the refusal in between was shown.
    on_disk = (journey.root / "first.st").read_text()
    if applies:
        assert journey.open[journey.uri("first.st")][1] == AFTER
        assert on_disk == BEFORE, "an open file is the editor's to save"
        assert journey.asked_edits == 1
    else:
        assert on_disk == AFTER
    heard = client.protocol.heard
    pushed = [d for m in heard if m.get("method") == "textDocument/publishDiagnostics" for d in m["params"]["diagnostics"]]
    assert [d for d in [*pushed, *pulled] if d["source"] == "orchestrator"], "the refusal was not shown"
    titles = [m["params"]["message"] for m in heard if m.get("method") == "window/showMessageRequest"]
    assert any("Who is greeted?" in title for title in titles), titles
    if Declared(declarations).has("window.workDoneProgress"):
        kinds = [m["params"]["value"]["kind"] for m in heard if m.get("method") == "$/progress"]
        assert kinds[0] == "begin" and kinds[-1] == "end" and kinds.count("begin") == 1, kinds
    await the_plan(journey, server, ask)


async def the_plan(journey, server, ask):
    """What the plan offers, as far as it was announced."""
    plan = ".opencode/todo.md"
    journey.opens(plan, "markdown")
    uri = journey.uri(plan)
    document, lines = types.TextDocumentIdentifier(uri), journey.open[uri][1].splitlines()
    step = next(number for number, line in enumerate(lines) if "S1.1.1" in line)
    if server.hover_provider:
        hover = await ask("textDocument/hover", types.HoverParams(document, types.Position(step, 8)))
        assert "S1.1.1" in json.dumps(hover)
    if server.document_symbol_provider:
        assert "S1.1.1" in json.dumps(await ask("textDocument/documentSymbol", types.DocumentSymbolParams(document)))
    if server.folding_range_provider:
        assert await ask("textDocument/foldingRange", types.FoldingRangeParams(document))
    if server.code_lens_provider:
        assert await ask("textDocument/codeLens", types.CodeLensParams(document))
    if server.completion_provider:
        lines[step] += " |"
        journey.changes(uri, "\n".join(lines) + "\n")
        place = types.Position(step, len(lines[step]))
        assert await ask("textDocument/completion", types.CompletionParams(document, place))
    if server.code_action_provider:
        place = types.Range(types.Position(step, 0), types.Position(step, 0))
        await ask("textDocument/codeAction", types.CodeActionParams(document, place, types.CodeActionContext([])))


def test_the_table_sees_what_was_not_declared():
    """Each entry, against a client that declares nothing."""

    def undeclared(message, asked=None):
        checked = Declared({})
        checked.message(message, asked)
        return checked.undeclared

    def result(asked, value):
        return undeclared({"id": 1, "result": value}, asked)

    params = {"diagnostics": [], "type": 3, "edit": {}, "registrations": []}
    for method, declaration in METHODS.items():
        assert bool(undeclared({"method": method, "params": params})) == (declaration != ""), method
    assert undeclared({"method": "window/unheard"})
    for method in ["workspace/didChangeWatchedFiles", "textDocument/hover", "textDocument/didOpen"]:
        registrations = {"registrations": [{"id": "1", "method": method}]}
        assert undeclared({"method": "client/registerCapability", "params": registrations}), method
    for provider in PROVIDERS:
        *above, name = provider.split(".")
        announced = {above[0]: {name: {}}} if above else {name: True}
        assert result("initialize", {"capabilities": announced}), provider
    assert result("initialize", {"capabilities": {"positionEncoding": "utf-8"}})
    assert result("initialize", {"capabilities": {"codeActionProvider": {"codeActionKinds": []}}})
    assert not result("initialize", {"capabilities": {"codeActionProvider": True, "positionEncoding": "utf-16"}})
    for field in DIAGNOSTIC:
        pushed = {"method": "textDocument/publishDiagnostics", "params": {"diagnostics": [{field: 1}]}}
        assert undeclared(pushed) and result("textDocument/diagnostic", {"items": [{field: 1}]}), field
    assert undeclared({"method": "textDocument/publishDiagnostics", "params": {"diagnostics": [], "version": 1}})
    for field in ACTION:
        assert len(result("textDocument/codeAction", [{"title": "", field: {}}])) == 2, field
    assert not result("textDocument/codeAction", [{"title": "", "command": "c", "arguments": []}])
    assert len(undeclared({"method": "workspace/applyEdit", "params": {"edit": {"documentChanges": []}}})) == 2
    assert result("textDocument/hover", {"contents": {"kind": "markdown", "value": ""}})
    assert result("textDocument/documentSymbol", [{"selectionRange": {}}])
    assert result("textDocument/foldingRange", [{"collapsedText": "…"}])
    for field in COMPLETION:
        assert result("textDocument/completion", {"items": [{field: 1}]}), field
    assert result("textDocument/completion", [{"insertTextFormat": 2}])
    button = {"title": "a", "more": 1}
    assert undeclared({"method": "window/showMessageRequest", "params": {"type": 3, "actions": [button]}})
