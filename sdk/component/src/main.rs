//! reglet-component bindings WIT… FOLDER: C for a guest of the world in the last WIT file, with an object that describes the
//! world. The files before it have packages that it names.
//! reglet-component new MODULE COMPONENT [WIT…]: the component around a core module that was linked with that object, or that is of
//! the world in these files. What the module imports of WASI preview1 is translated to WASI 0.2.
//! reglet-component empty COMPONENT WIT…: a component of a world that imports all that the world has, and traps when it is called.
//! reglet-component text TEXT COMPONENT: a component as it is written in text, valid or not.

use anyhow::{Context, Result, bail};
use std::{env, fs, path::Path, process::ExitCode};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, WorldId};

/// Reads files, of which the last one has the world.
fn read(wits: &[&str]) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for wit in wits {
        packages = vec![resolve.push_path(wit).with_context(|| wit.to_string())?.0];
    }
    let world = resolve.select_world(&packages, None)?;
    Ok((resolve, world))
}

fn bindings(wits: &[&str], folder: &str) -> Result<()> {
    let (mut resolve, world) = read(wits)?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    fs::create_dir_all(folder)?;
    for (name, bytes) in files.iter() {
        fs::write(Path::new(folder).join(name), bytes)?;
    }
    Ok(())
}

fn component(mut module: Vec<u8>, out: &str, wits: &[&str], imports_preview1: bool) -> Result<()> {
    if !wits.is_empty() {
        let (resolve, world) = read(wits)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module)?;
    if imports_preview1 {
        encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
    }
    fs::write(out, encoder.validate(true).encode()?)?;
    Ok(())
}

fn empty(wits: &[&str], out: &str) -> Result<()> {
    let (resolve, world) = read(wits)?;
    component(dummy_module(&resolve, world, ManglingAndAbi::Standard32), out, wits, false)
}

fn text(text: &str, out: &str) -> Result<()> {
    fs::write(out, wat::parse_file(text)?)?;
    Ok(())
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["bindings", wits @ .., folder] if !wits.is_empty() => bindings(wits, folder),
        ["new", module, out, wits @ ..] => component(fs::read(module)?, out, wits, true).with_context(|| module.to_string()),
        ["empty", out, wits @ ..] if !wits.is_empty() => empty(wits, out).with_context(|| out.to_string()),
        ["text", source, out] => text(source, out),
        _ => bail!("usage: reglet-component bindings WIT… FOLDER | new MODULE COMPONENT [WIT…] | empty COMPONENT WIT… | text TEXT COMPONENT"),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reglet-component: {error:#}");
            ExitCode::FAILURE
        }
    }
}
