//! Turns a project's own `go.mod` into that of a module which only builds it: the same versions of
//! everything that upstream chose, and the project itself as a dependency with a sum.

/// The module that only builds.
pub(super) const OWN_MODULE: &str = "ringfort.dev/bundle";

/// Rewrites a `go.mod`.
///
/// Replacements by directories of upstream's repository go, since the module alone has none of
/// them: what they stood for comes as modules, with the version `libraries` where upstream wrote
/// none. The lines that would ask for another compiler or for development tools go as well.
pub(super) fn adapt(go_mod: &str, module: &str, version: &str, libraries: &str) -> String {
    let mut out = String::new();
    let mut block = Block::Kept;
    for line in go_mod.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [word, "("] = words[..] {
            block = Block::of(word);
            if block == Block::Dropped {
                continue;
            }
        }
        match (block, &words[..]) {
            (Block::Dropped, [")"]) => block = Block::Kept,
            (Block::Dropped, _) | (_, ["toolchain" | "tool", ..]) => {}
            (Block::Replace, [.., "=>", target]) if is_directory(target) => {}
            (_, ["replace", .., "=>", target]) if is_directory(target) => {}
            (_, ["module", _]) => out.push_str(&format!("module {OWN_MODULE}\n")),
            (_, [")"]) => {
                block = Block::Kept;
                out.push_str(")\n");
            }
            (_, words) if words.contains(&"v0.0.0") => {
                out.push_str(&line.replacen(" v0.0.0", &format!(" {libraries}"), 1));
                out.push('\n');
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out.push_str(&format!("\nrequire {module} {version}\n"));
    out
}

/// What becomes of a bracketed block.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Block {
    Kept,
    Replace,
    Dropped,
}

impl Block {
    fn of(word: &str) -> Self {
        match word {
            "replace" => Self::Replace,
            "tool" | "toolchain" => Self::Dropped,
            _ => Self::Kept,
        }
    }
}

fn is_directory(target: &str) -> bool {
    target.starts_with("./") || target.starts_with("../")
}

#[cfg(test)]
mod tests {
    use super::adapt;

    #[test]
    fn versions_stay_and_directories_go() {
        let upstream = "\
module k8s.io/kubernetes

go 1.26.0

toolchain go1.26.10

godebug default=go1.26

require (
\tgithub.com/spf13/cobra v1.10.2
\tk8s.io/api v0.0.0
\tk8s.io/kms v0.0.0 // indirect
)

tool (
\tgolang.org/x/tools/cmd/goimports
)

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\texample.org/fork => example.org/ours v1.2.3
)

replace k8s.io/kms => ../kms
";
        let expected = "\
module ringfort.dev/bundle

go 1.26.0


godebug default=go1.26

require (
\tgithub.com/spf13/cobra v1.10.2
\tk8s.io/api v0.37.2
\tk8s.io/kms v0.37.2 // indirect
)


replace (
\texample.org/fork => example.org/ours v1.2.3
)


require k8s.io/kubernetes v1.37.2
";
        assert_eq!(adapt(upstream, "k8s.io/kubernetes", "v1.37.2", "v0.37.2"), expected);
    }
}
