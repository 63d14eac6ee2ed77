#pragma once

#include "domain/breaker.hh"
#include "domain/call_estimate.hh"
#include "domain/call_record.hh"
#include "domain/capability.hh"
#include "domain/gateway_ledger.hh"
#include "domain/usage_meter.hh"
#include "domain/usage_strip.hh"
#include "net/gate_config.hh"
#include "net/input_count.hh"
#include "net/provider_error.hh"
#include "sys/timers.hh"
#include "wrap/http_exchange.hh"
#include "wrap/http_transfer.hh"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

class GateLoop;
class GateShared;

/// One request of a client on its way through the gateway: who calls -> what may it cost
/// -> is the provider well -> is it our turn -> is there budget -> forward -> meter the
/// answer -> settle. Lives until the client has its answer, or is gone, and the call is
/// settled.
class GateCall final : public HttpListener, public std::enable_shared_from_this<GateCall>
{
public:
    GateCall(GateLoop &loop, uint64_t id, std::shared_ptr<HttpExchange> exchange);
    ~GateCall() override;
    GateCall(const GateCall &) = delete;
    GateCall &operator=(const GateCall &) = delete;

    /// The request's header is there.
    void start();

    /// A place in the provider's queue came free for it.
    void take_turn();

    /// The ledger's answer to a call that waited.
    void take_admission(const Admission &admission);

    uint64_t id() const noexcept { return id_; }
    CallId reservation() const noexcept { return reservation_; }

    void on_head(int status, std::span<const HttpField> fields) override;
    void on_piece(std::string_view piece) override;
    void on_end(const HttpEnd &end) override;

private:
    using Steady = std::chrono::steady_clock;

    // How the call goes on with another try, if at all.
    struct Verdict
    {
        GateFault fault = GateFault::Unreachable;
        std::string reason;
        std::optional<std::chrono::milliseconds> retry_after;
        bool not_sent = false; // the provider got nothing of it
    };

    // gate_call.cc: up to the reservation
    void take_body(std::string body);
    void take_owner(const std::optional<CapabilityOwner> &owner);
    void choose_provider();
    void try_route();
    void take_permit(const BreakerPermit &permit);
    void admit();
    LedgerCall ledger_call() const;
    const std::string &body() const { return other_body_.empty() ? body_ : other_body_; }
    bool asks_other_model() const
    {
        return !other_body_.empty() || !other_target_.empty();
    }

    // gate_call_answer.cc: from the request to the provider on
    void forward();
    bool asks_usage() const;
    std::string body_to_send() const;
    bool would_retry(int status) const;
    void begin_answer(int status, std::span<const HttpField> fields);
    void pass(std::string_view piece);
    void attempt_failed(const Verdict &verdict);
    bool try_again(const Verdict &verdict);
    // gate_call_route.cc: to other providers and models; what the input comes to
    struct Ask
    {
        CallEstimate estimate;
        std::string body;   // with another model in it; empty: the client's
        std::string target; // likewise
    };
    bool next_route();
    std::optional<Ask> ask_on(const GateFallback &next) const;
    bool take_route(const GateFallback &next);
    void withdraw();
    bool count_input(const Admission &admission);
    // gate_call_cache.cc: answers kept
    void look_up();
    void answer_again(const CallRecord &kept);
    void begin_keeping(std::span<const HttpField> fields);
    void keep(std::string_view piece);
    void end_keeping();
    // gate_call_end.cc: the books, the breaker, the record, and the end
    void report(bool failed, const std::string &reason,
                std::optional<std::chrono::milliseconds> retry_after = std::nullopt);
    void leave_queue();
    MeteredUsage metered_usage() const;
    void settle();
    void begin_record(std::span<const HttpField> fields);
    void archive(bool complete);
    void client_closed(bool whole);
    void
    answer_fault(GateFault fault, const std::string &message,
                 std::optional<std::chrono::milliseconds> retry_after = std::nullopt);
    void finish();

    GateLoop &loop_;
    GateShared &shared_;
    const uint64_t id_;
    std::shared_ptr<const GateConfig> config_;
    std::shared_ptr<HttpExchange> exchange_;
    const Steady::time_point began_ = Steady::now();
    bool finished_ = false;

    std::string key_;
    std::string body_;       // as the client sent it
    std::string other_body_; // the same for another model; empty: the client's
    std::string other_target_;
    Route route_;
    std::string family_;
    std::optional<CapabilityOwner> owner_;
    std::string named_model_; // by the client; providers are chosen by it
    CallEstimate estimate_;   // of a metered call, as the route of now asks for it

    const GateProvider *provider_ = nullptr;
    size_t next_fallback_ = 0; // of the first provider's
    const GateProvider *first_provider_ = nullptr;
    std::string breaker_;
    std::optional<int64_t> probe_;
    bool permitted_ = false; // by the breaker, which is owed a report
    bool queued_ = false;    // in the provider's queue, waiting or under way
    int64_t tries_ = 0;
    Timers::Id timer_ = 0;

    std::unique_ptr<InputCount> count_; // asked before it is refused
    bool counted_ = false;

    CallId reservation_ = 0;
    bool waits_for_budget_ = false;
    int64_t output_ = 0;     // admitted
    bool forwarded_ = false; // the provider may have it

    HttpTransfer transfer_;
    Steady::time_point sent_{};
    std::string sent_body_;
    std::unique_ptr<UsageMeter> meter_;
    std::unique_ptr<UsageStrip> strip_;
    std::string stripped_;
    int status_ = 0;
    bool answering_ = false;             // the client's answer was begun
    std::shared_ptr<CallRecord> record_; // where calls are archived
    std::string answer_key_;             // where answers are kept
    std::shared_ptr<CallRecord> kept_;   // the answer as the client gets it
};

} // namespace ap
