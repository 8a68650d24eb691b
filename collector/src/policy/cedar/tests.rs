//! The table means the same to Cedar as to a plain reading; experts' policies are checked strictly.

use expect_test::{Expect, expect};

use super::*;
use crate::policy::{Policy, Rule};

fn facts(area: Area, roles: &[&str]) -> Facts {
    Facts {
        person: "ann".into(),
        name: "Ann".into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        organisation: None,
        employed: true,
        leaving: false,
        covers_for: vec![],
        mail_of: vec![],
        action: if area.is_files() { "read".into() } else { area.to_string() },
        area,
        owner: None,
        groups: vec![],
        host: "ws-01".into(),
        clock: Some(Clock { minute: 600, weekday: 3, holiday: false, open: false }),
        outcome: "success".into(),
        elevated: false,
        remote: false,
        tool: None,
        program: Some("/usr/bin/cat".into()),
        parent: None,
        via: None,
        ticket: None,
        break_glass: None,
    }
}

fn ticket(covers: bool, approved_by: &str) -> TicketFacts {
    TicketFacts {
        id: "T-1".into(),
        kind: "ticket".into(),
        assignee: "ann".into(),
        approved_by: approved_by.into(),
        second_approved_by: None,
        covers,
    }
}

/// What the table says, read by hand.
fn plainly(policy: &Policy, facts: &Facts) -> (Vec<String>, Vec<String>) {
    let (mut explains, mut nevers) = (Vec::new(), Vec::new());
    let by_ticket = facts.ticket.as_ref().is_some_and(|ticket| ticket.covers && ticket.approved_by != "ann");
    for (row, column, cell) in policy.cells(&facts.roles, facts.area) {
        let within = if column == facts.area { String::new() } else { format!("@{}", facts.area) };
        let id = format!("table:{row}.{column}{within}");
        match cell.rule {
            Rule::Never => nevers.push(id),
            Rule::Always => explains.push(id),
            Rule::Own if facts.area.is_own() => explains.push(id),
            Rule::InHours if facts.clock.is_some_and(|clock| clock.open) => explains.push(id),
            Rule::Own | Rule::InHours | Rule::WithTicket => {}
        }
    }
    if by_ticket {
        explains.push(TICKET.to_owned());
    }
    explains.sort();
    nevers.sort();
    (explains, nevers)
}

#[test]
fn the_table_means_the_same_to_cedar_as_to_a_plain_reading() {
    let lifts = r#"
        name = "special cells"
        [table.everyone]
        hr = "never"
        mailbox = "own"
        [table.a]
        own_hr = "in_hours"
        mailbox = "with_ticket"
        [table.b]
        managers_mailbox = "always"
        mailbox = "never"
        own_mailbox = "with_ticket"
    "#;
    let role_sets: &[&[&str]] = &[
        &[],
        &["manager"],
        &["itadmin"],
        &["vendor", "billing"],
        &["a"],
        &["b"],
        &["a", "b"],
        &["physician", "a"],
    ];
    let texts = crate::policy::TEMPLATES.iter().map(|(_, text)| *text).chain([lifts]);
    let mut n = 0;
    for text in texts {
        let policy = Policy::parse(text).unwrap();
        for area in Area::ALL {
            for roles in role_sets {
                for open in [false, true] {
                    for ticket in [
                        None,
                        Some(ticket(true, "mary")),
                        Some(ticket(false, "mary")),
                        Some(ticket(true, "ann")),
                    ] {
                        let mut facts = facts(*area, roles);
                        facts.clock = Some(Clock { minute: 600, weekday: 3, holiday: false, open });
                        facts.ticket = ticket;
                        let verdict = policy.judge(&facts);
                        assert_eq!(
                            (verdict.explains, verdict.nevers),
                            plainly(&policy, &facts),
                            "{area} {roles:?}"
                        );
                        assert_eq!(verdict.errors, Vec::<String>::new());
                        n += 1;
                    }
                }
            }
        }
    }
    assert!(n > 1000);
}

fn with_expert(cedar: &str) -> Result<Policy, String> {
    let text = format!(
        "name = \"x\"\n[table.everyone]\nlogin = \"always\"\n[group.claims]\nbelow = \"/srv/ehr/claims\"\n[expert.house]\ncedar = '''\n{cedar}'''\n"
    );
    Policy::parse(&text).map_err(|fault| fault.to_string())
}

#[track_caller]
fn refused(cedar: &str, expected: Expect) {
    expected.assert_eq(&with_expert(cedar).unwrap_err());
}

#[test]
fn an_experts_policy_stands_beside_the_table() {
    let policy = with_expert(
        r#"@id("claims-at-noon") @plain("Billing reads claims at noon.")
permit (principal in Practice::Role::"billing", action == Practice::Action::"read", resource in Practice::Group::"claims")
when { context.minute >= 720 && context.minute < 780 && !(context has tool) };
@id("no-raw-disk") @plain("Nobody reads exports past the file system.")
forbid (principal, action, resource is Practice::Export) when { context has via && context.via == "raw_disk" };"#,
    )
    .unwrap();
    let mut asked = facts(Area::Export, &["billing"]);
    asked.groups = vec!["claims".into()];
    asked.clock = Some(Clock { minute: 730, weekday: 3, holiday: false, open: true });
    assert_eq!(policy.judge(&asked).explains, ["expert:claims-at-noon"]);
    assert_eq!(
        policy.compiled().unwrap().plain("expert:claims-at-noon"),
        Some("Billing reads claims at noon.")
    );
    // An explanation and a never at once: both are seen.
    asked.via = Some("raw_disk".into());
    let verdict = policy.judge(&asked);
    assert_eq!((verdict.explains.len(), verdict.nevers), (1, vec!["expert:no-raw-disk".to_owned()]));
    asked.tool = Some("AnyDesk".into());
    assert_eq!(policy.judge(&asked).explains, Vec::<String>::new());
    let uses: Vec<_> =
        policy.compiled().unwrap().uses().fields().map(|(field, ids)| format!("{field:?} {ids:?}")).collect();
    expect![[r#"
        Minute {"expert:claims-at-noon"}
        Tool {"cover", "expert:claims-at-noon"}
        Via {"expert:no-raw-disk"}"#]]
    .assert_eq(&uses.join("\n"));
}

#[test]
fn what_holds_in_every_practice_is_policy_too() {
    let policy = Policy::default();
    let mut asked = facts(Area::Mailbox, &[]);
    asked.employed = false;
    assert_eq!(policy.judge(&asked).nevers, ["left"]);
    asked.employed = true;
    asked.break_glass = Some(GlassFacts { id: "B-1".into(), reason: "server down".into() });
    assert_eq!(policy.judge(&asked).explains, ["break-glass"]);
    asked.break_glass = Some(GlassFacts { id: "B-1".into(), reason: String::new() });
    assert_eq!(policy.judge(&asked), Verdict::default());
    (asked.owner, asked.mail_of) = (Some("bea".into()), vec!["bea".into()]);
    assert_eq!(policy.judge(&asked).explains, ["cover"]);
    asked.tool = Some("AnyDesk".into());
    assert_eq!(policy.judge(&asked), Verdict::default());
}

#[test]
fn a_wrong_policy_of_an_expert_is_refused_with_its_line() {
    refused(
        "\npermit (principal, action, resource)\nwhen { context.minute >\n",
        expect![[r#"
            the policy has 1 thing to mend:
            - expert.house (line 6): in line 3 of the policies: unexpected end of input"#]],
    );
    refused(
        "permit (principal, action, resource);",
        expect![[r#"
        the policy has 1 thing to mend:
        - expert.house (line 6): a policy has no @id("..."): permit (principal, action, resource);"#]],
    );
    refused(
        "@id(\"a\") permit (principal, action, resource);",
        expect![[r#"
        the policy has 1 thing to mend:
        - expert.house (line 6): policy `a` has no @plain("..."), the sentence that people read"#]],
    );
    refused(
        "@id(\"a\") @plain(\"A.\") permit (principal, action, resource) when { context.colour == \"red\" };",
        expect![[r#"
            the policy has 1 thing to mend:
            - expert.house (line 6): in line 1 of the policies: policy `expert:a`: attribute `colour` in context for Practice::Action::"access_rights" not found; `ntk-collector policy schema` says what there is"#]],
    );
    refused(
        "@id(\"a\") @plain(\"A.\") permit (principal, action == Practice::Action::\"fly\", resource);",
        expect![[r#"
            the policy has 1 thing to mend:
            - expert.house (line 6): in line 1 of the policies: policy `expert:a`: unrecognized action `Practice::Action::"fly"`; `ntk-collector policy schema` says what there is"#]],
    );
    refused(
        "@id(\"a\") @plain(\"A.\") permit (principal == ?principal, action, resource);",
        expect![[r#"
            the policy has 1 thing to mend:
            - expert.house (line 6): holds a template (?principal or ?resource); write whole policies"#]],
    );
    refused(
        "@id(\"a\") @plain(\"A.\") permit (principal, action, resource);\n@id(\"a\") @plain(\"A.\") forbid (principal, action, resource);",
        expect![[r#"
            the policy has 1 thing to mend:
            - expert.house (line 6): the id `a` stands twice"#]],
    );
}

#[test]
fn what_cannot_be_evaluated_is_said_and_explains_nothing() {
    let policy = with_expert(
        "@id(\"odd\") @plain(\"Odd.\") forbid (principal, action, resource) when { context.minute * 9223372036854775807 > 5 };",
    )
    .unwrap();
    let verdict = policy.judge(&facts(Area::Login, &[]));
    assert_eq!((verdict.explains.len(), verdict.never_is_uncertain, verdict.errors.len()), (1, true, 1));
}

#[test]
fn text_of_a_person_cannot_leave_its_string() {
    let text = "name = \"x\"\n[table.\"a\\\") || true; //\"]\nlogin = { is = \"always\", sentence = \"Say \\\"hi\\\" \\\\ now\" }";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.judge(&facts(Area::Login, &["b"])), Verdict::default());
    assert_eq!(policy.judge(&facts(Area::Login, &["a\") || true; //"])).explains.len(), 1);
}

#[test]
fn a_fact_that_no_policy_reads_is_no_part_of_the_question() {
    let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
    let uses = policy.compiled().unwrap().uses();
    let (one, mut other) = (facts(Area::Export, &["billing"]), facts(Area::Export, &["billing"]));
    other.program = Some("/usr/bin/less".into());
    other.clock = Some(Clock { minute: 601, weekday: 3, holiday: false, open: false });
    assert_ne!(one, other);
    assert_eq!(one.only(uses), other.only(uses));
}
