# Passes when SOURCE does not compile and the compiler's words match the regex of its first line, `// expect: regex`,
# which g++ and clang must both satisfy.
# A source that mentions WRITE_ASIDE_MISTAKE must compile without that macro and fail with it, which shows that
# nothing but the mistake breaks it.

file(STRINGS "${SOURCE}" first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "${SOURCE}: the first line must read '// expect: regex'")
endif()
set(expected "${CMAKE_MATCH_1}")
set(compile ${COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra -Werror "-I${INCLUDE}")

file(STRINGS "${SOURCE}" mistake_lines REGEX "WRITE_ASIDE_MISTAKE")
if(mistake_lines)
  execute_process(COMMAND ${compile} "${SOURCE}" RESULT_VARIABLE result ERROR_VARIABLE words)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "does not compile even without its mistake:\n${words}")
  endif()
endif()

execute_process(COMMAND ${compile} -DWRITE_ASIDE_MISTAKE "${SOURCE}" RESULT_VARIABLE result ERROR_VARIABLE words)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, and must not")
endif()
if(NOT words MATCHES "${expected}")
  message(FATAL_ERROR "fails to compile, but not with '${expected}':\n${words}")
endif()
