#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace torquant::cli {

std::string with_commas(int64_t number);  // 1234567 → "1,234,567"
std::string bytes_text(int64_t bytes);    // "4.6 MB" (decimal units, as files are listed), "312 bytes"

// Columns padded to their widest cell, two spaces between them, a rule under the first row. One string a line.
std::vector<std::string> table(const std::vector<std::vector<std::string>>& rows);
void print_table(const std::vector<std::vector<std::string>>& rows);

// A line on stderr; with `json` it is {"note": text}, so that all lines there are JSON.
void print_note(const std::string& text, bool json);

}  // namespace torquant::cli
