//! Rewrites a module so that its instances can start from an image: memory and globals as they were at some moment.
//!
//! Its active data segments are taken out, for the image holds what they would write; and its mutable globals are exported,
//! so that they can be read for an image and set for an instance. Everything else stays byte for byte. A module whose state
//! is in more than its memory and its globals is left as it is, with the reason.

use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{
    ConstExpr, DataKind, DataSectionReader, Encoding, ExternalKind, FunctionBody, GlobalSectionReader, MemoryType, Operator,
    Parser, Payload, Result, TableType, TypeRef, ValType,
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

/// What a module is made of. Counts are of what it has itself, but for tables and memories: with those that it imports. Of a
/// component: what all modules in it have themselves.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct reglet_engine_facts {
    module_bytes: u64,
    code_bytes: u64,
    custom_bytes: u64,
    functions: u64,
    globals: u64,
    mutable_globals: u64,
    tables: u64,
    table_elements: u64,
    memories: u64,
    /// Pages of 64 KiB that the memory starts with, and may have at most.
    memory_pages: u64,
    memory_most_pages: u64,
    segments: u64,
    segment_bytes: u64,
    /// Why its instances cannot start from an image; 0: they can.
    reason: u64,
}

/// A module that was looked at; it is rewritten only where it has no reason against an image.
#[repr(C)]
pub struct reglet_engine_rewritten {
    facts: reglet_engine_facts,
    wasm: *mut u8,
    wasm_size: usize,
    segments: *mut reglet_engine_segment,
    segment_count: usize,
}

/// Why a module cannot have an image. C has the words.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Reason {
    StartFunction = 1,
    MemoryImported,
    TableImported,
    MemoryShared,
    Memory64,
    MemorySecond,
    TablesChange,
    SegmentsCopied,
    SegmentPassive,
    SegmentAddress,
    SegmentOutside,
    NoMemory,
    NoExports,
    ExportName,
    GlobalReference,
    Component,
}

#[derive(Default)]
struct Seen {
    facts: reglet_engine_facts,
    imported_globals: u32,
    /// Indices of mutable globals.
    globals: Vec<u32>,
    segments: Vec<reglet_engine_segment>,
    has_exports: bool,
}

impl Seen {
    /// The first reason stays.
    fn refuse(&mut self, reason: Reason) {
        if self.facts.reason == 0 {
            self.facts.reason = reason as u64;
        }
    }

    fn look_at_globals(&mut self, section: GlobalSectionReader) -> Result<()> {
        for (index, global) in section.into_iter().enumerate() {
            let ty = global?.ty;
            self.facts.globals += 1;
            if !ty.mutable {
                continue;
            }
            self.globals.push(self.imported_globals + index as u32);
            if !matches!(ty.content_type, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64) {
                self.refuse(Reason::GlobalReference);
            }
        }
        self.facts.mutable_globals = self.globals.len() as u64;
        Ok(())
    }

    fn look_at_memory(&mut self, memory: MemoryType) {
        self.facts.memories += 1;
        if memory.shared {
            self.refuse(Reason::MemoryShared);
        }
        if memory.memory64 {
            self.refuse(Reason::Memory64);
        }
        if self.facts.memories > 1 {
            self.refuse(Reason::MemorySecond);
            return;
        }
        self.facts.memory_pages = memory.initial;
        self.facts.memory_most_pages = memory.maximum.unwrap_or(u64::MAX);
    }

    fn look_at_table(&mut self, table: TableType) {
        self.facts.tables += 1;
        self.facts.table_elements = self.facts.table_elements.saturating_add(table.initial);
    }

    fn look_at_segments(&mut self, bytes: &[u8], section: DataSectionReader) -> Result<()> {
        for segment in section {
            let segment = segment?;
            self.facts.segments += 1;
            self.facts.segment_bytes += segment.data.len() as u64;
            let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else {
                self.refuse(Reason::SegmentPassive);
                continue;
            };
            let Some(address) = constant(&offset_expr)? else {
                self.refuse(Reason::SegmentAddress);
                continue;
            };
            self.segments.push(reglet_engine_segment {
                address,
                offset: (segment.data.as_ptr() as usize - bytes.as_ptr() as usize) as u64,
                size: segment.data.len() as u64,
            });
        }
        Ok(())
    }

    fn look_at_code(&mut self, body: &FunctionBody) -> Result<()> {
        self.facts.functions += 1;
        self.facts.code_bytes += body.range().len() as u64;
        let mut operators = body.get_operators_reader()?;
        while self.facts.reason == 0 && !operators.eof() {
            if let Some(reason) = changes_hidden_state(&operators.read()?) {
                self.refuse(reason);
            }
        }
        Ok(())
    }
}

/// The address of an active segment whose offset is a constant number.
fn constant(expression: &ConstExpr) -> Result<Option<u64>> {
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
        | Operator::ElemDrop { .. } => Some(Reason::TablesChange),
        Operator::MemoryInit { .. } | Operator::DataDrop { .. } => Some(Reason::SegmentsCopied),
        _ => None,
    }
}

fn look_at(bytes: &[u8]) -> Result<Seen> {
    let mut seen = Seen::default();
    seen.facts.module_bytes = bytes.len() as u64;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Component, .. } => seen.refuse(Reason::Component),
            // Modules inside a component share memories and tables with each other.
            Payload::ImportSection(_) if seen.facts.reason == Reason::Component as u64 => {}
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Memory(memory) => {
                            seen.refuse(Reason::MemoryImported);
                            seen.look_at_memory(memory);
                        }
                        TypeRef::Table(table) => {
                            seen.refuse(Reason::TableImported);
                            seen.look_at_table(table);
                        }
                        TypeRef::Global(_) => seen.imported_globals += 1,
                        _ => {}
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    seen.look_at_memory(memory?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    seen.look_at_table(table?.ty);
                }
            }
            Payload::CustomSection(section) => seen.facts.custom_bytes += section.data().len() as u64,
            Payload::GlobalSection(section) => seen.look_at_globals(section)?,
            Payload::ExportSection(section) => {
                seen.has_exports = true;
                for export in section {
                    if export?.name.starts_with(GLOBAL_PREFIX) {
                        seen.refuse(Reason::ExportName);
                    }
                }
            }
            Payload::StartSection { .. } => seen.refuse(Reason::StartFunction),
            Payload::DataSection(section) => seen.look_at_segments(bytes, section)?,
            Payload::CodeSectionEntry(body) => seen.look_at_code(&body)?,
            _ => {}
        }
    }
    if seen.facts.memories == 0 {
        seen.refuse(Reason::NoMemory);
    }
    if !seen.has_exports {
        seen.refuse(Reason::NoExports);
    }
    let memory = seen.facts.memory_pages.saturating_mul(1 << 16);
    if seen.segments.iter().any(|segment| segment.address + segment.size > memory) {
        seen.refuse(Reason::SegmentOutside);
    }
    Ok(seen)
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

fn write(bytes: &[u8], seen: &Seen) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::ExportSection(section) = &payload {
            let mut exports = ExportSection::new();
            for export in section.clone() {
                let export = export?;
                exports.export(export.name, copied(export.kind), export.index);
            }
            for (number, index) in seen.globals.iter().enumerate() {
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
    let rewrite = || {
        let seen = look_at(bytes)?;
        let written = if seen.facts.reason == 0 { write(bytes, &seen)? } else { Vec::new() };
        Ok((seen, written))
    };
    // The bytes are anybody's: a bug in reading them must not end the process.
    let outcome: Result<(Seen, Vec<u8>)> = match std::panic::catch_unwind(rewrite) {
        Ok(outcome) => outcome,
        Err(_) => return false,
    };
    let Ok((seen, written)) = outcome else { return false };
    out.facts = seen.facts;
    (out.wasm, out.wasm_size) = leak(written);
    (out.segments, out.segment_count) = leak(seen.segments);
    true
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
