//! A difference as a file.
//!
//! JSON, with addresses and register values in hexadecimal, so that people can read it
//! and change it.

use super::{Difference, EngineResult, MemoryPage};
use rvrun_host::watch::PAGE;
use rvrun_isa::Extensions;
use rvrun_jit::{Limits, Mode, Source};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::ops::Range;

/// What the file says that it is.
const FORMAT: &str = "rvrun-difference-1";

type Parsed<T> = Result<T, String>;

impl Difference {
    /// The difference as text, with the versions of what found it.
    pub fn to_json(&self) -> String {
        let extensions = Extensions::NAMED.iter().filter(|(e, ..)| self.extensions.contains(*e));
        let extensions: Vec<_> = extensions.map(|(_, name, _)| *name).collect();
        let pages: Vec<_> = self.pages.iter().map(page_to_json).collect();
        let translations: Vec<_> = self.translations.iter().map(source_to_json).collect();
        let jump_targets: Vec<_> = self.jump_targets.iter().copied().map(hex).collect();
        let value = json!({
            "format": FORMAT,
            "versions": {
                "rvrun": env!("CARGO_PKG_VERSION"),
                "cranelift": rvrun_jit::CRANELIFT_VERSION,
            },
            "found": self.found,
            "pc": hex(self.pc),
            "length": self.length,
            "before": registers_to_json(&self.before),
            "translated": outcome_to_json(&self.translated),
            "interpreted": outcome_to_json(&self.interpreted),
            "extensions": extensions,
            "limits": {
                "instructions": self.limits.instructions,
                "straight": self.limits.straight,
                "whole_loop": self.limits.whole_loop,
                "inlined": self.limits.inlined,
                "inlined_once": self.limits.inlined_once,
                "depth": self.limits.depth,
            },
            "mode": { "precise": self.mode.precise, "counting": self.mode.counting },
            "translations": translations,
            "jump_targets": jump_targets,
            "pages": pages,
        });
        format!("{value:#}\n")
    }

    /// Reads what [`to_json`](Self::to_json) has written.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn from_json(text: &str) -> Parsed<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if value["format"] != FORMAT {
            return Err(format!("its format is not {FORMAT}"));
        }
        let mut extensions = Extensions::NONE;
        for name in list(&value, "extensions")? {
            let name = name.as_str().unwrap_or_default();
            let one = Extensions::named(name).ok_or(format!("no extension is called `{name}`"))?;
            extensions = extensions | one;
        }
        let limits = &value["limits"];
        let found = list(&value, "found")?.iter().map(text_of).collect::<Parsed<_>>()?;
        Ok(Self {
            pc: number(&value["pc"])?,
            length: count(&value["length"])?,
            before: registers_from_json(&value["before"])?,
            translated: outcome_from_json(&value["translated"])?,
            interpreted: outcome_from_json(&value["interpreted"])?,
            found,
            pages: list(&value, "pages")?.iter().map(page_from_json).collect::<Parsed<_>>()?,
            translations: list(&value, "translations")?
                .iter()
                .map(source_from_json)
                .collect::<Parsed<_>>()?,
            jump_targets: list(&value, "jump_targets")?
                .iter()
                .map(number)
                .collect::<Parsed<_>>()?,
            extensions,
            limits: Limits {
                instructions: count(&limits["instructions"])? as usize,
                straight: count(&limits["straight"])? as usize,
                whole_loop: count(&limits["whole_loop"])? as usize,
                inlined: count(&limits["inlined"])? as usize,
                inlined_once: count(&limits["inlined_once"])? as usize,
                depth: count(&limits["depth"])? as u32,
            },
            mode: Mode {
                precise: value["mode"]["precise"] == true,
                counting: value["mode"]["counting"] == true,
            },
        })
    }
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

fn text_of(value: &Value) -> Parsed<String> {
    value.as_str().map(str::to_string).ok_or_else(|| format!("{value} is no text"))
}

fn number(value: &Value) -> Parsed<u64> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.ok_or_else(|| format!("{value} is no number in hexadecimal"))
}

fn count(value: &Value) -> Parsed<u64> {
    value.as_u64().ok_or_else(|| format!("{value} is no number"))
}

fn list<'a>(value: &'a Value, name: &str) -> Parsed<&'a [Value]> {
    value[name].as_array().map(Vec::as_slice).ok_or_else(|| format!("it has no list `{name}`"))
}

fn registers_to_json(registers: &[(String, u64)]) -> Value {
    let entries = registers.iter().map(|(name, value)| (name.clone(), hex(*value).into()));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn registers_from_json(value: &Value) -> Parsed<Vec<(String, u64)>> {
    let registers = value.as_object().ok_or("it has no registers")?;
    registers.iter().map(|(name, value)| Ok((name.clone(), number(value)?))).collect()
}

fn outcome_to_json(outcome: &EngineResult) -> Value {
    json!({ "end": outcome.end, "registers": registers_to_json(&outcome.registers) })
}

fn outcome_from_json(value: &Value) -> Parsed<EngineResult> {
    let registers = registers_from_json(&value["registers"])?;
    Ok(EngineResult { registers, end: text_of(&value["end"])? })
}

fn source_to_json(source: &Source) -> Value {
    let part = |part: &Range<u64>| json!([hex(part.start), hex(part.end)]);
    let code: Vec<_> = source.code.iter().map(part).collect();
    let blocks: Vec<_> = source.blocks.iter().copied().map(hex).collect();
    let divisor = |(register, value): &(u8, u64)| json!([register, hex(*value)]);
    let divisors: Vec<_> = source.divisors.iter().map(divisor).collect();
    json!({ "entry": hex(source.entry), "code": code, "blocks": blocks, "divisors": divisors })
}

fn source_from_json(value: &Value) -> Parsed<Source> {
    let part = |part: &Value| Ok(number(&part[0])?..number(&part[1])?);
    let divisor = |divisor: &Value| {
        let register = divisor[0].as_u64().filter(|register| *register < 32);
        let register = register.ok_or("a register's number is wrong")?;
        Ok((register as u8, number(&divisor[1])?))
    };
    Ok(Source {
        entry: number(&value["entry"])?,
        code: list(value, "code")?.iter().map(part).collect::<Parsed<_>>()?,
        blocks: list(value, "blocks")?.iter().map(number).collect::<Parsed<_>>()?,
        // Older bundles have none.
        divisors: match value.get("divisors") {
            None => Vec::new(),
            Some(_) => list(value, "divisors")?.iter().map(divisor).collect::<Parsed<_>>()?,
        },
    })
}

fn page_to_json(page: &MemoryPage) -> Value {
    let mut bytes = String::with_capacity(2 * PAGE);
    for byte in page.bytes.iter() {
        // Writing to a string cannot fail.
        let _ = write!(bytes, "{byte:02x}");
    }
    json!({ "address": hex(page.address), "prot": page.prot, "bytes": bytes })
}

fn page_from_json(value: &Value) -> Parsed<MemoryPage> {
    let address = number(&value["address"])?;
    let text = value["bytes"].as_str().unwrap_or_default().as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    let bytes: Option<Vec<u8>> = text.chunks_exact(2).map(byte).collect();
    let bytes = bytes.and_then(|bytes| bytes.into_boxed_slice().try_into().ok());
    let bytes = bytes.ok_or_else(|| format!("the page at {address:#x} is not of {PAGE} bytes"))?;
    Ok(MemoryPage { address, bytes, prot: count(&value["prot"])? as i32 })
}
