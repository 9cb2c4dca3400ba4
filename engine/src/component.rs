//! Components: compiled, linked, started and called.
//!
//! The C API for components has values of any type, built one by one: each byte of a list is a value. Here the types are those of
//! `wit/`, which the engine checks when it links, and what passes to and from C is JSON: the requests and responses of
//! `reglet_host`, and what a module's exports answer (`types.rs`). `wasi.rs` has what toolchains add of WASI 0.2.

use crate::types::*;
use crate::{answer, compile_on_own_threads, opened, wasi};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use wasmtime::component::types::{self, ComponentItem, Type};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, LinkerInstance,
    Lower, TypedFunc,
};
use wasmtime::{AsContext, Engine, Error, Result, StoreContextMut, Trap, WasmBacktrace, bail};
use wasmtime_c_api::*;

crate::sole_field!(wasmtime_component_t, Component);
crate::sole_field!(wasm_trap_t, Error);

/// What every response may say.
#[derive(Deserialize)]
struct Outcome {
    error: Option<JsonError>,
}

type Response<A> = std::result::Result<A, HostError>;

/// Marks an error as one of the host's own: all others are what the guest did.
#[derive(Debug)]
pub(crate) struct Ours;

impl std::fmt::Display for Ours {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the host failed")
    }
}

pub(crate) fn ours(error: impl Into<Error>) -> Error {
    error.into().context(Ours)
}

pub(crate) type Context<'a> = StoreContextMut<'a, WasmtimeStoreData>;

/// What a component's imports call, in C; see `reglet_engine.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct reglet_engine_door {
    request: unsafe extern "C" fn(
        guest: *mut c_void,
        function: *const c_char,
        is_open: bool,
        request: *const u8,
        size: usize,
        response: &mut *const u8,
        response_size: &mut usize,
    ) -> bool,
    wasi: unsafe extern "C" fn(
        guest: *mut c_void,
        function: *const c_char,
        arguments: *const u64,
        count: usize,
        window: *mut u8,
        size: usize,
    ) -> c_int,
    state: unsafe extern "C" fn(guest: *mut c_void) -> *mut *mut c_void,
}

fn guest_of(store: &Context) -> *mut c_void {
    wasmtime_context_get_data(store.as_context())
}

impl reglet_engine_door {
    /// Calls a function of preview1. Addresses among the arguments are those of the window's bytes, from `WINDOW` on.
    pub(crate) fn wasi(&self, store: &Context, function: &CStr, arguments: &[u64], window: &mut [u8]) -> Result<u32> {
        let error = unsafe {
            (self.wasi)(
                guest_of(store),
                function.as_ptr(),
                arguments.as_ptr(),
                arguments.len(),
                window.as_mut_ptr(),
                window.len(),
            )
        };
        match u32::try_from(error) {
            Ok(error) => Ok(error),
            Err(_) => bail!("ended by the host"),
        }
    }

    /// Where this call's state is kept between two functions.
    pub(crate) fn state(&self, store: &Context) -> *mut *mut c_void {
        unsafe { (self.state)(guest_of(store)) }
    }

    /// Asks a function of `reglet_host`. The outer failure ends the call.
    fn ask<A: DeserializeOwned>(
        &self,
        store: &Context,
        function: &CStr,
        request: &impl Serialize,
    ) -> Result<Response<A>> {
        let response = self.exchange(store, function, request)?;
        let outcome: Outcome = serde_json::from_slice(response).map_err(ours)?;
        Ok(match outcome.error {
            Some(error) => Err(error.into()),
            None => Ok(serde_json::from_slice(response).map_err(ours)?),
        })
    }

    /// The response is the guest's, until the next request.
    fn exchange<'a>(&self, store: &'a Context, function: &CStr, request: &impl Serialize) -> Result<&'a [u8]> {
        self.send(store, function, false, &serde_json::to_vec(request).map_err(ours)?)
    }

    /// `is_open`: a function of the embedding program is meant, and none of the library's.
    fn send<'a>(&self, store: &'a Context, function: &CStr, is_open: bool, request: &[u8]) -> Result<&'a [u8]> {
        let (mut response, mut size) = (std::ptr::null(), 0);
        let goes_on = unsafe {
            (self.request)(
                guest_of(store),
                function.as_ptr(),
                is_open,
                request.as_ptr(),
                request.len(),
                &mut response,
                &mut size,
            )
        };
        match goes_on {
            true if size == 0 => Ok(&[]),
            true => Ok(unsafe { std::slice::from_raw_parts(response, size) }),
            false => bail!("ended by the host"),
        }
    }
}

// --- The functions of the host ------------------------------------------------------------------------------

const HOST: &str = "reglet:plugin/host@1.1.0";

type Answer<A> = Result<(std::result::Result<A, HostError>,)>;

const FUNCTIONS: [&str; 12] = [
    "call",
    "dns-lookup",
    "env-get",
    "exec-run",
    "fs-read",
    "fs-stat",
    "fs-write",
    "http-request",
    "log",
    "net-connect",
    "smtp-connect",
    "tcp-connect",
];

/// Defines the functions of `HOST`. Each is a row: what it takes, its request, and what its response becomes.
fn define_host(host: &mut LinkerInstance<WasmtimeStoreData>, door: reglet_engine_door) -> Result<()> {
    host.func_wrap(
        "fs-read",
        move |store: Context, (path, offset, max_bytes): (String, u64, Option<u64>)| -> Answer<FileContent> {
            let answer: Response<FileContent> = door.ask(&store, c"fs_read", &FsRead { path: &path, offset, max_bytes })?;
            Ok((answer.map_err(|error| error.of_file("read", &path)),))
        },
    )?;
    host.func_wrap(
        "fs-write",
        move |store: Context, (path, content, mode): (String, Vec<u8>, WriteMode)| -> Answer<u64> {
            let answer: Response<Written> = door.ask(&store, c"fs_write", &FsWrite { path: &path, content, mode })?;
            Ok((answer.map(|answer| answer.written).map_err(|error| error.of_file("write", &path)),))
        },
    )?;
    host.func_wrap(
        "fs-stat",
        move |store: Context, (path, follow, readable): (String, bool, bool)| -> Answer<Option<FileInfo>> {
            let answer: Response<Looked> = door.ask(&store, c"fs_stat", &FsStat { path: &path, follow, readable })?;
            Ok((answer.map(|answer| answer.info).map_err(|error| error.of_file("read", &path)),))
        },
    )?;
    host.func_wrap("env-get", move |store: Context, (name,): (String,)| -> Answer<Option<String>> {
        let answer: Response<Variable> = door.ask(&store, c"env_get", &EnvGet { name })?;
        Ok((answer.map(|answer| answer.value),))
    })?;
    host.func_wrap("exec-run", move |store: Context, (command,): (Command,)| -> Answer<CommandOutput> {
        Ok((door.ask(&store, c"exec_run", &command)?,))
    })?;
    host.func_wrap("dns-lookup", move |store: Context, (query,): (DnsQuery,)| -> Answer<DnsAnswer> {
        Ok((door.ask(&store, c"dns_lookup", &query)?,))
    })?;
    host.func_wrap("http-request", move |store: Context, (call,): (HttpCall,)| -> Answer<HttpResponse> {
        Ok((door.ask(&store, c"http_request", &call)?,))
    })?;
    host.func_wrap("tcp-connect", move |store: Context, (target,): (Target,)| -> Answer<Connection> {
        let answer: Response<Connected> = door.ask(&store, c"tcp_connect", &target)?;
        Ok((answer.map(Connection::from),))
    })?;
    host.func_wrap(
        "net-connect",
        move |store: Context, (target, data, max_bytes): (Target, Vec<u8>, Option<u64>)| -> Answer<Exchange> {
            let request = NetConnect { target, data, max_bytes };
            let answer: Response<Connected> = door.ask(&store, c"net_connect", &request)?;
            Ok((answer.map(Exchange::from),))
        },
    )?;
    host.func_wrap("smtp-connect", move |store: Context, (server,): (MailServer,)| -> Answer<MailGreeting> {
        let answer: Response<Connected> = door.ask(&store, c"smtp_connect", &SmtpConnect::from(server))?;
        Ok((answer.map(MailGreeting::from),))
    })?;
    host.func_wrap(
        "call",
        move |store: Context, (function, request): (String, String)| -> Answer<String> {
            let Ok(name) = CString::new(function) else { return Ok((Err(HostError::no_function()),)) };
            let response = door.send(&store, &name, true, request.as_bytes())?;
            // What that program answers is its own: an error that is none of ours is a response.
            Ok((match serde_json::from_slice::<Outcome>(response) {
                Ok(Outcome { error: Some(error) }) => Err(error.of_call()),
                _ => Ok(String::from_utf8_lossy(response).into_owned()),
            },))
        },
    )?;
    host.func_wrap(
        "log",
        move |store: Context, (level, message, attrs): (LogLevel, String, Vec<(String, String)>)| -> Result<()> {
            door.exchange(&store, c"log_message", &LogMessage { level, message, attrs }).map(|_| ())
        },
    )
}

// --- Linking ------------------------------------------------------------------------------------------------

/// What went wrong, beside its message.
#[repr(C)]
pub enum Fault {
    None,
    /// The component imports what the host does not have.
    UnknownImport,
    /// It imports or exports something as another type than it has.
    Signature,
    MissingExport,
    /// It answered what JSON cannot hold.
    BadOutput,
    /// It handed over more than may be.
    TooMuch,
    /// It wants more instances, memories or tables than it may have.
    TooMany,
    /// It called as nothing may be called: a request outside memory, text that is no UTF-8, a handle of nobody.
    Breach,
    Trap,
    Other,
}

struct Refusal(Fault, Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal(Fault::Other, error)
    }
}

fn refuse<T>(fault: Fault, text: String) -> std::result::Result<T, Refusal> {
    Err(Refusal(fault, Error::msg(text)))
}

#[derive(Clone, Copy)]
enum Version {
    V1_0,
    V1_1,
}

/// The interface that a plugin exports.
const INTERFACES: [(&CStr, Version); 2] =
    [(c"reglet:plugin/plugin@1.1.0", Version::V1_1), (c"reglet:plugin/plugin@1.0.0", Version::V1_0)];

/// A component whose imports and exports are known to be what they should.
#[allow(non_camel_case_types)]
pub struct reglet_engine_linked {
    pre: InstancePre<WasmtimeStoreData>,
    interface: &'static CStr,
    version: Version,
    describe: ComponentExportIndex,
    schema: ComponentExportIndex,
    observe: ComponentExportIndex,
}

type Described = (PluginInfo,);
type Schema = (ConfigSchema,);
type Observed<V, E> = (std::result::Result<Evidence<V, E>, E>,);

/// How to do without what a toolchain brings along.
fn advice(interface: &str) -> &'static str {
    match interface.split_once('/') {
        Some(("wasi:http", _)) => {
            "; a plugin has http-request of reglet:plugin/host instead (componentize-js: --disable http \
             fetch-event)"
        }
        Some(("reglet:plugin", _)) => "; `reglet wit` prints what it does",
        _ => "; a plugin reaches everything through reglet:plugin/host (componentize-py, componentize-qjs: --stub-wasi)",
    }
}

fn link(component: &Component, door: reglet_engine_door) -> std::result::Result<reglet_engine_linked, Refusal> {
    let engine = component.engine();
    let ty = component.component_type();
    let mut linker = Linker::<WasmtimeStoreData>::new(engine);
    linker.allow_shadowing(true);
    for (name, import) in ty.imports(engine) {
        let known = match import.ty {
            ComponentItem::ComponentInstance(interface) if name == HOST => {
                refuse_unknown_functions(&interface, engine)?;
                define_host(&mut linker.instance(name)?, door)?;
                true
            }
            ComponentItem::ComponentInstance(interface) => {
                has_types_alone(&interface, engine) || wasi::define(&mut linker, name, &interface, door)?
            }
            ComponentItem::Type(_) => true,
            _ => false,
        };
        if !known {
            let text = format!("the component imports \"{name}\", which this host does not provide{}", advice(name));
            return refuse(Fault::UnknownImport, text);
        }
    }
    let pre = linker.instantiate_pre(component).map_err(|error| Refusal(Fault::Signature, error))?;
    find_exports(pre, &linker)
}

fn refuse_unknown_functions(host: &types::ComponentInstance, engine: &Engine) -> std::result::Result<(), Refusal> {
    let is_unknown = |name: &str, item: &types::ComponentExtern| {
        matches!(item.ty, ComponentItem::ComponentFunc(_)) && !FUNCTIONS.contains(&name)
    };
    match host.exports(engine).find(|(name, item)| is_unknown(name, item)) {
        None => Ok(()),
        Some((name, _)) => refuse(
            Fault::UnknownImport,
            format!(
                "the component imports the function \"{name}\" of \"{HOST}\", which this host does not provide{}",
                advice(HOST)
            ),
        ),
    }
}

fn has_types_alone(interface: &types::ComponentInstance, engine: &Engine) -> bool {
    interface.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}

fn find_exports(
    pre: InstancePre<WasmtimeStoreData>,
    linker: &Linker<WasmtimeStoreData>,
) -> std::result::Result<reglet_engine_linked, Refusal> {
    let component = pre.component();
    let names: Vec<String> =
        component.component_type().exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    for (interface, version) in INTERFACES {
        let name = interface.to_str().expect("a constant");
        // Looked up by its name, an interface of another version is found too; here each version is its own.
        let has_it = names.iter().any(|export| export == name);
        let Some(plugin) = component.get_export_index(None, name).filter(|_| has_it) else { continue };
        let ty = linker.substituted_component_type(component)?;
        let exports = Exports { component, ty, plugin, name };
        let describe = exports.find::<(), Described>("describe")?;
        let schema = exports.find::<(), Schema>("schema")?;
        let observe = match version {
            Version::V1_0 => exports.find::<(Config,), Observed<Value0, Error0>>("observe")?,
            Version::V1_1 => exports.find::<(Config,), Observed<Value1, Error1>>("observe")?,
        };
        return Ok(reglet_engine_linked { pre, interface, version, describe, schema, observe });
    }
    let shown = if names.is_empty() { "nothing".to_owned() } else { names[..names.len().min(5)].join(", ") };
    let text = format!("the component exports {shown}; a plugin exports \"reglet:plugin/plugin@1.1.0\", or \"…@1.0.0\"");
    refuse(Fault::MissingExport, text)
}

/// The functions of the interface that a plugin exports.
struct Exports<'a> {
    component: &'a Component,
    ty: types::Component,
    plugin: ComponentExportIndex,
    name: &'a str,
}

impl Exports<'_> {
    fn find<P, R>(&self, function: &str) -> std::result::Result<ComponentExportIndex, Refusal>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let name = self.name;
        let Some((item, index)) = self.component.get_export(Some(&self.plugin), function) else {
            return refuse(Fault::MissingExport, format!("the component's \"{name}\" has no \"{function}\""));
        };
        let ComponentItem::ComponentFunc(ty) = item else {
            return refuse(Fault::Signature, format!("\"{function}\" of the component's \"{name}\" is no function"));
        };
        match ty.typecheck::<P, R>(&self.ty.instance_type()) {
            Ok(()) => Ok(index),
            Err(error) => {
                let theirs = function_text(&ty);
                let text = format!("the component's \"{name}\" has \"{function}\" as {theirs}, which is not as `reglet wit` has it");
                Err(Refusal(Fault::Signature, error.context(text)))
            }
        }
    }
}

/// Compiles as `reglet_engine_module_new` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_new(
    engine: &wasm_engine_t,
    wasm: *const u8,
    size: usize,
    threads: usize,
    nice: i32,
    out: &mut *mut wasmtime_component_t,
) -> Option<Box<wasmtime_error_t>> {
    let engine = opened(engine);
    let bytes = unsafe { std::slice::from_raw_parts(wasm, size) };
    let component = compile_on_own_threads(threads, nice, || Component::from_binary(engine, bytes));
    answer(component.map(|component| Box::into_raw(Box::new(component)).cast()), out)
}

/// Loads code that `wasmtime_component_serialize` made, and maps it from the file. The content is trusted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_map(
    engine: &wasm_engine_t,
    fd: c_int,
    out: &mut *mut wasmtime_component_t,
) -> Option<Box<wasmtime_error_t>> {
    let path = format!("/proc/self/fd/{fd}"); /* the engine takes a path alone */
    let component = unsafe { Component::deserialize_file(opened(engine), path) };
    answer(component.map(|component| Box::into_raw(Box::new(component)).cast()), out)
}

#[unsafe(no_mangle)]
pub extern "C" fn reglet_engine_component_code_bytes(component: &wasmtime_component_t) -> usize {
    let component: &Component = unsafe { &*std::ptr::from_ref(component).cast() };
    let range = component.image_range();
    range.end as usize - range.start as usize
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_link(
    component: &wasmtime_component_t,
    door: &reglet_engine_door,
    out: &mut *mut reglet_engine_linked,
    fault: &mut Fault,
) -> Option<Box<wasmtime_error_t>> {
    let component: &Component = unsafe { &*std::ptr::from_ref(component).cast() };
    match link(component, *door) {
        Ok(linked) => {
            *out = Box::into_raw(Box::new(linked));
            None
        }
        Err(Refusal(kind, error)) => {
            *fault = kind;
            Some(Box::new(error.into()))
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_linked_delete(linked: Option<Box<reglet_engine_linked>>) {
    drop(linked);
}

/// The interface that it exports, such as "reglet:plugin/plugin@1.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn reglet_engine_linked_interface(linked: &reglet_engine_linked) -> *const c_char {
    linked.interface.as_ptr()
}

// --- Looking at one -----------------------------------------------------------------------------------------

/// A type as WIT writes it, with the parts of records and variants in place of their names.
fn text(ty: &Type) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match ty {
        Type::Bool => "bool".into(),
        Type::S8 => "s8".into(),
        Type::U8 => "u8".into(),
        Type::S16 => "s16".into(),
        Type::U16 => "u16".into(),
        Type::S32 => "s32".into(),
        Type::U32 => "u32".into(),
        Type::S64 => "s64".into(),
        Type::U64 => "u64".into(),
        Type::Float32 => "f32".into(),
        Type::Float64 => "f64".into(),
        Type::Char => "char".into(),
        Type::String => "string".into(),
        Type::List(of) => format!("list<{}>", text(&of.ty())),
        Type::Tuple(of) => format!("tuple<{}>", list(of.types().map(|ty| text(&ty)).collect())),
        Type::Option(of) => format!("option<{}>", text(&of.ty())),
        Type::Record(of) => {
            format!("record{{{}}}", list(of.fields().map(|field| format!("{}: {}", field.name, text(&field.ty))).collect()))
        }
        Type::Variant(of) => {
            let case = |case: types::Case| match case.ty {
                Some(ty) => format!("{}({})", case.name, text(&ty)),
                None => case.name.into(),
            };
            format!("variant{{{}}}", list(of.cases().map(case).collect()))
        }
        Type::Enum(of) => format!("enum{{{}}}", list(of.names().map(String::from).collect())),
        Type::Flags(of) => format!("flags{{{}}}", list(of.names().map(String::from).collect())),
        Type::Result(of) => match (of.ok(), of.err()) {
            (None, None) => "result".into(),
            (Some(ok), None) => format!("result<{}>", text(&ok)),
            (ok, Some(err)) => format!("result<{}, {}>", ok.map_or("_".into(), |ok| text(&ok)), text(&err)),
        },
        Type::Own(_) => "own".into(),
        Type::Borrow(_) => "borrow".into(),
        _ => "another type".into(),
    }
}

/// No type that a host knows is as long, and a component can make one of any length.
const LONGEST_TYPE: usize = 2000;

fn function_text(function: &types::ComponentFunc) -> String {
    let parameters: Vec<String> = function.params().map(|(name, ty)| format!("{name}: {}", text(&ty))).collect();
    let result = function.results().next().map_or(String::new(), |ty| format!(" -> {}", text(&ty)));
    let whole = format!("func({}){result}", parameters.join(", "));
    match whole.char_indices().nth(LONGEST_TYPE) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

type Look = unsafe extern "C" fn(
    user_data: *mut c_void,
    is_export: bool,
    interface: *const c_char,
    function: *const c_char,
    ty: *const c_char,
) -> bool;

/// The functions of one side; an interface without any comes alone.
fn each_function<'a>(
    engine: &Engine,
    items: impl Iterator<Item = (&'a str, types::ComponentExtern<'a>)>,
    mut look: impl FnMut(&str, Option<(&str, &types::ComponentFunc)>) -> bool,
) -> bool {
    for (name, item) in items {
        let mut goes_on = true;
        let mut is_empty = true;
        if let ComponentItem::ComponentInstance(interface) = item.ty {
            for (function, item) in interface.exports(engine) {
                if let ComponentItem::ComponentFunc(ty) = &item.ty {
                    is_empty = false;
                    goes_on = goes_on && look(name, Some((function, ty)));
                }
            }
        }
        if !goes_on || (is_empty && !look(name, None)) {
            return false;
        }
    }
    true
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_each(
    component: &wasmtime_component_t,
    item: Look,
    user_data: *mut c_void,
) -> bool {
    let component: &Component = unsafe { &*std::ptr::from_ref(component).cast() };
    let (engine, ty) = (component.engine(), component.component_type());
    let c = |text: String| CString::new(text).unwrap_or_default();
    let look = |is_export: bool, interface: &str, function: Option<(&str, &types::ComponentFunc)>| {
        let interface = c(interface.into());
        let Some((name, ty)) = function else {
            return unsafe { item(user_data, is_export, interface.as_ptr(), std::ptr::null(), std::ptr::null()) };
        };
        let (name, ty) = (c(name.into()), c(function_text(ty)));
        unsafe { item(user_data, is_export, interface.as_ptr(), name.as_ptr(), ty.as_ptr()) }
    };
    each_function(engine, ty.imports(engine), |interface, function| look(false, interface, function))
        && each_function(engine, ty.exports(engine), |interface, function| look(true, interface, function))
}

// --- Calling ------------------------------------------------------------------------------------------------

fn fault_of(error: &Error, cause: &str) -> Fault {
    match error.downcast_ref::<Trap>() {
        Some(Trap::CannotLeaveComponent | Trap::CannotEnterComponent) => Fault::Breach,
        Some(_) => Fault::Trap,
        None if error.downcast_ref::<Ours>().is_some() => Fault::Other,
        None if cause.contains("fuel allocated for hostcalls") => Fault::TooMuch,
        None if cause.starts_with("resource limit exceeded") => Fault::TooMany,
        None if error.downcast_ref::<WasmBacktrace>().is_some() => Fault::Breach,
        None => Fault::Other,
    }
}

/// Why guest code did not return, for C.
fn ended(error: Error, fault: &mut Fault, trap: &mut *mut wasm_trap_t) -> Option<Box<wasmtime_error_t>> {
    let cause = error.root_cause().to_string();
    *fault = fault_of(&error, &cause);
    match fault {
        Fault::Trap => {
            *trap = Box::into_raw(Box::new(error)).cast();
            None
        }
        Fault::Breach => Some(Box::new(Error::msg(cause.trim_start_matches("wasm trap: ").to_owned()).into())),
        _ => Some(Box::new(error.into())),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_start(
    linked: &reglet_engine_linked,
    store: WasmtimeStoreContextMut<'_>,
    out: &mut MaybeUninit<Instance>,
    fault: &mut Fault,
    trap: &mut *mut wasm_trap_t,
) -> Option<Box<wasmtime_error_t>> {
    match linked.pre.instantiate(store) {
        Ok(instance) => {
            out.write(instance);
            None
        }
        Err(error) => ended(error, fault, trap),
    }
}

/// Which export is called.
#[repr(C)]
pub enum Export {
    Describe,
    Schema,
    Observe,
}

/// No longer answer is read, and each byte of one can be six in JSON.
const LONGEST_ANSWER: usize = 64 << 20;

struct Answered(Vec<u8>);

impl std::io::Write for Answered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > LONGEST_ANSWER - self.0.len() {
            return Err(std::io::Error::other("the answer is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn json_of(answer: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = Answered(Vec::new());
    serde_json::to_writer(&mut json, answer)?;
    Ok(json.0)
}

/// Calls it, and answers as the export of a module would: in JSON. The types were checked when the component was linked.
fn call(
    linked: &reglet_engine_linked,
    mut store: Context,
    instance: &Instance,
    export: Export,
    config: &[u8],
) -> Result<serde_json::Result<Vec<u8>>> {
    match (export, linked.version) {
        (Export::Describe, _) => {
            let (info,) = run::<(), Described>(&mut store, instance, &linked.describe, ())?;
            Ok(json_of(&info))
        }
        (Export::Schema, _) => {
            let (schema,) = run::<(), Schema>(&mut store, instance, &linked.schema, ())?;
            Ok(json_of(&schema))
        }
        (Export::Observe, Version::V1_0) => observe::<Value0, Error0>(linked, store, instance, config),
        (Export::Observe, Version::V1_1) => observe::<Value1, Error1>(linked, store, instance, config),
    }
}

fn observe<V: Lift + Serialize + 'static, E: Lift + Serialize + 'static>(
    linked: &reglet_engine_linked,
    mut store: Context,
    instance: &Instance,
    config: &[u8],
) -> Result<serde_json::Result<Vec<u8>>> {
    let config: Config = serde_json::from_slice(config).map_err(ours)?;
    let (observed,) = run::<(Config,), Observed<V, E>>(&mut store, instance, &linked.observe, (config,))?;
    Ok(match observed {
        Ok(evidence) => json_of(&evidence),
        Err(error) => json_of(&Failed { status: false, error }),
    })
}

fn run<P, R>(store: &mut Context, instance: &Instance, export: &ComponentExportIndex, parameters: P) -> Result<R>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let Some(function) = instance.get_func(&mut *store, export) else {
        return Err(ours(Error::msg("the export is gone")));
    };
    let function = unsafe { TypedFunc::<P, R>::new_unchecked(function) };
    function.call(&mut *store, parameters)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_call(
    linked: &reglet_engine_linked,
    store: WasmtimeStoreContextMut<'_>,
    instance: &Instance,
    export: Export,
    config: *const u8,
    size: usize,
    out: &mut MaybeUninit<wasm_byte_vec_t>,
    fault: &mut Fault,
    trap: &mut *mut wasm_trap_t,
) -> Option<Box<wasmtime_error_t>> {
    let config = match size {
        0 => &[],
        _ => unsafe { std::slice::from_raw_parts(config, size) },
    };
    match call(linked, store, instance, export, config) {
        Ok(Ok(json)) => {
            out.write(json.into());
            None
        }
        Ok(Err(error)) => {
            *fault = if error.is_io() { Fault::TooMuch } else { Fault::BadOutput };
            Some(Box::new(Error::from(error).into()))
        }
        Err(error) => {
            // Where no code of the guest's ran, it is what it answered, or where it would have a config.
            let answered = error.downcast_ref::<Ours>().is_none();
            let error = ended(error, fault, trap);
            if answered && matches!(fault, Fault::Other) {
                *fault = Fault::BadOutput;
            }
            error
        }
    }
}
