//! `thru dig NAME +chain`: the chain of trust as text, JSON, or a picture.

use std::path::Path;

use serde_json::{Value, json};
use thru_names::dnssec::chain::{Chain, Signature, State, svg, text};
use thru_names::resolver::ResolverConfig;
use thru_names::text::{name_text, type_text};
use thru_probe::dig::DigRequest;
use thru_probe::dig::chain::chain;
use thru_report::json as report_json;

use crate::Outcome;
use crate::failure::{FAULT, HEALTHY};
use crate::session::Session;
use crate::{output, save};

/// Follows the chain. A broken one is a fault found; an unsigned name is none.
pub(super) async fn run(
    session: &Session,
    request: &DigRequest,
    roots: ResolverConfig,
    json: bool,
) -> Outcome {
    let chain = chain(&session.network(), roots, &request.name, request.record_type).await;
    if json {
        output::print(&report_json::line("dig-chain", &object(&chain)));
    } else {
        for line in text::draw(&chain).lines() {
            output::print(&super::escape(line));
        }
    }
    // What cannot be written does not take the answer along.
    if let Some(file) = &request.svg {
        let picture = svg::draw(&chain);
        std::fs::write(file, picture).map_err(|error| save::cannot("write", Path::new(file), &error))?;
        output::say(&format!("chain of trust drawn in {file}\n"));
    }
    Ok(if chain.broken().is_some() { FAULT } else { HEALTHY })
}

/// The chain for programs.
pub(super) fn object(chain: &Chain) -> Value {
    let signatures = |list: &[Signature]| -> Vec<Value> {
        list.iter()
            .map(|one| {
                json!({
                    "type": type_text(one.covered), "key": one.tag, "inception": one.inception,
                    "expiration": one.expiration,
                })
            })
            .collect()
    };
    let links: Vec<Value> = chain
        .links
        .iter()
        .map(|link| {
            let ds: Vec<Value> = link
                .vouches
                .iter()
                .map(|ds| {
                    json!({
                        "key": ds.tag, "algorithm": ds.algorithm, "digest_type": ds.digest_type,
                        "matches": ds.matches,
                    })
                })
                .collect();
            let keys: Vec<Value> = link
                .keys
                .iter()
                .map(|key| {
                    json!({
                        "tag": key.tag, "algorithm": key.algorithm, "entry_point": key.entry_point,
                        "vouched": key.vouched, "revoked": key.revoked,
                    })
                })
                .collect();
            json!({
                "zone": name_text(&link.zone), "state": state(&link.state), "ds": ds,
                "ds_signatures": signatures(&link.vouches_signed), "keys": keys,
                "key_signatures": signatures(&link.keys_signed),
            })
        })
        .collect();
    let leaf = chain.leaf.as_ref().map(|leaf| {
        json!({
            "name": name_text(&leaf.name), "type": type_text(leaf.rtype), "says": leaf.says,
            "state": state(&leaf.state), "signatures": signatures(&leaf.signed),
        })
    });
    let broken = chain.broken().map(|(at, problem)| {
        json!({
            "at": name_text(at), "code": problem.code, "what": problem.what, "rfc": problem.rfc,
        })
    });
    let mut object =
        json!({ "links": links, "answer": leaf, "broken": broken, "summary": text::summary(chain) });
    // Where an alias leads into another zone.
    if let Some(next) = &chain.next {
        object["next"] = self::object(next);
    }
    object
}

fn state(state: &State) -> &'static str {
    match state {
        State::Secure => "secure",
        State::Insecure(_) => "insecure",
        State::Broken(_) => "broken",
    }
}
