use super::*;
use proptest::prelude::*;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

#[test]
fn earlier_comes_first_then_lane_then_sequence() {
    let mut schedule = Schedule::new();
    let timer_late = schedule.add_slot(Lane::Timer);
    let timer_early = schedule.add_slot(Lane::Timer);
    let host = schedule.add_slot(Lane::Host(3));
    let line_1 = schedule.add_slot(Lane::Line(1));
    let line_0 = schedule.add_slot(Lane::Line(0));
    let action = schedule.add_slot(Lane::Action);
    let sooner = schedule.add_slot(Lane::Timer);
    // Two of one lane keep the order in which they were set, not in which their slots were made.
    for slot in [timer_early, timer_late, host, line_1, line_0, action] {
        schedule.set(slot, at(10));
    }
    schedule.set(sooner, at(9));
    let order: Vec<Slot> = core::iter::from_fn(|| schedule.pop()).map(|(_, slot)| slot).collect();
    assert_eq!(order, [sooner, action, line_0, line_1, host, timer_early, timer_late]);
}

#[test]
fn moving_a_deadline_leaves_nothing_behind() {
    let mut schedule = Schedule::new();
    let slot = schedule.add_slot(Lane::Host(0));
    schedule.set(slot, at(5));
    schedule.set(slot, at(50));
    schedule.set(slot, at(7));
    assert_eq!(schedule.len(), 1);
    assert_eq!(schedule.pop(), Some((at(7), slot)));
    assert_eq!(schedule.pop(), None);
    schedule.set(slot, at(8));
    schedule.set(slot, Instant::NEVER);
    assert!(schedule.is_empty());
}

#[test]
fn a_slot_given_back_is_used_again() {
    let mut schedule = Schedule::new();
    let first = schedule.add_slot(Lane::Timer);
    schedule.set(first, at(1));
    schedule.remove_slot(first);
    assert!(schedule.is_empty());
    assert_eq!(schedule.add_slot(Lane::Action), first);
    assert_eq!(schedule.lane(first), Lane::Action);
}

proptest! {
    /// Against a plain sorted list.
    #[test]
    fn agrees_with_a_sorted_list(steps in proptest::collection::vec((0usize..12, 0u64..40, 0u8..4), 1..300)) {
        let mut schedule = Schedule::new();
        let slots: Vec<Slot> = (0..12).map(|i| schedule.add_slot(if i % 3 == 0 { Lane::Timer } else { Lane::Line(i) })).collect();
        let mut model: Vec<(Instant, Lane, u64, Slot)> = Vec::new();
        for (sequence, (slot, time, kind)) in (0u64..).zip(steps) {
            let slot = slots[slot];
            match kind {
                0 | 1 => {
                    if !model.iter().any(|entry| entry.3 == slot && entry.0 == at(time)) {
                        model.retain(|entry| entry.3 != slot);
                        model.push((at(time), schedule.lane(slot), sequence, slot));
                    }
                    schedule.set(slot, at(time));
                }
                2 => {
                    model.retain(|entry| entry.3 != slot);
                    schedule.clear(slot);
                }
                _ => {
                    model.sort_unstable();
                    let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                    prop_assert_eq!(schedule.pop(), expected.map(|entry| (entry.0, entry.3)));
                }
            }
            prop_assert_eq!(schedule.len(), model.len());
        }
    }
}
