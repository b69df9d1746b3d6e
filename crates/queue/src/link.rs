//! The servers, and the stream on them: it is to keep what it acknowledges on more than one of them, and to remove
//! nothing for want of room.

use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, ConnectOptions};
use ringfort_model::causes::with_causes;
use ringfort_store::os::{Papers, TlsError};

/// Where it goes through.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Servers of one cluster, as `HOST:PORT`: the others are learned of them.
    pub servers: Vec<String>,
    /// The stream.
    pub stream: String,
    /// What subjects begin with. A machine's is this, a dot and its name.
    pub prefix: String,
    /// On how many servers the stream has to be.
    pub replicas: usize,
}

/// How much a stream keeps.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// For so long,
    pub days: u32,
    /// and so many MiB, with which it takes nothing more.
    pub mib: u32,
}

/// Why nothing can be carried.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The papers.
    #[error(transparent)]
    Papers(#[from] TlsError),
    /// The servers.
    #[error("no server lets it in: {0}")]
    Connect(String),
    /// There is no such stream.
    #[error("there is no stream {0}: make it with `ringfort audit queue make`")]
    None(String),
    /// The stream is not what it has to be.
    #[error("stream {stream} {fault}")]
    Stream {
        /// Which.
        stream: String,
        /// In what it is not.
        fault: String,
    },
    /// The servers say no, or nothing.
    #[error("{0}")]
    Refused(String),
}

/// A connection to the servers.
pub struct Link {
    pub(crate) client: Client,
    pub(crate) context: Context,
    pub(crate) queue: Queue,
}

/// So long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Servers have to take messages that are as long as this, as they do where nothing else is said.
const LEAST_PAYLOAD: usize = 1 << 20;
/// For so long the stream knows what comes twice.
const TWICE: Duration = Duration::from_secs(600);

impl Link {
    /// Connects by TLS 1.3 with the own certificate. What is answered goes to subjects below `_INBOX.NAME`, so that
    /// servers can let everybody hear their own alone.
    ///
    /// # Errors
    /// The papers cannot be used, or no server is there.
    pub async fn open(queue: &Queue, papers: &Papers, name: &str) -> Result<Self, QueueError> {
        let options = ConnectOptions::new()
            .name(format!("ringfort {name}"))
            .custom_inbox_prefix(format!("_INBOX.{name}"))
            .tls_client_config(papers.client()?)
            .require_tls(true)
            .connection_timeout(PATIENCE);
        let client = options.connect(queue.servers.as_slice()).await;
        let client = client.map_err(|error| QueueError::Connect(with_causes(&error)))?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(PATIENCE);
        Ok(Self { client, context, queue: queue.clone() })
    }

    /// How long a message may be. A server says it before anybody knows who it is, and one that takes little would have
    /// entries left out: it is refused.
    pub(crate) fn most_payload(&self) -> Result<usize, QueueError> {
        match self.client.max_payload() {
            small if small < LEAST_PAYLOAD => Err(QueueError::Refused(format!(
                "the servers take messages of {small} bytes at most, and have to take {LEAST_PAYLOAD} (max_payload)"
            ))),
            enough => Ok(enough),
        }
    }

    /// Makes the stream, unless it is there and as it has to be. Says whether it was made.
    ///
    /// # Errors
    /// The servers refuse, or there is another of that name.
    pub async fn make(&self, kept: Kept) -> Result<bool, QueueError> {
        match self.stream().await {
            Ok(_) => return Ok(false),
            Err(QueueError::None(_)) => {}
            Err(error) => return Err(error),
        }
        let made = self.context.create_stream(wanted(&self.queue, kept)).await;
        made.map(|_| true).map_err(|error| match error.kind() {
            CreateStreamErrorKind::JetStream(error) => QueueError::Refused(error.to_string()),
            _ => QueueError::Refused(with_causes(&error)),
        })
    }

    /// Gives the stream, which keeps what it acknowledges.
    pub(crate) async fn stream(&self) -> Result<Stream, QueueError> {
        let name = &self.queue.stream;
        let stream = self.context.get_stream(name).await.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                QueueError::None(name.clone())
            }
            _ => QueueError::Refused(with_causes(&error)),
        })?;
        match fault(&self.queue, &stream.cached_info().config) {
            Some(fault) => Err(QueueError::Stream { stream: name.clone(), fault }),
            None => Ok(stream),
        }
    }
}

fn subjects(queue: &Queue) -> String {
    format!("{}.>", queue.prefix)
}

fn wanted(queue: &Queue, kept: Kept) -> Config {
    Config {
        name: queue.stream.clone(),
        description: Some("what ringfort's collectors keep, on its way to others".to_owned()),
        subjects: vec![subjects(queue)],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        num_replicas: queue.replicas,
        max_age: Duration::from_secs(86_400 * u64::from(kept.days)),
        max_bytes: i64::from(kept.mib) << 20,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        duplicate_window: TWICE,
        deny_delete: true,
        ..Config::default()
    }
}

/// Says in what a stream is not as it has to be, if it is not.
fn fault(queue: &Queue, config: &Config) -> Option<String> {
    let Config { subjects: found, num_replicas, .. } = config;
    let wanted = subjects(queue);
    if *found != [wanted.clone()] {
        return Some(format!("takes {}, and has to take {wanted} alone", found.join(", ")));
    }
    if *num_replicas < queue.replicas {
        return Some(format!(
            "is on {num_replicas} servers, and has to be on {}: what one acknowledges may be lost with it",
            queue.replicas
        ));
    }
    let rules = [
        (config.storage == StorageType::File, "has to keep on disk what it acknowledges"),
        (config.retention == RetentionPolicy::Limits, "has to keep what somebody has taken"),
        (config.discard == DiscardPolicy::New, "has to take nothing more when it is full"),
        (!config.no_ack, "has to acknowledge what it keeps"),
        (
            config.max_messages <= 0 && config.max_messages_per_subject <= 0,
            "may not have a limit of messages",
        ),
    ];
    let broken = rules.into_iter().find(|(is_kept, _)| !is_kept);
    broken.map(|(_, rule)| format!("{rule} (retention limits, discard new, storage file)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        let (stream, prefix) = ("AUDIT".to_owned(), "ringfort.audit".to_owned());
        Queue { servers: Vec::new(), stream, prefix, replicas: 3 }
    }

    #[test]
    fn a_stream_that_may_lose_what_it_acknowledged_is_refused() {
        let wanted = || wanted(&queue(), Kept { days: 7, mib: 64 });
        assert_eq!(fault(&queue(), &wanted()), None);
        let broken = [
            Config { num_replicas: 1, ..wanted() },
            Config { storage: StorageType::Memory, ..wanted() },
            Config { retention: RetentionPolicy::WorkQueue, ..wanted() },
            Config { discard: DiscardPolicy::Old, ..wanted() },
            Config { no_ack: true, ..wanted() },
            Config { max_messages_per_subject: 1, ..wanted() },
            Config { subjects: vec![">".to_owned()], ..wanted() },
        ];
        for config in broken {
            assert!(fault(&queue(), &config).is_some(), "{config:?}");
        }
    }
}
