//! One connection, from the first byte to the last.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::listen::connections::{BusyGuard, Connection, OpenConnection};
use crate::listen::listening::Listening;

/// The longest time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers requests on a connection until the client ends it, it is idle for too long, it must be
/// closed for another one, or the server stops.
pub(super) async fn hold(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    listening: Listening,
    entered: OpenConnection,
) {
    let connection = Arc::clone(&entered.connection);
    let idle = Duration::from_secs_f64(listening.settings.idle_seconds);
    // Answers are small and needed at once.
    let _ = stream.set_nodelay(true);
    let stream = Watched { stream, connection: Arc::clone(&connection) };
    let talk = async {
        let Some(tls) = tls else {
            return speak(stream, peer, router, &listening, &connection, idle).await;
        };
        let agreed = tokio::time::timeout(HANDSHAKE.min(idle), tls.accept(stream)).await;
        if let Ok(Ok(stream)) = agreed {
            speak(stream, peer, router, &listening, &connection, idle).await;
        }
    };
    tokio::select! {
        () = talk => {}
        () = connection.silent(idle) => listening.connections.was_silent(idle),
        () = connection.must_leave() => {}
    }
    drop(entered);
}

/// HTTP/1 or HTTP/2, depending on the client's first bytes.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    listening: &Listening,
    connection: &Arc<Connection>,
    idle: Duration,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(idle);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (mut router, busy) = (router.clone(), connection.busy());
        async move {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let response: Response = router.call(request).await?;
            Ok::<_, Infallible>(response.map(|body| Answer { body, busy }))
        }
    });
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // Clients may break off at any time; there is nobody to report it to.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = listening.lifecycle.stopped() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// An answer's body. While the server makes a part of it, the connection is busy; once a part is
/// ready, the client is expected to read it.
struct Answer {
    body: Body,
    busy: BusyGuard,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.busy.made(bytes);
            }
            Poll::Ready(_) => self.busy.set(false),
            Poll::Pending => self.busy.set(true),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose outgoing bytes are counted.
struct Watched {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Watched {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let bytes = ready!(written)?;
        self.connection.wrote(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
