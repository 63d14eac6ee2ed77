#include "base/http_field.hh"

#include "base/text.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

constexpr char lower(char letter) noexcept
{
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A'))
                                          : letter;
}

} // namespace

bool same_field_name(std::string_view one, std::string_view other) noexcept
{
    return one.size() == other.size() &&
           std::equal(one.begin(), one.end(), other.begin(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

std::optional<std::string_view> find_field(std::span<const HttpField> fields,
                                           std::string_view name) noexcept
{
    for (const HttpField &field : fields) {
        if (same_field_name(field.name, name)) {
            return field.value;
        }
    }
    return std::nullopt;
}

bool is_hop_by_hop(std::string_view name) noexcept
{
    static constexpr std::array<std::string_view, 7> names = {
        "connection", "keep-alive",        "proxy-connection", "te",
        "trailer",    "transfer-encoding", "upgrade"};
    return std::any_of(names.begin(), names.end(), [name](std::string_view known) {
        return same_field_name(known, name);
    });
}

bool has_list_token(std::string_view value, std::string_view token) noexcept
{
    while (!value.empty()) {
        const size_t comma = std::min(value.find(','), value.size());
        if (same_field_name(trim(value.substr(0, comma)), token)) {
            return true;
        }
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
    return false;
}

} // namespace ap
