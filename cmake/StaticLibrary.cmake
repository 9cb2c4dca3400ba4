# libreglet.a: our objects and the engine, linked into one relocatable object in which only the public functions are
# global. An archive of the parts would not do: a Rust program that embeds the library brings the Rust standard library
# as well, and the two would clash.
include(PublicFunctions)

set(static_object ${CMAKE_BINARY_DIR}/reglet.o)
set(static_archive ${CMAKE_BINARY_DIR}/libreglet.a)
list(TRANSFORM REGLET_PUBLIC_FUNCTIONS PREPEND "-Wl,-u," OUTPUT_VARIABLE roots)

# The engine's objects carry LLVM bitcode, which is of no use here and which tools of another LLVM choke on.
add_custom_command(
  OUTPUT ${static_archive}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${static_object} -Wl,--gc-sections,--force-group-allocation ${roots}
          $<TARGET_OBJECTS:reglet_objects> ${REGLET_ENGINE_ARCHIVE}
  COMMAND ${CMAKE_OBJCOPY} --strip-unneeded --remove-section=.llvmbc --remove-section=.llvmcmd
          --keep-global-symbols=${REGLET_PUBLIC_FUNCTIONS_FILE} ${static_object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_archive}
  COMMAND ${CMAKE_AR} qcs ${static_archive} ${static_object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_object}
  DEPENDS reglet_objects $<TARGET_OBJECTS:reglet_objects> ${REGLET_ENGINE_ARCHIVE} ${REGLET_PUBLIC_FUNCTIONS_FILE}
  COMMENT "Linking the static library libreglet.a"
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(reglet_static ALL DEPENDS ${static_archive})
