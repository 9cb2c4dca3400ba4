# Warnings and sanitizers for our own C, as an interface library that every target of ours links. Not among them is
# -Wnull-dereference: what it says depends on inlining, and it takes no status code's word for a pointer.
add_library(reglet_flags INTERFACE)
target_compile_options(reglet_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes$<SEMICOLON>-Wmissing-prototypes$<SEMICOLON>-Wold-style-definition>
  -Wvla -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith -Wcast-align
  -fno-common -fstack-protector-strong -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(reglet_flags INTERFACE -Wduplicated-cond -Wlogical-op $<$<COMPILE_LANGUAGE:C>:-Wjump-misses-init>)
endif()
# Some distributions' compilers define it already: undefine it first, or that is a warning.
target_compile_options(reglet_flags INTERFACE "$<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
target_link_options(reglet_flags INTERFACE -Wl,-z,relro,-z,now)
if(REGLET_WERROR)
  target_compile_options(reglet_flags INTERFACE -Werror)
endif()
if(REGLET_SANITIZE)
  target_compile_options(reglet_flags INTERFACE -fsanitize=${REGLET_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(reglet_flags INTERFACE -fsanitize=${REGLET_SANITIZE})
  if(REGLET_SANITIZE MATCHES "undefined")
    target_compile_options(reglet_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
foreach(variant IN LISTS REGLET_VARIANT)
  if(NOT variant MATCHES "^(no-images|no-scan|prime|fast-compiler|optimizing-compiler)$")
    message(FATAL_ERROR "REGLET_VARIANT: there is no ${variant}; see src/util/variant.h")
  endif()
  string(TOUPPER ${variant} variant)
  string(REPLACE - _ variant ${variant})
  target_compile_definitions(reglet_flags INTERFACE REGLET__${variant}=1)
endforeach()
