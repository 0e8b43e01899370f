#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torquant::fuzz {

// The records of an archive as one text, so that no checksum or offset stops the fuzzer. Each begins with a line that
// names it:
//
//   @@ models/model.json
//   {"graph_module": …}
//   @@ data/weights/weight_0
//   …bytes…
using Records = std::vector<std::pair<std::string, std::string>>;

Records split_records(std::string_view text);
std::string join_records(const Records& records);

// The .pt2 archive of these records.
std::string archive_of(const Records& records);

}  // namespace torquant::fuzz
