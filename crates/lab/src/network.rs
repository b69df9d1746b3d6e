//! The network of a lab as text for `ip` and `nft`: one bridge in a name space of its own, one
//! port for each machine, and rules that drop frames between machines that are cut. Pure.

use std::net::IpAddr;

use ringfort_model::name::NodeName;
use ringfort_model::net::Family;

use crate::record::Cut;
use crate::shape::{Machine, hardware_address_of_hub, hub, prefix_bits};

/// The script that switches IPv6 on in a name space: a host may keep it out of new ones, and a
/// machine of metal comes with it.
pub(crate) const IPV6_ON: &str = "\
for which in all default; do
  setting=/proc/sys/net/ipv6/conf/$which/disable_ipv6
  grep -qx 0 $setting || echo 0 >$setting
done";

/// The `ip -batch` lines that make the bridge, run in the lab's name space.
///
/// The bridge's hardware address is fixed, else it would follow the ports that come and go.
pub(crate) fn hub_lines(family: Family) -> String {
    let hardware = hardware_address_of_hub();
    let address = address_line(hub(family), "br0");
    format!(
        "link set lo up\n\
         link add br0 address {hardware} type bridge\n\
         {address}\
         link set br0 up\n"
    )
}

/// An address of IPv6 is used at once: nobody else has it, and to ask for others takes a second
/// in which nothing can listen on it.
fn address_line(address: IpAddr, device: &str) -> String {
    let family = Family::of(address);
    let bits = prefix_bits(family);
    let at_once = match family {
        Family::V4 => "",
        Family::V6 => " nodad",
    };
    format!("addr add {address}/{bits} dev {device}{at_once}\n")
}

/// The lines that plug a machine in, run in the lab's name space; `pid` is a process of the
/// machine's name space.
pub(crate) fn port_lines(machine: &Machine, pid: u32) -> String {
    let (port, hardware) = (machine.port(), machine.hardware_address());
    format!(
        "link add {port} type veth peer name eth0 address {hardware} netns {pid}\n\
         link set {port} master br0 up\n"
    )
}

/// The lines that make the port of a virtual machine, run in the lab's name space: its QEMU opens it
/// there, and the machine itself gives its end an address.
pub(crate) fn virtual_port_lines(machine: &Machine) -> String {
    let port = machine.port();
    format!("tuntap add dev {port} mode tap\nlink set {port} master br0 up\n")
}

/// The lines that give a machine its address, run in the machine's name space.
pub(crate) fn machine_lines(machine: &Machine) -> String {
    let address = address_line(machine.address, "eth0");
    let hub = hub(Family::of(machine.address));
    format!(
        "link set lo up\n\
         {address}\
         link set eth0 up\n\
         route add default via {hub}\n"
    )
}

/// The whole rule set that stands for some cuts; loading it replaces the one before at once.
///
/// Rules name ports of the bridge, not addresses, so that broadcasts and traffic of pods are cut
/// as well, in both families, and a machine that comes back is still cut.
pub(crate) fn cut_rules<'a>(
    cuts: impl IntoIterator<Item = &'a Cut>,
    machines: &[Machine],
) -> String {
    let port_of =
        |name: &NodeName| machines.iter().find(|machine| machine.name == *name).map(Machine::port);
    let (mut forward, mut arriving, mut leaving) = (String::new(), String::new(), String::new());
    for cut in cuts {
        let ports: Vec<String> = cut.machines().into_iter().filter_map(port_of).collect();
        match ports.as_slice() {
            [one, other] => {
                forward += &format!("  iifname \"{one}\" oifname \"{other}\" drop\n");
                forward += &format!("  iifname \"{other}\" oifname \"{one}\" drop\n");
            }
            [one] => {
                forward += &format!("  iifname \"{one}\" drop\n  oifname \"{one}\" drop\n");
                arriving += &format!("  iifname \"{one}\" drop\n");
                leaving += &format!("  oifname \"{one}\" drop\n");
            }
            _ => {}
        }
    }
    let chain = |hook: &str, rules: &str| {
        format!(
            " chain {hook} {{\n  type filter hook {hook} priority 0; policy accept;\n{rules} }}\n"
        )
    };
    let chains =
        [chain("forward", &forward), chain("input", &arriving), chain("output", &leaving)].concat();
    format!("table bridge cuts\ndelete table bridge cuts\ntable bridge cuts {{\n{chains}}}\n")
}

#[cfg(test)]
mod tests {
    use ringfort_model::name::NodeName;
    use ringfort_model::net::Family;

    use super::{cut_rules, hub_lines, machine_lines, port_lines, virtual_port_lines};
    use crate::record::Cut;
    use crate::shape::Shape;

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn drops(cuts: &[Cut]) -> Vec<String> {
        let rules = cut_rules(cuts, &Shape::new(2, 1).unwrap().machines());
        let lines = rules.lines().filter(|line| line.ends_with("drop") || line.contains("hook"));
        lines.map(|line| line.trim().replace("type filter ", "")).collect()
    }

    #[test]
    fn a_whole_network_drops_nothing() {
        assert!(drops(&[]).iter().all(|line| line.starts_with("hook")));
    }

    #[test]
    fn a_cut_between_two_goes_both_ways_and_leaves_the_operator() {
        assert_eq!(
            drops(&[Cut::between(node("w1"), node("cp2")).unwrap()]),
            [
                "hook forward priority 0; policy accept;",
                "iifname \"v-cp2\" oifname \"v-w1\" drop",
                "iifname \"v-w1\" oifname \"v-cp2\" drop",
                "hook input priority 0; policy accept;",
                "hook output priority 0; policy accept;",
            ]
        );
    }

    #[test]
    fn a_machine_alone_is_cut_from_the_operator_too() {
        assert_eq!(
            drops(&[Cut::Alone(node("cp1"))]),
            [
                "hook forward priority 0; policy accept;",
                "iifname \"v-cp1\" drop",
                "oifname \"v-cp1\" drop",
                "hook input priority 0; policy accept;",
                "iifname \"v-cp1\" drop",
                "hook output priority 0; policy accept;",
                "oifname \"v-cp1\" drop",
            ]
        );
    }

    #[test]
    fn a_port_is_made_with_the_machines_own_hardware_address() {
        let machine = &Shape::new(1, 0).unwrap().machines()[0];
        assert_eq!(
            port_lines(machine, 42),
            "link add v-cp1 type veth peer name eth0 address 02:00:0a:4d:00:0b netns 42\n\
             link set v-cp1 master br0 up\n"
        );
        assert_eq!(
            machine_lines(machine),
            "link set lo up\n\
             addr add 10.77.0.11/24 dev eth0\n\
             link set eth0 up\n\
             route add default via 10.77.0.1\n"
        );
    }

    #[test]
    fn addresses_of_ipv6_are_the_only_ones_and_used_at_once() {
        let machine = &Shape::new(1, 0).unwrap().over(Family::V6).machines()[0];
        assert_eq!(
            machine_lines(machine),
            "link set lo up\n\
             addr add fd00:10:77::11/64 dev eth0 nodad\n\
             link set eth0 up\n\
             route add default via fd00:10:77::1\n"
        );
        let hub = |family| hub_lines(family).lines().nth(2).map(str::to_owned).unwrap();
        assert_eq!(hub(Family::V4), "addr add 10.77.0.1/24 dev br0");
        assert_eq!(hub(Family::V6), "addr add fd00:10:77::1/64 dev br0 nodad");
    }

    #[test]
    fn cuts_name_no_addresses_and_so_cut_both_families() {
        let cuts = [Cut::between(node("w1"), node("cp2")).unwrap(), Cut::Alone(node("cp1"))];
        let rules = |family| cut_rules(&cuts, &Shape::new(2, 1).unwrap().over(family).machines());
        assert_eq!(rules(Family::V4), rules(Family::V6));
        assert!(rules(Family::V6).starts_with("table bridge cuts\n"));
    }

    #[test]
    fn a_virtual_machines_port_has_the_name_that_cuts_know() {
        let machine = &Shape::new(1, 0).unwrap().machines()[0];
        assert_eq!(
            virtual_port_lines(machine),
            "tuntap add dev v-cp1 mode tap\nlink set v-cp1 master br0 up\n"
        );
    }
}
