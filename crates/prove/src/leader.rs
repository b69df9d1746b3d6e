//! Who leads the members of etcd, as one of them says.

use std::collections::BTreeMap;

use ringfort_host::Host;

use crate::etcd::{field, health, status};
use crate::machine::run;

/// Asks this machine's member for its own number and that of its leader, if it has caught up with the others and takes
/// writes.
pub(crate) async fn leads(host: &Host) -> Result<BTreeMap<String, String>, String> {
    let said = run(host, &format!("{} && {}", health(), status())).await?;
    read(&String::from_utf8_lossy(&said))
}

/// Reads what etcdctl says of one member.
fn read(said: &str) -> Result<BTreeMap<String, String>, String> {
    let number = |name: &str| field(said, name).map(|number| number.to_string());
    let (member, leader) = (number("MemberID")?, number("Leader")?);
    Ok([("member".to_owned(), member), ("leader".to_owned(), leader)].into())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_member_tells_its_number_and_its_leaders() {
        let said = "https://127.0.0.1:2379 is healthy: successfully committed proposal: took = 4ms\n\
                    \"ClusterID\" : 17237436991929493444\n\"MemberID\" : 9372538179322589801\n\
                    \"Revision\" : 7\n\"Version\" : \"3.7.0\"\n\"Leader\" : 10501334649042878790\n\
                    \"IsLearner\" : false\n";
        let read_of = read(said).unwrap();
        assert_eq!(read_of["member"], "9372538179322589801");
        assert_eq!(read_of["leader"], "10501334649042878790");
        assert!(read("").unwrap_err().contains("MemberID"));
        assert!(read("\"MemberID\" : 7\n").unwrap_err().contains("Leader"));
    }
}
