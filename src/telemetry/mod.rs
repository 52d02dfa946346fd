//! What a process tells of itself: spans for a collector, and log files. Both are off unless they are configured.
//!
//! A [`Work`] is a span of the OpenTelemetry SDK that ends whatever happens to its holder. What stands in one follows the
//! semantic conventions for generative AI as of June 2026
//! (<https://github.com/open-telemetry/semantic-conventions-genai>, `docs/gen-ai/gen-ai-spans.md` and
//! `gen-ai-agent-spans.md`; before, they stood in semantic-conventions 1.41): names, counts and kinds of errors, and never
//! a prompt, a file's content or a key. This module knows nothing of missions, models or gates: who has something to tell
//! gives it a name and its attributes.

mod export;
mod log;
mod settings;
mod surroundings;
mod work;

pub use log::{FileSettings, folder as log_folder, install as install_log};
pub use settings::{Resolved, Settings};
pub use surroundings::{for_children, inherited};
pub use work::{Attributes, Kind, Piece, Value, Work, current, within};

use std::sync::Once;
use std::time::Duration;

/// How long the end of a process waits for what was not sent yet.
const LAST: Duration = Duration::from_secs(1);

/// Begins to send spans and to write log files, where the settings want it. Only the first settings of a process count:
/// there is one log and one stream of spans. Blocks for a moment.
pub fn begin(spans: &Resolved, files: &FileSettings) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = log::to_files(files) {
            tracing::error!("no log file is written: {error}");
        }
        if let Err(error) = export::begin(spans) {
            tracing::error!("no spans are sent: {error}");
        }
    });
}

/// Sends and writes what is left, within a second. Must not be called on an asynchronous thread.
pub fn end() {
    export::end(LAST);
    log::end();
}
