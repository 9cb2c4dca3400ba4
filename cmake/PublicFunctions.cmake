# The public functions, read from the public headers: what the libraries export, and nothing else.
file(GLOB public_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/reglet/*.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${public_headers})

set(REGLET_PUBLIC_FUNCTIONS "")
foreach(header ${public_headers})
  file(READ ${header} text)
  string(REGEX MATCHALL "REGLET_API [^;()]*[ *]reglet_[a-z0-9_]+\\(" declarations "${text}")
  list(TRANSFORM declarations REPLACE ".*[ *](reglet_[a-z0-9_]+)\\($" "\\1")
  list(APPEND REGLET_PUBLIC_FUNCTIONS ${declarations})
endforeach()
list(SORT REGLET_PUBLIC_FUNCTIONS)

set(REGLET_PUBLIC_FUNCTIONS_FILE ${CMAKE_BINARY_DIR}/public-functions.txt)
list(JOIN REGLET_PUBLIC_FUNCTIONS "\n" text)
file(CONFIGURE OUTPUT ${REGLET_PUBLIC_FUNCTIONS_FILE} CONTENT "${text}\n")
