//! Records of each shape as events: who, in what capacity, whose mailbox; what opens a way, what blinds, what is noise.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::import::records::Records;

fn told(found: &Found) -> String {
    match found {
        Found::Noise(rule) => format!("noise: {rule}"),
        Found::Damaged(what) => format!("damaged: {what}"),
        Found::Events(events) | Found::Rest(events) => {
            events.iter().map(|event| serde_json::to_string(event).unwrap()).collect::<Vec<_>>().join("\n")
        }
    }
}

fn check(value: Value, expected: Expect) {
    expected.assert_eq(&told(&of_json(&value)));
}

fn cmdlet(operation: &str, user: &str, parameters: &[(&str, &str)]) -> Value {
    let parameters: Vec<Value> =
        parameters.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    json!({"Id": "c1", "CreationTime": "2026-11-20T09:00:00", "Operation": operation, "UserId": user,
        "UserType": 2, "Workload": "Exchange", "ResultStatus": "True", "ClientIP": "203.0.113.7:50123",
        "Parameters": parameters})
}

#[test]
fn a_delegate_in_anothers_mailbox_is_named_with_capacity_mailbox_folder_and_count_and_no_subject() {
    check(
        json!({"Id": "a1", "CreationTime": "2026-11-20T09:00:00", "Operation": "MailItemsAccessed", "RecordType": 50,
            "Workload": "Exchange", "ResultStatus": "Succeeded", "UserId": "sam@practice.example", "LogonType": 2,
            "MailboxOwnerUPN": "dana@practice.example", "ClientInfoString": "Client=REST;;", "ClientIPAddress": "[2001:db8::7]:443",
            "AppId": "5a95e683-08ad-424e-a441-1d1aec52c02c", "LogonUserSid": "S-1-5-21-1", "MailboxOwnerSid": "S-1-5-21-2",
            "Folders": [{"Path": "\\Inbox", "FolderItems": [{"InternetMessageId": "<secret@x>", "Subject": "Mrs. Miller"}, {}]}],
            "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}, {"Name": "IsThrottled", "Value": "False"}]}),
        expect![[
            r#"{"kind":"file_access","time":"2026-11-20T09:00:00Z","outcome":"success","actor":{"sid":"S-1-5-21-1","upn":"sam@practice.example","from":"2001:db8::7","acting_as":"delegate"},"action":"read","process":{"exe":"REST, application 5a95e683-08ad-424e-a441-1d1aec52c02c"},"object":{"path":"\\Inbox","owner":"dana@practice.example","class":"mailbox"},"count":2,"source":{"sensor":"m365-audit","record":"a1","operation":"Bind","recorded":true}}"#
        ]],
    );
}

#[test]
fn owner_is_only_who_is_owner_by_both_identifiers() {
    let record = |logon: Value, user_sid: &str| {
        json!({"Id": "a2", "CreationTime": "2026-11-20T09:00:00", "Operation": "FolderBind", "Workload": "Exchange",
            "UserId": "dana@practice.example", "LogonType": logon, "MailboxOwnerUPN": "dana@practice.example",
            "LogonUserSid": user_sid, "MailboxOwnerSid": "S-1-5-21-2"})
    };
    let acting = |value: Value| match of_json(&value) {
        Found::Events(events) => events[0].actor.as_ref().unwrap().acting_as.clone().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(acting(record(json!(0), "S-1-5-21-2")), ActingAs::Owner);
    assert_eq!(acting(record(json!("0"), "S-1-5-21-9")), ActingAs::Delegate, "another SID than the owner's");
    assert_eq!(acting(record(json!("Admin"), "S-1-5-21-9")), ActingAs::Admin);
    assert_eq!(acting(record(json!("Delegated"), "S-1-5-21-9")), ActingAs::Delegate);
}

#[test]
fn an_application_by_itself_is_an_account_of_its_own_and_an_empty_user_is_its_sid() {
    check(
        json!({"Id": "a3", "CreationTime": "2026-11-20T09:00:00", "Operation": "MailItemsAccessed", "UserType": 5,
            "UserId": "ServicePrincipal_11", "AppId": "77777777-0000-0000-0000-000000000001", "MailboxOwnerUPN": "dana@practice.example",
            "OperationProperties": "[{\"Name\":\"MailAccessType\",\"Value\":\"Sync\"}]"}),
        expect![[
            r#"{"kind":"file_access","time":"2026-11-20T09:00:00Z","actor":{"upn":"app:77777777-0000-0000-0000-000000000001","acting_as":"application"},"action":"list","object":{"owner":"dana@practice.example","class":"mailbox"},"source":{"sensor":"m365-audit","record":"a3","operation":"Sync","recorded":true}}"#
        ]],
    );
    check(
        json!({"Id": "a4", "CreationTime": "11/20/2026 9:00:00 AM", "Operation": "MessageBind", "UserId": "", "LogonType": "1",
            "LogonUserSid": "S-1-5-21-9", "MailboxOwnerUPN": "dana@practice.example"}),
        expect![[
            r#"{"kind":"file_access","time":"2026-11-20T09:00:00Z","actor":{"sid":"S-1-5-21-9","acting_as":"admin"},"action":"read","object":{"owner":"dana@practice.example","class":"mailbox"},"source":{"sensor":"m365-audit","record":"a4","operation":"MessageBind","recorded":true}}"#
        ]],
    );
}

#[test]
fn a_throttled_mailbox_is_a_gap_of_a_day_beside_the_access() {
    let Found::Events(events) = of_json(
        &json!({"Id": "a5", "CreationTime": "2026-11-20T09:00:00Z", "Operation": "MailItemsAccessed", "UserId": "x@y.example",
            "MailboxOwnerUPN": "dana@practice.example", "OperationProperties": [{"Name": "IsThrottled", "Value": "True"}]}),
    ) else {
        panic!()
    };
    let gap = events[1].gap.clone().unwrap();
    assert_eq!(
        (gap.cause.as_str(), gap.from.as_deref(), gap.to.as_deref()),
        ("mailbox_throttled", Some("2026-11-20T09:00:00Z"), Some("2026-11-21T09:00:00Z"))
    );
    assert_eq!(events[1].source.as_ref().unwrap().record.as_deref(), Some("a5/throttled"));
}

/// `what -> to [rights] of owner`, or what else it is.
fn in_short(value: &Value) -> String {
    let found = of_json(value);
    let Found::Events(events) = &found else { return told(&found) };
    let event = &events[0];
    let owner = event.object.as_ref().and_then(|object| object.owner.clone()).unwrap_or_default();
    match (&event.change, &event.tamper) {
        (Some(change), _) => format!(
            "{}{} -> {} {:?} of {owner}",
            change.what,
            if change.is_removal { " (removed)" } else { "" },
            change.to.as_deref().unwrap_or("-"),
            change.rights
        ),
        (_, Some(tamper)) => {
            format!("tamper {}: {} of {owner}", tamper.what, tamper.detail.as_deref().unwrap_or("-"))
        }
        _ => event.kind.to_string(),
    }
}

#[test]
fn what_opens_a_way_to_mail_and_what_blinds_is_told_from_what_does_not() {
    let admin = "it@practice.example";
    let cases = [
        cmdlet(
            "Add-MailboxPermission",
            admin,
            &[
                ("Identity", "practice.example/Users/dana"),
                ("User", "sam@practice.example"),
                ("AccessRights", "FullAccess"),
            ],
        ),
        cmdlet(
            "Remove-MailboxPermission",
            admin,
            &[("Identity", "dana"), ("User", "sam"), ("AccessRights", "FullAccess")],
        ),
        cmdlet(
            "Add-MailboxFolderPermission",
            admin,
            &[("Identity", "dana:\\Inbox"), ("User", "sam"), ("AccessRights", "Reviewer")],
        ),
        cmdlet(
            "Add-RecipientPermission",
            admin,
            &[("Identity", "dana"), ("Trustee", "sam"), ("AccessRights", "SendAs")],
        ),
        cmdlet(
            "Set-Mailbox",
            admin,
            &[("Identity", "dana"), ("ForwardingSmtpAddress", "smtp:out@else.example")],
        ),
        cmdlet("Set-Mailbox", admin, &[("Identity", "dana"), ("AuditEnabled", "False")]),
        cmdlet("Set-Mailbox", admin, &[("Identity", "dana"), ("AuditDelegate", "")]),
        cmdlet("Set-Mailbox", admin, &[("Identity", "dana"), ("MaxSendSize", "35MB")]),
        cmdlet(
            "New-InboxRule",
            "dana@practice.example",
            &[("Mailbox", "dana"), ("ForwardTo", "out@else.example")],
        ),
        cmdlet("New-InboxRule", "dana@practice.example", &[("Mailbox", "dana"), ("MoveToFolder", "Bills")]),
        cmdlet("New-TransportRule", admin, &[("Name", "copy"), ("BlindCopyTo", "out@else.example")]),
        cmdlet("New-JournalRule", admin, &[("JournalEmailAddress", "out@else.example")]),
        cmdlet("New-MailboxExportRequest", admin, &[("Mailbox", "dana"), ("FilePath", "\\\\srv\\x.pst")]),
        cmdlet("New-ComplianceSearch", admin, &[("Name", "q1"), ("ExchangeLocation", "All")]),
        cmdlet(
            "New-ManagementRoleAssignment",
            admin,
            &[("Role", "ApplicationImpersonation"), ("User", "sam")],
        ),
        cmdlet("New-ManagementRoleAssignment", admin, &[("Role", "Application Mail.Read"), ("App", "77-1")]),
        cmdlet("New-ManagementRoleAssignment", admin, &[("Role", "View-Only Recipients"), ("User", "sam")]),
        cmdlet(
            "Set-MailboxAuditBypassAssociation",
            admin,
            &[("Identity", "sam"), ("AuditBypassEnabled", "True")],
        ),
        cmdlet("Set-AdminAuditLogConfig", admin, &[("UnifiedAuditLogIngestionEnabled", "False")]),
        cmdlet("Set-AdminAuditLogConfig", admin, &[("UnifiedAuditLogIngestionEnabled", "True")]),
        cmdlet(
            "Set-AdminAuditLogConfig",
            "NT AUTHORITY\\SYSTEM (Microsoft.Exchange.Servicehost)",
            &[("UnifiedAuditLogIngestionEnabled", "False")],
        ),
        cmdlet("Set-OrganizationConfig", admin, &[("AuditDisabled", "True")]),
    ];
    let lines: Vec<String> = cases.iter().map(in_short).collect();
    expect![[r#"
        mailbox_permission -> sam@practice.example ["FullAccess"] of dana
        mailbox_permission (removed) -> sam ["FullAccess"] of dana
        folder_permission -> sam ["Reviewer"] of dana
        send_as -> sam ["SendAs"] of dana
        forwarding -> smtp:out@else.example [] of dana
        tamper audit_policy_changed: Set-Mailbox AuditEnabled=False of dana
        tamper audit_policy_changed: Set-Mailbox AuditDelegate= of dana
        account -> - [] of dana
        forwarding -> out@else.example [] of dana
        account -> - [] of dana
        transport_rule -> out@else.example [] of 
        journal_rule -> out@else.example [] of 
        mailbox_export -> - [] of dana
        content_search -> - [] of 
        impersonation -> sam ["ApplicationImpersonation"] of 
        impersonation -> 77-1 ["Application", "Mail.Read"] of 
        role -> sam ["View-Only Recipients"] of 
        tamper audit_policy_changed: Set-MailboxAuditBypassAssociation AuditBypassEnabled=True of sam
        tamper audit_policy_changed: Set-AdminAuditLogConfig UnifiedAuditLogIngestionEnabled=False of 
        account -> - [] of 
        noise: the service’s own maintenance
        tamper audit_policy_changed: Set-OrganizationConfig AuditDisabled=True of "#]]
    .assert_eq(&lines.join("\n"));
}

fn directory(operation: &str, by: &str, targets: &[&str], properties: Value) -> Value {
    let targets: Vec<Value> = targets.iter().map(|id| json!({"ID": id, "Type": 5})).collect();
    json!({"Id": "d1", "CreationTime": "2026-11-20T09:00:00", "Operation": operation, "UserId": by, "UserType": 0,
        "Workload": "AzureActiveDirectory", "ResultStatus": "Success", "ObjectId": "Not Available",
        "Target": targets, "ModifiedProperties": properties})
}

#[test]
fn the_directory_tells_of_applications_roles_passwords_and_second_factors() {
    let admin = "it@practice.example";
    let dana = "dana@practice.example";
    let cases = [
        directory(
            "Consent to application.",
            admin,
            &[
                "ServicePrincipal_12345678-1234-1234-1234-123456789012",
                "12345678-1234-1234-1234-123456789012",
                "ServicePrincipal",
                "Mail Helper",
            ],
            json!([{"Name": "ConsentAction.Permissions", "NewValue": "[] => [[Id: x1, ClientId: 7, Scope: Mail.Read offline_access User.Read, CreatedDateTime: ]]"}]),
        ),
        directory(
            "Add app role assignment to service principal.",
            admin,
            &["Mail Helper"],
            json!([{"Name": "AppRole.Value", "NewValue": "Mail.Read"}]),
        ),
        directory(
            "Update application – Certificates and secrets management ",
            admin,
            &["Mail Helper"],
            json!([]),
        ),
        directory(
            "Reset user password.",
            admin,
            &["User_12345678-1234-1234-1234-123456789012", dana],
            json!([]),
        ),
        directory("Change user password.", dana, &[dana], json!([])),
        directory("Admin registered security info", admin, &[dana], json!([])),
        directory("User registered security info", dana, &[dana], json!([])),
        directory(
            "Add member to role.",
            admin,
            &["sam@practice.example"],
            json!([{"Name": "Role.DisplayName", "NewValue": "Global Administrator"}]),
        ),
        directory("Update conditional access policy", admin, &["Require second factor"], json!([])),
        directory("Update user.", admin, &[dana], json!([])),
    ];
    let lines: Vec<String> = cases.iter().map(in_short).collect();
    expect![[r#"
        application -> Mail Helper ["Mail.Read", "User.Read"] of 
        application -> Mail Helper ["Mail.Read"] of 
        application_credential -> Mail Helper [] of 
        password_reset -> - [] of dana@practice.example
        account -> - [] of dana@practice.example
        second_factor -> - [] of dana@practice.example
        account -> - [] of dana@practice.example
        role -> sam@practice.example ["Global Administrator"] of 
        sign_in_rules -> - [] of 
        account -> - [] of dana@practice.example"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn graph_tells_the_same_in_other_words() {
    let audit = json!({"id": "Directory_1", "category": "UserManagement", "result": "success",
        "activityDisplayName": "Reset password (by admin)", "activityDateTime": "2026-11-20T09:00:00.5Z",
        "initiatedBy": {"user": {"userPrincipalName": "it@practice.example", "ipAddress": "203.0.113.7"}, "app": null},
        "targetResources": [{"id": "x", "userPrincipalName": "dana@practice.example", "type": "User", "modifiedProperties": []}]});
    let by_app = json!({"id": "Directory_2", "result": "success", "activityDisplayName": "Add service principal credentials",
        "activityDateTime": "2026-11-20T09:00:00Z", "initiatedBy": {"app": {"appId": "77-2", "displayName": "Sync"}},
        "targetResources": [{"displayName": "Mail Helper", "type": "ServicePrincipal"}]});
    let sign_in = |code: u32| {
        json!({"id": "s1", "createdDateTime": "2026-11-20T09:00:00Z", "userPrincipalName": "dana@practice.example",
        "appDisplayName": "Outlook", "ipAddress": "203.0.113.9", "status": {"errorCode": code}})
    };
    check(
        audit,
        expect![[
            r#"{"kind":"account_change","time":"2026-11-20T09:00:00.5Z","outcome":"success","actor":{"upn":"it@practice.example","from":"203.0.113.7"},"action":"attributes","object":{"owner":"dana@practice.example","class":"mailbox"},"source":{"sensor":"m365-audit","record":"Directory_1","operation":"Reset password (by admin)","recorded":true},"change":{"what":"password_reset"}}"#
        ]],
    );
    assert_eq!(in_short(&by_app), "application_credential -> Mail Helper [] of ");
    check(
        sign_in(0),
        expect![[
            r#"{"kind":"login","time":"2026-11-20T09:00:00Z","outcome":"success","actor":{"upn":"dana@practice.example","from":"203.0.113.9"},"source":{"sensor":"m365-audit","record":"s1","operation":"UserLoggedIn","recorded":true}}"#
        ]],
    );
    check(
        sign_in(50126),
        expect![[
            r#"{"kind":"login","time":"2026-11-20T09:00:00Z","outcome":"denied","actor":{"from":"203.0.113.9","claims":"dana@practice.example","confidence":"unattributed"},"source":{"sensor":"m365-audit","record":"s1","operation":"UserLoginFailed","recorded":true}}"#
        ]],
    );
}

#[test]
fn what_has_no_id_time_or_operation_is_damaged_and_other_services_are_noise() {
    for (value, expected) in [
        (json!({}), "damaged: it has no id, so that it could not be told from another one"),
        (json!({"Id": "x"}), "damaged: the time of record x cannot be read"),
        (json!({"Id": "x", "CreationTime": "yesterday"}), "damaged: the time of record x cannot be read"),
        (json!({"Id": "x", "CreationTime": "2026-11-20T09:00:00"}), "damaged: record x names no operation"),
        (
            json!({"Id": "x", "CreationTime": "2026-11-20T09:00:00", "Operation": "FileAccessed", "Workload": "SharePoint"}),
            "noise: other services than mail and sign-in",
        ),
        (
            json!({"Id": "x", "CreationTime": "2026-11-20T09:00:00", "Operation": "Copy", "Workload": "OneDrive"}),
            "noise: other services than mail and sign-in",
        ),
    ] {
        assert_eq!(told(&of_json(&value)), expected);
    }
}

#[test]
fn a_cell_that_a_spreadsheet_cut_is_read_from_the_columns_beside_it() {
    let whole = format!(r#"{{"Id":"r1","Folders":[{}"#, "\"x\",".repeat(CELL_CHARS_MAX));
    let data: String = whole.chars().take(CELL_CHARS_MAX).collect();
    let cells = |data: &str| {
        let cell = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        vec![
            cell("RecordId", "r1"),
            cell("CreationDate", "11/20/2026 9:00:00 AM"),
            cell("Operation", "MailItemsAccessed"),
            cell("UserId", "sam@practice.example"),
            cell("AuditData", data),
        ]
    };
    let (found, is_cut) = of_cells(&cells(&data));
    assert!(is_cut);
    expect![[r#"{"kind":"file_access","time":"2026-11-20T09:00:00Z","actor":{"upn":"sam@practice.example"},"action":"read","object":{"owner":"sam@practice.example","class":"mailbox"},"source":{"sensor":"m365-audit","record":"r1","operation":"MailItemsAccessed","recorded":true}}"#]].assert_eq(&told(&found));
    let (found, is_cut) = of_cells(&cells("{\"Id\":"));
    assert!(!is_cut && matches!(found, Found::Damaged(_)));
}

#[test]
fn the_public_samples_are_read_whole() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/m365");
    if !folder.is_dir() {
        println!("skipped: the public samples of Microsoft 365 are not beside the project");
        if let Some(skips) = std::env::var_os("NTK_SKIPS") {
            use std::io::Write as _;
            let file = std::fs::OpenOptions::new().append(true).create(true).open(skips);
            file.and_then(|mut file| writeln!(file, "import::m365: no shared data")).unwrap();
        }
        return;
    }
    let mut lines = Vec::new();
    for name in ["otrf-OfficeActivity-MailItemsAccessed.json", "plaso-microsoft_audit_log.jsonl"] {
        let mut records = Records::default();
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let mut found = records.push(&bytes).unwrap();
        found.extend(records.finish().unwrap());
        lines.extend(found.iter().map(|record| told(&read(record).0)));
    }
    let expected = expect![[r#"
        {"kind":"file_access","time":"2021-08-02T13:32:07Z","outcome":"success","actor":{"sid":"S-1-5-21-1825954961-3338807533-2873504967-26087451","upn":"pgustavo@simulandlabs.com","from":"1.2.3.4","acting_as":"owner"},"action":"read","process":{"exe":"REST, application 5a95e683-08ad-424e-a441-1d1aec52c02c"},"object":{"path":"\\Inbox","owner":"pgustavo@simulandlabs.com","class":"mailbox"},"count":7,"source":{"sensor":"m365-audit","record":"699e0b10-1c53-403e-976f-ce0847a92b44","operation":"Bind","recorded":true}}
        noise: the service’s own maintenance
        noise: the service’s own maintenance
        noise: the service’s own maintenance
        {"kind":"login","time":"2022-05-08T15:13:41Z","outcome":"success","actor":{"upn":"piet@sst5f.onmicrosoft.com","from":"0.0.0.0"},"source":{"sensor":"m365-audit","record":"0a454a7b-fbac-4329-a20c-72bad3bc5000","operation":"UserLoggedIn","recorded":true}}"#]];
    expected.assert_eq(&lines.join("\n"));
}

proptest! {
    #[test]
    fn records_with_any_values_never_panic(
        operation in prop::sample::select(vec!["MailItemsAccessed", "Set-Mailbox", "Add-MailboxPermission", "UserLoggedIn", "Consent to application.", "New-InboxRule"]),
        name in prop::sample::select(vec!["UserId", "Folders", "Parameters", "OperationProperties", "Target", "ModifiedProperties", "ClientIP", "LogonType", "CreationTime", "MailboxOwnerUPN", "initiatedBy", "activityDisplayName"]),
        text in "\\PC{0,40}",
        shape in 0..4u8,
    ) {
        let value = match shape {
            0 => json!(text),
            1 => json!([{"Name": text, "Value": text}, text, 7, null]),
            2 => json!({"Name": text, "user": {"userPrincipalName": text}}),
            _ => Value::Null,
        };
        let mut record = json!({"Id": "p", "CreationTime": "2026-11-20T09:00:00", "Operation": operation, "Workload": "Exchange"});
        record[name] = value;
        let _ = of_json(&record);
    }
}
