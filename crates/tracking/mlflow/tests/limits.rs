//! Servers with endless answers.

#![cfg(test)]

use std::io::{Read, Write};
use std::net::TcpListener;

use mlflow::{Client, Settings};

#[test]
fn an_answer_without_end_is_given_up_and_not_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(&[b' '; 64 * 1024]).is_ok() {}
        }
    });
    let once = |name: &str| (name == "MLFLOW_HTTP_REQUEST_MAX_RETRIES").then(|| "0".to_owned());
    let client = Client::new(&Settings::for_server(&address, once).unwrap()).unwrap();
    let error = client.server_info().unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
}
