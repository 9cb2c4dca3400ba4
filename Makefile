# The front door: CMake with its presets does the work.
#
#   make                         build/reglet, build/libreglet.so, build/libreglet.a, build/plugins/
#   make demo                    a real plugin on a real file, granted and refused
#   make check                   formatting, every test, the build with clang, and the tests again under sanitizers
#   make install PREFIX= DESTDIR=
#   make check-dev               one preset alone: configure, build, test (dev, check, clang, asan-ubsan, tsan)
#   make check-variants          every test again with each other way forced (REGLET_VARIANT)
#   make check-languages         plugins in Python and Rust
#   make soak                    100,000 observations in one process
#   make bench                   the measurements that the documentation quotes
#   make tidy, make format, make clean

PREFIX ?= /usr/local

# Where rustup and Go's own archive install, for shells that do not have them on PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin

headline = @printf '\n==== %s\n' "$(1)"

.PHONY: all demo check check-format check-clang check-languages check-variants soak bench tidy format install clean
.NOTPARALLEL:

all:
	@scripts/bootstrap.sh --list build
	cmake --preset release
	cmake --build --preset release

demo:
	@scripts/bootstrap.sh build
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh

check:
	@scripts/bootstrap.sh check
	@$(MAKE) --no-print-directory check-format check-check check-clang check-asan-ubsan check-tsan
	@printf '\ncheck: everything passed\n'

check-format:
	$(call headline,Formatting)
	@scripts/format.sh --check

check-clang:
	$(call headline,The build with clang, without warnings)
	cmake --preset clang
	cmake --build --preset clang

# Those that take longer, or a tool that few have; what is not to be had is skipped.
check-languages:
	$(call headline,Plugins in other languages)
	cmake --preset check
	cmake --build --preset check --target reglet_cli
	ctest --preset check -C languages -R '^(languages|integration[.]new_)' --verbose

# The other ways that src/util/variant.h knows, each in a build folder of its own.
variants = no-images no-scan prime fast-compiler optimizing-compiler

check-variants: $(variants:%=check-variant-%)

check-variant-%:
	$(call headline,Build and tests: preset check with variant $*)
	cmake --preset check -B build-variant-$* -DREGLET_VARIANT=$*
	cmake --build build-variant-$*
	ctest --test-dir build-variant-$* --output-on-failure --timeout 120 -j 2

check-%:
	$(call headline,Build and tests: preset $*)
	cmake --preset $*
	cmake --build --preset $*
	ctest --preset $*

# 100,000 observations in one process: memory and descriptors must not grow after the first thousand.
soak:
	cmake --preset check
	cmake --build --preset check
	REGLET_SOAK=100000 ctest --preset check -R integration.call --timeout 900

# The measurements that the documentation quotes.
bench:
	cmake --preset check
	cmake --build --preset check --target bench

tidy:
	cmake --preset clang
	git ls-files 'src/*.c' 'cli/*.c' | xargs -P 2 -n 4 clang-tidy -p build-clang --quiet

format:
	@scripts/format.sh

# Builds only when nothing is built: as root, a build would make a second engine in root's cache.
install:
	@test -e build/reglet || $(MAKE) --no-print-directory all
	cmake --install build --prefix "$(PREFIX)"

clean:
	rm -rf build build-*
