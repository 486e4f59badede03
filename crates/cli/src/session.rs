//! A network to work on, for as long as one command takes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thru_lab::Internet;
use thru_net::Network;
use thru_net::iface::Iface;
use thru_net::lab::LabError;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use crate::place::Place;

/// The network of one command.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    /// The kernel's.
    Host(Network),
    /// Our own stack on an interface of this machine.
    Iface(Arc<Iface>),
    /// A running lab, seen from its client.
    Lab(Internet),
}

impl Session {
    /// The network as the user sees it.
    pub(crate) fn network(&self) -> Network {
        match self {
            Session::Host(network) => network.clone(),
            Session::Iface(iface) => iface.network(),
            Session::Lab(internet) => internet.client(),
        }
    }

    /// Completes when somebody at the terminal, or the system, wants this to end (SIGINT, SIGTERM), with the signal's
    /// number. A lab is done before anybody could.
    pub(crate) async fn interrupted(&self) -> i32 {
        match self {
            Session::Host(_) | Session::Iface(_) => interrupted().await,
            Session::Lab(_) => std::future::pending().await,
        }
    }

    /// Names that need no DNS: a lab's nodes may be called by their own names.
    pub(crate) fn hosts(&self) -> Vec<(String, IpAddr)> {
        match self {
            Session::Host(_) | Session::Iface(_) => Vec::new(),
            Session::Lab(internet) => internet.hosts(),
        }
    }

    /// A name for an address, where one is known without asking.
    pub(crate) fn name_of(&self, address: IpAddr) -> Option<String> {
        let Session::Lab(internet) = self else { return None };
        internet.scenario().names().into_iter().find(|(known, _)| *known == address).map(|(_, name)| name)
    }
}

impl Place {
    /// Runs `main` on this network: in virtual time in a lab, on the kernel's sockets otherwise.
    pub(crate) fn run<F, Fut, R>(self, main: F) -> Result<R, Failure>
    where
        F: FnOnce(Session) -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
        R: Send + 'static,
    {
        match self {
            Place::Host => Ok(real_time()?.block_on(async { main(Session::Host(Network::host())).await })),
            Place::Iface(wish) => real_time()?.block_on(async {
                let iface = Arc::new(wish.attach()?);
                tokio::select! {
                    biased;
                    settled = wish.settle_in(&iface) => settled?,
                    number = interrupted() => {
                        iface.leave(CLOSING).await;
                        thru_os::signals::end_by(number)
                    }
                }
                let result = tokio::select! {
                    biased;
                    result = main(Session::Iface(iface.clone())) => result,
                    number = interrupted() => {
                        // An address that was lent is given back.
                        iface.leave(CLOSING).await;
                        thru_os::signals::end_by(number)
                    }
                };
                iface.settle(CLOSING).await;
                iface.leave(CLOSING).await;
                Ok(result)
            }),
            Place::Lab { scenario, seed } => {
                let options = scenario.options(seed);
                let result = thru_net::lab::run(options, move |lab| async move {
                    match scenario.start(&lab).await {
                        Ok(internet) => Ok(main(Session::Lab(internet)).await),
                        Err(error) => Err(error),
                    }
                });
                match result {
                    Ok(Ok(result)) => Ok(result),
                    Ok(Err(error)) => Err(Failure::usage(
                        format!("cannot start the lab: {error}"),
                        "`thru lab show --expanded` shows its settings",
                    )),
                    Err(LabError::Limit(limit)) => Err(Failure::undecided(
                        format!("the lab was not done after {limit:?} of its time"),
                        "a scenario may raise its `limit`",
                    )),
                    // The panic hook has told it.
                    Err(LabError::Panicked(what)) => {
                        Err(Failure::undecided(format!("the lab broke down: {what}"), ""))
                    }
                }
            }
        }
    }
}

/// How long connections may take to close after the answer is there.
pub(crate) const CLOSING: Duration = Duration::from_secs(1);

/// Completes at SIGINT or SIGTERM, with its number. Within a runtime on the machine's clock; if that can't wait for
/// signals, they end the process as ever.
async fn interrupted() -> i32 {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    let [Ok(mut interrupts), Ok(mut ends)] = kinds.map(signal) else { return std::future::pending().await };
    tokio::select! {
        biased;
        _ = interrupts.recv() => kinds[0].as_raw_value(),
        _ = ends.recv() => kinds[1].as_raw_value(),
    }
}

/// A runtime on the machine's clock.
pub(crate) fn real_time() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::undecided(format!("cannot start: {error}"), "the system is out of a resource")
    })
}
