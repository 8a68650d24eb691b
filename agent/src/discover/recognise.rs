//! What a file looks like by its first bytes: a mailbox, an export of health records, or neither.
//!
//! Pure and bounded: at most [`BYTES_MAX`] are looked at, nothing of them is kept, logged or told; the answer is one of a
//! few words. Ordinary files must not be taken for these, so each form asks for more than one sign.

use ntk_evidence::event::Class;

/// Most that is read of a file.
pub const BYTES_MAX: usize = 4096;

/// What a file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looks {
    /// A clinical document (C-CDA).
    ClinicalDocument,
    /// HL7 version 2 messages.
    Hl7Messages,
    /// FHIR resources: one, a bundle, or one on each line.
    Fhir,
    /// The log that stands beside a FHIR bulk export.
    ExportLog,
    /// A table whose columns are those of patients.
    PatientTable,
    /// Medical images.
    Dicom,
    /// Claims (X12).
    Claims,
    /// A dump of a health-record system's database.
    DatabaseDump,
    /// Messages one after the other.
    Mbox,
    /// One message.
    Message,
    /// An Outlook store.
    OutlookStore,
    /// An archive with one of these in it, by the names inside.
    Archive(Told),
}

/// The two classes that content can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// An export of health records.
    Export,
    /// Mail.
    Mailbox,
}

impl Looks {
    /// The class of asset.
    pub fn class(self) -> Class {
        match self {
            Self::Mbox | Self::Message | Self::OutlookStore | Self::Archive(Told::Mailbox) => Class::Mailbox,
            Self::ClinicalDocument
            | Self::Hl7Messages
            | Self::Fhir
            | Self::ExportLog
            | Self::PatientTable
            | Self::Dicom
            | Self::Claims
            | Self::DatabaseDump
            | Self::Archive(Told::Export) => Class::Export,
        }
    }

    /// In words, after "looks like".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::ClinicalDocument => "a clinical document (C-CDA)",
            Self::Hl7Messages => "HL7 messages",
            Self::Fhir => "FHIR health records",
            Self::ExportLog => "the log of a FHIR export",
            Self::PatientTable => "a table of patients",
            Self::Dicom => "medical images (DICOM)",
            Self::Claims => "claims (X12)",
            Self::DatabaseDump => "a copy of a health-record system's database",
            Self::Mbox => "a mailbox (mbox)",
            Self::Message => "a mail message",
            Self::OutlookStore => "an Outlook mailbox (PST or OST)",
            Self::Archive(Told::Export) => "an archive with an export of health records in it",
            Self::Archive(Told::Mailbox) => "an archive with a mailbox in it",
        }
    }
}

/// Looks at the first bytes of a file.
pub fn recognise(first: &[u8]) -> Option<Looks> {
    let first = first.get(..BYTES_MAX).unwrap_or(first);
    if first.starts_with(b"!BDN") {
        return (first.get(8) == Some(&b'S')).then_some(Looks::OutlookStore);
    }
    if first.get(128..132) == Some(b"DICM") {
        return Some(Looks::Dicom);
    }
    if first.starts_with(b"PK\x03\x04") {
        return archive(first);
    }
    let text = String::from_utf8_lossy(first);
    let text = text.trim_start_matches(['\u{feff}', '\u{b}']);
    let trimmed = text.trim_start();
    if trimmed.starts_with('<') {
        let is_document = trimmed.contains("<ClinicalDocument") || trimmed.contains(":ClinicalDocument");
        return (is_document && trimmed.contains("urn:hl7-org:v3")).then_some(Looks::ClinicalDocument);
    }
    if trimmed.starts_with(['{', '[']) {
        return json(trimmed);
    }
    hl7(text).or_else(|| claims(text)).or_else(|| mail(text)).or_else(|| dump(text)).or_else(|| table(text))
}

/// `MSH|^~\&|...`, or the header of a batch of such.
fn hl7(text: &str) -> Option<Looks> {
    let mut line = text.split(['\r', '\n']);
    let first = line.next()?;
    let header = ["MSH", "FHS", "BHS"].iter().any(|segment| first.starts_with(segment));
    let signs = first.get(3..8)?;
    // The five signs are the sender's to choose, but all are punctuation, and the first parts the fields after them.
    let bar = signs.chars().next()?;
    let are_signs = signs.chars().all(|sign| sign.is_ascii_punctuation());
    (header && are_signs && first.get(8..)?.starts_with(bar) && first.matches(bar).count() >= 6)
        .then_some(Looks::Hl7Messages)
}

/// `ISA*00*          *00*...`: fixed widths.
fn claims(text: &str) -> Option<Looks> {
    let bytes = text.as_bytes();
    let star = *bytes.get(3)?;
    let fixed = [6, 17, 20, 31, 34, 50, 53, 69].iter().all(|at| bytes.get(*at) == Some(&star));
    (text.starts_with("ISA") && star.is_ascii_punctuation() && fixed).then_some(Looks::Claims)
}

/// Kinds of FHIR resources that speak of patients or practice; definitions and terminologies do not.
const RESOURCES: &[&str] = &[
    "AllergyIntolerance",
    "Appointment",
    "Bundle",
    "CarePlan",
    "CareTeam",
    "Claim",
    "ClinicalImpression",
    "Communication",
    "Composition",
    "Condition",
    "Consent",
    "Coverage",
    "Device",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "Group",
    "ImagingStudy",
    "Immunization",
    "List",
    "Location",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "NutritionOrder",
    "Observation",
    "Organization",
    "Patient",
    "Person",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RiskAssessment",
    "Schedule",
    "ServiceRequest",
    "Slot",
    "Specimen",
    "Task",
    "VisionPrescription",
];

fn json(text: &str) -> Option<Looks> {
    let key = |name: &str| text.find(&format!("\"{name}\""));
    if let Some(at) = key("resourceType") {
        let value = text.get(at..)?.split('"').nth(3)?;
        // Beside its kind a resource has an id, a type or entries; a program's own settings have not.
        let more = ["id", "meta", "type", "entry", "identifier", "status", "text"]
            .iter()
            .any(|name| key(name).is_some());
        return (RESOURCES.contains(&value) && more).then_some(Looks::Fhir);
    }
    (key("exportId").is_some() && key("eventId").is_some() && key("eventDetail").is_some())
        .then_some(Looks::ExportLog)
}

fn mail(text: &str) -> Option<Looks> {
    if let Some(line) = text.strip_prefix("From ") {
        let (line, rest) = line.split_once('\n')?;
        let mut words = line.split_whitespace();
        let sender = words.next()?;
        // A patch begins the same way, with the number of a commit for a sender.
        let is_commit = sender.len() >= 40 && sender.bytes().all(|letter| letter.is_ascii_hexdigit());
        let has_year =
            words.clone().any(|word| word.len() == 4 && word.bytes().all(|digit| digit.is_ascii_digit()));
        let has_clock = words.any(|word| word.matches(':').count() >= 1);
        return (!is_commit && has_year && has_clock && header(rest.lines().next()?).is_some())
            .then_some(Looks::Mbox);
    }
    message(text)
}

/// The name of a header line.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(':')?;
    (!name.is_empty() && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-'))
        .then_some(name)
}

fn message(text: &str) -> Option<Looks> {
    let mut names = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        if !line.starts_with([' ', '\t']) {
            match header(line) {
                Some(name) => names.push(name.to_ascii_lowercase()),
                // The last line may be cut; one that is no header before it ends the matter.
                None if text.len() >= BYTES_MAX => break,
                None => return None,
            }
        }
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let way = ["received", "message-id", "return-path", "delivered-to", "mime-version"];
    let n_of_way = way.iter().filter(|name| has(name)).count();
    (has("from") && has("date") && n_of_way >= 1 && (has("to") || has("subject") || n_of_way >= 2))
        .then_some(Looks::Message)
}

fn dump(text: &str) -> Option<Looks> {
    let head = text.lines().next()?;
    let is_dump = head.starts_with("-- MySQL dump")
        || head.starts_with("-- MariaDB dump")
        || head.starts_with("/*!999999\\- enable");
    let lower = text.to_ascii_lowercase();
    let is_records = ["openemr", "openmrs", "`patient_data`", "`patient_identifier`", "opendental"];
    (is_dump && is_records.iter().any(|name| lower.contains(name))).then_some(Looks::DatabaseDump)
}

/// Column names that say whose the rows are, without blanks and signs.
const IDENTITIES: &[&str] = &[
    "patientid",
    "patient",
    "patientname",
    "patientnumber",
    "patientno",
    "patientidentifier",
    "patientfirstname",
    "patientlastname",
    "patnum",
    "patid",
    "patientmrn",
    "mrn",
    "medicalrecordnumber",
    "medrec",
    "pid",
    "pubpid",
    "chartnumber",
    "nhsnumber",
    "ssn",
    "socialsecuritynumber",
    "medicareid",
    "medicaidid",
    "memberid",
    "subscriberid",
];
/// Column names that stand beside them.
const FACTS: &[&str] = &[
    "dob",
    "birthdate",
    "dateofbirth",
    "birthday",
    "sex",
    "gender",
    "diagnosis",
    "diagnosiscode",
    "icd10",
    "icd9",
    "icd10code",
    "dx",
    "cpt",
    "cptcode",
    "procedure",
    "medication",
    "medications",
    "drug",
    "allergy",
    "allergies",
    "encounter",
    "encounterid",
    "encounterdate",
    "visitdate",
    "dateofservice",
    "dos",
    "provider",
    "insurance",
    "payer",
    "race",
    "ethnicity",
    "deathdate",
    "firstname",
    "lastname",
    "fname",
    "lname",
    "labresult",
    "loinc",
    "immunization",
    "vaccine",
    "problem",
    "problemlist",
    "reasoncode",
    "systolic",
    "diastolic",
    "bmi",
];

/// A first line of column names with at least one that identifies a patient and two that speak of one.
fn table(text: &str) -> Option<Looks> {
    let line = text.lines().next()?;
    if line.len() > 2000 {
        return None;
    }
    let delimiter =
        [',', ';', '\t', '|'].into_iter().max_by_key(|delimiter| line.matches(*delimiter).count())?;
    let columns: Vec<String> = line
        .split(delimiter)
        .map(|column| {
            column.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
        })
        .collect();
    if columns.len() < 3 || columns.iter().any(|column| column.len() > 40) {
        return None;
    }
    let n_of = |known: &[&str]| columns.iter().filter(|column| known.contains(&column.as_str())).count();
    let (n_identities, n_facts) = (n_of(IDENTITIES), n_of(FACTS));
    // `pid` alone is a process to most programs.
    let only_pid = n_identities == 1 && columns.iter().any(|column| column == "pid");
    let enough = if only_pid {
        n_facts >= 3
    } else {
        n_identities >= 1 && n_facts >= 2 || n_identities >= 2 && n_facts >= 1
    };
    let has_names = ["firstname", "fname"].iter().any(|name| columns.iter().any(|column| column == name));
    let has_birth =
        ["dob", "birthdate", "dateofbirth"].iter().any(|name| columns.iter().any(|column| column == name));
    (enough || (has_names && has_birth && n_facts >= 4)).then_some(Looks::PatientTable)
}

/// The names that stand in an archive's first bytes.
fn archive(first: &[u8]) -> Option<Looks> {
    let mut names = Vec::new();
    let mut at = 0usize;
    while let Some(entry) = first.get(at..).filter(|entry| entry.starts_with(b"PK\x03\x04")) {
        let number = |from: usize, n: usize| {
            let bytes = entry.get(from..from.checked_add(n)?)?;
            Some(bytes.iter().rev().fold(0usize, |value, byte| value << 8 | usize::from(*byte)))
        };
        let (Some(size), Some(name), Some(extra)) = (number(18, 4), number(26, 2), number(28, 2)) else {
            break;
        };
        let Some(bytes) = entry.get(30..30usize.saturating_add(name)) else { break };
        names.push(String::from_utf8_lossy(bytes).to_lowercase());
        at = at.saturating_add(30).saturating_add(name).saturating_add(extra).saturating_add(size);
        // With the size behind the content the next entry cannot be found from here.
        if size == 0 && !names.last().is_some_and(|name| name.ends_with('/')) {
            break;
        }
    }
    names.iter().find_map(|name| archived(name)).map(Looks::Archive)
}

fn archived(name: &str) -> Option<Told> {
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let base = name.rsplit('/').next().unwrap_or(name);
    if ends(&[".pst", ".ost", ".mbox", ".eml"]) {
        return Some(Told::Mailbox);
    }
    let is_resource = RESOURCES.iter().any(|resource| {
        base.strip_prefix(&resource.to_lowercase()).is_some_and(|rest| rest.starts_with(['.', '_', '-']))
    });
    let is_data = ends(&[".ndjson", ".json", ".xml", ".csv", ".hl7"]);
    let says_so =
        ["ccda", "c-cda", "ccd_", "ccd.", "cda_", "fhir", "hl7", "patient", "ehr_export", "ehi_export"];
    let is_export = ends(&[".hl7", ".dcm"])
        || (is_data && (is_resource || says_so.iter().any(|word| name.contains(word))))
        || ["ccda", "fhir", "ehi_export", "ehr_export", "patients"]
            .iter()
            .any(|word| name.starts_with(&format!("{word}/")))
        || name.starts_with("ihe_xdm/");
    is_export.then_some(Told::Export)
}

#[cfg(test)]
mod tests;
