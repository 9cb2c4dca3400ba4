#!/usr/bin/env bash
# The installed library, used as a stranger would: package_test.sh TEST BUILD_DIRECTORY
#
# `install` comes first; the others work on the prefix that it leaves.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/consumer
build=$2
work=$build/package
prefix=$work/prefix
plugin=$build/plugins/file.wasm
strict=(-Wall -Wextra -pedantic -Werror)
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

fail() {
    printf 'package: %s\n' "$*" >&2
    exit 1
}

# Staged under DESTDIR and then moved: nothing may have remembered the place it was installed to.
test_install() {
    rm -rf "$work"
    mkdir -p "$work"
    DESTDIR=$work/stage cmake --install "$build" --prefix /opt/reglet >"$work/install.log"
    mv "$work/stage/opt/reglet" "$prefix"
    local file
    for file in bin/reglet bin/reglet-component lib/libreglet.so lib/libreglet.so.0 lib/libreglet.a include/reglet.h \
        include/reglet/runtime.h lib/pkgconfig/reglet.pc lib/cmake/reglet/reglet-config.cmake \
        share/man/man1/reglet.1 share/bash-completion/completions/reglet share/zsh/site-functions/_reglet; do
        [ -e "$prefix/$file" ] || fail "$file was not installed"
    done
    "$prefix/bin/reglet" version
}

# Exactly what the headers declare is defined: no more in either library, and no less.
test_symbols() {
    local declared=$build/public-functions.txt
    local soname
    soname=$(objdump -p "$prefix/lib/libreglet.so" | awk '$1 == "SONAME" { print $2 }')
    [ "$soname" = libreglet.so.0 ] || fail "the SONAME is $soname, not libreglet.so.0"
    readelf -d "$prefix/lib/libreglet.so" | grep -q NODELETE || fail "dlclose would unmap libreglet.so"
    nm -D --defined-only "$prefix/lib/libreglet.so" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' | sort >"$work/shared"
    diff "$declared" "$work/shared" || fail "libreglet.so does not define what the headers declare (<: headers, >: library)"
    nm -g --defined-only "$prefix/lib/libreglet.a" | awk 'NF == 3 { print $3 }' | sort >"$work/static"
    diff "$declared" "$work/static" || fail "libreglet.a does not define what the headers declare (<: headers, >: library)"
    # Rust's own names are _R… or end in a hash; the C++ ones are those of the C++ libraries that it is linked with.
    if nm -u "$prefix/lib/libreglet.a" | grep -E ' (reglet|wasm|rust|_R|_ZN.*17h[0-9a-f]{16}E$)'; then
        fail "libreglet.a wants symbols that only it could define"
    fi
}

compile_and_run() { # compile_and_run NAME SOURCE COMPILER...: with the pkg-config words in $flags
    local program=$work/$1 file=$2
    shift 2
    # shellcheck disable=SC2086
    "$@" "${strict[@]}" "$file" -o "$program" $flags
    LD_LIBRARY_PATH=$prefix/lib "$program" "$plugin"
}

test_pkg_config_shared() {
    local flags
    flags="-x none $(pkg-config --cflags --libs reglet)"
    compile_and_run shared_c "$source/consumer.c" cc -std=c11
    compile_and_run shared_cpp "$source/consumer.c" c++ -std=c++17 -x c++
}

# The example that the documentation shows.
test_example() {
    local flags
    flags=$(pkg-config --cflags --libs reglet)
    compile_and_run example "$source/../../../examples/observe.c" cc -std=c11
}

test_pkg_config_static() {
    local flags
    flags="-x none $(pkg-config --static --cflags --libs reglet)"
    flags=${flags/-lreglet/-l:libreglet.a}
    compile_and_run static_c "$source/consumer.c" cc -std=c11
    compile_and_run static_cpp "$source/consumer.c" c++ -std=c++17 -x c++
    [[ $(ldd "$work/static_c") != *libreglet* ]] || fail "the static consumer uses the shared library"
}

test_cmake() {
    cmake -G Ninja -S "$source" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log"
    cmake --build "$work/cmake" >>"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
    local program
    for program in reglet_c reglet_cpp reglet_static_c reglet_static_cpp; do
        "$work/cmake/$program" "$plugin"
    done
}

test_rust() {
    local word link=()
    for word in $(pkg-config --static --libs-only-l reglet); do
        case $word in
        -lreglet) ;;
        *) link+=(-C "link-arg=$word") ;;
        esac
    done
    rustc --edition 2024 -C linker=cc -o "$work/rust_consumer" "$source/consumer.rs" \
        -C "link-arg=$prefix/lib/libreglet.a" "${link[@]}"
    "$work/rust_consumer" "$plugin"
}

"test_$1"
