//! What the kernel makes of routes between nodes, also of those behind a router. Needs root and `ip`; runs
//! only when asked for with `RINGFORT_E2E=1`.

#![allow(clippy::unwrap_used, reason = "all of this is a test, though without the usual harness")]

#[path = "../../../netpol/tests/kernel/namespace.rs"]
mod namespace;
mod site;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ringfort_model::net::Family;
use ringfort_model::routes::RouteMode;
use ringfort_node::{HostTools, Root, routes};

use crate::site::{NEAR, OTHER, Site};

/// A cluster speaks one of them.
const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["keep", file] => keep(Path::new(file)),
        ["serve"] => serve(),
        ["dial", server] => dial(server.parse().unwrap()),
        ["ask", server] => ask(server.parse().unwrap()),
        _ => tests(),
    }
}

fn tests() -> ExitCode {
    let all: [fn(Family); 6] = [
        pods_behind_a_router_are_reached_through_a_tunnel_and_near_ones_without,
        all_go_through_tunnels_where_that_is_asked_for,
        a_tunnel_takes_the_place_of_another_way,
        what_a_machine_says_to_pods_comes_from_its_own_address,
        what_leaves_or_is_taken_away_is_put_right,
        pods_leave_by_their_machines_address_where_that_is_asked_for,
    ];
    let runs = all.len() * FAMILIES.len();
    if std::env::var_os("RINGFORT_E2E").is_none() {
        println!("skipped: routes in a kernel need root and ip; set RINGFORT_E2E=1");
        println!("0 passed, 0 failed, {runs} skipped");
        return ExitCode::SUCCESS;
    }
    let each = FAMILIES.iter().flat_map(|family| all.iter().map(move |test| (*test, *family)));
    let failed = each.filter(|(test, family)| std::panic::catch_unwind(|| test(*family)).is_err());
    let failed = failed.count();
    println!("{} passed, {failed} failed, 0 skipped", runs - failed);
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn pods_behind_a_router_are_reached_through_a_tunnel_and_near_ones_without(family: Family) {
    let site = Site::build(family);
    assert!(!site.reaches(0, NEAR) && !site.reaches(0, OTHER), "reached before there were routes");
    site.keep_all(RouteMode::Auto);
    assert!(site.reaches(0, NEAR) && site.reaches(NEAR, 0));
    assert_eq!(site.tunnelled(0), 0, "a near pod's packets took the tunnel");
    assert!(site.reaches(0, OTHER) && site.reaches(OTHER, NEAR));
    assert!(site.tunnelled(0) > 0, "nothing was in the tunnel");
    assert_eq!(site.tunnel_mtu(0), site.names.mtu);
    // Who looks again finds nothing to do.
    (0..3).for_each(|node| assert_eq!(site.keep(node, RouteMode::Auto, &[0, NEAR, OTHER]), 0));
}

fn all_go_through_tunnels_where_that_is_asked_for(family: Family) {
    let site = Site::build(family);
    site.keep_all(RouteMode::Vxlan);
    assert!(site.reaches(0, NEAR));
    let near = site.tunnelled(0);
    assert!(near > 0, "a near pod's packets took another way");
    assert!(site.reaches(0, OTHER));
    assert!(site.tunnelled(0) > near, "a far pod's packets took another way");
}

/// Linux takes no next hop in IPv6 that a route leads to through another link, be it ours or the site's.
fn a_tunnel_takes_the_place_of_another_way(family: Family) {
    let site = Site::build(family);
    for node in 0..3 {
        site.route_all_pods_to_the_router(node);
    }
    site.keep_all(RouteMode::Auto);
    assert!(site.reaches(0, NEAR) && site.reaches(0, OTHER));
    for (mode, is_tunnelled) in [(RouteMode::Vxlan, true), (RouteMode::Auto, false)] {
        // The far node has a tunnel to both others either way.
        let changes = [0, NEAR, OTHER].map(|node| site.keep(node, mode, &[0, NEAR, OTHER]));
        assert!(
            changes[0] > 0 && changes[NEAR] > 0 && changes[OTHER] == 0,
            "{mode:?}: {changes:?}"
        );
        let before = site.tunnelled(0);
        assert!(site.reaches(0, NEAR), "{mode:?}");
        assert_eq!(site.tunnelled(0) > before, is_tunnelled, "{mode:?}");
        assert!(site.reaches(0, OTHER), "{mode:?}");
    }
}

/// Policies name a machine by its address, so that pods must see it come from there: by itself, behind a Service whose
/// packets are masqueraded, and where machines drop what they have no way back for.
fn what_a_machine_says_to_pods_comes_from_its_own_address(family: Family) {
    for mode in [RouteMode::Auto, RouteMode::Vxlan] {
        let site = Site::build(family);
        let addresses = site.names.addresses;
        site.check_ways_back();
        site.keep_all(mode);
        for (from, to) in [(0, NEAR), (0, OTHER), (OTHER, 0)] {
            assert_eq!(site.seen_from(from, to), addresses[from], "{mode:?}: {from} to {to}");
        }
        site.masquerade(0);
        assert_eq!(site.seen_from(0, OTHER), addresses[0], "{mode:?}, masqueraded");
        assert!(site.reaches_machine(0, OTHER) && site.reaches_machine(OTHER, 0), "{mode:?}");
    }
}

fn what_leaves_or_is_taken_away_is_put_right(family: Family) {
    let site = Site::build(family);
    site.keep_all(RouteMode::Auto);
    for harm in [
        format!("ip {} route flush {}", site.names.flag, site.range(OTHER)).as_str(),
        "ip neighbour flush dev ringfort0 nud permanent",
        "bridge fdb flush dev ringfort0",
        "ip link set ringfort0 down",
        "ip link delete ringfort0",
    ] {
        site.on(0, harm);
        assert!(!site.reaches(0, OTHER), "`{harm}` did no harm");
        assert!(site.keep(0, RouteMode::Auto, &[0, NEAR, OTHER]) > 0, "`{harm}` was not seen");
        assert!(site.reaches(0, OTHER), "`{harm}` was not put right");
    }
    assert!(site.keep(0, RouteMode::Auto, &[0, NEAR]) > 0);
    assert!(site.reaches(0, NEAR) && !site.reaches(0, OTHER));
    assert!(!site.has_tunnel(0), "a tunnel to nobody stayed");
}

/// Who is outside and routes no pods answers them then; within the cluster they are seen at their own addresses.
fn pods_leave_by_their_machines_address_where_that_is_asked_for(family: Family) {
    for mode in [RouteMode::Auto, RouteMode::Vxlan] {
        let site = Site::build(family);
        let (own, outside) = (site.names.addresses[0], site.names.routers[0]);
        let table = format!("{} ringfort_masquerade", site.names.table);
        site.keep_all(mode);
        assert_eq!(site.pod_seen_at(0, outside), "", "{mode:?}: answered without");
        assert_eq!(site.keep_leaving(0, mode), 1, "{mode:?}");
        assert_eq!(site.keep_leaving(0, mode), 0, "{mode:?}: it is made twice");
        assert_eq!(site.pod_seen_at(0, outside), own, "{mode:?}");
        for harm in [
            format!("nft delete table {table}"),
            format!("nft flush chain {table} outside"),
            format!("nft insert rule {table} outside accept"),
            format!("nft add table {table} {{ flags dormant ; }}"),
        ] {
            site.on(0, &harm);
            assert_eq!(site.keep_leaving(0, mode), 1, "{mode:?}: `{harm}` was not seen");
            assert_eq!(site.pod_seen_at(0, outside), own, "{mode:?}: `{harm}`");
        }
        for to in [NEAR, OTHER] {
            for server in [site.names.addresses[to], &site.pod(to)] {
                assert_eq!(site.pod_seen_at(0, server), site.pod(0), "{mode:?}: {server}");
            }
        }
        assert_eq!(site.keep(0, mode, &[0, NEAR, OTHER]), 1, "{mode:?}: it stays");
        assert_eq!(site.pod_seen_at(0, outside), "", "{mode:?}: answered afterwards");
    }
}

/// Makes routes as the file says, and says how many changes it took.
fn keep(file: &Path) -> ExitCode {
    println!("{}", routes::once(file, &Root::new("/"), &HostTools).unwrap());
    ExitCode::SUCCESS
}

/// Sends back what it gets, and says at another port who asks.
fn serve() -> ExitCode {
    let asked = TcpListener::bind("[::]:7778").unwrap();
    std::thread::spawn(move || {
        for stream in asked.incoming() {
            let mut stream = stream.unwrap();
            // Sockets of IPv6 hear both families.
            let _ = write!(stream, "{}", stream.peer_addr().unwrap().ip().to_canonical());
        }
    });
    let listener = TcpListener::bind("[::]:7777").unwrap();
    println!("ready");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
    }
    ExitCode::SUCCESS
}

/// Prints as whom a pod sees this machine.
fn ask(server: SocketAddr) -> ExitCode {
    let patience = Duration::from_secs(2);
    let mut said = String::new();
    if let Ok(mut stream) = TcpStream::connect_timeout(&server, patience) {
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.read_to_string(&mut said).unwrap();
    }
    println!("{said}");
    ExitCode::SUCCESS
}

/// Sends more than one packet's worth and wants it back.
fn dial(server: SocketAddr) -> ExitCode {
    let patience = Duration::from_secs(2);
    let Ok(mut stream) = TcpStream::connect_timeout(&server, patience) else {
        return ExitCode::FAILURE;
    };
    stream.set_read_timeout(Some(patience)).unwrap();
    let (sent, mut back) = ([7; 16_384], [0; 16_384]);
    let came = stream.write_all(&sent).and_then(|()| stream.read_exact(&mut back));
    if came.is_ok() && back == sent { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
