//! What a rule looks for: fields with what they may hold.

use std::collections::BTreeSet;

use serde_json::Value;

use super::field::{Field, Kind, LISTS};

/// Something that an event either is or is not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// All of these.
    All(Vec<Test>),
    /// One of these.
    Any(Vec<Test>),
    /// Not this.
    Not(Box<Test>),
    /// A field holds one of these.
    Is(Field, Vec<Wanted>),
}

/// What a field may hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// This text, with `*` for anything and `?` for one letter; capitals count only where that is asked.
    Text {
        /// The pattern.
        pattern: String,
        /// Whether capitals count.
        cased: bool,
    },
    /// Something that this regular expression finds a part of.
    Regex(String),
    /// A number that stands so to this one.
    Number(&'static str, i64),
    /// This, either way.
    Bool(bool),
    /// Anything at all, or nothing.
    There(bool),
}

impl Test {
    pub(super) fn all(tests: Vec<Self>) -> Self {
        Self::one(tests, Self::All)
    }

    pub(super) fn any(tests: Vec<Self>) -> Self {
        Self::one(tests, Self::Any)
    }

    fn one(mut tests: Vec<Self>, many: fn(Vec<Self>) -> Self) -> Self {
        if tests.len() == 1 { tests.remove(0) } else { many(tests) }
    }

    /// The values that a field has to have one of, where there is a list of them.
    pub(super) fn only(&self, of: &Field) -> Option<BTreeSet<String>> {
        match self {
            Self::All(tests) => {
                let mut lists = tests.iter().filter_map(|test| test.only(of));
                let first = lists.next()?;
                Some(lists.fold(first, |one, other| &one & &other))
            }
            Self::Any(tests) => {
                let lists: Option<Vec<_>> = tests.iter().map(|test| test.only(of)).collect();
                Some(lists?.into_iter().flatten().collect())
            }
            Self::Not(_) => None,
            Self::Is(field, wanted) if field == of => wanted.iter().map(Wanted::exact).collect(),
            Self::Is(..) => None,
        }
    }

    /// Whether it reads the object of a request.
    pub(super) fn reads_object(&self) -> bool {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().any(Self::reads_object),
            Self::Not(test) => test.reads_object(),
            Self::Is(field, _) => matches!(field, Field::Object(_)),
        }
    }

    /// Writes it as an expression.
    pub(super) fn cel(&self) -> String {
        let joined =
            |tests: &[Self], by: &str| tests.iter().map(Self::bound).collect::<Vec<_>>().join(by);
        match self {
            Self::All(tests) => joined(tests, " && "),
            Self::Any(tests) => joined(tests, " || "),
            Self::Not(test) => format!("!{}", test.bound()),
            Self::Is(Field::Event(name, kind), wanted) => of_event(name, *kind, wanted),
            Self::Is(Field::Object(path), wanted) => in_object("object", path, wanted, 0),
        }
    }

    /// The same as a part of another expression.
    fn bound(&self) -> String {
        format!("({})", self.cel())
    }
}

impl Wanted {
    /// The one text that fits, in small letters as Kubernetes writes it.
    fn exact(&self) -> Option<String> {
        match self {
            Self::Text { pattern, .. } if !pattern.contains(['*', '?', '\\']) => {
                Some(pattern.to_lowercase())
            }
            _ => None,
        }
    }
}

fn of_event(name: &str, kind: Kind, wanted: &[Wanted]) -> String {
    let exact: Option<Vec<String>> = wanted.iter().map(Wanted::exact).collect();
    let each = |value: &str| any(wanted, &|one| on_text(value, one));
    match (kind, exact) {
        (Kind::Small, Some(exact)) if exact.len() == 1 => {
            format!("{name} == {}", quoted(&exact[0]))
        }
        (Kind::Small, Some(exact)) => {
            let list: Vec<String> = exact.iter().map(|text| quoted(text)).collect();
            format!("{name} in [{}]", list.join(", "))
        }
        (Kind::Small | Kind::Text, _) => each(name),
        (Kind::Texts, _) => match wanted {
            [Wanted::There(is)] => format!("{name}.size() {} 0", if *is { ">" } else { "==" }),
            _ => format!("{name}.exists(each, {})", each("each")),
        },
        (Kind::Number, _) => any(wanted, &|one| on_number(name, one)),
    }
}

/// Walks down an object; where there is a list, one of its items has to fit.
fn in_object(from: &str, path: &[String], wanted: &[Wanted], depth: usize) -> String {
    let list = path.iter().position(|part| LISTS.contains(&part.as_str()));
    let way = |parts: &[String]| -> String {
        let steps: String = parts.iter().map(|part| format!(".?{part}")).collect();
        format!("{from}{steps}")
    };
    match list {
        Some(at) => {
            let (above, below) = path.split_at(at + 1);
            let item = format!("item{depth}");
            let within = match below.is_empty() {
                true => at_the_end(&item, wanted),
                false => in_object(&item, below, wanted, depth + 1),
            };
            format!("{}.orValue([]).exists({item}, {within})", way(above))
        }
        None => at_the_end(&format!("{}.orValue(null)", way(path)), wanted),
    }
}

/// A value itself, or one of a list of them.
fn at_the_end(value: &str, wanted: &[Wanted]) -> String {
    let itself = any(wanted, &|one| on_value(value, one));
    if wanted.iter().any(|one| matches!(one, Wanted::There(_))) {
        return itself;
    }
    let each = any(wanted, &|one| on_value("each", one));
    format!("{itself} || (type({value}) == list && {value}.exists(each, {each}))")
}

fn any(wanted: &[Wanted], write: &dyn Fn(&Wanted) -> String) -> String {
    wanted.iter().map(write).collect::<Vec<_>>().join(" || ")
}

fn on_text(value: &str, wanted: &Wanted) -> String {
    match wanted {
        Wanted::There(is) => format!("{value} {} ''", if *is { "!=" } else { "==" }),
        Wanted::Number(sign, number) => format!("{value} {sign} '{number}'"),
        Wanted::Bool(is) => format!("{value} == '{is}'"),
        _ => format!("{value}.matches({})", quoted(&regex(wanted))),
    }
}

fn on_number(value: &str, wanted: &Wanted) -> String {
    match wanted {
        Wanted::Number(sign, number) => format!("{value} {sign} {number}"),
        Wanted::There(is) => format!("{value} {} 0", if *is { "!=" } else { "==" }),
        _ => format!("string({value}).matches({})", quoted(&regex(wanted))),
    }
}

/// Of a part of an object neither is known: whether it is there, and of what kind.
fn on_value(value: &str, wanted: &Wanted) -> String {
    match wanted {
        Wanted::There(is) => format!("{value} {} null", if *is { "!=" } else { "==" }),
        Wanted::Number(sign, number) => {
            format!("(type({value}) == int && {value} {sign} {number})")
        }
        Wanted::Bool(is) => format!("{value} == {is}"),
        _ => format!("(type({value}) == string && {value}.matches({}))", quoted(&regex(wanted))),
    }
}

fn regex(wanted: &Wanted) -> String {
    let (pattern, cased) = match wanted {
        Wanted::Regex(text) => return text.clone(),
        Wanted::Text { pattern, cased } => (pattern.as_str(), *cased),
        Wanted::Number(..) | Wanted::Bool(_) | Wanted::There(_) => ("", true),
    };
    let mut text = String::from(if cased { "(?s)^" } else { "(?is)^" });
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            // Before a star, a question mark or itself it takes what is special from it.
            '\\' if letters.peek().is_some_and(|next| ['*', '?', '\\'].contains(next)) => {
                text.push('\\');
                text.extend(letters.next());
            }
            _ if letter.is_alphanumeric() || letter == '_' || !letter.is_ascii() => {
                text.push(letter);
            }
            _ if letter.is_control() => text.push(letter),
            _ => text.extend(['\\', letter]),
        }
    }
    text + "$"
}

/// Writes a text for an expression.
fn quoted(text: &str) -> String {
    let mut said = String::from("'");
    for letter in text.chars() {
        match letter {
            '\\' | '\'' => said.extend(['\\', letter]),
            '\n' => said.push_str("\\n"),
            '\r' => said.push_str("\\r"),
            '\t' => said.push_str("\\t"),
            _ => said.push(letter),
        }
    }
    said + "'"
}

/// Reads one of the parts that a condition names.
pub(super) fn selection(part: &Value) -> Result<Test, String> {
    match part {
        Value::Object(fields) => {
            let tests = fields.iter().map(|(name, value)| field(name, value));
            match tests.collect::<Result<Vec<_>, _>>()? {
                tests if tests.is_empty() => Err("it is empty".to_owned()),
                tests => Ok(Test::all(tests)),
            }
        }
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            items.iter().map(selection).collect::<Result<Vec<_>, _>>().map(Test::any)
        }
        _ => Err("it looks for words anywhere in an event".to_owned()),
    }
}

fn field(name: &str, value: &Value) -> Result<Test, String> {
    let mut words = name.split('|');
    let field = Field::read(words.next().unwrap_or_default())?;
    let mut how = How::default();
    for word in words {
        match word {
            "contains" => (how.before, how.behind) = (true, true),
            "startswith" => how.behind = true,
            "endswith" => how.before = true,
            "all" => how.is_all = true,
            "cased" => how.cased = true,
            "re" => how.is_regex = true,
            "exists" => how.is_there = true,
            "lt" => how.sign = "<",
            "lte" => how.sign = "<=",
            "gt" => how.sign = ">",
            "gte" => how.sign = ">=",
            other => return Err(format!("{name}: {other} cannot be said")),
        }
    }
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let wanted = values.iter().map(|value| how.wanted(&field, value));
    let wanted = wanted.collect::<Result<Vec<_>, _>>().map_err(|why| format!("{name}: {why}"))?;
    match (how.is_all, wanted.is_empty()) {
        (_, true) => Err(format!("{name}: there is nothing to look for")),
        (false, _) => Ok(Test::Is(field, wanted)),
        (true, _) => {
            let each = wanted.into_iter().map(|one| Test::Is(field.clone(), vec![one]));
            Ok(Test::all(each.collect()))
        }
    }
}

/// How values are compared.
struct How {
    before: bool,
    behind: bool,
    cased: bool,
    is_all: bool,
    is_regex: bool,
    is_there: bool,
    sign: &'static str,
}

impl Default for How {
    fn default() -> Self {
        Self {
            before: false,
            behind: false,
            cased: false,
            is_all: false,
            is_regex: false,
            is_there: false,
            sign: "==",
        }
    }
}

impl How {
    fn wanted(&self, field: &Field, value: &Value) -> Result<Wanted, String> {
        let is_number = matches!(field, Field::Event(_, Kind::Number));
        match value {
            Value::Bool(is) if self.is_there => Ok(Wanted::There(*is)),
            _ if self.is_there => Err("exists is yes or no".to_owned()),
            Value::Null => Ok(Wanted::There(false)),
            Value::Bool(is) => Ok(Wanted::Bool(*is)),
            Value::Number(number) => {
                let number = number.as_i64().ok_or("only whole numbers can be said")?;
                Ok(Wanted::Number(self.sign, number))
            }
            Value::String(text) if self.sign != "==" || (is_number && !self.is_regex) => {
                let number = text.parse();
                let number = number.map_err(|_| format!("{text:?} is no number"))?;
                Ok(Wanted::Number(self.sign, number))
            }
            Value::String(text) if self.is_regex => Ok(Wanted::Regex(text.clone())),
            Value::String(text) if text == "*" => Ok(Wanted::There(true)),
            Value::String(text) if text.is_empty() => Ok(Wanted::There(false)),
            Value::String(text) => {
                let star = |is: bool| if is { "*" } else { "" };
                let pattern = format!("{}{text}{}", star(self.before), star(self.behind));
                Ok(Wanted::Text { pattern, cased: self.cased })
            }
            _ => Err("only texts and numbers can be looked for".to_owned()),
        }
    }
}
