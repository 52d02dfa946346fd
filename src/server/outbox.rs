//! What waits to be written to the client: a bounded queue, so that a client that reads slowly, or not at all, can never
//! stop the reader or grow the process.
//!
//! Pushing never waits. A queued message that a newer one makes stale is replaced in its place; what is merely nice to
//! know is dropped when the queue is full; when it is full of messages that may not be dropped, the client is lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::wire::{encode_frame, encode_line};

/// How many messages may wait.
pub const MAX_WAITING: usize = 4096;
/// How many bytes may wait.
pub const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// How a message may be treated while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weight {
    /// It must arrive: responses, requests, messages to the user.
    Must,
    /// It must arrive unless a newer one with the same key does: diagnostics of a file.
    Latest(String),
    /// As `Latest`, and it may be dropped: progress reports, mission views, log lines.
    MayDrop(String),
}

#[derive(Debug)]
struct Entry {
    weight: Weight,
    body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    closed: bool,
}

/// The sending end; clones share one queue.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    queue: Arc<Mutex<Queue>>,
    changed: Arc<Notify>,
    lost: CancellationToken,
}

impl Outbox {
    /// Queues the body of a message. Returns at once.
    pub fn push(&self, weight: Weight, body: Vec<u8>) {
        let mut queue = self.lock();
        if queue.closed || self.lost.is_cancelled() {
            return;
        }
        if queue.replace(&weight, &body) {
            return;
        }
        while queue.is_full(body.len()) {
            if matches!(weight, Weight::MayDrop(_)) {
                return;
            }
            if !queue.drop_one() {
                tracing::error!(
                    "the client has stopped reading: {} messages wait for it",
                    queue.entries.len()
                );
                self.lost.cancel();
                return;
            }
        }
        queue.bytes += body.len();
        queue.entries.push_back(Entry { weight, body });
        drop(queue);
        self.changed.notify_one();
    }

    /// Takes nothing more; the writer leaves when the queue is empty.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Cancelled when the client is given up: it does not read, or its end of the stream is gone.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Writes what is pushed in frames, until [`Outbox::close`] or a write fails. Give it a task of its own.
    pub async fn write_to<W: AsyncWrite + Unpin>(self, writer: W) {
        self.write_as(writer, encode_frame).await;
    }

    /// The same, a message a line.
    pub async fn write_lines<W: AsyncWrite + Unpin>(self, writer: W) {
        self.write_as(writer, encode_line).await;
    }

    async fn write_as<W: AsyncWrite + Unpin>(self, mut writer: W, encode: fn(&[u8]) -> Vec<u8>) {
        while let Some(batch) = self.next_batch().await {
            let written = async {
                for body in &batch {
                    writer.write_all(&encode(body)).await?;
                }
                writer.flush().await
            };
            if let Err(error) = written.await {
                tracing::warn!("failed to write to the client: {error}");
                self.lost.cancel();
                return;
            }
        }
    }

    /// At most 16 messages, so that a slow client's queue stays open to replacement; `None` when closed and empty.
    pub(super) async fn next_batch(&self) -> Option<Vec<Vec<u8>>> {
        loop {
            {
                let mut queue = self.lock();
                if !queue.entries.is_empty() {
                    let count = queue.entries.len().min(16);
                    let batch: Vec<_> =
                        queue.entries.drain(..count).map(|entry| entry.body).collect();
                    queue.bytes -= batch.iter().map(Vec::len).sum::<usize>();
                    return Some(batch);
                }
                if queue.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here can panic half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_full(&self, more: usize) -> bool {
        // A single message larger than the bound may still pass alone.
        self.entries.len() >= MAX_WAITING
            || (self.bytes > 0 && self.bytes + more > MAX_WAITING_BYTES)
    }

    /// Puts `body` in the place of a waiting message with the same key.
    fn replace(&mut self, weight: &Weight, body: &[u8]) -> bool {
        if *weight == Weight::Must {
            return false;
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.weight == *weight) else {
            return false;
        };
        self.bytes = self.bytes - entry.body.len() + body.len();
        entry.body = body.to_vec();
        true
    }

    /// Drops the oldest message that may be dropped.
    fn drop_one(&mut self) -> bool {
        let found =
            self.entries.iter().position(|entry| matches!(entry.weight, Weight::MayDrop(_)));
        let dropped = found.and_then(|at| self.entries.remove(at));
        self.bytes -= dropped.as_ref().map_or(0, |entry| entry.body.len());
        dropped.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn written(outbox: Outbox) -> String {
        outbox.close();
        let mut bytes = Vec::new();
        outbox.write_to(&mut bytes).await;
        String::from_utf8(bytes).unwrap().replace("Content-Length: ", "").replace("\r\n\r\n", ":")
    }

    #[tokio::test]
    async fn a_newer_message_takes_the_place_of_the_stale_one() {
        let outbox = Outbox::default();
        outbox.push(Weight::Latest("a".into()), b"a1".to_vec());
        outbox.push(Weight::Must, b"m".to_vec());
        outbox.push(Weight::Latest("a".into()), b"a2".to_vec());
        outbox.push(Weight::MayDrop("a".into()), b"other kind".to_vec());
        assert_eq!(written(outbox).await, "2:a21:m10:other kind");
    }

    #[tokio::test]
    async fn what_may_be_dropped_goes_first_and_then_the_client_is_lost() {
        let outbox = Outbox::default();
        outbox.push(Weight::MayDrop("p".into()), b"p".to_vec());
        for _ in 0..MAX_WAITING {
            outbox.push(Weight::Must, b"m".to_vec());
        }
        assert!(!outbox.lost().is_cancelled());
        outbox.push(Weight::MayDrop("q".into()), b"q".to_vec());
        assert!(!outbox.lost().is_cancelled());
        outbox.push(Weight::Must, b"m".to_vec());
        assert!(outbox.lost().is_cancelled());
    }

    #[tokio::test]
    async fn one_huge_message_passes_alone() {
        let outbox = Outbox::default();
        outbox.push(Weight::Must, vec![b' '; MAX_WAITING_BYTES + 1]);
        assert!(!outbox.lost().is_cancelled());
        outbox.push(Weight::Must, vec![b' ']);
        assert!(outbox.lost().is_cancelled());
    }
}
