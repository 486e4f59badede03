//! Zones that are signed here and stay so: made anew before their signatures end, rolled to other keys, read again.

use std::sync::Arc;
use std::time::Duration;

use thru_names::authority::SignedZone;
use thru_names::dnssec::signing::live::LiveZone;
use thru_net::Network;
use thru_wire::Instant;

/// Told each time that a zone has a new version: the place to write down where its keys are.
pub type SaveFn = dyn Fn(&LiveZone) + Send + Sync;

/// However far away the next step is, the date is looked at as often: clocks get set.
const LOOK: Duration = Duration::from_secs(3600);
/// After a step that could not be taken.
const AGAIN: Duration = Duration::from_secs(60);

/// The zones, and their clock.
#[derive(Default)]
pub(super) struct Signed {
    zones: Vec<LiveZone>,
    save: Option<Box<SaveFn>>,
    /// How far the zones' clock is ahead of the network's, for rehearsals.
    ahead: Duration,
    due: Option<Instant>,
}

impl Signed {
    pub(super) fn new(zones: Vec<LiveZone>, save: Box<SaveFn>) -> Signed {
        Signed { zones, save: Some(save), ..Signed::default() }
    }

    /// Moves the zones' clock.
    pub(super) fn wait(&mut self, time: Duration) {
        self.ahead += time;
    }

    /// The date of these zones: seconds since 1970.
    pub(super) fn date(&self, network: &Network) -> u64 {
        (network.unix_time() + self.ahead).as_secs()
    }

    pub(super) fn zones(&mut self) -> &mut Vec<LiveZone> {
        &mut self.zones
    }

    pub(super) fn holds(&self, origin: &thru_names::proto::rr::Name) -> bool {
        self.zones.iter().any(|zone| zone.origin() == origin)
    }

    /// When [`Signed::advance`] has something to do.
    pub(super) fn next_deadline(&self) -> Instant {
        self.due.unwrap_or(Instant::NEVER)
    }

    /// Takes the steps that are due.
    pub(super) fn advance(&mut self, network: &Network) {
        let date = self.date(network);
        for zone in &mut self.zones {
            zone.advance(date);
        }
    }

    /// Versions that differ from what is served, each written down; and the time of the next look is set.
    pub(super) fn news(
        &mut self,
        network: &Network,
        served: impl Fn(&LiveZone) -> Option<Arc<SignedZone>>,
    ) -> Vec<Arc<SignedZone>> {
        let date = self.date(network);
        let next = self.zones.iter().map(LiveZone::next_deadline).min();
        self.due = next.map(|next| {
            let wait = if next > date { Duration::from_secs(next - date).min(LOOK) } else { AGAIN };
            network.now() + wait
        });
        let is_new = |zone: &&LiveZone| served(zone).is_none_or(|old| !Arc::ptr_eq(&old, zone.zone()));
        let news = self.zones.iter().filter(is_new);
        news.inspect(|zone| self.save.iter().for_each(|save| save(zone)))
            .map(|zone| Arc::clone(zone.zone()))
            .collect()
    }
}
