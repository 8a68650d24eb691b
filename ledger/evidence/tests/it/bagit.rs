//! The Library of Congress's BagIt 1.0 bags, good and bad, under our own bag checks.

use std::fs;
use std::path::Path;

use ntk_evidence::bundle::bag::Files;
use ntk_evidence::checks::{Profile, Status, bag_checks, check};

use crate::vectors::{files_below, shared};

fn read(folder: &Path) -> Files {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
    files_below(folder).into_iter().map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

#[test]
fn the_conformance_suites_bags_are_judged_as_it_says() {
    let Some(shared) = shared("the_conformance_suites_bags_are_judged_as_it_says") else { return };
    for (folder, good) in [("valid", true), ("invalid", false)] {
        let mut counted = 0;
        for bag in fs::read_dir(shared.join("bagit/v1.0").join(folder)).unwrap() {
            let path = bag.unwrap().path();
            let checks = bag_checks(&read(&path), Profile::AnyBag);
            let passed = checks.iter().all(|check| check.status == Status::Passed);
            assert_eq!(passed, good, "{}: {checks:#?}", path.display());
            assert_ne!(check(&read(&path), None).exit_code(), 0, "a bag is not yet a bundle");
            counted += 1;
        }
        assert!(counted > 0, "{folder}");
    }
}

#[test]
fn a_bag_of_another_spelling_is_no_bundle_but_a_bag() {
    let payload = b"hello\n".to_vec();
    let sum = ntk_evidence::bundle::bag::sha256_hex(&payload);
    let bag = |manifest: String| {
        Files::from([
            ("bagit.txt".to_owned(), ntk_evidence::bundle::bag::DECLARATION.as_bytes().to_vec()),
            ("data/a b/ü.txt".to_owned(), payload.clone()),
            ("manifest-sha256.txt".to_owned(), manifest.into_bytes()),
        ])
    };
    let passes = |files: &Files, profile| {
        bag_checks(files, profile).iter().all(|check| check.status == Status::Passed)
    };
    let good = bag(format!("{}  data/a b/ü.txt\n", sum.to_uppercase()));
    assert!(passes(&good, Profile::AnyBag) && !passes(&good, Profile::Bundle));
    for bad in
        [format!("{sum}  data/../x\n"), format!("{sum}\n"), String::new(), format!("{sum}  data/other\n")]
    {
        assert!(!passes(&bag(bad.clone()), Profile::AnyBag), "{bad}");
    }
}
