//! The engine under libreglet: Wasmtime's C API as it is, and the few things that it lacks.
//!
//! Everything here is declared for C in `engine/reglet_engine.h`. The C API keeps the fields of its types
//! to itself; each type that is opened here holds just the one field that is meant, and `sole_field` checks at
//! compile time that there is no room for another.

mod component;
mod rewrite;
mod types;
mod wasi;

use libc::{PRIO_PROCESS, setpriority};
use rayon::ThreadPoolBuilder;
use std::ffi::{c_char, c_int};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use wasmtime::{Config, Engine, Module, ResourceLimiter, Store};
pub use component::*;
pub use rewrite::*;
pub use wasmtime_c_api::*;

/// Fails to compile unless `$outer` has exactly the layout of `$inner`, its only field.
macro_rules! sole_field {
    ($outer:ty, $inner:ty) => {
        const _: () = assert!(
            size_of::<$outer>() == size_of::<$inner>() && align_of::<$outer>() == align_of::<$inner>()
        );
    };
}
pub(crate) use sole_field;
sole_field!(wasm_config_t, Config);
sole_field!(wasm_engine_t, Engine);
sole_field!(wasmtime_module_t, Module);
sole_field!(wasmtime_store_t, Store<WasmtimeStoreData>);

/// Creates an engine and answers an error where `wasm_engine_new_with_config` aborts the process.
/// Takes the configuration over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_new(
    config: Box<wasm_config_t>,
    out: &mut *mut wasm_engine_t,
) -> Option<Box<wasmtime_error_t>> {
    let mut config: Box<Config> = unsafe { Box::from_raw(Box::into_raw(config).cast()) };
    keep_compilers_quiet();
    config.generate_address_map(false); // a trap's function is known without it; its offset nobody asks for
    match Engine::new(&config) {
        Ok(engine) => {
            *out = Box::into_raw(Box::new(engine)).cast();
            None
        }
        Err(error) => Some(Box::new(error.into())),
    }
}

const COMPILER_THREAD: &str = "reglet-compiler";

/// Compiles a module on threads of its own. `wasmtime_module_new` compiles on one pool of the whole process, where a
/// few small modules that take minutes keep every other one waiting, even after their own loads were given up.
/// `threads`: at most so many, 0 for one per CPU; `nice`: what their priority's number is set to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_module_new(
    engine: &wasm_engine_t,
    wasm: *const u8,
    size: usize,
    threads: usize,
    nice: i32,
    out: &mut *mut wasmtime_module_t,
) -> Option<Box<wasmtime_error_t>> {
    let engine = opened(engine);
    let bytes = unsafe { std::slice::from_raw_parts(wasm, size) };
    let module = compile_on_own_threads(threads, nice, || Module::from_binary(engine, bytes));
    answer(module.map(|module| Box::into_raw(Box::new(module)).cast()), out)
}

fn compile_on_own_threads<T: Send>(
    threads: usize,
    nice: i32,
    compile: impl FnOnce() -> wasmtime::Result<T> + Send,
) -> wasmtime::Result<T> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|_| COMPILER_THREAD.into())
        .start_handler(move |_| {
            unsafe { setpriority(PRIO_PROCESS, 0, nice) }; // on Linux of this thread; a refusal costs nothing but speed
        })
        .build();
    // What a compiler does not expect it may panic at: then the other one has its turn.
    let compiled = catch_unwind(AssertUnwindSafe(|| match pool {
        Ok(threads) => threads.install(compile),
        Err(_) => compile(), // no threads to be had: as wasmtime_module_new does it
    }));
    compiled.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(wasmtime::Error::msg(format!("the compiler failed: {}", said.unwrap_or("it does not say why"))))
    })
}

/// What a module makes a compiler panic at is an error like others, and nothing to be printed.
fn keep_compilers_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some(COMPILER_THREAD) {
                loud(panic);
            }
        }));
    });
}

/// Loads code that `wasmtime_module_serialize` made, and maps it from the file. The content is trusted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_module_map(
    engine: &wasm_engine_t,
    fd: c_int,
    out: &mut *mut wasmtime_module_t,
) -> Option<Box<wasmtime_error_t>> {
    let file = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().map(File::from);
    let module = file
        .map_err(wasmtime::Error::from)
        .and_then(|file| unsafe { Module::deserialize_open_file(opened(engine), file) });
    answer(module.map(|module| Box::into_raw(Box::new(module)).cast()), out)
}

fn answer<T>(made: wasmtime::Result<*mut T>, out: &mut *mut T) -> Option<Box<wasmtime_error_t>> {
    match made {
        Ok(made) => {
            *out = made;
            None
        }
        Err(error) => Some(Box::new(error.into())),
    }
}

fn opened(engine: &wasm_engine_t) -> &Engine {
    unsafe { &*std::ptr::from_ref(engine).cast() }
}

/// A number that differs when code of one engine is not for the other: its version, its settings, the compiler and what
/// the CPU can do; and how this crate rewrites modules.
#[unsafe(no_mangle)]
pub extern "C" fn reglet_engine_compatibility(engine: &wasm_engine_t) -> u64 {
    let mut hasher = DefaultHasher::new();
    opened(engine).precompile_compatibility_hash().hash(&mut hasher);
    (env!("REGLET_WASMTIME_VERSION"), include_str!("rewrite.rs")).hash(&mut hasher);
    hasher.finish()
}

/// What the instances of one call may grow to together, and what was refused: the C API's own limiter refuses without a trace.
#[repr(C)]
pub struct reglet_engine_limits {
    memory_bytes: u64,
    table_elements: u64,
    /// How many a component may have; a module has one instance and at most one memory.
    instances: u32,
    memories: u32,
    tables: u32,
    /// Bytes that a component may hand over in one call, in either direction of calling; strings and lists count.
    handed_over_bytes: u64,
    /// Bytes of the first refused memory, 0 while nothing was refused.
    refused_memory_bytes: u64,
    /// Elements of the first refused table, 0 while nothing was refused.
    refused_table_elements: u64,
    /// Bytes of all memories so far, and what the last growth added to them.
    used_memory_bytes: u64,
    last_growth_bytes: u64,
    /// Elements of all tables so far.
    used_table_elements: u64,
}

impl ResourceLimiter for reglet_engine_limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let total = self.used_memory_bytes.saturating_add(growth);
        let allowed = total <= self.memory_bytes;
        if allowed {
            self.used_memory_bytes = total;
            self.last_growth_bytes = growth;
        } else if self.refused_memory_bytes == 0 {
            self.refused_memory_bytes = total;
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.used_memory_bytes -= std::mem::take(&mut self.last_growth_bytes);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = (self.used_table_elements - current as u64).saturating_add(desired as u64);
        let allowed = total <= self.table_elements;
        if allowed {
            self.used_table_elements = total;
        } else if self.refused_table_elements == 0 {
            self.refused_table_elements = total;
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        self.instances as usize
    }

    fn memories(&self) -> usize {
        self.memories as usize
    }

    fn tables(&self) -> usize {
        self.tables as usize
    }
}

struct LimitsPointer(*mut reglet_engine_limits);
// The store and its limits belong to one call, which runs on one thread at a time.
unsafe impl Send for LimitsPointer {}
unsafe impl Sync for LimitsPointer {}

impl LimitsPointer {
    fn limits(&mut self) -> &'static mut reglet_engine_limits {
        unsafe { &mut *self.0 }
    }
}

/// Holds a store to `limits`, which the caller keeps alive as long as the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_store_limits(
    store: &mut wasmtime_store_t,
    limits: *mut reglet_engine_limits,
) {
    let store: &mut Store<WasmtimeStoreData> = unsafe { &mut *std::ptr::from_mut(store).cast() };
    let mut pointer = LimitsPointer(limits);
    store.set_hostcall_fuel(pointer.limits().handed_over_bytes as usize);
    store.limiter(move |_| -> &mut dyn ResourceLimiter { pointer.limits() });
}

/// The engine's name and version, NUL-terminated.
#[unsafe(no_mangle)]
pub extern "C" fn reglet_engine_crate_version() -> *const c_char {
    const VERSION: &str = concat!("wasmtime ", env!("REGLET_WASMTIME_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
