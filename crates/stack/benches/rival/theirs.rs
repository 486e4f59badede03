//! Two hosts of smoltcp, back to back. Its buffers on the link are used again and again: the link costs it nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::meter::{Cost, Meter};

const A: IpAddress = IpAddress::v4(10, 0, 0, 1);
const B: IpAddress = IpAddress::v4(10, 0, 0, 2);

/// One direction of the link.
#[derive(Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    full: u64,
}

/// One end of the link.
struct End {
    incoming: Rc<RefCell<Queue>>,
    outgoing: Rc<RefCell<Queue>>,
}

impl Device for End {
    type RxToken<'a> = Received;
    type TxToken<'a> = Room;

    fn receive(&mut self, _: Instant) -> Option<(Received, Room)> {
        let frame = self.incoming.borrow_mut().frames.pop_front()?;
        let received = Received { frame, from: self.incoming.clone() };
        Some((received, Room { to: self.outgoing.clone() }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room> {
        Some(Room { to: self.outgoing.clone() })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1_500;
        capabilities
    }
}

struct Received {
    frame: Vec<u8>,
    from: Rc<RefCell<Queue>>,
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        let result = read(&self.frame);
        self.from.borrow_mut().spare.push(self.frame);
        result
    }
}

struct Room {
    to: Rc<RefCell<Queue>>,
}

impl TxToken for Room {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = self.to.borrow_mut().spare.pop().unwrap_or_else(|| Vec::with_capacity(1_536));
        frame.resize(len, 0);
        let result = write(&mut frame);
        let mut to = self.to.borrow_mut();
        to.full += u64::from(len > 600);
        to.frames.push_back(frame);
        result
    }
}

struct Side {
    device: End,
    interface: Interface,
    sockets: SocketSet<'static>,
}

impl Side {
    fn new(address: IpAddress, incoming: Rc<RefCell<Queue>>, outgoing: Rc<RefCell<Queue>>) -> Side {
        let mut device = End { incoming, outgoing };
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(address, 24)).expect("room for an address");
        });
        Side { device, interface, sockets: SocketSet::new(Vec::new()) }
    }

    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.device, &mut self.sockets);
    }

    fn add(&mut self, buffer: usize) -> SocketHandle {
        let ring = || SocketBuffer::new(vec![0; buffer]);
        self.sockets.add(Socket::new(ring(), ring()))
    }
}

pub(crate) struct Theirs {
    a: Side,
    b: Side,
    now: i64,
    buffer: usize,
    forward: Rc<RefCell<Queue>>,
    bulk: Option<(SocketHandle, SocketHandle)>,
    next_port: u16,
    block: Vec<u8>,
    scratch: Vec<u8>,
}

impl Theirs {
    pub(crate) fn new(buffer: usize) -> Theirs {
        let (forward, back) = (Rc::<RefCell<Queue>>::default(), Rc::<RefCell<Queue>>::default());
        Theirs {
            a: Side::new(A, back.clone(), forward.clone()),
            b: Side::new(B, forward.clone(), back),
            now: 1_000,
            buffer,
            forward,
            bulk: None,
            next_port: 10_000,
            block: vec![7; 65_536],
            scratch: vec![0; 65_536],
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn start(&mut self, client: SocketHandle, server: SocketHandle) {
        let listener = self.b.sockets.get_mut::<Socket<'_>>(server);
        listener.listen(80).expect("a closed socket");
        self.next_port = if self.next_port == 60_000 { 10_000 } else { self.next_port + 1 };
        let socket = self.a.sockets.get_mut::<Socket<'_>>(client);
        socket.connect(self.a.interface.context(), (B, 80), self.next_port).expect("a closed socket");
        for _ in 0..4 {
            let now = self.now();
            self.a.poll(now);
            self.b.poll(now);
        }
        assert_eq!(self.b.sockets.get::<Socket<'_>>(server).state(), State::Established);
    }

    /// Connections on which nothing happens, with the smallest of buffers.
    pub(crate) fn add_idle(&mut self, count: usize) {
        for _ in 0..count {
            let (client, server) = (self.a.add(64), self.b.add(64));
            self.start(client, server);
            self.now += 10;
        }
    }

    /// Carries so many bytes over one connection.
    pub(crate) fn transfer(&mut self, bytes: u64) -> Cost {
        let (client, server) = match self.bulk {
            Some(ends) => ends,
            None => {
                let ends = (self.a.add(self.buffer), self.b.add(self.buffer));
                self.start(ends.0, ends.1);
                *self.bulk.insert(ends)
            }
        };
        let before = self.forward.borrow().full;
        let (mut written, mut read) = (0, 0);
        let meter = Meter::start();
        while read < bytes {
            let now = self.now();
            let wanted = (bytes - written).min(self.block.len() as u64) as usize;
            let sender = self.a.sockets.get_mut::<Socket<'_>>(client);
            written += sender.send_slice(&self.block[..wanted]).expect("open") as u64;
            self.a.poll(now);
            self.b.poll(now);
            let receiver = self.b.sockets.get_mut::<Socket<'_>>(server);
            while let Ok(len @ 1..) = receiver.recv_slice(&mut self.scratch) {
                read += len as u64;
            }
            self.b.poll(now);
            self.now += 20;
        }
        let packets = self.forward.borrow().full - before;
        meter.stop(packets, bytes)
    }

    /// Connects, sends a byte, closes on both sides; so many times.
    pub(crate) fn connections(&mut self, times: u64) -> Cost {
        let (client, server) = (self.a.add(64), self.b.add(64));
        let meter = Meter::start();
        for _ in 0..times {
            self.start(client, server);
            let mut byte = [0];
            let socket = self.a.sockets.get_mut::<Socket<'_>>(client);
            socket.send_slice(b"x").expect("open");
            socket.close();
            self.exchange();
            let socket = self.b.sockets.get_mut::<Socket<'_>>(server);
            assert_eq!(socket.recv_slice(&mut byte), Ok(1));
            socket.close();
            self.exchange();
            self.exchange();
            // It holds a whole socket in TIME-WAIT: here it needn't wait.
            let socket = self.a.sockets.get_mut::<Socket<'_>>(client);
            assert_eq!(socket.state(), State::TimeWait);
            socket.abort();
            let now = self.now();
            self.a.poll(now);
            assert_eq!(self.b.sockets.get::<Socket<'_>>(server).state(), State::Closed);
            self.now += 1_000;
        }
        meter.stop(times, times)
    }

    fn exchange(&mut self) {
        let now = self.now();
        self.a.poll(now);
        self.b.poll(now);
    }
}
