# For the build.sh of a Cargo crate, which stands in the crate's folder when it reads this: a cache of what is built, per user.
#
# What is built is in a folder whose name is a hash of everything that goes into it, so a second clone finds it and a change builds
# anew. REGLET_ENGINE_CACHE moves the cache; default: $XDG_CACHE_HOME/reglet-build, else ~/.cache/reglet-build.

say() { printf '%s: %s\n' "$crate_name" "$*" >&2; }
fail() { say "$*"; exit 1; }

crate_check_rust() {
    local need have
    need=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    if ! command -v rustc >/dev/null || ! command -v cargo >/dev/null; then
        fail "rustc and cargo $need or newer are needed and not on PATH; install Rust with rustup (https://rustup.rs)"
    fi
    have=$(rustc --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$need" "${have%%-*}" | sort -V | head -n1)" != "$need" ]; then
        fail "rustc $need or newer is needed, this is $have; 'rustup update stable' brings it"
    fi
}

# crate_prepare NAME FILE...: sets crate_prefix, of the crate NAME made of these files, and waits for other builds of it.
crate_prepare() {
    local key
    crate_name=$1
    shift
    crate_check_rust
    crate_cache=${REGLET_ENGINE_CACHE:-${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}}
    [ -n "$crate_cache" ] || fail "neither HOME nor XDG_CACHE_HOME is set; REGLET_ENGINE_CACHE must name a folder to build in"
    [ -n "${REGLET_ENGINE_CACHE-}" ] || crate_cache=$crate_cache/reglet-build
    key=$({ cat "$@"; rustc -vV; printf '%s' "${RUSTFLAGS-}"; } | sha256sum | cut -c1-16)
    mkdir -p "$crate_cache"
    crate_cache=$(cd "$crate_cache" && pwd)
    crate_prefix=$crate_cache/$crate_name-$key
    exec 9>"$crate_cache/$crate_name.lock"
    if ! flock -n 9; then
        say "another build is running; waiting for it"
        flock 9
    fi
}

# What Cargo says it made and where: older versions may lie in the same target folder. It must not hold the lock.
crate_build() {
    CARGO_TARGET_DIR=$crate_cache/target cargo build --release --locked --message-format=json-render-diagnostics 9>&-
}
