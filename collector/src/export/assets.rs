//! Of which assets a question asks: `mailbox`, `mailbox:mary`, as the watch list names class and owner.

use ntk_evidence::event::{Event, Object};

use super::ExportError;

/// So many assets are asked for at once.
const N_MAX: usize = 50;
/// The longest one, bytes.
const BYTES_MAX: usize = 200;

/// Whether an asset is written as it must be.
pub(super) fn check(assets: &[String]) -> Result<(), ExportError> {
    let is_asset = |asset: &String| {
        let (class, owner) = parts(asset);
        let is_class = !class.is_empty() && class.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
        is_class && asset.len() <= BYTES_MAX && owner.is_none_or(|owner| !owner.trim().is_empty())
    };
    if assets.is_empty() || assets.len() > N_MAX {
        return Err(ExportError::Asset(format!("{} assets", assets.len())));
    }
    assets
        .iter()
        .find(|asset| !is_asset(asset))
        .map_or(Ok(()), |wrong| Err(ExportError::Asset(wrong.clone())))
}

fn parts(asset: &str) -> (&str, Option<&str>) {
    asset.split_once(':').map_or((asset, None), |(class, owner)| (class, Some(owner)))
}

/// Whether something of this class and owner is asked for.
pub(super) fn holds(assets: &[String], class: Option<&str>, owner: Option<&str>) -> bool {
    assets
        .iter()
        .map(|asset| parts(asset))
        .any(|(wanted, of)| class == Some(wanted) && (of.is_none() || of == owner))
}

/// Whether an access touched what is asked for; a disk that was reached as a whole by what lies on it. What touched
/// nothing that has a class is no access to another asset.
pub(super) fn touches(assets: &[String], event: &Event) -> bool {
    let Some(object) = &event.object else { return true };
    let Some(class) = &object.class else { return true };
    holds(assets, Some(class.as_str()), object.owner.as_deref()) || on_the_disk(assets, object)
}

fn on_the_disk(assets: &[String], object: &Object) -> bool {
    object.holds.iter().map(|held| parts(held)).any(|(class, owner)| holds(assets, Some(class), owner))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_touch(assets: &[&str], object: serde_json::Value, expected: bool) {
        let assets: Vec<String> = assets.iter().map(|&asset| asset.to_owned()).collect();
        let event = json!({"kind": "file_access", "time": "1", "object": object});
        assert_eq!(touches(&assets, &serde_json::from_value(event).unwrap()), expected, "{assets:?}");
    }

    #[test]
    fn class_and_owner_choose_and_a_whole_disk_counts_for_what_lies_on_it() {
        check_touch(&["mailbox"], json!({"class": "mailbox", "owner": "mary"}), true);
        check_touch(&["mailbox:mary"], json!({"class": "mailbox", "owner": "mary"}), true);
        check_touch(&["mailbox:sam"], json!({"class": "mailbox", "owner": "mary"}), false);
        check_touch(&["mailbox:sam"], json!({"class": "mailbox"}), false);
        check_touch(&["export", "ehr"], json!({"class": "ehr"}), true);
        check_touch(&["export"], json!({"class": "system", "holds": ["mailbox:mary", "export"]}), true);
        check_touch(&["hr"], json!({"class": "system", "holds": ["mailbox:mary", "export"]}), false);
        // Nobody says what it was: it is not left out.
        check_touch(&["hr"], json!({"path": "/srv/x"}), true);
    }

    #[test]
    fn an_asset_that_is_none_is_named() {
        let wrong = |asset: &str| check(&[asset.to_owned()]).unwrap_err().to_string();
        assert!(wrong("Mailbox").contains("`Mailbox`"));
        assert!(wrong("mailbox:").contains("mailbox:mary"));
        assert!(check(&["mailbox:mary".to_owned(), "ehr".to_owned()]).is_ok());
        assert!(check(&[]).is_err() && check(&vec!["ehr".to_owned(); N_MAX + 1]).is_err());
    }
}
