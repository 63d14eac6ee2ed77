#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

/// What every target defines: libFuzzer calls it (meson -Dfuzz=true), and so
/// does the mutation test of the normal suite. A broken promise aborts.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace fuzz {

/// Texts that mutate.cc starts from; each target has its own.
std::span<const std::string_view> seeds();

inline void require(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "not so: %s\n", what);
        std::abort();
    }
}

inline std::string_view text_of(const uint8_t *data, size_t size)
{
    return {reinterpret_cast<const char *>(data), size};
}

/// Hands `text` to `take` in pieces of sizes that follow from `seed`.
template <typename Take>
void in_pieces(std::string_view text, uint32_t seed, const Take &take)
{
    while (!text.empty()) {
        seed = seed * 1664525 + 1013904223;
        const size_t size = 1 + (seed >> 24) % 23;
        take(text.substr(0, size));
        text.remove_prefix(size < text.size() ? size : text.size());
    }
}

} // namespace fuzz
