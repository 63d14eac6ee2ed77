#pragma once

#include "base/clock.hh"
#include "domain/gateway_books.hh"
#include "domain/gateway_store.hh"
#include "wrap/sqlite.hh"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ap {

/// Carries out one cycle of the books in the database. For the ledger's thread, which
/// holds the books' lock only where they decide.
class GatewayWriter
{
public:
    GatewayWriter(Sqlite &database, const Clock &clock);

    /// Registers this process as a gateway, and as one that has ended and learned this.
    int64_t begin_gateway();
    void end_gateway(UsageRatios &ratios);

    std::map<std::string, int64_t, std::less<>> largest_outputs();

    /// Records `charges` and makes the tranches of `affected` what their plans say, in
    /// the caller's transaction: usage first, by which they shrink, then what they ask
    /// for, as far as there is room. Accounts that must give up something for others are
    /// added to `affected`. Once a second what was learned of models is saved, too.
    /// `lock` is taken for each decision and not held on return.
    void write(std::unique_lock<std::mutex> &lock, GatewayBooks &books,
               const std::vector<GatewayCharge> &charges,
               std::vector<GatewayAccount *> &affected);

    /// How often somebody else's change of the caps is looked for.
    static constexpr std::chrono::milliseconds cap_poll{50};

    /// Whether what is used and reserved is beyond a cap of an account with a tranche:
    /// then somebody lowered it, or used something beside the gateway. Looks it up every
    /// `cap_poll`, if another process wrote something meanwhile. `lock` is held, and not
    /// while the database is asked.
    bool is_a_cap_passed(std::unique_lock<std::mutex> &lock, const GatewayBooks &books);

    /// The transaction was rolled back.
    void forget()
    {
        saved_outputs_.clear();
        data_version_ = -1;
    }

private:
    Sqlite &database_;
    GatewayStore store_;
    int64_t gateway_id_ = 0;
    std::map<std::string, int64_t, std::less<>> saved_outputs_;
    GatewayBooks::Time ratios_saved_{};
    GatewayBooks::Time caps_seen_{};
    int64_t data_version_ = -1; ///< of the caps' last look

    void record(const std::vector<GatewayCharge> &charges);
    void give_back(std::unique_lock<std::mutex> &lock, GatewayBooks &books,
                   GatewayAccount &account);
    void save_ratios(std::unique_lock<std::mutex> &lock, GatewayBooks &books);
    void grow(std::unique_lock<std::mutex> &lock, GatewayBooks &books,
              GatewayAccount &account, std::vector<GatewayAccount *> &affected);
};

} // namespace ap
