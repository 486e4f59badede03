//! Orders from other programs of the same user: one line in, one JSON object out, over a socket in the file system.
//!
//! `flush`, `flush NAME` and `stats`; that is what `thru dns` speaks.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thru_names::text::{name_text, parse_name};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::Engine;

/// Octets of an order.
const ORDER_MAX: u64 = 4096;
/// How long an order, or its answer, may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Takes orders until dropped, one after the other.
pub async fn serve(listener: &UnixListener, engine: Engine) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // Whoever is slow, or breaks off, has no claim on the others' time.
        let _ = tokio::time::timeout(LIMIT, answer(stream, &engine)).await;
    }
}

async fn answer(stream: UnixStream, engine: &Engine) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(ORDER_MAX).read_line(&mut line).await?;
    let mut text = obey(line.trim(), engine).to_string();
    text.push('\n');
    stream.get_mut().write_all(text.as_bytes()).await?;
    stream.get_mut().shutdown().await
}

fn obey(order: &str, engine: &Engine) -> Value {
    let mut words = order.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("stats"), None, None) => engine.report(),
        (Some("flush"), None, None) => json!({ "flushed": ".", "entries": engine.flush(None) }),
        (Some("flush"), Some(name), None) => match parse_name(name) {
            Ok(name) => json!({ "flushed": name_text(&name), "entries": engine.flush(Some(&name)) }),
            Err(why) => json!({ "error": format!("`{name}` is no name: {why}") }),
        },
        _ => json!({ "error": "known are: stats, flush, flush NAME" }),
    }
}

/// Gives an order to the server whose socket this is.
pub async fn order(socket: &Path, order: &str) -> io::Result<Value> {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(format!("{order}\n").as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        serde_json::from_str(&text).map_err(io::Error::other)
    };
    tokio::time::timeout(LIMIT, exchange).await.map_err(|_| io::ErrorKind::TimedOut)?
}
