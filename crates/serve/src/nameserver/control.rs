//! Orders from other programs of the same user: one line in, one JSON object out, over a socket in the file system.
//!
//! `flush`, `flush NAME` and `stats`, and what the program adds; that is what `thru dns` speaks.

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

/// Orders of the program's own: the words of one, and what to say to it; `None`: it is unknown.
pub type MoreFn = dyn Fn(&[&str]) -> Option<Value> + Send + Sync;

/// Takes orders until dropped, one after the other.
pub async fn serve(listener: &UnixListener, engine: Engine, more: &MoreFn) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // Whoever is slow, or breaks off, has no claim on the others' time.
        let _ = tokio::time::timeout(LIMIT, answer(stream, &engine, more)).await;
    }
}

async fn answer(stream: UnixStream, engine: &Engine, more: &MoreFn) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(ORDER_MAX).read_line(&mut line).await?;
    let mut text = obey(line.trim(), engine, more).to_string();
    text.push('\n');
    stream.get_mut().write_all(text.as_bytes()).await?;
    stream.get_mut().shutdown().await
}

fn obey(order: &str, engine: &Engine, more: &MoreFn) -> Value {
    let words: Vec<&str> = order.split_whitespace().collect();
    match words[..] {
        ["stats"] => engine.report(),
        ["flush"] => json!({ "flushed": ".", "entries": engine.flush(None) }),
        ["flush", name] => match parse_name(name) {
            Ok(name) => json!({ "flushed": name_text(&name), "entries": engine.flush(Some(&name)) }),
            Err(why) => json!({ "error": format!("`{name}` is no name: {why}") }),
        },
        _ => more(&words)
            .unwrap_or_else(|| json!({ "error": format!("`{order}` is no order that is known here") })),
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
