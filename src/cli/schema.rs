//! `orchestrator schema`: what can be configured, as a JSON schema for editors.

use super::CliError;
use super::watch::Output;
use crate::runtime::settings::schema;

pub(super) fn print(out: &Output) -> Result<u8, CliError> {
    let schema = schema();
    if out.is_json() {
        out.value(&schema);
    } else {
        let text = serde_json::to_string_pretty(&schema);
        out.line(&text.map_err(super::environment)?);
    }
    Ok(0)
}
