//! What a command writes, bounded while it is written: its beginning and its end are kept, and how much it was.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;

use crate::tools::sessions::locked;

/// The output of one process, written by its pipes and read at any time.
#[derive(Debug)]
pub(super) struct Output {
    kept: Mutex<Kept>,
    head: usize,
    tail: usize,
    /// Somebody who waits hears of what is new.
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Output {
    /// An output of which the first `head` and the last `tail` bytes are kept.
    pub(super) fn new(head: usize, tail: usize) -> Output {
        Output { kept: Mutex::default(), head, tail, news: Notify::new() }
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = locked(&self.kept);
        kept.total += bytes.len() as u64;
        let room = self.head.saturating_sub(kept.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        kept.head.extend_from_slice(first);
        kept.tail.extend(rest);
        let surplus = kept.tail.len().saturating_sub(self.tail);
        kept.tail.drain(..surplus);
        drop(kept);
        self.news.notify_waiters();
    }

    /// Takes everything that a pipe gives.
    pub(super) async fn take<R: AsyncRead + Unpin>(&self, pipe: Option<R>) {
        let Some(mut pipe) = pipe else {
            return;
        };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            self.push(&buffer[..count]);
        }
    }

    /// All of it, with a note in the place of what was not kept. Bad UTF-8 is replaced.
    pub(super) fn text(&self) -> String {
        let kept = locked(&self.kept);
        let tail: Vec<u8> = kept.tail.iter().copied().collect();
        let left = kept.total - (kept.head.len() + tail.len()) as u64;
        if left == 0 {
            return String::from_utf8_lossy(&[&kept.head[..], &tail].concat()).into_owned();
        }
        let (head, tail) = (String::from_utf8_lossy(&kept.head), String::from_utf8_lossy(&tail));
        format!("{head}\n[{left} bytes left out]\n{tail}")
    }

    /// What came from byte `since` on, at most `most` bytes of it: where it begins, the text, and where the next begins.
    pub(super) fn since(&self, since: u64, most: usize) -> (u64, String, u64) {
        let kept = locked(&self.kept);
        let first = kept.total - kept.tail.len() as u64;
        let from = since.clamp(first, kept.total);
        let skipped = (from - first) as usize;
        let bytes: Vec<u8> = kept.tail.iter().skip(skipped).take(most).copied().collect();
        (from, String::from_utf8_lossy(&bytes).into_owned(), from + bytes.len() as u64)
    }

    /// How many bytes came.
    pub(super) fn total(&self) -> u64 {
        locked(&self.kept).total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept_and_what_is_left_out_is_counted() {
        let output = Output::new(3, 4);
        output.push(b"ab");
        assert_eq!(output.text(), "ab");
        output.push(b"cdefg");
        assert_eq!(output.text(), "abcdefg");
        output.push(b"hi");
        assert_eq!(output.text(), "abc\n[2 bytes left out]\nfghi");
        assert_eq!(output.since(0, 99), (5, "fghi".to_owned(), 9));
        assert_eq!(output.since(7, 1), (7, "h".to_owned(), 8));
        assert_eq!(output.since(100, 1), (9, String::new(), 9));
    }
}
