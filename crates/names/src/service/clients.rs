//! What is known of clients by where they ask from: their tags, what tags change, and the view that they have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use super::local::{Kind, LocalZones};
use super::responses::AddressRules;
use crate::prefixes::Prefixes;
use crate::rdata;
use crate::wire::RawRecord;

/// Tags that can be told apart.
const TAGS_MAX: usize = 64;

/// A set of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags(u64);

impl Tags {
    /// None of them.
    pub const NONE: Tags = Tags(0);

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether both have one in common.
    pub fn meet(self, other: Tags) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of either.
    pub fn and(self, other: Tags) -> Tags {
        Tags(self.0 | other.0)
    }

    /// Their numbers, in the order in which they were named first.
    fn numbers(self) -> impl Iterator<Item = usize> {
        (0..TAGS_MAX).filter(move |at| self.0 >> at & 1 == 1)
    }
}

/// The names of tags.
#[derive(Clone, Debug, Default)]
pub struct TagNames(Vec<String>);

impl TagNames {
    /// The tags with these names. The error says that there are too many.
    pub fn tags<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<Tags, String> {
        let mut tags = Tags::NONE;
        for name in names {
            tags.0 |= 1 << self.number(name)?;
        }
        Ok(tags)
    }

    fn number(&mut self, name: &str) -> Result<usize, String> {
        if let Some(at) = self.0.iter().position(|known| known == name) {
            return Ok(at);
        }
        if self.0.len() == TAGS_MAX {
            return Err(format!("more than {TAGS_MAX} tags"));
        }
        self.0.push(name.to_owned());
        Ok(self.0.len() - 1)
    }
}

/// What is known of the clients of one prefix.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Their tags.
    pub tags: Tags,
    /// What zones with a tag are for them, whatever they are for others: by the tag's number.
    kinds: BTreeMap<usize, Kind>,
    /// Records that stand for those of zones with a tag.
    data: BTreeMap<usize, Vec<RawRecord>>,
    /// The view that they have, by its place in [`Clients::views`].
    pub view: Option<usize>,
}

impl Client {
    /// For these clients, zones with the tag (one of `names`) are of this kind.
    pub fn add_kind(&mut self, names: &mut TagNames, tag: &str, kind: Kind) -> Result<(), String> {
        self.kinds.insert(names.number(tag)?, kind);
        Ok(())
    }

    /// For these clients, zones with the tag have this record: type and data in master-file form.
    pub fn add_data(&mut self, names: &mut TagNames, tag: &str, text: &str) -> Result<(), String> {
        let record = rdata::record_from_text(&format!(". {text}"), &Name::root(), 3600, None)?;
        self.data.entry(names.number(tag)?).or_default().push(record);
        Ok(())
    }

    /// What a zone with these tags is for this client: the first tag of both that says so counts.
    pub(super) fn kind(&self, tags: Tags) -> Option<Kind> {
        Tags(self.tags.0 & tags.0).numbers().find_map(|number| self.kinds.get(&number)).copied()
    }

    /// The records that stand for those of a zone with these tags.
    pub(super) fn records(&self, tags: Tags) -> Option<&[RawRecord]> {
        let found = Tags(self.tags.0 & tags.0).numbers().find_map(|number| self.data.get(&number));
        found.map(Vec::as_slice)
    }
}

/// Local zones and rules about addresses that some clients have instead of the others'.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its name in the configuration.
    pub name: String,
    /// Names answered by configuration.
    pub local: LocalZones,
    /// Rules about addresses in answers.
    pub responses: AddressRules,
    /// What the view does not answer is looked for in what everybody has.
    pub first: bool,
}

/// All that is known of clients.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    /// By prefix; the longest counts.
    pub known: Prefixes<Client>,
    /// The views.
    pub views: Vec<View>,
}

impl Clients {
    /// Whether all clients are alike.
    pub fn alike(&self) -> bool {
        self.known.is_empty()
    }

    /// What is known of a client.
    pub fn client(&self, from: IpAddr) -> Option<&Client> {
        self.known.longest(from)
    }

    /// The client's view.
    pub fn view(&self, from: IpAddr) -> Option<&View> {
        self.views.get(self.client(from)?.view?)
    }
}

/// Records under a name of which those of the type are given; aliases where there are none.
pub(super) fn fitting(records: &[RawRecord], name: &Name, rtype: RecordType) -> Vec<RawRecord> {
    let of = |wanted: RecordType| {
        let own = records.iter().filter(move |record| record.rtype == wanted || wanted == RecordType::ANY);
        own.map(|record| RawRecord { name: name.clone(), ..record.clone() }).collect::<Vec<_>>()
    };
    let found = of(rtype);
    if found.is_empty() && rtype != RecordType::CNAME { of(RecordType::CNAME) } else { found }
}
