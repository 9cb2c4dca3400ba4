//! Hands the locked version of the engine to the crate, so that it is named in one place.

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").expect("Cargo.lock is readable");
    let version = lock
        .split("\n\n")
        .find(|package| package.contains("name = \"wasmtime\"\n"))
        .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
        .expect("Cargo.lock locks wasmtime");
    println!("cargo:rustc-env=REGLET_WASMTIME_VERSION={version}");
}
