//! Who works in the made-up practice, on which computers, with which accounts.

use jiff::civil::Date;

use super::chance::Chance;

/// What somebody does; the first word of the roster's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Runs the practice and decides.
    Manager,
    /// Treats patients.
    Physician,
    /// Treats patients too.
    Nurse,
    /// Answers the telephone.
    FrontDesk,
    /// Writes the bills.
    Billing,
    /// Keeps the computers running.
    It,
    /// Keeps one program running, from outside.
    Vendor,
}

impl Role {
    /// The row of the table.
    pub fn row(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Physician => "physician",
            Self::Nurse => "nurse",
            Self::FrontDesk => "frontdesk",
            Self::Billing => "billing",
            Self::It => "itadmin",
            Self::Vendor => "vendor",
        }
    }
}

/// One person, or a firm whose technicians change.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id in the roster.
    pub id: String,
    /// Name as people say it.
    pub name: String,
    /// What they do.
    pub role: Role,
    /// A physician who owns the practice and looks over the manager's shoulder.
    pub is_reviewer: bool,
    /// A firm.
    pub is_firm: bool,
    /// User name, on every computer.
    pub user: String,
    /// Number of that account.
    pub uid: u32,
    /// Their own computer.
    pub host: String,
    /// SSH key, where they use one.
    pub key: Option<String>,
    /// First day, where it lies within the weeks.
    pub begins: Option<Date>,
    /// First day on which they are gone.
    pub leaves: Option<Date>,
    /// Days on which they are away, first and last.
    pub away: Vec<(Date, Date)>,
    /// The last day on which a case needs them.
    pub needed_until: Option<Date>,
}

impl Person {
    /// Whether they belong to the practice on that day.
    pub fn is_here(&self, date: Date) -> bool {
        self.begins.is_none_or(|first| first <= date) && self.leaves.is_none_or(|leave| date < leave)
    }

    /// The address from which they work at home; an enrolled laptop.
    pub fn laptop(&self) -> Option<String> {
        let has_one = matches!(self.role, Role::It | Role::Physician | Role::Manager) && !self.is_firm;
        has_one.then(|| format!("10.0.{}.{}", 9 + self.uid / 250, self.uid % 250 + 1))
    }

    /// The firm's office, or the laptop at home, or their own computer.
    pub fn remote_address(&self) -> String {
        match (self.is_firm, self.role) {
            (true, Role::Vendor) => "203.0.113.80".to_owned(),
            (true, _) => "203.0.113.20".to_owned(),
            (false, _) => self.laptop().unwrap_or_else(|| "198.51.100.7".to_owned()),
        }
    }

    /// Whether they come to work on that day, holidays aside.
    pub fn is_at_work(&self, date: Date) -> bool {
        self.is_here(date) && !self.away.iter().any(|(from, to)| *from <= date && date <= *to)
    }
}

/// One computer.
#[derive(Clone, Debug)]
pub struct Machine {
    /// `ws-04`.
    pub name: String,
    /// Its address.
    pub address: String,
}

/// Everybody and everything.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Staff and firms.
    pub people: Vec<Person>,
    /// Workstations and servers.
    pub machines: Vec<Machine>,
    /// The computer at the front desk, where some share an account.
    pub desk: String,
}

/// The server that keeps the mail.
pub const MAIL: &str = "srv-mail";
/// The server that keeps the health records, the exports, the personnel files.
pub const EHR: &str = "srv-ehr";
/// The account that the front desk shares.
pub const SHARED: (&str, u32) = ("desk", 1900);

const FIRST: &[&str] = &[
    "Mary", "James", "Wei", "Sam", "Bea", "Ana", "Tom", "Olga", "Raj", "Nina", "Luis", "Emma", "Omar",
    "Kate", "Ivan", "Ruth", "Paul", "Lena", "Hugo", "Faye", "Dina", "Carl", "Joan", "Yuri", "Mona", "Glen",
    "Tess", "Abel", "Cora", "Neil", "Vera", "Kofi", "Jill", "Rosa", "Dean", "Iris", "Theo", "Beth", "Amir",
    "Gwen",
];
const LAST: &[&str] = &[
    "Lopez", "Chen", "Ortiz", "Novak", "Reed", "Khan", "Moss", "Webb", "Diaz", "Hale", "Park", "Cole",
    "Shaw", "Vega", "Lund", "Bose", "Pike", "Ross", "Tran", "Ward", "Kerr", "Dale", "Fox", "Gray", "Holt",
    "Ibarra", "Jung", "Klein", "Lamb", "Mora",
];

impl Cast {
    /// So many people with what they need.
    pub fn new(people: u32, chance: &mut Chance) -> Self {
        let seats = (people * 3 / 4).max(3);
        let mut machines: Vec<Machine> = (1..=seats)
            .map(|n| Machine {
                name: format!("ws-{n:02}"),
                address: format!("10.0.{}.{}", 4 + n / 200, 10 + n % 200),
            })
            .collect();
        machines.push(Machine { name: MAIL.to_owned(), address: "10.0.2.5".to_owned() });
        machines.push(Machine { name: EHR.to_owned(), address: "10.0.2.6".to_owned() });
        let mut cast = Self { people: Vec::new(), machines, desk: format!("ws-{seats:02}") };
        for role in roles(people) {
            cast.join(role, chance);
        }
        if let Some(owner) = cast.people.iter_mut().find(|person| person.role == Role::Physician) {
            owner.is_reviewer = true;
        }
        cast.firm("northwind", "Northwind IT", Role::It, 1001, "nwadmin", chance);
        cast.firm("caresoft", "CareSoft", Role::Vendor, 1501, "caresoft", chance);
        cast
    }

    /// One more member of the staff; gives their place in the list.
    pub fn join(&mut self, role: Role, chance: &mut Chance) -> usize {
        let n = self.people.len();
        let first = FIRST.get(n % FIRST.len()).copied().unwrap_or("Alex");
        let turn = n / FIRST.len();
        // Never the same pair twice for fewer than 1200 people.
        let last = LAST.get((n + turn * 7) % LAST.len()).copied().unwrap_or("Smith");
        let id =
            if turn == 0 { first.to_lowercase() } else { format!("{}{}", first.to_lowercase(), turn + 1) };
        let initial = first.chars().next().map(|letter| letter.to_ascii_lowercase()).unwrap_or('x');
        let user = format!(
            "{initial}{}{}",
            last.to_lowercase(),
            if turn == 0 { String::new() } else { n.to_string() }
        );
        let seats: Vec<&Machine> = self
            .machines
            .iter()
            .filter(|machine| machine.name.starts_with("ws-") && machine.name != self.desk)
            .collect();
        let host = match role {
            Role::FrontDesk => self.desk.clone(),
            _ => {
                seats.get(n % seats.len().max(1)).map_or_else(|| self.desk.clone(), |seat| seat.name.clone())
            }
        };
        let title = if role == Role::Physician { "Dr. " } else { "" };
        let key = (role == Role::It).then(|| fingerprint(chance));
        self.people.push(Person {
            id,
            name: format!("{title}{first} {last}"),
            role,
            is_reviewer: false,
            is_firm: false,
            user,
            uid: 2001 + u32::try_from(n).unwrap_or_default(),
            host,
            key,
            begins: None,
            leaves: None,
            away: Vec::new(),
            needed_until: None,
        });
        n
    }

    fn firm(&mut self, id: &str, name: &str, role: Role, uid: u32, user: &str, chance: &mut Chance) {
        self.people.push(Person {
            id: id.to_owned(),
            name: name.to_owned(),
            role,
            is_reviewer: false,
            is_firm: true,
            user: user.to_owned(),
            uid,
            host: EHR.to_owned(),
            key: Some(fingerprint(chance)),
            begins: None,
            leaves: None,
            away: Vec::new(),
            needed_until: None,
        });
    }

    /// Staff with this role who are at work on that day.
    pub fn with(&self, role: Role, date: Date) -> Vec<Person> {
        let here = |person: &&Person| person.role == role && !person.is_firm && person.is_at_work(date);
        self.people.iter().filter(here).cloned().collect()
    }

    /// The person with this id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// The same, to change something.
    pub fn person_mut(&mut self, id: &str) -> Option<&mut Person> {
        self.people.iter_mut().find(|person| person.id == id)
    }

    /// The address of a computer.
    pub fn address(&self, host: &str) -> String {
        let machine = self.machines.iter().find(|machine| machine.name == host);
        machine.map_or_else(|| "10.0.4.250".to_owned(), |machine| machine.address.clone())
    }
}

/// The roles of so many people: one of each that decides, the rest in a practice's usual shares.
fn roles(people: u32) -> Vec<Role> {
    let people = usize::try_from(people).unwrap_or_default();
    let mut roles = vec![Role::Manager; (people / 75).max(1)];
    roles.extend(vec![Role::It; (people / 50).max(1)]);
    let usual = [
        Role::Physician,
        Role::Nurse,
        Role::FrontDesk,
        Role::Billing,
        Role::Nurse,
        Role::Physician,
        Role::Billing,
        Role::FrontDesk,
        Role::Nurse,
        Role::Physician,
        Role::Nurse,
    ];
    let rest = people.saturating_sub(roles.len());
    roles.extend(usual.into_iter().cycle().take(rest));
    roles
}

/// A made-up fingerprint in the form in which sshd writes them.
pub fn fingerprint(chance: &mut Chance) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = (0..43).map(|_| chance.pick(LETTERS).map_or('A', |letter| char::from(*letter)));
    format!("SHA256:{}", text.collect::<String>())
}
