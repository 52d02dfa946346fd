//! Frames: a header block, an empty line, a body of the declared length.
//!
//! The reader survives what a careless peer sends: header names in any case, unknown headers, an oversized body, a
//! header block that is no header block. It gives up only at the end of the stream or on an I/O error.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The largest body that a [`FrameReader`] buffers unless told otherwise, in bytes.
pub const DEFAULT_BODY_CAP: usize = 32 * 1024 * 1024;

/// The longest header line that is read as a header, in bytes; of a longer one only the tail is kept.
const LINE_CAP: usize = 4 * 1024;

/// What came out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A body, of exactly the declared length. Not yet known to be UTF-8 or JSON.
    Body(Vec<u8>),
    /// A body larger than the cap was announced. It is reported at once and dropped, unread, by the next call.
    TooLarge {
        /// The declared length in bytes.
        len: u64,
    },
    /// A header block from which no length could be had. The reader goes on at the next `Content-Length`.
    BadHeader {
        /// What is wrong with it, for people.
        why: &'static str,
    },
}

/// Reads frames. Its memory is bounded by the cap whatever the peer sends.
#[derive(Debug)]
pub struct FrameReader<R> {
    inner: BufReader<R>,
    cap: usize,
    /// Bytes of an oversized body that are still to be dropped.
    dropping: u64,
    /// Whether the reader is looking for the next `Content-Length` after a bad header block.
    lost: bool,
    /// A length found while dropping or lost: the header block that we are in the middle of.
    found: Option<u64>,
}

/// A line, or as much of its end as [`LINE_CAP`] allows.
struct Line {
    tail: Vec<u8>,
    /// How many bytes were consumed, the line end included.
    len: u64,
}

impl Line {
    fn is_cut(&self) -> bool {
        self.len > self.tail.len() as u64
    }

    fn text(&self) -> &[u8] {
        self.tail.trim_ascii_end()
    }
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader with [`DEFAULT_BODY_CAP`].
    pub fn new(inner: R) -> FrameReader<R> {
        FrameReader::with_cap(inner, DEFAULT_BODY_CAP)
    }

    /// A reader that buffers bodies of at most `cap` bytes.
    pub fn with_cap(inner: R, cap: usize) -> FrameReader<R> {
        FrameReader {
            inner: BufReader::with_capacity(64 * 1024, inner),
            cap,
            dropping: 0,
            lost: false,
            found: None,
        }
    }

    /// The next frame, or `None` at the end of the stream between two frames.
    ///
    /// Not safe to cancel: a call that is dropped half-way loses what it had read. Give the reader a task of its own.
    ///
    /// # Errors
    /// When reading fails; `UnexpectedEof` when the stream ends inside a frame.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        self.drop_oversized().await?;
        let mut length = self.found.take();
        let mut inside = length.is_some();
        loop {
            let line = self.line(u64::MAX).await?;
            if line.len == 0 {
                return if inside { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
            let text = line.text();
            if text.is_empty() {
                match length {
                    Some(len) => return self.body(len).await.map(Some),
                    // Blank lines between frames are tolerated; after headers that gave no length they are an error.
                    None if inside => {
                        return Ok(Some(self.get_lost("the header block has no Content-Length")));
                    }
                    None => continue,
                }
            }
            if let Some(len) = trailing_length(text) {
                // Junk before the name is the rest of a message whose length was wrong.
                let junk = line.is_cut() || !starts_with_name(text);
                length = Some(len);
                inside = true;
                if junk && !std::mem::take(&mut self.lost) {
                    self.found = length;
                    return Ok(Some(Frame::BadHeader {
                        why: "there is text before Content-Length",
                    }));
                }
                self.lost = false;
            } else if !self.lost {
                inside = true;
                if let Some(why) = bad_header(&line) {
                    self.found = length;
                    self.lost = length.is_none();
                    return Ok(Some(Frame::BadHeader { why }));
                }
            }
        }
    }

    fn get_lost(&mut self, why: &'static str) -> Frame {
        self.lost = true;
        Frame::BadHeader { why }
    }

    async fn body(&mut self, len: u64) -> io::Result<Frame> {
        self.lost = false;
        let Some(want) = usize::try_from(len).ok().filter(|want| *want <= self.cap) else {
            self.dropping = len;
            return Ok(Frame::TooLarge { len });
        };
        // The peer's word is not enough to reserve the cap's worth of memory.
        let mut body = Vec::with_capacity(want.min(64 * 1024));
        (&mut self.inner).take(len).read_to_end(&mut body).await?;
        if body.len() < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Frame::Body(body))
    }

    /// Drops an oversized body. A line that ends in `Content-Length: n` cannot stand inside a JSON text (a string holds
    /// no raw line end), so meeting one means that the declared length was a lie and a new frame has begun.
    async fn drop_oversized(&mut self) -> io::Result<()> {
        while self.dropping > 0 {
            let line = self.line(self.dropping).await?;
            if line.len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.dropping -= line.len;
            if line.tail.ends_with(b"\n")
                && let Some(len) = trailing_length(line.text())
            {
                self.dropping = 0;
                self.found = Some(len);
            }
        }
        Ok(())
    }

    /// Consumes up to and including the next `\n`, at most `limit` bytes, keeping only the tail.
    async fn line(&mut self, limit: u64) -> io::Result<Line> {
        let mut line = Line { tail: Vec::new(), len: 0 };
        while line.len < limit {
            let buffer = self.inner.fill_buf().await?;
            if buffer.is_empty() {
                break;
            }
            let room = usize::try_from(limit - line.len).unwrap_or(usize::MAX);
            let within = &buffer[..buffer.len().min(room)];
            let end = within.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(within.len(), |at| at + 1);
            keep_tail(&mut line.tail, &within[..taken]);
            line.len += taken as u64;
            self.inner.consume(taken);
            if end.is_some() {
                break;
            }
        }
        Ok(line)
    }
}

fn keep_tail(tail: &mut Vec<u8>, more: &[u8]) {
    let more = &more[more.len().saturating_sub(LINE_CAP)..];
    let excess = (tail.len() + more.len()).saturating_sub(LINE_CAP);
    tail.drain(..excess);
    tail.extend_from_slice(more);
}

const NAME: &[u8] = b"content-length";

fn starts_with_name(text: &[u8]) -> bool {
    text.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}

/// The number of a line that ends in `Content-Length: <number>`, whatever stands before it.
fn trailing_length(text: &[u8]) -> Option<u64> {
    let colon = text.iter().rposition(|byte| *byte == b':')?;
    let (name, number) = (text[..colon].trim_ascii_end(), text[colon + 1..].trim_ascii());
    let start = name.len().checked_sub(NAME.len())?;
    if !name[start..].eq_ignore_ascii_case(NAME) || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn bad_header(line: &Line) -> Option<&'static str> {
    if line.is_cut() {
        Some("a header line is too long")
    } else if starts_with_name(line.text()) {
        Some("Content-Length is not a number")
    } else if !line.text().contains(&b':') || !line.text()[0].is_ascii_alphabetic() {
        Some("a line of the header block is no header")
    } else {
        None
    }
}

/// The bytes of one frame.
pub fn encode_frame(body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

/// Writes one frame in a single write, and flushes.
///
/// # Errors
/// When the stream cannot be written.
pub async fn write_frame<W: AsyncWrite + Unpin>(writer: &mut W, body: &[u8]) -> io::Result<()> {
    writer.write_all(&encode_frame(body)).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All frames of `bytes`, handed over in pieces of `piece` bytes, and whether the stream ended cleanly.
    async fn frames(bytes: &[u8], cap: usize, piece: usize) -> (Vec<Frame>, bool) {
        let (mut near, far) = tokio::io::duplex(piece);
        let bytes = bytes.to_vec();
        let feed = tokio::spawn(async move {
            // The reader may have left before everything was written; that is its right.
            let _ = near.write_all(&bytes).await;
        });
        let mut reader = FrameReader::with_cap(far, cap);
        let mut seen = Vec::new();
        let clean = loop {
            match reader.next().await {
                Ok(Some(frame)) => seen.push(frame),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        feed.await.unwrap();
        (seen, clean)
    }

    fn body(text: &str) -> Frame {
        Frame::Body(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn frames_survive_any_split() {
        let stream = b"Content-Length: 2\r\n\r\n{}content-length:3\r\nContent-Type: x; charset=utf-8\r\n\r\n[1]\r\n\
            Content-Type: y\nCONTENT-LENGTH : 4\n\nnull";
        for piece in [1, 2, 3, 7, 4096] {
            let (seen, clean) = frames(stream, 64, piece).await;
            assert_eq!(seen, [body("{}"), body("[1]"), body("null")]);
            assert!(clean);
        }
    }

    #[tokio::test]
    async fn an_oversized_body_is_reported_and_dropped() {
        let mut stream = encode_frame(&vec![b'x'; 100_000]);
        stream.extend(encode_frame(b"{}"));
        for piece in [13, 65536] {
            let (seen, clean) = frames(&stream, 1000, piece).await;
            assert_eq!(seen, [Frame::TooLarge { len: 100_000 }, body("{}")]);
            assert!(clean);
        }
    }

    #[tokio::test]
    async fn a_lie_about_the_length_costs_one_message() {
        let mut stream = b"Content-Length: 67108864\r\n\r\n{\"a\":1}".to_vec();
        stream.extend(encode_frame(b"{}"));
        stream.extend(encode_frame(b"[]"));
        let (seen, clean) = frames(&stream, 1000, 5).await;
        assert_eq!(seen, [Frame::TooLarge { len: 67_108_864 }, body("{}"), body("[]")]);
        assert!(clean);
    }

    #[tokio::test]
    async fn bad_header_blocks_cost_one_message() {
        for bad in [
            &b"Content-Length: abc\r\n\r\n{\"a\":1}"[..],
            b"Content-Length: -1\r\n\r\n{}",
            b"Content-Length: 99999999999999999999999999\r\n\r\n{}",
            b"Content-Type: x\r\n\r\n{}",
            b"{\"jsonrpc\":\"2.0\"}\n",
            b"{\"jsonrpc\":\"2.0\"}",
            b"\xff\xfe\x00:\r\n\r\n",
        ] {
            let mut stream = bad.to_vec();
            stream.extend(encode_frame(b"{}"));
            stream.extend(encode_frame(b"[]"));
            for piece in [1, 4096] {
                let (seen, clean) = frames(&stream, 1000, piece).await;
                assert!(matches!(seen[0], Frame::BadHeader { .. }), "{seen:?}");
                assert_eq!(seen[1..], [body("{}"), body("[]")], "{}", bad.escape_ascii());
                assert!(clean);
            }
        }
    }

    #[tokio::test]
    async fn an_endless_header_line_is_not_buffered() {
        let mut stream = b"X-Padding: ".to_vec();
        stream.extend(vec![b'a'; 1_000_000]);
        stream.extend(b"\r\n");
        stream.extend(encode_frame(b"{}"));
        let (seen, clean) = frames(&stream, 1000, 65536).await;
        assert_eq!(seen, [Frame::BadHeader { why: "a header line is too long" }, body("{}")]);
        assert!(clean);
    }

    #[tokio::test]
    async fn the_end_inside_a_frame_is_an_error() {
        for cut in [
            &b"Content-Length: 5\r\n\r\n{}"[..],
            b"Content-Length: 5\r\n",
            b"Content-Length: 5000\r\n\r\n{",
        ] {
            assert!(!frames(cut, 1000, 64).await.1);
        }
        assert_eq!(frames(b"", 1000, 64).await, (vec![], true));
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics_or_outgrows_the_cap(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (seen, _) = runtime.block_on(frames(&bytes, 100, 64));
            for frame in seen {
                if let Frame::Body(body) = frame { proptest::prop_assert!(body.len() <= 100); }
            }
        }
    }
}
