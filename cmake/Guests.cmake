# Guests: WebAssembly modules built from C, Go and WAT, none of them committed.
#
#   reglet_c_guest(<name> [COMMAND | PLUGIN] SOURCES <file>…)
#       A reactor; COMMAND: a program with a main(); PLUGIN: one that comes with reglet.
#   reglet_c_component(<name> [PLUGIN] SOURCES <file>… [WORLD <world>] [OPTIONS <option>…])
#       The same sources as a component: <name>.component.wasm. WORLD: on the bindings of that world, without the SDK.
#   reglet_bindings(<world> <file>.wit…)
#       C of the world in the last of these files, as bindings/<world>.h.
#   reglet_wat_component(<name> <file>.wat WIT <file>.wit…)
#       A core module in WAT as a component of that world.
#   reglet_empty_component(<name> WIT <file>.wit…)
#       A component that imports and exports all that a world has, and does nothing.
#   reglet_text_component(<name> <file>.wat)
#       A component as its text has it, valid or not.
#   reglet_go_guest(<name> <package dir>)
#   reglet_wat_guest(<name> <file>.wat)
#   reglet_wat_family(<name> <file>.wat.in [<VARIABLE> <value>]…)
#       One member of a family: the file with every @VARIABLE@ replaced by its value.
#   reglet_extract_code(<document> <language> <output> [<heading>])
#       The first code block of that language in a document, or after that heading, as a file.
#
# Each builds <build folder>/guests/<name>.wasm as part of the target `guests`; plugins of ours go into plugins/ and the
# target `plugins`. `all` builds both.

set(REGLET_GUEST_DIR ${CMAKE_BINARY_DIR}/guests)
set(REGLET_SDK_DIR ${CMAKE_SOURCE_DIR}/sdk/c)
set(REGLET_WIT ${CMAKE_SOURCE_DIR}/wit/plugin-1.1.0.wit)
set(REGLET_SDK_SOURCES ${REGLET_SDK_DIR}/reglet_plugin.c ${REGLET_SDK_DIR}/reglet_host.c ${REGLET_SDK_DIR}/reglet_json.c)
add_custom_target(guests ALL)
add_custom_target(plugins ALL)

find_program(REGLET_GUEST_CC NAMES clang-14 clang-15 clang-16 clang DOC "Compiler for guests in C")
find_program(REGLET_WAT2WASM wat2wasm DOC "Assembler for guests in WAT")
find_program(REGLET_GO go DOC "Compiler for guests in Go (1.24 or newer)")

# Finds out once whether a C guest can be compiled and linked: clang alone is not enough.
function(reglet_check_guest_toolchain)
  if(REGLET_GUEST_TOOLCHAIN_WORKS STREQUAL REGLET_GUEST_CC)
    return()
  endif()
  set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/guest_probe)
  file(WRITE ${probe}.c "#include <stdlib.h>\nint main(void) { return abs(0); }\n")
  execute_process(COMMAND ${REGLET_GUEST_CC} --target=wasm32-wasi --sysroot=/usr ${probe}.c -o ${probe}.wasm
                  RESULT_VARIABLE result ERROR_VARIABLE output OUTPUT_QUIET)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "No C compiler for wasm32-wasi: install clang-14, lld-14, wasi-libc and libclang-rt-14-dev-wasm32 "
                        "(or name another one with -DREGLET_GUEST_CC).\n${output}")
  endif()
  set(REGLET_GUEST_TOOLCHAIN_WORKS ${REGLET_GUEST_CC} CACHE INTERNAL "The compiler that was found to work")
endfunction()
reglet_check_guest_toolchain()

set(guest_go_works FALSE)
if(REGLET_GO)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env GOTOOLCHAIN=local ${REGLET_GO} env GOVERSION
                  OUTPUT_VARIABLE guest_go_version OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  string(REGEX REPLACE "^go([0-9.]+).*" "\\1" guest_go_version "${guest_go_version}")
  if(guest_go_version VERSION_GREATER_EQUAL 1.24)
    set(guest_go_works TRUE)
  endif()
endif()
# Whether Go guests are built; tests that need them are left out where they are not.
set(REGLET_HAVE_GO ${guest_go_works})
if(NOT REGLET_HAVE_GO)
  message(STATUS "Go guests are not built: there is no Go 1.24 or newer")
endif()

set(guest_c_warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith)
if(REGLET_WERROR)
  list(APPEND guest_c_warnings -Werror)
endif()
# clang runs binaryen's wasm-opt when it links with -O and finds one on PATH: linking without -O keeps the output the
# same everywhere. The stack comes first, so that running out of it traps and overwrites nothing.
set(guest_c_link_options -Wl,--stack-first,-z,stack-size=131072,--strip-debug)

# What compiles one source of a guest in C, with further options; messages name <what>.
function(reglet_guest_object object source what)
  cmake_path(GET object PARENT_PATH directory)
  file(MAKE_DIRECTORY ${directory})
  add_custom_command(OUTPUT ${object}
                     COMMAND ${REGLET_GUEST_CC} --target=wasm32-wasi --sysroot=/usr -std=c11 -O2 ${guest_c_warnings} ${ARGN}
                             -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/= -I${REGLET_SDK_DIR}
                             -MD -MF ${object}.d -c ${source} -o ${object}
                     DEPENDS ${source} DEPFILE ${object}.d COMMENT "Compiling ${what}" VERBATIM)
endfunction()

# The SDK is compiled once for all guests.
set(guest_sdk_objects)
foreach(source IN LISTS REGLET_SDK_SOURCES)
  cmake_path(GET source STEM stem)
  reglet_guest_object(${REGLET_GUEST_DIR}/objects/sdk/${stem}.o ${source} "the SDK for guests: ${stem}.c")
  list(APPEND guest_sdk_objects ${REGLET_GUEST_DIR}/objects/sdk/${stem}.o)
endforeach()
add_custom_target(guest_sdk DEPENDS ${guest_sdk_objects})

# The same for components: the SDK, and the bindings that the tool makes of our WIT.
set(guest_component_options -DPLUGIN_COMPONENT -I${REGLET_GUEST_DIR})
set(guest_component_objects)
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/sdk/component/build.sh
                OUTPUT_VARIABLE REGLET_COMPONENT_TOOL OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/sdk/component/build.sh ${CMAKE_SOURCE_DIR}/sdk/component/Cargo.toml
  ${CMAKE_SOURCE_DIR}/sdk/component/Cargo.lock ${CMAKE_SOURCE_DIR}/sdk/component/src/main.rs)
function(reglet_bindings world)
  set(out ${REGLET_GUEST_DIR}/bindings/${world})
  add_custom_command(OUTPUT ${out}.c ${out}.h ${out}_component_type.o
                     COMMAND ${REGLET_COMPONENT_TOOL} bindings ${ARGN} ${REGLET_GUEST_DIR}/bindings
                     DEPENDS ${ARGN} ${REGLET_COMPONENT_TOOL} COMMENT "Making C of the world ${world}" VERBATIM)
  add_custom_command(OUTPUT ${out}.o
                     COMMAND ${REGLET_GUEST_CC} --target=wasm32-wasi --sysroot=/usr -O2 -c ${out}.c -o ${out}.o
                     DEPENDS ${out}.c ${out}.h COMMENT "Compiling the bindings of ${world}" VERBATIM)
  add_custom_target(guest_bindings_${world} DEPENDS ${out}.h ${out}.o)
endfunction()

set(guest_bindings ${REGLET_GUEST_DIR}/bindings/reglet_plugin)
reglet_bindings(reglet_plugin ${REGLET_WIT})
foreach(source IN LISTS REGLET_SDK_SOURCES ITEMS ${REGLET_SDK_DIR}/reglet_component.c)
  cmake_path(GET source STEM stem)
  reglet_guest_object(${REGLET_GUEST_DIR}/objects/sdk-component/${stem}.o ${source} "the SDK for components: ${stem}.c"
                      ${guest_component_options})
  list(APPEND guest_component_objects ${REGLET_GUEST_DIR}/objects/sdk-component/${stem}.o)
endforeach()
list(APPEND guest_component_objects ${guest_bindings}.o ${guest_bindings}_component_type.o)
add_custom_target(guest_component_sdk DEPENDS ${guest_component_objects})
add_dependencies(guest_component_sdk guest_bindings_reglet_plugin)

function(reglet_guest_target kind name file)
  add_custom_target(${kind}_${name} DEPENDS ${file})
  add_dependencies(${kind} ${kind}_${name})
endfunction()

function(reglet_c_guest name)
  cmake_parse_arguments(PARSE_ARGV 1 guest "COMMAND;PLUGIN" "" "SOURCES")
  set(objects)
  foreach(source IN LISTS guest_SOURCES)
    cmake_path(ABSOLUTE_PATH source)
    cmake_path(GET source STEM stem)
    set(of ${name})
    if(source IN_LIST REGLET_SDK_SOURCES)
      set(of sdk)
    else()
      reglet_guest_object(${REGLET_GUEST_DIR}/objects/${name}/${stem}.o ${source} "guest ${name}: ${stem}.c")
    endif()
    list(APPEND objects ${REGLET_GUEST_DIR}/objects/${of}/${stem}.o)
  endforeach()
  set(model reactor)
  if(guest_COMMAND)
    set(model command)
  endif()
  set(kind guests)
  if(guest_PLUGIN)
    set(kind plugins)
  endif()
  set(directory ${CMAKE_BINARY_DIR}/${kind})
  file(MAKE_DIRECTORY ${directory})
  set(output ${directory}/${name}.wasm)
  add_custom_command(OUTPUT ${output}
                     COMMAND ${REGLET_GUEST_CC} --target=wasm32-wasi --sysroot=/usr -mexec-model=${model}
                             ${guest_c_link_options} ${objects} -o ${output}
                     DEPENDS ${objects} COMMENT "Linking guest ${name}" VERBATIM)
  reglet_guest_target(${kind} ${name} ${output})
  add_dependencies(${kind}_${name} guest_sdk)
endfunction()

function(reglet_c_component name)
  cmake_parse_arguments(PARSE_ARGV 1 guest "PLUGIN" "WORLD" "SOURCES;OPTIONS")
  set(kind guests)
  if(guest_PLUGIN)
    set(kind plugins)
  endif()
  set(options ${guest_component_options})
  set(linked ${guest_component_objects})
  set(needs guest_component_sdk)
  if(guest_WORLD)
    set(options -I${REGLET_GUEST_DIR})
    set(linked ${REGLET_GUEST_DIR}/bindings/${guest_WORLD}.o ${REGLET_GUEST_DIR}/bindings/${guest_WORLD}_component_type.o)
    set(needs guest_bindings_${guest_WORLD})
  endif()
  set(objects)
  foreach(source IN LISTS guest_SOURCES)
    cmake_path(ABSOLUTE_PATH source)
    if(source IN_LIST REGLET_SDK_SOURCES)
      continue()
    endif()
    cmake_path(GET source STEM stem)
    set(object ${REGLET_GUEST_DIR}/objects/${name}.component/${stem}.o)
    reglet_guest_object(${object} ${source} "component ${name}: ${stem}.c" ${options} ${guest_OPTIONS})
    list(APPEND objects ${object})
  endforeach()
  set(core ${REGLET_GUEST_DIR}/objects/${name}.component/core.wasm)
  set(output ${CMAKE_BINARY_DIR}/${kind}/${name}.component.wasm)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/${kind})
  add_custom_command(OUTPUT ${output}
                     COMMAND ${REGLET_GUEST_CC} --target=wasm32-wasi --sysroot=/usr -mexec-model=reactor ${guest_c_link_options}
                             ${objects} ${linked} -o ${core}
                     COMMAND ${REGLET_COMPONENT_TOOL} new ${core} ${output}
                     DEPENDS ${objects} ${linked} COMMENT "Making component ${name}" VERBATIM)
  reglet_guest_target(${kind} ${name}_component ${output})
  add_dependencies(${kind}_${name}_component ${needs})
endfunction()

function(reglet_wat_component name source)
  cmake_parse_arguments(PARSE_ARGV 2 guest "" "" "WIT")
  cmake_path(ABSOLUTE_PATH source)
  set(core ${REGLET_GUEST_DIR}/objects/${name}.core.wasm)
  set(output ${REGLET_GUEST_DIR}/${name}.component.wasm)
  file(MAKE_DIRECTORY ${REGLET_GUEST_DIR}/objects)
  add_custom_command(OUTPUT ${output}
                     COMMAND ${REGLET_WAT2WASM} ${source} -o ${core}
                     COMMAND ${REGLET_COMPONENT_TOOL} new ${core} ${output} ${guest_WIT}
                     DEPENDS ${source} ${guest_WIT} ${REGLET_COMPONENT_TOOL} COMMENT "Making component ${name}" VERBATIM)
  reglet_guest_target(guests ${name}_component ${output})
endfunction()

function(reglet_empty_component name)
  cmake_parse_arguments(PARSE_ARGV 1 guest "" "" "WIT")
  set(output ${REGLET_GUEST_DIR}/${name}.component.wasm)
  add_custom_command(OUTPUT ${output} COMMAND ${REGLET_COMPONENT_TOOL} empty ${output} ${guest_WIT}
                     DEPENDS ${guest_WIT} ${REGLET_COMPONENT_TOOL} COMMENT "Making component ${name}" VERBATIM)
  reglet_guest_target(guests ${name}_component ${output})
endfunction()

function(reglet_text_component name source)
  set(output ${REGLET_GUEST_DIR}/${name}.component.wasm)
  add_custom_command(OUTPUT ${output} COMMAND ${REGLET_COMPONENT_TOOL} text ${source} ${output}
                     DEPENDS ${source} ${REGLET_COMPONENT_TOOL} COMMENT "Assembling component ${name}" VERBATIM)
  reglet_guest_target(guests ${name}_component ${output})
endfunction()

function(reglet_go_guest name package)
  if(NOT REGLET_HAVE_GO)
    return()
  endif()
  cmake_path(ABSOLUTE_PATH package)
  cmake_path(GET package PARENT_PATH module)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${module}/*.go ${module}/go.mod)
  set(output ${REGLET_GUEST_DIR}/${name}.wasm)
  # The standard library only: nothing may be asked of the network, neither modules nor another toolchain.
  add_custom_command(OUTPUT ${output}
                     COMMAND ${CMAKE_COMMAND} -E env GOOS=wasip1 GOARCH=wasm GOPROXY=off GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
                             ${REGLET_GO} build -buildmode=c-shared -buildvcs=false -trimpath "-ldflags=-s -w" -o ${output} .
                     WORKING_DIRECTORY ${package} DEPENDS ${sources} COMMENT "Compiling guest ${name} with Go" VERBATIM)
  file(MAKE_DIRECTORY ${REGLET_GUEST_DIR})
  reglet_guest_target(guests ${name} ${output})
endfunction()

function(reglet_wat_guest name source)
  if(NOT REGLET_WAT2WASM)
    message(FATAL_ERROR "No wat2wasm to assemble ${name}: install wabt, or configure with -DBUILD_TESTING=OFF")
  endif()
  cmake_path(ABSOLUTE_PATH source)
  file(MAKE_DIRECTORY ${REGLET_GUEST_DIR})
  set(output ${REGLET_GUEST_DIR}/${name}.wasm)
  add_custom_command(OUTPUT ${output} COMMAND ${REGLET_WAT2WASM} --enable-threads --enable-tail-call --enable-memory64 --enable-multi-memory ${source} -o ${output}
                     DEPENDS ${source} COMMENT "Assembling guest ${name}" VERBATIM)
  reglet_guest_target(guests ${name} ${output})
endfunction()

function(reglet_wat_family name template)
  set(assignments ${ARGN})
  while(assignments)
    list(POP_FRONT assignments variable value)
    set(${variable} "${value}")
  endwhile()
  set(source ${REGLET_GUEST_DIR}/wat/${name}.wat)
  configure_file(${template} ${source} @ONLY)
  reglet_wat_guest(${name} ${source})
endfunction()

function(reglet_extract_code document language output)
  cmake_path(ABSOLUTE_PATH document)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${document})
  file(READ ${document} text)
  if(ARGC GREATER 3)
    string(FIND "${text}" "\n${ARGV3}\n" heading)
    string(SUBSTRING "${text}" ${heading} -1 text)
  endif()
  string(FIND "${text}" "\n```${language}\n" start)
  if(start EQUAL -1)
    message(FATAL_ERROR "${document} has no code block of language ${language}")
  endif()
  string(LENGTH "\n```${language}\n" fence)
  math(EXPR start "${start} + ${fence}")
  string(SUBSTRING "${text}" ${start} -1 text)
  string(FIND "${text}" "\n```\n" end)
  math(EXPR end "${end} + 1")
  string(SUBSTRING "${text}" 0 ${end} code)
  file(CONFIGURE OUTPUT ${output} CONTENT "${code}" @ONLY)
endfunction()
