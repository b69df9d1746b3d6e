//! What follows from each standing, from founding to loss.

use super::{
    BTreeMap, BTreeSet, Data, Founding, FoundingState, IpAddr, Member, Next, NodeName, Remember,
    Standing, next, peer_url,
};

fn node(number: u8) -> NodeName {
    NodeName::new(format!("cp{number}")).unwrap()
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

fn member(number: u8) -> Member {
    Member {
        id: number.to_string(),
        name: node(number).to_string(),
        peer_urls: vec![peer_url(address(number))],
        learner: false,
        unheard: false,
    }
}

fn learner(number: u8) -> Member {
    Member { name: String::new(), learner: true, ..member(number) }
}

/// A cluster of three whose etcd runs.
struct Case {
    planes: Vec<u8>,
    data: BTreeMap<u8, Data>,
    members: Option<Vec<Member>>,
    answering: Vec<u8>,
    founded: Vec<u8>,
    state: FoundingState,
    started: Vec<u8>,
}

fn case() -> Case {
    Case {
        planes: vec![1, 2, 3],
        data: [1, 2, 3].map(|number| (number, Data::Held)).into(),
        members: Some([1, 2, 3].map(member).into()),
        answering: vec![1, 2, 3],
        founded: vec![1, 2, 3],
        state: FoundingState::New,
        started: vec![1, 2, 3],
    }
}

fn check(change: impl Fn(&mut Case), expected: &str) {
    let mut case = case();
    change(&mut case);
    let all = |number: &u8| (node(*number), peer_url(address(*number)));
    let members: Vec<_> = [1, 2, 3].iter().map(all).collect();
    let founding = Founding { state: case.state, members };
    let lists = case.data.iter().filter(|(_, data)| **data == Data::Held).map(|(number, _)| {
        let list = case.members.clone().filter(|_| case.answering.contains(number));
        (node(*number), list)
    });
    let found = next(&Standing {
        control_planes: &case.planes.iter().map(|n| (node(*n), address(*n))).collect(),
        data: &case.data.iter().map(|(number, data)| (node(*number), *data)).collect(),
        lists: &lists.collect(),
        foundings: &case.founded.iter().map(|n| (node(*n), founding.clone())).collect(),
        started: &case.started.iter().map(|n| node(*n)).collect::<BTreeSet<_>>(),
    });
    assert_eq!(short(&found), expected);
}

fn short(next: &Next) -> String {
    match next {
        Next::Settled { again } => format!("settled, again: {again}"),
        Next::Remember(Remember::Founding { node, founding }) => {
            let state = founding.as_ref().map(|founding| {
                let all: Vec<_> = founding.members.iter().map(|(n, _)| n.as_str()).collect();
                format!("{:?} {}", founding.state, all.join(" "))
            });
            format!("remember {node}: {}", state.unwrap_or_else(|| "nothing".to_owned()))
        }
        Next::Change { through, act } => format!("{through}: {act:?}"),
        Next::Refuse(refusals) => format!("refuse: {}", refusals[0]),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_whole_cluster_is_left_alone() {
    check(|_| (), "settled, again: false");
}

#[test]
fn the_first_members_begin_together() {
    let fresh = |case: &mut Case| {
        case.data = [1, 2, 3].map(|number| (number, Data::Lost)).into();
        case.started.clear();
        case.founded.clear();
    };
    check(fresh, "remember cp1: New cp1 cp2 cp3");
    let half = move |case: &mut Case| {
        fresh(case);
        case.founded = vec![1, 2, 3];
        case.answering.clear();
        case.data.insert(1, Data::Held);
    };
    check(half, "settled, again: false");
    // The same sight later in a cluster's life means that two of three lost their data.
    let lost = move |case: &mut Case| {
        half(case);
        case.started = vec![1, 2, 3];
    };
    check(
        lost,
        "refuse: 1 of 3 members of etcd would be left, which is no majority: bring control planes that still have their data back first, or restore a backup",
    );
}

#[test]
fn a_member_that_lost_its_data_joins_anew() {
    let wiped = |case: &mut Case| {
        case.data.insert(3, Data::Lost);
    };
    check(wiped, "cp1: Remove { id: \"3\" }");
    let removed = move |case: &mut Case| {
        wiped(case);
        case.members = Some([1, 2].map(member).into());
    };
    check(removed, "remember cp3: Existing cp1 cp2 cp3");
    let remembered = move |case: &mut Case| {
        removed(case);
        case.state = FoundingState::Existing;
        case.started = vec![1, 2];
    };
    check(
        remembered,
        "cp1: AddLearner { node: NodeName(\"cp3\"), peer_url: \"https://10.0.0.3:2380\" }",
    );
    let announced = move |case: &mut Case| {
        remembered(case);
        case.members.as_mut().unwrap().push(learner(3));
    };
    check(announced, "settled, again: false");
    // Nobody answers: those with data come first, the one without does not begin again.
    let silent = move |case: &mut Case| {
        wiped(case);
        case.answering.clear();
    };
    check(silent, "remember cp3: nothing");
}

#[test]
fn a_replacement_joins_before_the_other_leaves() {
    let replaced = |case: &mut Case| {
        case.planes = vec![1, 2, 4];
        case.data = [(1, Data::Held), (2, Data::Held), (4, Data::Lost)].into();
    };
    check(replaced, "remember cp3: nothing");
    let joined = move |case: &mut Case| {
        replaced(case);
        case.founded = vec![1, 2, 4];
        case.data.insert(4, Data::Held);
        case.members.as_mut().unwrap().push(member(4));
    };
    check(joined, "cp1: Remove { id: \"3\" }");
    let learning = move |case: &mut Case| {
        joined(case);
        case.members = Some([member(1), member(2), member(3), learner(4)].into());
        case.state = FoundingState::Existing;
    };
    check(learning, "settled, again: true");
}

#[test]
fn who_is_dead_leaves_before_another_joins() {
    let dead = |unheard: [bool; 2]| {
        let list = |unheard| {
            let last = Member { unheard, ..member(3) };
            Some(vec![member(1), member(2), last])
        };
        next(&Standing {
            control_planes: &[1, 2, 4].map(|number| (node(number), address(number))).into(),
            data: &[(1, Data::Held), (2, Data::Held), (4, Data::Lost)]
                .map(|(number, data)| (node(number), data))
                .into(),
            lists: &[(node(1), list(unheard[0])), (node(2), list(unheard[1]))].into(),
            foundings: &BTreeMap::new(),
            started: &BTreeSet::new(),
        })
    };
    assert_eq!(short(&dead([true, true])), "cp1: Remove { id: \"3\" }");
    // One that hears it is right: connections end one by one.
    for heard in [[true, false], [false, true], [false, false]] {
        assert_eq!(short(&dead(heard)), "remember cp1: Existing cp1 cp2 cp3", "{heard:?}");
    }
}

#[test]
fn who_leaves_waits_until_those_that_stay_answer() {
    let silent = |case: &mut Case| {
        case.planes = vec![1, 2];
        case.data = [1, 2].map(|number| (number, Data::Held)).into();
        case.answering = vec![1];
        case.founded = vec![1, 2];
    };
    check(silent, "settled, again: true");
    let answering = move |case: &mut Case| {
        silent(case);
        case.answering = vec![1, 2];
    };
    check(answering, "cp1: Remove { id: \"3\" }");
    let unseen = move |case: &mut Case| {
        silent(case);
        case.data.remove(&2);
    };
    check(
        unseen,
        "refuse: 1 of 2 members of etcd would be left, which is no majority: bring control planes that still have their data back first, or restore a backup",
    );
}

#[test]
fn what_would_cost_the_quorum_is_refused() {
    let two_gone = |case: &mut Case| {
        case.data.insert(2, Data::Lost);
        case.data.insert(3, Data::Lost);
        case.answering.clear();
    };
    check(
        two_gone,
        "refuse: 1 of 3 members of etcd would be left, which is no majority: bring control planes that still have their data back first, or restore a backup",
    );
    let stranger = |case: &mut Case| case.members = Some([1, 2].map(member).into());
    check(
        stranger,
        "refuse: cp3: it holds data of an etcd member that the cluster does not know: if nothing of it is needed, stop kubelet there, end its etcd, empty /var/lib/etcd and run again",
    );
}

#[test]
fn a_cluster_that_lost_all_its_data_is_never_founded_anew() {
    let emptied = |case: &mut Case| {
        case.data = [1, 2, 3].map(|number| (number, Data::Lost)).into();
        case.answering.clear();
    };
    let said = "refuse: no control plane of the spec holds data of etcd, though it ran on cp1, cp2, cp3: look whether /var/lib/etcd is only not mounted, or restore a backup; exchange control planes one by one; to lose the data and begin anew, run `ringfort reset` first";
    check(emptied, said);
    // Who cannot be asked may still hold it.
    let unseen = move |case: &mut Case| {
        emptied(case);
        case.data.remove(&2);
    };
    check(
        unseen,
        "refuse: 0 of 3 members of etcd would be left, which is no majority: bring control planes that still have their data back first, or restore a backup",
    );
    let given_up = move |case: &mut Case| {
        emptied(case);
        case.founded.clear();
        case.started.clear();
    };
    check(given_up, "remember cp1: New cp1 cp2 cp3");
}

#[test]
fn members_that_disagree_are_asked_again() {
    let lists = BTreeMap::from([
        (node(1), Some(vec![member(1), member(2)])),
        (node(2), Some(vec![member(2)])),
    ]);
    let standing = Standing {
        control_planes: &BTreeMap::from([1, 2].map(|number| (node(number), address(number)))),
        data: &BTreeMap::from([1, 2].map(|number| (node(number), Data::Held))),
        lists: &lists,
        foundings: &BTreeMap::new(),
        started: &BTreeSet::new(),
    };
    assert_eq!(next(&standing), Next::Disagree);
}
