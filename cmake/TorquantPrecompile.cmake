# LibTorch's headers take most of the time that a file needs to compile, so what many files include is compiled once.
# Files still include what they use: the presets `gcc` and `tidy` go without (CMAKE_DISABLE_PRECOMPILE_HEADERS).
set(TORQUANT_PRECOMPILED <algorithm> <memory> <optional> <string> <unordered_map> <vector>
  <ATen/TensorOperators.h> <ATen/core/Tensor.h> <ATen/core/dispatch/Dispatcher.h> <ATen/core/grad_mode.h> <ATen/core/ivalue.h>
  <fmt/format.h> <fmt/ranges.h> <nlohmann/json.hpp>)

# torquant_precompile(TARGET [HEADER...]): those and HEADERs, compiled as a part of TARGET, for targets with its flags.
function(torquant_precompile TARGET)
  target_link_libraries(${TARGET} PRIVATE torquant_options torquant_warnings LibTorch::LibTorch fmt::fmt nlohmann_json::nlohmann_json)
  target_precompile_headers(${TARGET} PRIVATE ${TORQUANT_PRECOMPILED} ${ARGN})
  # The same bytes whenever it is compiled, as ccache wants them.
  target_compile_options(${TARGET} PRIVATE $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
endfunction()

if(TORQUANT_WITH_TORCH)
  add_library(torquant_precompiled OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cpp)
  torquant_precompile(torquant_precompiled)
  if(TORQUANT_BUILD_TESTS)
    # A program, as tests are: their code is compiled for one (-fPIE).
    add_executable(torquant_precompiled_tests EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/precompiled.cpp)
    target_link_libraries(torquant_precompiled_tests PRIVATE GTest::gtest_main)
    torquant_precompile(torquant_precompiled_tests <gtest/gtest.h>)
  endif()
endif()

# Where there is no header of that name, files just read what they include.
function(torquant_precompiled_headers TARGET FROM)
  if(TARGET ${FROM})
    target_precompile_headers(${TARGET} REUSE_FROM ${FROM})
  endif()
endfunction()
