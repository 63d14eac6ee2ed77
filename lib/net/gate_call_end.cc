#include "net/gate_call.hh"
#include "net/gate_forward.hh"
#include "net/gate_loop.hh"

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
    loop_.disk_.report(breaker_, result, reason);
}

void GateCall::leave_queue()
{
    if (std::exchange(queued_, false)) {
        shared_.queues.leave(*provider_, id_);
    }
}

// What the answer says it used, or an estimate where it does not.
MeteredUsage GateCall::metered_usage() const
{
    const MeterProgress *progress = meter_ ? &meter_->progress() : nullptr;
    if (progress != nullptr && progress->final) {
        return meter_->result(output_, estimate_.hidden_output);
    }
    const CallRatios ratios = shared_.ledger.ratios_of(route_.dialect, estimate_.model);
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
    // An answer that is an error, or none at all to a request that never got there, costs
    // nothing.
    if (!forwarded_ || (status_ != 0 && !meter_)) {
        shared_.ledger.cancel(reservation);
        return;
    }
    MeteredUsage metered = metered_usage();
    Usage &usage = metered.usage;
    usage.provider = provider_->name;
    usage.duration_ms = since(began_).count();
    shared_.ledger.settle(reservation, usage, metered.cache_write_long);
    if (usage.model.empty()) {
        usage.model = estimate_.model;
    }
    if (const ModelFacts *facts = loop_.setup_.prices->find(usage.model)) {
        usage.cost_microusd = cost_of(*facts, usage, metered.cache_write_long);
    }
    shared_.count(
        [&](GateMetrics &metrics) { metrics.count_usage(provider_->name, usage); });
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
    record_->request_id = shared_.request_id(id_);
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
        loop_.disk_.archive(shared_.paths.attempt_directory(
                                owner_->run_id, owner_->phase_id, owner_->attempt),
                            record);
    }
}

void GateCall::client_closed(bool whole)
{
    const auto self = shared_from_this();
    if (!whole && (reservation_ != 0 || !answering_)) {
        shared_.count([&](GateMetrics &metrics) { metrics.aborted++; });
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
    shared_.count([&](GateMetrics &metrics) {
        metrics.faults[metric_label("reason", std::to_string(error.status))]++;
    });
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
    loop_.timers_.cancel(timer_);
    count_.reset();
    leave_queue();
    if (std::exchange(permitted_, false)) {
        loop_.disk_.cancel_probe(breaker_, probe_);
    }
    loop_.end_call(id_);
}

} // namespace ap
