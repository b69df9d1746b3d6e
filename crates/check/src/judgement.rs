//! What comes of judging an object by a guideline.

use ringfort_model::judgement::Gap;

use crate::fault::{Fault, Remedy, Unreadable};
use crate::place::{Field, Place};

/// What comes of judging an object by a guideline, with the places that it rests on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// It is kept.
    Pass(Rests),
    /// It is not kept, at least once. That stands whatever could not be read besides.
    Fail(Vec<Finding>),
    /// It asks nothing of the object, for this reason.
    NotApplicable(&'static str),
    /// Something could not be read, at least once, and the rest does not decide it.
    Unknown(Vec<Missing>),
}

/// Places that a judgement rests on: at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rests(Vec<Spot>);

impl Rests {
    /// Rests on places; `None` where there is none to rest on.
    pub(crate) fn on(spots: Vec<Spot>) -> Option<Self> {
        (!spots.is_empty()).then_some(Self(spots))
    }

    /// Gives the places.
    pub fn spots(&self) -> &[Spot] {
        &self.0
    }
}

/// A place in one of the objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spot {
    /// The number of the object.
    pub object: usize,
    /// The JSON pointer that begins at its document.
    pub pointer: String,
}

/// A place where a guideline is not kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The number of the object.
    pub object: usize,
    /// What is wrong there.
    pub fault: Fault,
    /// The kind of the object that should be there and is not, where that is what is wrong.
    pub absent: Option<&'static str>,
}

/// Something that could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The number of the object.
    pub object: usize,
    /// The JSON pointer to it, which begins at its document.
    pub pointer: String,
    /// What is missing, and what would supply it.
    pub gap: Gap,
}

/// What a guideline's judge writes down while it looks at an object.
///
/// Who looks at a place says one thing of it. What is not said of any place is no pass.
#[derive(Debug)]
pub(crate) struct Sheet {
    object: usize,
    passed: Vec<Spot>,
    failed: Vec<Finding>,
    missing: Vec<Missing>,
    spared: &'static str,
}

impl Sheet {
    pub(crate) fn new(object: usize) -> Self {
        Self {
            object,
            passed: Vec::new(),
            failed: Vec::new(),
            missing: Vec::new(),
            spared: "it has nothing that this is about",
        }
    }

    /// Says that a place is as it should be.
    pub(crate) fn pass(&mut self, place: &Place<'_>) {
        self.passed.push(Spot { object: self.object, pointer: place.pointer() });
    }

    /// Says it of a place in another object, by which this one is as it should be.
    pub(crate) fn pass_in(&mut self, object: usize, place: &Place<'_>) {
        self.passed.push(Spot { object, pointer: place.pointer() });
    }

    /// Says that a place is not as it should be.
    pub(crate) fn fail(&mut self, place: &Place<'_>, remedy: Remedy) {
        self.fault(Fault::new(place, remedy));
    }

    /// Says it of a place whose value nobody else should see.
    pub(crate) fn fail_covered(&mut self, place: &Place<'_>, remedy: Remedy) {
        self.fault(Fault { pointer: place.pointer(), found: Some("\"…\"".to_owned()), remedy });
    }

    /// Says it with a fault that was found already.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.failed.push(Finding { object: self.object, fault, absent: None });
    }

    /// Says it of a place in another object.
    pub(crate) fn fail_in(&mut self, object: usize, place: &Place<'_>, remedy: Remedy) {
        self.failed.push(Finding { object, fault: Fault::new(place, remedy), absent: None });
    }

    /// Says that an object of a kind should be there, and shows who needs it.
    pub(crate) fn absent(&mut self, kind: &'static str, place: &Place<'_>, remedy: Remedy) {
        let fault = Fault::new(place, remedy);
        self.failed.push(Finding { object: self.object, fault, absent: Some(kind) });
    }

    /// Says that a place cannot be read.
    pub(crate) fn unread(&mut self, place: &Place<'_>) {
        self.missing(place, unread(place));
    }

    /// Says it by a pointer, and what stands there.
    pub(crate) fn unread_at(&mut self, pointer: String, found: &str) {
        let said = format!("{found} says nothing that can be judged");
        let gap = Gap { said, closes: FILL_IN.to_owned() };
        self.missing.push(Missing { object: self.object, pointer, gap });
    }

    /// Says that something is not known of a place.
    pub(crate) fn missing(&mut self, place: &Place<'_>, gap: Gap) {
        self.missing.push(Missing { object: self.object, pointer: place.pointer(), gap });
    }

    /// Says it of a place in another object that cannot be read.
    pub(crate) fn unread_in(&mut self, object: usize, place: &Place<'_>) {
        self.missing.push(Missing { object, pointer: place.pointer(), gap: unread(place) });
    }

    /// Says why nothing is asked, in case nothing else is said.
    pub(crate) fn spare(&mut self, reason: &'static str) {
        self.spared = reason;
    }

    /// Says of a place what follows from what stands there.
    pub(crate) fn expect<T>(
        &mut self,
        place: &Place<'_>,
        field: Field<T>,
        is_good: impl FnOnce(Option<T>) -> bool,
        remedy: Remedy,
    ) {
        let is_good = match field {
            Field::Unreadable => return self.unread(place),
            Field::Absent => is_good(None),
            Field::Is(value) => is_good(Some(value)),
        };
        match is_good {
            true => self.pass(place),
            false => self.fail(place, remedy),
        }
    }

    /// Comes to a judgement. Where the object itself cannot be read, nothing passes.
    pub(crate) fn judged(mut self, unreadable: &[Unreadable]) -> Judgement {
        if !self.failed.is_empty() {
            return Judgement::Fail(self.failed);
        }
        if !self.passed.is_empty() || !self.missing.is_empty() {
            let object = self.object;
            let of_object = |it: &Unreadable| Missing {
                object,
                pointer: it.pointer.clone(),
                gap: Gap { said: it.why.clone(), closes: FILL_IN.to_owned() },
            };
            self.missing.extend(unreadable.iter().map(of_object));
        }
        match (self.missing.is_empty(), Rests::on(self.passed)) {
            (false, _) => Judgement::Unknown(self.missing),
            (true, Some(rests)) => Judgement::Pass(rests),
            (true, None) => Judgement::NotApplicable(self.spared),
        }
    }
}

fn unread(place: &Place<'_>) -> Gap {
    let said = match place.value() {
        Field::Is(_) if place.is_covered() => {
            "what stands here says nothing that can be judged".to_owned()
        }
        Field::Is(value) => format!("{value} says nothing that can be judged"),
        _ => "what stands here cannot be read".to_owned(),
    };
    Gap { said, closes: FILL_IN.to_owned() }
}

const FILL_IN: &str = "write what Kubernetes takes, or judge what the template makes";
