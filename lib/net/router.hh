#pragma once

#include "domain/access.hh"
#include "net/http_request.hh"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One thing the server can be asked for.
struct ApiRoute
{
    /// Where and how it is answered.
    enum class Way {
        Read,   ///< at once, on the thread that serves: a few quick look-ups
        Work,   ///< by the worker: it writes, waits, or costs something
        Login,  ///< by the worker for passwords, after the limiter
        Events, ///< as a stream of events
        Log,    ///< as a file that may grow
        Server, ///< by the server itself
    };

    std::string_view method;
    std::string_view pattern;           ///< "/api/runs/{run}"
    std::optional<AccessScope> scope{}; ///< what it takes; nothing: anybody may
    Way way = Way::Read;
    HttpReply (*answer)(HttpCall &) = nullptr; ///< for Read, Work and Login
    uint32_t body_limit = 0;                   ///< bytes; 0: it takes no body
    bool is_page =
        false; ///< for browsers: errors are pages, and who must log in is sent on
};

/// What a path leads to.
struct RouteMatch
{
    const ApiRoute *route = nullptr; ///< nothing: see the others
    std::map<std::string, std::string, std::less<>> parameters{};
    std::string allowed{}; ///< methods, if only the method was wrong; empty: no such path
    bool is_page = false;
};

/// Finds the route for a method and the pieces of a path. HEAD is served as GET.
RouteMatch find_route(std::span<const ApiRoute> routes, std::string_view method,
                      const std::vector<std::string> &pieces);

} // namespace ap
