#!/usr/bin/env bash
# Formats every C file of the repository; with --check only says which lines are not formatted.
#
# Each version of clang-format formats a little differently, so it is this one or none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool=clang-format-14
mode=(-i)
[ "${1-}" != --check ] || mode=(--dry-run -Werror)
if ! command -v $tool >/dev/null; then
    printf 'format: %s is not here (and no package of this system has it); formatting was NOT checked\n' $tool >&2
    exit 0
fi
git ls-files -z '*.c' '*.h' | xargs -0 $tool "${mode[@]}"
