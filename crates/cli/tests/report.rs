//! The HTML report, the HAR and the bundle: written by the program, looked at by a browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn thru(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thru")).args(arguments).output().expect("the program starts")
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder in the target folder");
    folder
}

fn report(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let output = thru(&[arguments, &["--report", path.to_str().unwrap()]].concat());
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// What a browser makes of a page: the document after its scripts have run.
fn browse(chromium: &Path, folder: &Path, page: &Path) -> String {
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            "--virtual-time-budget=5000",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The report in frames of several widths, and what the browser measured in each.
const MEASURE: &str = r#"<!DOCTYPE html><body><script>
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, root = page.documentElement, view = frame.contentWindow;
    const words = [...page.querySelectorAll("h1, h2, li, p, .step .took")].filter(word => word.getClientRects().length);
    const outside = words.filter(word => {
      const box = word.getBoundingClientRect();
      return !word.closest(".scroll") && (box.left < -1 || box.right > frame.clientWidth + 1);
    });
    const dead = [...page.querySelectorAll("a[href^='#']")].filter(link => !page.querySelector(link.getAttribute("href")));
    const bars = [...page.querySelectorAll(".bar")].filter(bar => bar.getBoundingClientRect().width >= 2);
    const told = document.createElement("p");
    told.className = "measured";
    told.textContent = [frame.width, root.scrollWidth <= frame.clientWidth, outside.length, dead.length,
      page.querySelectorAll("svg path").length > 5, bars.length > 3, view.performance.getEntriesByType("resource").length].join(" ");
    document.body.append(told);
  }
});
</script>FRAMES</body>"#;

#[test]
fn a_browser_shows_the_report_in_every_width_and_loads_nothing() {
    let test = "a_browser_shows_the_report_in_every_width_and_loads_nothing";
    let Some(chromium) = thru_peers::peer(test, "chromium", "chromium") else { return };
    let folder = folder("report-browser");
    for (name, arguments) in [
        ("healthy", &["https://www.shop.lab"][..]),
        ("dropped", &["https://www.shop.lab", "--on", "lab:port-dropped"]),
        ("lossy", &["https://www.shop.lab/bytes/500000", "--on", "lab:loss"]),
        ("http3", &["https://www.shop.lab", "--http", "3"]),
    ] {
        report(&folder, &format!("{name}.html"), arguments);
        let frames: String = [360, 700, 1200]
            .iter()
            .map(|width| format!("<iframe width=\"{width}\" height=\"800\" src=\"{name}.html\"></iframe>"))
            .collect();
        let page = folder.join(format!("{name}-frames.html"));
        std::fs::write(&page, MEASURE.replace("FRAMES", &frames)).unwrap();
        let document = browse(&chromium, &folder, &page);
        for width in [360, 700, 1200] {
            let told = format!("<p class=\"measured\">{width} true 0 0 true true 0</p>");
            assert!(document.contains(&told), "{name}: expected {told} in {}", measured(&document));
        }
    }
}

fn measured(document: &str) -> String {
    document
        .split("<p class=\"measured\">")
        .skip(1)
        .filter_map(|rest| rest.split("</p>").next())
        .collect::<Vec<_>>()
        .join(" | ")
}

#[test]
fn the_report_is_the_same_for_the_same_seed() {
    let folder = folder("report-same");
    let [one, two] = ["one.html", "two.html"].map(|name| {
        let path =
            report(&folder, name, &["https://www.shop.lab", "--on", "lab:cert-expired", "--seed", "5"]);
        std::fs::read_to_string(path).unwrap()
    });
    assert!(one == two, "the same request gave two reports");
    assert!(one.contains("The certificate of www.shop.lab has expired"));
}

#[test]
fn a_bundle_holds_everything_but_the_secrets() {
    let folder = folder("bundle");
    let unpack = |name: &str, more: &[&str]| {
        let path = folder.join(name);
        let _ = std::fs::remove_dir_all(folder.join("thru"));
        let arguments = ["https://www.shop.lab", "--bundle", path.to_str().unwrap()];
        let output = thru(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let tar = Command::new("tar").arg("-xzf").arg(&path).arg("-C").arg(&folder).status().expect("tar");
        assert!(tar.success());
        folder.join("thru")
    };
    let files = unpack("quiet.tar.gz", &[]);
    for name in ["report.html", "trace.json", "request.har", "connections.qlog", "packets.pcapng"] {
        let bytes = std::fs::read(files.join(name)).unwrap_or_else(|_| panic!("{name} is missing"));
        let secret = bytes.windows(22).any(|window| window == b"CLIENT_TRAFFIC_SECRET_");
        assert!(!secret, "{name} tells secrets");
    }
    let har: serde_json::Value =
        serde_json::from_slice(&std::fs::read(files.join("request.har")).unwrap()).expect("JSON");
    assert_eq!(har["log"]["entries"][0]["response"]["status"], 200);
    let keys = folder.join("keys");
    let files = unpack("told.tar.gz", &["--keylog", keys.to_str().unwrap()]);
    let capture = std::fs::read(files.join("packets.pcapng")).unwrap();
    assert!(capture.windows(22).any(|window| window == b"CLIENT_TRAFFIC_SECRET_"), "asked for, but missing");
}

/// Numbers of qlog's events of one name, with their time.
fn events<'a>(
    trace: &'a serde_json::Value,
    name: &'a str,
) -> impl Iterator<Item = (f64, &'a serde_json::Value)> + 'a {
    let all = trace["events"].as_array().expect("events").iter();
    all.filter(move |event| event["name"] == name)
        .map(|event| (event["time"].as_f64().expect("a time"), &event["data"]))
}

#[test]
fn a_qlog_holds_the_packets_of_quic_with_their_frames() {
    let path = folder("qlog").join("h3.qlog");
    let output = thru(&[
        "https://www.shop.lab",
        "--on",
        "lab:ok-http3",
        "--http",
        "3",
        "--qlog",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).expect("JSON");
    let quic = &file["traces"][0];
    let number = |data: &serde_json::Value| {
        (data["header"]["packet_type"].clone(), data["header"]["packet_number"].as_u64().expect("opened"))
    };
    let sent: Vec<_> = events(quic, "transport:packet_sent").map(|(_, data)| number(data)).collect();
    assert!(sent.len() > 10, "{sent:?}");
    let mut given = 0;
    let mut ends = std::collections::BTreeMap::new();
    for (_, data) in events(quic, "transport:packet_received") {
        for frame in data["frames"].as_array().expect("every packet was opened") {
            for range in frame["acked_ranges"].as_array().into_iter().flatten() {
                let (low, high) = (range[0].as_u64().unwrap(), range[1].as_u64().unwrap());
                // Acknowledgments are of packets that were sent.
                assert!(
                    (low..=high)
                        .all(|packet| sent.contains(&(data["header"]["packet_type"].clone(), packet)))
                );
                given += 1;
            }
            if frame["frame_type"] == "stream" {
                let end = frame["offset"].as_u64().unwrap() + frame["length"].as_u64().unwrap();
                let known = ends.entry(frame["stream_id"].as_u64()).or_insert(0);
                *known = end.max(*known);
            }
        }
    }
    assert!(given > 5, "{given} ranges");
    assert!(ends[&Some(0)] > 47_908, "the page is on the first stream: {ends:?}");
    let metrics: Vec<_> = events(quic, "recovery:metrics_updated").collect();
    let (_, last) = metrics.last().expect("metrics");
    let rtt = last["min_rtt"].as_f64().expect("round trips");
    // The lab's way to the shop takes 29 ms there and back.
    assert!((28.0..33.0).contains(&rtt), "{last}");
    assert!(metrics.iter().all(|(_, data)| data["bytes_in_flight"].as_u64().unwrap() < 20_000));
}

/// What another program's reader of HAR files makes of one.
const READ_HAR: &str = r#"
import json, sys
from haralyzer import HarParser
for path in sys.argv[1:]:
    entries = [entry for page in HarParser(json.load(open(path))).pages for entry in page.entries]
    for entry in entries:
        request, response = entry.request, entry.response
        print(request.method, request.url, entry.request.accept, response.httpVersion, response.status, response.statusText,
              response.headers.get("server") if hasattr(response.headers, "get") else [h["value"] for h in response.headers if h["name"] == "server"],
              entry.time >= sum(t for phase, t in entry.timings.items() if t > 0 and phase != "ssl") - 0.01)
"#;

#[test]
fn a_har_is_read_by_others() {
    let Some(mut python) = thru_peers::python("report: HAR in haralyzer", "haralyzer", "haralyzer") else {
        return;
    };
    let folder = folder("har");
    let write = |lab: &str, more: &[&str]| {
        let path = folder.join(format!("{lab}.har"));
        let on = format!("lab:{lab}");
        let output = thru(
            &[&["https://www.shop.lab/?a=1", "--on", &on, "--har", path.to_str().unwrap()], more].concat(),
        );
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
        path
    };
    let files = [write("ok-http3", &["--http", "3"]), write("http-503", &[]), write("ok-http1", &[])];
    let output = python.arg("-c").arg(READ_HAR).args(files).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(told.starts_with("GET https://www.shop.lab/?a=1 */* HTTP/3 200 OK"), "{told}");
    assert!(told.contains(" 503 Service Unavailable "), "{told}");
    assert!(told.lines().count() == 3 && told.lines().all(|line| line.ends_with("True")), "{told}");
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_with_its_path() {
    let output = thru(&["https://www.shop.lab", "--report", "/nowhere/at/all.html"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/nowhere/at/all.html") && output.status.code() == Some(2), "{said}");
}

#[test]
fn explain_tells_of_a_cause_by_code_and_by_word() {
    let text = |arguments: &[&str]| {
        let output = thru(arguments);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, page, _) = text(&["explain", "fw01"]);
    assert_eq!(code, Some(0));
    for part in ["FW01: port silently blocked", "How to see it", "How to mend it", "--on lab:port-dropped"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    // The command asks for what the fault is in the way of.
    let (_, page, _) = text(&["explain", "IP18"]);
    assert!(page.contains("$ thru https://www.shop.lab/bytes/3000000 --on lab:bufferbloat\n"), "{page}");
    let (_, page, _) = text(&["explain", "Q13"]);
    assert!(page.contains("--on lab:http3-refused --http 3\n"), "{page}");
    let (code, page, said) = text(&["https://www.shop.lab", "--on", "lab:bufferbloat"]);
    assert!(code == Some(0) && page.contains("is healthy"), "{page}");
    assert!(
        said.contains("shows with `thru https://www.shop.lab/bytes/3000000 --on lab:bufferbloat`"),
        "{said}"
    );
    let (_, list, _) = text(&["explain", "certificate", "expired"]);
    assert!(list.contains("TLS07") && !list.contains("FW01"), "{list}");
    let (code, out, said) = text(&["explain", "FW99"]);
    assert!(code == Some(2) && out.is_empty() && said.contains("FW99"), "{said}");
    let (_, lines, _) = text(&["explain", "--json"]);
    assert_eq!(lines.lines().count(), 283);
    let labs = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let shown = labs.filter(|cause| !cause["labs"].as_array().unwrap().is_empty()).count();
    assert!(shown > 40, "only {shown} causes have a lab that shows them");
}

#[test]
fn a_capture_gives_a_report_too() {
    let folder = folder("report-of-a-capture");
    let capture = folder.join("expired.pcapng");
    let arguments = ["https://www.shop.lab", "--on", "lab:cert-expired", "-w", capture.to_str().unwrap()];
    assert_eq!(thru(&arguments).status.code(), Some(1));
    let page = report(&folder, "expired.html", &["doctor", capture.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("The certificate of www.shop.lab has expired"));
    assert!(page.contains("id=\"f10\"") && !page.contains("class=\"note\""), "headers alone show no trouble");
}
