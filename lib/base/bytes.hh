#pragma once

#include <functional>
#include <string_view>

namespace ap {

/// Takes bytes; throws if it cannot.
using ByteSink = std::function<void(std::string_view)>;

/// Gives the next bytes, valid until the next call; an empty piece is the end.
using ByteSource = std::function<std::string_view()>;

} // namespace ap
