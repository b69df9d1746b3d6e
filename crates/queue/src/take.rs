//! Takes entries: each is given until it is said to be durable here. What the stream removed before it was given is a
//! number.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use futures::StreamExt as _;
use ringfort_store::os::Received;
use tokio::time::timeout;

use crate::carried::received;
use crate::link::{Link, QueueError, chain};

/// Takes what all machines send.
pub struct Taker {
    consumer: PullConsumer,
    messages: Messages,
    prefix: String,
    /// The newest of the stream that was given.
    newest: u64,
    // The connection lives as long as what is asked by it.
    _link: Link,
}

/// What was given at once.
#[derive(Default)]
pub struct Piece {
    /// The entries.
    pub lines: Vec<Received>,
    /// How many the stream removed before they were given.
    pub missed: u64,
    messages: Vec<Message>,
}

/// So many are given at once,
const MOST_MESSAGES: usize = 256;
/// and as many bytes as go into one delivery.
const MOST_BYTES: usize = 8 << 20;
/// For so long what comes is gathered.
const GATHER: Duration = Duration::from_millis(100);
/// Who did not say so long that something is durable is given it again.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the servers hold a question, and how often they say that they are there.
const HELD: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_secs(5);

impl Taker {
    /// Takes under a name: what was said to be durable under it is not given again.
    ///
    /// # Errors
    /// There is no stream, it is not what it has to be, or the servers refuse.
    pub async fn new(link: Link, name: &str) -> Result<Self, QueueError> {
        let refused = |error: &dyn std::error::Error| QueueError::Refused(chain(error));
        let config = Config {
            durable_name: Some(name.to_owned()),
            description: Some("a collector of ringfort".to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: AGAIN,
            max_ack_pending: 4 * MOST_MESSAGES as i64,
            ..Config::default()
        };
        let stream = link.stream().await?;
        let consumer: PullConsumer =
            stream.get_or_create_consumer(name, config).await.map_err(|error| refused(&error))?;
        let newest = consumer.cached_info().delivered.stream_sequence;
        let messages = consumer
            .stream()
            .max_messages_per_batch(MOST_MESSAGES)
            .expires(HELD)
            .heartbeat(BEAT)
            .messages()
            .await
            .map_err(|error| refused(&error))?;
        let prefix = format!("{}.", link.queue.prefix);
        Ok(Self { consumer, messages, prefix, newest, _link: link })
    }

    /// Gives what came; nothing where nothing did for a time.
    ///
    /// # Errors
    /// The servers are away: open another.
    pub async fn next(&mut self, patience: Duration) -> Result<Piece, QueueError> {
        let (mut piece, mut bytes, mut patience) = (Piece::default(), 0, patience);
        while piece.messages.len() < MOST_MESSAGES && bytes < MOST_BYTES {
            let message = match timeout(patience, self.messages.next()).await {
                Err(_) => break,
                Ok(None) => return Err(QueueError::Refused("the servers hung up".to_owned())),
                Ok(Some(Err(error))) => return Err(QueueError::Refused(chain(&error))),
                Ok(Some(Ok(message))) => message,
            };
            patience = GATHER;
            let info = message.info().map_err(|error| QueueError::Refused(error.to_string()))?;
            let number = info.stream_sequence;
            // What is given again is older.
            piece.missed += number.saturating_sub(self.newest + 1);
            self.newest = self.newest.max(number);
            let machine = message.subject.strip_prefix(&self.prefix).unwrap_or(&message.subject);
            let line = received(machine, &message.payload);
            bytes += line.text.len();
            piece.lines.push(line);
            piece.messages.push(message);
        }
        Ok(piece)
    }

    /// Says that what was given is durable here.
    ///
    /// # Errors
    /// The servers did not hear it: they give it again.
    pub async fn done(&self, piece: Piece) -> Result<(), QueueError> {
        let refused = |error: async_nats::Error| QueueError::Refused(error.to_string());
        let Some((last, others)) = piece.messages.split_last() else { return Ok(()) };
        for message in others {
            message.ack().await.map_err(refused)?;
        }
        // They hear them in their order.
        last.double_ack().await.map_err(refused)
    }

    /// How many the stream has that were not given yet, and how many that were not said to be durable.
    ///
    /// # Errors
    /// The servers do not say.
    pub async fn left(&self) -> Result<u64, QueueError> {
        let info = self.consumer.get_info().await;
        let info = info.map_err(|error| QueueError::Refused(chain(&error)))?;
        Ok(info.num_pending + info.num_ack_pending as u64)
    }
}
