#include "net/gate_call.hh"
#include "net/gate_forward.hh"
#include "net/gateway.hh"

#include <utility>

namespace ap {

namespace {

using std::chrono::milliseconds;

milliseconds since(std::chrono::steady_clock::time_point then)
{
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() -
                                                    then);
}

// What ap-llm tells the gateway's own answers by.
std::string_view refusal_name(GateFault fault)
{
    switch (fault) {
    case GateFault::BadKey:
        return "key";
    case GateFault::Budget:
        return "budget";
    case GateFault::Open:
        return "breaker";
    case GateFault::Busy:
        return "busy";
    case GateFault::UnknownPath:
    case GateFault::UnknownModel:
        return "route";
    case GateFault::BadRequest:
        return "request";
    case GateFault::Unreachable:
    case GateFault::TooSlow:
        return "provider";
    case GateFault::Internal:
        break;
    }
    return "internal";
}

} // namespace

void GateCall::report(bool failed, const std::string &reason,
                      std::optional<milliseconds> retry_after)
{
    leave_queue();
    if (!std::exchange(permitted_, false)) {
        return;
    }
    BreakerResult result;
    result.failed = failed;
    result.duration_ms = since(sent_).count();
    result.probe_id = std::exchange(probe_, std::nullopt);
    result.retry_after_ms = retry_after.value_or(milliseconds(0)).count();
    if (provider_->slow.count() > 0) {
        result.slow_ms = provider_->slow.count();
    }
    gateway_.disk_.report(breaker_, result, reason);
}

void GateCall::leave_queue()
{
    if (std::exchange(queued_, false)) {
        gateway_.queue(*provider_).leave(id_);
    }
}

// What the answer says it used, or an estimate where it does not.
MeteredUsage GateCall::metered_usage() const
{
    const MeterProgress *progress = meter_ ? &meter_->progress() : nullptr;
    if (progress != nullptr && progress->final) {
        return meter_->result(output_, estimate_.hidden_output);
    }
    const CallRatios ratios = gateway_.ledger_.ratios_of(route_.dialect, estimate_.model);
    MeteredUsage metered;
    if (meter_) {
        metered = meter_->result(output_, estimate_.hidden_output, &ratios);
    } else {
        metered.usage.prompt_tokens = estimate_.input_bound;
        metered.usage.completion_tokens = output_;
        metered.usage.estimated = true;
    }
    if ((progress == nullptr || !progress->input_known) && !counted_) {
        metered.usage.prompt_tokens = ratios.input_of(estimate_.input_bound);
    }
    return metered;
}

// What the call used goes into the books, once.
void GateCall::settle()
{
    const CallId reservation = std::exchange(reservation_, 0);
    if (reservation == 0) {
        return;
    }
    gateway_.waiting_.erase(reservation);
    // An answer that is an error, or none at all to a request that never got there, costs
    // nothing.
    if (!forwarded_ || (status_ != 0 && !meter_)) {
        gateway_.ledger_.cancel(reservation);
        return;
    }
    MeteredUsage metered = metered_usage();
    Usage &usage = metered.usage;
    usage.provider = provider_->name;
    usage.duration_ms = since(began_).count();
    gateway_.ledger_.settle(reservation, usage, metered.cache_write_long);
    if (usage.model.empty()) {
        usage.model = estimate_.model;
    }
    if (const ModelFacts *facts = gateway_.prices_->find(usage.model)) {
        usage.cost_microusd = cost_of(*facts, usage, metered.cache_write_long);
    }
    gateway_.metrics_.count_usage(provider_->name, usage);
    if (record_) {
        record_->usage = usage;
    }
}

void GateCall::begin_record(std::span<const HttpField> fields)
{
    if (!config_->archive) {
        return;
    }
    record_ = std::make_shared<CallRecord>();
    record_->at = SystemClock().now() - since(began_).count();
    record_->request_id = gateway_.request_id(id_);
    record_->method = exchange_->method();
    record_->target = exchange_->target();
    const auto copy = [](std::span<const HttpField> from, CallRecord::Fields &to) {
        for (const HttpField &field : from) {
            to.emplace_back(field.name, field.value);
        }
    };
    copy(answered_fields(exchange_->fields()), record_->request_fields);
    copy(answered_fields(fields), record_->response_fields);
    record_->request_body = body_;
    record_->status = status_;
}

// Once, whether the answer came to its end or not.
void GateCall::archive(bool complete)
{
    if (const auto record = std::exchange(record_, nullptr)) {
        record->complete = complete;
        gateway_.disk_.archive(gateway_.paths_.attempt_directory(
                                   owner_->run_id, owner_->phase_id, owner_->attempt),
                               record);
    }
}

void GateCall::client_closed(bool whole)
{
    const auto self = shared_from_this();
    if (!whole && (reservation_ != 0 || !answering_)) {
        gateway_.metrics_.aborted++;
    }
    transfer_.drop();
    settle();
    archive(false);
    finish();
}

void GateCall::answer_fault(GateFault fault, const std::string &message,
                            std::optional<milliseconds> retry_after)
{
    const auto self = shared_from_this();
    const auto seconds =
        retry_after ? std::optional(std::chrono::ceil<std::chrono::seconds>(*retry_after))
                    : std::nullopt;
    const ProviderError error = provider_error(family_, fault, message, seconds);
    gateway_.metrics_.faults[metric_label("reason", std::to_string(error.status))]++;
    settle();
    std::vector<HttpField> fields = {{"Content-Type", "application/json"},
                                     {"autopack-refusal", refusal_name(fault)}};
    std::string wait;
    if (error.retry_after) {
        wait = std::to_string(error.retry_after->count());
        fields.push_back({"Retry-After", wait});
    }
    exchange_->respond(error.status, fields, error.body);
}

void GateCall::finish()
{
    if (std::exchange(finished_, true)) {
        return;
    }
    gateway_.timers_.cancel(timer_);
    count_.reset();
    leave_queue();
    if (std::exchange(permitted_, false)) {
        gateway_.disk_.cancel_probe(breaker_, probe_);
    }
    gateway_.end_call(id_);
}

} // namespace ap
