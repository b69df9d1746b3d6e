//! What is kept comes back as it was, or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Cache, Kept, Key, MOST_ENTRIES};

fn key(parts: &[&str]) -> Key {
    let mut key = Key::begin("options");
    for part in parts {
        key.add(part);
    }
    key
}

fn keep(cache: &Cache, key: &Key, said: &[u8], told: &str, code: u8) {
    let mut entry = cache.begin(key).unwrap();
    said.chunks(3).for_each(|part| entry.write(part));
    entry.finish(told, code);
}

fn parts(kept: &Kept) -> (&[u8], &str, u8) {
    (kept.said(), kept.told(), kept.code())
}

#[test]
fn what_is_kept_comes_back_for_its_key_alone() {
    let room = tempfile::tempdir().unwrap();
    let cache = Cache::at(room.path().join("a/b")).unwrap();
    assert!(cache.get(&key(&["a"])).is_none());
    keep(&cache, &key(&["a"]), b"said \xff it", "told\n", 3);
    let kept = cache.get(&key(&["a"])).unwrap();
    assert_eq!(parts(&kept), (&b"said \xff it"[..], "told\n", 3));
    assert!(cache.get(&key(&["b"])).is_none() && cache.get(&key(&["a", ""])).is_none());
    let mode = fs::metadata(room.path().join("a/b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_entry_that_was_changed_anywhere_is_none() {
    let room = tempfile::tempdir().unwrap();
    let cache = Cache::at(room.path().join("a")).unwrap();
    keep(&cache, &key(&[]), b"said", "told", 1);
    let place = cache.place(&key(&[]));
    let whole = fs::read(&place).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&place, changed).unwrap();
        assert!(cache.get(&key(&[])).is_none(), "byte {at}");
        fs::write(&place, &whole[..at]).unwrap();
        assert!(cache.get(&key(&[])).is_none(), "cut at {at}");
    }
    fs::write(&place, &whole).unwrap();
    assert!(cache.get(&key(&[])).is_some());
}

#[test]
fn what_others_could_write_is_none_of_ours() {
    let room = tempfile::tempdir().unwrap();
    let open = |mode| fs::Permissions::from_mode(mode);
    let cache = Cache::at(room.path().join("a")).unwrap();
    keep(&cache, &key(&[]), b"said", "", 0);
    let place = cache.place(&key(&[]));
    fs::set_permissions(&place, open(0o666)).unwrap();
    assert!(cache.get(&key(&[])).is_none());
    fs::set_permissions(&place, open(0o600)).unwrap();
    assert!(cache.get(&key(&[])).is_some());
    fs::set_permissions(room.path().join("a"), open(0o777)).unwrap();
    assert!(Cache::at(room.path().join("a")).is_none());
    std::os::unix::fs::symlink(room.path().join("a"), room.path().join("link")).unwrap();
    assert!(Cache::at(room.path().join("link")).is_none());
}

#[test]
fn old_entries_make_room() {
    let room = tempfile::tempdir().unwrap();
    let cache = Cache::at(room.path().join("a")).unwrap();
    for number in 0..MOST_ENTRIES + 5 {
        keep(&cache, &key(&[&number.to_string()]), b"", "", 0);
    }
    assert_eq!(fs::read_dir(&cache.directory).unwrap().count(), MOST_ENTRIES);
}
