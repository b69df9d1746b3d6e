//! What has no TLS is listed: the name servers answer at the ports of the list, in their pods, and policies let others
//! ask for names alone.

use std::collections::BTreeSet;

use ringfort_controls::network::loopback_only::OF_NAME_SERVERS;
use ringfort_model::act::Protocol;
use ringfort_model::version::Minor;
use serde_json::Value;

use crate::whole;

const NAMES: u16 = 53;

/// The port that a line of the Corefile opens: its own, or the plugin's (<https://coredns.io/plugins/>).
fn opened(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace().filter(|word| *word != "{");
    let (first, at) = (words.next()?, words.next());
    let address = match first {
        "health" => at.unwrap_or(":8080"),
        "ready" => at.unwrap_or(":8181"),
        "prometheus" => at.unwrap_or(":9153"),
        zone if zone.contains(':') => zone,
        _ => return None,
    };
    address.rsplit_once(':')?.1.parse().ok()
}

/// The ports of a list, each with what it is asked over.
fn ports(list: &Value) -> BTreeSet<(u16, String)> {
    let port = |it: &Value| {
        let number = it.get("port").or_else(|| it.get("containerPort"))?.as_u64()?;
        Some((u16::try_from(number).ok()?, it["protocol"].as_str()?.to_owned()))
    };
    list.as_array().into_iter().flatten().filter_map(port).collect()
}

#[test]
fn the_name_servers_answer_where_the_list_says_and_nowhere_else() {
    let listed: BTreeSet<u16> = OF_NAME_SERVERS.iter().map(|(port, ..)| *port).collect();
    let spoken = |protocol: &Protocol| match protocol {
        Protocol::Tcp => "TCP".to_owned(),
        Protocol::Udp => "UDP".to_owned(),
    };
    let of_names = OF_NAME_SERVERS.iter().filter(|(port, ..)| *port == NAMES);
    let asked: BTreeSet<(u16, String)> =
        of_names.flat_map(|(_, over, _)| over.iter().map(|it| (NAMES, spoken(it)))).collect();
    for minor in Minor::ALL {
        let blueprint = whole(minor);
        let of = |kind: &str, name: &str| {
            let is_it = |it: &&Value| it["kind"] == kind && it["metadata"]["name"] == name;
            blueprint.objects.iter().map(|it| &it.object).find(is_it).unwrap()
        };
        let corefile = of("ConfigMap", "coredns")["data"]["Corefile"].as_str().unwrap();
        assert_eq!(corefile.lines().filter_map(opened).collect::<BTreeSet<_>>(), listed);
        let pod = &of("Deployment", "coredns")["spec"]["template"]["spec"];
        assert!(pod["hostNetwork"].is_null(), "{minor}");
        assert_eq!(ports(&pod["containers"][0]["ports"]), asked, "{minor}");
        assert_eq!(ports(&of("Service", "kube-dns")["spec"]["ports"]), asked, "{minor}");
        let ingress = &of("NetworkPolicy", "kube-dns")["spec"]["ingress"];
        assert_eq!(ports(&ingress[0]["ports"]), asked, "{minor}");
        assert_eq!(ingress.as_array().map(Vec::len), Some(1), "{minor}");
    }
}
