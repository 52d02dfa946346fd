//! Messages one a line, as the Agent Client Protocol has them: no header, and no line end inside a body.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::frame::{DEFAULT_BODY_CAP, Frame};

/// Reads lines. Its memory is bounded by the cap whatever the peer sends.
#[derive(Debug)]
pub struct LineReader<R> {
    inner: BufReader<R>,
    cap: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// A reader with [`DEFAULT_BODY_CAP`].
    pub fn new(inner: R) -> LineReader<R> {
        LineReader::with_cap(inner, DEFAULT_BODY_CAP)
    }

    /// A reader that buffers lines of at most `cap` bytes.
    pub fn with_cap(inner: R, cap: usize) -> LineReader<R> {
        LineReader { inner: BufReader::with_capacity(64 * 1024, inner), cap }
    }

    /// The next line that is not blank, or `None` at the end of the stream. A line above the cap is dropped and reported
    /// once it has ended.
    ///
    /// Not safe to cancel: a call that is dropped half-way loses what it had read. Give the reader a task of its own.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let (body, len) = self.line().await?;
            if len == 0 {
                return Ok(None);
            }
            if len > body.len() as u64 {
                return Ok(Some(Frame::TooLarge { len }));
            }
            let text = body.trim_ascii();
            if !text.is_empty() {
                return Ok(Some(Frame::Body(text.to_vec())));
            }
        }
    }

    /// Consumes up to and including the next `\n`: what of it is kept, and how long it was.
    async fn line(&mut self) -> io::Result<(Vec<u8>, u64)> {
        let (mut body, mut len) = (Vec::new(), 0);
        loop {
            let buffer = self.inner.fill_buf().await?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |at| at + 1);
            len += taken as u64;
            match len <= self.cap as u64 + 1 {
                true => body.extend_from_slice(&buffer[..taken]),
                // What is over the cap is not kept at all.
                false => body = Vec::new(),
            }
            let is_over = end.is_some() || buffer.is_empty();
            self.inner.consume(taken);
            if is_over {
                return Ok((body, len));
            }
        }
    }
}

/// A body as a line.
pub fn encode_line(body: &[u8]) -> Vec<u8> {
    [body, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8], cap: usize) -> Vec<Frame> {
        let mut reader = LineReader::with_cap(input, cap);
        let mut seen = Vec::new();
        while let Some(line) = reader.next().await.unwrap() {
            seen.push(line);
        }
        seen
    }

    fn body(text: &str) -> Frame {
        Frame::Body(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_end() {
        let seen = lines(b"{\"a\":1}\n\r\n  \n[]\r\n{}", 100).await;
        assert_eq!(seen, [body("{\"a\":1}"), body("[]"), body("{}")]);
        assert_eq!(lines(b"", 100).await, []);
    }

    #[tokio::test]
    async fn a_line_above_the_cap_costs_itself_only() {
        let mut input = vec![b'x'; 200_000];
        input.extend(b"\n{}\n");
        assert_eq!(lines(&input, 1_000).await, [Frame::TooLarge { len: 200_001 }, body("{}")]);
        assert_eq!(lines(b"12345\n123456\n", 5).await, [body("12345"), Frame::TooLarge { len: 7 }]);
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let stream = [encode_line(b"{}"), encode_line(b"[1]")].concat();
        assert_eq!(lines(&stream, 10).await, [body("{}"), body("[1]")]);
    }
}
