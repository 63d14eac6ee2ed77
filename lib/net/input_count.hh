#pragma once

#include "domain/dialect.hh"
#include "net/gate_config.hh"
#include "wrap/http_client.hh"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ap {

/// Whether the provider of a call can be asked what its input comes to, and at what cost
/// to nobody: Anthropic's Messages, OpenAI's Responses and Gemini's calls.
bool can_count_input(Dialect dialect) noexcept;

/// The request that asks it.
struct CountQuestion
{
    std::string target; ///< the path, as it begins the call's own
    std::string body;
};

/// The question about a call with that target and body, in which are, of the call's own
/// members, those that counting takes and no others, which the provider would refuse.
/// Nothing for a dialect without counting, or a body that is no JSON object.
std::optional<CountQuestion> count_question(Dialect dialect, std::string_view target,
                                            std::string_view body);

/// The input tokens that the answer of any dialect tells; nothing if it tells none.
std::optional<int64_t> counted_input(int status, std::string_view answer);

/// How much of a reservation a count stands for: the provider calls it an estimate that
/// may differ a little from what is charged, so a 32nd and 64 tokens are added.
int64_t input_from_count(int64_t counted) noexcept;

/// Asks a provider what a call's input comes to. Dropping it gives the question up.
class InputCount final : public HttpListener
{
public:
    using Then = std::function<void(std::optional<int64_t> counted)>;

    /// `fields` are the call's, as they would be forwarded; `then` is called once, from
    /// HttpClient::run(), and may destroy this.
    InputCount(HttpClient &client, const GateProvider &provider,
               std::span<const HttpField> fields, CountQuestion question, Then then);

    void on_head(int status, std::span<const HttpField> fields) override;
    void on_piece(std::string_view piece) override;
    void on_end(const HttpEnd &end) override;

private:
    CountQuestion question_;
    Then then_;
    int status_ = 0;
    std::string answer_;
    HttpTransfer transfer_; // last: ends before what it uses
};

} // namespace ap
