#!/usr/bin/env bash
# Builds the engine once per user and prints the folder it is in: lib/ and include/.
#
# The folder's name is a hash of everything that goes into it, so a second clone finds it and a change builds anew.
# REGLET_ENGINE_CACHE moves the cache; default: $XDG_CACHE_HOME/reglet-build, else ~/.cache/reglet-build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf 'engine: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

need=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if ! command -v rustc >/dev/null || ! command -v cargo >/dev/null; then
    fail "rustc and cargo $need or newer are needed and not on PATH; install Rust with rustup (https://rustup.rs)"
fi
have=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$need" "${have%%-*}" | sort -V | head -n1)" != "$need" ]; then
    fail "rustc $need or newer is needed, this is $have; 'rustup update stable' brings it"
fi

cache=${REGLET_ENGINE_CACHE:-${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}}
[ -n "$cache" ] || fail "neither HOME nor XDG_CACHE_HOME is set; REGLET_ENGINE_CACHE must name a folder to build in"
[ -n "${REGLET_ENGINE_CACHE-}" ] || cache=$cache/reglet-build
inputs=(Cargo.toml Cargo.lock build.rs build.sh reglet_engine.h src/*.rs)
key=$({ cat "${inputs[@]}"; rustc -vV; printf '%s' "${RUSTFLAGS-}"; } | sha256sum | cut -c1-16)
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
prefix=$cache/engine-$key

exec 9>"$cache/engine.lock"
if ! flock -n 9; then
    say "another build of the engine is running; waiting for it"
    flock 9
fi
if [ ! -e "$prefix/complete" ]; then
    version=$(grep -A1 '^name = "wasmtime"$' Cargo.lock | tail -n1 | cut -d'"' -f2)
    say "building Wasmtime $version once, about 5 to 10 minutes on 2 cores, into $prefix"
    # Cargo says what it made and where: older versions may lie in the same target folder. It must not hold the lock.
    made=$(CARGO_TARGET_DIR=$cache/target cargo build --release --locked \
        --message-format=json-render-diagnostics 9>&-)
    pick() { sed -n "s|^{\"reason\":\"$1\".*\"\([^\"]*$2\)\".*|\1|p" <<<"$made"; }
    rm -rf "$prefix"
    mkdir -p "$prefix/lib"
    cp "$(pick compiler-artifact '/libreglet_engine\.a')" "$(pick compiler-artifact '/libreglet_engine\.so')" \
        "$prefix/lib/"
    cp -r "$(pick build-script-executed '/wasmtime-c-api-impl-[0-9a-f]*/out')/include" "$prefix/include"
    cp reglet_engine.h "$prefix/include/"
    touch "$prefix/complete"
    say "done"
fi
printf '%s\n' "$prefix"
