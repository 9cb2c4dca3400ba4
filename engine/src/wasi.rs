//! What of WASI 0.2 a component may import: clocks, randomness, its end, and standard streams, each served by the same function
//! of preview1 that serves modules; and empty answers where a toolchain asks although nothing is there: no environment, no
//! arguments, no directories, no network. What would need one of those cannot be reached, and ends the call if it is.
//!
//! The engine's own WASI is not used: its waits know nothing of a call's deadline and token.

use crate::component::{Context, ours, reglet_engine_door};
use std::ffi::CStr;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType, Val};
use wasmtime::{Engine, Error, Result, bail, ensure};
use wasmtime_c_api::WasmtimeStoreData;

type Instance<'a> = LinkerInstance<'a, WasmtimeStoreData>;

/// Where the bytes that C sees as guest memory begin.
const WINDOW: u64 = 65536;

/// What a guest can have the host hold.
const MOST_RANDOM: u64 = 1 << 20;
const MOST_POLLABLES: usize = 1024;
const MOST_WRITTEN: u64 = 64 << 10;

// --- Resources ----------------------------------------------------------------------------------------------

/// Streams are known by their descriptors: 0, 1 and 2.
struct InputStream;
struct OutputStream;
/// Known by its place among the call's instants, from 1 on; 0 is always ready.
struct Pollable;
/// Nobody has one of these.
struct IoError;
struct Never;

/// Of one call: the instants that its pollables wait for, by the monotonic clock.
#[derive(Default)]
pub struct State {
    instants: Vec<Option<u64>>,
}

fn state<'a>(door: &reglet_engine_door, store: &'a Context) -> &'a mut State {
    let place = door.state(store);
    unsafe {
        if (*place).is_null() {
            *place = Box::into_raw(Box::<State>::default()).cast();
        }
        &mut *(*place).cast()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn reglet_engine_component_state_delete(state: Option<Box<State>>) {
    drop(state);
}

// --- Functions of preview1 ----------------------------------------------------------------------------------

const MONOTONIC: u64 = 1;
const REALTIME: u64 = 0;

fn call(door: &reglet_engine_door, store: &Context, function: &CStr, arguments: &[u64], window: &mut [u8]) -> Result<()> {
    let error = door.wasi(store, function, arguments, window)?;
    match error {
        0 => Ok(()),
        _ => Err(ours(Error::msg(format!("{function:?} failed with error {error}")))),
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn clock(door: &reglet_engine_door, store: &Context, clock: u64) -> Result<u64> {
    let mut time = [0; 8];
    call(door, store, c"clock_time_get", &[clock, 1, WINDOW], &mut time)?;
    Ok(word(&time))
}

fn resolution(door: &reglet_engine_door, store: &Context, clock: u64) -> Result<u64> {
    let mut time = [0; 8];
    call(door, store, c"clock_res_get", &[clock, WINDOW], &mut time)?;
    Ok(word(&time))
}

fn random(door: &reglet_engine_door, store: &Context, size: u64) -> Result<Vec<u8>> {
    ensure!(size <= MOST_RANDOM, "more than {MOST_RANDOM} random bytes are asked for at once");
    let mut bytes = vec![0; size as usize];
    call(door, store, c"random_get", &[WINDOW, size], &mut bytes)?;
    Ok(bytes)
}

fn random_word(door: &reglet_engine_door, store: &Context) -> Result<u64> {
    Ok(word(&random(door, store, 8)?))
}

fn write(door: &reglet_engine_door, store: &Context, stream: u32, bytes: &[u8]) -> Result<()> {
    const HEAD: usize = 16; // an iovec, and the number of bytes written
    let mut window = Vec::with_capacity(HEAD + bytes.len());
    window.extend((WINDOW as u32 + HEAD as u32).to_le_bytes());
    window.extend((bytes.len() as u32).to_le_bytes());
    window.extend([0; 8]);
    window.extend(bytes);
    call(door, store, c"fd_write", &[stream.into(), WINDOW, 1, WINDOW + 8], &mut window)
}

/// Until an instant of the monotonic clock.
fn sleep(door: &reglet_engine_door, store: &Context, instant: u64) -> Result<()> {
    const SUBSCRIPTION: usize = 48;
    const EVENT: usize = 32;
    let mut window = [0; SUBSCRIPTION + EVENT + 8];
    window[16] = MONOTONIC as u8;
    window[24..32].copy_from_slice(&instant.to_le_bytes());
    window[40] = 1; // the instant is absolute
    let events = WINDOW + SUBSCRIPTION as u64;
    call(door, store, c"poll_oneoff", &[WINDOW, events, 1, events + EVENT as u64], &mut window)
}

// --- Waiting ------------------------------------------------------------------------------------------------

fn pollable(door: &reglet_engine_door, store: &Context, instant: u64) -> Result<Resource<Pollable>> {
    let instants = &mut state(door, store).instants;
    let place = instants.iter().position(Option::is_none).unwrap_or(instants.len());
    ensure!(place < MOST_POLLABLES, "more than {MOST_POLLABLES} pollables");
    if place == instants.len() {
        instants.push(None);
    }
    instants[place] = Some(instant);
    Ok(Resource::new_own(place as u32 + 1))
}

/// 0 where it is ready whenever it is asked.
fn instant_of(door: &reglet_engine_door, store: &Context, pollable: &Resource<Pollable>) -> u64 {
    match pollable.rep() {
        0 => 0,
        place => state(door, store).instants.get(place as usize - 1).copied().flatten().unwrap_or(0),
    }
}

fn is_ready(door: &reglet_engine_door, store: &Context, instant: u64) -> Result<bool> {
    Ok(instant == 0 || clock(door, store, MONOTONIC)? >= instant)
}

fn define_poll(io: &mut Instance, door: reglet_engine_door) -> Result<()> {
    io.func_wrap("[method]pollable.ready", move |store: Context, (this,): (Resource<Pollable>,)| {
        Ok((is_ready(&door, &store, instant_of(&door, &store, &this))?,))
    })?;
    io.func_wrap("[method]pollable.block", move |store: Context, (this,): (Resource<Pollable>,)| {
        match instant_of(&door, &store, &this) {
            0 => Ok(()),
            instant => sleep(&door, &store, instant),
        }
    })?;
    io.func_wrap("poll", move |store: Context, (list,): (Vec<Resource<Pollable>>,)| -> Result<(Vec<u32>,)> {
        ensure!(!list.is_empty(), "nothing is polled");
        let instants: Vec<u64> = list.iter().map(|one| instant_of(&door, &store, one)).collect();
        let first = *instants.iter().min().expect("one at least");
        if first != 0 {
            sleep(&door, &store, first)?;
        }
        let now = clock(&door, &store, MONOTONIC)?;
        let ready = |&(_, &instant): &(usize, &u64)| instant <= now;
        Ok((instants.iter().enumerate().filter(ready).map(|(place, _)| place as u32).collect(),))
    })
}

fn define_monotonic_clock(clocks: &mut Instance, door: reglet_engine_door) -> Result<()> {
    clocks.func_wrap("now", move |store: Context, (): ()| Ok((clock(&door, &store, MONOTONIC)?,)))?;
    clocks.func_wrap("resolution", move |store: Context, (): ()| Ok((resolution(&door, &store, MONOTONIC)?,)))?;
    clocks.func_wrap("subscribe-instant", move |store: Context, (instant,): (u64,)| {
        Ok((pollable(&door, &store, instant)?,))
    })?;
    clocks.func_wrap("subscribe-duration", move |store: Context, (duration,): (u64,)| {
        let instant = clock(&door, &store, MONOTONIC)?.saturating_add(duration);
        Ok((pollable(&door, &store, instant)?,))
    })
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl From<u64> for Datetime {
    fn from(time: u64) -> Self {
        Datetime { seconds: time / 1_000_000_000, nanoseconds: (time % 1_000_000_000) as u32 }
    }
}

fn define_wall_clock(clocks: &mut Instance, door: reglet_engine_door) -> Result<()> {
    clocks.func_wrap("now", move |store: Context, (): ()| Ok((Datetime::from(clock(&door, &store, REALTIME)?),)))?;
    clocks.func_wrap("resolution", move |store: Context, (): ()| {
        Ok((Datetime::from(resolution(&door, &store, REALTIME)?),))
    })
}

// --- Randomness ---------------------------------------------------------------------------------------------

fn define_random(instance: &mut Instance, door: reglet_engine_door) -> Result<()> {
    instance.func_wrap("get-random-bytes", move |store: Context, (size,): (u64,)| Ok((random(&door, &store, size)?,)))?;
    instance.func_wrap("get-random-u64", move |store: Context, (): ()| Ok((random_word(&door, &store)?,)))
}

fn define_insecure(instance: &mut Instance, door: reglet_engine_door) -> Result<()> {
    instance.func_wrap("get-insecure-random-bytes", move |store: Context, (size,): (u64,)| {
        Ok((random(&door, &store, size)?,))
    })?;
    instance.func_wrap("get-insecure-random-u64", move |store: Context, (): ()| Ok((random_word(&door, &store)?,)))
}

fn define_insecure_seed(instance: &mut Instance, door: reglet_engine_door) -> Result<()> {
    instance.func_wrap("insecure-seed", move |store: Context, (): ()| {
        Ok(((random_word(&door, &store)?, random_word(&door, &store)?),))
    })
}

// --- Streams ------------------------------------------------------------------------------------------------

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Streamed<T> = Result<(std::result::Result<T, StreamError>,)>;

fn define_streams(io: &mut Instance, door: reglet_engine_door) -> Result<()> {
    // Of what can be read there is one stream, and it is at its end.
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        io.func_wrap(name, |_: Context, _: (Resource<InputStream>, u64)| -> Streamed<Vec<u8>> {
            Ok((Err(StreamError::Closed),))
        })?;
    }
    for name in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        io.func_wrap(name, |_: Context, _: (Resource<InputStream>, u64)| -> Streamed<u64> {
            Ok((Err(StreamError::Closed),))
        })?;
    }
    io.func_wrap("[method]input-stream.subscribe", |_: Context, _: (Resource<InputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    io.func_wrap("[method]output-stream.subscribe", |_: Context, _: (Resource<OutputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    io.func_wrap("[method]output-stream.check-write", |_: Context, _: (Resource<OutputStream>,)| -> Streamed<u64> {
        Ok((Ok(MOST_WRITTEN),))
    })?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        io.func_wrap(
            name,
            move |store: Context, (this, bytes): (Resource<OutputStream>, Vec<u8>)| -> Streamed<()> {
                write(&door, &store, this.rep(), &bytes)?;
                Ok((Ok(()),))
            },
        )?;
    }
    for name in ["[method]output-stream.write-zeroes", "[method]output-stream.blocking-write-zeroes-and-flush"] {
        io.func_wrap(
            name,
            move |store: Context, (this, size): (Resource<OutputStream>, u64)| -> Streamed<()> {
                ensure!(size <= MOST_WRITTEN, "more zeroes than check-write allows");
                write(&door, &store, this.rep(), &vec![0; size as usize])?;
                Ok((Ok(()),))
            },
        )?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        io.func_wrap(name, |_: Context, _: (Resource<OutputStream>,)| -> Streamed<()> { Ok((Ok(()),)) })?;
    }
    for name in ["[method]output-stream.splice", "[method]output-stream.blocking-splice"] {
        io.func_wrap(
            name,
            |_: Context, _: (Resource<OutputStream>, Resource<InputStream>, u64)| -> Streamed<u64> {
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    Ok(())
}

fn define_error(io: &mut Instance, _: reglet_engine_door) -> Result<()> {
    io.func_wrap("[method]error.to-debug-string", |_: Context, _: (Resource<IoError>,)| Ok((String::from("failed"),)))
}

// --- The command line: none ---------------------------------------------------------------------------------

fn define_environment(cli: &mut Instance, _: reglet_engine_door) -> Result<()> {
    cli.func_wrap("get-environment", |_: Context, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    cli.func_wrap("get-arguments", |_: Context, (): ()| Ok((Vec::<String>::new(),)))?;
    cli.func_wrap("initial-cwd", |_: Context, (): ()| Ok((None::<String>,)))
}

fn define_exit(cli: &mut Instance, door: reglet_engine_door) -> Result<()> {
    cli.func_wrap("exit", move |store: Context, (status,): (std::result::Result<(), ()>,)| {
        call(&door, &store, c"proc_exit", &[status.is_err().into()], &mut [])
    })?;
    cli.func_wrap("exit-with-code", move |store: Context, (code,): (u8,)| {
        call(&door, &store, c"proc_exit", &[code.into()], &mut [])
    })
}

fn define_stdin(cli: &mut Instance, _: reglet_engine_door) -> Result<()> {
    cli.func_wrap("get-stdin", |_: Context, (): ()| Ok((Resource::<InputStream>::new_own(0),)))
}

fn define_stdout(cli: &mut Instance, _: reglet_engine_door) -> Result<()> {
    cli.func_wrap("get-stdout", |_: Context, (): ()| Ok((Resource::<OutputStream>::new_own(1),)))
}

fn define_stderr(cli: &mut Instance, _: reglet_engine_door) -> Result<()> {
    cli.func_wrap("get-stderr", |_: Context, (): ()| Ok((Resource::<OutputStream>::new_own(2),)))
}

// --- What only says that there is nothing -------------------------------------------------------------------

/// A function that answers the same whatever it is asked.
fn always(instance: &mut Instance, name: &str, answer: Val) -> Result<()> {
    instance.func_new(name, move |_, _, _, results| {
        results[0] = answer.clone();
        Ok(())
    })
}

fn denied() -> Val {
    Val::Result(Err(Some(Box::new(Val::Enum("access-denied".into())))))
}

fn define_preopens(instance: &mut Instance, _: reglet_engine_door) -> Result<()> {
    always(instance, "get-directories", Val::List(Vec::new()))
}

fn define_file_types(instance: &mut Instance, _: reglet_engine_door) -> Result<()> {
    always(instance, "filesystem-error-code", Val::Option(None))
}

fn define_terminals(instance: &mut Instance, _: reglet_engine_door) -> Result<()> {
    for name in ["get-terminal-stdin", "get-terminal-stdout", "get-terminal-stderr"] {
        always(instance, name, Val::Option(None))?;
    }
    Ok(())
}

fn define_instance_network(instance: &mut Instance, _: reglet_engine_door) -> Result<()> {
    instance.func_wrap("instance-network", |_: Context, (): ()| Ok((Resource::<Never>::new_own(0),)))
}

fn define_sockets(instance: &mut Instance, _: reglet_engine_door) -> Result<()> {
    for name in ["create-tcp-socket", "create-udp-socket", "resolve-addresses"] {
        always(instance, name, denied())?;
    }
    always(instance, "network-error-code", Val::Option(None))
}

fn define_nothing(_: &mut Instance, _: reglet_engine_door) -> Result<()> {
    Ok(())
}

// --- The whole ----------------------------------------------------------------------------------------------

type Define = fn(&mut Instance, reglet_engine_door) -> Result<()>;

/// The interfaces that there are.
const INTERFACES: [(&str, Define); 27] = [
    ("wasi:cli/environment", define_environment),
    ("wasi:cli/exit", define_exit),
    ("wasi:cli/stdin", define_stdin),
    ("wasi:cli/stdout", define_stdout),
    ("wasi:cli/stderr", define_stderr),
    ("wasi:cli/terminal-input", define_nothing),
    ("wasi:cli/terminal-output", define_nothing),
    ("wasi:cli/terminal-stdin", define_terminals),
    ("wasi:cli/terminal-stdout", define_terminals),
    ("wasi:cli/terminal-stderr", define_terminals),
    ("wasi:clocks/monotonic-clock", define_monotonic_clock),
    ("wasi:clocks/wall-clock", define_wall_clock),
    ("wasi:filesystem/preopens", define_preopens),
    ("wasi:filesystem/types", define_file_types),
    ("wasi:io/error", define_error),
    ("wasi:io/poll", define_poll),
    ("wasi:io/streams", define_streams),
    ("wasi:random/random", define_random),
    ("wasi:random/insecure", define_insecure),
    ("wasi:random/insecure-seed", define_insecure_seed),
    ("wasi:sockets/instance-network", define_instance_network),
    ("wasi:sockets/ip-name-lookup", define_sockets),
    ("wasi:sockets/network", define_sockets),
    ("wasi:sockets/tcp", define_nothing),
    ("wasi:sockets/tcp-create-socket", define_sockets),
    ("wasi:sockets/udp", define_nothing),
    ("wasi:sockets/udp-create-socket", define_sockets),
];

/// Defines what an interface of WASI 0.2 has, under the name by which a component imports it. False: there is none of that name.
pub fn define(
    linker: &mut Linker<WasmtimeStoreData>,
    name: &str,
    interface: &ComponentInstance,
    door: reglet_engine_door,
) -> Result<bool> {
    let Some((interface_name, version)) = name.split_once('@') else { return Ok(false) };
    let known = INTERFACES.iter().find(|(known, _)| *known == interface_name);
    let Some((_, define)) = known.filter(|_| version.starts_with("0.2.")) else { return Ok(false) };
    let engine = linker.engine().clone();
    let mut instance = linker.instance(name)?;
    define_unreachable(&mut instance, name, interface, &engine, door)?;
    define(&mut instance, door)?;
    Ok(true)
}

/// An interface that uses a resource of another one has it under the same name.
fn define_resource(instance: &mut Instance, name: &str, door: reglet_engine_door) -> Result<()> {
    let ty = match name {
        "error" => ResourceType::host::<IoError>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "pollable" => ResourceType::host::<Pollable>(),
        _ => ResourceType::host::<Never>(),
    };
    let is_pollable = name == "pollable";
    instance.resource(name, ty, move |store, place| {
        let place = (place as usize).checked_sub(1).filter(|_| is_pollable);
        if let Some(instant) = place.and_then(|place| state(&door, &store).instants.get_mut(place)) {
            *instant = None;
        }
        Ok(())
    })
}

/// Everything that the component imports of it, so that it can be linked: functions end the call, unless they are defined after this.
fn define_unreachable(
    instance: &mut Instance,
    name: &str,
    interface: &ComponentInstance,
    engine: &Engine,
    door: reglet_engine_door,
) -> Result<()> {
    for (item, ty) in interface.exports(engine) {
        match ty.ty {
            ComponentItem::ComponentFunc(_) => {
                let text = format!("\"{item}\" of \"{name}\" is not what this host provides");
                instance.func_new(item, move |_, _, _, _| Err(Error::msg(text.clone())))?;
            }
            ComponentItem::Resource(_) => define_resource(instance, item, door)?,
            ComponentItem::Type(_) => {}
            _ => bail!("\"{item}\" of \"{name}\" is no function"),
        }
    }
    Ok(())
}
