# libtorquant_runtime: the layers below the LibTorch line behind a C interface (docs/c_api.md), and the program torquant-run,
# which uses nothing else. The library `torquant` has the same objects; this one shows none of their C++ symbols.
file(STRINGS ${CMAKE_SOURCE_DIR}/torquant/runtime/torquant_runtime.h abi REGEX "define TORQUANT_RUNTIME_ABI ")
string(REGEX MATCH "[0-9]+" abi "${abi}")
set(symbols ${CMAKE_SOURCE_DIR}/torquant/runtime/torquant_runtime.map)

target_compile_definitions(torquant_runtime_objects PRIVATE TORQUANT_VERSION="${PROJECT_VERSION}")
add_library(torquant_capi SHARED)
foreach(layer core kernels format runtime)
  target_sources(torquant_capi PRIVATE $<TARGET_OBJECTS:torquant_${layer}_objects>)
endforeach()
target_sources(torquant_capi PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES
  ${CMAKE_SOURCE_DIR}/torquant/runtime/torquant_runtime.h ${CMAKE_SOURCE_DIR}/torquant/runtime/torquant_runtime.hpp)
target_link_libraries(torquant_capi PRIVATE torquant_warnings)
target_link_options(torquant_capi PRIVATE -Wl,--version-script=${symbols} -Wl,--gc-sections)
set_target_properties(torquant_capi PROPERTIES OUTPUT_NAME torquant_runtime EXPORT_NAME runtime VERSION ${abi} SOVERSION ${abi}
  LINKER_LANGUAGE CXX LINK_DEPENDS ${symbols} VERIFY_INTERFACE_HEADER_SETS ON)

add_executable(torquant_run ${CMAKE_SOURCE_DIR}/tools/torquant_run.cpp)
target_link_libraries(torquant_run PRIVATE torquant_capi torquant_warnings)
set_target_properties(torquant_run PROPERTIES OUTPUT_NAME torquant-run INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
