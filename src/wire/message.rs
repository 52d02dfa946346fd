//! Messages: a frame's body as a request, a notification or a response.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

/// JSON-RPC and LSP error codes that this program uses or must recognise.
pub mod code {
    /// The body is no JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// The body is JSON, but no message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nobody serves the method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters do not fit the method.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The server failed, which is never the client's fault.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// A request before `initialize`.
    pub const SERVER_NOT_INITIALIZED: i64 = -32002;
    /// The request was well-formed and could not be served.
    pub const REQUEST_FAILED: i64 = -32803;
    /// The server gave the request up; with `retriggerRequest` in the data it may be asked again.
    pub const SERVER_CANCELLED: i64 = -32802;
    /// The document changed while the request was served.
    pub const CONTENT_MODIFIED: i64 = -32801;
    /// The client cancelled the request.
    pub const REQUEST_CANCELLED: i64 = -32800;
}

/// The id of a request: whatever its sender chose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
}

/// A call that expects a [`Response`].
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Echoed by the response.
    pub id: Id,
    /// The method.
    pub method: String,
    /// An object or array; `None` leaves the member out (strict servers refuse `null`).
    pub params: Option<Value>,
}

/// A call that expects no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The method.
    pub method: String,
    /// An object or array; `None` leaves the member out.
    pub params: Option<Value>,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Whose answer it is; `None` when the request's id could not be read.
    pub id: Option<Id>,
    /// The result, or why there is none.
    pub outcome: Result<Value, ResponseError>,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize)]
#[error("{message} ({code})")]
pub struct ResponseError {
    /// See [`code`].
    pub code: i64,
    /// One sentence for people.
    pub message: String,
    /// What the sender adds for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// One message, in either direction.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A call that expects a response.
    Request(Request),
    /// A call that expects none.
    Notification(Notification),
    /// An answer.
    Response(Response),
}

/// Why a body is no [`Message`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// Not UTF-8, or not JSON.
    #[error("failed to parse the message as JSON: {0}")]
    NotJson(String),
    /// A batch, which LSP does not know.
    #[error("batches are not supported; send one message per frame")]
    Batch,
    /// JSON, but not a JSON-RPC message.
    #[error("failed to read the message: {why}")]
    Invalid {
        /// The id, if it could be read.
        id: Option<Id>,
        /// What is wrong.
        why: &'static str,
    },
}

impl BadMessage {
    /// The answer that its sender deserves.
    pub fn to_response(&self) -> Response {
        let (code, id) = match self {
            BadMessage::NotJson(_) => (code::PARSE_ERROR, None),
            BadMessage::Batch => (code::INVALID_REQUEST, None),
            BadMessage::Invalid { id, .. } => (code::INVALID_REQUEST, id.clone()),
        };
        let error = ResponseError { code, message: self.to_string(), data: None };
        Response { id, outcome: Err(error) }
    }
}

impl Message {
    /// Reads a frame's body.
    ///
    /// # Errors
    /// When the body is no JSON-RPC message; [`BadMessage::to_response`] is what to answer.
    pub fn parse(body: &[u8]) -> Result<Message, BadMessage> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Message::from_object(object),
            Ok(Value::Array(_)) => Err(BadMessage::Batch),
            Ok(_) => Err(BadMessage::Invalid { id: None, why: "it is no object" }),
            Err(error) => Err(BadMessage::NotJson(error.to_string())),
        }
    }

    fn from_object(mut object: Map<String, Value>) -> Result<Message, BadMessage> {
        let raw_id = object.remove("id");
        let id = raw_id.as_ref().and_then(Id::from_value);
        let bad = |why| Err(BadMessage::Invalid { id: id.clone(), why });
        let Some(method) = object.remove("method") else {
            return match (object.remove("result"), object.remove("error")) {
                (None, None) if id.is_none() => bad("it has neither a method nor an id"),
                (_, Some(error)) if !error.is_null() => Ok(Message::Response(Response {
                    id,
                    outcome: Err(ResponseError::from_value(&error)),
                })),
                (result, _) => {
                    Ok(Message::Response(Response { id, outcome: Ok(result.unwrap_or_default()) }))
                }
            };
        };
        let Value::String(method) = method else {
            return bad("its method is no string");
        };
        let params = match object.remove("params") {
            None | Some(Value::Null) => None,
            Some(params @ (Value::Object(_) | Value::Array(_))) => Some(params),
            Some(_) => return bad("its params are neither an object nor an array"),
        };
        match (raw_id, id) {
            (None, _) => Ok(Message::Notification(Notification { method, params })),
            (Some(_), Some(id)) => Ok(Message::Request(Request { id, method, params })),
            (Some(_), None) => Err(BadMessage::Invalid {
                id: None,
                why: "its id is neither an integer nor a string",
            }),
        }
    }

    /// The message as the body of a frame.
    #[expect(clippy::expect_used, reason = "JSON values have names of text, and memory takes all")]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("it is written as it was read")
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(None)?;
        object.serialize_entry("jsonrpc", "2.0")?;
        match self {
            Message::Request(Request { id, method, params }) => {
                object.serialize_entry("id", id)?;
                object.serialize_entry("method", method)?;
                put_params(&mut object, params.as_ref())?;
            }
            Message::Notification(Notification { method, params }) => {
                object.serialize_entry("method", method)?;
                put_params(&mut object, params.as_ref())?;
            }
            Message::Response(Response { id, outcome }) => {
                object.serialize_entry("id", id)?;
                match outcome {
                    Ok(result) => object.serialize_entry("result", result)?,
                    Err(error) => object.serialize_entry("error", error)?,
                }
            }
        }
        object.end()
    }
}

fn put_params<M: SerializeMap>(object: &mut M, params: Option<&Value>) -> Result<(), M::Error> {
    params.map_or(Ok(()), |params| object.serialize_entry("params", params))
}

/// A notification as the body of a frame, its parameters written as they are: large ones pass no [`Value`].
///
/// # Errors
/// When the parameters cannot be written as JSON.
pub fn notification<T: Serialize>(method: &str, params: &T) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Body<'a, T> {
        jsonrpc: &'a str,
        method: &'a str,
        params: &'a T,
    }
    serde_json::to_vec(&Body { jsonrpc: "2.0", method, params })
}

impl Id {
    fn from_value(value: &Value) -> Option<Id> {
        match value {
            Value::Number(number) => number.as_i64().map(Id::Number),
            Value::String(text) => Some(Id::Text(text.clone())),
            _ => None,
        }
    }
}

impl ResponseError {
    /// Lenient: a peer that errs in the shape of its error still failed.
    fn from_value(value: &Value) -> ResponseError {
        let message = value.get("message").and_then(Value::as_str);
        ResponseError {
            code: value.get("code").and_then(Value::as_i64).unwrap_or(code::INTERNAL_ERROR),
            message: message.map_or_else(|| value.to_string(), str::to_owned),
            data: value.get("data").cloned(),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Message {
        Message::Request(request)
    }
}

impl From<Notification> for Message {
    fn from(notification: Notification) -> Message {
        Message::Notification(notification)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Message {
        Message::Response(response)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_come_back_as_they_went() {
        for value in [
            json!({"jsonrpc": "2.0", "id": 1, "method": "a", "params": {"x": 1}}),
            json!({"jsonrpc": "2.0", "id": "one", "method": "a"}),
            json!({"jsonrpc": "2.0", "method": "b", "params": [1]}),
            json!({"jsonrpc": "2.0", "id": 7, "result": null}),
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "m", "data": [1]}}),
        ] {
            let message = Message::parse(value.to_string().as_bytes()).unwrap();
            let written: Value = serde_json::from_slice(&message.to_bytes()).unwrap();
            assert_eq!(written, value);
            if let Message::Notification(Notification { method, params }) = message {
                let bytes = notification(&method, &params).unwrap();
                assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
            }
        }
    }

    #[test]
    fn null_params_are_left_out() {
        let message =
            Message::parse(br#"{"jsonrpc":"2.0","id":1,"method":"shutdown","params":null}"#)
                .unwrap();
        let written: Value = serde_json::from_slice(&message.to_bytes()).unwrap();
        assert_eq!(written, json!({"jsonrpc": "2.0", "id": 1, "method": "shutdown"}));
    }

    #[test]
    fn what_is_no_message_gets_the_right_code() {
        for (body, code) in [
            (&b"{"[..], code::PARSE_ERROR),
            (b"", code::PARSE_ERROR),
            (b"{\"a\":\"\xff\"}", code::PARSE_ERROR),
            (b"[]", code::INVALID_REQUEST),
            (b"3", code::INVALID_REQUEST),
            (b"{}", code::INVALID_REQUEST),
            (br#"{"id":null,"method":"a"}"#, code::INVALID_REQUEST),
            (br#"{"id":1,"method":2}"#, code::INVALID_REQUEST),
            (br#"{"id":1,"method":"a","params":3}"#, code::INVALID_REQUEST),
        ] {
            let response = Message::parse(body).unwrap_err().to_response();
            assert_eq!(response.outcome.unwrap_err().code, code, "{}", body.escape_ascii());
        }
        let bad = Message::parse(br#"{"id":1,"method":"a","params":3}"#).unwrap_err();
        assert_eq!(bad.to_response().id, Some(Id::Number(1)));
    }
}
