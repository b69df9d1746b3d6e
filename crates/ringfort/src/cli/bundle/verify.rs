//! `ringfort bundle verify`: compares the files of a bundle with its lock, and on request what is
//! built again from modules.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use ringfort_forge::bundle::{Bundle, Flaw, Packages, Rebuild, RebuildError, Rebuilt, rebuild};
use ringfort_model::digest::Digest;

use super::super::{Fault, print};
use super::{Watch, authorities, cache, not_opened};

#[derive(Args)]
pub(super) struct Verify {
    /// The bundle's directory
    directory: PathBuf,
    /// Build what is in it again from modules, and compare the digests with the lock
    #[arg(long)]
    rebuild: bool,
    /// Build only this program or image again; may be given several times
    #[arg(long, value_name = "NAME", requires = "rebuild")]
    only: Vec<String>,
    /// Compile every package again too
    #[arg(long, requires = "rebuild")]
    cold: bool,
    /// The certificates (PEM) that the bundle was built with, if it was
    #[arg(long, value_name = "FILE", requires = "rebuild")]
    ca_certificates: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long)]
    json: bool,
}

/// What was found, as JSON has it.
#[derive(Serialize)]
struct Verified<'a> {
    version: u32,
    /// The digest of the lock.
    lock: &'a Digest,
    /// Files that are not what the lock says.
    flaws: &'a [Flaw],
    /// What was built again; null where nothing was.
    rebuilt: Option<&'a Rebuilt>,
}

/// Runs the command.
pub(super) fn run(args: &Verify) -> Result<ExitCode, Fault> {
    let bundle = Bundle::open(&args.directory).map_err(not_opened)?;
    let flaws = bundle.verify().map_err(not_opened)?;
    let rebuilt = match args.rebuild && flaws.is_empty() {
        true => Some(built_again(args, &bundle)?),
        false => None,
    };
    if args.json {
        let lock = bundle.digest();
        let verified = Verified { version: 1, lock, flaws: &flaws, rebuilt: rebuilt.as_ref() };
        let text = serde_json::to_string_pretty(&verified).expect("a result has text keys only");
        print(&format!("{text}\n"));
    } else {
        show(&bundle, &flaws, rebuilt.as_ref());
    }
    if args.rebuild && rebuilt.is_none() {
        eprintln!("nothing was built again, since files are not what the lock says");
    }
    if let Some(rebuilt) = &rebuilt {
        advice(rebuilt).iter().for_each(|said| eprintln!("{said}"));
    }
    Ok(ExitCode::from(code(&flaws, rebuilt.as_ref())))
}

fn built_again(args: &Verify, bundle: &Bundle) -> Result<Rebuilt, Fault> {
    let authorities = authorities(args.ca_certificates.as_deref())?;
    let asked = Rebuild {
        bundle,
        only: &args.only,
        authorities: authorities.as_deref(),
        packages: if args.cold { Packages::Compiled } else { Packages::Cached },
    };
    let cache = cache()?;
    let mut watch = Watch::new();
    let rebuilt = rebuild(&asked, &cache, &mut |at| watch.see(at));
    watch.end();
    rebuilt.map_err(|error| match error {
        RebuildError::Unknown { .. } => Fault::usage(error),
        _ => Fault::blind(error),
    })
}

fn show(bundle: &Bundle, flaws: &[Flaw], rebuilt: Option<&Rebuilt>) {
    for flaw in flaws {
        println!("{flaw}");
    }
    if flaws.is_empty() {
        let files = bundle.lock().entries.len() + 1;
        println!("{files} files are what the lock {} says", bundle.digest());
    }
    for row in rebuilt.iter().flat_map(|rebuilt| &rebuilt.rows) {
        println!("{row}");
    }
}

/// Says what may be behind a difference, if there is one.
fn advice(rebuilt: &Rebuilt) -> Option<String> {
    if !rebuilt.differs() || rebuilt.is_of_one_recipe() {
        return None;
    }
    let here = rebuilt.recipe.as_ref().map_or("not known", Digest::as_str);
    Some(format!(
        "this is built from something else than the bundle was: the lock's recipe is {}, here it is {here}. \
         Take the ringfort, the C compiler and the libseccomp that built it, and name the certificates that it was \
         given with --ca-certificates; what differs then differs in earnest",
        rebuilt.locked_recipe
    ))
}

/// What differs weighs more than what could not be built or compared.
fn code(flaws: &[Flaw], rebuilt: Option<&Rebuilt>) -> u8 {
    if !flaws.is_empty() || rebuilt.is_some_and(Rebuilt::differs) {
        1
    } else if rebuilt.is_some_and(Rebuilt::lacks) {
        3
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use ringfort_forge::bundle::{Answer, Kind, Origins, Rebuilt, Row};
    use ringfort_model::digest::Digest;

    use super::{Verified, advice, code};

    fn same() -> Answer {
        Answer::Same { digest: Digest::of(b"a") }
    }

    fn differs() -> Answer {
        Answer::Differs { locked: Digest::of(b"a"), built: Digest::of(b"b"), origins: None }
    }

    fn from_elsewhere() -> Answer {
        let origins = Origins { locked: "there".to_owned(), built: "here".to_owned() };
        let (locked, built) = (Digest::of(b"a"), Digest::of(b"b"));
        Answer::Differs { locked, built, origins: Some(origins) }
    }

    fn not_built() -> Answer {
        Answer::NotBuilt { why: "no space".to_owned() }
    }

    fn rebuilt(answers: Vec<Answer>, recipe: Option<&[u8]>) -> Rebuilt {
        let row = |answer| Row { kind: Kind::File, name: "kubelet".to_owned(), answer };
        Rebuilt {
            locked_recipe: Digest::of(b"then"),
            recipe: recipe.map(Digest::of),
            rows: answers.into_iter().map(row).collect(),
        }
    }

    #[test]
    fn a_difference_is_1_and_what_could_not_be_built_never_0() {
        let check = |answers: Vec<Answer>, expected: u8| {
            let rebuilt = rebuilt(answers, None);
            assert_eq!(code(&[], Some(&rebuilt)), expected, "{:?}", rebuilt.rows);
        };
        check(vec![same(), same()], 0);
        check(vec![same(), differs()], 1);
        check(vec![same(), from_elsewhere()], 1);
        check(vec![same(), Answer::Unlisted], 3);
        check(vec![same(), not_built()], 3);
        check(vec![not_built(), differs()], 1);
        assert_eq!(code(&[], None), 0);
    }

    #[test]
    fn another_recipe_is_named_only_where_something_differs() {
        let check = |answer: Answer, recipe: Option<&[u8]>, expected: Option<&str>| {
            let said = advice(&rebuilt(vec![answer], recipe));
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()));
        };
        check(differs(), Some(b"then"), None);
        check(differs(), Some(b"now"), Some(Digest::of(b"now").as_str()));
        check(differs(), None, Some("here it is not known"));
        check(from_elsewhere(), Some(b"now"), Some(Digest::of(b"now").as_str()));
        check(same(), Some(b"now"), None);
    }

    #[test]
    fn the_result_is_json_with_a_row_each() {
        let rebuilt =
            rebuilt(vec![same(), differs(), from_elsewhere(), not_built()], Some(b"then"));
        let lock = Digest::of(b"lock");
        let verified = Verified { version: 1, lock: &lock, flaws: &[], rebuilt: Some(&rebuilt) };
        let (a, b, then) = (Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"then"));
        let expected = json!({
            "version": 1, "lock": lock, "flaws": [],
            "rebuilt": {"locked_recipe": then, "recipe": then, "rows": [
                {"kind": "file", "name": "kubelet", "answer": "same", "digest": a},
                {"kind": "file", "name": "kubelet", "answer": "differs", "locked": a, "built": b},
                {"kind": "file", "name": "kubelet", "answer": "differs", "locked": a, "built": b,
                 "origins": {"locked": "there", "built": "here"}},
                {"kind": "file", "name": "kubelet", "answer": "not-built", "why": "no space"},
            ]},
        });
        assert_eq!(serde_json::to_value(&verified).unwrap(), expected);
    }
}
