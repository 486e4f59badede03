//! Names of fields, from their beginnings.

use std::collections::BTreeSet;

use thru_dissect::protocols;

/// So many names are told.
const TOLD_MAX: usize = 6;

/// What a beginning can become.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// What all of them go on with.
    pub(crate) more: String,
    /// Some of them, if there are several.
    pub(crate) names: Vec<&'static str>,
}

/// `None`: there is no such name.
pub(crate) fn complete(begins: &str) -> Option<Completion> {
    if begins.is_empty() {
        return None;
    }
    let all = protocols().iter().flat_map(|protocol| {
        [protocol.layer.name].into_iter().chain(protocol.fields.iter().map(|field| field.name))
    });
    let names: BTreeSet<&str> = all.filter(|name| name.starts_with(begins)).collect();
    let (first, last) = (names.first()?, names.last()?);
    let common = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let more = first[begins.len()..common].to_owned();
    let names = if names.len() == 1 { Vec::new() } else { names.into_iter().take(TOLD_MAX).collect() };
    Some(Completion { more, names })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_on_as_far_as_they_agree() {
        let one = complete("tcp.analysis.fast").expect("there is one");
        assert_eq!((one.more.as_str(), one.names.len()), ("_retransmission", 0));
        let several = complete("tcp.options.time").expect("there are two");
        assert_eq!(several.more, "stamp.ts");
        assert_eq!(several.names, ["tcp.options.timestamp.tsecr", "tcp.options.timestamp.tsval"]);
        assert_eq!(complete("nothing.at.all"), None);
    }
}
