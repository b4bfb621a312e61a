# What only holds when write-aside is the project being built, not a part of somebody else's.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

# The base directory makes build folders in the same place of several checkouts share their cached objects. What a source
# includes is learnt from the compiler (`depend`), which spares a run of the preprocessor.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
                                  CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 "${CCACHE_PROGRAM}")
endif()

if(WRITE_ASIDE_SANITIZE)
  add_compile_options("-fsanitize=${WRITE_ASIDE_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options("-fsanitize=${WRITE_ASIDE_SANITIZE}")
endif()
if(WRITE_ASIDE_SANITIZE MATCHES "thread")
  # Every program is linked with it, before the C library; its source says why.
  add_library(c11_threads SHARED "${PROJECT_SOURCE_DIR}/tests/sanitizers/c11_threads.cpp")
  target_compile_features(c11_threads PRIVATE cxx_std_20)
  link_libraries(c11_threads)
endif()
