//! Names of images, as container runtimes complete them
//! (<https://kubernetes.io/docs/concepts/containers/images/>).

/// Gives the registry that a name of an image begins with, if it names one.
pub fn registry(name: &str) -> Option<&str> {
    let (first, _) = name.split_once('/')?;
    (first == "localhost" || first.contains(['.', ':'])).then_some(first)
}

/// Whether an image is of a registry, below a path of one, or has a name: in any version. A name without a
/// registry is one of Docker Hub's.
pub fn is_from(name: &str, place: &str) -> bool {
    let name = match (registry(name), name.contains('/')) {
        (Some(_), _) => name.to_owned(),
        (None, true) => format!("docker.io/{name}"),
        (None, false) => format!("docker.io/library/{name}"),
    };
    let place = place.trim_end_matches('/');
    let Some(rest) = name.strip_prefix(place) else { return false };
    // Behind a registry alone, a colon is the port of another one.
    let is_path = place.contains('/');
    rest.starts_with('/') || is_path && (rest.is_empty() || rest.starts_with([':', '@']))
}

#[cfg(test)]
mod tests {
    use super::{is_from, registry};

    #[test]
    fn a_registry_is_a_host() {
        for (name, expected) in [
            ("nginx", None),
            ("nginx:1.2", None),
            ("library/nginx", None),
            ("localhost/nginx", Some("localhost")),
            ("localhost:5000/nginx", Some("localhost:5000")),
            ("example.com/a/b", Some("example.com")),
        ] {
            assert_eq!(registry(name), expected, "{name}");
        }
    }

    #[test]
    fn an_image_is_from_where_its_whole_name_says() {
        for (name, place, expected) in [
            ("nginx", "docker.io", true),
            ("nginx:1", "docker.io/library", true),
            ("library/nginx@sha256:0", "docker.io/library/", true),
            ("eve/nginx", "docker.io/library", false),
            ("docker.io.evil.example/nginx", "docker.io", false),
            ("example.com/team/web", "example.com/team", true),
            ("example.com/teams/web", "example.com/team", false),
            ("example.com/team/web:1", "example.com/team/web", true),
            ("example.com/team/web", "example.com/team/web", true),
            ("example.com:5000/web", "example.com", false),
            ("localhost:5000/web", "localhost", false),
            ("localhost/nginx", "docker.io", false),
        ] {
            assert_eq!(is_from(name, place), expected, "{name} {place}");
        }
    }
}
