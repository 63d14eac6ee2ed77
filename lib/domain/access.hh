#pragma once

#include <optional>
#include <string_view>

namespace ap {

/// What somebody may do over HTTP; each includes those before it.
enum class AccessScope {
    Read,    ///< look at everything
    Operate, ///< stop, abort, time out, pause, resume and retry; reset breakers
    Admin,   ///< create and delete runs, set budgets, hold breakers, take backups
};

inline constexpr std::string_view access_scope_names[] = {"read", "operate", "admin"};

constexpr std::string_view access_scope_name(AccessScope scope)
{
    return access_scope_names[static_cast<int>(scope)];
}

/// The scope of that name; nothing for any other word.
constexpr std::optional<AccessScope> access_scope_of(std::string_view name)
{
    for (const AccessScope scope :
         {AccessScope::Read, AccessScope::Operate, AccessScope::Admin}) {
        if (access_scope_name(scope) == name) {
            return scope;
        }
    }
    return std::nullopt;
}

} // namespace ap
