//! The same seed gives the same bytes at the same times.

use thru_sim::link::{Chance, Loss, Pipe};

use super::page::{Way, load};
use super::*;
use crate::testing::in_lab_over;

/// Every frame of one page load: when it passed and what it was, and the secrets.
fn frames(seed: u64, way: Way) -> (Vec<(u64, Bytes)>, String) {
    let pipe =
        Pipe { delay: Duration::from_millis(10), loss: Loss::Random(Chance(10_000_000)), ..Pipe::default() };
    in_lab_over(pipe, seed, move |lab, place| async move {
        let server = place.serve(vec![place.shop()]).await;
        let visitor = place.visitor();
        let page = url("/page30");
        load(&visitor.recorder, None, &visitor.tls, server.secure(), &page, way, &visitor.limits)
            .await
            .unwrap();
        let sightings = lab.world().take_sightings();
        (sightings.into_iter().map(|seen| (seen.at.nanos(), seen.bytes)).collect(), visitor.key_log.text())
    })
}

#[test]
fn the_same_seed_repeats_every_byte_and_nanosecond() {
    for way in Way::ALL {
        let (one, again, other) = (frames(1, way), frames(1, way), frames(2, way));
        assert!(one.0.len() > 100, "{way}: {} frames", one.0.len());
        let differing = one.0.iter().zip(&again.0).position(|(one, again)| one != again);
        assert_eq!(differing, None, "{way}: the first frame that differs");
        assert_eq!(one.0.len(), again.0.len(), "{way}");
        assert_eq!(one.1, again.1, "{way}: secrets");
        assert_ne!(one.1, other.1, "{way}: another seed has other secrets");
    }
}
