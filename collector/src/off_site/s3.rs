//! A bucket as the place of copies: Amazon's S3, or any server that speaks its protocol.
//!
//! A put is whole or not there. Requests are signed (Signature Version 4) for some minutes each; the secret key never
//! leaves this process, and no message repeats an address that was signed.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use ntk_evidence::name::Slug;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use tokio_util::sync::CancellationToken;

use super::http::{self, Answer};
use super::shelf::{OBJECT_BYTES_MAX, Shelf, ShelfError};
use super::target::{self, Target};
use super::wire::Wire;
use crate::system;

/// How long a signed address holds.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// Lists and complaints are short.
const LIST_BYTES_MAX: usize = 8 << 20;
/// Lists come in pages of a thousand: a million segments are not a practice's.
const PAGES_MAX: usize = 1000;

/// Objects of one practice below a prefix.
pub(super) struct S3Shelf {
    wire: Wire,
    web: http::Web,
    bucket: Bucket,
    credentials: Credentials,
    top: String,
}

impl S3Shelf {
    /// Reads the credentials; nothing is asked of the server yet.
    pub(super) fn new(
        address: &target::S3,
        slug: &Slug,
        stop: CancellationToken,
    ) -> Result<Self, ShelfError> {
        let wire = Wire::new(Target::S3(address.clone()).to_string(), stop)?;
        let wrong = |key: &str, why: &dyn std::fmt::Display| {
            ShelfError::Settings(format!("`off_site.{key}` cannot be used: {why}"))
        };
        let endpoint = match &address.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{}.amazonaws.com", address.region),
        };
        // A bucket with dots has no certificate of its own name, and servers other than Amazon's seldom have names for each.
        let style = if address.endpoint.is_some() || address.bucket.contains('.') {
            UrlStyle::Path
        } else {
            UrlStyle::VirtualHost
        };
        let endpoint = endpoint.parse().map_err(|_| wrong("endpoint", &"it is no address"))?;
        let bucket = Bucket::new(endpoint, style, address.bucket.clone(), address.region.clone())
            .map_err(|error| wrong("endpoint", &error))?;
        let prefix = if address.prefix.is_empty() { String::new() } else { format!("{}/", address.prefix) };
        let top = format!("{prefix}{}", slug.as_str());
        Ok(Self { web: http::Web::new()?, bucket, credentials: credentials(address)?, top, wire })
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.top)
    }

    /// Sends one signed request; whatever the server answers but a refusal of us.
    fn ask(&self, what: Ask<'_>, name: &str) -> Result<Answer, ShelfError> {
        let (doing, method, url, body, limit) = match what {
            Ask::Put(bytes, url) => ("write", "PUT", url, bytes, LIST_BYTES_MAX),
            Ask::Get(url) => {
                ("read", "GET", url, &[][..], usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX))
            }
            Ask::List(url) => ("list", "GET", url, &[][..], LIST_BYTES_MAX),
            Ask::Delete(url) => ("remove", "DELETE", url, &[][..], LIST_BYTES_MAX),
        };
        let step = async {
            let answer = self.web.send(method, &url, body, limit).await;
            answer.map_err(|error| match error {
                http::HttpError::TooLarge => {
                    self.wire.failed(doing, name, &"it is larger than any object of ours")
                }
                other => self.wire.unreachable(&other),
            })
        };
        let n_bytes = if doing == "read" { limit } else { body.len() };
        let answer = self.wire.wait(n_bytes, step)?;
        match answer.status {
            200..=299 | 404 => Ok(answer),
            401 | 403 => Err(self.wire.refused(&complaint(&answer))),
            status => Err(self.wire.failed(doing, name, &format!("{status} {}", complaint(&answer)))),
        }
    }
}

enum Ask<'a> {
    Put(&'a [u8], String),
    Get(String),
    List(String),
    Delete(String),
}

impl Shelf for S3Shelf {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        let key = self.key(name);
        let url = self.bucket.put_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        let answer = self.ask(Ask::Put(bytes, url.into()), name)?;
        if answer.status == 404 { Err(self.wire.refused(&complaint(&answer))) } else { Ok(()) }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError> {
        let key = self.key(name);
        let url = self.bucket.get_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        let answer = self.ask(Ask::Get(url.into()), name)?;
        match (answer.status, complaint(&answer).as_str()) {
            (404, "NoSuchBucket") => Err(self.wire.refused(&"there is no such bucket")),
            (404, _) => Ok(None),
            _ => Ok(Some(answer.body)),
        }
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, ShelfError> {
        let (prefix, mut found) = (format!("{}/", self.key(folder)), BTreeMap::new());
        let mut goes_on: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut page = self.bucket.list_objects_v2(Some(&self.credentials));
            page.with_prefix(prefix.clone());
            if let Some(token) = goes_on {
                page.with_continuation_token(token);
            }
            let answer = self.ask(Ask::List(page.sign(SIGNED_FOR).into()), folder)?;
            if answer.status == 404 {
                return Err(self.wire.refused(&complaint(&answer)));
            }
            let text = String::from_utf8_lossy(&answer.body);
            let read = ListObjectsV2::parse_response(&text)
                .map_err(|_| self.wire.failed("list", folder, &"the answer is no list of objects"))?;
            for object in read.contents {
                if let (Some(name), Some(bytes)) = (object.key.strip_prefix(&prefix), object.size) {
                    found.insert(format!("{folder}/{name}"), bytes);
                }
            }
            goes_on = read.next_continuation_token;
            if goes_on.is_none() {
                return Ok(found);
            }
        }
        Err(self.wire.failed("list", folder, &"the list does not end"))
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        let key = self.key(name);
        let url = self.bucket.delete_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        self.ask(Ask::Delete(url.into()), name).map(|_| ())
    }
}

/// The code of an S3 complaint, such as `SignatureDoesNotMatch`; never the rest, which repeats what was signed.
fn complaint(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let is_word = |code: &&str| code.len() <= 64 && code.bytes().all(|c| c.is_ascii_alphanumeric());
    code.map(|(code, _)| code)
        .filter(is_word)
        .map_or_else(|| format!("status {}", answer.status), str::to_owned)
}

/// From the file that the configuration names, or from the environment.
fn credentials(address: &target::S3) -> Result<Credentials, ShelfError> {
    let Some(path) = &address.credentials else {
        return Credentials::from_env().ok_or_else(|| {
            ShelfError::Settings(
                "there are no S3 credentials: name a file with `off_site.credentials`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
            )
        });
    };
    let name = path.display();
    let wrong = |why: &dyn std::fmt::Display| {
        ShelfError::Settings(format!("`{name}` (off_site.credentials) cannot be used: {why}"))
    };
    let mut file = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    // The file that was opened, not one that took its name since.
    if system::is_loose(&file).map_err(|error| wrong(&error))? {
        return Err(wrong(&format!("other accounts can read it; run: {}", system::closing(path))));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| wrong(&error))?;
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    match (value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token")) {
        (Some(id), Some(secret), None) => Ok(Credentials::new(id, secret)),
        (Some(id), Some(secret), Some(token)) => Ok(Credentials::new_with_token(id, secret, token)),
        _ => Err(wrong(&"it has no lines `aws_access_key_id = ...` and `aws_secret_access_key = ...`")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn credentials_come_from_a_tight_file_and_stand_in_no_complaint() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s3");
        let address = target::S3 {
            bucket: "vault".into(),
            prefix: String::new(),
            endpoint: Some("http://127.0.0.1:1".into()),
            region: "us-east-1".into(),
            credentials: Some(path.clone()),
        };
        let write = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let whole = "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = \"hunter2/+=\"\n";
        write(whole, 0o600);
        let read = credentials(&address).unwrap();
        assert_eq!((read.key(), read.secret()), ("AKIAEXAMPLE", "hunter2/+="));
        for (text, mode, expected) in [
            (whole, 0o640, "chmod 600"),
            ("aws_access_key_id = AKIAEXAMPLE\naws_secret = hunter2\n", 0o600, "has no lines"),
            ("", 0o600, "has no lines"),
        ] {
            write(text, mode);
            let said = credentials(&address).unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("off_site.credentials"), "{said}");
            assert!(!said.contains("hunter2") && !said.contains("AKIA"), "{said}");
        }
        // A server that is not there: the address that was signed is not repeated.
        write(whole, 0o600);
        let slug = Slug::parse("maple-street.0011aabb").unwrap();
        let shelf = S3Shelf::new(&address, &slug, CancellationToken::new()).unwrap();
        let said = crate::error_chain(&shelf.get("newest.json").unwrap_err());
        assert!(
            said.contains("s3://vault") && !said.contains("Signature") && !said.contains("AKIA"),
            "{said}"
        );
    }

    #[test]
    fn a_complaint_is_its_code_alone() {
        let said = |body: &str| complaint(&Answer { status: 403, body: body.as_bytes().to_vec() });
        assert_eq!(
            said("<Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId>"),
            "AccessDenied"
        );
        assert_eq!(said("<Code>AKIA hunter2</Code>"), "status 403");
        assert_eq!(said(""), "status 403");
    }
}
