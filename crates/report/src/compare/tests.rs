use super::*;

const MS: u64 = 1_000_000;

fn row(version: &str, trips: f64, setup: u64, first: u64, ends: &[u64]) -> Row {
    Row {
        version: version.into(),
        round_trips: trips,
        setup: setup * MS,
        first_byte: first * MS,
        total: ends.iter().max().copied().unwrap_or(first) * MS,
        connections: 1,
        packets: 120,
        failed: None,
        objects: ends
            .iter()
            .enumerate()
            .map(|(n, end)| ObjectTiming {
                name: format!("/object/{n}"),
                start: first * MS,
                first_byte: (first + 1) * MS,
                end: end * MS,
            })
            .collect(),
    }
}

fn rows() -> Vec<Row> {
    vec![
        row("HTTP/1.1", 3.0, 61, 84, &[120, 140, 160, 180, 200, 380, 400]),
        row("HTTP/2", 3.02, 61, 84, &[130, 131, 132, 330, 331, 332, 333]),
        row("HTTP/3", 2.0, 41, 64, &[105, 106, 107, 108, 109, 110, 230]),
        Row { failed: Some("no answer\u{1b}[2J".into()), ..row("HTTP/3 0-RTT", 1.0, 0, 44, &[]) },
    ]
}

#[test]
fn every_width_and_alphabet_holds() {
    for width in [60, 80, 120] {
        for ascii in [false, true] {
            let style = Style { width, color: false, ascii };
            let text = render(&rows(), &style);
            for line in text.lines() {
                assert!(crate::text::layout::width(line) <= width, "{width}: {line:?}");
                assert!(!ascii || line.is_ascii(), "{line:?}");
            }
            assert!(!text.contains('\u{1b}'));
            println!("{text}");
        }
    }
}

#[test]
fn the_standstill_is_what_head_of_line_blocking_looks_like() {
    let rows = rows();
    assert_eq!(longest_pause(&rows[1].objects), 198 * MS);
    assert_eq!(half_done(&rows[1].objects), 330 * MS);
    assert_eq!(longest_pause(&[]), 0);
    let text = render(&rows, &Style::default());
    assert!(text.contains("198 ms"), "{text}");
}

#[test]
fn empty_and_degenerate_rows_do_not_panic() {
    assert_eq!(render(&[], &Style::default()), "Nothing was compared.\n");
    render(&[Row::default()], &Style { width: 1, color: false, ascii: true });
    render(&[Row { setup: u64::MAX, total: 1, ..Row::default() }], &Style::default());
}
