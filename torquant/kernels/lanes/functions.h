#pragma once

#include <cstddef>
#include <cstdint>

#define TORQUANT_INLINE inline __attribute__((always_inline))
#define TORQUANT_INLINED __attribute__((always_inline))  // of a lambda

// Elementary functions of float32 over `R`, the registers of an instruction set (scalar.inc says what its operations
// mean). A file of an instruction set defines R in an anonymous namespace, so that all that is made of these templates
// is internal to that file (tests/kernels/weak_symbols_test.py). Each operation is one that IEEE 754 defines to the
// bit, so every R gives the same bits. Errors below are the greatest measured over float32 (functions_test.cpp asserts
// them); polynomials are our own minimax fits (Remez), rounded to float32.

namespace torquant {

// Highest power first.
template <class R, size_t kCount>
TORQUANT_INLINE typename R::Floats polynomial(typename R::Floats x, const float (&terms)[kCount]) {
  typename R::Floats sum = R::all(terms[0]);
#pragma GCC unroll 16
  for (size_t i = 1; i < kCount; ++i) sum = R::fma(sum, x, R::all(terms[i]));
  return sum;
}

template <class R>
TORQUANT_INLINE typename R::Floats absolute(typename R::Floats x) {
  return R::from_bits(R::bit_and(R::bits(x), R::ints(0x7fffffff)));
}

// Added to a number below 2^22: the sum's lowest bits are the nearest integer, ties to even.
constexpr float kRoundToInteger = 0x1.8p23f;
constexpr int32_t kRoundToIntegerBits = 0x4b400000;

// e^x = 2^power * (1 + rest). Power is the integer next to x / ln 2, and |r| <= ln 2 / 2 what is left of x, by ln 2 in
// two parts (Cody and Waite); rest = e^r - 1 = r + r² Q(r), Q within 2^-31 of the value.
template <class R>
struct Exponential {
  typename R::Floats power, rest;

  // `x` in [-104, 89], beyond which e^x is 0 or infinity; or NaN.
  explicit TORQUANT_INLINE Exponential(typename R::Floats x) {
    constexpr float kFit[] = {0x1.a03306p-13f, 0x1.6d78d8p-10f, 0x1.11118ep-7f, 0x1.5554aap-5f, 0x1.555554p-3f, 0.5f};
    power = R::fma(x, R::all(0x1.715476p+0f), R::all(kRoundToInteger)) - R::all(kRoundToInteger);
    const auto high = R::fma(power, R::all(-0x1.62e430p-1f), x), r = R::fma(power, R::all(0x1.05c610p-29f), high);
    rest = R::fma(r * r, polynomial<R>(r, kFit), r);
  }
};

// 1.0 ulp; 0 below -104, infinity above 89.
template <class R>
TORQUANT_INLINE typename R::Floats exp(typename R::Floats x) {
  const Exponential<R> e(R::min(R::all(89), R::max(R::all(-104), x)));
  return R::scale(e.rest + R::all(1), e.power);
}

// e^x - 1 for x <= 0: 1 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats expm1_of_negative(typename R::Floats x) {
  const Exponential<R> e(R::max(R::all(-104), x));
  const auto power = R::scale(R::all(1), e.power);
  return R::fma(power, e.rest, power - R::all(1));
}

// x = 2^e (1 + f) with 1 + f from √½ to √2; log(1 + f) = f - f²/2 + f³ P(f), P within 2^-27 of the value. 1.0 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats log(typename R::Floats x) {
  constexpr float kFit[] = {0x1.14696ap-4f,  -0x1.de5260p-4f, 0x1.e6f4bcp-4f,  -0x1.fc1ee2p-4f, 0x1.2336f0p-3f,
                            -0x1.555c5ep-3f, 0x1.99a4bcp-3f,  -0x1.000006p-2f, 0x1.555548p-2f};
  constexpr int32_t kRootOfHalf = 0x3f3504f3;
  constexpr float kInfinity = __builtin_inff();
  const auto least_normal = R::all(0x1p-126f), zero = R::all(0);
  const auto normal = R::if_less(x, least_normal, x * R::all(0x1p23f), x);
  const auto bits = R::add(R::bits(normal), R::ints(-kRootOfHalf));
  const auto e = R::to_floats(R::exponents(bits)) + R::if_less(x, least_normal, R::all(-23), zero);
  const auto f = R::from_bits(R::add(R::bit_and(bits, R::ints(0x7fffff)), R::ints(kRootOfHalf))) - R::all(1);
  const auto rest = f * f * R::fma(f, polynomial<R>(f, kFit), R::all(-0.5f));
  const auto near = f + R::fma(e, R::all(-0x1.05c610p-29f), rest);
  auto y = R::fma(e, R::all(0x1.62e430p-1f), near);
  y = R::fma(x, zero, y);  // NaN of NaN
  y = R::if_less(R::all(0x1.fffffep127f), x, x, y);
  y = R::if_less(x, R::all(0x1p-149f), R::all(-kInfinity), y);
  return R::if_less(x, zero, R::all(__builtin_nanf("")), y);
}

// log(1 + x) for x from 0 to 1; what 1 + x rounds away is put back (Kahan). 1.5 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats log1p_of_fraction(typename R::Floats x) {
  const auto sum = x + R::all(1), lost = x - (sum - R::all(1));
  return log<R>(sum) + lost / sum;
}

// Of -|x| it is e / (1 + e), of |x| 1 / (1 + e), with e = e^-|x|. What the sum and the quotient 1 / (1 + e) round away
// is put back (Newton's step). 2 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats sigmoid(typename R::Floats x) {
  const auto zero = R::all(0), one = R::all(1);
  const auto e = exp<R>(zero - absolute<R>(x)), sum = e + one, lost = e - (sum - one), inverse = one / sum;
  const auto rest = R::fma(zero - inverse, lost, R::fma(zero - inverse, sum, one));
  const auto y = R::fma(inverse, rest, inverse);
  return R::if_less(x, zero, e * y, y);
}

// Below 0.63 x + x³ P(x²), P within 2^-27 of the value; else 1 - 2 e / (1 + e) with e = e^-2|x|. 2 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats tanh(typename R::Floats x) {
  constexpr float kFit[] = {-0x1.73641ep-8f, 0x1.519c92p-6f, -0x1.b827fep-5f, 0x1.110692p-3f, -0x1.555530p-2f};
  const auto one = R::all(1), z = absolute<R>(x), square = x * x;
  const auto small = R::fma(x * square, polynomial<R>(square, kFit), x);
  const auto e = exp<R>(z * R::all(-2)), large = one - (e + e) / (e + one);
  return R::if_less(z, R::all(0.63f), small, R::if_less(x, R::all(0), R::all(0) - large, large));
}

// x Φ(x) = max(x, 0) - |x| Φ(-|x|). log2 Φ(-z) is near a parabola: a polynomial to z = 5.75, behind which z Φ(-z) is
// below 3e-8 and taken as 0. 1.5 ulp, or 4e-8.
template <class R>
TORQUANT_INLINE typename R::Floats gelu(typename R::Floats x) {
  constexpr float kLogFit[] = {0x1.5ac262p-22f, -0x1.c108bap-18f, 0x1.dfbcc0p-15f, -0x1.d97cc0p-13f, -0x1.91fadap-14f,
                               0x1.ce33f4p-8f,  -0x1.ae26bap-5f,  -0x1.d6384ep-2f, -0x1.26aef0p+0f,  -0x1.fffffep-1f};
  constexpr float kPowerFit[] = {
      0x1.41cc68p-13f, 0x1.5f4e4ep-10f, 0x1.3b2ddcp-7f, 0x1.c6aec4p-5f, 0x1.ebfbdap-3f, 0x1.62e430p-1f, 1};
  const auto z = absolute<R>(x);
  const auto exponent = polynomial<R>(R::min(R::all(5.75f), z), kLogFit);
  const auto power = (exponent + R::all(kRoundToInteger)) - R::all(kRoundToInteger);
  const auto tail = z * R::scale(polynomial<R>(exponent - power, kPowerFit), power);
  return R::max(x, R::all(0)) - R::if_less(R::all(5.75f), z, R::all(0), tail);
}

// x (1 + tanh u) / 2 = x / (1 + e^-2u), u = √(2/π) (x + 0.044715 x³). 2 ulp, or 1e-7.
template <class R>
TORQUANT_INLINE typename R::Floats gelu_tanh(typename R::Floats x) {
  const auto minus_two_u = x * R::fma(x * x, R::all(-0.0713548162726f), R::all(-1.59576912161f));
  return x / (exp<R>(minus_two_u) + R::all(1));
}

// x tanh(log(1 + e^x)), of which tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2). 5 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats mish(typename R::Floats x) {
  const auto e = exp<R>(R::min(R::all(40), x)), square = e * (e + R::all(2));
  return x * (square / (square + R::all(2)));
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). 2 ulp.
template <class R>
TORQUANT_INLINE typename R::Floats softplus(typename R::Floats x) {
  return R::max(x, R::all(0)) + log1p_of_fraction<R>(exp<R>(R::all(0) - absolute<R>(x)));
}

}  // namespace torquant
