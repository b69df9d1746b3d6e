//! What is kept, over TLS: read by the other control planes alone, from where their collectors are.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::super::event;
use super::{LONG, anywhere, knock, now, of, peer, sealed};
use crate::os::listen::{Answering, Door};
use crate::os::notes::Notes;
use crate::os::share::{
    Brought, Reading, ShareError, Sharing, Wanted, handed_on, taken, waiting, want,
};
use crate::os::tls::Papers;
use crate::os::witness::{Office, Witness};
use crate::os::{Directory, claim};

/// Gives cp1 what a store holds, by these papers.
fn giving(at: &Path, papers: &Papers) -> SocketAddr {
    let claimed = claim(&at.join("witness")).unwrap();
    let witness = Witness::open(Notes::new(claimed.directory), claimed.key).unwrap();
    let office = Office::new(witness, vec!["cp3".to_owned()], None);
    let office = office.for_readers(Sharing::new(at.join("store"), ["cp1".to_owned()]));
    let answering: Arc<Answering> =
        Arc::new(move |caller, request| office.answer(caller, request, now(), &mut |_, _| {}));
    let door = Door::open(anywhere(), papers, LONG).unwrap();
    let to = door.at().unwrap();
    std::thread::spawn(move || door.serve(&answering));
    to
}

/// 2026-01-05T10:00:00Z, in microseconds: each event is as many of them later as its number says.
const FIRST: i64 = 1_767_607_200_000_000;

/// What is wanted from the second event on.
fn begins() -> Wanted {
    Wanted { since: FIRST + 1, behind: None }
}

/// Takes what was brought of cp2, as a collector does. Gives its lines, and whether it begins anew.
fn brought(inbox: &mut Directory) -> (Vec<String>, bool) {
    let piece = waiting(inbox, "cp2").unwrap().unwrap();
    let (asked, head, lines) = handed_on(&piece).unwrap();
    want(inbox, "cp2", &Wanted { behind: Some(head.behind), ..begins() }).unwrap();
    taken(inbox, "cp2").unwrap();
    assert_eq!((asked.at, head.is_more, head.unread), (7, false, 0));
    (lines, head.is_anew)
}

#[test]
fn what_is_kept_is_read_from_where_the_collector_is() {
    let at = tempfile::tempdir().unwrap();
    let (store, together) = (at.path().join("store"), at.path().join("together"));
    // Whatever stands in it.
    sealed(&store, 3, "cp9");
    let to = giving(at.path(), &of("ringfort:witness:cp2"));
    let mut inbox = Directory::new(&together).unwrap();
    let reader = of("ringfort:witness:cp1");
    let begin = || Reading::new(peer(to, &reader), Directory::new(&together).unwrap());
    let mut reading = begin();
    assert_eq!(reading.read(7).unwrap(), Brought::Waits, "no collector has begun");
    want(&mut inbox, "cp2", &Wanted { since: FIRST + 2, ..begins() }).unwrap();
    assert_eq!(reading.read(7).unwrap(), Brought::All);
    assert_eq!(reading.read(7).unwrap(), Brought::Waits, "it is not taken yet");
    assert_eq!(brought(&mut inbox), (vec![event(2)], true), "what was written since then");
    let read = |reading: &mut Reading<Directory>| {
        assert_eq!(reading.read(7).unwrap(), Brought::All);
        brought(&mut Directory::new(&together).unwrap())
    };
    assert_eq!(read(&mut reading), (Vec::new(), false));
    // What another delivered there is not its server's.
    sealed(&store, 1, "webhook/other");
    sealed(&store, 2, "cp2");
    assert_eq!(read(&mut reading), (vec![event(0), event(1)], false));
    // Whoever reads is another by now, and goes on.
    let mut reading = begin();
    assert_eq!(read(&mut reading), (Vec::new(), false));
    // The collector is another.
    want(&mut inbox, "cp2", &begins()).unwrap();
    assert_eq!(read(&mut reading), (vec![event(1)], true));
    // A place that this store never had.
    let file = together.join("cp2.place");
    let place = std::fs::read_to_string(&file).unwrap();
    let there = place.rsplit_once(':').unwrap().0;
    std::fs::write(&file, format!("{there}:1000}}}}}}")).unwrap();
    assert_eq!(read(&mut reading), (vec![event(1)], true));
    // It was made anew, and is shorter.
    std::fs::remove_dir_all(&store).unwrap();
    sealed(&store, 2, "cp2");
    assert_eq!(read(&mut reading), (vec![event(1)], true));
    assert_eq!(read(&mut reading), (Vec::new(), false));
}

#[test]
fn what_is_kept_is_read_by_whom_it_is_meant_for_and_of_whom_the_certificate_names() {
    let at = tempfile::tempdir().unwrap();
    let together = at.path().join("together");
    sealed(&at.path().join("store"), 1, "cp2");
    let to = giving(at.path(), &of("ringfort:witness:cp2"));
    let directory = || Directory::new(&together).unwrap();
    want(&mut directory(), "cp2", &begins()).unwrap();
    for stranger in ["ringfort:witness:cp3", "ringfort:agent:cp1", "ringfort:keeper"] {
        let error = Reading::new(peer(to, &of(stranger)), directory()).read(7).unwrap_err();
        assert!(matches!(error, ShareError::Refused(..)), "{stranger}: {error}");
    }
    let reader = of("ringfort:witness:cp1");
    let key = "ab".repeat(32);
    let nowhere = [format!("7/{key}/1/x"), format!("7/{key}/1"), format!("{key}/1/2")];
    let nowhere = nowhere.iter().map(String::as_str);
    for place in ["", "x", "7/1/2", "7/x/1/2", "7/1/x"].into_iter().chain(nowhere) {
        assert_eq!(knock(to, Some(&reader), "GET", &format!("/kept/{place}")), "400", "{place}");
    }
    for place in ["7".to_owned(), format!("7/{key}/1/2")] {
        assert_eq!(knock(to, Some(&reader), "GET", &format!("/kept/{place}")), "200", "{place}");
    }
    assert_eq!(knock(to, Some(&reader), "POST", "/kept/7"), "403");
    let impostor = tempfile::tempdir().unwrap();
    sealed(&impostor.path().join("store"), 1, "cp2");
    let to = giving(impostor.path(), &of("ringfort:witness:cp3"));
    let error = Reading::new(peer(to, &reader), directory()).read(7).unwrap_err();
    assert!(matches!(error, ShareError::Reach(..)), "{error}");
    assert_eq!(waiting(&directory(), "cp2").unwrap(), None);
}
