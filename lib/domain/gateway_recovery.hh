#pragma once

#include "base/clock.hh"
#include "domain/state.hh"
#include "wrap/sqlite.hh"

#include <string>

namespace ap {

/// What reconcile_gateways() did.
struct Reconciliation
{
    int64_t gateways = 0;  ///< dead ones whose books were closed
    int64_t exact = 0;     ///< calls recorded with their usage
    int64_t estimated = 0; ///< calls recorded at an estimate
    int64_t tranches = 0;  ///< reservations closed
};

/// Closes the books of gateways that died: see above. Does nothing about one that lives.
/// Safe to repeat and to interrupt. `journal` is "<runs>/gate.journal".
Reconciliation reconcile_gateways(Sqlite &database, const std::string &journal,
                                  const Clock &clock);

/// Where the journal of an installation is.
std::string gateway_journal_path(const StatePaths &paths);

} // namespace ap
