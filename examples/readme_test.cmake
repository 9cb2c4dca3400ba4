# The example in the README is the one that the tests compile and run.
file(READ ${README} readme)
file(READ ${EXAMPLE} example)
string(FIND "${readme}" "${example}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "README.md does not hold ${EXAMPLE} as it is")
endif()
