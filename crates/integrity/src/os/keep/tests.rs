//! What is kept is read as it was written, wherever it was cut.

use serde_json::json;

use super::*;

fn open(directory: &Path) -> (Keep, Kept) {
    Keep::open(directory).unwrap()
}

fn add(keep: &mut Keep, number: u64) {
    keep.append(7, Told::Baseline { number });
    keep.sync().unwrap();
}

#[test]
fn a_torn_line_is_cut_off_and_the_chain_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (mut keep, _) = open(directory.path());
    (1..=3).for_each(|number| add(&mut keep, number));
    assert!(Keep::open(directory.path()).is_err(), "another agent holds it");
    drop(keep);
    let path = directory.path().join("journal");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 3]).unwrap();
    let (mut keep, kept) = open(directory.path());
    assert_eq!((kept.lines.len(), kept.broken), (2, None));
    add(&mut keep, 9);
    let read = read_journals(directory.path()).unwrap();
    assert_eq!((read.lines.len(), read.broken), (3, None));
}

#[test]
fn a_damaged_journal_is_kept_aside_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let (mut keep, _) = open(directory.path());
    (1..=3).for_each(|number| add(&mut keep, number));
    drop(keep);
    let path = directory.path().join("journal");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"number\":2", "\"number\":8", 1)).unwrap();
    let (mut keep, kept) = open(directory.path());
    let why = kept.broken.unwrap();
    assert!(why.contains("line 3") && why.contains("journal.damaged"), "{why}");
    assert!(directory.path().join("journal.damaged").exists());
    add(&mut keep, 9);
    let read = read_journals(directory.path()).unwrap();
    assert_eq!((read.lines.len(), read.broken), (1, None));
}

#[test]
fn what_was_known_is_lost_only_where_something_was() {
    let directory = tempfile::tempdir().unwrap();
    let lost = || open(directory.path()).1.lost;
    assert_eq!(lost(), None, "an agent begins for the first time");
    let (mut keep, _) = open(directory.path());
    keep.count(1).unwrap();
    add(&mut keep, 1);
    drop(keep);
    assert_eq!(lost(), None, "it ended before it had looked at everything");
    let (mut keep, _) = open(directory.path());
    let told = Told::Verified { paths: 1, unknown: Vec::new(), unknown_count: 0 };
    keep.append(7, told);
    keep.know(&BTreeMap::new(), std::iter::empty()).unwrap();
    drop(keep);
    assert_eq!(lost(), None);
    for harm in ["", "x\n", "1 2\n{\n"] {
        fs::write(directory.path().join("known"), harm).unwrap();
        assert!(lost().is_some_and(|why| why.contains("known")), "{harm:?}");
    }
    fs::remove_file(directory.path().join("known")).unwrap();
    assert!(lost().is_some());
    // With its journal it is lost as well.
    fs::remove_file(directory.path().join("journal")).unwrap();
    assert!(lost().is_some());
}

#[test]
fn what_is_known_is_read_as_it_was_written_and_damage_is_nothing_known() {
    let directory = tempfile::tempdir().unwrap();
    let (mut keep, kept) = open(directory.path());
    assert_eq!((kept.seq, kept.known.len()), (0, 0));
    add(&mut keep, 1);
    let known = Known { state: None, is_wrong: true, is_unseen: false };
    let all = BTreeMap::from([("/a\\x0a".parse().unwrap(), known)]);
    let row = json!({"at": 5, "change": {
        "id": "a", "path": "/a", "class": "exact", "severity": "high", "differences": [],
        "isRight": false, "who": {"unknown": "x"}, "why": "unexplained",
    }});
    let one: Open = serde_json::from_value(row).unwrap();
    keep.know(&all, std::iter::once(&one)).unwrap();
    keep.count(4).unwrap();
    drop(keep);
    let (keep, kept) = open(directory.path());
    assert_eq!((kept.seq, kept.known, keep.counter().unwrap()), (1, all, 4));
    assert_eq!((kept.open, kept.lost, kept.is_older), (vec![one], None, false));
    assert_eq!(kept.lost_open, None);
    drop(keep);
    // What is open is lost by itself, and what to do about it is said.
    fs::write(directory.path().join("open"), "1 2\n{").unwrap();
    let damaged = open(directory.path()).1;
    let why = damaged.lost_open.unwrap();
    assert!(why.contains("nothing explained") && why.contains("integrity verify"), "{why}");
    assert_eq!((damaged.open, damaged.lost, damaged.known.len()), (Vec::new(), None, 1));
    fs::write(directory.path().join("known"), "1\n{\"path\":\"/a\"}\n").unwrap();
    let older = open(directory.path()).1;
    assert_eq!((older.known.len(), older.is_older), (1, true));
    fs::write(directory.path().join("known"), "1\n{").unwrap();
    assert_eq!(open(directory.path()).1.known.len(), 0);
    fs::write(directory.path().join("counter"), "many").unwrap();
    assert!(open(directory.path()).0.counter().is_err(), "a damaged number believes nothing");
}

#[test]
fn wherever_a_journal_was_cut_off_it_goes_on_with_what_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let (mut keep, _) = open(directory.path());
    (1..=3).for_each(|number| add(&mut keep, number));
    drop(keep);
    let path = directory.path().join("journal");
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let left = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let (mut keep, kept) = open(directory.path());
        assert_eq!((kept.lines.len(), kept.broken), (left, None), "{cut}");
        keep.append(7, Told::Baseline { number: 9 });
        keep.sync().unwrap();
        let read = read_journals(directory.path()).unwrap();
        assert_eq!((read.lines.len(), read.broken), (left + 1, None), "{cut}");
    }
}

#[test]
fn wherever_what_was_known_is_cut_off_that_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (mut keep, _) = open(directory.path());
    let told = Told::Verified { paths: 1, unknown: Vec::new(), unknown_count: 0 };
    keep.append(7, told);
    let known = || Known { state: None, is_wrong: true, is_unseen: false };
    let all = ["/a", "/b"].map(|path| (path.parse().unwrap(), known()));
    let row = json!({"at": 5, "change": {
        "id": "a", "path": "/a", "class": "exact", "severity": "high", "differences": [],
        "isRight": false, "who": {"unknown": "x"}, "why": "unexplained",
    }});
    let one: Open = serde_json::from_value(row).unwrap();
    keep.know(&all.into(), std::iter::once(&one)).unwrap();
    let paths = [("etcd".to_owned(), [("/c".parse().unwrap(), Class::Exact)].into())].into();
    keep.named(&NamedBefore { paths, ..NamedBefore::default() }).unwrap();
    drop(keep);
    let each_cut = |name: &str, is_told_or_whole: &dyn Fn(&Kept) -> bool| {
        let path = directory.path().join(name);
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(is_told_or_whole(&open(directory.path()).1), "{name} {cut}");
        }
    };
    each_cut("known", &|kept| kept.lost.is_some() || kept.known.len() == 2);
    each_cut("open", &|kept| kept.lost_open.is_some() || kept.open.len() == 1);
    each_cut("named", &|kept| kept.named.is_lost || kept.named.paths.len() == 1);
    // That it is gone is seen by what was known; an older agent has not written it.
    fs::remove_file(directory.path().join("named")).unwrap();
    assert!(open(directory.path()).1.named.is_lost);
    fs::write(directory.path().join("known"), "1 2\n").unwrap();
    assert!(!open(directory.path()).1.named.is_lost);
}

#[test]
fn a_journal_is_begun_anew_wherever_that_ended_before() {
    let directory = tempfile::tempdir().unwrap();
    let (mut keep, _) = open(directory.path());
    (1..=3).for_each(|number| add(&mut keep, number));
    // It ended between the two renames.
    fs::rename(directory.path().join("journal"), directory.path().join("journal.1")).unwrap();
    keep.begin_anew().unwrap();
    add(&mut keep, 4);
    drop(keep);
    let (mut keep, kept) = open(directory.path());
    assert_eq!((kept.lines.len(), kept.broken), (4, None));
    keep.begin_anew().unwrap();
    add(&mut keep, 5);
    let read = read_journals(directory.path()).unwrap();
    assert_eq!((read.lines.len(), read.broken), (2, None));
    drop(keep);
    fs::rename(directory.path().join("journal"), directory.path().join("journal.1")).unwrap();
    let kept = open(directory.path()).1;
    assert_eq!((kept.lines.len(), kept.broken), (1, None));
}

#[test]
fn how_an_agent_goes_is_written_over_and_over_and_is_read_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let (keep, _) = open(directory.path());
    for at in 0..4 {
        let limits = vec!["x".repeat(PIECE_BYTES); usize::try_from(4 - at).unwrap()];
        keep.tell(&Status { at, limits, ..Status::default() }).unwrap();
        let found = status(directory.path()).unwrap();
        assert_eq!((found.at, found.limits.len() as u64), (at, 4 - at));
    }
    // Where there is no room beside it, it is written over, and shorter or longer it is whole.
    for at in 4..8 {
        fs::create_dir_all(directory.path().join("status.new")).unwrap();
        let limits = vec!["x".repeat(PIECE_BYTES); usize::try_from(at % 3).unwrap()];
        keep.tell(&Status { at, limits, ..Status::default() }).unwrap();
        assert_eq!(status(directory.path()).unwrap().at, at);
    }
}
