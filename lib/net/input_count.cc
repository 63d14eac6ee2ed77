#include "net/input_count.hh"

#include "domain/budget.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace ap {

namespace {

constexpr size_t largest_answer = 65536;
constexpr std::chrono::milliseconds patience{10'000};

} // namespace

bool can_count_input(Dialect dialect) noexcept
{
    return dialect == Dialect::AnthropicMessages;
}

std::optional<std::string> count_request_body(std::string_view body)
{
    const std::optional<Json> call = Json::try_parse(body);
    if (!call || !call->is_object()) {
        return std::nullopt;
    }
    Json question = Json::object();
    for (const char *member : {"model", "system", "messages", "tools", "tool_choice",
                               "thinking", "mcp_servers"}) {
        if (const Json value = call->get(member)) {
            question.set(member, value);
        }
    }
    return question.dump();
}

std::optional<int64_t> counted_input(int status, std::string_view answer)
{
    const std::optional<Json> told =
        status == 200 ? Json::try_parse(answer) : std::nullopt;
    const auto counted = told ? told->get_integer("input_tokens") : std::nullopt;
    return counted && *counted >= 0 && *counted <= largest_amount ? counted
                                                                  : std::nullopt;
}

int64_t input_from_count(int64_t counted) noexcept
{
    return counted + counted / 32 + 64;
}

InputCount::InputCount(HttpClient &client, const GateProvider &provider,
                       std::span<const HttpField> fields, std::string body, Then then)
    : body_(std::move(body))
    , then_(std::move(then))
{
    std::vector<HttpField> kept(fields.begin(), fields.end());
    std::erase_if(kept, [](const HttpField &field) {
        return same_field_name(field.name, "accept-encoding") ||
               same_field_name(field.name, "content-encoding");
    });
    const std::string url = provider.base_url + "/v1/messages/count_tokens";
    HttpRequest request;
    request.method = "POST";
    request.url = url;
    request.fields = kept;
    request.body = body_;
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
