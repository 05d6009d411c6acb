//! Asks a running server whether it lives: `serve --health`, for containers.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use services::ServeConfig;

/// How long to wait for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server at the configured address.
///
/// # Errors
/// When it does not answer, or says that it does not live.
pub(crate) fn ask(config: &ServeConfig) -> Result<()> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}/healthz", reachable(config.address));
    // Another part of the program may have installed it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .timeout(PATIENCE)
        // It is this machine itself, whatever name its certificate has.
        .danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .context("set up a client")?;
    let answer = client.get(&address).send().context("ask the server whether it lives")?;
    let status = answer.status();
    let text = answer.text().context("read the server's answer")?;
    if !status.is_success() {
        bail!("find a server that lives at {address}: it answered {status}: {text}");
    }
    writeln!(std::io::stdout(), "{text}").context("print the answer")
}

/// An address that a server with this address answers at.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_address_is_asked_on_this_machine() {
        let of = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(of("[::]:8080"), "[::1]:8080");
        assert_eq!(of("10.0.0.7:80"), "10.0.0.7:80");
    }
}
