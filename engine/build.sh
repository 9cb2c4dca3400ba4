#!/usr/bin/env bash
# Builds the engine once per user and prints the folder it is in: lib/ and include/.
#
# The folder's name is a hash of everything that goes into it, so a second clone finds it and a change builds anew.
# REGLET_ENGINE_CACHE moves the cache; default: $XDG_CACHE_HOME/reglet-build, else ~/.cache/reglet-build.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf 'engine: %s\n' "$*" >&2; }

need="1.95.0"
if ! command -v rustc >/dev/null || ! command -v cargo >/dev/null; then
    say "rustc and cargo $need or newer are needed and not on PATH; install Rust with rustup (https://rustup.rs)"
    exit 1
fi
have=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$need" "${have%%-*}" | sort -V | head -n1)" != "$need" ]; then
    say "rustc $need or newer is needed, this is $have; 'rustup update stable' brings it"
    exit 1
fi

inputs=(Cargo.toml Cargo.lock build.rs build.sh reglet_engine.h src/lib.rs)
key=$({ cat "${inputs[@]}"; rustc -vV; printf '%s' "${RUSTFLAGS-}"; } | sha256sum | cut -c1-16)
cache=${REGLET_ENGINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reglet-build}
prefix=$cache/engine-$key
mkdir -p "$cache"

exec 9>"$cache/engine.lock"
if ! flock -n 9; then
    say "another build of the engine is running; waiting for it"
    flock 9
fi
if [ ! -e "$prefix/complete" ]; then
    say "building $(grep -A1 '^name = "wasmtime"$' Cargo.lock | tail -n1 | cut -d'"' -f2 | sed 's/^/Wasmtime /') once, about 5 to 10 minutes on 2 cores, into $prefix"
    target=$cache/target
    CARGO_TARGET_DIR=$target cargo build --release --locked 1>&2
    rm -rf "$prefix"
    mkdir -p "$prefix/lib"
    cp "$target"/release/libreglet_engine.{a,so} "$prefix/lib/"
    # The newest: an older version's headers may still lie beside it.
    headers=$(ls -td "$target"/release/build/wasmtime-c-api-impl-*/out/include | head -n1)
    cp -r "$headers" "$prefix/include"
    cp reglet_engine.h "$prefix/include/"
    touch "$prefix/complete"
    say "done"
fi
printf '%s\n' "$prefix"
