//! What the client said of itself in `initialize`: the only thing that decides what is sent to it.
//!
//! It is read from the raw JSON with lenient look-ups: what is missing or odd counts as not declared.

use std::path::PathBuf;

use serde_json::Value;
use tower_lsp::lsp_types::Uri;

use super::root::file_path;
use super::text::Encoding;

/// A client's declarations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Its name, for the log.
    pub name: String,
    /// Its process, which is watched.
    pub process_id: Option<u32>,
    /// The workspace folders.
    pub roots: Vec<PathBuf>,
    /// It says when folders are opened and closed.
    pub folders: bool,
    /// It says when files were renamed.
    pub renames: bool,
    /// What columns count.
    pub encoding: Encoding,
    /// It shows progress that the server starts.
    pub progress: bool,
    /// It applies edits of the server's.
    pub apply_edit: bool,
    /// Its edits may name the version that they were made for.
    pub versioned_edits: bool,
    /// It asks for diagnostics, and asks again when told to.
    pub pull_diagnostics: bool,
    /// It takes code actions that are more than a command.
    pub action_literals: bool,
    /// It wants to know which version of a text diagnostics are for.
    pub diagnostic_versions: bool,
    /// It keeps the `data` of a diagnostic.
    pub diagnostic_data: bool,
    /// It shows where more is said of a diagnostic's code.
    pub code_descriptions: bool,
    /// It shows other places with a diagnostic.
    pub related: bool,
    /// It shows the label of what edits do.
    pub annotations: bool,
    /// It asks for lenses again when told to.
    pub refreshes_lenses: bool,
    /// It shows symbols as a tree.
    pub symbol_tree: bool,
    /// It shows what is said of a place.
    pub hovers: bool,
    /// It reads Markdown there.
    pub markdown: bool,
    /// It folds what it is told to.
    pub folds: bool,
    /// It offers what can be written at a place.
    pub completes: bool,
    /// It shows messages with buttons.
    pub message_buttons: bool,
    /// It opens a document when asked to.
    pub show_document: bool,
    /// It asks for the texts of documents that are ours, once it is told which those are.
    pub contents: bool,
    /// It asked for `orchestrator/mission`.
    pub mission_views: bool,
    /// What the person has set in it, in the fields of the configuration file.
    pub settings: Option<Value>,
    /// It said that the person has not said yet that the workspace is to be trusted.
    pub untrusted: bool,
}

impl Client {
    /// Reads the parameters of `initialize`.
    pub fn read(params: &Value) -> Client {
        let capabilities = &params["capabilities"];
        let at = |path: &str| capabilities.pointer(path);
        let is = |path: &str| at(path).and_then(Value::as_bool).unwrap_or(false);
        // LSP 3.18 has them in both places.
        let diagnostics = |what: &str| {
            is(&format!("/textDocument/publishDiagnostics/{what}"))
                || is(&format!("/textDocument/diagnostic/{what}"))
        };
        let refreshes_diagnostics = is("/workspace/diagnostics/refreshSupport")
            || is("/workspace/diagnostic/refreshSupport");
        Client {
            name: params
                .pointer("/clientInfo/name")
                .and_then(Value::as_str)
                .unwrap_or("unknown")
                .to_owned(),
            process_id: params["processId"].as_u64().and_then(|pid| u32::try_from(pid).ok()),
            roots: roots(params),
            folders: is("/workspace/workspaceFolders"),
            renames: is("/workspace/fileOperations/didRename"),
            encoding: encoding(at("/general/positionEncodings")),
            progress: is("/window/workDoneProgress"),
            apply_edit: is("/workspace/applyEdit"),
            versioned_edits: is("/workspace/workspaceEdit/documentChanges"),
            pull_diagnostics: at("/textDocument/diagnostic").is_some() && refreshes_diagnostics,
            action_literals: at("/textDocument/codeAction/codeActionLiteralSupport").is_some(),
            diagnostic_versions: is("/textDocument/publishDiagnostics/versionSupport"),
            diagnostic_data: diagnostics("dataSupport"),
            code_descriptions: diagnostics("codeDescriptionSupport"),
            related: diagnostics("relatedInformation"),
            annotations: at("/workspace/workspaceEdit/changeAnnotationSupport")
                .is_some_and(Value::is_object)
                && is("/workspace/workspaceEdit/documentChanges"),
            refreshes_lenses: is("/workspace/codeLens/refreshSupport"),
            symbol_tree: is("/textDocument/documentSymbol/hierarchicalDocumentSymbolSupport"),
            hovers: at("/textDocument/hover").is_some(),
            markdown: at("/textDocument/hover/contentFormat")
                .and_then(Value::as_array)
                .is_some_and(|formats| formats.iter().any(|format| format == "markdown")),
            folds: at("/textDocument/foldingRange").is_some(),
            completes: at("/textDocument/completion").is_some(),
            message_buttons: at("/window/showMessage").is_some(),
            show_document: is("/window/showDocument/support"),
            contents: is("/workspace/textDocumentContent/dynamicRegistration"),
            mission_views: is("/experimental/orchestrator/mission")
                || params.pointer("/initializationOptions/mission") == Some(&Value::Bool(true)),
            settings: params
                .pointer("/initializationOptions/settings")
                .filter(|settings| !settings.is_null())
                .cloned(),
            untrusted: params.pointer("/initializationOptions/trusted")
                == Some(&Value::Bool(false)),
        }
    }
}

/// The folders in their order, each once.
fn roots(params: &Value) -> Vec<PathBuf> {
    let uri = |value: &Value| value.as_str()?.parse::<Uri>().ok().as_ref().and_then(file_path);
    let folders = params["workspaceFolders"].as_array().into_iter().flatten();
    let mut roots: Vec<PathBuf> = Vec::new();
    for root in folders.filter_map(|folder| uri(&folder["uri"])) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    if roots.is_empty() {
        let old = || params["rootPath"].as_str().map(PathBuf::from);
        roots.extend(uri(&params["rootUri"]).or_else(old));
    }
    roots
}

/// UTF-8 where the client knows it, else UTF-16, which every client knows.
fn encoding(offered: Option<&Value>) -> Encoding {
    let offered: Vec<&str> =
        offered.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if offered.contains(&"utf-8") {
        Encoding::Utf8
    } else if offered.contains(&"utf-32") && !offered.contains(&"utf-16") {
        Encoding::Utf32
    } else {
        Encoding::Utf16
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn oddities_count_as_not_declared() {
        let odd = json!({"processId": -1, "rootUri": 3, "workspaceFolders": "no", "capabilities": {
            "window": {"workDoneProgress": "yes"}, "general": {"positionEncodings": ["utf-7", 8]}}});
        assert_eq!(Client::read(&odd), Client { name: "unknown".into(), ..Client::default() });
        assert_eq!(Client::read(&Value::Null).encoding, Encoding::Utf16);
    }

    #[test]
    fn what_is_declared_is_seen() {
        let client = Client::read(&json!({
            "processId": 7, "clientInfo": {"name": "Ed"}, "rootUri": "file:///other",
            "workspaceFolders": [{"uri": "file:///work%20space", "name": "w"}],
            "initializationOptions": {"mission": true},
            "capabilities": {"window": {"workDoneProgress": true}, "workspace": {"applyEdit": true},
                "general": {"positionEncodings": ["utf-16", "utf-8"]}}}));
        assert_eq!(client.roots, [PathBuf::from("/work space")]);
        assert_eq!((client.process_id, client.encoding), (Some(7), Encoding::Utf8));
        assert!(
            client.progress && client.apply_edit && client.mission_views && !client.versioned_edits
        );
    }
}
