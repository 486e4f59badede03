//! A trust point as a file: the form that unbound's `auto-trust-anchor-file` has, so that files can be taken over.

use std::fmt::Write;

use hickory_proto::rr::{Name, RecordType};

use super::{KEYS_MAX, Stage, TrackedKey, TrustPoint};
use crate::dnssec::records::Dnskey;
use crate::rdata;
use crate::text::name_text;

/// Lines read of one file.
const LINES_MAX: usize = 10_000;

impl Stage {
    fn number(self) -> u32 {
        match self {
            Stage::Start => 0,
            Stage::AddPending => 1,
            Stage::Valid => 2,
            Stage::Missing => 3,
            Stage::Revoked => 4,
            Stage::Removed => 5,
        }
    }

    fn from_number(number: u64) -> Option<Stage> {
        [Stage::Start, Stage::AddPending, Stage::Valid, Stage::Missing, Stage::Revoked, Stage::Removed]
            .into_iter()
            .find(|stage| u64::from(stage.number()) == number)
    }

    fn word(self) -> &'static str {
        match self {
            Stage::Start => "[  START  ]",
            Stage::AddPending => "[ ADDPEND ]",
            Stage::Valid => "[  VALID  ]",
            Stage::Missing => "[ MISSING ]",
            Stage::Revoked => "[ REVOKED ]",
            Stage::Removed => "[ REMOVED ]",
        }
    }
}

impl TrustPoint {
    /// Reads a file: DNSKEY and DS records, with what is known of each behind it, or bare ones to begin with.
    ///
    /// The error names the line.
    pub fn from_text(text: &str) -> Result<TrustPoint, String> {
        let mut point: Option<TrustPoint> = None;
        let mut head = Vec::new();
        for (number, line) in text.lines().take(LINES_MAX).enumerate() {
            let line = line.trim();
            if let Some(setting) = line.strip_prefix(";;") {
                head.push(setting.to_owned());
                continue;
            }
            let bare = line.split(';').next().unwrap_or("").trim();
            if bare.is_empty() {
                continue;
            }
            let fail = |why: String| format!("line {}: {why}", number + 1);
            let record = rdata::record_from_text(bare, &Name::root(), 3600, None).map_err(fail)?;
            let own = point.get_or_insert_with(|| TrustPoint::new(record.name.clone()));
            if own.zone != record.name {
                return Err(fail(format!("{} beside {}", name_text(&record.name), name_text(&own.zone))));
            }
            match record.rtype {
                RecordType::DS => own.ds.push(record.data),
                RecordType::DNSKEY if own.keys.len() >= KEYS_MAX => {}
                RecordType::DNSKEY => {
                    let stage = number_after(line, ";;state=").and_then(Stage::from_number);
                    let key = TrackedKey {
                        data: record.data,
                        ttl: record.ttl,
                        stage: stage.unwrap_or(Stage::Valid),
                        seen: number_after(line, ";;count=").unwrap_or(0) as u32,
                        since: number_after(line, ";;lastchange=").unwrap_or(0),
                    };
                    own.keys.insert(0, key);
                }
                RecordType::RRSIG => {}
                _ => return Err(fail("neither DNSKEY nor DS".into())),
            }
        }
        let mut point = point.ok_or("no DNSKEY and no DS record")?;
        for setting in head {
            let value = |key: &str| setting.strip_prefix(key).and_then(|rest| number_after(rest, ""));
            if setting == "REVOKED" {
                point.revoked = true;
            }
            set(&mut point.last_asked, value("last_queried:"));
            set(&mut point.last_success, value("last_success:"));
            set(&mut point.next_probe, value("next_probe_time:"));
            set(&mut point.interval, value("query_interval:"));
            set(&mut point.retry, value("retry_time:"));
            if let Some(failures) = value("query_failed:") {
                point.failures = u32::try_from(failures).unwrap_or(u32::MAX);
            }
        }
        Ok(point)
    }

    /// The file.
    pub fn to_text(&self) -> String {
        let mut out = String::from("; trust anchors of a zone, as they follow its keys (RFC 5011)\n");
        if self.revoked {
            out.push_str(";;REVOKED\n; Every key is revoked: the zone counts as unsigned.\n");
            out.push_str("; To trust it again, put new DNSKEY or DS records in the place of this file.\n");
        }
        let line = |out: &mut String, key: &str, value: &str| {
            writeln!(out, ";;{key}: {value}").expect("a String takes all text");
        };
        let time = |seconds: u64| format!("{seconds} ;;{}", date(seconds));
        line(&mut out, "id", &format!("{} 1", name_text(&self.zone)));
        line(&mut out, "last_queried", &time(self.last_asked));
        line(&mut out, "last_success", &time(self.last_success));
        line(&mut out, "next_probe_time", &time(self.next_probe));
        line(&mut out, "query_failed", &self.failures.to_string());
        line(&mut out, "query_interval", &self.interval.to_string());
        line(&mut out, "retry_time", &self.retry.to_string());
        for key in &self.keys {
            out.push_str(&key_line(&self.zone, key));
        }
        out
    }
}

fn set(field: &mut u64, value: Option<u64>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn key_line(zone: &Name, key: &TrackedKey) -> String {
    let Some(read) = Dnskey::read(&key.data) else { return String::new() };
    let kind = if read.is_entry_point() { "ksk" } else { "zsk" };
    format!(
        "{}\t{}\tIN\tDNSKEY\t{} {} {} {} ;{{id = {} ({kind}), size = {}b}} ;;state={} {} ;;count={} ;;lastchange={} \
         ;;{}\n",
        name_text(zone),
        key.ttl,
        read.flags,
        read.protocol,
        read.algorithm,
        rdata::base64_text(read.key),
        read.tag(),
        crate::dnssec::algorithm::key_bits(read.algorithm, read.key),
        key.stage.number(),
        key.stage.word(),
        key.seen,
        key.since,
        date(key.since),
    )
}

/// The number that stands right behind a mark.
fn number_after(line: &str, mark: &str) -> Option<u64> {
    let rest = line[line.find(mark)? + mark.len()..].trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Seconds since 1970 as people write them, in UTC.
fn date(seconds: u64) -> String {
    crate::text::date(i64::try_from(seconds).unwrap_or(i64::MAX / 1000))
}
