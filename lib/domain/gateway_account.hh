#pragma once

#include "domain/gateway_amount.hh"

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

namespace ap {

/// What is left under the caps that an account's calls must fit under, as of the
/// transaction that is under way.
struct AccountRoom
{
    struct Scope
    {
        Amount left = {largest_amount, largest_amount};
        Amount cap = {largest_amount, largest_amount};
        std::string name{}; ///< "run 'r'", for messages
        Amount beyond{};    ///< used and reserved beyond the cap, as after it was lowered
    };
    bool exists = true; ///< the run and the phase do
    Scope phase;
    Scope run;
    Scope day;

    Amount left() const noexcept
    {
        return least_of(phase.left, least_of(run.left, day.left));
    }
    Amount beyond() const noexcept
    {
        return most_of(phase.beyond, most_of(run.beyond, day.beyond));
    }
};

/// One run and phase: its tranche and who uses it. `row` = free + open + pending +
/// giving, unless a provider over-delivered; then free is what is missing, below 0.
struct GatewayAccount
{
    std::string run_id;
    std::string phase_id;
    int64_t reservation_id = 0; ///< 0: no tranche
    Amount row;                 ///< the tranche as it is in the database
    Amount free;
    Amount open;       ///< reserved by calls in flight
    Amount pending;    ///< used, not yet written
    Amount giving;     ///< about to be given back
    int64_t spent = 0; ///< tokens written since the tranche was opened
    int64_t calls = 0; ///< in flight
    std::deque<uint32_t> queue;
    Amount average;        ///< of the last calls' reservations
    int64_t ahead = 4;     ///< calls' worth to hold in reserve
    int64_t low_water = 0; ///< tokens of `free` below which it asks for more
    bool wants_growth = false;
    bool beyond_cap = false; ///< what calls in flight hold is; nothing else may be used
    std::chrono::steady_clock::time_point last_used;

    /// What the cycle under way does to it; of no meaning to anybody else.
    struct Plan
    {
        Amount used;
        Amount give;
        Amount grant;
        Amount row;     ///< the tranche once it is committed
        Amount deficit; ///< used beyond the whole tranche, which only a provider can do
        Amount decided; ///< what the calls get that are admitted with the commit
        int64_t reservation_id = 0;
        bool grows = false;
        bool checked = false; ///< whether caps were lowered below what it holds
        bool closes = false;
        bool gone = false; ///< the run or phase is no more
    };
    Plan plan;
};

} // namespace ap
