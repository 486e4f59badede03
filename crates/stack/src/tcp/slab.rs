//! Objects under small numbers that are used again, and generations that tell an old number from a new one.

/// A growing table with free places.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Slab<T> {
        Slab { entries: Vec::new(), free: Vec::new() }
    }

    /// The number of the place taken.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.entries[index as usize].value = Some(value);
                index
            }
            None => {
                self.entries.push(Entry { generation: 0, value: Some(value) });
                (self.entries.len() - 1) as u32
            }
        }
    }

    /// Frees a place: its handles are stale from now on.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(index as usize)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(index as usize)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(index as usize)?.value.as_mut()
    }

    /// The number and the generation in one, for those outside.
    pub(crate) fn handle(&self, index: u32) -> u64 {
        u64::from(self.entries[index as usize].generation) << 32 | u64::from(index)
    }

    /// The number in a handle, if what it meant is still there.
    pub(crate) fn resolve(&self, handle: u64) -> Option<u32> {
        let (generation, index) = ((handle >> 32) as u32, handle as u32);
        let entry = self.entries.get(index as usize)?;
        (entry.generation == generation && entry.value.is_some()).then_some(index)
    }

    /// Everything, by number. It takes as long as there are places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
