//! JSON of other programs: read generously, a field at a time.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The object in the text; `None` if there is none, or it nests deeper than 128 levels. Python writes NaN and the
/// infinities, which JSON does not know: they are read as null.
pub fn object(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_nan(text))) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}

/// With null for NaN and Infinity where they stand outside strings.
fn without_nan(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let (mut inside, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !inside && let Some(after) = ["NaN", "-Infinity", "Infinity"].iter().find_map(|word| rest.strip_prefix(word))
        {
            result.push_str("null");
            rest = after;
            continue;
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && c == '\\' && !escaped;
        result.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    result
}

/// Takes a field out of the map if it is of the type; else it stays there.
pub fn take<T: DeserializeOwned>(map: &mut Map<String, Value>, key: &str) -> Option<T> {
    let value = Deserialize::deserialize(map.get(key)?).ok()?;
    map.shift_remove(key);
    Some(value)
}

/// As [`take`], also where the number is written as a string.
pub fn take_number<T: DeserializeOwned + std::str::FromStr>(map: &mut Map<String, Value>, key: &str) -> Option<T> {
    if let Some(number) = take(map, key) {
        return Some(number);
    }
    let number = map.get(key)?.as_str()?.trim().parse().ok()?;
    map.shift_remove(key);
    Some(number)
}

/// The value as people read it.
pub fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pythons_numbers_are_null_and_strings_are_left_alone() {
        let map = object(r#" {"a": [NaN, -Infinity], "b": "NaN \" Infinity", "c": Infinity}"#).unwrap();
        assert_eq!(Value::from(map).to_string(), r#"{"a":[null,null],"b":"NaN \" Infinity","c":null}"#);
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        for text in ["", "[]", "null", "{", "NaN", &deep] {
            assert_eq!(object(text), None);
        }
    }

    #[test]
    fn numbers_in_strings() {
        let mut map = object(r#"{"a": "42", "b": 43, "c": "x"}"#).unwrap();
        let numbers = ["a", "b", "c"].map(|key| take_number::<u64>(&mut map, key));
        assert_eq!((numbers, map.len()), ([Some(42), Some(43), None], 1));
    }

    proptest! {
        #[test]
        fn whole_json_is_left_as_it_is(text in "[\\PC\\\\\"]{0,40}") {
            let json = serde_json::json!({ text.clone(): [text.clone(), 1.5] });
            prop_assert_eq!(Value::from(object(&json.to_string()).unwrap()), json);
            without_nan(&text);
        }
    }
}
