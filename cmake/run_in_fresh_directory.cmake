# Runs PROGRAM in DIRECTORY, emptied first; fails unless it exits 0.
file(REMOVE_RECURSE "${DIRECTORY}")
file(MAKE_DIRECTORY "${DIRECTORY}")
execute_process(COMMAND "${PROGRAM}" WORKING_DIRECTORY "${DIRECTORY}" RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${result}; its files are in ${DIRECTORY}")
endif()
file(REMOVE_RECURSE "${DIRECTORY}")
