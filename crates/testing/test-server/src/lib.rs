//! An HTTP/1.1 server for tests. It listens on a free port of this machine, answers each request
//! through a closure, records the requests, and stops when it is dropped.
//!
//! ```
//! use test_server::{Response, TestServer};
//!
//! let server = TestServer::start(|request| match request.path.as_str() {
//!     "/scans.zip" => Response::file(request, b"PK\x03\x04..."),
//!     _ => Response::status(404),
//! });
//! assert!(server.url("/scans.zip").starts_with("http://127.0.0.1:"));
//! ```

mod message;

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

pub use message::{Request, Response};

/// A running server.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    requests: Mutex<Vec<Request>>,
}

impl TestServer {
    /// Starts to listen. `respond` is called for each request, from several threads at a time.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(respond: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let accepting = {
            let (shared, respond) = (Arc::clone(&shared), Arc::new(respond));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let (shared, respond) = (Arc::clone(&shared), Arc::clone(&respond));
                    // A client that hangs up is not an error here.
                    thread::spawn(move || serve(stream, &shared, &*respond));
                }
            })
        };
        Self { address, shared, accepting: Some(accepting) }
    }

    /// The address of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// An address of this machine without a listener.
///
/// # Panics
/// When no port is free.
pub fn closed_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    format!("http://{address}")
}

fn serve(
    stream: TcpStream,
    shared: &Shared,
    respond: &dyn Fn(&Request) -> Response,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let request = Request::read(&mut reader)?;
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let mut stream = reader.into_inner();
    respond(&request).write(&mut stream)?;
    stream.flush()
}
