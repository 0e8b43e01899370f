#pragma once

#include <map>
#include <string>

#include "graph_case.h"
#include "torquant/graph/program.h"

namespace torquant::golden {

// A graph as the multiset of its nodes, each written out as an expression over inputs and constants, so that names and
// order do not count: two equal listings are graphs of equal structure, with equal numbers in them.
using Listing = std::map<std::string, int>;

Listing listing_of(const Program& program);
// Of a case's "converted_graph"; constants are the case's "state.*".
Listing listing_of(const GraphCase& golden);

// The first few nodes that only one of the two has; "" when they are equal.
std::string listing_difference(const Listing& ours, const Listing& theirs);

}  // namespace torquant::golden
