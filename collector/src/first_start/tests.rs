//! The first-start page at its seam: requests in, pages and files out.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;

struct Rig {
    _folder: tempfile::TempDir,
    home: Home,
    router: Router,
    code: Code,
    done: CancellationToken,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path().join("collector"));
    let (code, done) = (Code::make().unwrap(), CancellationToken::new());
    let page =
        FirstStart::new(home.clone(), "127.0.0.1:0", Clock::system(), code.hash().unwrap(), done.clone());
    Rig { _folder: folder, home, router: router(page), code, done }
}

impl Rig {
    async fn ask(&self, method: &str, path: &str, cookie: &str, form: &str) -> (StatusCode, String, String) {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "10.0.0.9:7444");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header(header::COOKIE, cookie).body(Body::from(form.to_owned())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let set = answer.headers().get(header::SET_COOKIE).map(|set| set.to_str().unwrap().to_owned());
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, set.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn code(&self, typed: &str) -> (StatusCode, String, String) {
        self.ask("POST", "/code", "", &format!("code={typed}")).await
    }
}

const FORM: &str =
    "name=Maple+Street&timezone=America%2FNew_York&place=box&network=Northwind+IT&second=Dr.+Chen";

#[tokio::test]
async fn after_five_wrong_codes_the_right_one_opens_nothing_and_nothing_was_made() {
    let rig = rig();
    for _ in 0..TRIES_MAX {
        assert_eq!(rig.code("00000-00000").await.0, StatusCode::FORBIDDEN);
    }
    let (status, cookie, said) = rig.code(&rig.code.reveal()).await;
    assert_eq!((status, cookie.as_str()), (StatusCode::FORBIDDEN, ""));
    assert!(said.contains("Too many wrong codes"), "{said}");
    assert_eq!(standing(&rig.home), Standing::Fresh);
}

#[tokio::test]
async fn without_the_code_nothing_is_made_and_no_key_is_shown() {
    let rig = rig();
    for cookie in ["", "__Host-ntk-first-start=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(rig.ask("POST", "/make", cookie, FORM).await.0, StatusCode::FORBIDDEN);
        assert_eq!(rig.ask("GET", "/keys", cookie, "").await.0, StatusCode::FORBIDDEN);
        let form = "practice=a&recovery=b";
        assert_eq!(rig.ask("POST", "/taken", cookie, form).await.0, StatusCode::FORBIDDEN);
    }
    assert!(!rig.home.config().exists());
}

#[tokio::test]
async fn a_browser_makes_the_practice_takes_the_keys_away_and_is_led_to_the_console_once() {
    let rig = rig();
    let (status, set, _) = rig.code(&rig.code.reveal().to_lowercase()).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    for words in ["Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(set.contains(words), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    // What is missing is said, and nothing is made.
    let (status, _, said) = rig.ask("POST", "/make", cookie, &FORM.replace("second", "other")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(said.contains("second reviewer") && said.contains("Maple Street"), "{said}");
    let (status, _, _) = rig.ask("POST", "/make", cookie, &FORM.replace("America", "Mars")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(standing(&rig.home), Standing::Fresh);

    assert_eq!(rig.ask("POST", "/make", cookie, FORM).await.0, StatusCode::SEE_OTHER);
    assert_eq!(standing(&rig.home), Standing::KeysHere, "a start after a power cut offers the keys again");
    let config = std::fs::read_to_string(rig.home.config()).unwrap();
    assert!(config.contains("place = \"box\"") && config.contains("address = \"10.0.0.9:7444\""), "{config}");
    // A second use makes nothing anew.
    let (status, _, said) = rig.ask("POST", "/make", cookie, FORM).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said}");

    let (_, _, keys) = rig.ask("GET", "/keys", cookie, "").await;
    let words: Vec<_> = keys.lines().filter_map(|line| line.trim().strip_prefix("as words:")).collect();
    let last = |n: usize| words[n].split_whitespace().next_back().unwrap();
    let (status, _, _) = rig.ask("POST", "/taken", cookie, "practice=wrong&recovery=words").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(standing(&rig.home), Standing::KeysHere, "FS-3: they stay until they were typed back");
    let form = format!("practice={}&recovery={}", last(0), last(1));
    let (status, _, said) = rig.ask("POST", "/taken", cookie, &form).await;
    assert_eq!(status, StatusCode::OK);
    assert!(said.contains("https://10.0.0.9:7444/set-up/"), "{said}");
    assert_eq!(standing(&rig.home), Standing::Over);
    assert!(rig.done.is_cancelled(), "FS-2: the listener ends");
    assert!(first_start(&rig.home, "127.0.0.1:0", &Clock::system()).is_ok(), "and no other start opens it");
}

#[test]
fn the_screen_shows_address_fingerprint_and_code_and_the_picture_holds_the_address_alone() {
    let code = Code::make().unwrap();
    let said = screen("https://10.0.0.9:7444", &"ab".repeat(32), &code);
    assert!(said.contains(&code.reveal()) && said.contains("ABAB ABAB"), "{said}");
}

#[test]
fn an_address_is_found_in_a_network_without_a_router_and_loopback_is_none() {
    let found = of_a_cable();
    assert!(found.is_none_or(|at| !at.is_loopback()), "{found:?}");
}
