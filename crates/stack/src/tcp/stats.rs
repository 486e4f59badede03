//! What a host's TCP has counted: the figures of `/proc/net/snmp` and `/proc/net/netstat`.

/// Counters of a host's TCP since it began. Beside each field, the kernel's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpStats {
    /// Connections we asked for (`ActiveOpens`).
    pub active_opens: u64,
    /// ICMP errors that named a number we had not sent or that was acknowledged (Linux: `OutOfWindowIcmps`).
    pub icmp_out_of_window: u64,
    /// Connections others asked for and got (`PassiveOpens`).
    pub passive_opens: u64,
    /// Attempts that came to nothing (`AttemptFails`).
    pub attempt_fails: u64,
    /// Established connections that a RST ended, theirs or ours (`EstabResets`).
    pub established_resets: u64,
    /// Segments that arrived (`InSegs`).
    pub segments_received: u64,
    /// Segments that arrived damaged or malformed (`InErrs`).
    pub errors_received: u64,
    /// Segments that left, those sent again not counted (`OutSegs`).
    pub segments_sent: u64,
    /// Segments sent again (`RetransSegs`).
    pub retransmissions: u64,
    /// Resets sent (`OutRsts`).
    pub resets_sent: u64,
    /// SYNs and SYN ACKs sent again (`TCPSynRetrans`).
    pub syn_retransmissions: u64,

    /// Finished handshakes and SYNs that found the accept queue full (`ListenOverflows`).
    pub listen_overflows: u64,
    /// SYNs that a listener dropped for whatever reason, those included (`ListenDrops`).
    pub listen_drops: u64,
    /// Handshakes reset because the accept queue was full and the configuration said so (`TCPAbortOnOverflow`).
    pub overflow_resets: u64,
    /// SYNs dropped because too many connections were half open (`TCPReqQFullDrop`).
    pub half_open_drops: u64,
    /// SYNs answered by a cookie because too many connections were half open (`TCPReqQFullDoCookies`).
    pub half_open_cookies: u64,
    /// Cookies sent (`SyncookiesSent`).
    pub cookies_sent: u64,
    /// Cookies that came back (`SyncookiesRecv`).
    pub cookies_received: u64,
    /// Acknowledgements at a listener that were no cookie of ours (`SyncookiesFailed`).
    pub cookies_failed: u64,
    /// Bare acknowledgements dropped while waiting for the first data (`TCPDeferAcceptDrop`).
    pub deferred_accepts: u64,

    /// Our SYN's data was taken (`TCPFastOpenActive`).
    pub fast_open_active: u64,
    /// Our SYN's data was not taken (`TCPFastOpenActiveFail`).
    pub fast_open_active_failed: u64,
    /// Connections that began with data in the SYN (`TCPFastOpenPassive`).
    pub fast_open_passive: u64,
    /// Cookies that were not ours or too old (`TCPFastOpenPassiveFail`).
    pub fast_open_passive_failed: u64,
    /// SYNs whose data was left because too many waited (`TCPFastOpenListenOverflow`).
    pub fast_open_overflows: u64,
    /// Cookies given on request (`TCPFastOpenCookieReqd`).
    pub fast_open_cookies: u64,
    /// Times Fast Open was switched off for a while because a path swallowed it (`TCPFastOpenBlackhole`).
    pub fast_open_black_holes: u64,

    /// Connections that went through TIME-WAIT to its end (`TW`).
    pub time_waits: u64,
    /// TIME-WAIT objects that made room for a new connection (`TWRecycled`).
    pub time_waits_reused: u64,
    /// TIME-WAITs left out because there were too many (`TCPTimeWaitOverflow`).
    pub time_wait_overflows: u64,
    /// Connections reset because the application let go of unread data (`TCPAbortOnClose`).
    pub aborts_on_close: u64,
    /// Connections reset because data came that nobody would read (`TCPAbortOnData`).
    pub aborts_on_data: u64,
    /// Connections reset because their time to linger was over, or zero (`TCPAbortOnLinger`).
    pub aborts_on_linger: u64,
    /// Connections reset because there were too many without owner, or too little memory (`TCPAbortOnMemory`).
    pub aborts_on_memory: u64,
    /// Connections that timed out (`TCPAbortOnTimeout`).
    pub aborts_on_timeout: u64,

    /// Times the memory of all buffers passed the pressure mark (`TCPMemoryPressures`).
    pub memory_pressures: u64,
    /// Segments not kept for want of memory (`TCPRcvQDrop`).
    pub receive_queue_drops: u64,
    /// Times out-of-order data was given up to make room (`OfoPruned`).
    pub out_of_order_pruned: u64,
    /// Segments dropped by their timestamp (`PAWSEstab`).
    pub paws_drops: u64,
    /// Segments dropped because they had come too far (`TCPMinTTLDrop`).
    pub min_ttl_drops: u64,
    /// Challenge acknowledgements sent (`TCPChallengeACK`).
    pub challenge_acks: u64,
    /// Acknowledgements sent because their delay was over (`DelayedACKs`).
    pub delayed_acks: u64,
    /// Keepalive questions sent (`TCPKeepAlive`).
    pub keepalives: u64,
    /// Questions for a closed window sent (`TCPWinProbe`).
    pub window_probes: u64,
    /// Windows we announced as closed (`TCPToZeroWindowAdv`).
    pub zero_windows_announced: u64,
    /// Closed windows we announced as open again (`TCPFromZeroWindowAdv`).
    pub zero_windows_reopened: u64,
    /// Retransmission timeouts (`TCPTimeouts`).
    pub timeouts: u64,
}

/// What a connection counts and its host, too, as its segments leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeated {
    pub(crate) segments: u64,
    pub(crate) syns: u64,
    pub(crate) windows_closed: u32,
    pub(crate) windows_reopened: u32,
}

impl TcpStats {
    /// A connection has sent a segment.
    pub(crate) fn count_sent(&mut self, before: Repeated, after: Repeated) {
        let again = after.segments - before.segments;
        self.retransmissions += again;
        self.segments_sent += 1 - again.min(1);
        self.syn_retransmissions += after.syns - before.syns;
        self.zero_windows_announced += u64::from(after.windows_closed.wrapping_sub(before.windows_closed));
        self.zero_windows_reopened += u64::from(after.windows_reopened.wrapping_sub(before.windows_reopened));
    }
}
