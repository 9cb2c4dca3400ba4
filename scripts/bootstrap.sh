#!/usr/bin/env bash
# Finds out what is needed and missing, and installs it (Debian or Ubuntu, as root or with sudo).
#
#   scripts/bootstrap.sh [--list] build|check
#
# build: what it takes to build the library, the command and the plugins. check: what the tests take besides.
# --list installs nothing. Where something cannot be installed it is listed, and the exit code is 1.
set -euo pipefail

install=yes
[ "${1-}" != --list ] || { install=no; shift; }
scope=${1:?build or check}

# As in the Makefile: where rustup and Go's own archive install.
PATH=$PATH:${HOME-}/.cargo/bin:/usr/local/go/bin

packages=() # Debian's names of what is missing
problems=() # what no package of this system mends, one line each

have() { command -v "$1" >/dev/null; }

at_least() { # at_least WANTED HAVE
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]
}

need() { # need PACKAGE PROBE...
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || [[ " ${packages[*]} " = *" $package "* ]] || packages+=("$package")
}

cmake_version() { cmake --version | sed -n '1s/.* //p'; }
go_version() { go version | sed 's/.*go version go\([0-9.]*\).*/\1/'; }
rust_wanted() { sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../engine/Cargo.toml"; }

# The compiler that cmake/Guests.cmake will take.
guest_compiler() {
    local compiler
    for compiler in clang-14 clang-15 clang-16 clang; do
        ! have $compiler || { echo $compiler; return; }
    done
}

# Can it make a module for wasm32-wasi? That takes wasm-ld, wasi-libc and the compiler's runtime as well.
can_build_guests() {
    local scratch works=0
    have "$(guest_compiler)" || return 1
    scratch=$(mktemp -d)
    printf '#include <stdlib.h>\nint main(void) { return abs(0); }\n' >"$scratch/try.c"
    "$(guest_compiler)" --target=wasm32-wasi --sysroot=/usr "$scratch/try.c" -o "$scratch/try.wasm" || works=1
    rm -rf "$scratch"
    return $works
}

# The packages for it, of the version that is here, else of the one that this system means by `clang`.
guest_packages() {
    local version=
    if have "$(guest_compiler)"; then
        version=$("$(guest_compiler)" --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
    else
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n1)
    fi
    version=${version:-14}
    echo "clang-$version" "lld-$version" "libclang-rt-$version-dev-wasm32" wasi-libc
}

look_for_packages() {
    packages=()
    need cmake have cmake
    need ninja-build have ninja
    need make have make
    need git have git
    need gcc have gcc
    need g++ have g++
    need libc6-dev test -e /usr/include/stdio.h
    need binutils have objcopy
    need pkg-config have pkg-config
    need ca-certificates test -s /etc/ssl/certs/ca-certificates.crt # cargo fetches the engine's crates
    need libsimdjson-dev pkg-config --exists simdjson
    need libjson-c-dev pkg-config --exists json-c # the command and the examples
    need libssl-dev pkg-config --exists libssl libcrypto
    need libc-ares-dev pkg-config --exists libcares
    need libcurl4-openssl-dev pkg-config --exists libcurl
    need zlib1g-dev pkg-config --exists zlib
    need libxxhash-dev pkg-config --exists libxxhash
    need libvectorscan-dev pkg-config --exists libhs
    need libre2-dev pkg-config --exists re2
    need libtomlplusplus-dev pkg-config --exists tomlplusplus
    need libyaml-dev pkg-config --exists yaml-0.1
    # shellcheck disable=SC2207
    can_build_guests >/dev/null 2>&1 || packages+=($(guest_packages))
    [ "$scope" = check ] || return 0
    need clang have clang
    need libcmocka-dev pkg-config --exists cmocka
    need wabt have wat2wasm
    need python3 test -x /usr/bin/python3 # tests of the command line, and the servers that tests talk to
    need python3-cryptography /usr/bin/python3 -c 'import cryptography'
    need python3-dnspython /usr/bin/python3 -c 'import dns.message'
    need python3-h2 /usr/bin/python3 -c 'import h2.connection'
    if apt-cache show clang-format-14 >/dev/null 2>&1; then
        need clang-format-14 have clang-format-14
    fi
    # Plugins in JavaScript: npm brings the rest, and without it their tests are skipped.
    if { ! have npm || ! have node; } && apt-cache show npm >/dev/null 2>&1; then
        packages+=(nodejs npm)
    fi
    if ! have go && at_least 1.24 "$(apt-cache policy golang-go 2>/dev/null | sed -n 's/.*Candidate: [0-9]*:\?//p')"; then
        packages+=(golang-go)
    fi
}

install_packages() {
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    export DEBIAN_FRONTEND=noninteractive
    "${sudo[@]}" apt-get update -q </dev/null ||
        echo "bootstrap: the package lists could not be brought up to date; going on with those that are here" >&2
    look_for_packages # the lists may name more now
    echo "bootstrap: installing ${packages[*]}" >&2
    "${sudo[@]}" apt-get install -q -y --no-install-recommends "${packages[@]}" </dev/null
    look_for_packages
}

look_for_problems() {
    local wanted
    wanted=$(rust_wanted)
    if ! have rustc || ! have cargo; then
        problems+=("rustc and cargo $wanted or newer: https://rustup.rs installs them (Debian's are too old)")
    elif ! at_least "$wanted" "$(rustc --version | cut -d' ' -f2)"; then
        problems+=("rustc $wanted or newer, this is $(rustc --version | cut -d' ' -f2): 'rustup update stable' brings it")
    fi
    if have cmake && ! at_least 3.25 "$(cmake_version)"; then
        problems+=("CMake 3.25 or newer, this is $(cmake_version): Debian 12 and Ubuntu 24.04 have it")
    fi
    if pkg-config --exists json-c 2>/dev/null && ! pkg-config --exists 'json-c >= 0.16'; then
        problems+=("json-c 0.16 or newer, this is $(pkg-config --modversion json-c): Debian 12 and Ubuntu 24.04 have it")
    fi
    if pkg-config --exists libcurl 2>/dev/null && ! pkg-config --exists 'libcurl >= 7.88'; then
        problems+=("libcurl 7.88 or newer, this is $(pkg-config --modversion libcurl): Debian 12 and Ubuntu 24.04 have it")
    fi
    [ "$scope" = check ] || return 0
    if ! have go; then
        [[ " ${packages[*]} " = *" golang-go "* ]] ||
            problems+=("Go 1.24 or newer, for guests of the tests: https://go.dev/dl (unpacked to /usr/local/go)")
    elif ! at_least 1.24 "$(go_version)"; then
        problems+=("Go 1.24 or newer, this is $(go_version): https://go.dev/dl (unpacked to /usr/local/go, before others on PATH)")
    fi
}

look_for_packages
if [ ${#packages[@]} -gt 0 ] && [ $install = yes ] && have apt-get && { [ "$(id -u)" = 0 ] || have sudo; }; then
    install_packages
fi
look_for_problems
if [ ${#packages[@]} -eq 0 ] && [ ${#problems[@]} -eq 0 ]; then
    exit 0
fi

{
    echo "bootstrap: this is missing:"
    [ ${#packages[@]} -eq 0 ] || printf '  - Debian or Ubuntu packages: apt-get install %s\n' "${packages[*]}"
    [ ${#problems[@]} -eq 0 ] || printf '  - %s\n' "${problems[@]}"
    [ $install = yes ] || echo "'make demo' and 'make check' install packages by themselves, as root or with sudo."
} >&2
exit 1
