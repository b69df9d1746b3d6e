//! Why conformance tests fail on a cluster of the default profile with the waivers of the run, where that is no
//! fault of it: each reason with what a test that fails for it has in its own output. A name alone explains
//! nothing, since a test that may fail for one reason would hide all others.

/// One reason.
pub(super) struct Entry {
    /// What a test has in its output, white space and escapes aside: one of these.
    pub(super) says: &'static [&'static str],
    /// Why that is no fault.
    pub(super) why: &'static str,
}

/// The whole ledger.
pub(super) const LEDGER: &[Entry] = &[
    Entry {
        says: &["with binding 'system-namespaces.ringfort.static.k8s.io' denied request"],
        why: "a webhook of its own would read kube-system: what lies there is changed by the cluster alone",
    },
    Entry {
        says: &[
            r#"cannot create resource "mutatingadmissionpolicies""#,
            r#"cannot create resource "mutatingadmissionpolicybindings""#,
            r#"cannot create resource "validatingadmissionpolicies""#,
            r#"cannot create resource "validatingadmissionpolicybindings""#,
        ],
        why: "it would decide what others may write",
    },
    Entry {
        says: &[
            r#"cannot create resource "flowschemas""#,
            r#"cannot create resource "prioritylevelconfigurations""#,
        ],
        why: "it would decide whose requests wait",
    },
    Entry {
        says: &[r#"cannot create resource "storageversionmigrations""#],
        why: "it would have everything of a kind written anew, whoever it belongs to",
    },
    Entry {
        says: &[
            r#"cannot create resource "clusterroles""#,
            r#"cannot impersonate resource "serviceaccounts""#,
        ],
        why: "it would give itself others' rights",
    },
    Entry {
        says: &[
            r#"cannot create resource "clustertrustbundles""#,
            r#"cannot create resource "podcertificaterequests""#,
            r#"cannot patch resource "certificatesigningrequests/approval""#,
        ],
        why: "it would decide whom pods trust, and who is whom",
    },
    Entry {
        says: &[r#"cannot create resource "nodes""#],
        why: "machines are the operator's, and a kubelet's own",
    },
    Entry {
        says: &[r#".example.com" in the namespace"#, r#".example.com" at the cluster scope"#],
        why: "it writes objects of a kind that it has just made: a role for groups that nobody knows beforehand would \
              be one for all groups",
    },
    Entry {
        says: &["request:OPTIONS | StatusCode:403"],
        why: "a role allows OPTIONS only together with every other verb",
    },
    Entry { says: &["Failed: Error: ErrImagePull"], why: "it asks a registry" },
    Entry {
        says: &["/bin/sh: line 1: /file: Read-only file system"],
        why: "the root is as closed as it wants; the shell of the image made here says so in other words",
    },
];

/// Gives the ledger's word for what a test that failed has in its output, as [`plain`] makes it.
pub(super) fn why(output: &str) -> Option<&'static str> {
    let entry = LEDGER.iter().find(|entry| entry.says.iter().any(|part| output.contains(part)));
    entry.map(|entry| entry.why)
}

/// Takes white space and escapes out of what a test wrote, which breaks lines where it likes.
pub(super) fn plain(output: &str) -> String {
    output.split_whitespace().collect::<Vec<_>>().join(" ").replace('\\', "")
}
