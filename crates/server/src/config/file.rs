//! The settings file: TOML, flattened to the keys of the table.

use crate::failure::Failure;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Keys and their values as text, in the file's order of tables.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::Config(format!("--config: cannot read {}: {}", path.display(), crate::reason(&error)))
    })?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        Failure::Config(format!("{}, line {line}: not TOML: {message}", path.display()))
    })?;
    let mut found = Vec::new();
    flatten("", &table, &mut found)
        .map_err(|sentence| Failure::Config(format!("{}: {sentence}", path.display())))?;
    Ok(found)
}

fn flatten(prefix: &str, table: &Table, found: &mut Vec<(String, Vec<String>)>) -> Result<(), String> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, found)?,
            Value::Array(items) => {
                let item = |item: &Value| match item {
                    Value::Table(table) => one_line(&key, table),
                    other => scalar(&key, other),
                };
                let items = items.iter().map(item).collect::<Result<_, _>>()?;
                found.push((key, items));
            }
            other => {
                let value = scalar(&key, other)?;
                found.push((key, vec![value]));
            }
        }
    }
    Ok(())
}

/// A table in an array, as one writes it where there are no tables: `name=paris place=48.9|2.4`.
fn one_line(key: &str, table: &Table) -> Result<String, String> {
    let mut parts = Vec::with_capacity(table.len());
    for (name, value) in table {
        let key = format!("{key}.{name}");
        let values = match value {
            Value::Array(items) => items.iter().map(|item| scalar(&key, item)).collect::<Result<_, _>>()?,
            other => vec![scalar(&key, other)?],
        };
        if values.iter().any(|value| value.contains(char::is_whitespace) || value.contains('|')) {
            return Err(format!("{key}: no spaces and no `|` here"));
        }
        parts.push(format!("{name}={}", values.join("|")));
    }
    Ok(parts.join(" "))
}

fn scalar(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(on) => Ok(on.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err(format!("{key}: expected text or a number"))
        }
    }
}
