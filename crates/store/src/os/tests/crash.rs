//! Whatever is acknowledged is there after any crash, once, in its order, with the cursor that goes with it.

use ringfort_pki::Ed25519Key;

use super::*;

/// Appends, seals, crashes and begins again until chance has had its way; looks after each.
fn check(seed: u64) {
    let document = Ed25519Key::make().unwrap().pem().unwrap();
    let disk = Memory::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut chance = Chance(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1);
    let (mut acknowledged, mut seconds) = (0, 1_000);
    for _ in 0..12 {
        disk.set(chance.below(60), usize::MAX);
        let key = Ed25519Key::read(document.expose()).unwrap();
        // Without power, nothing is open.
        if let Ok((mut store, _)) = Store::open(disk.clone(), key, ALL, seconds) {
            let cursor = std::str::from_utf8(store.cursors()).unwrap().parse().unwrap_or(0);
            assert!(cursor >= acknowledged, "seed {seed}: {cursor} of {acknowledged} are known");
            acknowledged = cursor;
            for _ in 0..chance.below(20) {
                seconds += chance.below(20).cast_signed();
                let end = acknowledged + chance.below(4);
                if append(&mut store, acknowledged..end, seconds).is_err() {
                    break;
                }
                acknowledged = end;
                if store.tend(seconds).is_err() {
                    break;
                }
            }
        }
        disk.lose_power();
    }
    let key = Ed25519Key::read(document.expose()).unwrap();
    let (store, _) = Store::open(disk.clone(), key, ALL, seconds).unwrap();
    let cursor: u64 = std::str::from_utf8(store.cursors()).unwrap().parse().unwrap_or(0);
    assert!(cursor >= acknowledged, "seed {seed}: of {acknowledged} {cursor} are known");
    let expected: Vec<String> = (0..cursor).map(event).collect();
    let found = stored(&disk);
    assert!(found == expected, "seed {seed}: {} are stored of {cursor}", found.len());
    let report = verified(&disk, document.expose());
    assert_eq!(report.wrong, [], "seed {seed}");
    assert_eq!(report.entries + report.open, cursor, "seed {seed}");
}

#[test]
fn nothing_acknowledged_is_lost_whenever_the_power_goes() {
    (1..=400).for_each(check);
}

#[test]
fn on_a_full_disk_nothing_is_acknowledged_and_it_goes_on_when_there_is_room() {
    let document = Ed25519Key::make().unwrap().pem().unwrap();
    let disk = Memory::new(5);
    let key = Ed25519Key::read(document.expose()).unwrap();
    let (mut store, _) = Store::open(disk.clone(), key, ALL, 0).unwrap();
    let (mut kept, mut failed) = (0, 0);
    for round in 0..200_usize {
        // Room comes and goes by less than a group, so that writes end at every place.
        let held = disk.0.borrow().held();
        let room = if round % 3 == 0 { usize::MAX } else { held + round * 7 % 400 };
        disk.set(u64::MAX, room);
        match append(&mut store, kept..kept + 2, 0) {
            Ok(()) => kept += 2,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                failed += 1;
            }
        }
        if let Err(error) = store.tend(0) {
            assert_eq!(error.0.kind(), io::ErrorKind::StorageFull);
            failed += 1;
        }
    }
    assert!(failed > 50 && kept > 100, "{failed} failed, {kept} kept");
    disk.set(u64::MAX, usize::MAX);
    append(&mut store, kept..kept + 2, 0).unwrap();
    assert_eq!(stored(&disk), (0..kept + 2).map(event).collect::<Vec<_>>());
    assert_eq!(verified(&disk, document.expose()).wrong, []);
}

#[test]
fn what_is_removed_by_size_or_age_stays_provable() {
    for limits in [Limits { keep_bytes: 20_000, ..ALL }, Limits { keep_seconds: 200, ..ALL }] {
        let document = Ed25519Key::make().unwrap().pem().unwrap();
        let disk = Memory::new(9);
        let key = Ed25519Key::read(document.expose()).unwrap();
        let (mut store, _) = Store::open(disk.clone(), key, limits, 0).unwrap();
        for number in 0..60_u64 {
            append(&mut store, 3 * number..3 * number + 3, 10 * number.cast_signed()).unwrap();
            store.tend(10 * number.cast_signed()).unwrap();
        }
        let report = verified(&disk, document.expose());
        assert_eq!(report.wrong, [], "{limits:?}");
        assert!(report.removed > 3 && report.segments > 0, "{limits:?}: {report:?}");
        assert_eq!(report.removed_entries + report.entries + report.open, 180, "{limits:?}");
        // It goes on from what is left.
        let key = Ed25519Key::read(document.expose()).unwrap();
        let (store, _) = Store::open(disk.clone(), key, limits, 600).unwrap();
        assert_eq!(store.last().0, 180);
        disk.replace("removal", None);
        let report = verified(&disk, document.expose());
        assert!(report.wrong.iter().any(|it| it.wrong == crate::format::verify::Wrong::Gone));
    }
}
