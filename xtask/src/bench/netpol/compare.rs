//! Figures of several rounds beside each other. Pure.

use serde_json::{Value, json};

/// How many policies hold in a phase of a round.
pub(super) const COUNTS: [usize; 3] = [0, 10, 1_000];
/// From here on a difference between phases is called one, if every round shows it.
const NOTABLE: f64 = 0.05;

/// A figure of one round, for each of [`COUNTS`].
pub(super) type Round = [f64; 3];

/// Which end of a figure is the better one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Better {
    Less,
    More,
}

/// What several rounds found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Sums figures up; nothing, if there are none.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let (low, high) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Some(Self { median: (low + high) / 2.0, least, most })
    }

    /// Compares two phases within each round, so that what changes from round to round does not count.
    fn between(rounds: &[Round], over: usize, under: usize) -> Option<Self> {
        Self::of(rounds.iter().map(|round| round[over] / round[under]))
    }

    /// Says whether it got worse by more than rounds differ.
    fn is_worse(&self, better: Better) -> bool {
        match better {
            Better::Less => self.median > 1.0 + NOTABLE && self.least > 1.0,
            Better::More => self.median < 1.0 - NOTABLE && self.most < 1.0,
        }
    }

    fn words(&self) -> String {
        format!("×{:.2} ({:.2} to {:.2})", self.median, self.least, self.most)
    }
}

/// A figure of all rounds.
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    pub(super) rounds: Vec<Round>,
}

impl Figure {
    /// Writes it as a line, and says what grew with the number of policies, if it did.
    ///
    /// Without rounds nothing was measured, which is no absence of growth.
    pub(super) fn report(&self) -> (String, Option<String>) {
        let Self { what, unit, better, rounds } = self;
        let none = Spread::of(rounds.iter().map(|round| round[0]));
        let against = |over, under| Spread::between(rounds, over, under);
        let (Some(none), Some(few), Some(many), Some(growth)) =
            (none, against(1, 0), against(2, 0), against(2, 1))
        else {
            return (format!("  {what}: not measured"), Some(format!("{what}: not measured")));
        };
        let line = format!(
            "  {what:<56} {:.1} {unit} without policies; with 10 {}, with 1,000 {}; 1,000 against 10 {}",
            none.median,
            few.words(),
            many.words(),
            growth.words()
        );
        let worse = growth.is_worse(*better);
        (line, worse.then(|| format!("{what}: with 1,000 policies {} of 10", growth.words())))
    }
}

/// Gives policies for all pods of a namespace: the first one lets them talk at a port, the others let in and
/// out what is nobody's.
pub(super) fn policies(namespace: &str, port: u16, count: usize) -> Value {
    let policy = |number: usize| {
        let block = json!([{"ipBlock": {"cidr": format!("198.18.{}.{}/30", number / 64, number % 64 * 4)}}]);
        let peers = if number == 0 { json!([{"podSelector": {}}]) } else { block };
        let ports = json!([{"port": port}]);
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"namespace": namespace, "name": format!("bench-{number}")},
            "spec": {
                "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": peers, "ports": ports}],
                "egress": [{"to": peers, "ports": ports}],
            },
        })
    };
    json!({"apiVersion": "v1", "kind": "List", "items": (0..count).map(policy).collect::<Vec<_>>()})
}

/// Says whether an enforcer has rules in force that come from so many policies for each of some pods, as it
/// shows them.
pub(super) fn is_in_force(shown: &Value, pods: &[&str], policies: usize) -> bool {
    let is_closed_by = |pod: &Value| {
        ["egress", "ingress"].iter().all(|way| {
            pod[way]["closed_by"].as_array().is_some_and(|closed| closed.len() == policies)
        })
    };
    let all = shown["pods"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = |name: &&&str| all.iter().any(|pod| pod["pod"] == **name && is_closed_by(pod));
    shown["in_force"] == "shown" && pods.iter().filter(found).count() == pods.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Better, Figure, Spread, is_in_force, policies};

    #[test]
    fn a_spread_is_the_middle_and_both_ends() {
        let check = |figures: &[f64], median, least, most| {
            assert_eq!(Spread::of(figures.iter().copied()), Some(Spread { median, least, most }));
        };
        check(&[3.0], 3.0, 3.0, 3.0);
        check(&[3.0, 1.0], 2.0, 1.0, 3.0);
        check(&[9.0, 1.0, 2.0], 2.0, 1.0, 9.0);
        assert_eq!(Spread::of([]), None);
    }

    fn grew(better: Better, rounds: &[[f64; 3]]) -> bool {
        let rounds = rounds.to_vec();
        Figure { what: "it".to_owned(), unit: "µs", better, rounds }.report().1.is_some()
    }

    #[test]
    fn growth_is_what_every_round_shows() {
        assert!(grew(
            Better::Less,
            &[[100.0, 101.0, 120.0], [50.0, 52.0, 60.0], [99.0, 100.0, 110.0]]
        ));
        assert!(!grew(
            Better::Less,
            &[[100.0, 101.0, 120.0], [50.0, 52.0, 60.0], [99.0, 100.0, 98.0]]
        ));
        assert!(!grew(Better::Less, &[[100.0, 100.0, 104.0], [50.0, 50.0, 51.0]]), "too little");
        assert!(!grew(Better::Less, &[[100.0, 120.0, 121.0]]), "it is the first policy that costs");
        assert!(grew(Better::More, &[[10.0, 10.0, 8.0], [10.0, 9.9, 9.0]]));
        assert!(!grew(Better::More, &[[10.0, 10.0, 12.0], [10.0, 9.0, 9.9]]));
        assert!(grew(Better::Less, &[]), "nothing measured is no good news");
    }

    #[test]
    fn a_figure_is_compared_within_its_round() {
        let figure = Figure {
            what: "a connection".to_owned(),
            unit: "µs",
            better: Better::Less,
            rounds: vec![[100.0, 110.0, 110.0], [200.0, 210.0, 220.0], [400.0, 400.0, 400.0]],
        };
        let (line, grew) = figure.report();
        assert!(line.contains("200.0 µs without policies; with 10 ×1.05 (1.00 to 1.10)"), "{line}");
        assert!(line.contains("with 1,000 ×1.10 (1.00 to 1.10)") && grew.is_none(), "{line}");
    }

    #[test]
    fn policies_are_as_many_as_asked_for_and_no_two_mean_the_same() {
        let made = policies("bench", 5_000, 1_000);
        let items = made["items"].as_array().unwrap();
        let mut peers: Vec<String> =
            items.iter().map(|it| it["spec"]["ingress"].to_string()).collect();
        peers.sort_unstable();
        peers.dedup();
        assert_eq!((items.len(), peers.len()), (1_000, 1_000));
        assert_eq!(items[0]["spec"]["egress"][0]["to"], json!([{"podSelector": {}}]));
        assert_eq!(items[999]["spec"]["egress"][0]["to"][0]["ipBlock"]["cidr"], "198.18.15.156/30");
        assert_eq!(policies("bench", 1, 0)["items"], json!([]));
    }

    #[test]
    fn rules_are_in_force_where_every_pod_has_all_policies_and_nothing_is_left_to_do() {
        let shown = |in_force: &str, closed_by: &[&str]| {
            let way = json!({"closed_by": closed_by});
            json!({"in_force": in_force, "pods": [
                {"pod": "bench/server", "egress": way, "ingress": way},
                {"pod": "bench/client", "egress": {"closed_by": ["a"]}, "ingress": {"closed_by": ["a"]}},
            ]})
        };
        let both = ["bench/server", "bench/client"];
        assert!(is_in_force(&shown("shown", &["a"]), &both, 1));
        assert!(!is_in_force(&shown("older", &["a"]), &both, 1));
        assert!(!is_in_force(&shown("shown", &["a", "b"]), &both, 1));
        assert!(!is_in_force(&shown("shown", &["a"]), &["bench/other"], 1));
        assert!(is_in_force(&shown("shown", &[]), &["bench/server"], 0));
        assert!(!is_in_force(&json!({}), &both, 0));
    }
}
