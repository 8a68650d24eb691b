//! What name servers say, and what they do not say, against a stand-in on loopback.

use proptest::prelude::*;

use super::stand_in::{Says, mail, start};
use super::*;
use crate::mail::place::{not_checked, warnings};

/// Long enough for what answers.
const SOON: Duration = Duration::from_secs(20);
/// Where nothing is to come.
const BRIEFLY: Duration = Duration::from_millis(400);

async fn look(names: &Names, domain: &str, within: Duration) -> Place {
    let place = Place::of_mail("The address mary", domain);
    look_at(names, vec![place], within).await.pop().unwrap()
}

fn warned(place: &Place) -> Vec<String> {
    warnings(std::slice::from_ref(place), &["ws-01".to_owned()])
}

fn is_open(place: &Place) -> bool {
    let said = not_checked(std::slice::from_ref(place));
    said.contains(&format!("The mail servers of {} could not all be looked up", place.host))
}

#[tokio::test]
async fn mail_that_is_served_inside_the_practice_is_warned_of_and_mail_outside_is_not() {
    let two = Says::Mail(vec![(20, "mx.maple.example".to_owned()), (10, "mx.outside.example".to_owned())]);
    let names = start(vec![
        ("maple.example", two),
        ("maple.example", Says::At("203.0.113.1")),
        ("mx.maple.example", Says::At("192.168.1.5")),
        ("mx.outside.example", Says::At("203.0.113.9")),
        ("oak.example", mail("mx.outside.example")),
        // That there is no such server is an answer.
        ("fir.example", mail("gone.fir.example")),
        ("elm.example", mail("v6.elm.example")),
        ("v6.elm.example", Says::At("fd00::5")),
        ("ash.example", mail("WS-01.ash.example")),
        ("bare.example", Says::At("10.0.0.8")),
    ])
    .await;
    let maple = look(&names, "maple.example", SOON).await;
    let order: Vec<&str> = maple.served.by.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(order, ["mx.outside.example", "mx.maple.example"], "the preferred one first");
    for (domain, part) in [
        (
            "maple.example",
            "the mail of `maple.example` is served by `mx.maple.example`, which is 192.168.1.5, an address inside the practice",
        ),
        ("elm.example", "`v6.elm.example`, which is fd00::5"),
        ("ash.example", "`ws-01.ash.example`, which has the name of the enrolled machine ws-01"),
        // No MX record: the domain serves itself (RFC 5321, 5.1).
        ("bare.example", "`bare.example` is 10.0.0.8"),
    ] {
        let place = look(&names, domain, SOON).await;
        let found = warned(&place);
        assert!(matches!(&found[..], [said] if said.contains(part)), "{domain}: {found:?}");
        assert!(!place.is_late, "{place:?}");
    }
    for domain in ["oak.example", "fir.example"] {
        let outside = look(&names, domain, SOON).await;
        assert!(warned(&outside).is_empty() && !is_open(&outside), "the twin: {outside:?}");
    }
}

#[tokio::test]
async fn a_null_record_and_one_that_came_by_tcp_and_an_address_in_brackets_are_understood() {
    let names = start(vec![
        ("null.example", mail(".")),
        ("long.example", Says::MailByTcp(vec![(5, "mx.long.example".to_owned())])),
        ("mx.long.example", Says::At("10.0.0.2")),
    ])
    .await;
    let null = look(&names, "null.example", SOON).await;
    assert!(null.served.takes_none && !is_open(&null), "{null:?}");
    let long = look(&names, "long.example", SOON).await;
    assert!(warned(&long)[0].contains("10.0.0.2"), "{long:?}");
    let literal = look(&names, "[192.168.1.7]", SOON).await;
    assert!(warned(&literal)[0].contains("192.168.1.7") && !is_open(&literal), "{literal:?}");
}

#[tokio::test]
async fn at_most_ten_servers_of_a_domain_are_looked_at_and_the_rest_is_said() {
    let many = (0..40).map(|n| (n, format!("mx{n}.many.example")));
    let names = start(vec![("many.example", Says::MailByTcp(many.collect()))]).await;
    let place = look(&names, "many.example", SOON).await;
    assert_eq!(place.served.by.len(), SERVERS_MAX);
    assert!(is_open(&place), "{place:?}");
}

#[tokio::test]
async fn no_answer_leaves_the_question_open_and_nothing_hangs() {
    let names = start(vec![
        ("silent.example", Says::Silence),
        ("failed.example", Says::Failed),
        ("noise.example", Says::Noise),
        // Its server is known, and where that is is not.
        ("half.example", mail("silent.example")),
    ])
    .await;
    for domain in ["silent.example", "failed.example", "noise.example", "half.example"] {
        let place = look(&names, domain, BRIEFLY).await;
        assert!(is_open(&place) && warned(&place).is_empty(), "{place:?}");
    }
    // Nobody there at all: this port was bound and let go.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(is_open(&look(&Names::At(vec![port]), "maple.example", BRIEFLY).await));
    assert!(is_open(&look(&Names::At(Vec::new()), "maple.example", BRIEFLY).await));
    // A name server that does not know the domain has not said who takes its mail.
    let place = look(&names, "gone.example", SOON).await;
    assert!(is_open(&place) && warned(&place).is_empty(), "{place:?}");
}

// EV-2.
#[tokio::test]
async fn records_that_are_none_are_no_servers() {
    let start_of_mx = [0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60];
    let mx = |rest: &[u8]| Says::Bytes([&start_of_mx[..], rest].concat());
    let names = start(vec![
        ("cut.example", mx(&[0, 30, 0, 1])),
        (
            "loops.example",
            Says::Bytes([&[0xc0, 31][..], &start_of_mx[2..], &[0, 4, 0, 1, 0xc0, 43]].concat()),
        ),
        ("short.example", mx(&[0, 1, 0])),
        ("other.example", Says::Bytes(vec![0xff; 64])),
    ])
    .await;
    for domain in ["cut.example", "loops.example", "short.example", "other.example"] {
        let place = look(&names, domain, BRIEFLY).await;
        assert!(is_open(&place) && warned(&place).is_empty(), "{place:?}");
    }
}

#[tokio::test]
async fn what_is_no_letter_in_the_name_of_a_server_is_written_out() {
    let names = start(vec![("odd.example", mail("a\u{1b}[31m\n.ws-01"))]).await;
    let place = look(&names, "odd.example", SOON).await;
    let name = &place.served.by[0].name;
    assert!(name.chars().all(|letter| letter.is_ascii_graphic()), "{name:?}");
}

// PR-1.
#[test]
fn parts_that_log_names_are_known() {
    assert!(
        tells_names("hickory_net::udp::udp_client_stream") && !tells_names("ntk_collector::mail::lookup")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    // EV-2: whatever stands where an answer should, the question ends, with a value or open.
    #[test]
    fn any_bytes_in_an_answer_end_in_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let names = start(vec![("any.example", Says::Bytes(bytes))]).await;
            let place = look(&names, "any.example", Duration::from_millis(60)).await;
            assert!(place.served.by.len() <= SERVERS_MAX);
        });
    }
}

#[tokio::test]
async fn a_page_that_is_opened_again_waits_for_no_name_server_and_another_address_is_asked_about() {
    let names = start(vec![
        ("maple.example", mail("mx.outside.example")),
        ("maple.example", Says::At("203.0.113.1")),
        ("mx.outside.example", Says::At("203.0.113.9")),
    ])
    .await;
    let place = |domain: &str| vec![Place::of_mail("The address mary", domain)];
    let looked_up = LookedUp::default();
    let first = looked_up.places(&names, place("maple.example")).await;
    assert!(!is_open(first.last().unwrap()), "{first:?}");
    // Nobody answers any more.
    let gone = Names::At(vec!["127.0.0.1:1".parse().unwrap()]);
    assert_eq!(looked_up.places(&gone, place("maple.example")).await, first);
    let other = looked_up.places(&gone, place("other.example")).await;
    assert!(is_open(other.last().unwrap()), "{other:?}");
}
