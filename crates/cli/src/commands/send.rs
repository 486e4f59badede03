//! `thru send`: packets of an expression on any network, and the answers matched to them.

mod fill;
mod told;

use std::io;

use thru_craft::mutate::{Seeded, mutate};
use thru_craft::{Packet, Plan};
use thru_net::Network;
use thru_net::packet::PacketSocket;
use thru_probe::send::matching::Link;
use thru_probe::send::{Question, SendOptions, send};

use self::fill::Filler;
use self::told::Told;
use super::craft::save::Save;
use super::craft::{ETHERNET, RAW, link_of, not_a_packet, plan};
use crate::args::packets::SendArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::place::Place;
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(args: &SendArgs) -> Outcome {
    let plan = plan(&args.expression, args.limit)?;
    let link = link_of(&plan);
    if link != ETHERNET && link != RAW {
        return Err(Failure::usage(
            format!("a packet to send can't begin with `{}`", plan.first_layer().name()),
            "begin with ip, ipv6, or (on an interface or in a lab) eth",
        ));
    }
    let count = plan.count().saturating_mul(u128::from(args.repeat));
    if count > u128::from(args.limit) {
        return Err(Failure::usage(
            format!("these are {count} packets, more than {}", args.limit),
            "repeat less, or raise --limit",
        ));
    }
    // Nothing in an expression names a lab: it has to be said.
    let place = Place::choose(&args.place, "")?;
    let save = args.write.as_deref().map(|path| Save::new(path, link)).transpose()?;
    let args = args.clone();
    place.run(move |session| async move {
        let network = session.network();
        let socket = network.packets().await.map_err(|error| cannot(&error))?;
        let mut random = [0; 8];
        random.copy_from_slice(&network.random("packets to send")[..8]);
        let random = u64::from_be_bytes(random);
        let seed = args.fuzz.map(|seed| seed.unwrap_or(random >> 32));
        if let Some(seed) = seed {
            output::say(&format!("changed by seed {seed}: --fuzz={seed} sends the same again\n"));
        }
        let questions = Questions::new(&args.expression, plan, args.repeat, &network, &socket, random, seed);
        let questions = questions.all()?;
        let options = SendOptions { interval: args.interval, timeout: args.timeout };
        let mut told = Told::new(&args, link, save, network.clone());
        // Interrupted it tells what there is to tell.
        let stop = async {
            session.interrupted().await;
        };
        let summary = send(&network, &socket, questions, options, stop, |event| told.take(event))
            .await
            .map_err(|error| cannot(&error))?;
        told.finish(&summary)?;
        Ok(if summary.answered > 0 { HEALTHY } else { FAULT })
    })?
}

/// The packets, made one after the other.
struct Questions<'a> {
    text: &'a str,
    plan: Plan,
    repeat: u64,
    filler: Filler<'a>,
    link: Link,
    seed: Option<u64>,
}

impl<'a> Questions<'a> {
    fn new(
        text: &'a str,
        plan: Plan,
        repeat: u64,
        network: &'a Network,
        socket: &PacketSocket,
        random: u64,
        seed: Option<u64>,
    ) -> Questions<'a> {
        let link = if link_of(&plan) == ETHERNET { Link::Ethernet } else { Link::Ip };
        let filler = Filler::new(network, socket.hardware_address(), random);
        Questions { text, plan, repeat, filler, link, seed }
    }

    /// All of them; what makes no packet is known before the first is sent.
    fn all(mut self) -> Result<Vec<Question>, Failure> {
        let mut random = self.seed.map(Seeded::new);
        let mut questions = Vec::new();
        for _ in 0..self.repeat {
            for packet in self.plan.packets() {
                let packet = self.filler.fill(packet, questions.len() as u64)?;
                let bytes = match &mut random {
                    Some(random) => changed(&packet, random),
                    None => packet.bytes(),
                };
                let bytes = bytes.map_err(|error| not_a_packet(self.text, &error))?;
                questions.push(Question { link: self.link, bytes });
            }
        }
        Ok(questions)
    }
}

/// The packet changed at random; one that would be too large is changed otherwise.
fn changed(packet: &Packet, random: &mut Seeded) -> Result<Vec<u8>, thru_craft::CraftError> {
    for _ in 0..16 {
        if let Ok(bytes) = mutate(packet, random).bytes()
            && bytes.len() <= 1_514
        {
            return Ok(bytes);
        }
    }
    packet.bytes()
}

fn cannot(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::undecided(
            "this user may not send and see whole packets",
            "run as root, or once: `sudo setcap cap_net_raw+ep $(command -v thru)`, or try `--on lab`",
        ),
        io::ErrorKind::Unsupported => Failure::usage(
            format!("cannot send: {error}"),
            "frames with an Ethernet header need `--on iface:NAME` or `--on lab`",
        ),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Failure::undecided(
            format!("cannot send: {error}"),
            "is the destination right, and is there a route? `ip route` tells",
        ),
        _ => Failure::undecided(format!("cannot send: {error}"), ""),
    }
}
