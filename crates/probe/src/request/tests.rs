use bytes::Bytes;
use thru_serve::web::{Announced, Answer as SiteAnswer, Behaviour, Delivery, Door, Site, pages};
use thru_trace::{Outcome, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::testing::{Place, SHOP, Visitor, in_lab, on_host, url};

const VERSIONS: [&str; 3] = ["http/1.1", "h2", "h3"];

mod clients;
mod determinism;
mod healthy;
mod hostile;
mod misbehaving;
mod page_load;
