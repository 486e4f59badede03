//! gRPC: Python's grpcio on both sides, as Google's core library speaks it; with a schema and without.

use std::process::Command;

use crate::place::{NotHere, Place};
use crate::program::Ready;
use crate::scene::Scene;

/// gRPC in the clear has no port of its own.
const TOLD: &[&str] = &["-d", "tcp.port==50051,http2"];
const TOLD_SCHEMA: &[&str] =
    &["-d", "tcp.port==50051,http2", "-o", "uat:protobuf_search_paths:\"FOLDER/schema\",\"TRUE\""];

pub(crate) fn scenes() -> Vec<Scene> {
    let scene = |name| Scene::new(name, &[], play);
    vec![scene("grpc").told(TOLD), scene("grpc-schema").told(TOLD_SCHEMA).schema(SCHEMA)]
}

/// The schema of the scene whose name ends so.
const SCHEMA: &str = r#"syntax = "proto3";
package shop;
message Order { string name = 1; repeated sint32 sizes = 2; Kind kind = 3; Price price = 4; bytes label = 5; }
message Price { double amount = 1; bool taxed = 2; }
enum Kind { PLAIN = 0; GIFT = 1; }
service Desk { rpc Take(Order) returns (Price); rpc Watch(Order) returns (stream Price); rpc Many(stream Order) returns (Price); }
"#;

const SERVER: &str = r#"
import grpc, struct, time
from concurrent import futures
price = lambda amount: b"\x09" + struct.pack("<d", amount) + b"\x10\x01"
def take(order, context):
    context.set_trailing_metadata((("served-by", "first"), ("raw-bin", b"\x00\x01\xff")))
    return price(2.5)
def watch(order, context):
    for amount in (1.0, -2.25, 1e300):
        yield price(amount)
def many(orders, context):
    return price(float(len(list(orders))))
def refuse(order, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such desk: ä")
handlers = {
    "Take": grpc.unary_unary_rpc_method_handler(take),
    "Watch": grpc.unary_stream_rpc_method_handler(watch),
    "Many": grpc.stream_unary_rpc_method_handler(many),
    "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Desk", handlers),))
assert server.add_insecure_port("192.0.2.2:50051")
server.start()
server.wait_for_termination()
"#;

const CLIENT: &str = r#"
import grpc, struct
order = b"\x0a\x03box" + b"\x12\x02\x02\x03" + b"\x18\x01" + b"\x22\x0b\x09" + struct.pack("<d", 2.5) + b"\x10\x01" + b"\x2a\x02\x80\x81"
with grpc.insecure_channel("192.0.2.2:50051") as channel:
    take = channel.unary_unary("/shop.Desk/Take")
    take(order, metadata=(("trace-id", "7"), ("key-bin", b"\x01\x02")), timeout=20)
    take(b"", timeout=20)
    list(channel.unary_stream("/shop.Desk/Watch")(order, timeout=20))
    channel.stream_unary("/shop.Desk/Many")(iter([order, order, order]), timeout=20)
    for method in ("/shop.Desk/Refuse", "/shop.Desk/Nothing"):
        try:
            channel.unary_unary(method)(order, timeout=20)
        except grpc.RpcError as error:
            print(error.code())
with grpc.insecure_channel("192.0.2.2:50051", compression=grpc.Compression.Gzip) as channel:
    channel.unary_unary("/shop.Desk/Take")(order * 40, timeout=20)
"#;

fn play(place: &Place) -> Result<(), NotHere> {
    place.file("schema/desk.proto", SCHEMA);
    let python = || match thru_peers::python("live: grpc", "grpc", "grpcio") {
        Some(command) => Ok(command),
        None => Err(NotHere(String::new())),
    };
    let run = |mut command: Command, text: &str| {
        command.args(["-c", text]);
        command
    };
    place.serve(&mut run(python()?, SERVER), Ready::Tcp(50051));
    place.near.runs(&mut run(python()?, CLIENT));
    Ok(())
}
