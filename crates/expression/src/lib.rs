//! Expressions in CEL, of admission policies and of people's own detections, evaluated as API servers do: the one
//! room that names the guest `cel`.
//!
//! What the guest does not know, such as the authorizer, addresses or quantities, is an error like any other, and
//! an error is never an answer.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cel::objects::Map;
use cel::parser::PrattParser;
use cel::{Context, Env, IdedExpr, Value, extensions};
use serde_json::Value as Json;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings).expect("the libraries declare nothing twice");
    Arc::new(env)
});

/// An expression that was read, or why it cannot be.
#[derive(Debug)]
pub struct Expression {
    text: String,
    program: Result<IdedExpr, String>,
}

impl Expression {
    /// Reads an expression.
    pub fn read(text: &str) -> Self {
        let first_line =
            |said: String| said.lines().next().unwrap_or("it cannot be read").to_owned();
        // The guest's other parser would bring its tables along.
        let parser = PrattParser::new().enable_optional_syntax(true);
        let program = parser.parse(text).map_err(|errors| first_line(errors.to_string()));
        Self { text: text.to_owned(), program }
    }

    /// Says why it cannot be read, if so.
    pub fn fault(&self) -> Option<&str> {
        self.program.as_ref().err().map(String::as_str)
    }

    /// Gives what it comes to.
    fn value(&self, scope: &Scope) -> Result<Value, String> {
        let program = self.program.as_ref().map_err(Clone::clone)?;
        let broken = scope.broken.iter().find(|(name, _)| self.text.contains(name.as_str()));
        if let Some((name, why)) = broken {
            return Err(format!("variables.{name}: {why}"));
        }
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (name, value) in &scope.bound {
            context.add_variable_from_value(*name, value.clone());
        }
        context.add_variable_from_value("variables", map(scope.variables.clone()));
        Value::resolve(program, &context).map_err(|error| error.to_string())
    }

    /// Gives whether it holds.
    ///
    /// # Errors
    /// It cannot be read or evaluated, or is neither true nor false.
    pub fn holds(&self, scope: &Scope) -> Result<bool, String> {
        match self.value(scope)? {
            Value::Bool(holds) => Ok(holds),
            _ => Err("it is neither true nor false".to_owned()),
        }
    }
}

/// Whether a regular expression finds a part of a text, as expressions have it.
///
/// # Errors
/// It is no regular expression.
pub fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    let mut scope = Scope::default();
    scope.bind("text", &text.into());
    scope.bind("pattern", &pattern.into());
    Expression::read("text.matches(pattern)").holds(&scope)
}

/// What expressions may name.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    bound: Vec<(&'static str, Value)>,
    variables: BTreeMap<String, Value>,
    /// Variables that cannot be evaluated, each with why.
    broken: Vec<(String, String)>,
}

impl Scope {
    /// Lets expressions name a value.
    pub fn bind(&mut self, name: &'static str, value: &Json) {
        self.bound.push((name, read(value)));
    }

    /// Lets expressions name a variable of their policy. Whoever names one that cannot be evaluated cannot be
    /// evaluated either, even by asking whether it is there.
    pub fn define(&mut self, name: &str, expression: &Expression) {
        match expression.value(self) {
            Ok(value) => {
                self.variables.insert(name.to_owned(), value);
            }
            Err(why) => self.broken.push((name.to_owned(), why)),
        }
    }
}

/// Reads numbers as API servers do: whole ones are `int`.
fn read(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(part)) => Value::Float(part),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(read).collect::<Vec<_>>()),
        Json::Object(fields) => map(fields.iter().map(|(key, value)| (key.clone(), read(value)))),
    }
}

fn map(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    let entries = entries.into_iter().map(|(key, value)| (key.into(), value));
    Value::Map(Map { map: Arc::new(entries.collect()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Expression, Scope};

    fn holds(text: &str) -> Result<bool, String> {
        let mut scope = Scope::default();
        let object = json!({"spec": {"a": 1, "on": true, "list": [{"name": "x"}, {"name": "y"}],
            "labels": {"a.b/c": "d"}}});
        scope.bind("object", &object);
        scope.bind("oldObject", &json!(null));
        scope.define("names", &Expression::read("object.spec.list.map(it, it.name)"));
        scope.define("broken", &Expression::read("object.spec.nothing"));
        Expression::read(text).holds(&scope)
    }

    #[test]
    fn expressions_come_to_what_they_say() {
        for text in [
            "object.spec.a + 1 == 2",
            "has(object.spec.on) && object.spec.on && !has(object.spec.off)",
            "object.spec.list.all(it, it.name in ['x', 'y'])",
            "object.spec.list.exists_one(it, it.name == 'x')",
            "object.spec.labels['a.b/c'].startsWith('d')",
            "'a.b/c' in object.spec.labels && oldObject == null",
            "variables.names == ['x', 'y']",
            "object.spec.?off.orValue('x') == 'x'",
            "'a-b'.split('-').size() == 2 && 'A'.lowerAscii() == 'a'",
            "'x1'.matches('^x[0-9]$')",
            "object.spec.on || object.spec.nothing",
            "object.spec.list.filter(it, it.name == 'x').size() == 1",
        ] {
            assert_eq!(holds(text), Ok(true), "{text}");
        }
        assert_eq!(holds("object.spec.a > 1"), Ok(false));
    }

    /// An evaluation error is no answer: neither a pass nor a refusal.
    #[test]
    fn what_cannot_be_evaluated_is_an_error() {
        for text in [
            "object.spec.nothing == 1",
            "object.spec.nothing",
            "variables.broken == 1",
            "!has(variables.broken)",
            "variables.?broken.orValue(1) == 1",
            "authorizer.group('').resource('pods').check('get').allowed()",
            "isQuantity('1Gi')",
            "quantity('1Gi').isGreaterThan(quantity('1Mi'))",
            "ip('10.0.0.1').family() == 4",
            "object.spec.a",
            "object.spec.a ==",
            "nobody == 1",
            "'1' == 1 + 'x'",
            "object.spec.list.find('x') == 'x'",
        ] {
            assert!(holds(text).is_err(), "{text}: {:?}", holds(text));
        }
    }
}
