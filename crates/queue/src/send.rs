//! Sends entries: each is acknowledged when a majority of the stream's servers has it.

use std::future::IntoFuture as _;

use async_nats::jetstream::message::PublishMessage;
use futures::future::join_all;
use ringfort_model::causes::with_causes;

use crate::carried::Carried;
use crate::link::{Link, QueueError};

/// Sends what a machine keeps.
pub struct Sender {
    link: Link,
    machine: String,
    subject: String,
}

/// So many are on their way together.
const AT_ONCE: usize = 256;
/// What servers put around a message of ours.
const AROUND: usize = 1024;

impl Sender {
    /// Sends for a machine.
    ///
    /// # Errors
    /// There is no stream, or it is not what it has to be.
    pub async fn new(link: Link, machine: &str) -> Result<Self, QueueError> {
        link.stream().await?;
        let subject = format!("{}.{machine}", link.queue.prefix);
        Ok(Self { link, machine: machine.to_owned(), subject })
    }

    /// Sends entries. When it returns well the stream has all of them, and has had none twice lately. Gives how many were
    /// too long for the servers, and were named instead.
    ///
    /// # Errors
    /// It may have some of them: the same are to be sent again.
    pub async fn send(&self, entries: &[Carried]) -> Result<u64, QueueError> {
        let mut too_long = 0;
        // The client holds back what waits for an answer, and nobody reads answers before all are sent.
        for entries in entries.chunks(AT_ONCE) {
            too_long += self.send_some(entries).await?;
        }
        Ok(too_long)
    }

    async fn send_some(&self, entries: &[Carried]) -> Result<u64, QueueError> {
        let most = self.link.most_payload()? - AROUND;
        let (mut waiting, mut too_long) = (Vec::with_capacity(entries.len()), 0);
        let refused = |error: &dyn std::error::Error| QueueError::Refused(with_causes(error));
        for entry in entries {
            let (packed, is_replaced) = entry.packed(most);
            too_long += u64::from(is_replaced);
            let message = PublishMessage::build()
                .payload(packed.into())
                .message_id(format!("{}.{}", self.machine, entry.id()))
                .expected_stream(&self.link.queue.stream);
            let sent = self.link.context.send_publish(self.subject.clone(), message).await;
            waiting.push(sent.map_err(|error| refused(&error))?.into_future());
        }
        for acknowledged in join_all(waiting).await {
            acknowledged.map_err(|error| refused(&error))?;
        }
        Ok(too_long)
    }
}
