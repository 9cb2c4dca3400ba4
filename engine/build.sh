#!/usr/bin/env bash
# Builds the engine once per user and prints the folder it is in: lib/ and include/.
# See scripts/crate.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ../scripts/crate.sh

crate_prepare engine Cargo.toml Cargo.lock build.rs build.sh reglet_engine.h src/*.rs
prefix=$crate_prefix
if [ ! -e "$prefix/complete" ]; then
    version=$(grep -A1 '^name = "wasmtime"$' Cargo.lock | tail -n1 | cut -d'"' -f2)
    say "building Wasmtime $version once, about 5 to 10 minutes on 2 cores, into $prefix"
    made=$(crate_build)
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
