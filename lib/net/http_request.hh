#pragma once

#include "base/clock.hh"
#include "domain/access.hh"
#include "domain/health.hh"
#include "domain/state.hh"
#include "net/http_reply.hh"
#include "wrap/json.hh"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

class Backups;

/// Who asks.
struct Principal
{
    enum class Kind {
        Nobody,
        Local,   ///< on the loopback address, while there are no users and tokens
        Socket,  ///< through the Unix socket, whose permissions say who may
        Session, ///< logged in
        Token,
    };

    Kind kind = Kind::Nobody;
    std::string name{};                 ///< of the user or token
    std::optional<AccessScope> scope{}; ///< nothing: may only see what everybody may
    std::string csrf{};                 ///< what forms of this principal must bring along
    int64_t token_id = 0;               ///< of a token whose use is to be noted

    bool may(std::optional<AccessScope> needed) const noexcept
    {
        return !needed || (scope && *scope >= *needed);
    }
};

/// A request after the checks, as handlers get it: decoded, and its body read.
struct HttpRequest
{
    std::string method;
    std::string path;
    std::map<std::string, std::string, std::less<>> parameters; ///< {names} of the route
    std::map<std::string, std::string> query;
    std::string body;
    std::string content_type;
    std::string peer;
    std::string session{}; ///< the secret of its session's cookie
    bool over_tls = false;
    Principal principal;

    /// A parameter of the route's path, which it has.
    const std::string &parameter(std::string_view name) const;

    /// A field of the query; nothing if it was not sent or is empty.
    std::optional<std::string> field(const std::string &name) const;

    /// A field of the query as a number within [low, high], or `otherwise` if it was not
    /// sent; UsageError for anything else.
    int64_t number(const std::string &name, int64_t low, int64_t high,
                   int64_t otherwise) const;

    /// The body as a JSON object; an empty body is an empty object. Throws
    /// Error(BadData), also for members that are not among `known`, the nearest of which
    /// it names.
    Json json_body(std::initializer_list<std::string_view> known) const;
};

/// What a handler works with: one thread's state, the request, and what the server knows
/// of itself.
struct HttpCall
{
    State &state;
    const Clock &clock;
    const HttpRequest &request;
    const ServerHealth &server;
    Backups &backups;

    Sqlite &database() const { return state.database(); }
};

} // namespace ap
