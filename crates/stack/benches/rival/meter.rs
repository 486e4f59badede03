//! Processor time and the allocator's count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted.
pub(crate) struct Counting;

#[expect(unsafe_code, reason = "the trait is unsafe; every call is handed on as it came")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        HELD.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        HELD.fetch_add(size as u64, Relaxed);
        HELD.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Bytes allocated and not freed.
pub(crate) fn held() -> u64 {
    HELD.load(Relaxed)
}

/// What something cost. `packets` may be connections.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) nanos: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) allocations: u64,
}

impl Cost {
    pub(crate) fn nanos_per_packet(&self) -> f64 {
        self.nanos as f64 / self.packets as f64
    }

    pub(crate) fn bytes_per_nano(&self) -> f64 {
        self.bytes as f64 / self.nanos as f64
    }
}

/// The cost in the middle.
pub(crate) fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.nanos_per_packet().total_cmp(&b.nanos_per_packet()));
    costs.swap_remove(costs.len() / 2)
}

/// Runs from `start` to `stop`.
pub(crate) struct Meter {
    nanos: u64,
    allocations: u64,
}

impl Meter {
    pub(crate) fn start() -> Meter {
        Meter { nanos: cpu_nanos(), allocations: ALLOCATIONS.load(Relaxed) }
    }

    pub(crate) fn stop(self, packets: u64, bytes: u64) -> Cost {
        let allocations = ALLOCATIONS.load(Relaxed) - self.allocations;
        Cost { nanos: (cpu_nanos() - self.nanos).max(1), packets: packets.max(1), bytes, allocations }
    }
}

/// What this process had of a processor so far; where /proc does not tell, the wall's clock.
fn cpu_nanos() -> u64 {
    let schedule = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
