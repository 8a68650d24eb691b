//! x
fn main() {
    for path in std::env::args().skip(1) {
        let f = std::fs::File::open(&path).unwrap();
        for r in ntk_windows::evtx::Records::open(f).unwrap() {
            match r {
                Ok(r) => println!(
                    "{} {} v{} #{:?} {} {} kw{:x} uid{:?} {:?}",
                    r.channel,
                    r.event_id,
                    r.version,
                    r.record_id,
                    r.time.rfc3339(),
                    r.computer,
                    r.keywords,
                    r.user_sid,
                    r.fields().collect::<Vec<_>>()
                ),
                Err(e) => println!("!! {e}"),
            }
        }
    }
}
