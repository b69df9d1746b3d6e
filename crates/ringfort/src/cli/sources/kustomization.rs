//! What a kustomization names, and whether it only lists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringfort_facts::manifest;
use serde_json::Value;

use super::whole;
use crate::cli::files::{self, Unread};

/// What Kustomize calls its files, the first that it finds being read.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that change nothing of what is listed.
const PLAIN: [&str; 6] = ["apiVersion", "kind", "metadata", "resources", "bases", "sortOptions"];

/// Fields of lists of resources, each a file or a directory.
const LISTS: [&str; 3] = ["resources", "bases", "components"];

/// Fields of lists of other files, each its name or, where it has more than one line, its content.
const OTHERS: [&str; 6] =
    ["crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"];

/// Fields of lists of objects that may name a file.
const WITH_PATH: [&str; 3] = ["patches", "patchesJson6902", "replacements"];

/// Fields of lists of objects that are made of files.
const GENERATORS: [&str; 2] = ["configMapGenerator", "secretGenerator"];

/// Fields by which Kustomize would start Helm, which may fetch charts.
const OF_HELM: [&str; 3] = ["helmCharts", "helmChartInflationGenerator", "helmGlobals"];

/// The most kustomizations that lead to one another: more are a ring, or a mistake.
const MOST: usize = 1000;

/// A kustomization.
pub(super) struct Kustomization {
    pub(super) directory: PathBuf,
    pub(super) file: PathBuf,
    /// Whether it is a part that others use.
    pub(super) is_component: bool,
    value: Value,
}

/// A kustomization with all that it leads to.
#[derive(Default)]
pub(super) struct Closure {
    /// Every directory of one, as a whole path.
    pub(super) directories: BTreeSet<PathBuf>,
    /// The files that are listed.
    pub(super) files: Vec<PathBuf>,
    /// Whether what is listed is all that there is to it.
    pub(super) is_plain: bool,
    /// Why nothing is made of it.
    pub(super) refused: Option<String>,
}

/// Whether a file is a kustomization by its name.
pub(super) fn is_named(path: &Path) -> bool {
    path.file_name().is_some_and(|name| NAMES.iter().any(|it| name == *it))
}

/// Finds the kustomization of a directory.
pub(super) fn file_of(directory: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| directory.join(name)).find(|it| it.is_file())
}

impl Kustomization {
    pub(super) fn read(directory: &Path) -> Result<Self, Unread> {
        let Some(file) = file_of(directory) else {
            return Err(Unread::of(directory, &"it is listed, and has no kustomization.yaml"));
        };
        let text = files::text_found(&file)?;
        let documents = manifest::read(&text).map_err(|error| Unread::of(&file, &error))?;
        let [document] = documents.as_slice() else {
            return Err(Unread::of(&file, &"a kustomization is one document"));
        };
        let value = document.value().clone();
        if !value.is_object() {
            return Err(Unread::of(&file, &"a kustomization is an object"));
        }
        let is_component = value["kind"] == "Component";
        Ok(Self { directory: directory.to_owned(), file, is_component, value })
    }

    /// Gives all that it names and that is here, as whole paths.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.listed().chain(self.read_besides()).collect()
    }

    /// Gives what it lists as resources and that is here, as whole paths.
    pub(super) fn listed(&self) -> impl Iterator<Item = PathBuf> {
        self.resources().filter_map(|it| self.whole(it))
    }

    /// Gives what it reads as a part of others and that is here, as whole paths.
    pub(super) fn read_besides(&self) -> impl Iterator<Item = PathBuf> {
        self.others().filter_map(|it| self.whole(it))
    }

    fn whole(&self, name: &str) -> Option<PathBuf> {
        (!name.contains('\n')).then(|| self.directory.join(name).canonicalize().ok())?
    }

    fn resources(&self) -> impl Iterator<Item = &str> {
        LISTS.iter().flat_map(|field| items(&self.value[*field])).filter_map(Value::as_str)
    }

    /// Gives what it names besides resources.
    fn others(&self) -> impl Iterator<Item = &str> {
        let value = &self.value;
        let plain = OTHERS.iter().flat_map(|field| items(&value[*field]));
        let paths = WITH_PATH.iter().flat_map(|field| items(&value[*field])).map(|it| &it["path"]);
        let generated = GENERATORS.iter().flat_map(|field| items(&value[*field]));
        let sources = generated.flat_map(|it| {
            let files = items(&it["files"]).chain(items(&it["envs"]));
            files.chain(std::iter::once(&it["env"]))
        });
        let keyed = sources.filter_map(Value::as_str);
        let keyed = keyed.map(|it| it.split_once('=').map_or(it, |(_, file)| file));
        let schema = std::iter::once(&value["openapi"]["path"]);
        plain.chain(paths).chain(schema).filter_map(Value::as_str).chain(keyed)
    }

    fn is_plain(&self) -> bool {
        let fields = self.value.as_object().into_iter().flatten();
        fields.into_iter().all(|(field, value)| PLAIN.contains(&field.as_str()) || is_empty(value))
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

impl Closure {
    /// Follows a kustomization to everything that it names.
    pub(super) fn of(root: &Kustomization) -> Self {
        let mut closure = Self { is_plain: true, ..Self::default() };
        closure.refused = closure.follow(root).err();
        closure
    }

    fn follow(&mut self, one: &Kustomization) -> Result<(), String> {
        if !self.directories.insert(whole(&one.directory)) {
            return Ok(());
        }
        if self.directories.len() > MOST {
            return Err(format!("it leads to more than {MOST} others"));
        }
        self.is_plain &= one.is_plain();
        if let Some(field) = OF_HELM.iter().find(|field| !is_empty(&one.value[**field])) {
            let file = one.file.display();
            return Err(format!("{file} has {field}: judge what helm template makes of the chart"));
        }
        for name in one.others().filter(|it| !it.contains('\n') && !it.is_empty()) {
            here(one, name)?;
        }
        for name in one.resources() {
            let path = here(one, name)?;
            match path.is_dir() {
                true => {
                    let next = Kustomization::read(&path).map_err(|it| it.to_string())?;
                    self.follow(&next)?;
                }
                false => self.files.push(path),
            }
        }
        Ok(())
    }
}

/// Finds what a kustomization names. What is not here Kustomize would take from elsewhere.
fn here(one: &Kustomization, name: &str) -> Result<PathBuf, String> {
    let path = one.directory.join(name);
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(_) => Err(format!(
            "{} names {name}, which is not here: nothing is fetched over the network",
            one.file.display()
        )),
    }
}
