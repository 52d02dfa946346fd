//! OpenAI chat completions: `POST {base}/chat/completions`, streamed, with tools. Also the format of replays.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://platform.openai.com/docs/api-reference/chat-streaming>,
//! <https://platform.openai.com/docs/guides/function-calling> (streaming),
//! <https://github.com/openai/openai-openapi> (`CreateChatCompletionStreamResponse`, `ChatCompletionStreamOptions`).
//! What compatible servers do differently is listed in `decode`.

mod decode;
mod encode;

pub(crate) use decode::Decoder;
pub(crate) use encode::encode;
