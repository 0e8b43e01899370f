// Changes the header of .tqm files as what it is: numbers, the lengths of vectors, which table an offset names. Random
// bytes would seldom pass FlatBuffers' verifier. It knows the schema from the generated code, so new operators need
// nothing here.
#include <flatbuffers/flatbuffers.h>
#include <flatbuffers/minireflect.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "torquant/format/tqm_generated.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace torquant::fuzz {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::TypeTable;

struct Place {
  uint8_t* at;
  ElementaryType type;
  const TypeTable* table;  // of what an offset names
};

// Where the header keeps its numbers, its offsets to tables and its vectors.
class Places : public flatbuffers::IterationVisitor {
 public:
  std::vector<Place> numbers, offsets, vectors;

  void Field(size_t, size_t, ElementaryType type, bool is_vector, const TypeTable* table, const char*,
             const uint8_t* value) override {
    if (value == nullptr) return;
    add(type, is_vector ? &vectors : nullptr, table, value);
  }
  void Element(size_t, ElementaryType type, const TypeTable* table, const uint8_t* value) override {
    add(type, nullptr, table, value);
  }

  void StartSequence() override {}
  void EndSequence() override {}
  void UType(uint8_t, const char*) override {}
  void Bool(bool) override {}
  void Char(int8_t, const char*) override {}
  void UChar(uint8_t, const char*) override {}
  void Short(int16_t, const char*) override {}
  void UShort(uint16_t, const char*) override {}
  void Int(int32_t, const char*) override {}
  void UInt(uint32_t, const char*) override {}
  void Long(int64_t) override {}
  void ULong(uint64_t) override {}
  void Float(float) override {}
  void Double(double) override {}
  void String(const flatbuffers::String*) override {}
  void Unknown(const uint8_t*) override {}
  void StartVector() override {}
  void EndVector() override {}

 private:
  void add(ElementaryType type, std::vector<Place>* vectors, const TypeTable* table, const uint8_t* value) {
    const bool is_struct = type == flatbuffers::ET_SEQUENCE && table->st == flatbuffers::ST_STRUCT;
    const bool is_offset = type == flatbuffers::ET_SEQUENCE || type == flatbuffers::ET_STRING;
    const Place place{const_cast<uint8_t*>(value), type, table};
    if (vectors != nullptr) {
      vectors->push_back(place);
    } else if (!is_struct) {
      (is_offset ? offsets : numbers).push_back(place);
    }
  }
};

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  size_t below(size_t end) { return random_() % end; }

  // False where the bytes hold no header that can be read.
  bool change_header(uint8_t* data, size_t size) {
    if (size < 12) return false;
    const size_t header = std::min<size_t>(size, flatbuffers::ReadScalar<uint32_t>(data) + size_t{4});
    flatbuffers::Verifier verifier(data, header, 16, 10'000);
    if (!format::wire::VerifySizePrefixedModelBuffer(verifier)) return false;
    for (const format::wire::Node* node : *format::wire::GetSizePrefixedModel(data)->nodes()) {
      const format::wire::Operation type = node->operation_type();  // IterateObject takes known ones alone
      if (type < format::wire::Operation::MIN || type > format::wire::Operation::MAX) return false;
      if (type == format::wire::Operation::NONE) return false;
    }
    Places places;
    const auto* root = reinterpret_cast<const uint8_t*>(format::wire::GetSizePrefixedModel(data));
    flatbuffers::IterateObject(root, format::wire::ModelTypeTable(), &places);
    const size_t kind = below(8);
    if (kind == 0 && !places.vectors.empty()) {
      shorten(places.vectors[below(places.vectors.size())]);
    } else if (kind == 1 && !places.offsets.empty()) {
      redirect(places.offsets);
    } else if (!places.numbers.empty()) {
      change(places.numbers[below(places.numbers.size())]);
    }
    return true;
  }

  // Of the data segment: floats, sums and flags of layers.
  void change_data(uint8_t* data, size_t size) {
    const size_t header = std::min<size_t>(size, flatbuffers::ReadScalar<uint32_t>(data) + size_t{4});
    if (size - header < 8) return;
    store(data + header + below((size - header) / 4) * 4, static_cast<float>(interesting_real()));
  }

 private:
  template <class T>
  static void store(uint8_t* at, T number) {
    std::memcpy(at, &number, sizeof number);
  }

  void shorten(const Place& vector) {
    uint8_t* at = vector.at + flatbuffers::ReadScalar<uint32_t>(vector.at);
    const auto length = flatbuffers::ReadScalar<uint32_t>(at);
    if (length > 0) store<uint32_t>(at, static_cast<uint32_t>(below(2) == 0 ? length - 1 : below(length)));
  }

  // Lets an offset name what another one of its kind, further on, names: nodes in another order, values twice.
  void redirect(const std::vector<Place>& offsets) {
    const Place& place = offsets[below(offsets.size())];
    const Place& other = offsets[below(offsets.size())];
    if (place.type != other.type || place.table != other.table) return;
    const uint8_t* target = other.at + flatbuffers::ReadScalar<uint32_t>(other.at);
    if (target > place.at) store<uint32_t>(place.at, static_cast<uint32_t>(target - place.at));
  }

  void change(const Place& place) {
    switch (place.type) {
      case flatbuffers::ET_FLOAT:
        return store(place.at, static_cast<float>(interesting_real()));
      case flatbuffers::ET_DOUBLE:
        return store(place.at, interesting_real());
      case flatbuffers::ET_INT:
      case flatbuffers::ET_UINT:
        return store(place.at, static_cast<uint32_t>(interesting(flatbuffers::ReadScalar<uint32_t>(place.at))));
      case flatbuffers::ET_LONG:
      case flatbuffers::ET_ULONG:
        return store(place.at, interesting(flatbuffers::ReadScalar<uint64_t>(place.at)));
      default:
        return store(place.at, static_cast<uint8_t>(interesting(*place.at)));
    }
  }

  uint64_t interesting(uint64_t old) {
    constexpr uint64_t kValues[] = {0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    7,
                                    16,
                                    64,
                                    127,
                                    128,
                                    255,
                                    4096,
                                    1 << 14,
                                    1 << 28,
                                    0x7fffffff,
                                    0xffffffff,
                                    1u << 31,
                                    1ull << 40,
                                    0x7fffffffffffffff,
                                    0xffffffffffffffff};
    switch (below(4)) {
      case 0:
        return old + 1;
      case 1:
        return old - 1;
      case 2:
        return below(24);
      default:
        return kValues[below(std::size(kValues))];
    }
  }

  double interesting_real() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kValues[] = {0,   -0.0, 1,     -1,     0.05, 1e-3, 0.5,       255,        NAN,
                                  1e9, -1e9, 1e-40, -1e-40, 1e30, 1e38, kInfinity, -kInfinity, 1e-300};
    return below(3) == 0 ? static_cast<double>(below(2000)) / 1000 : kValues[below(std::size(kValues))];
  }

  std::minstd_rand random_;
};

}  // namespace
}  // namespace torquant::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  torquant::fuzz::Mutator mutator(seed);
  if (mutator.below(6) == 0) return LLVMFuzzerMutate(data, size, max_size);
  for (size_t changes = 1 + mutator.below(3); changes > 0; --changes) {
    if (!mutator.change_header(data, size)) return LLVMFuzzerMutate(data, size, max_size);
    if (mutator.below(4) == 0) mutator.change_data(data, size);
  }
  return size;
}
