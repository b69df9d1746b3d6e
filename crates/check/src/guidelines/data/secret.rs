//! What looks like a secret: by its name, by its shape, or by a shape that its site tells of.

use crate::admission;
use crate::judgement::Sheet;
use crate::place::Field;
use crate::world::Objects;
use ringfort_model::judgement::Gap;

/// Shapes that values of secrets have at a site, as regular expressions.
pub(super) struct Shapes {
    each: Vec<String>,
    /// One that finds what any of them does: it is asked once for each value.
    any: String,
}

impl Shapes {
    /// Gives those that a site tells of; of what cannot be read, the sheet says so.
    pub(super) fn of(objects: &Objects<'_>, sheet: &mut Sheet) -> Self {
        let mut each = Vec::new();
        objects.each_agreed(|number, agreed| {
            let told = agreed.entry("secretValues");
            if told.list() == Field::Unreadable {
                sheet.unread_in(number, &told);
            }
            for shape in told.items() {
                match shape.word() {
                    // Between brackets what is none by itself may be one.
                    Field::Is(word) if admission::matches(word, "").is_ok() => {
                        each.push(word.to_owned());
                    }
                    _ => sheet.unread_in(number, &shape),
                }
            }
        });
        let groups: Vec<String> = each.iter().map(|shape| format!("(?:{shape})")).collect();
        Self { any: groups.join("|"), each }
    }

    /// Whether a value is a private key or a token, whatever its name is, or has one of these shapes.
    ///
    /// # Errors
    /// A shape cannot be compared with it.
    pub(super) fn fit(&self, value: &str) -> Result<bool, Gap> {
        if is_secret_value(value) {
            return Ok(true);
        }
        if self.each.is_empty() {
            return Ok(false);
        }
        if let Ok(fits) = admission::matches(&self.any, value) {
            return Ok(fits);
        }
        // Where one takes what follows for its own, each is asked by itself.
        let mut wrong = None;
        for shape in &self.each {
            match admission::matches(shape, value) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(_) => wrong = Some(shape),
            }
        }
        wrong.map_or(Ok(false), |shape| {
            Err(Gap {
                said: format!("{shape:?} under secretValues cannot be compared with it"),
                closes: "put secretValues of the Conventions right".to_owned(),
            })
        })
    }
}

/// Whether a name speaks of a secret and not of where it is or what holds of it.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let has_pair =
        |pair: &[&str; 2]| words.windows(2).any(|it| it[0] == pair[0] && it[1] == pair[1]);
    let is_about = words.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    let is_secret = words.iter().any(|word| SECRET.contains(&word.as_str()))
        || KEYS.iter().any(has_pair)
        || words == ["key"];
    is_secret && !is_about
}

/// Whether a value is a private key or a token.
fn is_secret_value(value: &str) -> bool {
    let is_key = value.split("-----BEGIN ").skip(1).any(|rest| {
        rest.split_once("-----").is_some_and(|(kind, _)| kind.ends_with("PRIVATE KEY"))
    });
    let words: Vec<&str> = value.split_whitespace().collect();
    // RFC 6750, 2.1; the word is written in any case.
    let is_bearer = matches!(words[..], [first, _] if first.eq_ignore_ascii_case("bearer"));
    let is_credential = is_web_token(value.trim()) || value.split(is_apart).any(is_cloud_key);
    is_key || is_bearer || is_credential
}

/// Three parts of base64, the first of which begins a JSON object with a name (RFC 7519).
fn is_web_token(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let is_part = |part: &&str| {
        part.len() > 8 && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_=".contains(&it))
    };
    parts.len() == 3 && parts[0].starts_with("eyJ") && parts.iter().all(is_part)
}

/// An access key id of AWS.
fn is_cloud_key(word: &str) -> bool {
    let rest = word.strip_prefix("AKIA").or_else(|| word.strip_prefix("ASIA"));
    let is_of_id = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit();
    rest.is_some_and(|rest| rest.len() == 16 && rest.bytes().all(is_of_id))
}

fn is_apart(letter: char) -> bool {
    !letter.is_ascii_alphanumeric()
}

/// Parts a name at what is no letter or digit, and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        if is_apart(letter) || (was_small && letter.is_ascii_uppercase()) {
            words.push(String::new());
        }
        was_small = letter.is_ascii_lowercase();
        if let (false, Some(word)) = (is_apart(letter), words.last_mut()) {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

const SECRET: [&str; 16] = [
    "apikey",
    "bearer",
    "credential",
    "credentials",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "secret",
    "secretkey",
    "secrets",
    "token",
    "tokens",
];

/// Words before `key` that make it one that opens something.
const KEYS: [[&str; 2]; 8] = [
    ["access", "key"],
    ["account", "key"],
    ["api", "key"],
    ["batch", "key"],
    ["encryption", "key"],
    ["private", "key"],
    ["signing", "key"],
    ["storage", "key"],
];

/// Last words of names that say where a secret is, or what holds of it.
const ABOUT: [&str; 22] = [
    "algorithm",
    "class",
    "count",
    "dir",
    "directory",
    "enabled",
    "endpoint",
    "expiration",
    "expiry",
    "file",
    "issuer",
    "length",
    "name",
    "names",
    "path",
    "policy",
    "ref",
    "required",
    "ttl",
    "type",
    "uri",
    "url",
];

#[cfg(test)]
mod tests {
    use super::{is_secret_name, is_secret_value};

    #[test]
    fn names_speak_of_secrets() {
        for name in
            ["password", "DB_PASSWORD", "dbPassword", "aws_access_key_id", "key", "jwt", "API-KEY"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in
            ["", "keyboard", "PASSWORD_FILE", "token-ttl", "tokenizer", "primary_key", "KEYS"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_have_the_shape_of_secrets() {
        let key = format!("x\n-----BEGIN EC {}-----\nabc", "PRIVATE KEY");
        for value in
            [key.as_str(), "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "id=AKIAABCDEFGHIJKLMNOP"]
        {
            assert!(is_secret_value(value), "{value}");
        }
        for value in ["Bearer abc", "bearer abc123def", " BEARER x "] {
            assert!(is_secret_value(value), "{value}");
        }
        for value in
            ["", "-----BEGIN CERTIFICATE-----", "a.b.c", "AKIA", "bearer", "the bearer of news"]
        {
            assert!(!is_secret_value(value), "{value}");
        }
    }
}
