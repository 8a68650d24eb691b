//! A response that openssl made, requests byte for byte, and every damage to both.

use proptest::prelude::*;

use super::*;

/// Over "stamped text\n", by `openssl ts -reply`, policy 1.2.3.4.1.
const RESPONSE: &[u8] = include_bytes!("../../fixtures/time-stamp.tsr");
const NONCE: [u8; 8] = [0, 0x80, 1, 2, 3, 4, 5, 6];

fn text() -> Hash {
    Hash::of(b"stamped text\n")
}

#[test]
fn a_response_of_openssl_is_read_and_answers_its_request_and_no_other() {
    let stamp = TimeStamp::parse(RESPONSE).unwrap();
    assert_eq!((stamp.imprint, stamp.policy.as_str()), (text(), "1.2.3.4.1"));
    assert_eq!(stamp.time.to_rfc3339(0), "2026-11-27T14:02:04Z");
    println!("{:?}", stamp.authority);
    assert!(stamp.was_asked_by(&request(&text(), &NONCE)));
    assert!(!stamp.was_asked_by(&request(&text(), &[7; 8])) && !stamp.was_asked_by(b""));
    assert_eq!(stamp.answers(&text(), &NONCE), Ok(()));
    assert_eq!(stamp.answers(&Hash::of(b"another text"), &NONCE), Err(TimeStampError::OtherText));
    assert_eq!(stamp.answers(&text(), &[7; 8]), Err(TimeStampError::OtherRequest));
}

#[test]
fn a_request_is_the_der_that_openssl_took() {
    // `openssl ts -query -cert -sha256` begins the same; the nonce keeps one leading zero, which makes it positive.
    let made = hex(&request(&text(), &NONCE));
    assert!(made.starts_with("30430201013031300d060960864801650304020105000420"), "{made}");
    assert!(made.ends_with("020800800102030405060101ff"), "{made}");
    assert!(hex(&request(&text(), &[0; 8])).ends_with("0201000101ff"));
    assert!(hex(&request(&text(), &[0x7f, 1, 1, 1, 1, 1, 1, 1])).ends_with("02087f010101010101010101ff"));
}

#[test]
fn a_refusal_a_cut_and_a_lengthened_response_are_no_time_stamp() {
    assert_eq!(TimeStamp::parse(&[0x30, 5, 0x30, 3, 2, 1, 2]), Err(TimeStampError::Refused(2)));
    for end in 0..RESPONSE.len() {
        assert!(TimeStamp::parse(&RESPONSE[..end]).is_err(), "cut at {end}");
    }
    assert!(TimeStamp::parse(&[RESPONSE, b"x"].concat()).is_err());
    assert!(TimeStamp::parse(&vec![0x30; RESPONSE_BYTES_MAX + 1]).is_err());
    // A length that is longer than any memory, and one that is not definite.
    assert!(TimeStamp::parse(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_err());
    assert!(TimeStamp::parse(&[0x30, 0x80, 0x00, 0x00]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = TimeStamp::parse(&bytes);
    }

    #[test]
    fn a_damaged_response_never_panics(at in 0..RESPONSE.len(), bits in 1..=255u8) {
        let mut bytes = RESPONSE.to_vec();
        bytes[at] ^= bits;
        let _ = TimeStamp::parse(&bytes);
    }
}
