//! `+chain`: the chain of trust of an answer, looked at link by link by ourselves.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::dnssec::chain::{Chain, Walk};
use thru_names::resolver::ResolverConfig;
use thru_net::Network;

use crate::resolve::iterate::Driver;

/// Follows the chain of trust down to this question's answer. `config` says where to ask and which anchors to begin
/// with; nothing is validated on the way but by the walk itself.
pub async fn chain(
    network: &Network,
    mut config: ResolverConfig,
    name: &Name,
    record_type: RecordType,
) -> Chain {
    let now = u32::try_from(network.unix_time().as_secs()).unwrap_or(u32::MAX);
    let mut walk = Walk::new(name, record_type, &config.anchors, now);
    config.validate = false;
    let mut driver = Driver::new(network, config);
    let mut token = 0;
    while let Some((name, record_type)) = walk.wanted() {
        token += 1;
        driver.query(token, &name, record_type, true);
        let (_, answer) = driver.wait().await;
        match (&answer.extended_error, answer.code) {
            (why, ResponseCode::ServFail) => {
                let why = why.as_ref().map_or("its servers fail", |(_, text)| text.as_str());
                walk.failed(why);
            }
            _ => walk.heard(answer.code.into(), &answer.sections),
        }
    }
    walk.finish()
}
