//! Each behaviour of a site, over every version, and the word it gets.

use super::*;

/// What a shop with this behaviour looks like from outside.
async fn check(place: &Place, behaviour: Behaviour, path: &str, words: [&str; 3]) -> Vec<Visitor> {
    let site = Site { behaviour: behaviour.clone(), ..place.shop() };
    let server = place.serve(vec![site]).await;
    let mut visitors = Vec::new();
    for (version, expected) in VERSIONS.into_iter().zip(words) {
        let visitor = place.visitor();
        let result = match visitor.over(version, server.secure(), SHOP).await {
            Ok(mut client) => visitor.get(&mut client, path).await.map(|answer| answer.span),
            Err(failure) => Err(failure),
        };
        let span = match &result {
            Ok(span) => *span,
            Err(failure) => failure.span,
        };
        let word = visitor.recorder.code(span).unwrap_or_else(|| "ok".to_owned());
        let known = expected.split(" or ").any(|expected| expected == word);
        assert!(known, "{version} with {behaviour:?}: {result:?}, not {expected}");
        visitors.push(visitor);
    }
    visitors
}

fn answer(answer: SiteAnswer) -> Behaviour {
    Behaviour { answer, ..Behaviour::default() }
}

fn delivery(delivery: Delivery) -> Behaviour {
    Behaviour { delivery, ..Behaviour::default() }
}

fn door(door: Door) -> Behaviour {
    Behaviour { door, ..Behaviour::default() }
}

/// What a client learns at once.
async fn misbehaviour_has_its_word(place: Place) {
    let millis = Duration::from_millis;

    let out = SiteAnswer::Status { code: 503, retry_after: Some(30) };
    for visitor in check(&place, answer(out), "/", ["http.status.503"; 3]).await {
        assert_eq!(visitor.text("exchange", "http.retry_after"), "30");
        assert_eq!(visitor.value("exchange", "http.status"), Some(Value::Int(503)));
    }
    let gone = SiteAnswer::Status { code: 404, retry_after: None };
    check(&place, answer(gone), "/", ["http.status.404"; 3]).await;
    check(&place, answer(SiteAnswer::Close), "/", ["http.closed", "http.reset", "http.reset"]).await;
    let thinking = Behaviour { think: millis(30), ..Behaviour::default() };
    for visitor in check(&place, thinking, "/", ["ok"; 3]).await {
        let wait = visitor.last("wait");
        assert!(wait.end - wait.start >= 30_000_000, "{wait:?}");
    }
    let drip = delivery(Delivery::Drip { bytes: 100, every: millis(10) });
    for visitor in check(&place, drip, "/bytes/500", ["ok"; 3]).await {
        let transfer = visitor.last("transfer");
        assert!(transfer.end - transfer.start >= 30_000_000, "{transfer:?}");
    }
    let broken = ["http.truncated", "http.reset", "http.reset"];
    check(&place, delivery(Delivery::Break { after: 20_000, announced: Announced::Length }), "/", broken)
        .await;
    // Reset if our hello comes after the other side has closed.
    let closed = "tls.closed or tls.reset";
    check(&place, door(Door::CloseOnAccept), "/", [closed, closed, "quic.refused"]).await;
    check(&place, door(Door::PlainOnTlsPort), "/", ["tls.not_tls", "tls.not_tls", "ok"]).await;
    check(&place, door(Door::CloseAfterHello), "/", ["tls.closed", "tls.closed", "ok"]).await;
}

#[test]
fn misbehaviour_has_its_word_on_the_host() {
    on_host(misbehaviour_has_its_word);
}

#[test]
fn misbehaviour_has_its_word_in_a_lab() {
    in_lab(misbehaviour_has_its_word);
}

/// What takes patience is tested in virtual time only.
#[test]
fn silence_has_its_word() {
    in_lab(async |place| {
        for visitor in check(&place, answer(SiteAnswer::Never), "/", ["http.timeout"; 3]).await {
            assert!(matches!(visitor.last("request").outcome, Outcome::Ok));
            assert!(matches!(visitor.last("wait").outcome, Outcome::Failed { .. }));
        }
        for visitor in
            check(&place, delivery(Delivery::Stall { after: 20_000 }), "/", ["http.stalled"; 3]).await
        {
            assert_eq!(visitor.value("exchange", "http.bytes"), Some(Value::Int(20_000)));
            assert!(matches!(visitor.last("transfer").outcome, Outcome::Failed { .. }));
        }
        check(&place, door(Door::Silent), "/", ["tls.timeout", "tls.timeout", "quic.timeout"]).await;
        check(&place, door(Door::SilentAfterHello), "/", ["tls.timeout", "tls.timeout", "ok"]).await;
    });
}

#[test]
fn a_plain_server_is_named_by_what_it_said() {
    on_host(async |place| {
        let site = Site {
            behaviour: Behaviour { door: Door::PlainOnTlsPort, ..Behaviour::default() },
            ..place.shop()
        };
        let server = place.serve(vec![site]).await;
        let failure = place.visitor().over("h2", server.secure(), SHOP).await.unwrap_err();
        assert!(failure.text.contains("\"HTTP/1.1 400 Bad Request\""), "{}", failure.text);
    });
}
