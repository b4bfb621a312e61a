# Every public header compiles alone, and none of them makes a user include the header of a driver or a JSON library.
foreach(header IN LISTS HEADERS)
  execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra -Werror -M "-I${INCLUDE}" -x c++
                          "${INCLUDE}/${header}" RESULT_VARIABLE result OUTPUT_VARIABLE read ERROR_VARIABLE words)
  if(NOT result EQUAL 0)
    message(SEND_ERROR "${header} does not compile alone:\n${words}")
  elseif(read MATCHES "/(sqlite3|libpq-fe|mysql|rdkafka)\\.h|/nlohmann/|/simdjson|/fmt/")
    message(SEND_ERROR "${header} includes ${CMAKE_MATCH_0}")
  endif()
endforeach()
