# The language level, warnings and link settings of every target of this project.
function(write_aside_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # g++ leaves this one out of -Wconversion for C++; both compilers are to agree.
    target_compile_options(${target} PRIVATE -Wno-sign-conversion)
  endif()
  if(CMAKE_UNITY_BUILD)
    # A name of another file is not hidden by mistake.
    target_compile_options(${target} PRIVATE -Wno-shadow)
  endif()
  if(WRITE_ASIDE_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# For what compiles slowly and runs briefly: tests, and under the sanitizers the program around the libraries as well.
function(write_aside_compile_quickly target)
  target_compile_options(${target} PRIVATE -O0)
endfunction()

# Lets the fuzzers (tests/fuzz) see which way an input takes through this target. Only in the build that has them; what
# is linked without libFuzzer carries the counters along and never reads them.
function(write_aside_traced_by_fuzzers target)
  if(WRITE_ASIDE_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
