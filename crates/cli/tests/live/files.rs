//! Files and mail: vsftpd, exim and curl; SOCKS before a web server.

use crate::certificates::certificates;
use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;
use crate::web;

pub(crate) fn scenes() -> Vec<Scene> {
    let socks_needs = &[("microsocks", "microsocks"), ("nginx", "nginx-light"), ("curl", "curl")];
    vec![
        Scene::new("ftp", &[("vsftpd", "vsftpd"), ("curl", "curl")], ftp),
        Scene::new("smtp", &[("exim4", "exim4-daemon-light"), ("curl", "curl")], smtp),
        Scene::new("socks", socks_needs, socks),
    ]
}

fn curl(place: &Place, line: &str) -> String {
    let mut curl = place.keyed("curl", ["-q", "-sS", "-k", "--max-time", "20"]);
    place.near.tries(curl.args(words(line)))
}

fn ftp(place: &Place) -> Result<(), NotHere> {
    // The folder that is served may not be writable.
    place.file("served/readme.txt", "Words of a file.\n".repeat(200));
    place.file("served/in/.keep", "");
    let line = format!("-R a+rX,go-w {}", place.folder.display());
    place.far.runs(&mut command("chmod", words(&line)));
    place.far.runs(&mut command("chown", words(&format!("-R ftp {}", place.path("served/in")))));
    let empty = place.path("empty");
    std::fs::create_dir_all(&empty).expect("a folder");
    let config = place.file(
        "vsftpd.conf",
        format!(
            "listen=YES\nlisten_address=192.0.2.2\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nwrite_enable=YES\n\
             anon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\nanon_root={}\nsecure_chroot_dir={empty}\n\
             ftpd_banner=Welcome.\nseccomp_sandbox=NO\nport_enable=YES\n",
            place.path("served")
        ),
    );
    place.serve(
        command("vsftpd", [config.display().to_string()]).arg("-oone_process_model=NO"),
        Ready::Tcp(21),
    );
    let body = place.file("body", "Words that are sent.\n".repeat(100)).display().to_string();
    curl(place, "ftp://192.0.2.2/");
    curl(place, "ftp://192.0.2.2/readme.txt -o /dev/null");
    curl(place, "--disable-epsv -r 10-99 ftp://192.0.2.2/readme.txt -o /dev/null");
    curl(place, "-P - --disable-eprt ftp://192.0.2.2/readme.txt -o /dev/null");
    curl(place, "-P - ftp://192.0.2.2/readme.txt -o /dev/null");
    curl(place, &format!("-T {body} ftp://192.0.2.2/in/new.txt"));
    curl(place, "-Q -MKD%20/in/folder ftp://192.0.2.2/in/ -l");
    curl(place, "-I ftp://192.0.2.2/readme.txt");
    curl(place, "ftp://192.0.2.2/nothing.txt");
    curl(place, "-u somebody:words ftp://192.0.2.2/");
    Ok(())
}

fn smtp(place: &Place) -> Result<(), NotHere> {
    let names = certificates(place);
    let spool = place.path("spool");
    std::fs::create_dir_all(&spool).expect("a folder");
    let config = place.file(
        "exim.conf",
        format!(
            "primary_hostname = mail.example.test
exim_user = root
exim_group = root
never_users =
spool_directory = {spool}
log_file_path = {spool}/%slog
pid_file_path = {spool}/pid
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {}
tls_privatekey = {}
auth_advertise_hosts = *
message_size_limit = 1M
queue_only
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny local_parts = nobody
    message = no such user
  accept
begin routers
none:
  driver = accept
  transport = none
begin transports
none:
  driver = appendfile
  file = /dev/null
  user = root
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if eq{{$auth3}}{{words}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{words}}}}
",
            names.server, names.server_key
        ),
    );
    let mut exim = command("exim4", ["-bdf", "-oX", "[192.0.2.2]:25", "-C"]);
    place.serve(exim.arg(config), Ready::Tcp(25));
    let letter = place.file(
        "letter",
        "From: A <a@example.test>\r\nTo: b@example.test\r\nSubject: Words\r\nDate: Sat, 21 Nov 2026 20:00:00 +0000\r\n\
         Message-ID: <1@example.test>\r\n\r\nThe words of a letter.\r\n.\r\n..and a dot\r\n",
    );
    let send = |line: &str, to: &str| {
        let line = format!(
            "{line} smtp://192.0.2.2 --mail-from a@example.test --mail-rcpt {to} -T {}",
            letter.display()
        );
        curl(place, &line);
    };
    send("", "b@example.test");
    send("--user somebody:words --login-options AUTH=PLAIN", "b@example.test");
    send("--user somebody:wrong --login-options AUTH=LOGIN", "b@example.test");
    send("", "nobody@example.test");
    send("--ssl-reqd --tls-max 1.2", "b@example.test");
    send("--ssl-reqd", "b@example.test");
    curl(place, "smtp://192.0.2.2 -X HELP");
    curl(place, "smtp://192.0.2.2 -X VRFY%20b");
    Ok(())
}

fn socks(place: &Place) -> Result<(), NotHere> {
    web::nginx(place);
    place.serve(&mut command("microsocks", words("-i 192.0.2.2 -p 1080")), Ready::Tcp(1080));
    place.serve(&mut command("microsocks", words("-i 192.0.2.2 -p 1081 -u us -P words")), Ready::Tcp(1081));
    for line in [
        "--socks5 192.0.2.2:1080 http://192.0.2.2/small.txt",
        "--socks5-hostname 192.0.2.2:1080 http://localhost:8090/",
        "--socks5 192.0.2.2:1080 http://[2001:db8::2]/small.txt",
        "--socks5 192.0.2.2:1080 http://192.0.2.2:9/",
    ] {
        curl(place, line);
    }
    Ok(())
}
