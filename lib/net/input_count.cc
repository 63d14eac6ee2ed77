#include "net/input_count.hh"

#include "domain/budget.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace ap {

namespace {

constexpr size_t largest_answer = 65536;
constexpr std::chrono::milliseconds patience{10'000};

constexpr std::array anthropic_members = {
    "model", "system", "messages", "tools", "tool_choice", "thinking", "mcp_servers"};
constexpr std::array openai_members = {
    "model",       "input", "instructions", "conversation",        "previous_response_id",
    "tools",       "text",  "reasoning",    "parallel_tool_calls", "truncation",
    "tool_choice",
};

Json members_of(const Json &call, std::span<const char *const> names)
{
    Json question = Json::object();
    for (const char *name : names) {
        if (const Json value = call.get(name)) {
            question.set(name, value);
        }
    }
    return question;
}

// All of the request, so that instructions and tools are counted, too. It names its model
// once more, as the path does.
std::optional<CountQuestion> gemini_question(std::string_view path, Json call)
{
    const size_t verb = path.rfind(':');
    const size_t models = path.rfind("odels/", verb);
    if (verb == std::string_view::npos || models == std::string_view::npos) {
        return std::nullopt;
    }
    const size_t begin = path.rfind('/', models) + 1;
    call.set("model", std::string(path.substr(begin, verb - begin)));
    Json question = Json::object();
    question.set("generateContentRequest", call);
    return CountQuestion{std::string(path.substr(0, verb)) + ":countTokens",
                         question.dump()};
}

} // namespace

bool can_count_input(Dialect dialect) noexcept
{
    return dialect == Dialect::AnthropicMessages || dialect == Dialect::OpenAiResponses ||
           family_of(dialect) == "gemini";
}

std::optional<CountQuestion> count_question(Dialect dialect, std::string_view target,
                                            std::string_view body)
{
    const std::optional<Json> call =
        can_count_input(dialect) ? Json::try_parse(body) : std::nullopt;
    if (!call || !call->is_object()) {
        return std::nullopt;
    }
    const std::string_view path = target.substr(0, target.find('?'));
    if (family_of(dialect) == "gemini") {
        return gemini_question(path, *call);
    }
    if (dialect == Dialect::OpenAiResponses) {
        return CountQuestion{std::string(path) + "/input_tokens",
                             members_of(*call, openai_members).dump()};
    }
    return CountQuestion{std::string(path) + "/count_tokens",
                         members_of(*call, anthropic_members).dump()};
}

std::optional<int64_t> counted_input(int status, std::string_view answer)
{
    const std::optional<Json> told =
        status == 200 ? Json::try_parse(answer) : std::nullopt;
    auto counted = told ? told->get_integer("input_tokens") : std::nullopt;
    if (told && !counted) {
        counted = told->get_integer("totalTokens");
    }
    return counted && *counted >= 0 && *counted <= largest_amount ? counted
                                                                  : std::nullopt;
}

int64_t input_from_count(int64_t counted) noexcept
{
    return counted + counted / 32 + 64;
}

InputCount::InputCount(HttpClient &client, const GateProvider &provider,
                       std::span<const HttpField> fields, CountQuestion question,
                       Then then)
    : question_(std::move(question))
    , then_(std::move(then))
{
    std::vector<HttpField> kept(fields.begin(), fields.end());
    std::erase_if(kept, [](const HttpField &field) {
        return same_field_name(field.name, "accept-encoding") ||
               same_field_name(field.name, "content-encoding");
    });
    const std::string url = provider.base_url + question_.target;
    ClientRequest request;
    request.method = "POST";
    request.url = url;
    request.fields = kept;
    request.body = question_.body;
    request.timeouts = provider.timeouts;
    for (auto *limit : {&request.timeouts.first_byte, &request.timeouts.idle}) {
        *limit = limit->count() == 0 ? patience : std::min(*limit, patience);
    }
    transfer_ = client.start(request, *this);
}

void InputCount::on_head(int status, std::span<const HttpField>)
{
    status_ = status;
}

void InputCount::on_piece(std::string_view piece)
{
    if (answer_.size() + piece.size() <= largest_answer) {
        answer_ += piece;
    }
}

void InputCount::on_end(const HttpEnd &end)
{
    const auto counted =
        end.how == HttpEnd::How::Whole ? counted_input(status_, answer_) : std::nullopt;
    const Then then = std::move(then_);
    then(counted);
}

} // namespace ap
