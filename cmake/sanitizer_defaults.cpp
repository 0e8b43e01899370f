// What the sanitizers are told in every program of the asan-ubsan preset. One place, compiled in, so that a test
// started by hand behaves as under ctest. ASAN_OPTIONS, UBSAN_OPTIONS and LSAN_OPTIONS of the environment still win.

extern "C" {

// allocator_may_return_null: LibTorch answers memory that there is not with an exception, and tests ask for it.
const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:allocator_may_return_"
         "null=1";
}

const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

}  // extern "C"
