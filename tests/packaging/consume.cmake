# Configures SOURCE against the package in PREFIX, builds it and runs its program `consumer`. With REFUSED_WITH, the
# configuration must fail instead, with a message that contains it. MAY_LINK names the client library of its store.
file(REMOVE_RECURSE "${BUILD}")
execute_process(
  COMMAND ${CMAKE_COMMAND} -S "${SOURCE}" -B "${BUILD}" -G "${GENERATOR}" "-DCMAKE_PREFIX_PATH=${PREFIX}"
          "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
          "-DWRITE_ASIDE_SOURCE_DIR=${WRITE_ASIDE_SOURCE_DIR}"
  RESULT_VARIABLE result OUTPUT_VARIABLE words ERROR_VARIABLE words)

if(DEFINED REFUSED_WITH)
  if(result EQUAL 0 OR NOT words MATCHES "${REFUSED_WITH}")
    message(FATAL_ERROR "expected a refusal that names '${REFUSED_WITH}':\n${words}")
  endif()
  return()
endif()
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${words}")
endif()

execute_process(COMMAND ${CMAKE_COMMAND} --build "${BUILD}" --target consumer RESULT_VARIABLE result OUTPUT_VARIABLE words
                ERROR_VARIABLE words)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${words}")
endif()
execute_process(COMMAND "${BUILD}/consumer" WORKING_DIRECTORY "${BUILD}" COMMAND_ERROR_IS_FATAL ANY)

# Nobody links the client library of a store that he did not ask for.
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${BUILD}/consumer" RESOLVED_DEPENDENCIES_VAR linked)
if(DEFINED MAY_LINK)
  list(FILTER linked EXCLUDE REGEX "lib${MAY_LINK}\\.")
endif()
if(linked MATCHES "lib(pq|rdkafka|mariadb|mysqlclient)\\.")
  message(FATAL_ERROR "links more than it asked for: ${linked}")
endif()
