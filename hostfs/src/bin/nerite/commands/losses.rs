//! How damage is told, and what is lost by it: a line each.

use crate::failure::Failure;
use crate::format::name_fields;
use crate::out::Out;
use nerite::{Corruption, Loss, Lost};
use serde_json::json;

/// Prints what is damaged, and what is lost by it.
pub(super) fn loss(out: &mut Out, json: bool, loss: &Loss) -> Result<(), Failure> {
    let Loss { corruption, lost, .. } = loss;
    if !json {
        return match lost {
            Lost::Value(name) => out.line(format_args!("{name}: {corruption}")),
            Lost::Doubted(name) => out.line(format_args!("{corruption}; it may be that of {name}")),
            Lost::Keys(range) => out.line(format_args!("{corruption}; it had keys {range}")),
            Lost::Unknown => out.line(format_args!("{corruption}; of which keys is unknown")),
            _ => out.line(corruption),
        };
    }
    let mut fields = json!({ "at": corruption.at, "why": corruption.to_string() });
    match lost {
        Lost::Value(name) => {
            fields["lost"] = "value".into();
            name_fields(name, &mut fields);
        }
        Lost::Doubted(name) => {
            fields["lost"] = "operation".into();
            name_fields(name, &mut fields);
        }
        Lost::Keys(range) => {
            fields["lost"] = "keys".into();
            fields["range"] = range.to_string().into();
        }
        Lost::Unknown => fields["lost"] = "operations".into(),
        _ => fields["lost"] = "nothing".into(),
    }
    out.line(json!({ "damaged": fields }))
}

/// Prints what is wrong with what the store keeps of itself.
pub(super) fn finding(out: &mut Out, json: bool, corruption: &Corruption) -> Result<(), Failure> {
    if !json {
        return out.line(corruption);
    }
    let fields = json!({ "at": corruption.at, "why": corruption.to_string(), "lost": "nothing" });
    out.line(json!({ "damaged": fields }))
}
