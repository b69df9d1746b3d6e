//! Stories that go from token to token.

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::who::{Acts, Story, Subject};

const LOG: &str = r#"
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"create","user":{"username":"eve"},"sourceIPs":["203.0.113.9"],"objectRef":{"resource":"serviceaccounts","subresource":"token","namespace":"web","name":"shop"},"annotations":{"authentication.kubernetes.io/issued-credential-id":"JTI=1"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"create","user":{"username":"system:serviceaccount:web:shop","extra":{"authentication.kubernetes.io/credential-id":["JTI=1"]}},"sourceIPs":["203.0.113.10"],"objectRef":{"resource":"serviceaccounts","subresource":"token","namespace":"web","name":"till"},"annotations":{"authentication.kubernetes.io/issued-credential-id":"JTI=2"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"list","user":{"username":"system:serviceaccount:web:till","extra":{"authentication.kubernetes.io/credential-id":["JTI=2"]}},"sourceIPs":["203.0.113.11"],"objectRef":{"resource":"secrets","namespace":"web"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","user":{"username":"system:serviceaccount:web:shop","extra":{"authentication.kubernetes.io/credential-id":["JTI=9"],"authentication.kubernetes.io/pod-name":["shop-1"]}},"sourceIPs":["10.0.0.7"],"objectRef":{"resource":"pods","namespace":"web"}}
"#;

/// Tells it, with how often the log had to be read.
fn read<'l>(of: &str, lines: &(impl Iterator<Item = &'l str> + Clone)) -> (Story, usize) {
    let (mut acts, mut times) = (Acts::about(Subject::read(of).unwrap()), 0);
    loop {
        for line in lines.clone() {
            each(line.as_bytes(), &mut |found| {
                let Found::Event(event) = found else { panic!("{found:?}") };
                acts.add(event);
            });
        }
        times += 1;
        if !acts.is_late() {
            return (acts.story(), times);
        }
        acts.begin_again();
    }
}

fn story(of: &str) -> Story {
    let (story, times) = read(of, &LOG.trim().lines());
    assert_eq!(times, 1, "{of}");
    story
}

fn check(of: &str, own: usize, inherited: usize) {
    let story = story(of);
    assert_eq!((story.own.len(), story.inherited.len()), (own, inherited), "{of}: {story:#?}");
}

/// Another server may tell of a token than of what was done with it, and its log may be read later.
#[test]
fn a_token_that_is_used_before_it_is_told_of_is_followed() {
    let (story, times) = read("eve", &LOG.trim().lines().rev());
    assert_eq!((story.own.len(), story.inherited.len(), times), (1, 2, 3), "{story:#?}");
    let (story, times) = read("nobody", &LOG.trim().lines().rev());
    assert_eq!((story.own.len(), story.inherited.len(), times), (0, 0, 1), "{story:#?}");
}

#[test]
fn an_object_without_a_name_is_told_and_asked_about_nowhere() {
    for text in ["secrets/", "secrets/web/", "deployment//shop", "pod/", "pod/web/", "pod//shop-1"]
    {
        let said = Subject::read(text).unwrap_err().to_string();
        assert!(said.contains("KIND/NAMESPACE/NAME"), "{text}: {said}");
    }
    for text in ["system:node:w1", "https://issuer/", "secrets", "eve"] {
        assert_eq!(Subject::read(text), Ok(Subject::User(text.to_owned())));
    }
}

#[test]
fn what_was_done_with_tokens_is_told_of_who_asked_for_them() {
    check("eve", 1, 2);
    check("system:serviceaccount:web:shop", 2, 1);
    check("pod/web/shop-1", 1, 0);
    check("pod/shop-1", 1, 0);
    check("pod/pay/shop-1", 0, 0);
    check("JTI=2", 1, 0);
    check("203.0.113.9", 1, 2);
    check("nobody", 0, 0);
    assert_eq!(story("eve").credentials["JTI=2"].iter().collect::<Vec<_>>(), ["203.0.113.11"]);
}

/// Objects do nothing: what was done to them is told.
#[test]
fn what_was_done_to_an_object_is_told_whatever_its_kind_is_called() {
    check("serviceaccounts/web/shop", 1, 2);
    check("ServiceAccount/web/shop", 1, 2);
    check("serviceaccount/till", 1, 1);
    check("serviceaccounts/pay/shop", 0, 0);
    check("secrets/web/shop", 0, 0);
    // A part of a name is none.
    check("serviceaccounts/hop", 0, 0);
    // A user may be called as an object is written.
    let subject = |text: &str| matches!(Subject::read(text), Ok(Subject::Object(_)));
    assert!(subject("team/alice") && subject("deployment/web/shop"));
    assert!(
        !subject("https://issuer/#alice") && !subject("system:node:w1/a") && !subject("a/b/c/d")
    );
}
