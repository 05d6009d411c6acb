use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// The fault for requests that pass the proxy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// Requests and answers arrive.
    Pass,
    /// The connection closes at once.
    HangUp,
    /// There is never an answer.
    Silence,
    /// The proxy answers itself: the status with its reason, headers, body.
    Answer(&'static str, &'static str, &'static str),
    /// They arrive; the answers do not, and the connection closes.
    LoseAnswers,
    /// Answers arrive later by this much.
    Delay(Duration),
    /// Like [`Answer`](Self::Answer), for requests whose first line contains this; others pass.
    AnswerIf(&'static str, &'static str),
}

/// A TCP proxy before a server, with faults on demand.
pub(crate) struct FaultyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    fault: Fault,
    /// Number of requests that had the present fault.
    hits: usize,
    connections: Vec<TcpStream>,
    is_stopped: bool,
}

impl FaultyProxy {
    /// Listens on a free port, and forwards to another port of this machine.
    pub(crate) fn start(upstream: u16) -> Self {
        Self::start_at("127.0.0.1", upstream)
    }

    /// Listens on a free port of one of this machine's addresses.
    pub(crate) fn start_at(host: &str, upstream: u16) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            State { fault: Fault::Pass, hits: 0, connections: Vec::new(), is_stopped: false };
        let shared =
            Arc::new(Shared { upstream, state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.state.lock().unwrap().is_stopped {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the fault from now on; open connections are closed.
    pub(crate) fn set(&self, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        state.fault = fault;
        state.hits = 0;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Waits until the present fault has affected this many requests.
    pub(crate) fn wait_for_hits(&self, hits: usize) {
        let state = self.shared.state.lock().unwrap();
        let long = Duration::from_secs(60);
        let (state, timeout) =
            self.shared.changed.wait_timeout_while(state, long, |state| state.hits < hits).unwrap();
        assert!(!timeout.timed_out(), "{:?} hit {} requests, not {hits}", state.fault, state.hits);
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.set(Fault::HangUp);
        self.shared.state.lock().unwrap().is_stopped = true;
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn hit(&self) {
        self.state.lock().unwrap().hits += 1;
        self.changed.notify_all();
    }

    /// Serves one request, so that each request gets the fault of its time.
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let connection = client.try_clone()?;
        let served = self.pass_on(client);
        connection.shutdown(Shutdown::Both)?;
        served
    }

    fn pass_on(&self, client: TcpStream) -> io::Result<()> {
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.connections.push(client.try_clone()?);
            state.fault.clone()
        };
        let mut reader = BufReader::new(client.try_clone()?);
        let mut writer = client;
        if fault == Fault::HangUp {
            self.hit();
            return Ok(());
        }
        let head = read_head(&mut reader)?;
        let first = head.lines().next().unwrap_or_default();
        let answer = match &fault {
            Fault::Answer(status, headers, body) => Some((*status, *headers, *body)),
            Fault::AnswerIf(part, status) if first.contains(part) => Some((*status, "", "")),
            _ => None,
        };
        if let Some((status, headers, body)) = answer {
            io::copy(&mut (&mut reader).take(content_length(&head)), &mut io::sink())?;
            self.hit();
            let length = body.len();
            return write!(
                writer,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
            );
        }
        if fault == Fault::Silence {
            self.hit();
            return io::copy(&mut reader, &mut io::sink()).map(drop);
        }
        let mut upstream = TcpStream::connect(("127.0.0.1", self.upstream))?;
        upstream.write_all(closing(&head).as_bytes())?;
        io::copy(&mut (&mut reader).take(content_length(&head)), &mut upstream)?;
        match fault {
            Fault::LoseAnswers => {
                // The request is done when the answer begins.
                upstream.read_exact(&mut [0])?;
                self.hit();
                return Ok(());
            }
            Fault::Delay(delay) => {
                self.hit();
                thread::sleep(delay);
            }
            _ => {}
        }
        io::copy(&mut upstream, &mut writer).map(drop)
    }
}

fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn content_length(head: &str) -> u64 {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// The head, with a header that closes the connection after the answer.
fn closing(head: &str) -> String {
    head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
}
