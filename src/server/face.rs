//! The handlers: each translates, changes the session or puts something into a mailbox, and answers. None waits for the client.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::{Error, Result};
#[allow(
    clippy::wildcard_imports,
    reason = "the handlers' signatures name half of the protocol"
)]
use tower_lsp::lsp_types::*;

use super::ask::{self, Ask};
use super::changes::{self, Content};
use super::client::Client;
use super::folders::Folders;
use super::root::file_path;
use super::session::Session;
use super::text::Lines;
use super::todo::hover::Form;
use super::{
    Doctor, STOP_LIMIT, actions, commands, described, diagnostics, progress, show, todo, trusted,
};

/// The language server of one session.
pub struct Face {
    folders: Arc<Folders>,
    doctor: Doctor,
}

impl Face {
    /// The face of these folders.
    pub fn new(folders: Arc<Folders>, doctor: Doctor) -> Face {
        Face { folders, doctor }
    }

    /// The client.
    #[cfg(debug_assertions)]
    pub fn peer(&self) -> super::peer::Peer {
        self.folders.first().peer.clone()
    }

    /// `window/workDoneProgress/cancel`
    pub async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        let Some(mission) = progress::mission_of(&params.token) else { return };
        let Some(session) = self.folders.with_mission(&mission) else { return };
        let Ok(runtime) = session.runtime().await else { return };
        if let Err(refused) = runtime.command(&mission, crate::mission::Command::Cancel) {
            tracing::warn!("failed to cancel mission {mission}: {refused}");
        }
    }

    /// `workspace/textDocumentContent`
    pub async fn text_document_content(&self, params: Value) -> Result<Value> {
        let uri = params["uri"].as_str().and_then(|uri| uri.parse().ok());
        let unknown = || Error::invalid_params("there is no such document of orchestrator");
        let content = uri.as_ref().and_then(Content::read).ok_or_else(unknown)?;
        // What is there is known once everything has started.
        let first = self.folders.first();
        first.runtime().await.map_err(commands::failed)?;
        let session = self.folders.with_mission(content.mission()).unwrap_or(first);
        let text = tokio::task::spawn_blocking(move || content.text(&session)).await;
        let text = text.map_err(|error| commands::failed(error.to_string()))?;
        Ok(json!({ "text": text.map_err(commands::failed)? }))
    }

    /// `$/setTrace`: there is no protocol trace to switch; the log has its own setting.
    pub async fn set_trace(&self, _params: Value) {}
}

/// The text of an open plan.
fn plan_text(session: &Session, uri: &Uri) -> Option<Arc<str>> {
    session.text_at(uri, todo::TODO_PATH)
}

/// The folders of a list that are files of this machine.
fn paths(folders: Vec<WorkspaceFolder>) -> Vec<PathBuf> {
    folders.iter().filter_map(|folder| file_path(&folder.uri)).collect()
}

impl LanguageServer for Face {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        // All that the client said comes this way: see `raw`.
        let said = params.initialization_options.unwrap_or_default();
        self.folders.introduce(Client::read(&said));
        let session = self.folders.first();
        let client = session.client();
        tracing::info!("serving {} at {:?}", client.name, client.roots);
        Ok(InitializeResult {
            capabilities: capabilities(client),
            server_info: Some(ServerInfo {
                name: "orchestrator".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        show::announce(&self.folders.first());
        for session in self.folders.all() {
            session.start();
        }
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        let session = self.folders.of(&document.uri);
        let uri = document.uri.clone();
        session.documents.open(document.uri, document.version, document.text);
        diagnostics::publish(&session);
        trusted::examine(&session, &uri);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let VersionedTextDocumentIdentifier { uri, version } = params.text_document;
        let session = self.folders.of(&uri);
        let path = session.root().and_then(|root| root.rel(&uri));
        let moved = path.is_some_and(|path| session.anchors.shift(&path, &params.content_changes));
        let encoding = session.client().encoding;
        if !session.documents.change(&uri, version, params.content_changes, encoding) {
            tracing::warn!("the client changed {} without opening it", uri.as_str());
        }
        if moved || plan_text(&session, &uri).is_some() || described::open(&session, &uri).is_some()
        {
            diagnostics::publish(&session);
            trusted::examine(&session, &uri);
        }
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        let session = self.folders.of(&params.text_document.uri);
        session.documents.close(&params.text_document.uri);
        diagnostics::publish(&session);
    }

    async fn did_save(&self, _: DidSaveTextDocumentParams) {}

    async fn did_change_configuration(&self, _: DidChangeConfigurationParams) {}

    async fn did_change_watched_files(&self, _: DidChangeWatchedFilesParams) {}

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let WorkspaceFoldersChangeEvent { added, removed } = params.event;
        self.folders.change(paths(added), paths(removed), STOP_LIMIT).await;
    }

    async fn did_rename_files(&self, params: RenameFilesParams) {
        for renamed in params.files {
            let (Ok(from), Ok(to)) = (renamed.old_uri.parse(), renamed.new_uri.parse()) else {
                continue;
            };
            let session = self.folders.of(&to);
            let path = |uri: &Uri| session.root().and_then(|root| root.rel(uri));
            if let (Some(from), Some(to)) = (path(&from), path(&to)) {
                session.moved(&from, &to);
                diagnostics::publish(&session);
            }
        }
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        let session = self.folders.meant(params.arguments.first());
        let ask = ask::read(&params.command, params.arguments);
        match ask.map_err(|bad| commands::unreadable(&bad))? {
            // What is said of all missions is said of all folders.
            ask @ (Ask::Status | Ask::Agents | Ask::Trust) => {
                let mut answer = Value::Null;
                for session in self.folders.all() {
                    let more = commands::perform(&session, &self.doctor, ask.clone()).await?;
                    commands::join(&mut answer, more);
                }
                Ok(Some(answer))
            }
            ask => commands::perform(&session, &self.doctor, ask).await.map(Some),
        }
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let session = self.folders.of(&params.text_document.uri);
        Ok(Some(actions::actions(&session, &params)))
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        let uri = params.text_document.uri;
        let session = self.folders.of(&uri);
        if let Some(text) = plan_text(&session, &uri) {
            let (encoding, view) = (session.client().encoding, session.shown());
            return Ok(Some(todo::lenses::lenses(&text, encoding, view.as_deref())));
        }
        let Some(document) = session.documents.get(&uri) else { return Ok(None) };
        let lenses = tokio::task::spawn_blocking(move || changes::lenses(&session, &document));
        Ok(lenses.await.ok())
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let TextDocumentPositionParams { text_document, position } =
            params.text_document_position_params;
        let session = self.folders.of(&text_document.uri);
        let (Some(text), Some(view)) = (plan_text(&session, &text_document.uri), session.shown())
        else {
            return Ok(None);
        };
        let client = session.client();
        let (form, kind) = match client.markdown {
            true => (Form::Markdown, MarkupKind::Markdown),
            false => (Form::Plain, MarkupKind::PlainText),
        };
        Ok(todo::hover::hover(&text, position.line, &view, form).map(|(value, bytes)| Hover {
            contents: HoverContents::Markup(MarkupContent { kind, value }),
            range: Some(Lines::new(&text, client.encoding).range(bytes.start, bytes.end)),
        }))
    }

    async fn folding_range(&self, params: FoldingRangeParams) -> Result<Option<Vec<FoldingRange>>> {
        let uri = &params.text_document.uri;
        let session = self.folders.of(uri);
        let plan = plan_text(&session, uri).map(|text| todo::folding::ranges(&text));
        Ok(plan.or_else(|| described::open(&session, uri).map(|(file, text)| file.folds(&text))))
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let TextDocumentPositionParams { text_document, position } = params.text_document_position;
        let session = self.folders.of(&text_document.uri);
        let encoding = session.client().encoding;
        let items = plan_text(&session, &text_document.uri).map(|text| {
            let agents = described::agents(&session);
            todo::completion::items(&text, &agents, encoding, position)
        });
        let items = items.or_else(|| {
            let (file, text) = described::open(&session, &text_document.uri)?;
            Some(file.completions(&text, encoding, position))
        });
        Ok(items.map(CompletionResponse::Array))
    }

    async fn document_symbol(
        &self,
        params: DocumentSymbolParams,
    ) -> Result<Option<DocumentSymbolResponse>> {
        let uri = params.text_document.uri;
        let session = self.folders.of(&uri);
        let client = session.client();
        let text = plan_text(&session, &uri);
        let (encoding, tree) = (client.encoding, client.symbol_tree);
        let plan = text.map(|text| todo::symbols::symbols(&text, &uri, encoding, tree));
        Ok(plan.or_else(|| {
            let (file, text) = described::open(&session, &uri)?;
            Some(file.symbols(&text, &uri, encoding, tree))
        }))
    }

    async fn diagnostic(
        &self,
        params: DocumentDiagnosticParams,
    ) -> Result<DocumentDiagnosticReportResult> {
        let uri = &params.text_document.uri;
        let items = diagnostics::of_document(&self.folders.of(uri), uri);
        let full = FullDocumentDiagnosticReport { result_id: None, items };
        let report = RelatedFullDocumentDiagnosticReport {
            related_documents: None,
            full_document_diagnostic_report: full,
        };
        Ok(DocumentDiagnosticReport::Full(report).into())
    }
}

/// What is announced: nothing that this client did not declare, where the protocol lets it declare.
fn capabilities(client: &Client) -> ServerCapabilities {
    let action_options = CodeActionOptions {
        code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, actions::KIND]),
        ..CodeActionOptions::default()
    };
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        ..TextDocumentSyncOptions::default()
    };
    let folders = WorkspaceFoldersServerCapabilities {
        supported: Some(true),
        change_notifications: Some(OneOf::Left(true)),
    };
    let everything = FileOperationRegistrationOptions {
        filters: vec![FileOperationFilter {
            scheme: Some("file".to_owned()),
            pattern: FileOperationPattern { glob: "**".to_owned(), ..Default::default() },
        }],
    };
    let renames = WorkspaceFileOperationsServerCapabilities {
        did_rename: Some(everything),
        ..Default::default()
    };
    let workspace = WorkspaceServerCapabilities {
        workspace_folders: client.folders.then_some(folders),
        file_operations: client.renames.then_some(renames),
    };
    ServerCapabilities {
        workspace: (client.folders || client.renames).then_some(workspace),
        position_encoding: Some(client.encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        code_action_provider: Some(match client.action_literals {
            true => CodeActionProviderCapability::Options(action_options),
            false => CodeActionProviderCapability::Simple(true),
        }),
        hover_provider: client.hovers.then_some(HoverProviderCapability::Simple(true)),
        folding_range_provider: client
            .folds
            .then_some(FoldingRangeProviderCapability::Simple(true)),
        completion_provider: client.completes.then(|| CompletionOptions {
            trigger_characters: Some(
                todo::completion::TRIGGERS
                    .iter()
                    .chain(&described::TRIGGERS)
                    .map(|trigger| (*trigger).to_owned())
                    .collect(),
            ),
            ..CompletionOptions::default()
        }),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        document_symbol_provider: Some(OneOf::Left(true)),
        diagnostic_provider: client.pull_diagnostics.then(|| {
            DiagnosticServerCapabilities::Options(DiagnosticOptions {
                identifier: Some(diagnostics::SOURCE.to_owned()),
                ..DiagnosticOptions::default()
            })
        }),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: ask::COMMANDS.map(str::to_owned).to_vec(),
            ..ExecuteCommandOptions::default()
        }),
        ..ServerCapabilities::default()
    }
}
