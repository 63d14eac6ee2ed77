#include "domain/gateway_books.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr int64_t most_ahead = 4096;  // calls' worth
constexpr int64_t share_of_left = 16; // a reserve is at most one part of so many
constexpr int64_t least_ahead = 4;

const AccountRoom::Scope *too_short(const AccountRoom &room, Amount need)
{
    for (const AccountRoom::Scope *scope : {&room.phase, &room.run, &room.day}) {
        if (!covers(scope->left, need)) {
            return scope;
        }
    }
    return nullptr;
}

std::string figures(const AccountRoom::Scope &scope, Amount left, Amount need)
{
    if (need.tokens > left.tokens) {
        return scope.name + " has " + std::to_string(std::max<int64_t>(0, left.tokens)) +
               " of " + std::to_string(scope.cap.tokens) + " tokens left, " +
               std::to_string(need.tokens) + " asked for";
    }
    return scope.name + " has " + format_usd(std::max<int64_t>(0, left.microusd)) +
           " of " + format_usd(scope.cap.microusd) + " left, " +
           format_usd(need.microusd) + " asked for";
}

} // namespace

std::vector<GatewayAccount *> GatewayBooks::begin_cycle(Time now, bool closing,
                                                        bool check_caps)
{
    urgent_ = false;
    std::vector<GatewayAccount *> affected;
    for (auto &[key, owned] : accounts_) {
        GatewayAccount &account = *owned;
        const bool idle = closing || (account.queue.empty() &&
                                      now - account.last_used >= options_.idle_limit);
        account.plan = {};
        account.plan.used = account.pending;
        account.plan.row = account.row;
        account.plan.reservation_id = account.reservation_id;
        account.plan.grows = !closing && (account.wants_growth || !account.queue.empty());
        if (idle && !account.plan.grows) {
            account.plan.give = positive(account.free);
            account.free = account.free - account.plan.give;
            account.giving = account.plan.give;
            account.ahead = least_ahead;
            account.plan.closes = account.calls == 0 && account.queue.empty();
        }
        const bool has_use = !(positive(account.free) == Amount{}) || account.plan.grows;
        account.plan.checked = (check_caps && account.reservation_id != 0) ||
                               (account.beyond_cap && has_use);
        if (account.plan.grows || account.plan.closes || account.plan.checked ||
            !(account.plan.used == Amount{}) || !(account.plan.give == Amount{})) {
            affected.push_back(&account);
        }
    }
    return affected;
}

std::vector<GatewayBooks::Holder> GatewayBooks::holders() const
{
    std::vector<Holder> holders;
    for (const auto &[key, account] : accounts_) {
        if (account->reservation_id != 0) {
            holders.push_back({account->run_id, account->phase_id});
        }
    }
    return holders;
}

void GatewayBooks::take_back(GatewayAccount &account, Amount taken)
{
    account.free = account.free - taken;
    account.giving = account.giving + taken;
    account.plan.give = account.plan.give + taken;
    account.plan.row = positive(account.plan.row - taken);
}

bool GatewayBooks::give_back(GatewayAccount &account, const AccountRoom &room)
{
    const Amount taken = least_of(positive(account.free), room.beyond());
    take_back(account, taken);
    account.beyond_cap = !(positive(room.beyond() - taken) == Amount{});
    return !(taken == Amount{});
}

std::vector<GatewayAccount *> GatewayBooks::reclaim(const GatewayAccount &account,
                                                    const AccountRoom &room)
{
    std::vector<GatewayAccount *> affected;
    const Amount need = account.queue.empty()
                            ? Amount{}
                            : positive(need_of(account.queue.front(),
                                               calls_[account.queue.front()].wanted) -
                                       account.free);
    const bool phase_is_enough = covers(room.phase.left, need);
    if (covers(room.left(), need) || !phase_is_enough) {
        return affected; // what others hold would not help
    }
    const bool any_run = !covers(room.day.left, need);
    for (auto &[key, owned] : accounts_) {
        GatewayAccount &other = *owned;
        const Amount taken =
            least_of(positive(other.free),
                     positive(other.free + other.plan.grant - other.plan.decided));
        if (&other == &account || (!any_run && other.run_id != account.run_id) ||
            other.reservation_id == 0 || taken == Amount{}) {
            continue;
        }
        take_back(other, taken);
        affected.push_back(&other);
    }
    return affected;
}

GatewayBooks::InFlight GatewayBooks::in_flight_of(const GatewayAccount *account,
                                                  std::string_view run_id) const
{
    if (account != nullptr) {
        return {account->calls, account->open};
    }
    InFlight sum;
    for (const auto &[key, other] : accounts_) {
        if (run_id.empty() || key.first == run_id) {
            sum.calls += other->calls;
            sum.open = sum.open + other->open;
        }
    }
    return sum;
}

// Whether `need` beyond what the account holds would fit if the calls in flight came to
// nothing: under every cap that is too short now there must be such calls.
bool GatewayBooks::might_fit_later(const GatewayAccount &account, const AccountRoom &room,
                                   Amount need, InFlight decided) const
{
    for (const AccountRoom::Scope *scope : {&room.phase, &room.run, &room.day}) {
        if (covers(scope->left, need)) {
            continue;
        }
        InFlight others = scope == &room.phase ? in_flight_of(&account, {})
                          : scope == &room.run ? in_flight_of(nullptr, account.run_id)
                                               : in_flight_of(nullptr, {});
        if (others.calls + decided.calls == 0 ||
            !covers(scope->left - scope->beyond + others.open + decided.open, need)) {
            return false;
        }
    }
    return true;
}

// False if the call waits, and with it those behind it.
bool GatewayBooks::decide_call(GatewayAccount &account, uint32_t slot,
                               const AccountRoom &room, InFlight &decided, Time now)
{
    Call &call = calls_[slot];
    const Amount available = room.left() - room.beyond() + account.free - decided.open;
    std::optional<int64_t> output = fitting(slot, available, call.enough);
    if (!output) {
        const auto beyond = [&](int64_t asked) {
            return positive(need_of(slot, asked) + decided.open - account.free);
        };
        const bool in_time = now < call.deadline;
        if (in_time && might_fit_later(account, room, beyond(call.enough), decided)) {
            return false;
        }
        output = fitting(slot, available, call.least);
        if (!output && might_fit_later(account, room, beyond(call.least), decided)) {
            if (in_time) {
                return false;
            }
            call.refusal = Refusal::Timeout;
            call.reason = "calls in flight held the budget for " +
                          std::to_string(options_.wait_limit.count() / 1000) + " s";
            return true;
        }
    }
    if (!output) {
        refuse_for(slot, account, room, decided.open);
        return true;
    }
    call.decided = *output;
    decided.open = decided.open + need_of(slot, *output);
    ++decided.calls;
    return true;
}

void GatewayBooks::refuse_for(uint32_t slot, const GatewayAccount &account,
                              const AccountRoom &room, Amount decided)
{
    Call &call = calls_[slot];
    const Amount need = need_of(slot, call.least);
    const Amount held = account.free - decided;
    const AccountRoom::Scope *scope = too_short(room, positive(need - held));
    call.refusal = scope == &room.phase ? Refusal::PhaseBudget
                   : scope == &room.run ? Refusal::RunBudget
                                        : Refusal::DayBudget;
    if (scope != nullptr) {
        call.reason = figures(*scope, scope->left + held, need);
    }
}

Amount GatewayBooks::decide(GatewayAccount &account, const AccountRoom &room, Time now)
{
    account.wants_growth = false;
    if (!room.exists) {
        for (const uint32_t slot : account.queue) {
            calls_[slot].refusal = Refusal::NoAccount;
            calls_[slot].reason =
                "no " + (account.phase_id.empty() ? room.run.name : room.phase.name);
        }
        account.plan.gone = true;
        return {};
    }
    if (!account.queue.empty()) {
        account.ahead = std::min(account.ahead * 2, most_ahead);
    }
    InFlight decided;
    bool ample = true;
    for (const uint32_t slot : account.queue) {
        if (!decide_call(account, slot, room, decided, now)) {
            ample = false;
            break;
        }
        ample = ample && calls_[slot].decided == calls_[slot].wanted;
    }
    Amount grant = least_of(positive(decided.open - account.free), positive(room.left()));
    if (ample) {
        const Amount spare = account.free + grant - decided.open;
        const Amount reserve = positive(account.average * account.ahead - spare);
        grant = grant + least_of(reserve, positive(room.left() - grant) / share_of_left);
    }
    account.low_water =
        std::max<int64_t>(0, (account.free + grant - decided.open).tokens / 2);
    account.plan.decided = decided.open;
    account.plan.grant = grant;
    account.plan.row = account.plan.row + grant;
    return grant;
}

std::vector<GatewayBooks::RefusedCall>
GatewayBooks::refused_calls(const GatewayAccount &account) const
{
    std::vector<RefusedCall> refused;
    for (const uint32_t slot : account.queue) {
        const Call &call = calls_[slot];
        if (call.refusal == Refusal::PhaseBudget || call.refusal == Refusal::RunBudget ||
            call.refusal == Refusal::DayBudget) {
            refused.push_back(
                {journal_.slot(slot).attempt_id, call.refusal, call.reason});
        }
    }
    return refused;
}

void GatewayBooks::end_cycle(const std::vector<GatewayAccount *> &affected)
{
    for (GatewayAccount *account : affected) {
        const GatewayAccount::Plan &plan = account->plan;
        account->row = plan.row;
        account->spent = plan.reservation_id == account->reservation_id
                             ? account->spent + plan.used.tokens
                             : 0;
        account->reservation_id = plan.reservation_id;
        account->pending = account->pending - plan.used;
        account->giving = account->giving - plan.give;
        account->free = plan.gone ? Amount{} : account->free + plan.grant + plan.deficit;
        const std::deque<uint32_t> queue = std::exchange(account->queue, {});
        for (const uint32_t slot : queue) {
            Call &call = calls_[slot];
            if (call.decided >= 0) {
                --waiting_;
                ++counts.waited;
                const int64_t output = std::exchange(call.decided, -1);
                admit_call(slot, output);
                answers.push_back({Admission::State::Admitted,
                                   id_of(slot),
                                   output,
                                   Refusal::None,
                                   {},
                                   call.tag});
            } else if (call.refusal != Refusal::None) {
                refuse_call(slot, std::exchange(call.refusal, Refusal::None),
                            std::move(call.reason));
            } else {
                account->queue.push_back(slot);
            }
        }
        account->plan = {};
        serve(*account);
        if (account->reservation_id == 0 && account->calls == 0 &&
            account->queue.empty() && account->pending == Amount{}) {
            accounts_.erase(Key(account->run_id, account->phase_id));
        }
    }
}

void GatewayBooks::undo_cycle(const std::vector<GatewayAccount *> &affected, bool give_up,
                              const std::string &reason)
{
    for (GatewayAccount *account : affected) {
        account->free = account->free + account->giving;
        account->giving = {};
        account->plan = {};
        for (const uint32_t slot : account->queue) {
            calls_[slot].decided = -1;
            calls_[slot].refusal = Refusal::None;
        }
        if (give_up) {
            for (const uint32_t slot : std::exchange(account->queue, {})) {
                refuse_call(slot, Refusal::Failed, reason);
            }
        }
    }
}

} // namespace ap
