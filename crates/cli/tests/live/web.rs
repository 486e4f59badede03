//! nginx and curl: HTTP/1.1, HTTP/2 in the clear and inside TLS.

use crate::certificates::certificates;
use crate::place::{FAR, NotHere, Place, words};
use crate::program::Ready;
use crate::scene::Scene;

const NEEDS: &[(&str, &str)] = &[("nginx", "nginx-light"), ("curl", "curl")];

pub(crate) fn scenes() -> Vec<Scene> {
    let scene = |name, play| Scene::new(name, NEEDS, play);
    vec![
        scene("http1", http1),
        scene("https1", https1),
        scene("http2", http2),
        scene("http2-clear", http2_clear).told(&["-d", "tcp.port==8081,http2"]),
    ]
}

/// nginx, with files of several sizes and kinds.
pub(crate) fn nginx(place: &Place) {
    let names = certificates(place);
    let [v4, v6] = FAR;
    let words =
        "Each word of this page is sent again and again, so that there is something to pack. ".repeat(60);
    place.file("www/index.html", format!("<html><title>A page</title><p>{words}</html>\n"));
    place.file("www/data.json", "{\"answers\": [1, 2.5, true, null], \"name\": \"a \\u00e4 name\"}\n");
    place.file("www/small.txt", "A few words.\n");
    place.file("www/style.css", "p { color: #333 }\n".repeat(40));
    let large: Vec<u8> = (0..300_000u32).map(|at| ((at * 7919) >> 7) as u8).collect();
    place.file("www/large.bin", large);
    let folder = place.folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {folder}/{what};\n"))
        .collect();
    let text = format!(
        "daemon off; worker_processes 1; user root; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off; absolute_redirect off; {temporary}
  types {{ text/html html; application/json json; text/plain txt; text/css css; }}
  default_type application/octet-stream;
  gzip on; gzip_min_length 200; gzip_types *;
  ssl_certificate {server}; ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen {v4}:80; listen [{v6}]:80; listen {v4}:443 ssl http2; listen [{v6}]:443 ssl http2; listen {v4}:8081 http2;
    root {folder}/www;
    location = /moved {{ return 301 /small.txt; }}
    location = /teapot {{ return 418 'short and stout'; }}
    location = /cookie {{ add_header Set-Cookie 'id=a3fWa; Max-Age=60; Path=/'; return 204; }}
    location = /private {{ auth_basic 'behind the door'; auth_basic_user_file {folder}/users; }}
    location = /private.txt {{ auth_basic 'behind the door'; auth_basic_user_file {folder}/users; try_files /small.txt =404; }}
    location /taken {{ proxy_pass http://127.0.0.1:8090; }}
  }}
  server {{ listen 127.0.0.1:8090; return 200 'taken\\n'; }}
}}
",
        server = names.server,
        key = names.server_key,
    );
    // user:pass as crypt(3) has it.
    place.file("users", "user:{PLAIN}pass\n");
    let config = place.file("nginx.conf", text);
    let mut nginx = place.keyed("nginx", ["-c", config.to_str().expect("a plain path")]);
    place.serve(&mut nginx, Ready::Tcp(8090));
}

/// curl, which has to succeed; `BODY` is a file to send.
fn curl(place: &Place, line: &str) {
    let body = place.path("www/style.css");
    let arguments: Vec<String> = words(line).into_iter().map(|word| word.replace("BODY", &body)).collect();
    let mut curl = place.keyed("curl", ["-q", "-sS", "-o", "/dev/null", "-k"]);
    place.near.runs(curl.args(arguments));
}

/// What is asked for over every version; a blank stands between words.
const REQUESTS: [&str; 12] = [
    "BASE/index.html",
    "--compressed BASE/index.html BASE/data.json BASE/small.txt",
    "-I BASE/large.bin",
    "BASE/large.bin",
    "-r 100-199 BASE/large.bin",
    "-d name=value&other=a%20word BASE/taken",
    "-H Content-Type:application/json -d {\"a\":[1,2]} BASE/taken",
    "-F field=value -F file=@BODY BASE/taken",
    "-T BODY BASE/taken/put",
    "-L BASE/moved",
    "BASE/nothing BASE/teapot BASE/cookie",
    "-u user:pass -b id=1;other=2 -A Agent/1.0 -e http://other.example/ -X DELETE BASE/taken/x BASE/private.txt",
];

fn requests(place: &Place, options: &str, base: &str) {
    for request in REQUESTS {
        curl(place, &format!("{options} {}", request.replace("BASE", base)));
    }
}

fn http1(place: &Place) -> Result<(), NotHere> {
    nginx(place);
    requests(place, "--http1.1", "http://192.0.2.2");
    curl(place, "http://[2001:db8::2]/index.html http://[2001:db8::2]/data.json");
    curl(place, "-H Transfer-Encoding:chunked -T BODY http://192.0.2.2/taken/chunks");
    curl(place, "--http1.0 http://192.0.2.2/small.txt");
    Ok(())
}

fn https1(place: &Place) -> Result<(), NotHere> {
    nginx(place);
    requests(place, "--http1.1 --tls-max 1.2", "https://192.0.2.2");
    requests(place, "--http1.1 --tlsv1.3", "https://[2001:db8::2]");
    Ok(())
}

fn http2(place: &Place) -> Result<(), NotHere> {
    nginx(place);
    requests(place, "--http2 --tlsv1.3", "https://192.0.2.2");
    requests(place, "--http2 --tls-max 1.2", "https://[2001:db8::2]");
    curl(
        place,
        "--http2 -Z https://192.0.2.2/index.html https://192.0.2.2/large.bin https://192.0.2.2/small.txt",
    );
    Ok(())
}

fn http2_clear(place: &Place) -> Result<(), NotHere> {
    nginx(place);
    for request in REQUESTS {
        let line = format!("--http2-prior-knowledge {}", request.replace("BASE", "http://192.0.2.2:8081"));
        let line = line.replace("BODY", &place.path("www/style.css"));
        // curl 7.88 gives up where one connection has to carry several requests; that is said, too.
        let mut curl = place.keyed("curl", ["-q", "-sS", "-o", "/dev/null"]);
        place.near.tries(curl.args(words(&line)));
    }
    Ok(())
}
