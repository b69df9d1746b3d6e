//! Leads standard input and output to a TCP port, so that only SSH must be open to the operator.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a connection may take to be made.
const LIMIT: Duration = Duration::from_secs(5);

/// Bytes that are passed on at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Passes bytes both ways until the port's side ends; the end of input is passed on as well.
///
/// # Errors
/// No connection could be made, or it broke.
pub fn connect(
    to: SocketAddr,
    mut input: impl Read + Send + 'static,
    mut output: impl Write,
) -> io::Result<()> {
    let stream = TcpStream::connect_timeout(&to, LIMIT)?;
    stream.set_nodelay(true)?;
    let mut sending = stream.try_clone()?;
    // This thread may wait for input that never comes; the program ends without it.
    std::thread::spawn(move || {
        let passed = pass(&mut input, &mut sending);
        let end = if passed.is_ok() { Shutdown::Write } else { Shutdown::Both };
        let _ = sending.shutdown(end);
    });
    pass(&mut &stream, &mut output)
}

/// Passes bytes on as they come: nothing may wait in a buffer.
fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&piece[..count]).and_then(|()| to.flush())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::connect;

    #[test]
    fn both_ways_end_to_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).unwrap();
            stream.write_all(b"answer").unwrap();
            heard
        });
        let mut output = Vec::new();
        connect(at, &b"question"[..], &mut output).unwrap();
        assert_eq!(
            (server.join().unwrap().as_slice(), output.as_slice()),
            (&b"question"[..], &b"answer"[..])
        );
    }
}
