//! mosquitto and its clients: MQTT 3.1, 3.1.1 and 5, all qualities of service, wills, retained messages, refusals.

use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let needs = &[
        ("mosquitto", "mosquitto"),
        ("mosquitto_pub", "mosquitto-clients"),
        ("mosquitto_sub", "mosquitto-clients"),
        ("mosquitto_rr", "mosquitto-clients"),
    ];
    vec![Scene::new("mqtt", needs, play)]
}

fn play(place: &Place) -> Result<(), NotHere> {
    let text = "listener 1883 192.0.2.2\nlistener 1884 192.0.2.2\nallow_anonymous true\nuser root\nper_listener_settings false\n\
                max_keepalive 120\n";
    let config = place.file("mosquitto.conf", text);
    let mut server = command("mosquitto", ["-v", "-c"]);
    place.serve(server.arg(config), Ready::Tcp(1884));
    let publish = |line: &str| {
        let mut publish = command("mosquitto_pub", ["-h", "192.0.2.2"]);
        place.near.tries(publish.args(words(line)));
    };
    publish("-t kept/topic -m kept -r -q 1");
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        for quality in ["0", "1", "2"] {
            let line =
                format!("-h 192.0.2.2 -V {version} -q {quality} -t a/+/c -t kept/# -C 4 -d -i sub{quality}");
            let mut subscribe = command("mosquitto_sub", words(&line));
            let mut subscriber = place.near.start(&mut subscribe, Ready::Says("Subscribed"));
            publish(&format!("-V {version} -t a/b/c -m first -q {quality}"));
            publish(&format!(
                "-V {version} -t a/b/c -m second -q {quality} -r --will-topic gone --will-payload bye"
            ));
            publish(&format!("-V {version} -t a/d/c -n -q 2"));
            publish(&format!("-V {version} -t a/e/c -m fourth"));
            subscriber.wait_for("DISCONNECT");
            subscriber.end();
        }
    }
    publish(
        "-V mqttv5 -t a/b/c -m words -D publish content-type text/plain -D publish user-property name value \
         -D publish message-expiry-interval 60 -D publish response-topic back -D publish correlation-data 0042 \
         -D connect session-expiry-interval 30 -D connect receive-maximum 7 -D publish topic-alias 1 -c -i five",
    );
    let more = "-h 192.0.2.2 -V mqttv5 -t a/b/c -U a/x -q 2 -C 1 -d -D subscribe subscription-identifier 5 \
                --retain-handling 1 -c -i kept -x 60 --retain-as-published";
    place.near.tries(&mut command("mosquitto_sub", words(more)));
    // Whom the server does not want: a client without a name that wants to be remembered, a keep-alive too long.
    publish("-V mqttv311 -t a/b/c -m x -k 65535 -i slow -u somebody -P words");
    publish("-V mqttv5 -t a/b/c -m x -k 500");
    Ok(())
}
