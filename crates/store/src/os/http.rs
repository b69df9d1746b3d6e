//! As much of HTTP/1.1 as is spoken here: one request of a known length, one answer, and the end. What heads say is
//! read by httparse.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::SocketAddr;

use httparse::{EMPTY_HEADER, Header, Status};

use super::tls::Tls;

/// What is asked.
#[derive(Debug)]
pub struct Request {
    /// What is to be done.
    pub method: String,
    /// To what.
    pub path: String,
    /// What was sent with it.
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What is said.
    pub body: Vec<u8>,
}

impl Answer {
    /// Answers with a value.
    pub fn json(status: u16, value: &impl serde::Serialize) -> Self {
        Self { status, body: serde_json::to_vec(value).expect("an answer is plain data") }
    }

    /// Answers with words.
    pub fn said(status: u16, said: &dyn std::fmt::Display) -> Self {
        Self::json(status, &serde_json::json!({ "said": said.to_string() }))
    }
}

/// No head is longer than this.
const MOST_HEAD: usize = 16 << 10;
const MOST_FIELDS: usize = 64;
/// No answer is longer than this, where nothing else was said.
const MOST_ANSWER: usize = 1 << 20;
/// So much of a text is read at most.
const MOST_TEXT: u64 = 64 << 20;

fn none() -> io::Error {
    io::Error::other("it does not answer as HTTP does")
}

/// Reads the head of an answer, and gives its status: three digits and some words.
pub(super) fn status(stream: &mut impl Read) -> io::Result<String> {
    let (head, _) = read_head(stream)?.ok_or_else(none)?;
    Ok(response(&head)?.0)
}

/// Gives what the head of an answer says: its status, and the length of what follows.
fn response(head: &[u8]) -> io::Result<(String, Option<usize>)> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let Ok(Status::Complete(_)) = response.parse(head) else { return Err(none()) };
    let code = response.code.ok_or_else(none)?;
    let words = response.reason.unwrap_or_default().chars();
    let words: String = words.filter(|it| !it.is_control()).take(60).collect();
    Ok((format!("{code} {words}"), length(response.headers)))
}

/// Reads up to the empty line, and gives what came behind it as well. Nothing comes of a stream that ends before, or of
/// too much.
fn read_head(stream: &mut impl Read) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    const END: &[u8] = b"\r\n\r\n";
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(at) = all.windows(END.len()).position(|it| it == END) {
            let rest = all.split_off(at + END.len());
            return Ok(Some((all, rest)));
        }
        if all.len() > MOST_HEAD {
            return Ok(None);
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Gives the length of what follows a head, which has to say it once.
fn length(fields: &[Header<'_>]) -> Option<usize> {
    let mut lengths = fields.iter().filter(|it| it.name.eq_ignore_ascii_case("content-length"));
    let (one, other) = (lengths.next()?, lengths.next());
    let digits = std::str::from_utf8(one.value).ok().filter(|_| other.is_none())?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Reads on until there are so many bytes.
fn fill(stream: &mut impl Read, body: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let missing = length.saturating_sub(body.len()) as u64;
    // More than was announced is nobody's.
    body.truncate(length);
    stream.take(missing).read_to_end(body)?;
    match body.len() == length {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early")),
    }
}

/// Asks a server, and gives the status of its answer and what it says.
pub(super) fn ask(
    tls: &Tls,
    at: SocketAddr,
    what: (&str, &str),
    body: &[u8],
) -> io::Result<(String, Vec<u8>)> {
    ask_for(tls, at, what, body, MOST_ANSWER)
}

/// Asks a server whose answer may be so long.
pub(super) fn ask_for(
    tls: &Tls,
    at: SocketAddr,
    (method, path): (&str, &str),
    body: &[u8],
    most: usize,
) -> io::Result<(String, Vec<u8>)> {
    let mut stream = tls.connect(at)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: ringfort\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    let (head, mut rest) = read_head(&mut stream)?.ok_or_else(none)?;
    let (said, length) = response(&head)?;
    let length = length.filter(|length| *length <= most).ok_or_else(none)?;
    fill(&mut stream, &mut rest, length)?;
    Ok((said, rest))
}

/// Asks for a text whose length no server says beforehand, and visits its lines. Gives the status. By HTTP/1.0 the end of
/// the text is that of the connection, and TLS says whether that is the end.
pub(super) fn lines(
    tls: &Tls,
    at: SocketAddr,
    path: &str,
    visit: &mut dyn FnMut(&str),
) -> io::Result<String> {
    let mut stream = tls.connect(at)?;
    let head = format!("GET {path} HTTP/1.0\r\nHost: {at}\r\nUser-Agent: ringfort\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.flush()?;
    answered(&mut stream, visit)
}

/// Reads an answer that ends with its connection.
fn answered(stream: &mut impl Read, visit: &mut dyn FnMut(&str)) -> io::Result<String> {
    let (head, rest) = read_head(stream)?.ok_or_else(none)?;
    let said = response(&head)?.0;
    let text = BufReader::new(rest.as_slice().chain(stream).take(MOST_TEXT));
    for line in text.lines() {
        visit(&line?);
    }
    Ok(said)
}

/// Reads a request, or gives the status with which it is refused.
///
/// # Errors
/// What it comes by cannot be read, or ends before the request does.
pub fn request(stream: &mut impl Read, most_body: usize) -> io::Result<Result<Request, u16>> {
    let Some((head, mut body)) = read_head(stream)? else { return Ok(Err(400)) };
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut asked = httparse::Request::new(&mut fields);
    let is_whole = matches!(asked.parse(&head), Ok(Status::Complete(_)));
    let (true, Some(method), Some(path), Some(1)) =
        (is_whole, asked.method, asked.path, asked.version)
    else {
        return Ok(Err(400));
    };
    let is_said = |name: &str| asked.headers.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    if is_said("transfer-encoding") || is_said("content-encoding") {
        return Ok(Err(411));
    }
    let length = match (length(asked.headers), is_said("content-length")) {
        (Some(length), _) => length,
        (None, false) if method == "GET" => 0,
        (None, _) => return Ok(Err(411)),
    };
    if length > most_body {
        return Ok(Err(413));
    }
    fill(stream, &mut body, length)?;
    Ok(Ok(Request { method: method.to_owned(), path: path.to_owned(), body }))
}

/// Writes an answer.
pub(super) fn answer(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let Answer { status, body } = answer;
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        if *status < 300 { "OK" } else { "No" },
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::{answered, request};

    fn read(text: &str) -> Result<String, u16> {
        let read = request(&mut text.as_bytes(), 20).unwrap();
        read.map(|it| format!("{} {} {}", it.method, it.path, String::from_utf8_lossy(&it.body)))
    }

    #[test]
    fn a_request_is_one_of_a_known_length() {
        let post = |head: &str, body: &str| read(&format!("POST /a HTTP/1.1\r\n{head}\r\n{body}"));
        assert_eq!(post("Content-Length: 2\r\n", "ab"), Ok("POST /a ab".to_owned()));
        assert_eq!(post("content-length: 2\r\n", "abGET"), Ok("POST /a ab".to_owned()));
        assert_eq!(read("GET /a HTTP/1.1\r\n\r\n"), Ok("GET /a ".to_owned()));
        assert_eq!(post("", "ab"), Err(411));
        assert_eq!(post("Content-Length: 21\r\n", ""), Err(413));
        assert_eq!(post("Content-Length: +2\r\n", "ab"), Err(411));
        assert_eq!(post("Content-Length: 2\r\nContent-Length: 1\r\n", "ab"), Err(411));
        assert_eq!(post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "ab"), Err(411));
        assert_eq!(read("POST /a HTTP/1.0\r\n\r\n"), Err(400));
        assert_eq!(read("POST /a b HTTP/1.1\r\n\r\n"), Err(400));
        assert_eq!(read("nothing"), Err(400));
        assert_eq!(read(&"a".repeat(20_000)), Err(400));
        let half = b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nab";
        assert!(request(&mut &half[..], 20).is_err());
    }

    #[test]
    fn an_answer_of_unknown_length_is_read_to_its_end_line_by_line() {
        let said = |mut stream: &mut dyn Read| {
            let mut lines = Vec::new();
            let status = answered(&mut stream, &mut |line| lines.push(line.to_owned()));
            status.map(|status| format!("{status}: {}", lines.join("|")))
        };
        let text = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\nb 2\nc 3";
        assert_eq!(said(&mut &text[..]).unwrap(), "200 OK: a 1|b 2|c 3");
        assert_eq!(said(&mut &b"HTTP/1.0 403 Forbidden\r\n\r\n"[..]).unwrap(), "403 Forbidden: ");
        assert!(said(&mut &b"nothing"[..]).is_err());
        // A connection that is cut is no end.
        struct Cut;
        impl Read for Cut {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        assert!(said(&mut (&text[..]).chain(Cut)).is_err());
    }
}
