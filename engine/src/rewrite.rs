//! Rewrites a module so that its instances can start from an image: memory and globals as they were at some moment.
//!
//! Its active data segments are taken out, for the image holds what they would write; and its mutable globals are exported,
//! so that they can be read for an image and set for an instance. Everything else stays byte for byte. A module whose state
//! is in more than its memory and its globals is left as it is, with the reason.

use std::ffi::c_char;
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{
    DataKind, ExternalKind, GlobalSectionReader, Operator, Parser, Payload, Result, TypeRef, ValType,
};

/// Mutable globals are exported as this and a number.
const GLOBAL_PREFIX: &str = "reglet:global:";

const DATA_SECTION: u8 = 11;
const DATA_COUNT_SECTION: u8 = 12;

/// Bytes of the original module that belong at an address of its memory.
#[repr(C)]
pub struct reglet_engine_segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// A rewritten module; `reason` is set, and the rest empty, for one that was not.
#[repr(C)]
pub struct reglet_engine_rewritten {
    reason: *const c_char,
    wasm: *mut u8,
    wasm_size: usize,
    segments: *mut reglet_engine_segment,
    segment_count: usize,
    global_count: usize,
    /// Pages of 64 KiB that the memory starts with.
    memory_pages: u64,
}

/// Why a module cannot have an image: NUL-terminated, a part of a sentence.
type Reason = &'static str;

enum Refusal {
    Reason(Reason),
    Invalid,
}

impl From<wasmparser::BinaryReaderError> for Refusal {
    fn from(_: wasmparser::BinaryReaderError) -> Refusal {
        Refusal::Invalid // the compiler says it better
    }
}

fn refuse<T>(reason: Reason) -> std::result::Result<T, Refusal> {
    Err(Refusal::Reason(reason))
}

/// What of a module matters here.
#[derive(Default)]
struct Facts {
    memory_pages: Option<u64>,
    imported_globals: u32,
    /// Indices of mutable globals.
    globals: Vec<u32>,
    segments: Vec<reglet_engine_segment>,
    has_exports: bool,
}

fn look_at_globals(section: GlobalSectionReader, facts: &mut Facts) -> std::result::Result<(), Refusal> {
    for (index, global) in section.into_iter().enumerate() {
        let ty = global?.ty;
        if !ty.mutable {
            continue;
        }
        match ty.content_type {
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => {
                facts.globals.push(facts.imported_globals + index as u32)
            }
            _ => return refuse("it has a mutable global that is no number\0"),
        }
    }
    Ok(())
}

/// The address of an active segment whose offset is a constant number.
fn constant(expression: &wasmparser::ConstExpr) -> Result<Option<u64>> {
    let mut operators = expression.get_operators_reader();
    let address = match operators.read()? {
        Operator::I32Const { value } => u64::from(value as u32),
        _ => return Ok(None),
    };
    Ok(matches!(operators.read()?, Operator::End).then_some(address))
}

fn changes_hidden_state(operator: &Operator) -> Option<Reason> {
    match operator {
        Operator::TableSet { .. }
        | Operator::TableGrow { .. }
        | Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::ElemDrop { .. } => Some("it changes its tables\0"),
        Operator::MemoryInit { .. } | Operator::DataDrop { .. } => Some("it copies its data segments itself\0"),
        _ => None,
    }
}

fn look_at(bytes: &[u8]) -> std::result::Result<Facts, Refusal> {
    let mut facts = Facts::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Memory(_) => return refuse("its memory is imported\0"),
                        TypeRef::Table(_) => return refuse("a table is imported\0"),
                        TypeRef::Global(_) => facts.imported_globals += 1,
                        _ => {}
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    if memory.shared || memory.memory64 || facts.memory_pages.is_some() {
                        return refuse("its memory is shared, or not the only one\0");
                    }
                    facts.memory_pages = Some(memory.initial);
                }
            }
            Payload::GlobalSection(section) => look_at_globals(section, &mut facts)?,
            Payload::ExportSection(section) => {
                facts.has_exports = true;
                for export in section {
                    if export?.name.starts_with(GLOBAL_PREFIX) {
                        return refuse("it exports a name of the host's own\0");
                    }
                }
            }
            Payload::StartSection { .. } => return refuse("it has a start function\0"),
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment?;
                    let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else {
                        return refuse("it has a data segment that is not written at once\0");
                    };
                    let Some(address) = constant(&offset_expr)? else {
                        return refuse("it has a data segment without a constant address\0");
                    };
                    facts.segments.push(reglet_engine_segment {
                        address,
                        offset: (segment.data.as_ptr() as usize - bytes.as_ptr() as usize) as u64,
                        size: segment.data.len() as u64,
                    });
                }
            }
            Payload::CodeSectionEntry(body) => {
                let mut operators = body.get_operators_reader()?;
                while !operators.eof() {
                    if let Some(reason) = changes_hidden_state(&operators.read()?) {
                        return refuse(reason);
                    }
                }
            }
            _ => {}
        }
    }
    let Some(pages) = facts.memory_pages else { return refuse("it has no memory\0") };
    if !facts.has_exports {
        return refuse("it exports nothing\0");
    }
    if facts.segments.iter().any(|segment| segment.address + segment.size > pages << 16) {
        return refuse("a data segment lies outside its memory\0");
    }
    Ok(facts)
}

fn copied(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

fn write(bytes: &[u8], facts: &Facts) -> std::result::Result<Vec<u8>, Refusal> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::ExportSection(section) = &payload {
            let mut exports = ExportSection::new();
            for export in section.clone() {
                let export = export?;
                exports.export(export.name, copied(export.kind), export.index);
            }
            for (number, index) in facts.globals.iter().enumerate() {
                exports.export(&format!("{GLOBAL_PREFIX}{number}"), ExportKind::Global, *index);
            }
            module.section(&exports);
            continue;
        }
        let Some((id, range)) = payload.as_section() else { continue };
        match id {
            DATA_SECTION | DATA_COUNT_SECTION => {} // no instruction needs them
            _ => {
                module.section(&RawSection { id, data: &bytes[range] });
            }
        }
    }
    Ok(module.finish())
}

fn leak<T>(items: Vec<T>) -> (*mut T, usize) {
    let items = items.into_boxed_slice();
    let size = items.len();
    (Box::into_raw(items).cast(), size)
}

/// Rewrites a module. True, unless it is none: then the compiler has something to say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_rewrite(wasm: *const u8, size: usize, out: &mut reglet_engine_rewritten) -> bool {
    let bytes = unsafe { std::slice::from_raw_parts(wasm, size) };
    let rewrite = || look_at(bytes).and_then(|facts| write(bytes, &facts).map(|written| (facts, written)));
    // The bytes are anybody's: a bug in reading them must not end the process.
    let outcome = std::panic::catch_unwind(rewrite).unwrap_or(Err(Refusal::Invalid));
    *out = reglet_engine_rewritten {
        reason: std::ptr::null(),
        wasm: std::ptr::null_mut(),
        wasm_size: 0,
        segments: std::ptr::null_mut(),
        segment_count: 0,
        global_count: 0,
        memory_pages: 0,
    };
    match outcome {
        Ok((facts, written)) => {
            out.global_count = facts.globals.len();
            out.memory_pages = facts.memory_pages.unwrap_or(0);
            (out.wasm, out.wasm_size) = leak(written);
            (out.segments, out.segment_count) = leak(facts.segments);
            true
        }
        Err(Refusal::Reason(reason)) => {
            out.reason = reason.as_ptr().cast();
            true
        }
        Err(Refusal::Invalid) => false,
    }
}

/// Frees what a rewritten module holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_rewritten_free(rewritten: &mut reglet_engine_rewritten) {
    if !rewritten.wasm.is_null() {
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(rewritten.wasm, rewritten.wasm_size)) });
    }
    if !rewritten.segments.is_null() {
        drop(unsafe {
            Box::from_raw(std::ptr::slice_from_raw_parts_mut(rewritten.segments, rewritten.segment_count))
        });
    }
    rewritten.wasm = std::ptr::null_mut();
    rewritten.segments = std::ptr::null_mut();
}
