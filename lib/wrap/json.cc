#include "wrap/json.hh"

#include "base/error.hh"

#include <array>
#include <cstdlib>
#include <jansson.h>
#include <new>

namespace ap {

namespace {

constexpr size_t parse_flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;

// How long the UTF-8 sequence is that starts with this byte; 0 if none does.
size_t sequence_length(unsigned char lead)
{
    return lead < 0x80   ? 1
           : lead < 0xc2 ? 0
           : lead < 0xe0 ? 2
           : lead < 0xf0 ? 3
           : lead < 0xf5 ? 4
                         : 0;
}

// The bytes of `text` with every malformed UTF-8 sequence replaced, because jansson
// refuses to make a string of them and child processes print what they like.
std::string repaired_utf8(std::string_view text)
{
    std::string repaired;
    for (size_t i = 0; i < text.size();) {
        const size_t length = sequence_length(static_cast<unsigned char>(text[i]));
        const std::string_view sequence = text.substr(i, length);
        const bool usable =
            length == 1 || (length > 1 && sequence.size() == length &&
                            Json::try_parse("\"" + std::string(sequence) + "\""));
        if (usable) {
            repaired += sequence;
            i += length;
        } else {
            repaired += "\xef\xbf\xbd";
            i++;
        }
    }
    return repaired;
}

std::string dumped(const json_t *value, size_t flags)
{
    struct Free
    {
        void operator()(char *text) const noexcept { std::free(text); }
    };
    const std::unique_ptr<char, Free> text(json_dumps(value, flags | JSON_ENCODE_ANY));
    return text ? text.get() : "";
}

} // namespace

void Json::Release::operator()(json_t *value) const noexcept
{
    json_decref(value);
}

Json::Json(json_t *owned)
    : value_(owned)
{
    if (owned == nullptr) {
        throw std::bad_alloc();
    }
}

Json::Json(const Json &other) noexcept
    : value_(json_incref(other.value_.get()))
{
}

Json &Json::operator=(const Json &other) noexcept
{
    value_.reset(json_incref(other.value_.get()));
    return *this;
}

Json Json::parse(std::string_view text, std::string_view source)
{
    json_error_t error{};
    json_t *value = json_loadb(text.data(), text.size(), parse_flags, &error);
    if (value == nullptr) {
        throw Error(ExitStatus::BadData, std::string(source) + ": line " +
                                             std::to_string(error.line) + ", column " +
                                             std::to_string(error.column) + ": " +
                                             static_cast<const char *>(error.text));
    }
    return Json(value);
}

std::optional<Json> Json::try_parse(std::string_view text)
{
    json_t *value = json_loadb(text.data(), text.size(), parse_flags, nullptr);
    return value == nullptr ? std::nullopt : std::optional(Json(value));
}

Json Json::object()
{
    return Json(json_object());
}

Json Json::array()
{
    return Json(json_array());
}

Json Json::string(std::string_view value)
{
    json_t *made =
        json_stringn(value.data() == nullptr ? "" : value.data(), value.size());
    if (made == nullptr) {
        const std::string repaired = repaired_utf8(value);
        made = json_stringn(repaired.data(), repaired.size());
    }
    return Json(made);
}

Json Json::integer(int64_t value)
{
    return Json(json_integer(value));
}

Json Json::real(double value)
{
    return Json(json_real(value));
}

Json Json::boolean(bool value)
{
    return Json(json_boolean(value));
}

Json Json::null()
{
    return Json(json_null());
}

bool Json::is_object() const noexcept
{
    return json_is_object(value_.get());
}

bool Json::is_array() const noexcept
{
    return json_is_array(value_.get());
}

bool Json::is_string() const noexcept
{
    return json_is_string(value_.get());
}

bool Json::is_integer() const noexcept
{
    return json_is_integer(value_.get());
}

bool Json::is_number() const noexcept
{
    return json_is_number(value_.get());
}

bool Json::is_boolean() const noexcept
{
    return json_is_boolean(value_.get());
}

bool Json::is_null() const noexcept
{
    return json_is_null(value_.get());
}

std::string_view Json::type_name() const noexcept
{
    static constexpr std::array<std::string_view, 8> names = {
        "object", "array", "string", "integer", "number", "boolean", "boolean", "null"};
    return value_ ? names.at(static_cast<size_t>(json_typeof(value_.get()))) : "nothing";
}

std::string Json::as_string() const
{
    return {json_string_value(value_.get()), json_string_length(value_.get())};
}

int64_t Json::as_integer() const
{
    return json_integer_value(value_.get());
}

double Json::as_number() const
{
    return json_number_value(value_.get());
}

bool Json::as_boolean() const
{
    return json_is_true(value_.get());
}

Json Json::get(std::string_view key) const
{
    json_t *member = json_object_get(value_.get(), std::string(key).c_str());
    return member == nullptr ? Json() : Json(json_incref(member));
}

std::optional<std::string> Json::get_string(std::string_view key) const
{
    const Json member = get(key);
    return member.is_string() ? std::optional(member.as_string()) : std::nullopt;
}

std::optional<int64_t> Json::get_integer(std::string_view key) const
{
    const Json member = get(key);
    return member.is_integer() ? std::optional(member.as_integer()) : std::nullopt;
}

std::optional<bool> Json::get_boolean(std::string_view key) const
{
    const Json member = get(key);
    return member.is_boolean() ? std::optional(member.as_boolean()) : std::nullopt;
}

std::vector<std::string> Json::keys() const
{
    std::vector<std::string> names;
    for (void *i = json_object_iter(value_.get()); i != nullptr;
         i = json_object_iter_next(value_.get(), i)) {
        names.emplace_back(json_object_iter_key(i));
    }
    return names;
}

size_t Json::size() const noexcept
{
    return is_array() ? json_array_size(value_.get()) : json_object_size(value_.get());
}

Json Json::at(size_t index) const
{
    json_t *element = json_array_get(value_.get(), index);
    return element == nullptr ? Json() : Json(json_incref(element));
}

Json &Json::set(std::string_view key, Json value)
{
    if (json_object_set_new(value_.get(), std::string(key).c_str(),
                            value.value_.release()) != 0) {
        throw Error(ExitStatus::Bug, "cannot set JSON member '" + std::string(key) + "'");
    }
    return *this;
}

Json &Json::set(std::string_view key, std::string_view value)
{
    return set(key, string(value));
}

Json &Json::set(std::string_view key, const char *value)
{
    return set(key, string(value));
}

Json &Json::set(std::string_view key, int64_t value)
{
    return set(key, integer(value));
}

Json &Json::set(std::string_view key, bool value)
{
    return set(key, boolean(value));
}

Json &Json::append(Json value)
{
    if (json_array_append_new(value_.get(), value.value_.release()) != 0) {
        throw Error(ExitStatus::Bug, "cannot append to a JSON array");
    }
    return *this;
}

std::string Json::dump() const
{
    return dumped(value_.get(), JSON_COMPACT);
}

std::string Json::dump_pretty() const
{
    return dumped(value_.get(), JSON_INDENT(2)) + "\n";
}

std::string loaded_jansson_version()
{
    return jansson_version_str();
}

} // namespace ap
