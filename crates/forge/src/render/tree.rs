//! Lays a blueprint out as files for people to read: the text files of each machine under their
//! paths, a table of every item, and the objects of the API in their order.
//!
//! Never here: writing them; and secrets, since a blueprint has none.

use std::fmt::Write as _;

use ringfort_controls::draft::Stamp;
use ringfort_controls::yaml;
use ringfort_model::blueprint::{Blueprint, Machine};
use ringfort_model::content::{Content, SecretName};
use ringfort_model::item::{Item, ItemId, Probe, What};

use super::Rendered;

/// A file of the layout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// Its path below the layout's directory.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Lays out a blueprint.
pub fn tree(rendered: &Rendered) -> Vec<Written> {
    let blueprint = &rendered.blueprint;
    let mut files = Vec::new();
    for (node, machine) in &blueprint.machines {
        let path = |path: &str| format!("nodes/{node}/{}", path.trim_start_matches('/'));
        files.push(Written { path: path("ITEMS"), text: table(machine) });
        files.extend(
            texts(machine).map(|(at, text)| Written { path: path(at), text: text.to_owned() }),
        );
    }
    files.extend(objects(blueprint));
    files.push(Written { path: "STAMPS".to_owned(), text: stamps(rendered) });
    files
}

fn texts(machine: &Machine) -> impl Iterator<Item = (&str, &str)> {
    machine.items.iter().filter_map(|(id, item)| match (id, &item.what) {
        (ItemId::File(path), What::File { content: Content::Text(text), .. }) => {
            Some((path.as_str(), text.as_str()))
        }
        _ => None,
    })
}

fn objects(blueprint: &Blueprint) -> impl Iterator<Item = Written> {
    blueprint.objects.iter().enumerate().map(|(place, object)| {
        let key = object.key();
        let name = key.name.replace([':', '/'], "-");
        let path = format!("objects/{place:02}-{}-{name}.yaml", key.kind.to_lowercase());
        let text = format!("# {}\n{}", object.by, yaml::document(&object.object));
        Written { path, text }
    })
}

/// Writes a table of all items of a machine: what it is, what it should be, and who asked for it.
fn table(machine: &Machine) -> String {
    let rows: Vec<[String; 3]> = machine
        .items
        .iter()
        .map(|(id, item)| [id.to_string(), state(item), item.by.clone()])
        .collect();
    columns(&rows)
}

fn stamps(rendered: &Rendered) -> String {
    let row = |stamp: &Stamp| [stamp.of.clone(), stamp.part.clone(), stamp.by.to_owned()];
    columns(&rendered.stamps.iter().map(row).collect::<Vec<_>>())
}

fn columns(rows: &[[String; 3]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter().fold(String::new(), |mut text, [a, b, c]| {
        writeln!(text, "{a:first$}  {b:second$}  {c}").expect("writing to a text does not fail");
        text
    })
}

fn state(item: &Item) -> String {
    match &item.what {
        What::User { owner } => owner.to_string(),
        What::Directory { mode, owner } => format!("{mode} {owner}"),
        What::Sysctl { value } => value.clone(),
        What::File { mode, owner, content, rolling } => {
            let rolling = rolling.as_ref().map(|_| ", one machine at a time").unwrap_or_default();
            format!("{mode} {owner} {}{rolling}", kind(content))
        }
        What::Image { manifest, .. } => format!("sha256:{}", manifest.short()),
        What::Unit { inputs, .. } => format!("runs {}", inputs.short()),
        What::Serving { probe, inputs, .. } => format!("{} {}", asked(probe), inputs.short()),
    }
}

fn kind(content: &Content) -> String {
    match content {
        Content::Text(_) => "text".to_owned(),
        Content::Bundled { digest, .. } => format!("from the bundle, sha256:{}", digest.short()),
        Content::Secret { name: SecretName::EncryptionConfiguration, .. } => {
            "secret of the keyring".to_owned()
        }
        Content::Secret { name: SecretName::FindingsToken, .. } => {
            "secret of the operator's".to_owned()
        }
        Content::Issued(request) => {
            format!("certificate of {}, for {}", request.authority.common_name(), request.subject)
        }
        Content::PrivateKey => "private key, made here".to_owned(),
        Content::TunnelKey => "WireGuard key, made here".to_owned(),
    }
}

fn asked(probe: &Probe) -> String {
    match probe {
        Probe::Https { at, path, .. } => format!("https://{at}{path}"),
        Probe::Http { at, path } => format!("http://{at}{path}"),
    }
}
