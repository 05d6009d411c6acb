use std::io::{self, BufRead, Write};

/// A client's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path with its query.
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut lines = reader.lines();
        let mut line =
            move || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
        let first = line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let header = line()?;
            match header.split_once(':') {
                Some((name, value)) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                None => return Ok(Self { method, path, headers }),
            }
        }
    }

    /// The value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first and last byte of a `Range: bytes=first-last` header, cut at the end of a file of
    /// `length` bytes.
    pub fn range(&self, length: usize) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let end = length.saturating_sub(1);
        let last = if last.is_empty() { end } else { last.parse().ok()? };
        Some((first.parse().ok()?, last.min(end)))
    }
}

/// A server's answer.
#[derive(Debug, Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    sent_bytes: usize,
}

impl Response {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), sent_bytes: usize::MAX }
    }

    /// 200 with a body.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    /// 302 to another address.
    pub fn redirect(url: &str) -> Self {
        Self::status(302).with_header("Location", url)
    }

    /// A file, or the requested range of it (206, or 416 for one outside). An `If-Range` other than
    /// the ETag set by [`file_with_etag`](Self::file_with_etag) gets the whole file.
    pub fn file(request: &Request, content: &[u8]) -> Self {
        let Some((first, last)) = request.range(content.len()) else {
            return Self::body(content).with_header("Accept-Ranges", "bytes");
        };
        if first >= content.len() {
            let total = format!("bytes */{}", content.len());
            return Self::status(416).with_header("Content-Range", &total);
        }
        Self { status: 206, ..Self::body(&content[first..=last]) }
            .with_header("Content-Range", &format!("bytes {first}-{last}/{}", content.len()))
    }

    /// [`file`](Self::file) with an ETag for the version; `If-Range` with another ETag gets the
    /// whole file, `If-Match` with another gets 412.
    pub fn file_with_etag(request: &Request, content: &[u8], etag: &str) -> Self {
        if request.header("if-match").is_some_and(|mark| mark != etag) {
            return Self::status(412);
        }
        let stale = request.header("if-range").is_some_and(|mark| mark != etag);
        let response = if stale { Self::body(content) } else { Self::file(request, content) };
        response.with_header("ETag", etag)
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Announces the whole body but hangs up after this many bytes of it.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.sent_bytes = bytes;
        self
    }

    pub(crate) fn write(&self, stream: &mut impl Write) -> io::Result<()> {
        write!(stream, "HTTP/1.1 {} Test\r\nConnection: close\r\n", self.status)?;
        write!(stream, "Content-Length: {}\r\n", self.body.len())?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(&self.body[..self.body.len().min(self.sent_bytes)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(range: &str) -> Request {
        let text = format!("GET /a?b=c HTTP/1.1\r\nHost: x\r\nRange: {range}\r\n\r\n");
        Request::read(&mut text.as_bytes()).unwrap()
    }

    fn written(response: &Response) -> String {
        let mut bytes = Vec::new();
        response.write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_range_is_cut_out_of_the_file() {
        let reply = written(&Response::file(&request("bytes=2-4"), b"abcdefgh"));
        assert!(reply.starts_with("HTTP/1.1 206 ") && reply.ends_with("\r\n\r\ncde"), "{reply}");
        assert!(reply.contains("Content-Range: bytes 2-4/8\r\n"), "{reply}");
        assert!(written(&Response::file(&request("bytes=6-"), b"abcdefgh")).ends_with("gh"));
        assert!(written(&Response::file(&request("bytes=8-"), b"abcdefgh")).contains(" 416 "));
    }

    #[test]
    fn a_cut_answer_announces_more_than_it_sends() {
        let reply = written(&Response::body("abcdef").cut_after(2));
        assert!(
            reply.contains("Content-Length: 6\r\n") && reply.ends_with("\r\n\r\nab"),
            "{reply}"
        );
    }
}
