//! Manifests that are made up, always the same ones: about two kilobytes each, as people write them. Pure.

/// Writes the manifest of a number. Of eight, one is a NetworkPolicy, one a Service with its account, and
/// the rest workloads, of which one in four has faults.
pub(super) fn manifest(number: usize) -> String {
    let namespace = format!("team-{}", number / 64);
    match number % 8 {
        0 => policy(&namespace, number),
        1 => service(&namespace, number),
        kind => workload(
            &namespace,
            number,
            if kind == 2 || number % 32 == 3 { Care::Little } else { Care::Much },
        ),
    }
}

#[derive(Clone, Copy)]
enum Care {
    Much,
    Little,
}

fn policy(namespace: &str, number: usize) -> String {
    let rules: String = (0..24)
        .map(|rule| {
            format!(
                "  - from:\n    - podSelector: {{ matchLabels: {{ app: caller-{rule} }} }}\n    ports: [{{ port: {} }}]\n",
                8000 + rule
            )
        })
        .collect();
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: policy-{number}, namespace: {namespace} }}\n\
         spec:\n  podSelector: {{}}\n  policyTypes: [Ingress, Egress]\n  ingress:\n{rules}"
    )
}

fn service(namespace: &str, number: usize) -> String {
    let ports: String = (0..32)
        .map(|port| {
            format!(
                "  - {{ name: port-{port}, port: {}, targetPort: {} }}\n",
                9000 + port,
                9000 + port
            )
        })
        .collect();
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{ name: app-{number}, namespace: {namespace} }}\n\
         automountServiceAccountToken: false\n---\napiVersion: v1\nkind: Service\n\
         metadata: {{ name: app-{number}, namespace: {namespace} }}\nspec:\n  selector: {{ app: app-{number} }}\n  ports:\n{ports}"
    )
}

fn workload(namespace: &str, number: usize, care: Care) -> String {
    let digest = format!("{number:064x}");
    let (security, image) = match care {
        Care::Much => (SECURE, format!("registry.example/app@sha256:{digest}")),
        Care::Little => {
            ("        securityContext: { privileged: true }\n", "app:latest".to_owned())
        }
    };
    let env: String = (0..20)
        .map(|at| {
            format!("        - name: SETTING_{at}\n          value: value-{at}-of-{number}\n")
        })
        .collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\n  namespace: {namespace}\n  labels:\n    \
         app: app-{number}\nspec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app: app-{number}\n  template:\n    \
         metadata:\n      labels:\n        app: app-{number}\n    spec:\n      serviceAccountName: app-{number}\n      \
         automountServiceAccountToken: false\n      securityContext:\n        runAsNonRoot: true\n        \
         runAsUser: 10001\n        runAsGroup: 10001\n        seccompProfile:\n          type: RuntimeDefault\n      \
         containers:\n      - name: app\n        image: {image}\n        imagePullPolicy: Always\n{security}        \
         readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }} }}\n        \
         livenessProbe: {{ httpGet: {{ path: /live, port: 8080 }} }}\n        resources:\n          \
         requests: {{ cpu: 100m, memory: 64Mi, ephemeral-storage: 64Mi }}\n          \
         limits: {{ cpu: 200m, memory: 128Mi, ephemeral-storage: 64Mi }}\n        env:\n{env}"
    )
}

const SECURE: &str = "        securityContext:\n          privileged: false\n          allowPrivilegeEscalation: false\n          \
                      readOnlyRootFilesystem: true\n          capabilities:\n            drop: [ALL]\n";

#[cfg(test)]
mod tests {
    use super::manifest;

    #[test]
    fn manifests_are_the_same_every_time_and_about_two_kilobytes() {
        let all: Vec<String> = (0..256).map(manifest).collect();
        assert_eq!(all, (0..256).map(manifest).collect::<Vec<_>>());
        let mean = all.iter().map(String::len).sum::<usize>() / all.len();
        assert!((1_700..2_300).contains(&mean), "{mean}");
        let with = |text: &str| all.iter().filter(|it| it.contains(text)).count();
        assert_eq!((with("kind: NetworkPolicy"), with("kind: Service\n")), (32, 32));
        assert!(with("privileged: true") > 32 && with("privileged: false") > 128);
    }
}
