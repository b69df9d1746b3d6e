//! Sections 4.2 and 4.3: how kubelets and kube-proxy are set, whichever of flag, file and drop-in says so.

use std::net::SocketAddr;

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::component::value::Value;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Judgement};

use super::api_server::STRONG;
use super::{Ask, Kept, Row, automated, manual, second};
use crate::benchmark::say::{all, decide, each, spared, unknown};

const AUTHORIZE: Kept = Kept::By("access/kubelet-authorization");
const READY: Kept = Kept::By("ha/nodes-are-ready");
const NO_SIGNERS: Kept = Kept::Otherwise(
    "access/no-signers",
    "`ringfort up` renews certificates; nothing on a machine can sign any",
);

/// The rows of the kubelet.
#[rustfmt::skip]
pub(super) static KUBELET: &[Row] = &[
    automated("4.2.1", "Kubelets refuse requests without a name", AUTHORIZE, Ask::Kubelet(|k| switch(k, "authentication.anonymous.enabled", false))),
    automated("4.2.2", "Kubelets do not let everything through", AUTHORIZE, Ask::Kubelet(authorization)),
    automated("4.2.3", "Kubelets know whose client certificates count", AUTHORIZE, Ask::Kubelet(|k| set(k, &["authentication.x509.clientCAFile"]))),
    manual("4.2.4", "Kubelets tell nobody anything without asking who he is", AUTHORIZE, Ask::Kubelet(|k| number(k, "readOnlyPort", "0", |port| port == 0))),
    manual("4.2.5", "Idle streams end", READY, Ask::Kubelet(streams)),
    automated("4.2.6", "Kubelets keep the chains of iptables that Services need", Kept::Otherwise("node/kernel-settings", "kube-proxy and network policies use nftables, which need none"), Ask::Machine(chains)),
    manual("4.2.7", "Kubelets take the machine's own name", Kept::Otherwise("ha/nodes-are-ready", "nodes have the names of cluster.yaml, for which their certificates are made"), Ask::Machine(hostname)),
    second(manual("4.2.8", "Enough events are recorded", READY, Ask::Kubelet(|k| number(k, "eventRecordQPS", "50, or 0 for no limit", |rate| rate == 0 || rate >= 5)))),
    manual("4.2.9", "Kubelets show a certificate that was made for them", AUTHORIZE, Ask::Kubelet(serving)),
    automated("4.2.10", "Kubelets renew their client certificates", NO_SIGNERS, Ask::Kubelet(renewal)),
    manual("4.2.11", "Kubelets renew their serving certificates", NO_SIGNERS, Ask::Kubelet(rotation)),
    manual("4.2.12", "Kubelets speak strong ciphers only", Kept::By("network/tls-1-3"), Ask::Kubelet(ciphers)),
    manual("4.2.13", "A pod cannot use up a machine's processes", Kept::By("node/process-limit"), Ask::Kubelet(|k| number(k, "podPidsLimit", "a number above 0", |limit| limit > 0))),
    manual("4.2.14", "Containers get the runtime's seccomp profile by default", Kept::By("workload/seccomp"), Ask::Kubelet(|k| switch(k, "seccompDefault", true))),
];

/// The row of kube-proxy.
#[rustfmt::skip]
pub(super) static PROXY: &[Row] = &[
    manual("4.3.1", "kube-proxy tells its figures to its own machine only", Kept::By("network/loopback-only"), Ask::Settings(Component::Proxy, metrics)),
];

pub(super) fn switch(kubelet: &Kubelet, path: &str, wanted: bool) -> Judgement {
    let seen = kubelet.boolean(path).known()?.clone();
    let said = format!("{path} of the kubelet is {}", seen.value);
    decide(&seen, seen.value == wanted, &said, &format!("{path}: {wanted}"))
}

fn number(kubelet: &Kubelet, path: &str, fix: &str, is_good: fn(i64) -> bool) -> Judgement {
    let seen = kubelet.number(path).known()?.clone();
    let said = format!("{path} of the kubelet is {}", seen.value);
    decide(&seen, is_good(seen.value), &said, &format!("{path}: {fix}"))
}

fn set(kubelet: &Kubelet, paths: &[&str]) -> Judgement {
    all(paths.iter().map(|path| {
        let seen = kubelet.text(path).known()?.clone();
        let said = match seen.value.is_empty() {
            true => format!("{path} of the kubelet is not set"),
            false => format!("{path} of the kubelet is {}", seen.value),
        };
        decide(&seen, !seen.value.is_empty(), &said, &format!("set {path}"))
    }))
}

fn authorization(kubelet: &Kubelet) -> Judgement {
    let seen = kubelet.text("authorization.mode").known()?.clone();
    let said = format!("authorization.mode of the kubelet is {}", seen.value);
    decide(&seen, seen.value == "Webhook", &said, "authorization.mode: Webhook")
}

fn streams(kubelet: &Kubelet) -> Judgement {
    let path = "streamingConnectionIdleTimeout";
    let seen = kubelet.value(path).known()?.clone();
    let Value::Nanoseconds(span) = seen.value else {
        return unknown(format!("{path} is no time"), format!("a time for {path}"));
    };
    let said = format!("{path} of the kubelet is {} s", span / 1_000_000_000);
    decide(&seen, span > 0, &said, &format!("{path}: 1h"))
}

/// Chains of iptables are for who writes rules of iptables: kube-proxy in another mode needs none.
fn chains(machine: &Machine<'_>) -> Judgement {
    let path = "makeIPTablesUtilChains";
    let judge = |kubelet: &Kubelet| {
        let seen = kubelet.boolean(path).known()?.clone();
        let said = format!("{path} of the kubelet is {}", seen.value);
        if !seen.value && is_nftables(machine)? {
            return spared(format!("{said}, and kube-proxy here uses nftables, which needs none"));
        }
        decide(&seen, seen.value, &said, &format!("{path}: true"))
    };
    each(machine, Component::Kubelet, || machine.kubelets(), judge)
}

fn is_nftables(machine: &Machine<'_>) -> Result<bool, Gap> {
    let proxies = machine.running(Component::Proxy)?;
    for proxy in &proxies {
        if proxy.text("proxy-mode").known()?.value != "nftables" {
            return Ok(false);
        }
    }
    Ok(!proxies.is_empty())
}

/// Another name than the machine's own is one for which no certificate may be made; where the kubelet's is
/// made for it, they belong together.
fn hostname(machine: &Machine<'_>) -> Judgement {
    let judge = |kubelet: &Kubelet| {
        let seen = kubelet.settings.text("hostname-override").known()?.clone();
        if seen.value.is_empty() {
            return decide(&seen, true, "--hostname-override of the kubelet is not set", "");
        }
        let said = format!("--hostname-override of the kubelet is {}", seen.value);
        match certified(machine, kubelet, &seen.value)? {
            Some(path) => decide(&seen, true, &format!("{said}, for which {path} is made"), ""),
            None => decide(&seen, false, &said, "leave --hostname-override out"),
        }
    };
    each(machine, Component::Kubelet, || machine.kubelets(), judge)
}

/// Names the certificate that a kubelet shows, if it is made for a node of this name.
fn certified(machine: &Machine<'_>, kubelet: &Kubelet, name: &str) -> Result<Option<String>, Gap> {
    let named = kubelet.text("tlsCertFile").known()?.value.clone();
    if named.is_empty() {
        return Ok(None);
    }
    let path = machine.place(Component::Kubelet, &named)?;
    let Some(certificate) = machine.certificate(path)? else { return Ok(None) };
    let node = format!("system:node:{name}");
    Ok((certificate.value.subject.common_name == node).then(|| path.to_owned()))
}

/// Who gets certificates from the API renews them there. Where they come from elsewhere, the benchmark leaves
/// their renewal to who makes them.
fn renewal(kubelet: &Kubelet) -> Judgement {
    let path = "rotateCertificates";
    let seen = kubelet.boolean(path).known()?.clone();
    let asks = kubelet.settings.text("bootstrap-kubeconfig").known()?.clone();
    if !seen.value && asks.value.is_empty() {
        return spared("the kubelet gets no certificate from the API: who makes it renews it");
    }
    let said = format!("{path} of the kubelet is {}", seen.value);
    decide(&seen, seen.value, &said, &format!("{path}: true"))
}

/// A certificate that the kubelet makes for itself is one that nobody can check.
fn serving(kubelet: &Kubelet) -> Judgement {
    let bootstrap = kubelet.boolean("serverTLSBootstrap").known()?.clone();
    match bootstrap.value {
        true => decide(&bootstrap, true, "serverTLSBootstrap of the kubelet is true", ""),
        false => set(kubelet, &["tlsCertFile", "tlsPrivateKeyFile"]),
    }
}

fn rotation(kubelet: &Kubelet) -> Judgement {
    let gates = kubelet.value("featureGates").known()?.clone();
    let Value::Gates(over) = &gates.value else {
        return unknown("featureGates of the kubelet is no map", "a map of gates");
    };
    if over.get("RotateKubeletServerCertificate") == Some(&false) {
        let said = "the gate RotateKubeletServerCertificate of the kubelet is switched off";
        return decide(&gates, false, said, "leave the gate out");
    }
    let bootstrap = kubelet.boolean("serverTLSBootstrap").known()?.clone();
    let own = kubelet.text("tlsCertFile").known()?.clone();
    if !bootstrap.value && !own.value.is_empty() {
        return spared(format!("{} is renewed by who made it, not by the kubelet", own.value));
    }
    let said = format!("serverTLSBootstrap of the kubelet is {}", bootstrap.value);
    decide(&bootstrap, bootstrap.value, &said, "serverTLSBootstrap: true")
}

fn ciphers(kubelet: &Kubelet) -> Judgement {
    let least = kubelet.text("tlsMinVersion").known()?.clone();
    if least.value == "VersionTLS13" {
        return decide(&least, true, "tlsMinVersion of the kubelet is VersionTLS13", "");
    }
    let seen = kubelet.value("tlsCipherSuites").known()?.clone();
    let Value::List(suites) = &seen.value else {
        return unknown("tlsCipherSuites of the kubelet is no list", "a list of suites");
    };
    let weak: Vec<&str> =
        suites.iter().map(String::as_str).filter(|it| !STRONG.contains(it)).collect();
    let said = match (suites.is_empty(), weak.is_empty()) {
        (true, _) => "tlsCipherSuites of the kubelet is not set".to_owned(),
        (false, true) => "tlsCipherSuites of the kubelet names strong ones only".to_owned(),
        (false, false) => format!("tlsCipherSuites of the kubelet names {}", weak.join(", ")),
    };
    let holds = !suites.is_empty() && weak.is_empty();
    decide(&seen, holds, &said, "tlsMinVersion: VersionTLS13, or name strong suites only")
}

fn metrics(proxy: &Settings) -> Judgement {
    let seen = proxy.text("metrics-bind-address").known()?.clone();
    let said = format!("kube-proxy's metrics-bind-address is {}", seen.value);
    let is_loopback = match seen.value.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        // Without a port it is an address alone; what is neither is no loopback that is known.
        Err(_) => seen.value.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback()),
    };
    decide(&seen, is_loopback, &said, "metricsBindAddress: 127.0.0.1:10249")
}
