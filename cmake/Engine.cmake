# The engine: built by engine/build.sh into a cache of the user's, found again by every later configure.
set(REGLET_ENGINE_PREFIX "" CACHE PATH "A built engine (lib/ and include/); empty: engine/build.sh finds or builds it")
set(engine_prefix ${REGLET_ENGINE_PREFIX})
if(NOT engine_prefix)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/engine/build.sh
                  OUTPUT_VARIABLE engine_prefix OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

set(REGLET_ENGINE_ARCHIVE ${engine_prefix}/lib/libreglet_engine.a)

add_library(reglet_engine INTERFACE)
target_include_directories(reglet_engine SYSTEM INTERFACE ${engine_prefix}/include)
if(REGLET_SHARED_ENGINE)
  target_link_libraries(reglet_engine INTERFACE ${engine_prefix}/lib/libreglet_engine.so)
  target_link_options(reglet_engine INTERFACE -Wl,-rpath,${engine_prefix}/lib)
else()
  target_link_libraries(reglet_engine INTERFACE ${REGLET_ENGINE_ARCHIVE})
endif()
target_link_libraries(reglet_engine INTERFACE m dl)

file(GLOB engine_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/engine/src/*.rs)

# A change of the crate makes the next build configure again, and so build the engine again.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  engine/build.sh engine/build.rs engine/Cargo.toml engine/Cargo.lock engine/reglet_engine.h ${engine_sources})
