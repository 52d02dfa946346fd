"""Whether a server sent anything that its client had not declared: a table of the Language Server Protocol 3.17, and of
what 3.18 adds to it, written without a look at this server. What has no entry may not be sent at all."""


def at(value, path):
    """The value at a path of names, or None."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


#: What a server may send, and the declarations that it needs, all of them. "" is what every client understands.
METHODS = {
    "$/cancelRequest": "",
    "$/progress": "window.workDoneProgress",
    "client/registerCapability": "",  # what it registers is looked at
    "client/unregisterCapability": "",
    "orchestrator/mission": "experimental.orchestrator.mission",
    "textDocument/publishDiagnostics": "",
    "window/logMessage": "",
    "window/showDocument": "window.showDocument.support",
    "window/showMessage": "",
    "window/showMessageRequest": "",
    "window/workDoneProgress/create": "window.workDoneProgress",
    "workspace/applyEdit": "workspace.applyEdit",
    "workspace/codeLens/refresh": "workspace.codeLens.refreshSupport",
    "workspace/configuration": "workspace.configuration",
    "workspace/diagnostic/refresh": "textDocument.diagnostic workspace.diagnostics.refreshSupport",
    "workspace/foldingRange/refresh": "workspace.foldingRange.refreshSupport",
    "workspace/inlayHint/refresh": "workspace.inlayHint.refreshSupport",
    "workspace/textDocumentContent/refresh": "workspace.textDocumentContent",
    "workspace/semanticTokens/refresh": "workspace.semanticTokens.refreshSupport",
    "workspace/workspaceFolders": "workspace.workspaceFolders",
}

#: What a server may announce only to a client that has the other half. The protocol asks it of few; this server of these, too.
PROVIDERS = {
    "completionProvider": "textDocument.completion",
    "diagnosticProvider": "textDocument.diagnostic",
    "foldingRangeProvider": "textDocument.foldingRange",
    "hoverProvider": "textDocument.hover",
    "semanticTokensProvider": "textDocument.semanticTokens",
    "workspace.textDocumentContent": "workspace.textDocumentContent",
}

#: Fields of a diagnostic, below `textDocument.publishDiagnostics`.
DIAGNOSTIC = {
    "codeDescription": "codeDescriptionSupport",
    "data": "dataSupport",
    "relatedInformation": "relatedInformation",
    "tags": "tagSupport",
}

#: Fields of a code action, below `textDocument.codeAction`.
ACTION = {"data": "dataSupport", "disabled": "disabledSupport", "isPreferred": "isPreferredSupport"}

#: Fields of a completion, below `textDocument.completion.completionItem`.
COMPLETION = {
    "commitCharacters": "commitCharactersSupport",
    "deprecated": "deprecatedSupport",
    "insertTextMode": "insertTextModeSupport",
    "labelDetails": "labelDetailsSupport",
    "preselect": "preselectSupport",
    "tags": "tagSupport",
}


class Declared:
    """A client's declarations, and what was sent against them."""

    def __init__(self, capabilities):
        self.capabilities = capabilities
        self.undeclared = []

    def has(self, path):
        return all(at(self.capabilities, each) not in (None, False) for each in path.split())

    def need(self, path, what):
        if path is None or not self.has(path):
            self.undeclared.append(f"{what} without {path}")

    def fields(self, value, table, below, what):
        for field, declaration in table.items():
            if value.get(field) is not None:
                self.need(f"{below}.{declaration}", f"{what}.{field}")

    def message(self, message, asked=None):
        """Looks at a message; `asked` is the method of the request that it answers."""
        if "method" in message:
            method, params = message["method"], message.get("params") or {}
            if (declaration := METHODS.get(method)) != "":
                self.need(declaration, method)
            name, value = method, params
        elif "result" in message and message["result"] is not None:
            name, value = f"result of {asked}", message["result"]
        else:
            return
        look = getattr(self, name.replace("result of ", "result_").replace("/", "_").replace("$", ""), None)
        if look:
            look(value)

    def client_registerCapability(self, params):
        for registration in params["registrations"]:
            method = registration["method"]
            about = "synchronization" if method.startswith("textDocument/did") or "/will" in method else None
            path = f"textDocument.{about}" if about else method.replace("/", ".")
            self.need(f"{path}.dynamicRegistration", f"registration of {method}")

    def textDocument_publishDiagnostics(self, params):
        if params.get("version") is not None:
            self.need("textDocument.publishDiagnostics.versionSupport", "the version of diagnostics")
        self.diagnostics(params["diagnostics"])

    def diagnostics(self, diagnostics):
        for diagnostic in diagnostics:
            self.fields(diagnostic, DIAGNOSTIC, "textDocument.publishDiagnostics", "diagnostic")

    def window_showMessage(self, params):
        if params["type"] > 4:
            self.undeclared.append("a type of message that 3.17 has not")

    def window_showMessageRequest(self, params):
        self.window_showMessage(params)
        for action in params.get("actions") or []:
            if set(action) != {"title"}:
                self.need("window.showMessage.messageActionItem.additionalPropertiesSupport", "a field of an action")

    def workspace_applyEdit(self, params):
        edit = params["edit"]
        if edit.get("documentChanges") is not None:
            self.need("workspace.workspaceEdit.documentChanges", "documentChanges")
        if edit.get("changeAnnotations") is not None:
            self.need("workspace.workspaceEdit.changeAnnotationSupport", "changeAnnotations")
        for change in edit.get("documentChanges") or []:
            if "kind" in change and change["kind"] not in (
                at(self.capabilities, "workspace.workspaceEdit.resourceOperations") or []
            ):
                self.undeclared.append(f"resource operation {change['kind']}")
            for each in change.get("edits") or []:
                if each.get("annotationId") is not None:
                    self.need("workspace.workspaceEdit.changeAnnotationSupport", "annotationId")
                if each.get("snippet") is not None:
                    self.need("workspace.workspaceEdit.snippetEditSupport", "snippet")

    def result_initialize(self, result):
        server = result["capabilities"]
        for provider, declaration in PROVIDERS.items():
            if at(server, provider) not in (None, False):
                self.need(declaration, provider)
        if isinstance(server.get("codeActionProvider"), dict):
            self.need("textDocument.codeAction.codeActionLiteralSupport", "options of codeActionProvider")
        encoding = server.get("positionEncoding") or "utf-16"
        if encoding not in (at(self.capabilities, "general.positionEncodings") or ["utf-16"]):
            self.undeclared.append(f"position encoding {encoding}")

    def result_textDocument_codeAction(self, result):
        for action in result:
            if not isinstance(action.get("command"), str):
                self.need("textDocument.codeAction.codeActionLiteralSupport", "a code action that is no command")
                self.fields(action, ACTION, "textDocument.codeAction", "action")
                if action.get("edit"):
                    self.workspace_applyEdit(action)
            self.diagnostics(action.get("diagnostics") or [])

    def result_textDocument_diagnostic(self, result):
        self.diagnostics(result.get("items") or [])
        if result.get("relatedDocuments") is not None:
            self.need("textDocument.diagnostic.relatedDocumentSupport", "relatedDocuments")

    def markup(self, content, path, what):
        if isinstance(content, dict) and "kind" in content:
            if content["kind"] not in (at(self.capabilities, path) or []):
                self.undeclared.append(f"{content['kind']} in {what}")

    def result_textDocument_hover(self, result):
        self.markup(result["contents"], "textDocument.hover.contentFormat", "a hover")

    def result_textDocument_documentSymbol(self, result):
        for symbol in result:
            if "selectionRange" in symbol:
                self.need("textDocument.documentSymbol.hierarchicalDocumentSymbolSupport", "a tree of symbols")
            if symbol.get("tags"):
                self.need("textDocument.documentSymbol.tagSupport", "tags of a symbol")
            self.result_textDocument_documentSymbol(symbol.get("children") or [])

    def result_textDocument_foldingRange(self, result):
        for fold in result:
            if fold.get("collapsedText") is not None:
                self.need("textDocument.foldingRange.foldingRange.collapsedText", "the text of a fold")

    def result_textDocument_completion(self, result):
        if isinstance(result, dict):
            for default in result.get("itemDefaults") or {}:
                if default not in (at(self.capabilities, "textDocument.completion.completionList.itemDefaults") or []):
                    self.undeclared.append(f"a default of completions: {default}")
            result = result["items"]
        item = "textDocument.completion.completionItem"
        for completion in result:
            self.fields(completion, COMPLETION, item, "completion")
            self.markup(completion.get("documentation"), f"{item}.documentationFormat", "a completion")
            if completion.get("insertTextFormat") == 2:
                self.need(f"{item}.snippetSupport", "a snippet")
            if "insert" in (completion.get("textEdit") or {}):
                self.need(f"{item}.insertReplaceSupport", "an edit that inserts or replaces")
