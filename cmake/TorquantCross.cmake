# What a build for another processor takes from this machine: libraries that are headers alone, GoogleTest as sources.
# Headers come through links: /usr/include itself holds the C library of this machine.
set(TORQUANT_HEADERS_OF_HOST ${CMAKE_BINARY_DIR}/headers)
file(MAKE_DIRECTORY ${TORQUANT_HEADERS_OF_HOST})
foreach(library flatbuffers fmt)
  file(CREATE_LINK /usr/include/${library} ${TORQUANT_HEADERS_OF_HOST}/${library} SYMBOLIC)
endforeach()
set(FLATBUFFERS_INCLUDE_DIR ${TORQUANT_HEADERS_OF_HOST})

add_library(fmt::fmt-header-only INTERFACE IMPORTED)
target_include_directories(fmt::fmt-header-only INTERFACE ${TORQUANT_HEADERS_OF_HOST})
target_compile_definitions(fmt::fmt-header-only INTERFACE FMT_HEADER_ONLY=1)

if(TORQUANT_BUILD_TESTS)
  add_subdirectory(/usr/src/googletest ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL SYSTEM)
endif()
