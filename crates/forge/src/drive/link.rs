//! The conversation with one machine: requests out, answers matched to them.
//!
//! Steps are answered in any order, by number; everything else is answered in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};

use ringfort_host::Pipe;
use ringfort_model::frame::{self, Answer, Decoder, FRAME_VERSION, Request};
use ringfort_model::name::NodeName;
use ringfort_model::step::{Outcome, Step};

/// Says how a conversation ended before its time.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// The channel closed.
    #[error("{node}: the channel closed{}", said(.why))]
    Closed {
        /// Which machine.
        node: NodeName,
        /// The last that was heard.
        why: String,
    },
    /// The machine refused.
    #[error("{node}: {why}")]
    Refused {
        /// Which machine.
        node: NodeName,
        /// Its reason, and what to do.
        why: String,
    },
    /// The machine answered something else.
    #[error("{node}: answered {heard} to {asked}: both sides must run the same binary")]
    Astray {
        /// Which machine.
        node: NodeName,
        /// What was asked.
        asked: &'static str,
        /// What came.
        heard: String,
    },
}

fn said(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// The conversation with one machine.
#[derive(Clone)]
pub struct Link {
    node: NodeName,
    outbox: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    closing: Arc<Notify>,
}

#[derive(Default)]
struct Waiting {
    steps: BTreeMap<u64, oneshot::Sender<Outcome>>,
    others: VecDeque<oneshot::Sender<Answer>>,
    closed: Option<String>,
}

impl Waiting {
    /// Tells everybody who waits that nothing comes any more; the first reason stands.
    fn close(&mut self, why: String) {
        self.closed.get_or_insert(why);
        self.steps.clear();
        self.others.clear();
    }
}

impl Link {
    /// Greets a machine in an epoch; 0 looks without acting. Gives the epoch that it has seen before,
    /// and who acts there at this moment.
    ///
    /// # Errors
    /// The machine refuses: an older epoch, another operator, another version.
    pub async fn greet(
        node: NodeName,
        pipe: Pipe,
        epoch: u64,
        operator: &str,
    ) -> Result<(Self, u64, Option<String>), LinkError> {
        let (outbox, inbox) = mpsc::channel(64);
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let closing = Arc::new(Notify::new());
        tokio::spawn(converse(pipe, inbox, Arc::clone(&waiting), Arc::clone(&closing)));
        let link = Self { node, outbox, waiting, closing };
        let operator = operator.to_owned();
        let hello = Request::Hello { version: FRAME_VERSION, epoch, operator };
        match link.ask(&hello, &[]).await? {
            Answer::Welcome { version: FRAME_VERSION, epoch, busy } => Ok((link, epoch, busy)),
            other => Err(link.astray("hello", &other)),
        }
    }

    /// Gives the machine's name.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Asks something that is answered in order.
    ///
    /// # Errors
    /// The channel closed, or the machine refused.
    pub async fn ask(&self, request: &Request, tail: &[u8]) -> Result<Answer, LinkError> {
        tracing::debug!(node = %self.node, request = kind(request), "asks");
        let (tell, hear) = oneshot::channel();
        // The frame goes out under the lock, so that questions and answers keep one order.
        let permit = self.outbox.reserve().await.map_err(|_| self.closed())?;
        {
            let mut waiting = self.waiting.lock().map_err(|_| self.closed())?;
            if waiting.closed.is_some() {
                drop(waiting);
                return Err(self.closed());
            }
            waiting.others.push_back(tell);
            permit.send(frame::encode(request, tail));
        }
        match hear.await.map_err(|_| self.closed())? {
            Answer::Refused { why } => Err(LinkError::Refused { node: self.node.clone(), why }),
            answer => Ok(answer),
        }
    }

    /// Sends something that is not answered.
    ///
    /// # Errors
    /// The channel closed.
    pub async fn tell(&self, request: &Request, tail: &[u8]) -> Result<(), LinkError> {
        self.outbox.send(frame::encode(request, tail)).await.map_err(|_| self.closed())
    }

    /// Has a step done.
    ///
    /// # Errors
    /// The channel closed; whether the step was done shows when the machine is asked again.
    pub async fn apply(&self, seq: u64, step: Step, tail: &[u8]) -> Result<Outcome, LinkError> {
        let (tell, hear) = oneshot::channel();
        tracing::debug!(node = %self.node, seq, item = %step.item, control = step.by, "asks for a step");
        {
            let mut waiting = self.waiting.lock().map_err(|_| self.closed())?;
            if waiting.closed.is_some() {
                drop(waiting);
                return Err(self.closed());
            }
            waiting.steps.insert(seq, tell);
        }
        self.tell(&Request::Apply { seq, step }, tail).await?;
        hear.await.map_err(|_| self.closed())
    }

    /// Ends the conversation for good, since an answer did not come in time. The machine's lock goes
    /// with the channel, so what is still under way there is never beside what is asked later.
    pub fn close(&self, why: &str) {
        tracing::warn!(node = %self.node, why, "closes the conversation");
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.close(why.to_owned());
        }
        self.closing.notify_one();
    }

    pub(crate) fn astray(&self, asked: &'static str, heard: &Answer) -> LinkError {
        let heard = format!("{heard:?}").chars().take(60).collect();
        LinkError::Astray { node: self.node.clone(), asked, heard }
    }

    fn closed(&self) -> LinkError {
        let why = self.waiting.lock().ok().and_then(|waiting| waiting.closed.clone());
        LinkError::Closed { node: self.node.clone(), why: why.unwrap_or_default() }
    }
}

/// Names a request for the log, which never holds what is in it.
fn kind(request: &Request) -> &'static str {
    match request {
        Request::Hello { .. } => "hello",
        Request::Survey => "survey",
        Request::Listen { .. } => "listen",
        Request::Reach { .. } => "reach",
        Request::Observe { .. } => "observe",
        Request::Lacks { .. } => "lacks",
        Request::Store { .. } => "store",
        Request::Apply { .. } => "apply",
        Request::Members => "members",
        Request::Bye => "bye",
    }
}

async fn converse(
    pipe: Pipe,
    mut inbox: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    closing: Arc<Notify>,
) {
    let (mut reader, mut writer, end) = pipe.into_parts();
    let write = async {
        while let Some(bytes) = inbox.recv().await {
            if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    };
    let waiting_read = Arc::clone(&waiting);
    let read = async move {
        let mut decoder = Decoder::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match reader.read(&mut buffer).await {
                Ok(0) => return String::new(),
                Ok(count) => count,
                Err(error) => return error.to_string(),
            };
            decoder.push(&buffer[..count]);
            loop {
                match decoder.pop::<Answer>() {
                    Ok(Some((answer, _))) => deliver(&waiting_read, answer),
                    Ok(None) => break,
                    Err(error) => return error.to_string(),
                }
            }
        }
    };
    let why = tokio::select! {
        why = read => Some(why),
        () = write => Some(String::new()),
        () = closing.notified() => None,
    };
    // At the end of its input the machine's half ends, and lets go of its lock.
    let _ = tokio::time::timeout(GOODBYE_LIMIT, writer.shutdown()).await;
    let why = match why {
        None => String::new(),
        Some(why) => Some(end.complaint().await).filter(|text| !text.is_empty()).unwrap_or(why),
    };
    if let Ok(mut waiting) = waiting.lock() {
        waiting.close(why);
    }
}

/// How long the channel may take to carry the end of what is said.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

fn deliver(waiting: &Mutex<Waiting>, answer: Answer) {
    let Ok(mut waiting) = waiting.lock() else { return };
    // A listener that has gone needs no answer.
    match answer {
        Answer::Applied { seq, outcome } => {
            if let Some(tell) = waiting.steps.remove(&seq) {
                let _ = tell.send(outcome);
            }
        }
        other => {
            if let Some(tell) = waiting.others.pop_front() {
                let _ = tell.send(other);
            }
        }
    }
}
