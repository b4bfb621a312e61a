# Installs the libraries as the package `write_aside`. Each adapter is a component with an export file of its own, so
# that find_package() looks only for the dependencies of the components it is asked for.
include(CMakePackageConfigHelpers)
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/write_aside")

foreach(library IN ITEMS write_aside write_aside_sqlite_handles write_aside_sqlite write_aside_postgresql
                         write_aside_local_stream write_aside_kafka)
  if(TARGET ${library})
    install(TARGETS ${library} EXPORT ${library}_targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(EXPORT ${library}_targets NAMESPACE write_aside:: FILE ${library}_targets.cmake
            DESTINATION "${package_folder}")
  endif()
endforeach()
if(TARGET write-aside)
  install(TARGETS write-aside RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(DIRECTORY include/write_aside DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

configure_package_config_file(cmake/write_asideConfig.cmake.in write_asideConfig.cmake
                              INSTALL_DESTINATION "${package_folder}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(write_asideConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/write_asideConfig.cmake" "${PROJECT_BINARY_DIR}/write_asideConfigVersion.cmake"
        DESTINATION "${package_folder}")
