// A program outside this repository: it sees the installed headers and library alone.
#include <torquant/core/dtype.h>
#include <torquant/core/error.h>
#include <torquant/core/granularity.h>

#include <cstdio>

int main() {
  namespace tq = torquant;
  try {
    (void)tq::block_size_of(tq::PerGroup{3}, std::vector<int64_t>{2, 8});
  } catch (const tq::Error& error) {  // thrown inside the library, caught outside it
    std::puts(error.what());
    return tq::quant_range(tq::DType::kInt4) == tq::QuantRange{-8, 7} ? 0 : 1;
  }
  return 1;
}
