//! Anthropic messages: `POST {base}/v1/messages`, streamed, with tools.
//!
//! Sources: <https://platform.claude.com/docs/en/api/messages/create>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>,
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/parallel-tool-use>,
//! <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>,
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>,
//! <https://docs.claude.com/en/api/errors>.

mod decode;
mod encode;

pub(crate) use decode::Decoder;
pub(crate) use encode::encode;

/// The version of the API that requests ask for, in the header `anthropic-version`.
pub(crate) const VERSION: &str = "2023-06-01";
