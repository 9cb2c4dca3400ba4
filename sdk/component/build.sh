#!/usr/bin/env bash
# Builds the tool once per user and prints its path. See scripts/crate.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ../../scripts/crate.sh

crate_prepare component Cargo.toml Cargo.lock build.sh src/main.rs
if [ ! -e "$crate_prefix/complete" ]; then
    say "building the tool that makes components once, about a minute on 2 cores, into $crate_prefix"
    made=$(crate_build)
    mkdir -p "$crate_prefix"
    cp "$(sed -n 's|^{"reason":"compiler-artifact".*"executable":"\([^"]*/reglet-component\)".*|\1|p' <<<"$made")" "$crate_prefix/"
    touch "$crate_prefix/complete"
    say "done"
fi
printf '%s\n' "$crate_prefix/reglet-component"
