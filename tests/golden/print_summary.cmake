# cmake -D FOLDER=build/…/golden_summary -P print_summary.cmake: the lines that the golden tests left.
file(GLOB lines ${FOLDER}/*.txt)
foreach(line IN LISTS lines)
  file(READ ${line} text)
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo_append "${text}")
endforeach()
