#include "net/provider_error.hh"

#include "wrap/json.hh"

#include <array>

namespace ap {

namespace {

// A fault in the words of each family.
struct Words
{
    GateFault fault;
    int status;
    int anthropic_status;
    std::string_view anthropic;
    std::string_view openai;      // the type
    std::string_view openai_code; // empty: null
    std::string_view gemini;
};

constexpr std::array<Words, 10> all_words = {{
    {GateFault::BadKey, 401, 401, "authentication_error", "invalid_request_error",
     "invalid_api_key", "UNAUTHENTICATED"},
    {GateFault::BadRequest, 400, 400, "invalid_request_error", "invalid_request_error",
     "", "INVALID_ARGUMENT"},
    {GateFault::Budget, 400, 400, "invalid_request_error", "insufficient_quota",
     "insufficient_quota", "FAILED_PRECONDITION"},
    {GateFault::UnknownPath, 404, 404, "not_found_error", "invalid_request_error",
     "unknown_url", "NOT_FOUND"},
    {GateFault::UnknownModel, 404, 404, "not_found_error", "invalid_request_error",
     "model_not_found", "NOT_FOUND"},
    {GateFault::Busy, 429, 429, "rate_limit_error", "rate_limit_error",
     "rate_limit_exceeded", "RESOURCE_EXHAUSTED"},
    {GateFault::Open, 503, 529, "overloaded_error", "server_error", "", "UNAVAILABLE"},
    {GateFault::Unreachable, 502, 502, "api_error", "server_error", "", "UNAVAILABLE"},
    {GateFault::TooSlow, 504, 504, "timeout_error", "server_error", "",
     "DEADLINE_EXCEEDED"},
    {GateFault::Internal, 500, 500, "api_error", "server_error", "", "INTERNAL"},
}};

const Words &words_for(GateFault fault)
{
    return all_words.at(static_cast<size_t>(fault));
}

static_assert(
    [] {
        for (size_t i = 0; i < all_words.size(); i++) {
            if (static_cast<size_t>(all_words[i].fault) != i) {
                return false;
            }
        }
        return true;
    }(),
    "the table is indexed by the fault");

Json anthropic_body(const Words &words, std::string_view message)
{
    return Json::object()
        .set("type", "error")
        .set("error",
             Json::object().set("type", words.anthropic).set("message", message));
}

Json openai_body(const Words &words, std::string_view message)
{
    Json error = Json::object();
    error.set("message", message).set("type", words.openai).set("param", Json::null());
    error.set("code",
              words.openai_code.empty() ? Json::null() : Json::string(words.openai_code));
    return Json::object().set("error", error);
}

Json gemini_body(const Words &words, std::string_view message)
{
    Json error = Json::object();
    error.set("code", words.status).set("message", message).set("status", words.gemini);
    return Json::object().set("error", error);
}

} // namespace

ProviderError provider_error(std::string_view family, GateFault fault,
                             std::string_view message,
                             std::optional<std::chrono::seconds> retry_after)
{
    const Words &words = words_for(fault);
    if (family == "anthropic") {
        return {words.anthropic_status, anthropic_body(words, message).dump(),
                retry_after};
    }
    const Json body =
        family == "gemini" ? gemini_body(words, message) : openai_body(words, message);
    return {words.status, body.dump(), retry_after};
}

std::string reason_of_status(int status)
{
    const std::string number = " (" + std::to_string(status) + ")";
    return (status == 429   ? "rate limited"
            : status == 529 ? "overloaded"
                            : "server error") +
           number;
}

} // namespace ap
