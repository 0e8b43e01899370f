#include "torquant/pass/fix_symbol.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kNet = R"(range s0 1..4
range s1 2..9
input %x : f32[s0, s1]
%n : int(s1) = aten.sym_size.int(self=%x, dim=1)
%b : int(s0) = aten.sym_size.int(self=%x, dim=0)
%twice : int(2*s1) = _operator.mul(%n, 2)
%range : i64[s1] = aten.arange.default(end=%n)
%pair : f32[s0, 1, s1] = aten.view.default(self=%x, size=[%b, 1, %n])
%row : f32[1, s0*s1] = aten.view.default(self=%x, size=[1, -1])
%y : f32[1, 2*s1] = aten.new_zeros.default(self=%x, size=[1, %twice])
return %range, %pair, %row, %y
)";

TEST(FixSymbol, PutsNumbersInPlaceOfOneSymbol) {
  Program program = parse_program(kNet);
  fix_symbol(program, "s1", 5);
  EXPECT_EQ(to_text(program), R"(range s0 1..4
input %x : f32[s0, 5]
%n : int(5) = aten.sym_size.int(self=%x, dim=1)
%b : int(s0) = aten.sym_size.int(self=%x, dim=0)
%twice : int(10) = _operator.mul(5, 2)
%range : i64[5] = aten.arange.default(end=5)
%pair : f32[s0, 1, 5] = aten.view.default(self=%x, size=[%b, 1, 5])
%row : f32[1, 5*s0] = aten.view.default(self=%x, size=[1, -1])
%y : f32[1, 10] = aten.new_zeros.default(self=%x, size=[1, 10])
return %range, %pair, %row, %y
)");
}

TEST(FixSymbol, RefusesWhatTheProgramDoesNotHave) {
  Program program = parse_program(kNet);
  EXPECT_EQ(error_text([&] { fix_symbol(program, "s2", 5); }), "s2: is no size of the program");
  EXPECT_EQ(error_text([&] { fix_symbol(program, "s1", 10); }), "s1: cannot be 10\n  allowed here: 2 to 9");
  EXPECT_EQ(error_text([&] { fix_symbol(program, "s1", 1); }), "s1: cannot be 1\n  allowed here: 2 to 9");
  EXPECT_EQ(to_text(program), kNet);
}

}  // namespace
}  // namespace torquant
