//! What a script expects of files: trust anchors, and zones as they would be written now.

use super::super::entry;
use super::super::macros::expand;
use super::Runner;

impl Runner<'_> {
    /// Compares a trust anchor file with what a script expects; comments for people aside.
    pub(super) fn check_anchors(&mut self, id: &str, wanted: &[String]) -> Result<(), String> {
        for (zone, text) in self.service.resolver().changed_trust_points() {
            let name = crate::text::name_text(&zone);
            // Scripts name the file as the zone, without the last dot.
            self.anchor_files.insert(name.trim_end_matches('.').to_owned(), text);
        }
        let original = || self.script.autotrust.get(id).map(|lines| lines.join("\n"));
        // A file may have another name than its zone.
        let zone = original()
            .and_then(|text| crate::dnssec::upkeep::TrustPoint::from_text(&text).ok())
            .map(|point| crate::text::name_text(&point.zone))
            .map_or_else(|| id.to_owned(), |zone| zone.trim_end_matches('.').to_owned());
        let have =
            self.anchor_files.get(&zone).cloned().or_else(original).ok_or_else(|| format!("no file {id}"))?;
        let told = |line: &&str| !line.is_empty() && !line.starts_with("; ");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let have: Vec<String> = have.lines().filter(told).map(words).collect();
        let mut wanted_lines = Vec::new();
        for line in wanted.iter().map(String::as_str).filter(told) {
            wanted_lines.push(words(&expand(line, &self.variables, self.clock())?));
        }
        if have == wanted_lines {
            return Ok(());
        }
        let missing: Vec<&String> = wanted_lines.iter().filter(|line| !have.contains(line)).collect();
        let extra: Vec<&String> = have.iter().filter(|line| !wanted_lines.contains(line)).collect();
        Err(format!("trust anchor file: missing {missing:?}, unexpected {extra:?}"))
    }

    /// Compares a zone's file, as it would be written now, with what a script expects: as sets of records.
    pub(super) fn check_file(&self, name: &str, wanted: &[String]) -> Result<(), String> {
        let config = &self.script.config;
        let file = config.iter().find(|setting| setting.key == "zonefile" && setting.value == name);
        let clause = file.ok_or_else(|| format!("no zone has the file {name}"))?.clause_number;
        let origin = config.iter().find(|setting| setting.key == "name" && setting.clause_number == clause);
        let origin = &origin.ok_or("a zone without a name")?.value;
        let origin = crate::rdata::name_from_text(origin, &hickory_proto::rr::Name::root())?;
        let have = self.service.held_zone(&origin).map_or_else(Vec::new, |zone| zone.records().to_vec());
        let wanted = crate::rdata::master_records(&wanted.join("\n"), &origin)?;
        match entry::records::differing(&wanted, &have, true) {
            Some(how) => Err(format!("the file {name}: {how}")),
            None => Ok(()),
        }
    }
}
