//! What looks alike, and what tells it apart. Each row is read: *these causes look like those, unless this was seen*.
//!
//! The rules know what tells two causes apart when all was seen; the rows here say what has to be seen for that. The
//! pairs are those of the pages of `thru explain`, under "looks like".

use super::Otherwise::{Doubt, Join};
use super::Seen::{
    All, BothWays, Errors, FirstQuestion, InOrder, NothingDamaged, NothingElseLost, OtherFamily, Request,
    WholePackets,
};
use super::{Otherwise, Row, Seen};

const fn row(
    causes: &'static [&'static str],
    like: &'static [&'static str],
    unless: Seen,
    otherwise: Otherwise,
) -> Row {
    Row { causes, like, unless, otherwise }
}

/// The table.
pub(super) const ROWS: &[Row] = &[
    // Link and way: silence is only silence where an answer would have been captured.
    row(&["LNK04", "LNK10", "LNK02", "LNK03"], &["IP01", "LNK05"], BothWays, Doubt),
    row(&["IP04"], &["LNK05"], FirstQuestion, Join),
    row(&["LNK05"], &["IP04"], FirstQuestion, Doubt),
    row(&["FW01", "IP05", "TCP03", "TCP06", "IP07", "FW04", "IP02"], &["IP13", "IP14"], OtherFamily, Doubt),
    row(&["FW01", "IP05", "TCP03", "TCP06", "IP07", "FW04", "IP02"], &["TCP01", "IP04", "FW03"], All, Doubt),
    row(
        &["FW01", "IP05", "TCP03", "TCP06", "IP07", "FW04", "IP02"],
        &["IP04", "LNK05", "IP06", "FW03"],
        Errors,
        Doubt,
    ),
    row(&["IP13", "IP14", "IP31", "IP08", "FW07", "FW16"], &["IP19"], All, Doubt),
    row(&["IP28", "TCP07"], &["IP07"], All, Doubt),
    // Losses that are counted have to be the way's.
    row(&["TCP07"], &["IP19"], NothingElseLost, Join),
    row(&["TCP07"], &["IP23"], NothingDamaged, Join),
    row(&["IP21"], &["IP19"], InOrder, Doubt),
    row(&["IP19", "IP17"], &["IP21"], InOrder, Doubt),
    row(&["IP20", "IP17", "TCP18"], &["APP13"], All, Doubt),
    // Connections.
    row(&["TCP08", "TCP09", "TLS24"], &["FW08", "FW09", "TCP10"], All, Doubt),
    row(&["FW08", "FW09", "FW06", "FW12"], &["TCP09", "TLS24", "TCP10"], All, Doubt),
    row(&["TCP04", "TCP10", "TCP11", "FW05"], &["FW10", "IP10"], All, Doubt),
    row(&["IP09", "IP10", "IP11", "IP12", "IP15"], &["APP05", "TLS23", "TLS21"], All, Doubt),
    row(&["TLS21", "FW10"], &["IP10"], All, Doubt),
    row(&["TCP12", "TCP13", "APP08", "IP18"], &["APP06", "TCP15"], All, Doubt),
    row(&["TCP26", "TLS01", "TLS02"], &["PX04", "PX05"], All, Doubt),
    // Names.
    row(&["DNS02", "DNS03", "DNS17", "DNS38"], &["IP19"], All, Doubt),
    row(&["DNS09"], &["DNS27", "DNS29", "DNS30", "DNS32", "DNS33"], WholePackets, Doubt),
    row(&["DNS09", "DNS10", "DNS11"], &["DNS23", "DNS26", "DNS35"], All, Doubt),
    row(&["DNS06", "DNS15", "DNS16"], &["DNS04"], WholePackets, Doubt),
    row(&["DNS45", "DNS18", "DNS11"], &["IP19"], All, Doubt),
    // Encryption.
    row(&["TLS23", "TLS33", "TLS34"], &["IP11", "TCP18"], All, Doubt),
    row(&["TLS32"], &["TLS07", "TLS10", "TLS11", "TLS15"], All, Doubt),
    row(&["TLS17", "TLS13"], &["TLS16", "TLS12"], All, Doubt),
    row(&["TLS18", "TLS19"], &["H112"], All, Doubt),
    // Answers.
    row(&["H101", "H102", "H103", "H104", "H105", "FW21"], &["PX04", "PX05", "PX03"], Request, Doubt),
    row(&["H110", "H111", "H112", "H113", "H206", "TLS31"], &["TCP09", "APP05"], All, Doubt),
    row(&["H110", "H111", "H112", "H206", "H115"], &["APP05"], WholePackets, Doubt),
    row(&["APP06"], &["TCP13", "IP18"], WholePackets, Doubt),
    row(&["H118", "H123", "H115"], &["IP23"], All, Doubt),
    row(&["APP01", "APP03", "APP11", "APP12"], &["TCP18"], All, Doubt),
    row(&["APP05"], &["IP09"], All, Doubt),
    row(&["APP06", "APP13"], &["IP19", "IP20", "TCP13"], All, Doubt),
    // HTTP/3.
    row(&["Q01", "Q04", "Q12", "FW15", "Q17"], &["IP05"], BothWays, Doubt),
];
