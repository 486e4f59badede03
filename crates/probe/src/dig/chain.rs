//! `+chain`: the chain of trust of an answer, as our own validator saw it.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::dnssec::chain::Chain;
use thru_names::resolver::ResolverConfig;
use thru_net::Network;

use crate::resolve::iterate::Driver;

/// Resolves and validates this question from the root down, with nothing known before; the chain of trust behind what
/// came of it. `config` says where to ask and which anchors to begin with.
pub async fn chain(
    network: &Network,
    mut config: ResolverConfig,
    name: &Name,
    record_type: RecordType,
) -> Chain {
    config.validate = true;
    let mut driver = Driver::new(network, config);
    driver.query(0, name, record_type, false);
    let (_, answer) = driver.wait().await;
    let mut chain = driver.chain(&answer);
    // Where nobody answers, nothing was validated: how far the chain holds is learned from the names above.
    let mut labels = name.iter().len();
    while answer.code == ResponseCode::ServFail && chain.links.is_empty() && labels > 0 {
        driver.query(labels as u64, &name.trim_to(labels), RecordType::DS, false);
        driver.wait().await;
        chain = driver.chain(&answer);
        labels -= 1;
    }
    chain
}
