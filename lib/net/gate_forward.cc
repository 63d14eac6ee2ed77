#include "net/gate_forward.hh"

#include "base/text.hh"

#include <algorithm>
#include <array>
#include <ctime>

namespace ap {

namespace {

constexpr size_t longest_name = 128;

std::string breaker_name(std::string_view kind, std::string_view provider,
                         std::string_view model)
{
    std::string name = std::string(kind) + '.' + std::string(provider);
    if (!model.empty()) {
        name.append(".").append(model);
    }
    if (is_identifier(name)) { // nearly all are: asked once instead of for each letter
        return name;
    }
    for (char &letter : name) {
        if (!is_identifier("a" + std::string(1, letter))) {
            letter = '_';
        }
    }
    return name.substr(0, longest_name);
}

bool carries_key(std::string_view name) noexcept
{
    static constexpr std::array<std::string_view, 4> names = {
        "authorization", "x-api-key", "x-goog-api-key", "proxy-authorization"};
    return std::any_of(names.begin(), names.end(), [name](std::string_view known) {
        return same_field_name(known, name);
    });
}

bool belongs_to_connection(std::string_view name, std::string_view connection) noexcept
{
    return is_hop_by_hop(name) ||
           (!connection.empty() && has_list_token(connection, name));
}

// The value of `key` among the parameters of a query.
std::string_view key_parameter(std::string_view query)
{
    for (const std::string_view parameter : split(query, '&')) {
        if (parameter.starts_with("key=")) {
            return parameter.substr(4);
        }
    }
    return {};
}

} // namespace

std::string_view presented_key(std::span<const HttpField> fields, std::string_view query)
{
    if (const auto key = find_field(fields, "x-api-key"); key && !key->empty()) {
        return *key;
    }
    if (const auto value = find_field(fields, "authorization")) {
        constexpr std::string_view scheme = "bearer ";
        if (value->size() > scheme.size() &&
            same_field_name(value->substr(0, scheme.size()), scheme)) {
            return trim(value->substr(scheme.size()));
        }
    }
    if (const auto key = find_field(fields, "x-goog-api-key"); key && !key->empty()) {
        return *key;
    }
    return query.empty() ? std::string_view() : key_parameter(query);
}

std::vector<HttpField> forwarded_fields(std::span<const HttpField> fields,
                                        const GateProvider &provider, std::string &bearer)
{
    const std::string_view connection = find_field(fields, "connection").value_or("");
    std::vector<HttpField> kept;
    kept.reserve(fields.size() + 1);
    for (const HttpField &field : fields) {
        if (!carries_key(field.name) && !belongs_to_connection(field.name, connection)) {
            kept.push_back(field);
        }
    }
    if (provider.key.empty()) {
        return kept;
    }
    if (provider.bearer || provider.family == "openai") {
        bearer = "Bearer " + provider.key;
        kept.push_back({"Authorization", bearer});
    } else {
        kept.push_back(
            {provider.family == "gemini" ? "x-goog-api-key" : "x-api-key", provider.key});
    }
    return kept;
}

std::string target_with_model(std::string_view target, std::string_view was,
                              std::string_view model)
{
    std::string changed(target);
    const size_t place = changed.find("/" + std::string(was) + ":");
    if (place != std::string::npos) {
        changed.replace(place + 1, was.size(), model);
    }
    return changed;
}

std::vector<HttpField> answered_fields(std::span<const HttpField> fields)
{
    const std::string_view connection = find_field(fields, "connection").value_or("");
    std::vector<HttpField> kept;
    kept.reserve(fields.size());
    for (const HttpField &field : fields) {
        if (!belongs_to_connection(field.name, connection)) {
            kept.push_back(field);
        }
    }
    return kept;
}

std::string_view guessed_family(std::span<const HttpField> fields, std::string_view path)
{
    if (find_field(fields, "anthropic-version") || find_field(fields, "x-api-key") ||
        path.starts_with("/v1/messages")) {
        return "anthropic";
    }
    return find_field(fields, "x-goog-api-key") || path.starts_with("/v1beta") ? "gemini"
                                                                               : "openai";
}

std::optional<std::chrono::milliseconds>
retry_after(std::span<const HttpField> fields, std::chrono::system_clock::time_point now)
{
    const auto value = find_field(fields, "retry-after");
    if (!value) {
        return std::nullopt;
    }
    if (const auto seconds = parse_decimal(*value)) {
        return std::chrono::milliseconds(static_cast<int64_t>(*seconds * 1000));
    }
    tm date{};
    if (strptime(std::string(*value).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) ==
        nullptr) {
        return std::nullopt;
    }
    const auto until = std::chrono::system_clock::from_time_t(timegm(&date)) - now;
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::ceil<std::chrono::milliseconds>(until));
}

std::string_view provider_request_id(std::span<const HttpField> fields)
{
    for (const HttpField &field : fields) {
        if (same_field_name(field.name, "request-id") ||
            same_field_name(field.name, "x-request-id")) {
            return field.value;
        }
    }
    return {};
}

std::string gate_breaker_name(std::string_view provider, std::string_view model)
{
    return breaker_name("gate", provider, model);
}

std::string llm_breaker_name(std::string_view provider, std::string_view model)
{
    return breaker_name("llm", provider, model);
}

} // namespace ap
