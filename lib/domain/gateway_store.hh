#pragma once

#include "base/clock.hh"
#include "domain/gateway_books.hh"
#include "wrap/sqlite.hh"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The purpose of the reservations that are tranches.
inline constexpr std::string_view tranche_purpose = "gateway tranche";

/// A settled call and whom it is charged to.
struct GatewayCharge
{
    const JournalSlot *slot;
    const GatewayAccount *account;
};

/// The tables' side of the gateway's books. All functions join the caller's transaction.
class GatewayStore
{
public:
    GatewayStore(Sqlite &database, const Clock &clock);

    /// Registers this process as a gateway and returns its id.
    int64_t begin_gateway();
    void end_gateway(int64_t gateway_id);

    /// Records the usage of settled slots, but where the run or phase is no more: then
    /// nobody is left to charge.
    void record(const std::vector<GatewayCharge> &charges);

    /// Makes the tranche what the account's plan says: opens it (the plan gets its id),
    /// changes it, or closes it.
    void write_tranche(GatewayAccount &account, int64_t gateway_id);

    AccountRoom room_of(const std::string &run_id, const std::string &phase_id);

    void note_refusals(const std::vector<GatewayBooks::RefusedCall> &refused);

    std::map<std::string, int64_t, std::less<>> largest_outputs();
    void save_largest_output(std::string_view model, int64_t output);

private:
    Sqlite &database_;
    const Clock &clock_;
};

} // namespace ap
