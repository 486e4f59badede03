//! What is written is read by a program that we did not write.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn rows(path: &Path, rows: &str) -> std::process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thru-parquet"))
        .arg(path)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // It may have said no by now: then its words count, not ours.
    let _ = child.stdin.take().expect("it was asked for").write_all(rows.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What DuckDB says to a question, as text; `None`: it is not here, which has been said.
fn duckdb(test: &str, question: &str) -> Option<String> {
    let mut python = thru_peers::python(test, "duckdb", "duckdb")?;
    let code = "import duckdb, sys\nfor row in duckdb.sql(sys.argv[1]).fetchall(): print(*row, sep='|')";
    let output = python.args(["-c", code, question]).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn values_of_all_types_come_back() {
    let path = place("types.parquet");
    let text = "n:integer\tt:timestamp\td:double\tb:boolean\ttcp.words:text\n\
                1\t1795251600000000123\t1.5\ttrue\ta\\tb\\\\c ü\n\
                \\N\t\\N\t\\N\t\\N\t\\N\n\
                -7\t0\t-0.25\t0\t\n";
    let output = rows(&path, text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let test = "export: Parquet read by DuckDB";
    let question = format!("select n, epoch_ns(t), d, b, \"tcp.words\" from '{}'", path.display());
    let Some(told) = duckdb(test, &question) else { return };
    assert_eq!(
        told,
        "1|1795251600000000123|1.5|True|a\tb\\c ü\nNone|None|None|None|None\n-7|0|-0.25|False|\n"
    );
}

#[test]
fn many_rows_are_several_groups() {
    let path = place("many.parquet");
    let mut text = "n:integer\tw:text\n".to_owned();
    (0..250_001).for_each(|n| text.push_str(&format!("{n}\tw{}\n", n % 10)));
    let output = rows(&path, &text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let test = "export: many rows read by DuckDB";
    let question = format!("select count(*), sum(n), count(distinct w) from '{}'", path.display());
    let Some(told) = duckdb(test, &question) else { return };
    assert_eq!(told, "250001|31250125000|10\n");
    let groups = format!("select count(distinct row_group_id) from parquet_metadata('{}')", path.display());
    assert_eq!(duckdb(test, &groups).as_deref(), Some("3\n"));
}

#[test]
fn what_makes_no_sense_is_told() {
    let output = rows(&place("wrong.parquet"), "n:integer\nseven\n");
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("row 1: `seven` is not an integer"), "{said}");
    let output = Command::new(env!("CARGO_BIN_EXE_thru-parquet")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

/// The whole way, if thru was built: `thru read -w` runs this program.
#[test]
fn a_capture_becomes_packets_and_flows() {
    const TEST: &str = "export: a capture read by DuckDB";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let thru = ["release", "debug"].map(|build| root.join("target").join(build).join("thru"));
    let Some(thru) = thru.into_iter().find(|path| path.is_file()) else {
        return thru_peers::not_run(TEST, "thru is not built: cargo build");
    };
    let capture = root.join("crates/dissect/tests/data/tls.pcapng");
    for name in ["packets.parquet", "flows.parquet"] {
        let output = Command::new(&thru)
            .arg("read")
            .arg(&capture)
            .arg("-w")
            .arg(place(name))
            .env("THRU_PARQUET", env!("CARGO_BIN_EXE_thru-parquet"))
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let question = format!(
        "select count(*), sum(length), min(time)::varchar, count(*) filter (tcp_retransmission), max(tcp_stream) from '{}'",
        place("packets.parquet").display()
    );
    let Some(told) = duckdb(TEST, &question) else { return };
    let mut words = told.trim().split('|');
    assert_eq!(words.next(), Some("40"), "{told}");
    let bytes: u64 = words.next().and_then(|word| word.parse().ok()).expect("a number");
    let question = format!(
        "select sum(packets_ab + packets_ba), sum(bytes_ab + bytes_ba), count(*) filter (protocol = 'tcp') from '{}'",
        place("flows.parquet").display()
    );
    let flows = duckdb(TEST, &question).expect("it ran a moment ago");
    let numbers: Vec<u64> = flows.trim().split('|').map(|word| word.parse().expect("a number")).collect();
    // ARP is no flow.
    assert!(numbers[0] < 40 && numbers[1] < bytes && numbers[2] >= 2, "{flows}");
}
