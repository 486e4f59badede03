//! Following a request: `thru URL`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Where, duration};

/// `thru URL`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UrlArgs {
    /// What to ask for; without a scheme, https:// is meant; a login before the host (USER:PASSWORD@) is sent and not shown
    pub url: Option<String>,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
    /// The only HTTP version to use
    #[arg(long, value_enum, value_name = "VERSION")]
    pub http: Option<Http>,
    /// Send the request through this proxy: http://HOST:PORT or socks5h://HOST:PORT, with USER:PASSWORD@ if it wants a login
    #[arg(long, value_name = "PROXY", value_parser = thru_probe::journey::tunnel::Proxy::parse)]
    pub proxy: Option<thru_probe::journey::tunnel::Proxy>,
    /// A site that is known to work, to compare with if the request fails (labs name one by themselves)
    #[arg(long, value_name = "URL", value_parser = site)]
    pub control: Option<url::Url>,
    /// A resolver that is known to work, to compare with if a name is not found; may be given more than once
    #[arg(long = "control-resolver", value_name = "ADDRESS")]
    pub control_resolver: Vec<std::net::IpAddr>,
    /// A second place to look from if the request fails: a proxy elsewhere, http://HOST:PORT or socks5h://HOST:PORT
    #[arg(long, value_name = "PROXY", value_parser = thru_probe::journey::tunnel::Proxy::parse)]
    pub vantage: Option<thru_probe::journey::tunnel::Proxy>,
    /// After a good answer leave the connection alone for so long and ask over it again: what forgets idle connections shows
    #[arg(long = "again-after", value_parser = duration, value_name = "TIME")]
    pub again_after: Option<Duration>,
    /// Ask over HTTP/1.1, HTTP/2, HTTP/3 and HTTP/3 0-RTT, and show round trips and times side by side
    #[arg(long, conflicts_with_all = ["http", "write", "report", "har", "qlog", "bundle"])]
    pub compare: bool,
    /// Write the packets to a pcapng file, with names, secrets and comments (on labs and iface:NAME; - is standard output)
    #[arg(short, long, value_name = "FILE.pcapng")]
    pub write: Option<PathBuf>,
    /// Write the answer as one HTML page with pictures of times and packets; it needs no network to be read
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write the request as a HAR file, which browsers' developer tools open
    #[arg(long, value_name = "FILE.har")]
    pub har: Option<PathBuf>,
    /// Write the connections as a qlog file, which qvis opens
    #[arg(long, value_name = "FILE.qlog")]
    pub qlog: Option<PathBuf>,
    /// Write all of it into one file for a ticket: report, JSON, HAR, qlog and packets; TLS secrets only together with --keylog
    #[arg(long, value_name = "FILE.tar.gz")]
    pub bundle: Option<PathBuf>,
    /// Append the TLS secrets to a file (also: SSLKEYLOGFILE); without FILE to thru.keys
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "thru.keys")]
    pub keylog: Option<PathBuf>,
    /// No step of the request may take longer than this, as in 5s
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// Trust only the certificates in this PEM file
    #[arg(long, value_name = "FILE.pem")]
    pub cacert: Option<PathBuf>,
    /// Show this certificate to a server that wants one: a PEM file, with its chain
    #[arg(long, value_name = "FILE.pem", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The private key of --cert, in PEM form
    #[arg(long, value_name = "FILE.pem", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Show the route even if all is well (in a lab it is always shown)
    #[arg(long)]
    pub route: bool,
}

/// HTTP versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Http {
    /// HTTP/1.1
    #[value(name = "1.1", alias = "1")]
    One,
    /// HTTP/2
    #[value(name = "2")]
    Two,
    /// HTTP/3
    #[value(name = "3")]
    Three,
}

/// The address of a web site; `https` if it says nothing else.
fn site(text: &str) -> Result<url::Url, String> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = url::Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.as_ref().is_some_and(|url| *url != thru_probe::login::without(url)) {
        return Err("it is asked without a login; leave that out".to_owned());
    }
    url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
        .ok_or_else(|| "no web site; write it like https://www.news.lab/".to_owned())
}
