//! Where stacks in use differ and the RFCs leave room, or left it once: values, so that one stack can have either habit.

use core::time::Duration;

/// Habits of a host's TCP. `Default` is what a current Linux does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Receive buffers hold a whole number of the connection's largest segments: they are rounded up.
    pub whole_segments: bool,
    /// An acknowledgement tells all the room there is, rounded up to what the scale can tell. Otherwise the window opens
    /// in steps of at least a segment (RFC 9293 3.8.6.2.2), whatever else is told meanwhile.
    pub exact_window: bool,
    /// A window that the application opens by reading is told when it has grown by two segments and a quarter of the
    /// buffer. Otherwise when it has doubled.
    pub update_by_quarter: bool,
    /// Acknowledgements sent at once when a connection begins, so that the peer's slow start isn't held up.
    pub quick_acks: u8,
    /// Every second segment is acknowledged at once, however small. Otherwise, when two segments of full size are owed.
    pub every_second_segment: bool,
    /// An acknowledgement that leaves while our FIN is under way carries it again.
    pub acks_repeat_fin: bool,
    /// Timeout of the first SYN (RFC 6298 2.1).
    pub initial_rto: Duration,
    /// SYN retransmissions whose timeout isn't doubled; they come on top of the retries.
    pub syn_linear_timeouts: u32,
    /// Added to every backed-off timeout.
    pub rto_slop: Duration,
    /// SYNs after this many retransmissions leave without any option but the MSS; `None`: never.
    pub syn_plain_after: Option<u32>,
    /// Between two challenge acknowledgements of one connection, so that two stacks that disagree keep no war going.
    pub challenge_interval: Duration,
    /// A RST anywhere in the window resets, as RFC 793 had it before RFC 5961 3.2.
    pub reset_in_window: bool,
    /// A SYN in the window of a connection ends it, as RFC 793 had it before RFC 5961 4.2.
    pub syn_resets: bool,
    /// With accurate ECN every segment after the handshake leaves as ECT(0), bare acknowledgements and repetitions, too
    /// (RFC 9768 1 leaves it to experiments). Otherwise only new data does.
    pub accurate_ecn_marks_all: bool,
    /// Counters of accurate ECN begin with that of ECT(1) (RFC 9768 3.2.3 allows either order).
    pub ect1_first: bool,
    /// A window that was not used for a timeout's time begins small again (RFC 5681 4.1).
    pub slow_start_after_idle: bool,
    /// A SYN ACK that finds a listener is answered with RST (RFC 9293 3.10.7.2). Otherwise it is dropped.
    pub listeners_refuse_syn_ack: bool,
    /// TIME-WAIT answers a SYN that it doesn't make room for. Otherwise it is dropped.
    pub time_wait_answers_syn: bool,
    /// A RST is an error even after both sides have closed.
    pub late_reset_is_error: bool,
    /// A segment is acceptable if the buffer has room for it, even beyond the window that was announced.
    pub accept_by_room: bool,
    /// What becomes of a SYN that carries a FIN, too.
    pub syn_fin: SynFin,
    /// Which ICMP errors end a connection that is being opened (RFC 1122 4.2.3.9).
    pub opening_errors: OpeningErrors,
    /// An ICMP error that says that nobody can be reached ends a half-open connection, too.
    pub half_open_errors: bool,
    /// In ESTABLISHED an acknowledgement of what was never sent is dropped in silence. Otherwise it is answered (RFC 5961 5.2).
    pub unsent_ack_is_silent: bool,
    /// A SYN ACK whose timestamp echoes what we never sent is answered with RST.
    pub syn_ack_must_echo: bool,
    /// When both sides called at once, the peer's SYN ACK is acknowledged.
    pub answers_crossing_syn_ack: bool,
    /// A write that finds any room fills a chunk as large as a super-segment, and waiting for room ends when a third of
    /// the buffer is free. Otherwise it takes exactly as many bytes as there is room for.
    pub writes_by_chunk: bool,
    /// Data in a SYN leaves room for all options there could be, so that whoever adds some on the way need not drop it.
    /// Otherwise it fills the segment.
    pub syn_data_spares_options: bool,
    /// A server without an answer to a request for a cookie is asked once by the experimental option (RFC 7413
    /// appendix A), and is never refused to be asked again.
    pub fast_open_tries_experiment: bool,
    /// A SYN ACK with AE and ECE but without CWR agrees to accurate ECN. Otherwise it means classic ECN with the nonce of
    /// RFC 3540.
    pub nonce_is_accurate: bool,
    /// CUBIC's first slow start ends at once when round trips have become longer or acknowledgements come in a long train
    /// (HyStart). Otherwise it slows down first (HyStart++, RFC 9406).
    pub classic_hystart: bool,
    /// CUBIC reduces the congestion window, used or not. Otherwise what was in flight (RFC 9438 4.6 allows both).
    pub cubic_reduces_window: bool,
    /// On which segments the byte counters of accurate ECN leave.
    pub accurate_ecn_option: CounterOption,
    /// A path that writes into the ECN field of a handshake carries no ECN (RFC 9768 3.2.2.3). Otherwise it is believed.
    pub accurate_ecn_validates: bool,
    /// Where acknowledgements speak for more than four segments on average, a large one hides no turn of the counter of
    /// marks. Otherwise it is believed to (RFC 9768 A.2.1).
    pub thin_acks_hide_no_marks: bool,
    /// How often a SYN that is sent again asks for classic ECN once more (RFC 3168 6.1.1.1 lets a host stop).
    pub ecn_syn_repeats: u8,
    /// A SYN that crosses ours may ask for ECN even where ours did not.
    pub crossing_syn_may_ask: bool,
}

/// On which segments the byte counters of accurate ECN (RFC 9768 3.2.3) leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterOption {
    /// On none.
    Never,
    /// On acknowledgements without payload, when one of them has changed.
    #[default]
    WhenChanged,
    /// On all, once the peer was seen to send them, too.
    Always,
}

/// What becomes of a SYN that carries a FIN, too: nobody honest sends one, and RFC 9293 has no word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynFin {
    /// It is a SYN like any other.
    Take,
    /// Listeners drop it.
    NotByListeners,
    /// Everybody drops it.
    Drop,
}

/// Which ICMP errors end a connection that is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningErrors {
    /// Every "unreachable".
    Unreachable,
    /// Those that say that nobody is there or that it is forbidden, and an expired TTL.
    Hard,
    /// None.
    None,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            whole_segments: false,
            exact_window: false,
            update_by_quarter: false,
            quick_acks: 16,
            every_second_segment: false,
            acks_repeat_fin: false,
            initial_rto: Duration::from_secs(1),
            syn_linear_timeouts: 4,
            rto_slop: Duration::ZERO,
            syn_plain_after: None,
            challenge_interval: Duration::from_millis(500),
            reset_in_window: false,
            syn_resets: false,
            accurate_ecn_marks_all: false,
            ect1_first: false,
            slow_start_after_idle: true,
            listeners_refuse_syn_ack: true,
            time_wait_answers_syn: true,
            late_reset_is_error: false,
            accept_by_room: false,
            syn_fin: SynFin::NotByListeners,
            opening_errors: OpeningErrors::Unreachable,
            half_open_errors: false,
            unsent_ack_is_silent: false,
            syn_ack_must_echo: false,
            answers_crossing_syn_ack: false,
            writes_by_chunk: false,
            syn_data_spares_options: false,
            fast_open_tries_experiment: false,
            nonce_is_accurate: false,
            classic_hystart: false,
            cubic_reduces_window: false,
            accurate_ecn_option: CounterOption::WhenChanged,
            accurate_ecn_validates: true,
            thin_acks_hide_no_marks: false,
            ecn_syn_repeats: 0,
            crossing_syn_may_ask: false,
        }
    }
}

impl Habits {
    /// The bytes of a receive buffer of `limit` bytes on a connection with segments of `mss` bytes.
    pub(crate) fn receive_limit(&self, limit: usize, mss: u16) -> usize {
        if self.whole_segments { limit.next_multiple_of(usize::from(mss.max(1))) } else { limit }
    }
}
