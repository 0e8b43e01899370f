# `cmake --install`: headers, libraries and a package for find_package(torquant). tests/install uses the result.
# The component `runtime` (`cmake --install DIR --component runtime`) is what a machine needs that runs models, and all
# that a build without LibTorch has.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/torquant)

install(TARGETS torquant_capi EXPORT torquantRuntimeTargets COMPONENT runtime
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT runtime FILE_SET HEADERS COMPONENT runtime)
install(TARGETS torquant_run COMPONENT runtime)
install(EXPORT torquantRuntimeTargets NAMESPACE torquant:: DESTINATION ${package_dir} COMPONENT runtime)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/torquantConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/torquantConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/torquantConfig.cmake @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/torquantConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/torquantConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT runtime)

if(TORQUANT_WITH_TORCH)
  get_property(layers GLOBAL PROPERTY TORQUANT_LAYERS)
  install(TARGETS torquant torquant_options ${layers} EXPORT torquantTargets FILE_SET HEADERS)
  set_target_properties(torquant PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH "${LibTorch_LIBRARY_DIR}")
  install(EXPORT torquantTargets NAMESPACE torquant:: DESTINATION ${package_dir})
  install(FILES ${CMAKE_CURRENT_LIST_DIR}/FindLibTorch.cmake DESTINATION ${package_dir})
  install(FILES ${CMAKE_SOURCE_DIR}/torquant/recipe/recipe.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/torquant)
endif()
