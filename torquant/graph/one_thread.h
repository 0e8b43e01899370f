#pragma once

#include <ATen/Parallel.h>

namespace torquant {

// While one lives, LibTorch computes on the calling thread alone: several threads add up in another order, and some of
// its kernels (oneDNN's float 1x1 convolutions) then give other bits.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { at::set_num_threads(before_); }

 private:
  int before_;
};

}  // namespace torquant
