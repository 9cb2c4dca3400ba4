# What `make install` puts where. Everything finds its neighbours from its own place, so a prefix may be moved.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/reglet)
file(RELATIVE_PATH prefix_from_pkgconfig /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)

install(TARGETS reglet EXPORT reglet-targets LIBRARY)
if(REGLET_STATIC)
  install(FILES ${CMAKE_BINARY_DIR}/libreglet.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/ TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE TYPE DOC)
install(DIRECTORY ${CMAKE_BINARY_DIR}/plugins DESTINATION ${CMAKE_INSTALL_DATADIR}/reglet
        FILES_MATCHING PATTERN "*.wasm" PATTERN CMakeFiles EXCLUDE)
# `make component` of a plugin in C needs it, and so does a plugin in Rust.
install(PROGRAMS ${REGLET_COMPONENT_TOOL} TYPE BIN)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/sdk DESTINATION ${CMAKE_INSTALL_DATADIR}/reglet)

configure_file(${CMAKE_SOURCE_DIR}/cmake/reglet.pc.in ${CMAKE_BINARY_DIR}/reglet.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/reglet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(EXPORT reglet-targets NAMESPACE reglet:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/reglet-config.cmake.in ${CMAKE_BINARY_DIR}/reglet-config.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/reglet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/reglet-config.cmake ${CMAKE_BINARY_DIR}/reglet-config-version.cmake
        DESTINATION ${package_dir})
