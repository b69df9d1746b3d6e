//! A connection that has to end within a time, however slowly the other side goes on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// A connection, and until when it may last.
pub(super) struct Timed {
    tcp: TcpStream,
    until: Instant,
}

impl Timed {
    pub(super) fn new(tcp: TcpStream, patience: Duration) -> Self {
        Self { tcp, until: Instant::now() + patience }
    }

    /// Begins to count anew.
    pub(super) fn lasts(&mut self, patience: Duration) {
        self.until = Instant::now() + patience;
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long")),
            false => Ok(left),
        }
    }

    /// Says that nothing more is sent.
    pub(super) fn shut(&self) -> io::Result<()> {
        self.tcp.shutdown(Shutdown::Write)
    }

    /// Lets the other side read what was said last: a connection that is closed with something unread is cut.
    pub(super) fn linger(&mut self) {
        self.until = self.until.min(Instant::now() + LINGER);
        let mut rest = [0; 4096];
        let mut left = LINGER_BYTES;
        if self.shut().is_err() {
            return;
        }
        while let Ok(count @ 1..) = self.read(&mut rest) {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    }
}

const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.left()?))?;
        self.tcp.read(buffer).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.left()?))?;
        self.tcp.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "it takes too long"),
        _ => error,
    }
}
