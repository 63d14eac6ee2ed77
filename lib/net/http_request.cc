#include "net/http_request.hh"

#include "base/text.hh"

#include <algorithm>

namespace ap {

const std::string &HttpRequest::parameter(std::string_view name) const
{
    const auto found = parameters.find(name);
    if (found == parameters.end()) {
        throw Error(ExitStatus::Bug, "no parameter " + std::string(name));
    }
    return found->second;
}

std::optional<std::string> HttpRequest::field(const std::string &name) const
{
    const auto found = query.find(name);
    return found == query.end() || found->second.empty() ? std::nullopt
                                                         : std::optional(found->second);
}

int64_t HttpRequest::number(const std::string &name, int64_t low, int64_t high,
                            int64_t otherwise) const
{
    const auto text = field(name);
    const auto value = text ? parse_integer(*text, low, high) : otherwise;
    if (!value) {
        throw UsageError(name + ": expected a whole number from " + std::to_string(low) +
                         " to " + std::to_string(high) + ", got '" + printable(*text) +
                         "'");
    }
    return *value;
}

Json HttpRequest::json_body(std::initializer_list<std::string_view> known) const
{
    if (trim(body).empty()) {
        return Json::object();
    }
    Json object = Json::parse(body, "body");
    if (!object.is_object()) {
        throw Error(ExitStatus::BadData, "body: expected a JSON object, got " +
                                             std::string(object.type_name()));
    }
    for (const std::string &key : object.keys()) {
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            const auto like = nearest(key, {known.begin(), known.size()});
            throw Error(ExitStatus::BadData,
                        "body: no member '" + printable(key) + "'" +
                            (like ? "; did you mean '" + std::string(*like) + "'?" : ""));
        }
    }
    return object;
}

} // namespace ap
