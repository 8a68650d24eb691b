//! One look over the machine: what the templates find, and what files in likely folders look like.

use std::collections::BTreeMap;
use std::time::SystemTime;

use ntk_evidence::event::Class;

use super::recognise::{BYTES_MAX, Looks, recognise};
use super::templates::{OwnerBy, Place, Template, Templates, is_named, places};
use super::{Proposal, id_of};
use crate::inventory::root::Root;
use crate::watch_list::{WatchList, is_below};

/// Files of one likely folder whose first bytes are read, newest first.
const FILES_MAX: usize = 200;
/// Files of one look in all.
const FILES_IN_ALL_MAX: usize = 3000;
/// Files of one folder that are proposed one by one; more make the folder itself the proposal.
const ONE_BY_ONE_MAX: usize = 3;
/// Proposals of one look.
const PROPOSALS_MAX: usize = 200;
/// Single files of one folder that are proposed: whoever fills a folder with such files crowds out nothing else.
const OF_A_FOLDER_MAX: usize = 16;

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What could be watched and is not yet, sorted by path.
    pub proposals: Vec<Proposal>,
    /// How many more there are than are proposed.
    pub left_out: u64,
}

/// Looks for what could be watched and is not yet; `homes` are the accounts' own folders.
pub fn look(root: &Root, homes: &[Place], templates: &Templates, watched: &WatchList) -> Look {
    let mut found: BTreeMap<String, Proposal> = BTreeMap::new();
    for template in &templates.template {
        for place in template.paths.iter().flat_map(|pattern| places(root, homes, pattern)) {
            if fits(root, template, &place) && watched.classify_path(&place.path).is_none() {
                let owner = owner(root, template, &place);
                let because = format!("looks like {}, by its place", template.name);
                let proposal = Proposal::new(place.path.clone(), template.class.clone(), owner, because);
                found.entry(place.path).or_insert(proposal);
            }
        }
    }
    let (mut n_files, mut left_out, mut by_content) = (0, 0u64, Vec::new());
    for place in likely_folders(root, homes, templates) {
        let is_known = |path: &str| {
            watched.classify_path(path).is_some() || found.keys().any(|known| is_below(known, path))
        };
        if is_known(&place.path) || n_files >= FILES_IN_ALL_MAX {
            continue;
        }
        let mut proposals = in_folder(root, &place, &is_known, &mut n_files);
        let more = proposals.split_off(proposals.len().min(OF_A_FOLDER_MAX)).len();
        left_out = left_out.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        by_content.extend(proposals);
    }
    // What lies below another proposal is watched with it. Places come first: nobody's files crowd them out.
    let mut proposals: Vec<Proposal> = Vec::new();
    for proposal in found.into_values().chain(by_content) {
        if proposals.iter().any(|one| is_below(&one.path, &proposal.path)) {
            continue;
        }
        if proposals.len() >= PROPOSALS_MAX {
            left_out = left_out.saturating_add(1);
            continue;
        }
        proposals.push(proposal);
    }
    proposals.sort_by(|a, b| a.path.cmp(&b.path));
    Look { proposals, left_out }
}

/// The folders into which exports and mailboxes arrive.
pub fn likely_folders(root: &Root, homes: &[Place], templates: &Templates) -> Vec<Place> {
    let mut folders: Vec<Place> = templates
        .likely
        .folders
        .iter()
        .flat_map(|pattern| places(root, homes, pattern))
        .filter(|place| root.is_folder(&place.path))
        .collect();
    folders.sort();
    folders.dedup_by(|a, b| a.path == b.path);
    folders
}

fn fits(root: &Root, template: &Template, place: &Place) -> bool {
    if template.file {
        // An empty spool has no mail to protect yet; it is found when it has.
        return root.is_plain_file(&place.path)
            && root.path(&place.path).metadata().is_ok_and(|file| file.len() > 0);
    }
    root.is_folder(&place.path)
        && (template.holds.is_empty() || template.holds.iter().any(|name| holds(root, &place.path, name)))
}

fn holds(root: &Root, folder: &str, name: &str) -> bool {
    if !name.contains('*') {
        return root.is_there(&root.below(folder, name));
    }
    root.names(folder).iter().any(|candidate| is_named(root, candidate, name))
}

fn owner(root: &Root, template: &Template, place: &Place) -> Option<String> {
    match template.owner? {
        OwnerBy::Home => place.account.clone(),
        OwnerBy::Name => place.path.rsplit(root.separator()).next().map(str::to_owned),
    }
}

fn in_folder(
    root: &Root,
    place: &Place,
    is_known: &dyn Fn(&str) -> bool,
    n_files: &mut usize,
) -> Vec<Proposal> {
    let mut files: Vec<(SystemTime, String)> = Vec::new();
    for name in root.names(&place.path) {
        let path = root.below(&place.path, &name);
        if !name.starts_with('.') && !is_known(&path) {
            let kind = root.path(&path).symlink_metadata().ok().filter(|file| file.is_file());
            files.extend(kind.and_then(|file| file.modified().ok()).map(|at| (at, path)));
        }
    }
    files.sort_by(|a, b| b.cmp(a));
    files.truncate(FILES_MAX);
    let n_all = files.len();
    *n_files = n_files.saturating_add(n_all);
    let mut recognised: Vec<(String, Looks)> = files
        .into_iter()
        .filter_map(|(_, path)| file_looks_like(root, &path).map(|looks| (path, looks)))
        .collect();
    recognised.sort();
    let n_of = |class: Class| recognised.iter().filter(|(_, looks)| looks.class() == class).count();
    let (n_exports, n_mail) = (n_of(Class::Export), n_of(Class::Mailbox));
    let class = if n_exports >= n_mail { Class::Export } else { Class::Mailbox };
    let n_class = n_exports.max(n_mail);
    // A folder of which most files are of one class is watched as a whole; somebody's downloads are not.
    if n_class > ONE_BY_ONE_MAX && n_class.saturating_mul(2) > n_all {
        let what = if class == Class::Export { "exports of health records" } else { "mailboxes" };
        let because = format!("{n_class} of its {n_all} files look like {what}, by their first bytes");
        return vec![Proposal::new(place.path.clone(), class, place.account.clone(), because)];
    }
    recognised.into_iter().map(|(path, looks)| of_file(path, looks, place.account.clone())).collect()
}

/// The proposal of one file.
pub fn of_file(path: String, looks: Looks, account: Option<String>) -> Proposal {
    let owner = account.filter(|_| looks.class() == Class::Mailbox);
    Proposal::new(path, looks.class(), owner, format!("looks like {}, by its first bytes", looks.in_words()))
}

/// What a regular file looks like; a link, a pipe or a file that cannot be read looks like nothing.
pub fn file_looks_like(root: &Root, path: &str) -> Option<Looks> {
    recognise(&root.first_bytes(path, BYTES_MAX)?)
}

impl Proposal {
    /// A proposal with the id that its class and path give it.
    pub fn new(path: String, class: Class, owner: Option<String>, because: String) -> Self {
        Self { id: id_of(&class, &path), path, class, owner, because }
    }
}
