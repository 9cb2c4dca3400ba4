#!/usr/bin/env bash
# A real plugin on a real file: what it is, what it wants, what it sees, and what it is refused.
# Exit code 0 only if all of that happened.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

reglet=build/reglet
plugin=build/plugins/file.wasm
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch XDG_CONFIG_HOME=$scratch # nothing is granted by a configuration of the user's

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || title() { printf '\n%s\n' "$*"; }

fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

# show EXPECTED_EXIT_CODE COMMAND...: runs it in sight, keeping what it prints in $scratch/out and $scratch/err.
show() {
    local expected=$1 code=0
    shift
    printf '$ %s\n' "$*"
    "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
    sed -s '$a\' "$scratch/out" "$scratch/err" # with a newline at each end
    [ $code = "$expected" ] || fail "exit code $code instead of $expected"
}

expect() { # expect FILE PATTERN WHAT
    grep -Eq -- "$2" "$scratch/$1" || fail "$3"
}

title "1. What the plugin says of itself. It runs with no grants at all."
show 0 $reglet describe $plugin --format table
expect out '^name +file$' "the description does not name the plugin"

title "2. The schema of its config."
show 0 $reglet schema $plugin
expect out '"path"' "the schema has no field path"

title "3. It observes /etc/hosts, under a grant for that file alone: for people, and for programs."
show 0 $reglet observe $plugin path=/etc/hosts hash:=true --grant fs:read:/etc/hosts --format table
expect out '^status +true$' "the evidence does not have status true"
show 0 $reglet observe $plugin path=/etc/hosts hash:=true --grant fs:read:/etc/hosts --format json
expect out '"status": ?true' "the evidence does not have status true"
expect out "$(sha256sum /etc/hosts | cut -d' ' -f1)" "the evidence does not have the SHA-256 of /etc/hosts"

title "4. The same plugin under the same grant asks for /etc/shadow, and is refused."
show 1 $reglet observe $plugin path=/etc/shadow hash:=true --grant fs:read:/etc/hosts --format json
expect out '"status": ?false' "the evidence does not have status false"
expect out 'permission denied' "the evidence does not say that permission was denied"
expect err 'fs:read:/etc/shadow' "the refusal does not name the grant that is missing"

printf '\ndemo: all of this happened as it should\n'
