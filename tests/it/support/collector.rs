//! A collector of spans, over real HTTP: it takes OTLP as protobuf at `/v1/traces`, with a reader of its own for the few
//! messages that it is made of (opentelemetry-proto, `trace/v1/trace.proto`).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::client::DEADLINE;

/// A span as it came.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty for a root.
    pub parent: String,
    pub name: String,
    /// 1: internal; 3: client.
    pub kind: u64,
    pub start: u64,
    pub end: u64,
    pub attributes: BTreeMap<String, String>,
    /// 2: an error.
    pub status: u64,
}

impl Span {
    pub fn has(&self, key: &str) -> &str {
        let found = self.attributes.get(key);
        found.unwrap_or_else(|| panic!("{} has no {key}: {:#?}", self.name, self.attributes))
    }
}

#[derive(Default)]
struct Desk {
    spans: Vec<Span>,
    resources: Vec<BTreeMap<String, String>>,
    heads: Vec<String>,
    bytes: Vec<u8>,
    connections: usize,
}

/// A running collector. Its threads end with their connections.
pub struct Collector {
    url: String,
    desk: Arc<(Mutex<Desk>, Condvar)>,
}

impl Collector {
    pub fn start() -> Collector {
        Collector::with(true)
    }

    /// One that takes connections, and never answers.
    pub fn silent() -> Collector {
        Collector::with(false)
    }

    fn with(answers: bool) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::<(Mutex<Desk>, Condvar)>::default();
        let shared = desk.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let desk = shared.clone();
                desk.0.lock().unwrap().connections += 1;
                std::thread::spawn(move || serve(stream, &desk, answers));
            }
        });
        Collector { url, desk }
    }

    /// Its address, without the path.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn connections(&self) -> usize {
        self.desk.0.lock().unwrap().connections
    }

    /// The heads of the requests.
    pub fn heads(&self) -> Vec<String> {
        self.desk.0.lock().unwrap().heads.clone()
    }

    /// Who told, request by request.
    pub fn resources(&self) -> Vec<BTreeMap<String, String>> {
        self.desk.0.lock().unwrap().resources.clone()
    }

    /// All that came, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.desk.0.lock().unwrap().bytes.clone()
    }

    /// Waits until the spans are such.
    pub fn until(&self, holds: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let end = Instant::now() + DEADLINE;
        let mut desk = self.desk.0.lock().unwrap();
        while !holds(&desk.spans) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the spans did not come: {:#?}", desk.spans);
            desk = self.desk.1.wait_timeout(desk, left).unwrap().0;
        }
        desk.spans.clone()
    }
}

fn serve(mut stream: TcpStream, desk: &(Mutex<Desk>, Condvar), answers: bool) {
    while let Some((head, body)) = receive(&mut stream) {
        if !answers {
            // Nothing is said until the other one is tired of it.
            let _ = stream.read(&mut [0]);
            return;
        }
        let (resources, spans) = read(&body);
        {
            let mut desk = desk.0.lock().unwrap();
            desk.heads.push(head);
            desk.bytes.extend(body);
            desk.resources.extend(resources);
            desk.spans.extend(spans);
        }
        desk.1.notify_all();
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn receive(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// A field: a number, or bytes.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("bytes where a number belongs"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Number(_) => panic!("a number where bytes belong"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    fn hex(&self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The fields of a message, with their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                Field::Bytes(take(&mut bytes, length))
            }
            5 => {
                let four: [u8; 4] = take(&mut bytes, 4).try_into().unwrap();
                Field::Number(u32::from_le_bytes(four).into())
            }
            other => panic!("no wire type of protobuf: {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn messages<'a>(of: &[(u64, Field<'a>)], number: u64) -> Vec<Vec<(u64, Field<'a>)>> {
    let fits = of.iter().filter(|(other, _)| *other == number);
    fits.map(|(_, field)| fields(field.bytes())).collect()
}

fn read(body: &[u8]) -> (Vec<BTreeMap<String, String>>, Vec<Span>) {
    let (mut resources, mut spans) = (Vec::new(), Vec::new());
    for of_resource in messages(&fields(body), 1) {
        resources.extend(messages(&of_resource, 1).iter().map(|one| attributes(one, 1)));
        for of_scope in messages(&of_resource, 2) {
            spans.extend(messages(&of_scope, 2).iter().map(|one| span(one)));
        }
    }
    (resources, spans)
}

fn span(message: &[(u64, Field<'_>)]) -> Span {
    let mut span = Span { attributes: attributes(message, 9), ..Span::default() };
    for (number, field) in message {
        match number {
            1 => span.trace = field.hex(),
            2 => span.id = field.hex(),
            4 => span.parent = field.hex(),
            5 => span.name = field.text(),
            6 => span.kind = field.number(),
            7 => span.start = field.number(),
            8 => span.end = field.number(),
            15 => {
                let status = fields(field.bytes());
                let code = status.iter().find(|(number, _)| *number == 3);
                span.status = code.map_or(0, |(_, code)| code.number());
            }
            _ => {}
        }
    }
    span
}

fn attributes(message: &[(u64, Field<'_>)], number: u64) -> BTreeMap<String, String> {
    let pair = |fields: Vec<(u64, Field<'_>)>| {
        let key = fields.iter().find(|(number, _)| *number == 1).map(|(_, key)| key.text());
        let text = messages(&fields, 2).first().map(|one| value(one));
        (key.unwrap_or_default(), text.unwrap_or_default())
    };
    messages(message, number).into_iter().map(pair).collect()
}

fn value(any: &[(u64, Field<'_>)]) -> String {
    let Some((number, field)) = any.first() else {
        return String::new();
    };
    match number {
        1 => field.text(),
        2 => (field.number() == 1).to_string(),
        3 => field.number().to_string(),
        5 => {
            let values = messages(&fields(field.bytes()), 1);
            format!("[{}]", values.iter().map(|one| value(one)).collect::<Vec<_>>().join(","))
        }
        other => panic!("a value of kind {other}"),
    }
}
