//! Takes entries: each is given until it is said to be durable here. What the stream removed before it was given is a
//! number.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;
use ringfort_model::causes::with_causes;
use ringfort_store::os::Received;
use tokio::time::timeout;

use crate::carried::received;
use crate::link::{Link, QueueError};

/// Takes what all machines send.
pub struct Taker {
    stream: Stream,
    consumer: PullConsumer,
    messages: Messages,
    prefix: String,
    /// The newest of the stream that was given.
    newest: u64,
    /// How many the stream removed before they were given, and nobody was told of yet.
    missed: u64,
    /// Why nothing more comes, where something came before that.
    ended: Option<QueueError>,
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

/// How many there were behind the newest that is known and are not in the stream any more, by its first.
fn removed(first: u64, newest: u64) -> u64 {
    first.saturating_sub(newest + 1)
}

/// So many are given at once,
const MOST_MESSAGES: usize = 256;
/// and as many bytes as go into one delivery.
const MOST_BYTES: usize = 8 << 20;
/// So many bytes are asked for at once, which has to be more than a message has.
const MOST_ASKED: usize = 16 << 20;
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
        let refused = |error: &dyn std::error::Error| QueueError::Refused(with_causes(error));
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
        let config = &consumer.cached_info().config;
        if config.ack_policy != AckPolicy::Explicit {
            let fault = format!("has a consumer {name} that does not wait for what is durable");
            return Err(QueueError::Stream { stream: link.queue.stream.clone(), fault });
        }
        let newest = consumer.cached_info().delivered.stream_sequence;
        // What was given and is not known to be durable is given again, unless it is not there any more.
        let durable = consumer.cached_info().ack_floor.stream_sequence;
        let missed = removed(stream.cached_info().state.first_sequence, durable);
        let messages = consumer
            .stream()
            .max_messages_per_batch(MOST_MESSAGES)
            .max_bytes_per_batch(MOST_ASKED)
            .expires(HELD)
            .heartbeat(BEAT)
            .messages()
            .await
            .map_err(|error| refused(&error))?;
        let prefix = format!("{}.", link.queue.prefix);
        Ok(Self { stream, consumer, messages, prefix, newest, missed, ended: None, _link: link })
    }

    /// Gives what came; nothing where nothing did for a time.
    ///
    /// # Errors
    /// The servers are away: open another.
    pub async fn next(&mut self, patience: Duration) -> Result<Piece, QueueError> {
        if let Some(ended) = self.ended.take() {
            return Err(ended);
        }
        let (mut piece, mut bytes, mut patience) = (Piece::default(), 0, patience);
        while piece.messages.len() < MOST_MESSAGES && bytes < MOST_BYTES {
            let ended = match timeout(patience, self.messages.next()).await {
                Err(_) => break,
                Ok(Some(Ok(message))) => match self.line(&message).await {
                    Ok(line) => {
                        bytes += line.text.len() + line.source.len();
                        piece.lines.push(line);
                        piece.messages.push(message);
                        patience = GATHER;
                        continue;
                    }
                    Err(error) => error,
                },
                Ok(Some(Err(error))) => QueueError::Refused(with_causes(&error)),
                Ok(None) => QueueError::Refused("the servers hung up".to_owned()),
            };
            // What came before is given first.
            if piece.messages.is_empty() {
                return Err(ended);
            }
            self.ended = Some(ended);
            break;
        }
        piece.missed = std::mem::take(&mut self.missed);
        Ok(piece)
    }

    /// Gives what a message carries, and looks where others before it went.
    async fn line(&mut self, message: &Message) -> Result<Received, QueueError> {
        let info = message.info().map_err(|error| QueueError::Refused(error.to_string()))?;
        let number = info.stream_sequence;
        // What is given again is older, and what a server had in hand that died comes later: only what the stream does
        // not have any more is missed.
        if number > self.newest + 1 {
            let stream = self.stream.get_info().await;
            let stream = stream.map_err(|error| QueueError::Refused(with_causes(&error)))?;
            self.missed += removed(stream.state.first_sequence.min(number), self.newest);
        }
        self.newest = self.newest.max(number);
        let machine = message.subject.strip_prefix(&self.prefix).unwrap_or(&message.subject);
        Ok(received(machine, &message.payload))
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
        let info = info.map_err(|error| QueueError::Refused(with_causes(&error)))?;
        Ok(info.num_pending + info.num_ack_pending as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::removed;

    #[test]
    fn what_the_stream_has_yet_is_not_missed() {
        assert_eq!(removed(0, 0), 0);
        assert_eq!(removed(1, 0), 0);
        assert_eq!(removed(5, 10), 0);
        assert_eq!(removed(11, 10), 0);
        assert_eq!(removed(14, 10), 3);
    }
}
