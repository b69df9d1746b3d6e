//! Sections 4.2 and 4.3: how kubelets and kube-proxy are set, whichever of flag, file and drop-in says so.

use std::net::SocketAddr;

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::component::value::Value;
use ringfort_model::judgement::Judgement;

use super::api_server::STRONG;
use super::{Ask, Kept, Row, automated, manual, second};
use crate::benchmark::say::{all, decide, spared, unknown};

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
    automated("4.2.6", "Kubelets keep the chains of iptables that Services need", Kept::Otherwise("node/kernel-settings", "kube-proxy and network policies use nftables, which need none"), Ask::Kubelet(|k| switch(k, "makeIPTablesUtilChains", true))),
    manual("4.2.7", "Kubelets take the machine's own name", Kept::Otherwise("ha/nodes-are-ready", "nodes have the names of cluster.yaml, for which their certificates are made"), Ask::Kubelet(hostname)),
    second(manual("4.2.8", "Enough events are recorded", READY, Ask::Kubelet(|k| number(k, "eventRecordQPS", "50, or 0 for no limit", |rate| rate == 0 || rate >= 5)))),
    manual("4.2.9", "Kubelets show a certificate that was made for them", AUTHORIZE, Ask::Kubelet(serving)),
    automated("4.2.10", "Kubelets renew their client certificates", NO_SIGNERS, Ask::Kubelet(|k| switch(k, "rotateCertificates", true))),
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

fn switch(kubelet: &Kubelet, path: &str, wanted: bool) -> Judgement {
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

fn hostname(kubelet: &Kubelet) -> Judgement {
    let seen = kubelet.settings.text("hostname-override").known()?.clone();
    let said = match seen.value.is_empty() {
        true => "--hostname-override of the kubelet is not set".to_owned(),
        false => format!("--hostname-override of the kubelet is {}", seen.value),
    };
    decide(&seen, seen.value.is_empty(), &said, "leave --hostname-override out")
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
