//! The HTTP API of Toxiproxy (version 2), so that its clients work unchanged: `/proxies`, `/proxies/{p}/toxics`,
//! `/populate`, `/reset`, `/version`.
//!
//! Requests of browsers are refused, as Toxiproxy does: a page could otherwise reach it.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use thru_net::TcpListener;

use super::toxic::{Kind, Stream, Toxic, ToxicError};
use super::{ImpairError, Impairer, ProxyState};

/// The version of Toxiproxy whose API this is: clients compare it.
pub const VERSION: &str = "2.9.0";
/// Larger bodies are refused.
const BODY_MAX: usize = 1 << 20;
/// Connections at a time; further ones wait.
const CONNECTIONS_MAX: usize = 256;

/// Answers requests that come in by `listener` until it is dropped.
pub async fn serve(impairer: Impairer, listener: TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((stream, _)) = accepted else { continue };
                let impairer = impairer.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(impairer.clone(), request));
                    // What ends a connection early is the client's business.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .auto_date_header(false)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }
    }
}

/// What went wrong: a status and a word for it.
type Wrong = (StatusCode, String);

async fn answer(impairer: Impairer, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let agent = request.headers().get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.starts_with("Mozilla/")) {
        return Ok(written(StatusCode::FORBIDDEN, "User agent not allowed\n".into()));
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = match Limited::new(request.into_body(), BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ok(wrong((StatusCode::BAD_REQUEST, format!("bad request body: {error}")))),
    };
    let result = route(&impairer, &method, &path, &body).await;
    Ok(match result {
        Ok((status, Some(value))) => written(status, value.to_string()),
        Ok((status, None)) => written(status, String::new()),
        Err(error) => wrong(error),
    })
}

fn wrong((status, error): Wrong) -> Response<Full<Bytes>> {
    written(status, format!("{}\n", json!({ "error": error, "status": status.as_u16() })))
}

fn written(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

async fn route(
    impairer: &Impairer,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<(StatusCode, Option<Value>), Wrong> {
    let words: Vec<String> = path.split('/').filter(|word| !word.is_empty()).map(decoded).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (get, post, delete) = (*method == Method::GET, *method == Method::POST, *method == Method::DELETE);
    let change = post || *method == Method::PATCH;
    let ok = |value: Value| Ok((StatusCode::OK, Some(value)));
    match words[..] {
        ["version"] if get => ok(json!({ "version": VERSION })),
        ["reset"] if post => {
            impairer.reset().await.map_err(told)?;
            Ok((StatusCode::NO_CONTENT, None))
        }
        ["proxies"] if get => {
            let all = impairer.list().into_iter().map(|proxy| (proxy.name.clone(), as_json(&proxy)));
            ok(Value::Object(all.collect()))
        }
        ["proxies"] if post => {
            let proxy = impairer.create(wished(&object(body)?)?).await.map_err(told)?;
            Ok((StatusCode::CREATED, Some(as_json(&proxy))))
        }
        ["populate"] if post => populate(impairer, body).await,
        ["proxies", name] if get => ok(as_json(&impairer.get(name).map_err(told)?)),
        ["proxies", name] if change => {
            let fields = object(body)?;
            let [listen, upstream] = ["listen", "upstream"].map(|key| text(&fields, key));
            let enabled = fields.get("enabled").and_then(Value::as_bool);
            ok(as_json(&impairer.update(name, listen, upstream, enabled).await.map_err(told)?))
        }
        ["proxies", name] if delete => {
            impairer.remove(name).map_err(told)?;
            Ok((StatusCode::NO_CONTENT, None))
        }
        ["proxies", name, "toxics"] if get => {
            let toxics = impairer.get(name).map_err(told)?.toxics;
            ok(toxics.iter().map(toxic_json).collect())
        }
        ["proxies", name, "toxics"] if post => {
            impairer.get(name).map_err(told)?;
            let toxic = impairer.add_toxic(name, new_toxic(&object(body)?)?).map_err(told)?;
            ok(toxic_json(&toxic))
        }
        ["proxies", name, "toxics", toxic] if get => {
            let toxics = impairer.get(name).map_err(told)?.toxics;
            let found = toxics.iter().find(|found| found.name == toxic);
            ok(toxic_json(found.ok_or_else(|| told(ImpairError::NoToxic))?))
        }
        ["proxies", name, "toxics", toxic] if change => {
            let fields = object(body)?;
            let changed = impairer.set_toxic(name, toxic, |toxic| {
                set(toxic, &fields);
                Ok(())
            });
            ok(toxic_json(&changed.map_err(told)?))
        }
        ["proxies", name, "toxics", toxic] if delete => {
            impairer.remove_toxic(name, toxic).map_err(told)?;
            Ok((StatusCode::NO_CONTENT, None))
        }
        _ => Err((StatusCode::NOT_FOUND, format!("there is no {method} {path}"))),
    }
}

/// `%20` and the like.
fn decoded(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let pair = after.get(..2).filter(|_| byte == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Creates the proxies of a list; those that are there and go elsewhere are replaced.
async fn populate(impairer: &Impairer, body: &[u8]) -> Result<(StatusCode, Option<Value>), Wrong> {
    let bad = |error: String| (StatusCode::BAD_REQUEST, format!("bad request body: {error}"));
    let list: Vec<Map<String, Value>> =
        serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    let wishes = list.iter().map(wished).collect::<Result<Vec<_>, _>>()?;
    let mut made = Vec::new();
    for wish in wishes {
        let same = impairer.get(&wish.name).ok();
        if let Some(there) = same {
            if there.upstream == wish.upstream && (there.listen == wish.listen || wish.listen.is_empty()) {
                let name = wish.name.clone();
                made.push(impairer.update(&name, None, None, Some(wish.enabled)).await.map_err(told)?);
                continue;
            }
            impairer.remove(&wish.name).map_err(told)?;
        }
        made.push(impairer.create(wish).await.map_err(told)?);
    }
    let made: Vec<Value> = made.iter().map(as_json).collect();
    Ok((StatusCode::CREATED, Some(json!({ "proxies": made }))))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Wrong> {
    serde_json::from_slice(body)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("bad request body: {error}")))
}

fn text(fields: &Map<String, Value>, key: &str) -> Option<String> {
    fields.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn wished(fields: &Map<String, Value>) -> Result<ProxyState, Wrong> {
    let needed = |key: &'static str| {
        text(fields, key).filter(|value| !value.is_empty()).ok_or_else(|| told(ImpairError::Missing(key)))
    };
    Ok(ProxyState {
        name: needed("name")?,
        listen: text(fields, "listen").unwrap_or_default(),
        upstream: needed("upstream")?,
        enabled: fields.get("enabled").and_then(Value::as_bool).unwrap_or(true),
        toxics: Vec::new(),
    })
}

fn new_toxic(fields: &Map<String, Value>) -> Result<Toxic, Wrong> {
    let kind = text(fields, "type").and_then(|name| Kind::named(&name));
    let kind = kind.ok_or_else(|| told(ImpairError::Toxic(ToxicError::Kind)))?;
    let stream = match text(fields, "stream").filter(|name| !name.is_empty()) {
        Some(name) => Stream::named(&name).ok_or_else(|| told(ImpairError::Toxic(ToxicError::Stream)))?,
        None => Stream::Downstream,
    };
    let mut toxic = Toxic { name: text(fields, "name").unwrap_or_default(), stream, toxicity: 1.0, kind };
    set(&mut toxic, fields);
    Ok(toxic)
}

/// Toxicity and attributes that are there; numbers may come as 1000 or 1000.0.
fn set(toxic: &mut Toxic, fields: &Map<String, Value>) {
    if let Some(toxicity) = fields.get("toxicity").and_then(Value::as_f64) {
        toxic.toxicity = toxicity;
    }
    for (key, value) in fields.get("attributes").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.as_u64().or_else(|| value.as_f64().map(|value| value.max(0.0) as u64)) {
            // A time of centuries would overflow a clock.
            toxic.kind.set(key, value.min(1 << 50));
        }
    }
}

fn as_json(proxy: &ProxyState) -> Value {
    let toxics: Vec<Value> = proxy.toxics.iter().map(toxic_json).collect();
    json!({
        "name": proxy.name, "listen": proxy.listen, "upstream": proxy.upstream, "enabled": proxy.enabled,
        "toxics": toxics,
    })
}

fn toxic_json(toxic: &Toxic) -> Value {
    let attributes = toxic.kind.attributes().into_iter().map(|(key, value)| (key.to_owned(), value.into()));
    json!({
        "name": toxic.name, "type": toxic.kind.name(), "stream": toxic.stream.name(), "toxicity": toxic.toxicity,
        "attributes": attributes.collect::<Map<String, Value>>(),
    })
}

/// Toxiproxy's words.
fn told(error: ImpairError) -> Wrong {
    let (status, words) = match error {
        ImpairError::NoProxy => (StatusCode::NOT_FOUND, "proxy not found".to_owned()),
        ImpairError::ProxyExists => (StatusCode::CONFLICT, "proxy already exists".to_owned()),
        ImpairError::NoToxic => (StatusCode::NOT_FOUND, "toxic not found".to_owned()),
        ImpairError::Toxic(ToxicError::Kind) => (StatusCode::BAD_REQUEST, "invalid toxic type".to_owned()),
        ImpairError::Toxic(ToxicError::Stream) => {
            (StatusCode::BAD_REQUEST, "stream was invalid, can be either upstream or downstream".to_owned())
        }
        ImpairError::Toxic(ToxicError::Exists) => (StatusCode::CONFLICT, "toxic already exists".to_owned()),
        ImpairError::Toxic(ToxicError::Toxicity) => {
            (StatusCode::BAD_REQUEST, "bad request body: toxicity is between 0 and 1".to_owned())
        }
        ImpairError::Missing(field) => (StatusCode::BAD_REQUEST, format!("missing required field: {field}")),
        ImpairError::Listen(words) => (StatusCode::INTERNAL_SERVER_ERROR, words),
    };
    (status, words)
}
