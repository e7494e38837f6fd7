//! `docs/collections.md`: its tables are made from the rows. `UPDATE_GOLDEN=1 cargo test --lib document` writes them anew
//! behind what was written by hand: read the difference before you commit it.

use super::*;

/// What stands before it in the document is written by hand.
const MARKER: &str = "<!-- From here on made from src/collect/table/rows.rs by its test; do not edit. -->\n";

#[test]
fn the_document_says_what_the_table_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/collections.md");
    let known = std::fs::read_to_string(&path).unwrap();
    let (by_hand, _) = known.split_once(MARKER).expect("the marker");
    let document = format!("{by_hand}{MARKER}{}", tables());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, document).unwrap();
        return;
    }
    let changed: Vec<&str> = document.lines().filter(|line| !known.lines().any(|other| other == *line)).collect();
    assert!(document == known, "{}\nUPDATE_GOLDEN=1 accepts this", changed.join("\n"));
}

#[test]
fn whoever_grants_scopes_is_told_of_each() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/okta-access.md");
    let text = std::fs::read_to_string(path).unwrap();
    for scope in COLLECTIONS.iter().flat_map(|row| row.scopes) {
        assert!(text.contains(&format!("`{scope}`")), "{scope}");
    }
}

fn tables() -> String {
    let managed = COLLECTIONS.iter().filter(|row| row.managed == Managed::Yes);
    let mut text = String::from("\n## Read by default\n\n");
    text += "| collection | endpoint | scope | role | engine | calls |\n|---|---|---|---|---|---|\n";
    for row in managed {
        text += &format!("{} | {} |\n", facts(row), calls(row));
    }
    text += "\n## On request\n\n";
    text += "| collection | endpoint | scope | role | engine | calls | why not by default |\n|---|---|---|---|---|---|---|\n";
    for row in COLLECTIONS {
        if let Managed::OnRequest(why) = row.managed {
            text += &format!("{} | {} | {why} |\n", facts(row), calls(row));
        }
    }
    text += "\n## Not read\n\n| collection | why |\n|---|---|\n";
    for (name, why) in NOT_COLLECTED {
        text += &format!("| `{name}` | {why} |\n");
    }
    text
}

fn facts(row: &Collection) -> String {
    let scopes: Vec<String> = row.scopes.iter().map(|scope| format!("`{scope}`")).collect();
    let role = match row.role {
        Role::ReadOnly => "read-only",
        Role::Iam => "`okta.iam.read`",
        Role::Super => "super",
    };
    let engine = match row.needs {
        Needs::Any => "any",
        Needs::IdentityEngine => "Identity",
    };
    format!("| `{}` | `{}` | {} | {role} | {engine}", row.name, row.path, scopes.join(", "))
}

/// What a whole reading takes.
fn calls(row: &Collection) -> String {
    let pages = row.page.map(|page| format!("1 for {}", page.size));
    match (row.parent, pages) {
        (Parent::Org, pages) => pages.unwrap_or_else(|| "1".into()),
        (Parent::Each(_, words), pages) => {
            format!("{}{}", words.len(), pages.map_or(String::new(), |_| " or more".into()))
        }
        (Parent::Of(parent) | Parent::Link { of: parent, .. }, pages) => {
            format!("each of `{parent}`: {}", pages.unwrap_or_else(|| "1".into()))
        }
    }
}
