//! Several shells in one lab: the first one runs it and listens on a socket in the file system; others hand their frames
//! over that socket.
//!
//! ```text
//! joiner: {"join":"desktop"}\n          runner: {"lab":"internet","set":[],"trust":"-----BEGIN..."}\n or {"error":"..."}\n
//! both, from then on: a frame's length as 16 bits, the frame
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thru_lab::{Internet, Scenario};
use thru_net::iface::Pollable;
use thru_os::device::{Device, Properties, Stamps};
use thru_os::{clock, namespace};
use thru_stack::{Frame, Offloads};
use thru_wire::MacAddr;

use crate::failure::Failure;
use crate::joint;

/// Frames that wait for a joined shell; beyond, they are lost.
const QUEUE_MAX: usize = 1 << 20;
/// A greeting is not longer.
const GREETING_MAX: u64 = 1 << 20;
/// Who does not greet for so long is sent away.
const PATIENCE: Duration = Duration::from_secs(2);
/// A shell that has just ended may not have been missed yet: so long its host is waited for.
const LEAVING: Duration = Duration::from_millis(500);

/// What a joiner needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub(super) lab: String,
    pub(super) set: Vec<String>,
    pub(super) trust: String,
}

#[derive(Serialize, Deserialize)]
struct Wish {
    join: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Answer {
    Error { error: String },
    Welcome(Welcome),
}

/// The socket of the running lab of this name, in a folder that is this user's alone.
fn place(lab: &str) -> io::Result<PathBuf> {
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| Path::new(folder).is_dir()) {
        Some(folder) => PathBuf::from(folder),
        None => std::env::temp_dir(),
    };
    let user = namespace::user();
    let folder = folder.join(format!("thru-labs-{user}"));
    match fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != user || found.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("{} is not this user's alone", folder.display())));
    }
    let name: String =
        lab.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    Ok(folder.join(name))
}

/// Where others may join. Gone when dropped.
pub(super) struct Door {
    listener: UnixListener,
    place: PathBuf,
}

impl Door {
    /// Opens it, unless another lab of this name runs: then there is none, and nobody can join this one.
    pub(super) fn open(lab: &str) -> io::Result<Option<Door>> {
        let place = place(lab)?;
        if UnixStream::connect(&place).is_ok() {
            return Ok(None);
        }
        // Left behind by one that was killed.
        let _ = fs::remove_file(&place);
        Ok(Some(Door { listener: UnixListener::bind(&place)?, place }))
    }

    /// Lets others in on a thread of its own; what they are is given to `joined` on the lab's side.
    pub(super) fn serve(
        &self,
        scenario: Scenario,
        own: usize,
        welcome: Welcome,
        joined: tokio::sync::mpsc::UnboundedSender<(usize, Guest)>,
    ) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        let taken = Arc::new(TakenHosts { hosts: Mutex::new(BTreeSet::from([own])), left: Condvar::new() });
        std::thread::Builder::new().name("door".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // What goes wrong with one guest is told to that guest.
                if let Ok((node, guest)) = greet(stream, &scenario, &taken, &welcome)
                    && joined.send((node, guest)).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.place);
        // The folder goes with the last one.
        if let Some(folder) = self.place.parent() {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn greet(
    mut stream: UnixStream,
    scenario: &Scenario,
    taken: &Arc<TakenHosts>,
    welcome: &Welcome,
) -> io::Result<(usize, Guest)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let wish: Wish = serde_json::from_str(&line(&stream)?)?;
    let node = joint::free_host(scenario, &wish.join).map_err(|failure| failure.message);
    let node = node.and_then(|node| {
        if taken.take(node) { Ok(node) } else { Err(format!("`{}` is taken by another shell", wish.join)) }
    });
    let node = match node {
        Ok(node) => node,
        Err(error) => {
            let answer = serde_json::to_string(&Answer::Error { error: error.clone() })?;
            writeln!(stream, "{answer}")?;
            return Err(io::Error::other(error));
        }
    };
    let answer = serde_json::to_string(&Answer::Welcome(welcome.clone()))?;
    writeln!(stream, "{answer}")?;
    stream.set_read_timeout(None)?;
    let (mac, mtu) = (scenario.mac(node, 0), scenario.mtu(node, 0));
    let place = Taken { node, all: taken.clone() };
    Ok((node, Guest::new(stream, mac, mtu, Some(place))?))
}

/// Reads a line byte by byte, so that no frame behind it is swallowed.
fn line(stream: &UnixStream) -> io::Result<String> {
    let mut text = String::new();
    let limited = stream.take(GREETING_MAX);
    io::BufReader::with_capacity(1, limited).read_line(&mut text)?;
    Ok(text)
}

/// Joins the running lab of this name as one of its hosts.
pub(super) fn join(lab: &str, node: &str) -> Result<(UnixStream, Welcome), Failure> {
    let none = |error: io::Error| {
        Failure::usage(
            format!("no lab `{lab}` is running that could be joined: {error}"),
            format!("start it in another terminal: `thru lab shell {lab}`"),
        )
    };
    let mut stream = place(lab).and_then(UnixStream::connect).map_err(none)?;
    let wish = serde_json::to_string(&Wish { join: node.to_owned() }).unwrap_or_default();
    writeln!(stream, "{wish}").map_err(none)?;
    let answer = line(&stream).map_err(none)?;
    match serde_json::from_str(&answer) {
        Ok(Answer::Welcome(welcome)) => Ok((stream, welcome)),
        Ok(Answer::Error { error }) => Err(Failure::usage(error, "`thru lab show` lists its hosts")),
        Err(error) => Err(none(io::Error::other(error))),
    }
}

/// Hosts that shells are.
struct TakenHosts {
    hosts: Mutex<BTreeSet<usize>>,
    left: Condvar,
}

impl TakenHosts {
    /// Takes a host that is free, or becomes so in a moment.
    fn take(&self, node: usize) -> bool {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.left.wait_timeout_while(hosts, LEAVING, |hosts| hosts.contains(&node));
        waited.unwrap_or_else(PoisonError::into_inner).0.insert(node)
    }
}

/// A host that is given back when its shell is gone.
struct Taken {
    node: usize,
    all: Arc<TakenHosts>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.all.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.node);
        self.all.left.notify_all();
    }
}

/// The other end of the socket as a device: of the lab a joined shell, of a joined shell the lab.
pub(super) struct Guest {
    stream: UnixStream,
    properties: Properties,
    /// Bytes that have come and are no whole frame yet.
    incoming: Vec<u8>,
    outgoing: VecDeque<u8>,
    _taken: Option<Taken>,
}

impl Guest {
    fn new(stream: UnixStream, mac: MacAddr, mtu: usize, taken: Option<Taken>) -> io::Result<Guest> {
        stream.set_nonblocking(true)?;
        let name = "shell".to_owned();
        let (offloads, stamps) = (Offloads::default(), Stamps::Fetched);
        let properties = Properties { name, ethernet: true, mac, mtu, offloads, stamps };
        Ok(Guest { stream, properties, incoming: Vec::new(), outgoing: VecDeque::new(), _taken: taken })
    }

    /// The lab, as its joined shell sees it.
    pub(super) fn lab(stream: UnixStream) -> io::Result<Guest> {
        Guest::new(stream, MacAddr([0; 6]), 65_535, None)
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.as_slices().0) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whole frames out of what has come.
    fn frames(&mut self, frames: &mut Vec<Frame>, limit: usize) -> usize {
        let (mut at, mut count) = (0, 0);
        while count < limit
            && let Some(length) =
                self.incoming.get(at..at + 2).map(|pair| usize::from(pair[0]) << 8 | usize::from(pair[1]))
            && let Some(bytes) = self.incoming.get(at + 2..at + 2 + length)
        {
            let bytes = Bytes::copy_from_slice(bytes);
            frames.push(Frame::new(bytes, clock::now()));
            at += 2 + length;
            count += 1;
        }
        self.incoming.drain(..at);
        count
    }
}

impl Device for Guest {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        let count = self.frames(frames, limit);
        if count > 0 {
            return Ok(count);
        }
        let mut buffer = [0; 65_536];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.incoming.extend_from_slice(&buffer[..length]);
                    let count = self.frames(frames, limit);
                    if count > 0 {
                        return Ok(count);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let mut sent = 0;
        for frame in frames.drain(..) {
            let Ok(length) = u16::try_from(frame.bytes.len()) else { continue };
            if self.outgoing.len() > QUEUE_MAX {
                continue;
            }
            self.outgoing.extend(length.to_be_bytes());
            self.outgoing.extend(frame.bytes.iter());
            sent += 1;
        }
        self.flush()?;
        Ok(sent)
    }

    fn is_stuck(&self) -> bool {
        !self.outgoing.is_empty()
    }
}

/// Takes in those who join, as long as the lab runs.
pub(super) async fn let_in(
    internet: Internet,
    mut guests: tokio::sync::mpsc::UnboundedReceiver<(usize, Guest)>,
) {
    let mut joined = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = joined.join_next(), if !joined.is_empty() => {}
            guest = guests.recv() => {
                let Some((node, guest)) = guest else { return };
                if let Ok(mut join) = internet.join(node, 0, Box::new(guest)) {
                    // When the shell is gone, so is its wire: the host is free again.
                    joined.spawn(async move { join.ended().await });
                }
            }
        }
    }
}

impl Pollable for Guest {
    fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}
