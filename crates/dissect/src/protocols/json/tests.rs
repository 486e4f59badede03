use super::*;
use crate::state::State;
use crate::tree::{Arena, Tree};

/// Names and words of what is found, headings by their names only.
fn check(text: &str, expected: &[&str]) {
    let (mut arena, mut state) = (Arena::new(), State::default());
    let mut cx = Context::new(&mut arena, &mut state, 1, 0);
    dissect(&mut cx, Data { bytes: text.as_bytes(), at: 0, source: 0 });
    let tree = Tree { arena: &arena, frame: text.as_bytes() };
    let shown = |field: &crate::tree::Field| {
        let mut out = Vec::new();
        crate::show::write_value(&mut out, tree, field);
        format!("{} {}", field.def.name.trim_start_matches("json."), String::from_utf8_lossy(&out))
            .trim_end()
            .to_owned()
    };
    let found: Vec<String> = tree.fields().iter().skip(1).map(shown).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn values_have_keys_and_paths() {
    check(
        r#"{"a": [1, {"b": "x\u00e9\"" }], "c": null}"#,
        &[
            "object",
            "member a",
            "array",
            "path_with_value /a/[]:1",
            "member_with_value []:1",
            "value.number 1",
            "object",
            "member b",
            "path_with_value /a/[]/b:x\u{e9}\"",
            "member_with_value b:x\u{e9}\"",
            "value.string x\u{e9}\"",
            "key b",
            "path /a/[]/b",
            "key a",
            "path /a",
            "member c",
            "path_with_value /c:null",
            "member_with_value c:null",
            "value.null",
            "key c",
            "path /c",
        ],
    );
    check("[]", &["array"]);
    check("{}", &["object"]);
    check(r#""\ud83d\ude00""#, &["value.string \u{1F600}"]);
    check(r#""\ud800\u0041""#, &["value.string \u{FFFD}A"]);
    check(r#""\u+041""#, &["data-text-lines"]);
}

#[test]
fn what_is_no_json_ends_early() {
    check("{\"a\" 1}", &["object", "member a", "data-text-lines"]);
    check(
        "[1 2]",
        &["array", "path_with_value /[]:1", "member_with_value []:1", "value.number 1", "data-text-lines"],
    );
    check("nonsense", &["data-text-lines"]);
    check("\"\\u12", &["data-text-lines"]);
    check("{", &["object", "data-text-lines"]);
}

#[test]
fn no_text_makes_a_tree_without_bound() {
    for text in ["[".repeat(100_000), "[0,".repeat(50_000), "0 ".repeat(100_000), "{\"a\":".repeat(20_000)] {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        dissect(&mut cx, Data { bytes: text.as_bytes(), at: 0, source: 0 });
        assert!(arena.fields.len() < 4 * VALUES_MAX && arena.text.len() < 4 << 20);
    }
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "[\\[\\]{}\":,\\\\ua0-9 tfn.é-]{0,60}") {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        dissect(&mut cx, Data { bytes: text.as_bytes(), at: 0, source: 0 });
        proptest::prop_assert_eq!(cx.depth, 0);
    }
}
