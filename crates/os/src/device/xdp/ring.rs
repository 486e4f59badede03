//! One of the rings between the kernel and an AF_XDP socket: one side writes entries, the other takes them.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// A ring of entries of type `T`, mapped.
#[derive(Debug)]
pub(super) struct Ring<T> {
    base: *mut u8,
    length: usize,
    offsets: libc::xdp_ring_offset,
    size: u32,
    /// Our side's counter, which only we change.
    ours: u32,
    /// The kernel's, as last seen.
    theirs: u32,
    entry: std::marker::PhantomData<T>,
}

// SAFETY: the mapping belongs to this value alone, and it is used through `&mut` only.
unsafe impl<T: Send> Send for Ring<T> {}

impl<T: Copy> Ring<T> {
    /// Maps a ring of `size` entries, a power of two, that the kernel was asked for.
    pub(super) fn map(
        socket: RawFd,
        page: i64,
        offsets: libc::xdp_ring_offset,
        size: u32,
    ) -> io::Result<Ring<T>> {
        let length = offsets.desc as usize + size as usize * size_of::<T>();
        // SAFETY: a fresh mapping of the socket's ring; nothing is replaced.
        let base = unsafe {
            let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, socket, page)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Ring {
            base: base.cast(),
            length,
            offsets,
            size,
            ours: 0,
            theirs: 0,
            entry: std::marker::PhantomData,
        })
    }

    /// As a taker: the next entry, which stays until [`Ring::publish_taken`].
    pub(super) fn take(&mut self) -> Option<T> {
        if self.theirs == self.ours {
            self.theirs = self.producer().load(Ordering::Acquire);
        }
        if self.theirs == self.ours {
            return None;
        }
        // SAFETY: the entry lies in the mapping, and the kernel has published it.
        let entry = unsafe { *self.entry(self.ours) };
        self.ours = self.ours.wrapping_add(1);
        Some(entry)
    }

    /// As a taker: gives the places of everything taken back.
    pub(super) fn publish_taken(&self) {
        self.consumer().store(self.ours, Ordering::Release);
    }

    /// As a writer: puts an entry, to be seen after [`Ring::publish_put`]; `false` if the ring is full.
    pub(super) fn put(&mut self, entry: T) -> bool {
        if self.is_full() {
            self.theirs = self.consumer().load(Ordering::Acquire);
            if self.is_full() {
                return false;
            }
        }
        // SAFETY: the entry lies in the mapping, and the kernel has done with it.
        unsafe { *self.entry(self.ours) = entry };
        self.ours = self.ours.wrapping_add(1);
        true
    }

    /// As a writer: lets the kernel see everything put.
    pub(super) fn publish_put(&self) {
        self.producer().store(self.ours, Ordering::Release);
    }

    /// As a writer: whether the kernel has not yet taken everything.
    pub(super) fn is_waiting(&mut self) -> bool {
        self.theirs = self.consumer().load(Ordering::Acquire);
        self.theirs != self.ours
    }

    /// Whether the kernel wants to be called when there is work.
    pub(super) fn needs_wakeup(&self) -> bool {
        // SAFETY: the word lies in the mapping; the kernel writes it too.
        let flags = unsafe { &*self.base.add(self.offsets.flags as usize).cast::<AtomicU32>() };
        flags.load(Ordering::Acquire) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    fn is_full(&self) -> bool {
        self.ours.wrapping_sub(self.theirs) == self.size
    }

    fn entry(&self, number: u32) -> *mut T {
        let place = (number & (self.size - 1)) as usize;
        // SAFETY: below the ring's size, and so within the mapping.
        unsafe { self.base.add(self.offsets.desc as usize).cast::<T>().add(place) }
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: the word lies in the mapping, aligned; it is atomic because the kernel uses it too.
        unsafe { &*self.base.add(self.offsets.producer as usize).cast::<AtomicU32>() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: the same.
        unsafe { &*self.base.add(self.offsets.consumer as usize).cast::<AtomicU32>() }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.base.cast(), self.length) };
    }
}
