//! reglet-component bindings WIT FOLDER: C for a guest of the world in a WIT file, with an object that describes the world.
//! reglet-component new MODULE COMPONENT: the component around a core module that was linked with that object. What the module
//! imports of WASI preview1 is translated to WASI 0.2.

use anyhow::{Context, Result, bail};
use std::{env, fs, path::Path, process::ExitCode};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;
use wit_parser::Resolve;

fn bindings(wit: &str, folder: &str) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], None)?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    fs::create_dir_all(folder)?;
    for (name, bytes) in files.iter() {
        fs::write(Path::new(folder).join(name), bytes)?;
    }
    Ok(())
}

fn component(module: &str, out: &str) -> Result<()> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(&fs::read(module)?)?;
    encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
    fs::write(out, encoder.validate(true).encode()?)?;
    Ok(())
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["bindings", wit, folder] => bindings(wit, folder).with_context(|| wit.to_string()),
        ["new", module, out] => component(module, out).with_context(|| module.to_string()),
        _ => bail!("usage: reglet-component bindings WIT FOLDER | new MODULE COMPONENT"),
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
