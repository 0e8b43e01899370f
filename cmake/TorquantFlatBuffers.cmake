# FlatBuffers is headers alone: nothing is linked, and who uses Torquant needs none of it.
find_path(FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h REQUIRED)
find_program(FLATC flatc DOC "FlatBuffers' compiler" REQUIRED)
add_library(FlatBuffers INTERFACE)
target_include_directories(FlatBuffers SYSTEM INTERFACE ${FLATBUFFERS_INCLUDE_DIR} ${CMAKE_BINARY_DIR}/generated)

# torquant_flatbuffers(LAYER SCHEMA): torquant/LAYER/SCHEMA.fbs becomes the header torquant/LAYER/SCHEMA_generated.h of the layer.
function(torquant_flatbuffers LAYER SCHEMA)
  set(folder ${CMAKE_BINARY_DIR}/generated/torquant/${LAYER})
  set(source ${CMAKE_SOURCE_DIR}/torquant/${LAYER}/${SCHEMA}.fbs)
  add_custom_command(OUTPUT ${folder}/${SCHEMA}_generated.h
    COMMAND ${FLATC} --cpp --scoped-enums --reflect-types -o ${folder} ${source}
    DEPENDS ${source} VERBATIM)
  target_sources(torquant_${LAYER}_objects PRIVATE ${folder}/${SCHEMA}_generated.h)
endfunction()
