//! Our own stack on a simulated network, in virtual time, under an unmodified tokio.
//!
//! The simulation's clock counts nanoseconds; tokio's paused clock counts milliseconds. [`run`] joins them: whenever
//! tokio has no task ready, the park hook carries out the simulation's next event as long as it lies within tokio's
//! present millisecond. An event further off arms a *pacer*, a task that sleeps until that event's millisecond, so
//! that tokio's own timers before it keep their turn. Simulated time is the later of the two clocks.
//!
//! [`real`] is another driver of the same network, on the machine's clock, for real programs to join in.
//!
//! Price: a timer of tokio's is exact to a millisecond only; [`crate::Network::sleep`] is exact to the nanosecond.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use thru_sim::{NodeId, World};
use thru_stack::Host;
use thru_stack::random::Random;
use thru_wire::Instant;
use tokio::sync::Notify;

use crate::network::{Kind, Network};
use crate::own::{Driver, OwnNetwork};

pub mod real;

use real::Joined;

/// How to run a simulation.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Shown to people, as in `lab:internet`.
    pub name: String,
    /// Decides every random choice.
    pub seed: u64,
    /// The date at instant 0: nanoseconds since the Unix epoch.
    pub epoch_unix_nanos: u64,
    /// Give up when virtual time passes this.
    pub limit: Duration,
}

/// Why a simulation did not come to its end.
#[derive(Debug)]
pub enum LabError {
    /// Virtual time passed the limit: something waits for what never comes.
    Limit(Duration),
    /// A task panicked; what it said.
    Panicked(String),
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabError::Limit(limit) => write!(f, "the lab was not done after {limit:?} of virtual time"),
            LabError::Panicked(what) => write!(f, "the lab panicked: {what}"),
        }
    }
}

impl std::error::Error for LabError {}

/// Runs `main` in virtual time to its end, on a fresh thread with entropy of its own, so that nothing of an earlier
/// run shows. The network is whatever `main` builds through [`Lab::world`].
pub fn run<F, Fut, R>(options: LabOptions, main: F) -> Result<R, LabError>
where
    F: FnOnce(Lab) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
    R: Send + 'static,
{
    let thread = std::thread::Builder::new()
        .name(format!("lab {}", options.name))
        .stack_size(8 << 20)
        .spawn(move || run_here(options, main))
        .expect("the system has a thread to spare");
    match thread.join() {
        Ok(result) => result,
        Err(panic) => Err(LabError::Panicked(panic_text(&*panic))),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "for no reason it could tell".to_owned()
    }
}

fn run_here<F, Fut, R>(options: LabOptions, main: F) -> Result<R, LabError>
where
    F: FnOnce(Lab) -> Fut,
    Fut: Future<Output = R>,
{
    let _entropy = thru_os::entropy::enter(options.seed);
    let limit = options.limit;
    let shared = Arc::new(Shared::new(options, None));
    let hook = shared.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(move || hook.on_park())
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    let lab = Lab { shared: shared.clone() };
    let result = runtime.block_on(async move {
        shared.start();
        let pacer = tokio::spawn(pace(shared.clone()));
        let result = tokio::select! {
            biased;
            result = main(lab) => Ok(result),
            () = tokio::time::sleep(limit) => Err(LabError::Limit(limit)),
        };
        pacer.abort();
        result
    });
    // Tasks that are left over (servers) are dropped here, while the world still stands.
    drop(runtime);
    result
}

/// A running simulation. Cheap to clone.
#[derive(Clone)]
pub struct Lab {
    shared: Arc<Shared>,
}

impl Lab {
    /// Whether its time is virtual, and every run the same. If not, real programs may take part.
    pub fn is_virtual(&self) -> bool {
        self.shared.real.is_none()
    }

    /// The simulated network, locked. Never hold it across an await.
    pub fn world(&self) -> WorldGuard<'_> {
        match self.shared.real {
            // What is done to the world is done now.
            Some(_) => self.shared.world_now(),
            None => self.shared.world(),
        }
    }

    /// The network as `node` sees it; `resolvers` is what its resolv.conf would say.
    pub fn network(&self, node: NodeId, resolvers: Vec<SocketAddr>) -> Network {
        let driver = Arc::new(LabDriver { shared: self.shared.clone(), node });
        Network(Kind::Own(Arc::new(OwnNetwork {
            name: format!("lab:{}", self.shared.name),
            driver,
            resolvers,
        })))
    }

    /// The seed that decides every random choice.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// The present time.
    pub fn now(&self) -> Instant {
        self.shared.now()
    }

    /// Moves the lab's date, not its clock: the date at instant 0, in nanoseconds since the Unix epoch.
    pub fn set_epoch(&self, unix_nanos: u64) {
        self.shared.epoch_unix_nanos.store(unix_nanos, Ordering::Relaxed);
    }

    /// Sets one node's clock apart from all others: what it believes the date to be, in nanoseconds ahead (or, below 0,
    /// behind).
    pub fn set_clock_offset(&self, node: NodeId, nanos: i64) {
        self.shared.locals().entry(node).or_default().clock_offset = nanos;
    }

    /// The date at instant 0, in nanoseconds since the Unix epoch.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch_unix_nanos.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lab({}, seed {})", self.shared.name, self.shared.seed)
    }
}

/// The locked world. Where time is real, what the world then wants is carried out when the lock is let go.
pub struct WorldGuard<'a> {
    world: MutexGuard<'a, World>,
    shared: &'a Shared,
}

impl Deref for WorldGuard<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for WorldGuard<'_> {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Drop for WorldGuard<'_> {
    fn drop(&mut self) {
        if let Some(real) = &self.shared.real {
            real.settle(&mut self.world);
        }
    }
}

impl fmt::Debug for WorldGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldGuard").finish_non_exhaustive()
    }
}

struct Shared {
    name: String,
    seed: u64,
    epoch_unix_nanos: AtomicU64,
    world: Mutex<World>,
    /// What belongs to one node, however many networks of it there are.
    locals: Mutex<BTreeMap<NodeId, Local>>,
    /// Where tokio's clock stood when the run began.
    started: std::sync::OnceLock<tokio::time::Instant>,
    /// The millisecond until which the pacer shall sleep; `u64::MAX`: it has nothing to do.
    pacer_target: AtomicU64,
    pacer: Notify,
    /// Where time is real: what stands at the world's edge.
    real: Option<Joined>,
}

/// What a node has of its own beside its host.
#[derive(Debug, Default)]
struct Local {
    /// Counts draws, so that two draws for one purpose differ.
    draws: u64,
    /// How far its clock is ahead, nanoseconds.
    clock_offset: i64,
}

const MILLISECOND: u64 = 1_000_000;

impl Shared {
    fn new(options: LabOptions, real: Option<Joined>) -> Shared {
        Shared {
            world: Mutex::new(World::new(options.seed)),
            locals: Mutex::default(),
            name: options.name,
            seed: options.seed,
            epoch_unix_nanos: AtomicU64::new(options.epoch_unix_nanos),
            started: std::sync::OnceLock::new(),
            pacer_target: AtomicU64::new(u64::MAX),
            pacer: Notify::new(),
            real,
        }
    }

    fn world(&self) -> WorldGuard<'_> {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        WorldGuard { world, shared: self }
    }

    fn locals(&self) -> MutexGuard<'_, BTreeMap<NodeId, Local>> {
        self.locals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) {
        let _ = self.started.set(tokio::time::Instant::now());
    }

    fn started(&self) -> tokio::time::Instant {
        *self.started.get().expect("set when the run began")
    }

    /// Nanoseconds of tokio's clock, whole milliseconds; where time is real, of the machine's.
    fn tokio_nanos(&self) -> u64 {
        if let Some(real) = &self.real {
            return real.nanos();
        }
        match self.started.get() {
            // Outside the runtime (a stream dropped after the end) tokio's clock can't be asked.
            Some(started) if tokio::runtime::Handle::try_current().is_ok() => {
                u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
            }
            _ => 0,
        }
    }

    fn now(&self) -> Instant {
        self.world().now().max(Instant::from_nanos(self.tokio_nanos()))
    }

    /// The world, brought up to tokio's clock.
    fn world_now(&self) -> WorldGuard<'_> {
        let tokio = Instant::from_nanos(self.tokio_nanos());
        let mut world = self.world();
        if self.real.is_some() {
            // Another thread may have been here since the clock was read.
            if tokio > world.now() {
                world.run_until(tokio);
            }
        } else if tokio > world.now() {
            let until = tokio.min(world.next_event());
            world.advance_to(until);
        }
        world
    }

    /// No task is ready: carry out what is due until some task is.
    fn on_park(&self) {
        if self.started.get().is_none() {
            return;
        }
        let window_end = self.tokio_nanos() / MILLISECOND * MILLISECOND + MILLISECOND;
        let mut world = self.world();
        let wakes = world.wakes();
        while world.next_event().nanos() < window_end {
            world.step();
            if world.wakes() != wakes {
                return;
            }
        }
        let next = world.next_event();
        drop(world);
        let target = if next.is_never() { u64::MAX } else { next.nanos() / MILLISECOND };
        if self.pacer_target.swap(target, Ordering::Relaxed) != target {
            self.pacer.notify_one();
        }
    }
}

/// Makes tokio's clock stop at the millisecond of the simulation's next event.
async fn pace(shared: Arc<Shared>) {
    loop {
        let target = shared.pacer_target.load(Ordering::Relaxed);
        if target == u64::MAX {
            shared.pacer.notified().await;
            continue;
        }
        tokio::select! {
            biased;
            () = shared.pacer.notified() => {}
            () = tokio::time::sleep_until(shared.started() + Duration::from_millis(target)) => {
                // Reached: the next park carries the event out, and arms the pacer again.
                shared.pacer_target.store(u64::MAX, Ordering::Relaxed);
            }
        }
    }
}

struct LabDriver {
    shared: Arc<Shared>,
    node: NodeId,
}

impl Driver for LabDriver {
    fn call(&self, call: &mut dyn FnMut(&mut Host, Instant)) {
        self.shared.world_now().with_host(self.node, |host, now| call(host, now));
    }

    fn now(&self) -> Instant {
        self.shared.now()
    }

    fn origin(&self) -> std::time::Instant {
        match &self.shared.real {
            Some(real) => real.origin(),
            None => self.shared.started().into_std(),
        }
    }

    fn unix_time(&self) -> Duration {
        let offset = self.shared.locals().get(&self.node).map_or(0, |local| local.clock_offset);
        let epoch = self.shared.epoch_unix_nanos.load(Ordering::Relaxed);
        Duration::from_nanos(epoch.saturating_add(self.now().nanos()).saturating_add_signed(offset))
    }

    fn set_timer(&self, at: Instant, waker: Waker) -> u64 {
        self.shared.world_now().set_timer(at, waker)
    }

    fn cancel_timer(&self, key: u64) {
        self.shared.world().cancel_timer(key);
    }

    fn is_virtual(&self) -> bool {
        self.shared.real.is_none()
    }

    fn random(&self, purpose: &str, bytes: &mut [u8]) {
        if self.shared.real.is_some() {
            return thru_os::entropy::fill(bytes);
        }
        let draw = {
            let mut locals = self.shared.locals();
            let draws = &mut locals.entry(self.node).or_default().draws;
            *draws += 1;
            *draws - 1
        };
        let stream = format!("{purpose}/node {}/draw {draw}", self.node.0);
        Random::new(self.shared.seed, &stream).fill(bytes);
    }
}
