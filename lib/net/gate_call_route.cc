#include "net/gate_call.hh"
#include "net/gate_forward.hh"
#include "net/gate_loop.hh"

#include <algorithm>
#include <utility>

namespace ap {

bool GateCall::next_route()
{
    while (next_fallback_ < first_provider_->fallback.size()) {
        if (take_route(first_provider_->fallback[next_fallback_++])) {
            return true;
        }
    }
    return false;
}

// What the call asks for on that route; nothing if it cannot be asked for there.
std::optional<GateCall::Ask> GateCall::ask_on(const GateFallback &next) const
{
    Ask ask;
    if (!is_metered(route_.dialect)) {
        // Counts and lists are about the model that the client names.
        ask.estimate = estimate_;
        return next.model.empty() ? std::optional(ask) : std::nullopt;
    }
    ask.estimate = estimate_call(route_, body_);
    if (next.model.empty() || next.model == ask.estimate.model) {
        return ask;
    }
    Route route = route_;
    if (ask.estimate.model_place.length > 0) {
        ask.body = apply_edits(body_, {model_edit(ask.estimate, next.model)});
    } else if (!route_.model.empty()) {
        ask.target = target_with_model(exchange_->target(), route_.model, next.model);
        route.model = next.model;
    } else {
        return std::nullopt; // no model is named
    }
    ask.estimate = estimate_call(route, ask.body.empty() ? body_ : ask.body);
    return ask;
}

// Whether the call can go that way; then it is made ready to. What was reserved for
// another model is given back: its price and its limits are others.
bool GateCall::take_route(const GateFallback &next)
{
    const GateProvider *provider = config_->provider(next.provider);
    std::optional<Ask> ask = ask_on(next);
    if (!ask) {
        return false;
    }
    const bool metered = is_metered(route_.dialect);
    const std::string_view model = metered ? ask->estimate.model : named_model_;
    const bool same_model = ask->estimate.model == estimate_.model;
    const bool priced = !config_->refuse_unknown_models || !metered ||
                        loop_.setup_.prices->find(model) != nullptr;
    if ((provider == provider_ && same_model) || !priced || !provider->takes(model)) {
        return false;
    }
    leave_queue();
    if (!same_model) {
        withdraw();
    } else if (reservation_ != 0) {
        shared_.ledger.reroute(reservation_, provider->name);
    }
    counted_ = counted_ && same_model;
    provider_ = provider;
    estimate_ = std::move(ask->estimate);
    other_body_ = std::move(ask->body);
    other_target_ = std::move(ask->target);
    return true;
}

// Gives back what is reserved for a call that has cost nothing so far.
void GateCall::withdraw()
{
    const CallId reservation = std::exchange(reservation_, 0);
    if (reservation != 0) {
        shared_.ledger.cancel(reservation);
    }
    output_ = 0;
}

// Before a call is refused only because its input might come to a token a byte, its
// provider is asked what it does come to. Whether it tells that or not, the call is then
// admitted or refused for good.
bool GateCall::count_input(const Admission &admission)
{
    const bool for_budget = admission.refusal == Refusal::PhaseBudget ||
                            admission.refusal == Refusal::RunBudget ||
                            admission.refusal == Refusal::DayBudget;
    if (!for_budget || counted_ || !can_count_input(route_.dialect)) {
        return false;
    }
    counted_ = true;
    auto question = count_question(
        route_.dialect, other_target_.empty() ? exchange_->target() : other_target_,
        body());
    if (!question) {
        admit();
        return true;
    }
    std::string bearer;
    const auto fields = forwarded_fields(exchange_->fields(), *provider_, bearer);
    const auto take = [this](std::optional<int64_t> counted) {
        const auto self = shared_from_this();
        count_.reset();
        if (counted) {
            estimate_.input_bound =
                std::min(estimate_.input_bound, input_from_count(*counted));
        }
        admit();
    };
    count_ = std::make_unique<InputCount>(loop_.client_, *provider_, fields,
                                          std::move(*question), take);
    return true;
}

} // namespace ap
