/* Runs .tqm models: the C interface of libtorquant_runtime. docs/c_api.md is its manual.
 *
 *   torquant_model* model = NULL;
 *   torquant_session* session = NULL;
 *   if (torquant_model_load("net.tqm", &model) != TORQUANT_OK ||
 *       torquant_session_create(model, NULL, &session) != TORQUANT_OK ||
 *       torquant_session_run(session, &input, 1, &output, 1) != TORQUANT_OK)
 *     fputs(torquant_last_error(), stderr);
 *   torquant_session_free(session);
 *   torquant_model_free(model);
 *
 * Promises: no function throws, prints, exits or keeps a pointer of the caller's beyond the call, except where it says
 * so. Null pointers, wrong counts, sizes and types are errors, never crashes; pointers to freed objects are not.
 * ABI 1: functions, codes and fields of structs are only added, at the end; what would break a program that was
 * compiled before gets a new number, and a library of another name (libtorquant_runtime.so.2).
 */
#ifndef TORQUANT_RUNTIME_TORQUANT_RUNTIME_H
#define TORQUANT_RUNTIME_TORQUANT_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define TORQUANT_RUNTIME_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

typedef enum torquant_status {
  TORQUANT_OK = 0,
  TORQUANT_INVALID_ARGUMENT =
      1,                      /* the call is wrong: a null pointer, a count, size, type, batch or number of threads */
  TORQUANT_INVALID_MODEL = 2, /* the file cannot be read, is damaged, or is of another version */
  TORQUANT_INVALID_ISA = 3,   /* TORQUANT_FORCE_ISA names an instruction set that this CPU lacks */
  TORQUANT_OUT_OF_MEMORY = 4,
  TORQUANT_OUT_OF_THREADS = 5, /* the system starts no more */
  TORQUANT_INTERNAL_ERROR = 6  /* a fault of this library: please report it */
} torquant_status;

/* Why the last failed call of this thread failed: where, what, and what is allowed. Never null; "" before any failed.
 * Belongs to the thread: valid until its next call that fails, or its end. At most 2047 bytes, UTF-8. */
const char* torquant_last_error(void);

/* "0.1.0"; and the ABI that the library has, to compare with TORQUANT_RUNTIME_ABI. */
const char* torquant_version(void);
int32_t torquant_abi_version(void);

/* Of numbers in the caller's buffers. 0 is none, so that one that was forgotten is an error. */
typedef enum torquant_dtype {
  TORQUANT_FLOAT32 = 1,
  TORQUANT_INT64 = 2 /* of inputs: the ids of tokens, masks */
} torquant_dtype;

/* ---- Models. One that is loaded never changes: any number of threads may use it at once. ---- */

typedef struct torquant_model torquant_model;

/* Maps the file; it must not be changed while the model or a session of it lives (replace it by renaming another over
 * it). On error *model is null. */
torquant_status torquant_model_load(const char* path, torquant_model** model);

/* The bytes of such a file. They stay the caller's, are neither copied nor changed, begin at a multiple of 64 and must
 * outlive the model and its sessions. */
torquant_status torquant_model_load_memory(const void* data, size_t size, torquant_model** model);

/* Sessions keep what they need of it: in any order. Null does nothing. */
void torquant_model_free(torquant_model* model);

/* How many images one run may take. */
torquant_status torquant_model_batch_range(const torquant_model* model, int64_t* least, int64_t* most);

/* The one other size that a run may choose, such as the tokens of a sequence; 1 to 1 where there is none. */
torquant_status torquant_model_length_range(const torquant_model* model, int64_t* least, int64_t* most);

/* The instruction set whose kernels run it: "avx512vnni", "avx2", "neondot", "scalar". Null for null. */
const char* torquant_model_isa(const torquant_model* model);

/* One input or output. */
typedef struct torquant_tensor_info {
  size_t struct_size; /* to be set to sizeof(torquant_tensor_info) before the call; the library fills what fits */
  const char* name;   /* lives as long as what was asked */
  torquant_dtype dtype;
  size_t rank;
  const int64_t* sizes;  /* [rank], PyTorch's order; lives as long as what was asked */
  size_t bytes;          /* of all numbers, which lie one after the other */
  const int64_t* growth; /* [rank], what one more of the length adds to each size; lives as long as `sizes` */
} torquant_tensor_info;

/* Of a model: sizes and bytes are those of its least batch and length; the batch is sizes[0]. Counts are 0 for null. */
size_t torquant_model_input_count(const torquant_model* model);
size_t torquant_model_output_count(const torquant_model* model);
torquant_status torquant_model_input(const torquant_model* model, size_t index, torquant_tensor_info* info);
torquant_status torquant_model_output(const torquant_model* model, size_t index, torquant_tensor_info* info);

/* ---- Sessions: what one run needs, memory and threads. One run at a time each; any number of them side by side. ----
 */

typedef struct torquant_session torquant_session;

typedef struct torquant_session_options {
  size_t struct_size; /* sizeof(torquant_session_options) */
  int64_t batch;      /* images of each run */
  int64_t threads;    /* 1 to 256; the one that calls run() is one of them */
  int64_t length;     /* of each run; 0 is the model's least */
} torquant_session_options;

#define TORQUANT_SESSION_OPTIONS_INIT {sizeof(torquant_session_options), 1, 1, 0}

/* `options`: null is TORQUANT_SESSION_OPTIONS_INIT. On error *session is null. */
torquant_status torquant_session_create(const torquant_model* model, const torquant_session_options* options,
                                        torquant_session** session);
void torquant_session_free(torquant_session* session);

/* Lets the runs that follow have another batch and length (0: the model's least). Threads stay, memory grows where it
 * must; what was worked out for the latest 64 sizes is kept. What was told of inputs and outputs is no longer valid.
 * On error nothing has changed. */
torquant_status torquant_session_resize(torquant_session* session, int64_t batch, int64_t length);

/* As those of the model, for the batch and length of the session. */
torquant_status torquant_session_input(const torquant_session* session, size_t index, torquant_tensor_info* info);
torquant_status torquant_session_output(const torquant_session* session, size_t index, torquant_tensor_info* info);

/* What it allocated for values between layers. 0 for null. */
size_t torquant_session_memory_bytes(const torquant_session* session);

/* Buffers of the caller's, aligned as their numbers are. These two structs stay as they are. */
typedef struct torquant_input {
  const void* data;
  size_t bytes;
  torquant_dtype dtype;
} torquant_input;

typedef struct torquant_output {
  void* data;
  size_t bytes;
  torquant_dtype dtype;
} torquant_output;

/* Runs the model once. Reads the inputs and writes the outputs, all of them, in the order of the model; no buffer may
 * reach into an output. On error no output was written. Allocates nothing and takes no lock. */
torquant_status torquant_session_run(torquant_session* session, const torquant_input* inputs, size_t input_count,
                                     const torquant_output* outputs, size_t output_count);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
