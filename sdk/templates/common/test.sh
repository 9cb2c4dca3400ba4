#!/bin/sh
# Observes test/sample.conf with a plugin, and compares the evidence with test/expected.json; then without a grant, which must be
# refused. test.sh PLUGIN; REGLET names another reglet.
set -eu
plugin=$1
reglet=${REGLET:-reglet}

observe() {
    "$reglet" observe "$plugin" --format json "path=$PWD/test/sample.conf" 'line=PermitRootLogin no' "$@"
}

fail() {
    echo "test: $plugin: $*" >&2
    exit 1
}

found=$(observe --grant "fs:read:test/sample.conf") || fail "it did not observe: $found"
# The host's clock is not compared.
found=$(echo "$found" | sed 's/"timestamp":"[^"]*"/"timestamp":"now"/')
[ "$found" = "$(cat test/expected.json)" ] || fail "the evidence is
$found
and should be
$(cat test/expected.json)"

if refused=$(observe --quiet); then
    fail "it observed without a grant: $refused"
fi
case $refused in
*'"type":"capability"'*) ;;
*) fail "without a grant it should have failed with type capability: $refused" ;;
esac
echo "test: $plugin is well"
