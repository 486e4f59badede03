//! State that only exists while it is needed: most connections of a busy host are idle, and what serves data on its way
//! would make up half of each.

use core::ops::{Deref, DerefMut};

/// A value that reads as its idle state, and takes memory, only until and unless it is written to.
///
/// Whoever writes what may well be there already asks [`OnDemand::held`] first: writing through this allocates.
#[derive(Debug)]
pub(crate) struct OnDemand<T>(Option<Box<T>>);

/// Its default is an idle state that all share.
pub(crate) trait Idle: Default + 'static {
    /// The same as the default.
    fn idle() -> &'static Self;
}

impl<T> Default for OnDemand<T> {
    fn default() -> OnDemand<T> {
        OnDemand(None)
    }
}

impl<T: Idle> OnDemand<T> {
    /// The value, if it is not idle for want of memory.
    pub(crate) fn held(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// Lets go of it; it is idle from now on.
    pub(crate) fn release(&mut self) {
        self.0 = None;
    }
}

impl<T: Idle> From<T> for OnDemand<T> {
    fn from(value: T) -> OnDemand<T> {
        OnDemand(Some(Box::new(value)))
    }
}

impl<T: Idle> Deref for OnDemand<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::idle(),
        }
    }
}

impl<T: Idle> DerefMut for OnDemand<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

/// Declares the idle state of a type.
macro_rules! idle {
    ($type:ty, $idle:expr) => {
        impl $crate::tcp::on_demand::Idle for $type {
            fn idle() -> &'static $type {
                static IDLE: $type = $idle;
                &IDLE
            }
        }
    };
}
pub(crate) use idle;
