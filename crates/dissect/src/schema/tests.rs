use super::*;
use proptest::prelude::*;

const PEOPLE: &str = r#"
syntax = "proto3"; // a comment
package people.v1;
import "google/protobuf/timestamp.proto";
option java_package = "org.example; }";
/* a longer
   comment */
message Person {
  string name = 1;
  optional int32 id = 2 [deprecated = true, (own) = { a: 1 }];
  repeated Phone phones = 4;
  oneof how { bytes photo = 5; .people.v1.Kind best = 0x6; }
  map<string, Phone> others = 7;
  reserved 9, 20 to 30;
  message Phone { string number = 1; Kind kind = 2; }
  enum Kind { MOBILE = 0; HOME = 1; NONE = -1; }
}
enum Kind { UNKNOWN = 0; }
service Search { rpc Find(Person) returns (stream .people.v1.Person) { option idempotent = 1; } }
"#;

fn people() -> Schema {
    let mut schema = Schema::new();
    schema.take(PEOPLE).expect("it is well-formed");
    schema
}

#[test]
fn names_mean_what_is_nearest() {
    let schema = people();
    let name = |message: &str, number| schema.member(message, number).map(|member| member.name.clone());
    assert_eq!(name("people.v1.Person", 1).as_deref(), Some("name"));
    assert_eq!(name("people.v1.Person", 6).as_deref(), Some("best"));
    assert_eq!(name("people.v1.Person.Phone", 2).as_deref(), Some("kind"));
    let kind = schema.resolve("people.v1.Person.Phone", "Kind");
    assert!(matches!(kind, Some(Meaning::Enum(names)) if names[&1] == "HOME" && names[&-1] == "NONE"));
    let outer = schema.resolve("people.v1.Person", ".people.v1.Kind");
    assert!(matches!(outer, Some(Meaning::Enum(names)) if names[&0] == "UNKNOWN"));
    assert_eq!(schema.of_method("/people.v1.Search/Find", true), Some("people.v1.Person"));
    assert_eq!(schema.of_method("/people.v1.Search/Lose", true), None);
    assert_eq!(schema.messages().count(), 3);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let error =
        Schema::new().take("syntax = \"proto3\";\nmessage A {\n  string = 1;\n}").expect_err("no name");
    assert_eq!(error.line, 3);
    let error = Schema::new().take("message A {\n string a = x;\n}").expect_err("no number");
    assert_eq!(error.to_string(), "line 2: `x`: a field's number was expected");
    let deep = "message A {".repeat(5000);
    assert!(Schema::new().take(&deep).is_err());
}

#[test]
fn every_beginning_of_a_file() {
    for cut in (0..PEOPLE.len()).filter(|cut| PEOPLE.is_char_boundary(*cut)) {
        let _ = Schema::new().take(&PEOPLE[..cut]);
    }
}

proptest! {
    #[test]
    fn any_text(words in prop::collection::vec(prop::sample::select(vec![
        "message", "enum", "oneof", "group", "map", "<", ">", "{", "}", "=", "1", ";", "rpc", "service", "(", ")",
        "returns", "stream", "A", "\"", "//", "/*", "\n", "-", "é", "[", "]", "option", ",",
    ]), 0..60)) {
        let _ = Schema::new().take(&words.join(" "));
    }
}
