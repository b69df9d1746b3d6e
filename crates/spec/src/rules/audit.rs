//! Rules about the section `audit`: that a webhook can be found without a name server, that a syslog server is known
//! by who signed its certificate or openly by nobody, and that somebody may change something.

use crate::audit::{SyslogTransport, WrittenChange, WrittenSyslog, WrittenWebhook};
use crate::parsed::Parsed;
use crate::report::Problem;

pub(super) fn look(parsed: &Parsed) -> Vec<Problem> {
    let audit = &parsed.written.audit;
    let mut problems = Vec::new();
    for (index, change) in audit.changes.iter().enumerate() {
        problems.extend(change.iter().flat_map(|change| nobody(parsed, index, change)));
    }
    problems.extend(audit.tell.webhook.as_ref().and_then(|it| webhook(parsed, it)));
    problems.extend(audit.tell.syslog.iter().flat_map(|it| syslog(parsed, it)));
    problems
}

/// Nobody who may change something, or nothing that somebody may change, says nothing.
fn nobody(parsed: &Parsed, index: usize, change: &WrittenChange) -> Vec<Problem> {
    let fields = [("who", &change.who, "nobody"), ("what", &change.what, "nothing")];
    let empty = fields.into_iter().filter(|(_, list, _)| list.as_ref().is_some_and(Vec::is_empty));
    empty
        .map(|(field, _, named)| {
            let at = parsed.key_at(&format!("/audit/changes/{index}/{field}"));
            let problem = Problem::new("no-change", at, format!("this change names {named}"));
            problem.help("write `who` and `what` of it, or remove it")
        })
        .collect()
}

const WEBHOOK: &str = "/audit/tell/webhook";

fn webhook(parsed: &Parsed, webhook: &WrittenWebhook) -> Option<Problem> {
    let url = webhook.url.as_ref()?;
    let path = format!("{WEBHOOK}/address");
    match (url.address(), webhook.address) {
        (None, None) if parsed.sound(&path) => {
            let at = parsed.value_at(&format!("{WEBHOOK}/url"));
            let message = format!("control planes ask no name server for {}", url.host);
            let problem = Problem::new("needs-address", at, message);
            Some(problem.help("write its address beside it, such as `address: 10.0.0.50`"))
        }
        (Some(named), Some(written)) if named != written => {
            let message = format!("the URL says {named}, and this says {written}");
            let problem = Problem::new("two-addresses", parsed.value_at(&path), message);
            Some(problem.help("remove one of the two"))
        }
        _ => None,
    }
}

const SYSLOG: &str = "/audit/tell/syslog";

fn syslog(parsed: &Parsed, syslog: &WrittenSyslog) -> Vec<Problem> {
    if !parsed.sound(&format!("{SYSLOG}/transport")) {
        return Vec::new();
    }
    if syslog.transport == SyslogTransport::Tls {
        let path = format!("{SYSLOG}/ca");
        if syslog.ca.is_some() || !parsed.sound(&path) {
            return Vec::new();
        }
        let message = "nothing says who may have signed the server's certificate";
        let problem = Problem::new("needs-ca", parsed.key_at(&path), message);
        return vec![
            problem.help("write `ca: FILE`, or `transport: udp` if anybody may read and forge it"),
        ];
    }
    let unused = [("name", syslog.name.is_some()), ("ca", syslog.ca.is_some())];
    let unused = unused.into_iter().filter(|(_, is_there)| *is_there);
    unused
        .map(|(field, _)| {
            let at = parsed.key_at(&format!("{SYSLOG}/{field}"));
            let message = format!("nobody looks at `{field}`: datagrams have no certificate");
            let problem = Problem::new("unused-field", at, message);
            problem.help("remove it, or write `transport: tls`")
        })
        .collect()
}
