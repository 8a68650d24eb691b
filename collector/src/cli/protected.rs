//! `protected`: what is protected, where entries show it to lie, and who needs it.

use serde_json::Value;

use super::Json;
use super::answer::{json, text};
use crate::admin::client::Client;
use crate::report::shown::visible;
use crate::report::text::count;

/// Asks, and shows the answer.
pub(super) async fn run(client: &Client, args: Json) -> anyhow::Result<u8> {
    let body = json(&client.get("/v1/protected", &[]).await?)?;
    if args.json {
        println!("{body}");
    } else {
        print!("{}", in_words(&body));
    }
    Ok(0)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn in_words(body: &Value) -> String {
    let mut said = match text(body, "policy_since") {
        "" => "No table is in force: every access becomes a question.\n".to_owned(),
        since => format!("The table is in force since {since}. {}\n", text(body, "policy_adopted")),
    };
    let days = body.get("days").and_then(Value::as_i64).unwrap_or_default();
    for class in list(body, "classes") {
        said.push_str(&format!("\n{}\n", text(class, "heading")));
        if list(class, "places").next().is_none() {
            said.push_str(&format!("  not touched in the last {days} days, or nothing of it is watched\n"));
        }
        for place in list(class, "places") {
            let owner =
                Some(text(place, "owner")).filter(|owner| !owner.is_empty()).unwrap_or("the practice");
            let folder = Some(text(place, "folder")).filter(|folder| !folder.is_empty());
            let n = place.get("n_accesses").and_then(Value::as_u64).unwrap_or(0);
            let below = folder.map(|folder| format!(" below {folder}")).unwrap_or_default();
            let n = count(n, "access", "accesses");
            said.push_str(&visible(&format!("  of {owner} on {}{below}: {n}", text(place, "host"))));
            said.push('\n');
        }
        for who in list(class, "who_needs").filter_map(Value::as_str) {
            said.push_str(&format!("    {}\n", visible(who)));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn each_class_says_where_it_lies_and_who_needs_it() {
        let body = json!({"days": 7, "policy_since": "2026-11-02T08:00:00Z", "policy_adopted": "Adopted.", "classes": [
            {"heading": "Mailboxes", "places": [
                {"host": "ws-01", "owner": "anna", "folder": "/srv/mail/\u{202e}anna", "n_accesses": 2},
                {"host": "ws-02", "owner": null, "folder": "", "n_accesses": 1}],
             "who_needs": ["everyone: Everyone may open their own mailbox at any time."]},
            {"heading": "Backups", "places": [], "who_needs": []}]});
        expect![[r#"
            The table is in force since 2026-11-02T08:00:00Z. Adopted.

            Mailboxes
              of anna on ws-01 below /srv/mail/\u{202e}anna: 2 accesses
              of the practice on ws-02: 1 access
                everyone: Everyone may open their own mailbox at any time.

            Backups
              not touched in the last 7 days, or nothing of it is watched
        "#]]
        .assert_eq(&in_words(&body));
    }
}
