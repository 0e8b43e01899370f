# Finds LibTorch (a zip, or the `torch` wheel) below CMAKE_PREFIX_PATH, else LibTorch_HINTS, and defines LibTorch::LibTorch.
#
# Not the wheel's own TorchConfig.cmake: that of a CUDA build demands a CUDA toolkit, and we need the CPU half alone.
find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${LibTorch_HINTS} PATH_SUFFIXES include torch/include)
find_path(LibTorch_API_INCLUDE_DIR torch/torch.h HINTS ${LibTorch_HINTS} PATH_SUFFIXES include/torch/csrc/api/include torch/include/torch/csrc/api/include)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${LibTorch_HINTS} PATH_SUFFIXES lib torch/lib)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${LibTorch_HINTS} PATH_SUFFIXES lib torch/lib)
if(LibTorch_INCLUDE_DIR AND EXISTS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h)
  file(STRINGS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX MATCHALL "[0-9]+" version_numbers "${version_lines}")
  list(JOIN version_numbers "." LibTorch_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR LibTorch_API_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Run `./dev setup`, or give CMAKE_PREFIX_PATH a LibTorch 2.13 (the folder that holds include/ and lib/)")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::c10 UNKNOWN IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION ${LibTorch_C10_LIBRARY})
  add_library(LibTorch::LibTorch UNKNOWN IMPORTED)
  # -idirafter: the wheel brings headers of other libraries (fmt 12); those of the system, whose code we link, win.
  set_target_properties(LibTorch::LibTorch PROPERTIES
    IMPORTED_LOCATION ${LibTorch_CPU_LIBRARY}
    INTERFACE_COMPILE_OPTIONS "SHELL:-idirafter ${LibTorch_INCLUDE_DIR};SHELL:-idirafter ${LibTorch_API_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES LibTorch::c10)
endif()
get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_CPU_LIBRARY}" DIRECTORY)
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_API_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
