#include "net/bind_safety.hh"

#include "base/error.hh"
#include "base/http_field.hh"
#include "base/text.hh"
#include "sys/socket.hh"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdlib>

namespace ap {

namespace {

std::string environment(const char *name)
{
    const char *value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool is_numeric(const std::string &address)
{
    std::array<unsigned char, 16> bytes{};
    return inet_pton(AF_INET, address.c_str(), bytes.data()) == 1 ||
           inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1;
}

// The name of "name:port", "[address]:port" or "name"; empty if it is none of these.
std::string_view name_of_host(std::string_view host)
{
    std::string_view port;
    std::string_view name = host;
    if (host.starts_with('[')) {
        const size_t end = host.find(']');
        if (end == host.npos) {
            return {};
        }
        name = host.substr(1, end - 1);
        port = host.substr(end + 1);
    } else if (const size_t colon = host.find(':'); colon != host.npos) {
        name = host.substr(0, colon);
        port = host.substr(colon);
    }
    const bool port_is_good =
        port.empty() || (port[0] == ':' && parse_integer(port.substr(1), 0, 65535));
    return port_is_good ? name : std::string_view();
}

} // namespace

bool non_local_is_allowed()
{
    return environment("AUTOPACK_ALLOW_NON_LOCAL") == "1";
}

BindChoice choose_bind_address(const std::optional<std::string> &option)
{
    const std::string variable = environment("AUTOPACK_BIND_ADDRESS");
    BindChoice choice;
    choice.address = option ? *option : variable.empty() ? "127.0.0.1" : variable;
    if (choice.address == "localhost") {
        choice.address = "127.0.0.1";
    }
    if (!is_numeric(choice.address)) {
        throw Error(ExitStatus::Config, "address to listen at: expected a numeric one "
                                        "such as 192.0.2.1, got '" +
                                            printable(choice.address) + "'");
    }
    choice.needs_authentication = !is_loopback(choice.address);
    if (choice.needs_authentication && !non_local_is_allowed()) {
        throw Error(ExitStatus::Config,
                    "refusing to listen at " + choice.address +
                        ", which other machines may reach: set "
                        "AUTOPACK_ALLOW_NON_LOCAL=1 to allow it, and everybody will have "
                        "to log in");
    }
    return choice;
}

bool is_own_host(std::optional<std::string_view> host,
                 const std::vector<std::string> &names)
{
    const std::string name(host ? name_of_host(*host) : std::string_view());
    return !name.empty() &&
           (same_field_name(name, "localhost") || is_numeric(name) ||
            std::any_of(names.begin(), names.end(), [&](const std::string &own) {
                return same_field_name(name, own);
            }));
}

bool is_cross_site(std::optional<std::string_view> fetch_site,
                   std::optional<std::string_view> origin,
                   std::optional<std::string_view> host)
{
    if (fetch_site && *fetch_site != "same-origin" && *fetch_site != "none") {
        return true;
    }
    if (!origin) {
        return false;
    }
    const size_t scheme = origin->find("://");
    return scheme == origin->npos || !host ||
           !same_field_name(origin->substr(scheme + 3), *host);
}

} // namespace ap
