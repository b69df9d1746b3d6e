//! Stories that go from token to token.

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::who::{Acts, Story, Subject};

const LOG: &str = r#"
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"create","user":{"username":"eve"},"sourceIPs":["203.0.113.9"],"objectRef":{"resource":"serviceaccounts","subresource":"token","namespace":"web","name":"shop"},"annotations":{"authentication.kubernetes.io/issued-credential-id":"JTI=1"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"create","user":{"username":"system:serviceaccount:web:shop","extra":{"authentication.kubernetes.io/credential-id":["JTI=1"]}},"sourceIPs":["203.0.113.10"],"objectRef":{"resource":"serviceaccounts","subresource":"token","namespace":"web","name":"till"},"annotations":{"authentication.kubernetes.io/issued-credential-id":"JTI=2"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"list","user":{"username":"system:serviceaccount:web:till","extra":{"authentication.kubernetes.io/credential-id":["JTI=2"]}},"sourceIPs":["203.0.113.11"],"objectRef":{"resource":"secrets","namespace":"web"}}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","user":{"username":"system:serviceaccount:web:shop","extra":{"authentication.kubernetes.io/credential-id":["JTI=9"],"authentication.kubernetes.io/pod-name":["shop-1"]}},"sourceIPs":["10.0.0.7"],"objectRef":{"resource":"pods","namespace":"web"}}
"#;

fn story(of: &str) -> Story {
    let mut acts = Acts::default();
    for line in LOG.trim().lines() {
        each(line.as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            acts.add(event);
        });
    }
    acts.of(&Subject::read(of))
}

fn check(of: &str, own: usize, inherited: usize) {
    let story = story(of);
    assert_eq!((story.own.len(), story.inherited.len()), (own, inherited), "{of}: {story:#?}");
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
    let subject = |text: &str| matches!(Subject::read(text), Subject::Object(_));
    assert!(subject("team/alice") && subject("deployment/web/shop"));
    assert!(
        !subject("https://issuer/#alice") && !subject("system:node:w1/a") && !subject("a/b/c/d")
    );
}
