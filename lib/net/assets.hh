#pragma once

#include <string_view>

namespace ap {

/// A file of lib/net/assets, built into the program.
struct Asset
{
    std::string_view name;
    std::string_view type;
    std::string_view text;
};

/// The asset of that name; null if there is none.
const Asset *find_asset(std::string_view name);

} // namespace ap
