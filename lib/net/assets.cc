#include "net/assets.hh"

namespace ap {

namespace {

// Each .inc is the file of that name as one string literal, made by the build.
// clang-format off
constexpr Asset assets[] = {
    {"dashboard.css", "text/css; charset=utf-8",
#include "dashboard.css.inc"
    },
    {"dashboard.js", "text/javascript; charset=utf-8",
#include "dashboard.js.inc"
    },
    {"icon.svg", "image/svg+xml",
#include "icon.svg.inc"
    },
    {"openapi.json", "application/json",
#include "openapi.json.inc"
    },
};
// clang-format on

} // namespace

const Asset *find_asset(std::string_view name)
{
    for (const Asset &asset : assets) {
        if (asset.name == name) {
            return &asset;
        }
    }
    return nullptr;
}

} // namespace ap
