#include "net/router.hh"

#include "base/text.hh"

namespace ap {

namespace {

using Parameters = std::map<std::string, std::string, std::less<>>;

std::optional<Parameters> match(std::string_view pattern,
                                const std::vector<std::string> &pieces)
{
    Parameters parameters;
    size_t at = 0;
    if (pattern != "/") {
        for (const std::string_view part : split(pattern.substr(1), '/')) {
            if (at == pieces.size()) {
                return std::nullopt;
            }
            if (part.starts_with('{')) {
                parameters.emplace(part.substr(1, part.size() - 2), pieces[at]);
            } else if (part != pieces[at]) {
                return std::nullopt;
            }
            at++;
        }
    }
    return at == pieces.size() ? std::optional(std::move(parameters)) : std::nullopt;
}

} // namespace

RouteMatch find_route(std::span<const ApiRoute> routes, std::string_view method,
                      const std::vector<std::string> &pieces)
{
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    RouteMatch found;
    for (const ApiRoute &route : routes) {
        auto parameters = match(route.pattern, pieces);
        if (!parameters) {
            continue;
        }
        found.is_page = route.is_page;
        if (route.method == wanted) {
            found.route = &route;
            found.parameters = std::move(*parameters);
            return found;
        }
        found.allowed.append(found.allowed.empty() ? "" : ", ").append(route.method);
    }
    return found;
}

} // namespace ap
