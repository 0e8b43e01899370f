#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

template <class R, class F>
TORQUANT_INLINE void map_each(const MapRowsArgs& args, F f) {
  const float* x = args.x;
  float* y = args.y;
  for (size_t left = args.count; left > 0;) {  // not for_each_block: f once, for functions are long
    const size_t count = left < 16 ? left : 16;
    store<R>(y, each<R>(f, load<R>(x, count)), count);
    x += count, y += count, left -= count;
  }
}

template <class R>
void map_rows(const MapRowsArgs& args) {
  using Floats = typename R::Floats;
  const Floats a = R::all(args.a), b = R::all(args.b), zero = R::all(0), one = R::all(1), three = R::all(3),
               six = R::all(6), least = R::all(0x1p-149f);
  // f(Floats x) for each number.
#define TORQUANT_MAP(formula) return map_each<R>(args, [=](Floats x) TORQUANT_INLINED { return formula; })
  switch (args.function) {
    case MapFunction::kClamp:
      TORQUANT_MAP(R::min(b, R::max(a, x)));
    case MapFunction::kAdd:
      TORQUANT_MAP(x + a);
    case MapFunction::kSubtractFrom:
      TORQUANT_MAP(a - x);
    case MapFunction::kMultiply:
      TORQUANT_MAP(x * a);
    case MapFunction::kDivide:
      TORQUANT_MAP(x / a);
    case MapFunction::kDivideInto:
      TORQUANT_MAP(a / x);
    case MapFunction::kAbs:
      TORQUANT_MAP(absolute<R>(x));
    case MapFunction::kExp:
      TORQUANT_MAP(exp<R>(x));
    case MapFunction::kLog:
      TORQUANT_MAP(log<R>(x));
    case MapFunction::kSqrt:
      TORQUANT_MAP(R::sqrt(x));
    case MapFunction::kLeakyRelu:
      TORQUANT_MAP(R::if_less(zero, x, x, x * a));
    case MapFunction::kElu:
      TORQUANT_MAP(R::if_less(zero, x, x, a * expm1_of_negative<R>(R::min(zero, x))));
    case MapFunction::kSigmoid:
      TORQUANT_MAP(sigmoid<R>(x));
    case MapFunction::kHardsigmoid:
      TORQUANT_MAP(R::min(six, R::max(zero, x + three)) / six);
    case MapFunction::kTanh:
      TORQUANT_MAP(tanh<R>(x));
    case MapFunction::kSilu:
      TORQUANT_MAP(x / (one + exp<R>(zero - x)));
    case MapFunction::kHardswish:
      TORQUANT_MAP(x * R::min(six, R::max(zero, x + three)) / six);
    case MapFunction::kGelu:
      TORQUANT_MAP(gelu<R>(x));
    case MapFunction::kGeluTanh:
      TORQUANT_MAP(gelu_tanh<R>(x));
    case MapFunction::kMish:
      TORQUANT_MAP(mish<R>(x));
    case MapFunction::kSoftplus:
      TORQUANT_MAP(R::if_less(b, x * a, x, softplus<R>(x * a) / a));
    case MapFunction::kNotEqual:
      TORQUANT_MAP(R::if_less(absolute<R>(x - a), least, zero, one));
  }
#undef TORQUANT_MAP
}

template <class R, class F>
TORQUANT_INLINE void combine_each(const BinaryRowsArgs& args, F f) {
  if (args.one_a || args.one_b) {
    const Block<R> one = all<R>(args.one_a ? *args.a : *args.b);
    for_each_block<R>(args.count, [&](size_t column, size_t count) TORQUANT_INLINED {
      const Block<R> y = args.one_a ? each<R>(f, one, args.one_b ? all<R>(*args.b) : load<R>(args.b + column, count))
                                    : each<R>(f, load<R>(args.a + column, count), one);
      store<R>(args.y + column, y, count);
    });
    return;
  }
  for_each_block<R>(args.count, [&](size_t column, size_t count) TORQUANT_INLINED {
    store<R>(args.y + column, each<R>(f, load<R>(args.a + column, count), load<R>(args.b + column, count)), count);
  });
}

template <class R>
void binary_rows(const BinaryRowsArgs& args) {
  using Floats = typename R::Floats;
#define TORQUANT_BINARY(op) return combine_each<R>(args, [](Floats a, Floats b) TORQUANT_INLINED { return a op b; })
  switch (args.function) {
    case BinaryFunction::kAdd:
      TORQUANT_BINARY(+);
    case BinaryFunction::kSubtract:
      TORQUANT_BINARY(-);
    case BinaryFunction::kMultiply:
      TORQUANT_BINARY(*);
    case BinaryFunction::kDivide:
      TORQUANT_BINARY(/);
  }
#undef TORQUANT_BINARY
}

template <class R>
void mean_rows(const MeanRowsArgs& args) {
  for (size_t r = 0; r < args.rows; ++r) {
    const float* x = args.x + r * args.x_step;
    Sums<R> sums;
    for_each_summand<R>(args.columns, [&](size_t column, size_t count, size_t which) TORQUANT_INLINED {
      sums.of[which] = add<R>(sums.of[which], load<R>(x + column, count));
    });
    args.y[r] = sums.total() / static_cast<float>(args.columns);
  }
}

}  // namespace torquant
