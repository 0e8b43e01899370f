// torquant-run: runs a .tqm model without LibTorch, by the C interface alone.
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "torquant/runtime/torquant_runtime.hpp"

namespace {

using torquant_runtime::Model;
using torquant_runtime::Session;
using torquant_runtime::TensorInfo;

constexpr const char* kUsage =
    "usage: torquant-run MODEL.tqm [OPTIONS]\n"
    "  --input FILE   numbers of the next input, of its type: .npy, or raw under any other name (zeros where there is "
    "none)\n"
    "  --output FILE  where the numbers of the next output go: .npy, or raw float32 under any other name\n"
    "  --batch N      images of a run; as many as the first input file holds, or else as few as the model takes\n"
    "  --length N     tokens of a run, where a model leaves them open; those of the first .npy, or else the fewest\n"
    "  --threads N    1 to 256 (1)\n"
    "  --runs N       how often it is run again and timed (0)\n"
    "  --top N        prints the N largest numbers of each image of the first output\n"
    "  --version\n";

[[noreturn]] void stop(int code, const std::string& text) {
  std::fprintf(stderr, "error: %s\n", text.c_str());
  std::exit(code);
}

struct Options {
  std::string model;
  std::vector<std::string> inputs, outputs;
  std::optional<int64_t> batch, length;
  int64_t threads = 1, runs = 0, top = 0;
};

int64_t number_of(const std::string& option, const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const int64_t number = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || errno != 0 || number < 1) {
    stop(2, option + ": '" + text + "' is no number\n  allowed here: 1, 2, 3, …");
  }
  return number;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") std::exit(std::fputs(kUsage, stdout) < 0);
    if (argument == "--version") std::exit(std::printf("torquant-run %s\n", torquant_version()) < 0);
    if (!argument.starts_with("--")) {
      if (!options.model.empty()) stop(2, "'" + argument + "' is a second model\n" + kUsage);
      options.model = argument;
      continue;
    }
    const bool known =
        (argument == "--input" || argument == "--output" || argument == "--batch" || argument == "--length" ||
         argument == "--threads" || argument == "--runs" || argument == "--top");
    if (!known) stop(2, "'" + argument + "' is no option\n" + kUsage);
    if (++i == argc) stop(2, argument + ": its value is missing\n" + kUsage);
    if (argument == "--input") options.inputs.emplace_back(argv[i]);
    if (argument == "--output") options.outputs.emplace_back(argv[i]);
    if (argument == "--batch") options.batch = number_of(argument, argv[i]);
    if (argument == "--length") options.length = number_of(argument, argv[i]);
    if (argument == "--threads") options.threads = number_of(argument, argv[i]);
    if (argument == "--runs") options.runs = number_of(argument, argv[i]);
    if (argument == "--top") options.top = number_of(argument, argv[i]);
  }
  if (options.model.empty()) stop(2, std::string("no model is named\n") + kUsage);
  return options;
}

// ---- files of numbers --------------------------------------------------------------------------------------------

std::string text_of(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return text;
}

std::string type_of(const TensorInfo& info) {
  return (info.dtype == TORQUANT_INT64 ? "int64 [" : "float32 [") + text_of(info.sizes) + "]";
}

// As numpy.save writes it: 64-byte aligned, the shape a tuple.
std::string npy_header(const TensorInfo& info) {
  const std::string shape = text_of(info.sizes) + (info.sizes.size() == 1 ? "," : "");
  const std::string type = info.dtype == TORQUANT_INT64 ? "<i8" : "<f4";
  std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 11, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() % 256);
  header += static_cast<char>(text.size() / 256);
  return header + text;
}

bool is_npy(const std::string& path) { return path.ends_with(".npy"); }

struct Numbers {
  std::string path, header;  // header: of .npy, without what aligns it; empty for raw numbers
  std::string bytes;
};

Numbers read_numbers(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || bytes.empty()) {
    stop(1, path + ": " + (errno == 0 ? "is empty" : std::string("cannot be read: ") + std::strerror(errno)));
  }
  Numbers numbers{path, "", ""};
  if (is_npy(path)) {
    size_t begin =
        bytes.size() < 10 ? 0 : 10 + static_cast<uint8_t>(bytes[8]) + size_t{256} * static_cast<uint8_t>(bytes[9]);
    if (!bytes.starts_with(std::string("\x93NUMPY\x01\x00", 8)) || begin == 0 || begin > bytes.size()) {
      stop(1, path + ": is no .npy file of NumPy's format 1.0");
    }
    numbers.header = bytes.substr(10, begin - 10);
    numbers.header.erase(numbers.header.find_last_not_of(" \n") + 1);
    bytes.erase(0, begin);
  }
  numbers.bytes = std::move(bytes);
  return numbers;
}

// The sizes of an .npy; none of raw numbers.
std::vector<int64_t> sizes_of(const Numbers& numbers) {
  std::vector<int64_t> sizes;
  const size_t shape = numbers.header.find('(');
  const char* at = shape == std::string::npos ? "" : numbers.header.c_str() + shape + 1;
  for (char* end = nullptr; std::isdigit(static_cast<unsigned char>(*at)) != 0; at = end + std::strspn(end, ", "))
    sizes.push_back(std::strtoll(at, &end, 10));
  return sizes;
}

// The length at which `input`, as the model tells it, has the sizes of the file.
std::optional<int64_t> length_of(const TensorInfo& input, const Numbers& numbers, int64_t least) {
  const std::vector<int64_t> sizes = sizes_of(numbers);
  if (sizes.size() != input.sizes.size()) return std::nullopt;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (input.growth[i] != 0) return std::max(least, least + (sizes[i] - input.sizes[i]) / input.growth[i]);
  }
  return std::nullopt;
}

// What an input takes, against what the file holds.
void check_numbers(const Numbers& numbers, const TensorInfo& info) {
  std::string expected = npy_header(info).substr(10);
  expected.erase(expected.find_last_not_of(" \n") + 1);
  if (!numbers.header.empty() && numbers.header != expected) {
    stop(1,
         numbers.path + ": holds " + numbers.header + "\n  allowed here: " + expected + " (input " + info.name + ")");
  }
  if (numbers.bytes.size() != info.bytes) {
    stop(1, numbers.path + ": holds " + std::to_string(numbers.bytes.size()) + " bytes of numbers\n  allowed here: " +
                std::to_string(info.bytes) + ", " + type_of(info) + " (input " + info.name + ")");
  }
}

void write_numbers(const std::string& path, const TensorInfo& info, const std::vector<float>& values) {
  const std::string header = is_npy(path) ? npy_header(info) : "", partial = path + ".torquant-partial";
  std::FILE* file = std::fopen(partial.c_str(), "wb");
  const bool written = file != nullptr && std::fwrite(header.data(), 1, header.size(), file) == header.size() &&
                       std::fwrite(values.data(), sizeof(float), values.size(), file) == values.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed || std::rename(partial.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::remove(partial.c_str());
    stop(1, path + ": cannot be written: " + reason);
  }
}

// ---- the run -----------------------------------------------------------------------------------------------------

class Clock {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void print_tensor(const char* what, size_t index, const TensorInfo& info) {
  std::printf("%s %zu  %s, %s\n", what, index, info.name.c_str(), type_of(info).c_str());
}

void print_times(std::vector<double> times, int64_t threads) {
  std::sort(times.begin(), times.end());
  const auto at = [&](size_t percent) { return times[(times.size() - 1) * percent / 100]; };
  std::printf("%zu runs   min %.3f, median %.3f, p99 %.3f ms on %lld threads\n", times.size(), times[0], at(50), at(99),
              static_cast<long long>(threads));
}

void print_top(const std::vector<float>& values, size_t batch, size_t top) {
  const size_t count = values.size() / batch;
  std::vector<size_t> order(count);
  for (size_t image = 0; image < batch; ++image) {
    const float* row = values.data() + image * count;
    std::iota(order.begin(), order.end(), size_t{0});
    const auto end = order.begin() + static_cast<ptrdiff_t>(std::min(top, count));
    std::partial_sort(order.begin(), end, order.end(),
                      [&](size_t a, size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    std::printf("image %zu ", image);
    for (auto i = order.begin(); i != end; ++i) std::printf(" %zu (%g)", *i, static_cast<double>(row[*i]));
    std::printf("\n");
  }
}

void check_count(const char* option, size_t given, size_t taken) {
  if (given <= taken) return;
  stop(2, std::string(option) + ": given " + std::to_string(given) + " times\n  allowed here: up to " +
              std::to_string(taken) + ", one for each of the model's");
}

void run(const Options& options) {
  const Clock since_start;
  const Model model(options.model);
  const double loaded = since_start.milliseconds();
  check_count("--input", options.inputs.size(), model.input_count());
  check_count("--output", options.outputs.size(), model.output_count());

  const Model::Range batches = model.batch_range(), lengths = model.length_range();
  std::vector<Numbers> given;
  for (const std::string& path : options.inputs) given.push_back(read_numbers(path));
  std::optional<int64_t> length = options.length;
  if (!length && !given.empty()) length = length_of(model.input(0), given[0], lengths.least);
  const Clock since_read;
  Session session(model, {options.batch.value_or(batches.least), options.threads, length.value_or(lengths.least)});
  if (!options.batch && !given.empty()) {
    const size_t image = session.input(0).bytes / static_cast<size_t>(batches.least);
    const int64_t batch = std::max(batches.least, static_cast<int64_t>(given[0].bytes.size() / image));
    session.resize(batch, length.value_or(lengths.least));
  }
  const auto batch = static_cast<size_t>(session.input(0).sizes[0]);

  std::vector<std::vector<int64_t>> inputs(model.input_count());  // aligned for both types
  std::vector<std::vector<float>> outputs(model.output_count());
  std::vector<torquant_input> from;
  std::vector<torquant_output> to;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorInfo info = session.input(i);
    if (i < given.size()) check_numbers(given[i], info);
    inputs[i].resize((info.bytes + sizeof(int64_t) - 1) / sizeof(int64_t));
    if (i < given.size()) std::memcpy(inputs[i].data(), given[i].bytes.data(), info.bytes);
    from.push_back({inputs[i].data(), info.bytes, info.dtype});
    print_tensor("input ", i, info);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorInfo info = session.output(i);
    outputs[i].resize(info.elements());
    to.push_back(torquant_runtime::output(outputs[i]));
    print_tensor("output", i, info);
  }
  session.run(from, to);
  const double first = since_read.milliseconds();

  std::vector<double> times;
  for (int64_t i = 0; i < options.runs; ++i) {
    const Clock clock;
    session.run(from, to);
    times.push_back(clock.milliseconds());
  }
  std::printf("loaded    %.3f ms, ready and run once %.3f ms later; %s; %.1f MB between layers\n", loaded, first,
              model.isa().c_str(), static_cast<double>(session.memory_bytes()) / 1e6);
  if (!times.empty()) print_times(times, options.threads);
  if (options.top > 0) print_top(outputs[0], batch, static_cast<size_t>(options.top));
  for (size_t i = 0; i < options.outputs.size(); ++i) write_numbers(options.outputs[i], session.output(i), outputs[i]);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    stop(1, error.what());
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
