/* run_model MODEL.tqm: runs a model on zeros and prints its first output, in C99.
 *
 *   cc run_model.c -ltorquant_runtime        or in CMake: find_package(torquant COMPONENTS runtime), torquant::runtime
 */
#include <stdio.h>
#include <stdlib.h>
#include <torquant/runtime/torquant_runtime.h>

static void stop_unless_ok(torquant_status status) {
  if (status == TORQUANT_OK) return;
  fprintf(stderr, "error %d: %s\n", (int)status, torquant_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  torquant_model* model = NULL;
  torquant_session* session = NULL;
  torquant_session_options options = TORQUANT_SESSION_OPTIONS_INIT;
  torquant_tensor_info x = {.struct_size = sizeof x}, y = x;
  if (argc != 2) return 2;

  stop_unless_ok(torquant_model_load(argv[1], &model));
  stop_unless_ok(torquant_model_batch_range(model, &options.batch, &(int64_t){0}));
  stop_unless_ok(torquant_session_create(model, &options, &session));
  stop_unless_ok(torquant_session_input(session, 0, &x));
  stop_unless_ok(torquant_session_output(session, 0, &y));

  torquant_input input = {calloc(1, x.bytes), x.bytes, x.dtype};
  torquant_output output = {malloc(y.bytes), y.bytes, y.dtype};
  stop_unless_ok(torquant_session_run(session, &input, 1, &output, 1));
  printf("%s:", y.name);
  for (size_t i = 0; i < y.bytes / sizeof(float); ++i) printf(" %g", ((const float*)output.data)[i]);
  printf("\n");

  free((void*)input.data);
  free(output.data);
  torquant_session_free(session);
  torquant_model_free(model);
  return 0;
}
