//! Timers that follow the network's clock, exact to the nanosecond in a lab.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use thru_wire::Instant;

use crate::network::{Kind, Network};
use crate::own::Driver;

/// Completes at its instant. Can be reset.
pub struct Sleep(Inner);

enum Inner {
    Kernel(Pin<Box<tokio::time::Sleep>>),
    Own { driver: Arc<dyn Driver>, at: Instant, armed: Option<u64> },
}

impl Sleep {
    pub(crate) fn new(network: &Network, at: Instant) -> Sleep {
        match &network.0 {
            Kind::Kernel => {
                Sleep(Inner::Kernel(Box::pin(tokio::time::sleep_until(network.to_std(at).into()))))
            }
            Kind::Own(own) => Sleep(Inner::Own { driver: own.driver.clone(), at, armed: None }),
        }
    }

    /// Completes at `at` instead.
    pub fn reset(&mut self, at: Instant) {
        match &mut self.0 {
            Inner::Kernel(sleep) => {
                let std = Network::host().to_std(at);
                sleep.as_mut().reset(std.into());
            }
            Inner::Own { driver, at: due, armed } => {
                if let Some(key) = armed.take() {
                    driver.cancel_timer(key);
                }
                *due = at;
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Inner::Kernel(sleep) => sleep.as_mut().poll(cx),
            Inner::Own { driver, at, armed } => {
                if let Some(key) = armed.take() {
                    driver.cancel_timer(key);
                }
                if driver.now() >= *at {
                    return Poll::Ready(());
                }
                *armed = Some(driver.set_timer(*at, cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Inner::Own { driver, armed: Some(key), .. } = &self.0 {
            driver.cancel_timer(*key);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleep")
    }
}
