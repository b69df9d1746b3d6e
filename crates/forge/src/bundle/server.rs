//! A server of files for tests: good, altered, cut and broken off, on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How the server serves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// As it should.
    Good,
    /// With the last byte changed.
    Alters,
    /// Only the first bytes, as if that were all.
    Truncates { to: usize },
    /// Only so many bytes of each answer, so often, with or without answering for parts.
    BreaksOff { after: usize, times: usize, ranges: bool },
    /// Not at all.
    Lacks,
}

/// A server that serves as long as it is held.
pub(super) struct Server {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
}

struct Service {
    files: Vec<(&'static str, Vec<u8>)>,
    manner: Manner,
    broken: AtomicUsize,
    sent: Arc<AtomicU64>,
}

impl Server {
    /// Starts it with files by path.
    pub(super) fn start(files: Vec<(&'static str, Vec<u8>)>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let sent = Arc::new(AtomicU64::new(0));
        let service = Service { files, manner, broken: AtomicUsize::new(0), sent: sent.clone() };
        // The thread ends with the test's process: it owns nothing but its port.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that went away is not the server's fault.
                let _ = service.answer(stream);
            }
        });
        Self { address, sent }
    }

    /// Gives the address of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Says how many bytes of files were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Service {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let mut offset = None;
        for line in lines {
            let line = line?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            let range =
                line.strip_prefix("range: bytes=").and_then(|range| range.strip_suffix('-'));
            offset = offset.or(range.and_then(|first| first.parse().ok()));
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let file = self.files.iter().find(|(name, _)| *name == path);
        match file {
            Some((_, content)) if !matches!(self.manner, Manner::Lacks) => {
                self.send(&mut stream, content, offset)
            }
            _ => stream.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            ),
        }
    }

    fn send(
        &self,
        stream: &mut TcpStream,
        content: &[u8],
        offset: Option<usize>,
    ) -> std::io::Result<()> {
        let mut content = content.to_vec();
        match self.manner {
            Manner::Alters => *content.last_mut().expect("a file with content") ^= 1,
            Manner::Truncates { to } => content.truncate(to),
            _ => {}
        }
        let offset =
            offset.filter(|_| !matches!(self.manner, Manner::BreaksOff { ranges: false, .. }));
        let whole = content.len();
        if offset.is_some_and(|offset| offset >= whole) {
            return stream.write_all(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let rest = &content[offset.unwrap_or_default()..];
        let status = match offset {
            None => "200 OK".to_owned(),
            Some(first) => {
                format!("206 Partial Content\r\nContent-Range: bytes {first}-{}/{whole}", whole - 1)
            }
        };
        let length = rest.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
        let rest = match self.manner {
            Manner::BreaksOff { after, times, .. }
                if self.broken.fetch_add(1, Ordering::SeqCst) < times =>
            {
                &rest[..after.min(rest.len())]
            }
            _ => rest,
        };
        self.sent.fetch_add(rest.len() as u64, Ordering::SeqCst);
        stream.write_all(rest)
    }
}
