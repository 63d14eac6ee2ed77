#include "domain/gateway_writer.hh"

#include <algorithm>
#include <utility>

namespace ap {

GatewayWriter::GatewayWriter(Sqlite &database, const Clock &clock)
    : database_(database)
    , store_(database, clock)
{
}

int64_t GatewayWriter::begin_gateway()
{
    in_transaction(database_, [this] { gateway_id_ = store_.begin_gateway(); });
    return gateway_id_;
}

void GatewayWriter::end_gateway(UsageRatios &ratios)
{
    in_transaction(database_, [&] {
        UsageRatios::save(database_, ratios.take_changed());
        store_.end_gateway(gateway_id_);
    });
}

std::map<std::string, int64_t, std::less<>> GatewayWriter::largest_outputs()
{
    return store_.largest_outputs();
}

void GatewayWriter::record(const std::vector<GatewayCharge> &charges)
{
    store_.record(charges);
    std::map<std::string_view, int64_t> largest;
    for (const GatewayCharge &charge : charges) {
        if (charge.slot->estimated == 0) {
            int64_t &output = largest[stored_text(charge.slot->model)];
            output = std::max(output, charge.slot->completion_tokens);
        }
    }
    for (const auto &[model, output] : largest) {
        const auto saved = saved_outputs_.find(model);
        if (output > (saved == saved_outputs_.end() ? 0 : saved->second)) {
            store_.save_largest_output(model, output);
            saved_outputs_.insert_or_assign(std::string(model), output);
        }
    }
}

void GatewayWriter::write(std::unique_lock<std::mutex> &lock, GatewayBooks &books,
                          const std::vector<GatewayCharge> &charges,
                          std::vector<GatewayAccount *> &affected)
{
    record(charges);
    for (GatewayAccount *account : affected) {
        GatewayAccount::Plan &plan = account->plan;
        if (!(plan.used == Amount{}) || !(plan.give == Amount{}) || plan.closes) {
            const Amount row = plan.row - plan.used - plan.give;
            plan.row = positive(row);
            plan.deficit = positive(Amount{} - row);
            store_.write_tranche(*account, gateway_id_);
        }
    }
    for (GatewayAccount *account : affected) {
        if (account->plan.checked) {
            give_back(lock, books, *account);
        }
    }
    for (size_t i = 0; i < affected.size(); ++i) { // grow() may add to them
        if (affected[i]->plan.grows) {
            grow(lock, books, *affected[i], affected);
        }
    }
    save_ratios(lock, books);
}

bool GatewayWriter::is_a_cap_passed(std::unique_lock<std::mutex> &lock,
                                    const GatewayBooks &books)
{
    const GatewayBooks::Time now = GatewayBooks::Clock::now();
    if (now - caps_seen_ < cap_poll) {
        return false;
    }
    caps_seen_ = now;
    const std::vector<GatewayBooks::Holder> holders = books.holders();
    lock.unlock();
    bool passed = false;
    try {
        const int64_t version = database_.query_integer("PRAGMA data_version");
        passed = std::exchange(data_version_, version) != version &&
                 std::any_of(holders.begin(), holders.end(), [this](const auto &holder) {
                     return !(store_.room_of(holder.run_id, holder.phase_id).beyond() ==
                              Amount{});
                 });
    } catch (const Error &) {
        data_version_ = -1; // a cycle meets the same trouble, and tells it
    }
    lock.lock();
    return passed;
}

void GatewayWriter::give_back(std::unique_lock<std::mutex> &lock, GatewayBooks &books,
                              GatewayAccount &account)
{
    const AccountRoom room = store_.room_of(account.run_id, account.phase_id);
    lock.lock();
    const bool gives = books.give_back(account, room);
    lock.unlock();
    if (gives) {
        store_.write_tranche(account, gateway_id_);
    }
}

void GatewayWriter::save_ratios(std::unique_lock<std::mutex> &lock, GatewayBooks &books)
{
    using namespace std::chrono_literals;
    const GatewayBooks::Time now = GatewayBooks::Clock::now();
    if (now - ratios_saved_ < 1s) {
        return;
    }
    ratios_saved_ = now;
    lock.lock();
    const UsageRatios::Changed changed = books.ratios.take_changed();
    lock.unlock();
    UsageRatios::save(database_, changed);
}

void GatewayWriter::grow(std::unique_lock<std::mutex> &lock, GatewayBooks &books,
                         GatewayAccount &account, std::vector<GatewayAccount *> &affected)
{
    AccountRoom room = store_.room_of(account.run_id, account.phase_id);
    lock.lock();
    const std::vector<GatewayAccount *> givers = books.reclaim(account, room);
    lock.unlock();
    for (GatewayAccount *giver : givers) {
        store_.write_tranche(*giver, gateway_id_);
        if (std::find(affected.begin(), affected.end(), giver) == affected.end()) {
            affected.push_back(giver);
        }
    }
    if (!givers.empty()) {
        room = store_.room_of(account.run_id, account.phase_id);
    }
    lock.lock();
    const Amount grant = books.decide(account, room, GatewayBooks::Clock::now());
    const std::vector<GatewayBooks::RefusedCall> refused = books.refused_calls(account);
    lock.unlock();
    if (!(grant == Amount{})) {
        store_.write_tranche(account, gateway_id_);
    }
    store_.note_refusals(refused);
}

} // namespace ap
