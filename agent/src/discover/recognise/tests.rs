//! Exports and mailboxes of others are recognised, and the files of an ordinary machine are not.

use super::*;
use proptest::prelude::*;
use std::io::{Read as _, Write as _};
use std::path::Path;

fn first_of(path: &Path) -> Vec<u8> {
    let mut first = Vec::new();
    std::fs::File::open(path).unwrap().take(BYTES_MAX as u64).read_to_end(&mut first).unwrap();
    first
}

#[test]
fn every_sample_of_the_shared_data_is_recognised() {
    let shared = std::env::var_os("NTK_SHARED").map(std::path::PathBuf::from);
    let shared =
        shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")).join("data");
    let mut seen = 0;
    for (folder, class) in [("ehr-exports", Class::Export), ("mailboxes", Class::Mailbox)] {
        for entry in std::fs::read_dir(shared.join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let looks = recognise(&first_of(&path));
            assert_eq!(looks.map(Looks::class), Some(class.clone()), "{}: {looks:?}", path.display());
            seen += 1;
        }
    }
    if seen == 0 {
        println!("skipped: no shared test data");
        if let Some(list) = std::env::var_os("NTK_SKIPS") {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
            writeln!(file, "recognition of samples: no shared test data").unwrap();
        }
    }
}

#[track_caller]
fn is(first: impl AsRef<[u8]>, looks: Option<Looks>) {
    assert_eq!(recognise(first.as_ref()), looks);
}

fn zip_of(name: &str) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend([0; 14]);
    bytes.extend([3, 0, 0, 0, 3, 0, 0, 0]);
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(name.as_bytes());
    bytes.extend(b"abc");
    bytes
}

#[test]
fn each_form_is_recognised() {
    is("MSH|^~\\&|LAB|ACME|EHR|MAPLE|20261120||ORU^R01|1|P|2.5\rPID|1||7||Doe", Some(Looks::Hl7Messages));
    is("\u{b}MSH|^~\\&|A|B|C|D|20261120||ADT^A01|1|P|2.3", Some(Looks::Hl7Messages));
    is("{\n  \"resourceType\" : \"Bundle\",\n  \"type\": \"collection\", \"entry\": []}", Some(Looks::Fhir));
    is("[{\"id\":\"1\",\"resourceType\":\"Patient\"}]", Some(Looks::Fhir));
    is("\u{feff}MRN,Last Name,First Name,DOB,Sex\n1,Doe,Jo,1970-01-01,F\n", Some(Looks::PatientTable));
    is("Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,FIRST,LAST,RACE,GENDER\n", Some(Looks::PatientTable));
    is("patient_id;encounter_date;icd10;provider\n", Some(Looks::PatientTable));
    is("From root Fri Nov 20 08:00:00 2026\nReturn-Path: <root>\n\nhello\n", Some(Looks::Mbox));
    is(
        "Return-Path: <a@b>\nReceived: from x\n\tby y\nFrom: A <a@b>\nTo: c@d\nDate: Fri, 20 Nov 2026\n\nhi",
        Some(Looks::Message),
    );
    is([b"!BDN....SO".as_slice(), &[0; 500]].concat(), Some(Looks::OutlookStore));
    is([&[0; 128], b"DICM".as_slice()].concat(), Some(Looks::Dicom));
    is(
        "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261120*0800*^*00501*1*0*P*:~",
        Some(Looks::Claims),
    );
    is("-- MySQL dump 10.13\n--\n-- Host: localhost    Database: openemr\n", Some(Looks::DatabaseDump));
    is(zip_of("export/Patient.000.ndjson"), Some(Looks::Archive(Told::Export)));
    is([zip_of("readme.txt"), zip_of("archive/mail.pst")].concat(), Some(Looks::Archive(Told::Mailbox)));
    is("<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\">", Some(Looks::ClinicalDocument));
}

#[test]
fn ordinary_files_are_not_taken_for_exports_or_mail() {
    for ordinary in [
        "",
        "#!/bin/sh\nset -e\n",
        "//! HL7 and MSH|^~\\& in a comment\nfn main() {}\n",
        "const patient = {\"resourceType\": \"Patient\", \"id\": 1};\n",
        "{\"name\": \"fhir-client\", \"version\": \"1.0.0\", \"resourceType\": \"npm\"}",
        "{\"resourceType\":\"ValueSet\",\"id\":\"x\",\"url\":\"http://hl7.org\"}",
        "<html><head><title>ClinicalDocument</title></head></html>",
        "<?xml version=\"1.0\"?><project xmlns=\"http://maven.apache.org/POM/4.0.0\"></project>",
        "Nov 20 08:00:00 ws sshd[1]: Accepted password for bea from 10.0.0.1\n",
        "2026-11-20T08:00:00Z INFO agent started author=agent/ws-01\n",
        "From 1234567890abcdef1234567890abcdef12345678 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nDate: x\n",
        "From the beginning of 2026 at 8:00 we were told:\nit was late\n",
        "date,amount,account,category\n2026-11-20,5,cash,food\n",
        "name,email,phone\nA,a@b,1\n",
        "pid,ppid,user,command\n1,0,root,init\n",
        "PID TTY          TIME CMD\n",
        "Name: x\nVersion: 1\nDescription: a package\n",
        "Subject: notes\nDate: today\n\nwhat I want to say",
        "MSH is a segment\n",
        "ISA * is a verb",
        "-- MySQL dump 10.13\n-- Host: localhost Database: shop\n",
        "%PDF-1.7\n",
        "key: value\nother: value\n",
    ] {
        is(ordinary, None);
    }
    for office in [
        "[Content_Types].xml",
        "mimetype",
        "word/document.xml",
        "META-INF/MANIFEST.MF",
        "photos/1.jpg",
        "listing.json",
        "groups.txt",
    ] {
        is(zip_of(office), None);
    }
    is([b"\x7fELF\x02\x01\x01".as_slice(), &[0; 4000]].concat(), None);
    is([b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 4000]].concat(), None);
    is([b"SQLite format 3\0".as_slice(), &[0; 4000]].concat(), None);
}

#[test]
fn no_file_of_this_machines_own_is_taken_for_one() {
    let mut n_seen = 0;
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<_> = ["/etc", "/usr/share/perl5", "/usr/lib/python3", "/usr/include", "/var/log"]
        .map(std::path::PathBuf::from)
        .into();
    open.push(top.join("src"));
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() && n_seen < 20_000 {
                open.push(path);
            } else if kind.is_file() && std::fs::File::open(&path).is_ok() && n_seen < 20_000 {
                assert_eq!(recognise(&first_of(&path)), None, "{}", path.display());
                n_seen += 1;
            }
        }
    }
    assert!(n_seen > 50);
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..5000), text in ".{0,300}") {
        let _ = (recognise(&bytes), recognise(text.as_bytes()));
        let _ = recognise(&[b"PK\x03\x04".as_slice(), &bytes].concat());
        for begin in ["MSH|", "ISA*", "From ", "{\"resourceType\"", "!BDN", "<"] {
            let _ = recognise(format!("{begin}{text}").as_bytes());
        }
    }
}
