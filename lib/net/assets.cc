#include "net/assets.hh"

namespace ap {

namespace {

// Each .inc is the file of that name as one string literal, made by the build.
constexpr Asset assets[] = {
    {
        "dashboard.css",
        "text/css; charset=utf-8",
#include "dashboard.css.inc"
    },
    {
        "dashboard.js",
        "text/javascript; charset=utf-8",
#include "dashboard.js.inc"
    },
    {
        "openapi.json",
        "application/json",
#include "openapi.json.inc"
    },
};

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
