//! A link opens once, in its time, for whoever has it; and never again.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn made(links: &mut Links, expires: &str) -> (String, Token) {
    let (id, token) = (links.next_id(), Token::make().unwrap());
    let purpose = Purpose::Notice { notice: "staff".into(), version: "1".into() };
    let link = Link {
        id: id.clone(),
        to: "sam".into(),
        purpose,
        sha256: Some(token.sha256()),
        code: None,
        needs_code: false,
        expires: at(expires),
    };
    links.apply("2026-11-20T10:00:00Z", LinkStep::Made(link));
    (id, token)
}

// LK-1 and LK-2.
#[test]
fn a_link_opens_until_it_is_used_withdrawn_or_over_and_no_act_revives_it() {
    let mut links = Links::default();
    let (first, used) = made(&mut links, "2026-11-27T10:00:00Z");
    let (second, withdrawn) = made(&mut links, "2026-11-27T10:00:00Z");
    let (_, over) = made(&mut links, "2026-11-21T10:00:00Z");
    let now = at("2026-11-22T10:00:00Z");
    assert_eq!(links.find(&used, now).map(|link| link.id.clone()), Ok(first.clone()));
    links.apply("2026-11-22T10:00:00Z", LinkStep::Opened { id: first.clone() });
    assert!(links.was_opened(&first));
    let again = LinkStep::Made(links.open(&first, now).unwrap().clone());
    links.used(&first);
    links.used(&first);
    links.apply("2026-11-22T10:00:00Z", LinkStep::Withdrawn { id: first.clone() });
    links.apply("2026-11-22T10:00:00Z", again);
    links.apply("2026-11-22T10:00:00Z", LinkStep::Withdrawn { id: second });
    assert_eq!(links.find(&used, now), Err(Closed::Used));
    assert_eq!(links.find(&withdrawn, now), Err(Closed::Withdrawn));
    assert_eq!(links.find(&over, now), Err(Closed::Expired));
    assert_eq!(links.find(&Token::make().unwrap(), now), Err(Closed::Unknown));
    assert_eq!(links.all_open(now).count(), 0);
    // What is kept from one version or start to the next is the same.
    let kept: Links = serde_json::from_str(&serde_json::to_string(&links).unwrap()).unwrap();
    assert_eq!(kept, links);
}

#[test]
fn a_token_is_kept_as_its_hash_and_never_printed() {
    let token = Token::make().unwrap();
    assert_eq!(Token::parse(token.reveal()), Some(token.clone()));
    assert_eq!(format!("{token:?}"), "Token(withheld)");
    assert!(!token.sha256().contains(token.reveal()));
    assert_ne!(Token::make().unwrap(), token);
    for odd in
        ["", "short", &"a".repeat(44), &format!("{}/", "a".repeat(42)), &format!("{}=", "a".repeat(42))]
    {
        assert_eq!(Token::parse(odd), None, "{odd}");
    }
}

#[test]
fn a_code_is_read_as_people_type_it_and_another_one_is_not_it() {
    let code = Code::parse("7k3qz m09tb").unwrap();
    assert_eq!(code.reveal(), "7K3QZ-M09TB");
    assert_eq!(Code::parse("7K3QZ-MO9TB"), Some(code.clone()));
    let hash = code.hash().unwrap();
    assert!(hash.starts_with("$argon2id$") && !hash.contains("7K3QZ"));
    assert!(code.is_of(&hash));
    assert!(!Code::make().unwrap().is_of(&hash));
    assert!(!code.is_of("nonsense"));
    for odd in ["", "7K3QZ", "7K3QZ-M09TBX", "7K3QZ-M09T!", "7K3QZ-M09Tß"] {
        assert_eq!(Code::parse(odd), None, "{odd}");
    }
}
