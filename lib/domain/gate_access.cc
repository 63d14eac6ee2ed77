#include "domain/gate_access.hh"

#include "base/text.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <cstdlib>

namespace ap {

namespace {

constexpr size_t largest_gate_file = 65536;

std::string checked_url(std::string url, const std::string &source)
{
    while (url.ends_with('/')) {
        url.pop_back();
    }
    const bool is_url = url.starts_with("http://") || url.starts_with("https://");
    if (!is_url || url.ends_with(':')) {
        throw Error(ExitStatus::Config,
                    source + ": expected a URL such as http://127.0.0.1:4141, got '" +
                        printable(url) + "'");
    }
    return url;
}

} // namespace

std::optional<GateAccess> find_gate(const StatePaths &paths)
{
    if (const char *given = std::getenv("AUTOPACK_GATE_URL"); given != nullptr) {
        if (*given == '\0') {
            return std::nullopt;
        }
        const char *ca_file = std::getenv("AUTOPACK_GATE_CA_FILE");
        const bool has_ca = ca_file != nullptr && *ca_file != '\0';
        return GateAccess{checked_url(given, "AUTOPACK_GATE_URL"), "",
                          has_ca ? absolute_path(ca_file) : std::string()};
    }
    const std::string file = join_path(paths.runs, "gate.json");
    if (!path_exists(file)) {
        return std::nullopt;
    }
    const Json gate = Json::parse(read_file(file, largest_gate_file), file);
    return GateAccess{checked_url(gate.get_string("url").value_or(""), file), "",
                      gate.get_string("ca_file").value_or("")};
}

} // namespace ap
