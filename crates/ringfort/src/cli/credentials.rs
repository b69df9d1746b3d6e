//! What proofs show to ports: ringfort's own certificates, and some that are wrong in one way. They live
//! in memory, for as long as a run.

use std::time::Duration;

use ringfort_forge::keyring::Keyring;
use ringfort_model::act::{Credential, Flaw, Speaker};
use ringfort_model::certificate::{Authority, Subject, Usage};
use ringfort_pki::{Ca, ClientIdentity, SignError, Signer};
use ringfort_prove::dial::{ClientPapers, Papers};

use super::Fault;
use super::session::now_s;
use super::up::keeper;

const LIFE: Duration = Duration::from_secs(3_600);
/// A certificate for the first moment of its authority's life is over when it is shown.
const MOMENT: Duration = Duration::from_secs(1);

const FLAWS: [Flaw; 5] =
    [Flaw::None, Flaw::Stranger, Flaw::Expired, Flaw::WrongUsage, Flaw::Unbound];

/// Makes everything that is shown.
pub fn papers(keyring: &Keyring) -> Result<Papers, Fault> {
    let facts = keyring.authorities().map_err(Fault::unable)?;
    let certificates =
        facts.into_iter().map(|(authority, facts)| (authority, facts.certificate_pem));
    let mut papers = Papers { authorities: certificates.collect(), ..Papers::default() };
    for authority in Authority::ALL {
        for flaw in FLAWS {
            let made = credential(keyring, authority, flaw).map_err(Fault::unable)?;
            let shown =
                ClientPapers { certificate_pem: made.certificate_pem, key_pem: made.key_pem };
            papers.credentials.insert(Credential { authority, flaw }, shown);
        }
    }
    Ok(papers)
}

/// All but one speak for who may do most: a port that looks at the name alone lets them in.
fn credential(
    keyring: &Keyring,
    authority: Authority,
    flaw: Flaw,
) -> Result<ClientIdentity, SignError> {
    let now = now_s();
    match flaw {
        Flaw::None => keyring.signer(authority, now)?.client(&keeper(), LIFE),
        Flaw::Unbound => {
            let nobody = Subject::user(Speaker::Unbound.user());
            keyring.signer(authority, now)?.client(&nobody, LIFE)
        }
        Flaw::WrongUsage => {
            keyring.signer(authority, now)?.identity(&keeper(), Usage::ServerAuth, LIFE)
        }
        Flaw::Expired => keyring.signer_at_birth(authority)?.client(&keeper(), MOMENT),
        Flaw::Stranger => {
            Signer::open(authority, &Ca::make(authority, now)?, now)?.client(&keeper(), LIFE)
        }
    }
}
