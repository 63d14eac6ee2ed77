#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Where a server listens and what follows from it.
struct BindChoice
{
    std::string address;               ///< numeric
    bool needs_authentication = false; ///< it can be reached from elsewhere
};

/// Whether AUTOPACK_ALLOW_NON_LOCAL=1 allows servers to be reached from elsewhere.
bool non_local_is_allowed();

/// The address to listen at: `option` (--host), else AUTOPACK_BIND_ADDRESS, else
/// 127.0.0.1; "localhost" is 127.0.0.1. Any but a loopback address needs
/// AUTOPACK_ALLOW_NON_LOCAL=1; without it Error(Config) that says so.
BindChoice choose_bind_address(const std::optional<std::string> &option);

/// Whether a request's Host field names this server: "localhost", a numeric address, or
/// one of `names`, with any port. A page of elsewhere whose name was bound to this
/// address afterwards (DNS rebinding) comes with its own name.
bool is_own_host(std::optional<std::string_view> host,
                 const std::vector<std::string> &names);

/// Whether an unsafe request with these fields may have been sent by a page of elsewhere:
/// Sec-Fetch-Site is neither same-origin nor none, or Origin is of another host. Programs
/// send neither field.
bool is_cross_site(std::optional<std::string_view> fetch_site,
                   std::optional<std::string_view> origin,
                   std::optional<std::string_view> host);

} // namespace ap
